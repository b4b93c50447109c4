"""Several callers' writes in one transaction: quicker, and nobody's fault is another's."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import OperationalError

from storage import chats, schema
from storage.database import reading, writing
from storage.together import Together
from tests.world import START, World


class Office:
    """Writes together; the first transaction stays open until everybody has come."""

    def __init__(self, world: World) -> None:
        self.engine = world.parts.engine
        self.transactions = 0
        self.together = Together(self._begin)
        self._inside = threading.Event()

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        self.transactions += 1
        with writing(self.engine) as db:
            yield db

    def write(self, words: Sequence[str]) -> dict[str, str]:
        """Everybody wants their word written; what each was told, or the error's name."""
        told: dict[str, str] = {}
        release = threading.Event()

        def first(_db: Connection) -> None:
            self._inside.set()
            release.wait(10)

        def one(word: str) -> None:
            try:
                told[word] = self.together.write(lambda db: self._noted(db, word), word)
            except Exception as error:  # noqa: BLE001 - told as it comes
                told[word] = type(error).__name__

        holder = threading.Thread(target=self.together.write, args=(first, ""))
        holder.start()
        self._inside.wait(10)
        threads = [threading.Thread(target=one, args=(word,)) for word in words]
        for thread in threads:
            thread.start()
        while len(self.together._waiting) < len(words):  # all of them wait at the door
            threading.Event().wait(0.001)
        release.set()
        for thread in (holder, *threads):
            thread.join()
        return told

    def _noted(self, db: Connection, word: str) -> str:
        chats.write(db, "t", {"text": word}, START, mine=True)
        if word == "broken":
            raise ValueError(word)
        if word == "away":
            raise OperationalError("INSERT", {}, Exception("gone"))
        return word.upper()

    def kept(self) -> int:
        with reading(self.engine) as db:
            return db.scalar(select(func.count()).select_from(schema.chat_lines)) or 0


def test_those_who_come_meanwhile_are_written_in_one_transaction(small_world: World) -> None:
    office = Office(small_world)
    assert office.write(["c", "a", "b"]) == {"a": "A", "b": "B", "c": "C"}
    assert office.kept() == 3
    assert office.transactions == 2  # the one that they waited for, and their own


def test_the_fault_of_one_is_told_to_that_one_alone(small_world: World) -> None:
    office = Office(small_world)
    assert office.write(["a", "broken", "c"]) == {"a": "A", "broken": "ValueError", "c": "C"}
    assert office.kept() == 2


def test_when_the_database_is_away_everybody_is_told(small_world: World) -> None:
    office = Office(small_world)
    assert set(office.write(["a", "away"]).values()) == {"OperationalError"}
    assert office.kept() == 0


def test_a_letter_that_cannot_be_read_keeps_nobody_from_answering(world: World) -> None:
    world.says("ana", "hola")
    with writing(world.parts.engine) as db:
        person = db.scalar(select(schema.people.c.id))
        broken = {"person_id": person, "channel": "telegram", "lane": 0, "state": "queued"}
        db.execute(schema.outbox.insert().values(**broken, due=START, message=b"nothing sealed"))
    assert world.says("beto", "hola")
    assert world.says("ana", "es")
    assert world.states() == {"sent": 4, "failed": 1}  # after the language come two
    with reading(world.parts.engine) as db:  # who waited behind it was not sent twice
        sent = db.scalars(select(schema.outbox.c.attempts).where(schema.outbox.c.state == "sent"))
        assert set(sent) == {1}
