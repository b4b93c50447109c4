"""What stories about forums need besides the world: guests who consented, a forum, the ticks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, update

from bot import delivery, forum_files, invitations
from bot.invitations import Call
from storage import forums, schema
from storage import invitations as stored
from storage.database import reading, writing
from storage.forums import Forum
from storage.invitations import Invitation, Reach
from tests.emulators import telegram_people, twilio_people
from tests.world import PATIENCE, World, _identity

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WATER = """
kind = "thematic"
start = 2027-07-10T10:00:00
end = 2027-07-10T13:00:00
{capacity}

[title]
es = "Agua y servicios en el oriente"

[description]
es = "Habrá interpretación en maya."

[place]
name = "Casa de la Cultura"
municipality = "Valladolid"
lat = 20.6896
lon = -88.2011
"""
ASKED = (
    "Foro: Agua y servicios en el oriente\n"
    "📅 Sábado 10 de julio, 10:00 a 13:00\n"
    "📍 Casa de la Cultura, Valladolid\n"
    "Habrá interpretación en maya.\n"
    "¿Vas?\n1. Sí\n2. No puedo\n3. Tal vez"
)


@dataclass(slots=True)
class Forums:
    """A world in which forums are held."""

    world: World
    folder: Path

    # people

    def guest(self, name: str, *, channel: str = "telegram", talk: str = "", **traits: Any) -> int:
        """Somebody who may be called to forums, and has nothing open unless `talk` says so."""
        number = 500 + len(self.world.cast)
        person: Any = telegram_people.Person(number, name.title())
        identity = address = str(number)
        if channel == "whatsapp":
            person = twilio_people.Person(f"+521999{number:07}", name.title())
            identity, address = _identity(person.number), f"whatsapp:{person.number}"
            self.world.twilio.heard[person.number] = traits.get("heard_at", self.now)
        self.world.cast[name] = person
        values = {"created_at": self.now, "heard_at": self.now, "language": "es", **traits}
        if talk or "talk" not in values:
            values["talk"] = talk or f'{{"language":"{values["language"]}"}}'
        with writing(self.engine) as db:
            vault = db.get_execution_options()["vault"]
            sealed = {
                "identity": vault.seal("people.identity", identity),
                "address": vault.seal("people.address", address),
            }
            row = {"pseudonym": f"p{number}", "channel": channel, **sealed, **values}
            made: int = db.execute(
                insert(schema.people).values(row).returning(schema.people.c.id)
            ).scalar_one()
        self.consents(made, given=True)
        return made

    def consents(self, person_id: int, *, given: bool) -> None:
        with writing(self.engine) as db:
            words = db.get_execution_options()["vault"].hide("consents.words", "sí")
            db.execute(
                insert(schema.consents).values(
                    person_id=person_id, kind="forums", given=given, form="consulta", version=1,
                    words=words, channel="telegram", at=self.now,
                )
            )  # fmt: skip

    # forums

    def forum(self, capacity: int | None = None, text: str = WATER, name: str = "agua") -> Forum:
        with writing(self.engine) as db:
            known = invitations.catalogue(db, self.library).places
            plan = forum_files.read(self.file(text, capacity, name), known)
            codes = (f"token{name}", f"DOOR{len(forums.all_(db)):02}")
            return invitations.open_forum(db, plan, codes, self.now)

    def file(self, text: str = WATER, capacity: int | None = None, name: str = "agua") -> Path:
        seats = f"capacity = {capacity}" if capacity else ""
        path = self.folder / f"{name}.toml"
        path.write_text(text.format(capacity=seats), encoding="utf-8")
        return path

    def changed(self, forum: Forum, old: str, new: str, capacity: int | None = None) -> Forum:
        with writing(self.engine) as db:
            plan = forum_files.read(
                self.file(WATER.replace(old, new), capacity),
                invitations.catalogue(db, self.library).places,
            )
            return invitations.change_forum(db, forum, plan, self.now)

    def cancelled(self, forum: Forum) -> None:
        with writing(self.engine) as db:
            invitations.cancel_forum(db, forum, self.now)

    def plan(self, forum: Forum, segment: str = "", **given: Any) -> tuple[Invitation, Reach]:
        call = Call(given.pop("at", self.now), segment, **given)
        with writing(self.engine) as db:
            return invitations.plan(db, self.library, forum, call, self.now)

    def invited(self, forum: Forum, segment: str = "", **given: Any) -> int:
        """Planned for now, and sent."""
        made, _ = self.plan(forum, segment, **given)
        self.tick()
        return made.id

    # time

    def tick(self, after: timedelta = timedelta(0)) -> None:
        """Time goes on, what is due is queued, and what can be sent is."""
        self.world.clock.advance(after)
        self._queue()
        self.settle()

    def _queue(self) -> None:
        """What the scheduler does each second in the delivery's own loop, at once."""
        while delivery._tick(self.post) or self._to_queue():
            pass

    def _to_queue(self) -> bool:
        """Whether something is due that the world's own scheduler is queueing right now."""
        made = schema.invitations
        open_ = made.c.state.in_(("planned", "queueing")) & made.c.paused_at.is_(None)
        with reading(self.engine) as db:
            return bool(db.execute(select(made.c.id).where(open_, made.c.due <= self.now)).first())

    def tick_only(self) -> None:
        """What is due is queued; what waits for later is left waiting."""
        self._queue()
        self.world.parts.bell.ring()
        time.sleep(0.2)

    def wait_for(self, invitation: int, least: int, most: int) -> None:
        """Until so many have got it."""
        until = time.monotonic() + PATIENCE
        self.world.parts.bell.ring()
        while not least <= self.status(invitation).get("sent", 0) <= most:
            assert time.monotonic() < until, self.status(invitation)
            time.sleep(0.02)

    def tick_until(self, there: Callable[[], bool]) -> None:
        """Until something is so, the world's own scheduler ticking."""
        until = time.monotonic() + PATIENCE
        while not there():
            assert time.monotonic() < until, self.world.states()
            time.sleep(0.02)

    def settle(self) -> None:
        self.world.parts.bell.ring()
        self.world.settle()

    # what came of it

    def status(self, invitation: int) -> dict[str, Any]:
        """The state of an invitation; what is nought is left out."""
        with reading(self.engine) as db:
            found = stored.status(db, invitation)
        parts = sum(found[state] for state in stored.STATES) + sum(found["skipped"].values())
        assert parts == found["intended"], found
        return {key: value for key, value in found.items() if value}

    def attendance(self, forum: Forum) -> dict[str, int]:
        with reading(self.engine) as db:
            return {key: n for key, n in forums.attendance(db, forum.id).items() if n}

    @property
    def now(self) -> datetime:
        return self.world.clock()

    @property
    def engine(self) -> Any:
        return self.world.parts.engine

    @property
    def library(self) -> Any:
        return self.world.parts.desk.library

    @property
    def post(self) -> Any:
        return self.world.parts.post


def told_to_wait(db: Connection, until: float = 4e9) -> None:
    """Nothing goes out on Telegram by itself. Its row alone: who locks those of all senders in
    another order than the delivery may wait for it, and it for them."""
    mine = schema.senders.c.channel == "telegram"
    db.execute(update(schema.senders).where(mine).values(paused_until=until))
