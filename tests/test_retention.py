"""How long each kind of data stays: what is over its time goes, what is a day younger stays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Table, insert, select

from bot import wiring
from storage import database, retention, schema
from storage.database import disposing, reading, writing
from storage.retention import KEPT
from storage.vault import vault
from tests.world import KEY

NOW = datetime(2027, 6, 28, 15, 0, tzinfo=UTC)
DAY = timedelta(days=1)
PRIVACY = Path(__file__).parents[1] / "docs" / "privacy.md"
TOLD = {  # the table of privacy.md: which kind each of its lines is
    "voice notes, photos and files": "voices",
    "messages that we sent": "messages",
    "messages that wait for somebody to write again": "held",
    "messages that we failed to process": "failed_calls",
    "ids of the providers' calls": "calls",
    "what the local chat page shows": "chat_lines",
    "who wrote once and never agreed": "strangers",
    "requests": "requests",
    "the audit log": "audit",
    "failed sign-ins": "sign_ins",
}
NUMBERS = count(1)
Row = Mapping[str, Any]


def put(db: Connection, table: Table, **values: Any) -> int:
    made: int = db.execute(insert(table).values(**values).returning(table.c.id)).scalar_one()
    return made


def person(db: Connection, at: datetime = NOW, **more: Any) -> int:
    sealed = f"{next(NUMBERS)}".encode()
    row = {"pseudonym": sealed.decode(), "channel": "telegram", "identity": sealed}
    row |= {"address": sealed, "created_at": at, "heard_at": at}
    return put(db, schema.people, **row, **more)


def passed(db: Connection, who: int, state: str = "started") -> str:
    row = {"id": f"r{next(NUMBERS)}", "person_id": who, "form": "f", "version": 1}
    row |= {"mode": "telegram", "state": state, "started_at": NOW}
    db.execute(insert(schema.responses).values(**row))
    return row["id"]


def said(db: Connection, response: str, at: datetime, media: int | None = None) -> int:
    row = {"response_id": response, "question": "q", "said": b"", "confidence": 0.0}
    return put(db, schema.answers, **row, channel="telegram", at=at, media_id=media)


def consent(db: Connection, who: int, at: datetime, media: int | None = None) -> int:
    row = {"person_id": who, "kind": "answer", "given": True, "form": "f", "version": 1}
    row |= {"words": b"", "channel": "telegram", "at": at, "media_id": media}
    return put(db, schema.consents, **row)


def voice(db: Connection, due: datetime, who: int, state: str = "kept") -> int:
    row = {"person_id": who, "channel": "telegram", "ref": b"", "type": "audio/ogg"}
    name = f"{next(NUMBERS)}.ogg" if state == "kept" else None
    return put(db, schema.media, **row, state=state, due=due, file=name)


def letter(db: Connection, due: datetime, state: str, **more: Any) -> int:
    who = person(db)
    row = {"person_id": who, "channel": "telegram", "lane": 0, "message": b"", "state": state}
    return put(db, schema.outbox, **row, due=due, **more)


def call(db: Connection, at: datetime, state: str = "done", channel: str = "telegram") -> int:
    row = {"channel": channel, "provider_id": f"{next(NUMBERS)}", "state": state}
    return put(db, schema.inbox, **row, at=at)


def heard_voice(db: Connection, at: datetime) -> int:
    """One that was being fetched for a day: its answer tells how old it is."""
    kept = voice(db, at + DAY, who := person(db))
    said(db, passed(db, who), at, kept)
    return kept


def request(db: Connection, at: datetime, settled: datetime | None) -> int:
    row = {"person_id": person(db), "kind": "access", "at": at, "settled_at": settled}
    return put(db, schema.requests, **row)


def one_who(
    said_something: Callable[[Connection, int], Any],
) -> Callable[[Connection, datetime], int]:
    def made(db: Connection, at: datetime) -> int:
        who = person(db, at)
        said_something(db, who)
        return who

    return made


def wrote_a_language(db: Connection, who: int) -> None:
    said(db, passed(db, who), NOW)


def invitation(db: Connection) -> int:
    forum = {"name": f"f{next(NUMBERS)}", "kind": "thematic", "state": "planned", "starts_at": NOW}
    forum |= {"ends_at": NOW, "title": "{}", "description": "{}", "place": "{}", "created_at": NOW}
    mine = put(db, schema.forums, **forum, token=forum["name"], door=forum["name"])
    row = {"forum_id": mine, "purpose": "invitation", "state": "sending", "segment": "", "due": NOW}
    return put(db, schema.invitations, **row, latest=NOW, version=1, created_at=NOW)


Made = Callable[[Connection, datetime], int]
ENDS: tuple[tuple[str, Table, Made], ...] = (  # each is there once at its time, once a day before
    ("calls", schema.inbox, call),
    ("failed_calls", schema.inbox, lambda db, at: call(db, at, "failed")),
    *(
        ("messages", schema.outbox, lambda db, at, state=state: letter(db, at, state))
        for state in ("sent", "delivered", "read", "failed", "uncertain", "skipped", "missed")
    ),
    ("held", schema.outbox, lambda db, at: letter(db, at, "held")),
    ("chat_lines", schema.chat_lines,
     lambda db, at: put(db, schema.chat_lines, chat=b"", mine=True, content=b"", at=at)),
    ("voices", schema.media, lambda db, at: voice(db, at, person(db))),
    ("voices", schema.media, lambda db, at: voice(db, at, person(db), "lost")),
    ("voices", schema.media, heard_voice),
    ("strangers", schema.people, lambda db, at: person(db, at)),
    ("strangers", schema.people, one_who(wrote_a_language)),
    ("requests", schema.requests, lambda db, at: request(db, at, at)),
    ("sign_ins", schema.sign_ins, lambda db, at: put(db, schema.sign_ins, who=b"", at=at)),
    ("audit", schema.audit,
     lambda db, at: put(db, schema.audit, who="a@b.mx", action="a", about="", at=at)),
)  # fmt: skip


def recorded_consent(db: Connection, at: datetime) -> int:
    kept = voice(db, at, who := person(db))
    consent(db, who, at, kept)
    return kept


def answered_twice(db: Connection, who: int) -> None:
    said(db, here := passed(db, who), NOW)
    said(db, here, NOW)


STAY: tuple[tuple[str, Table, Made], ...] = (  # however old
    ("submissions read from a file", schema.inbox, lambda db, at: call(db, at, channel="import")),
    ("an invitation's ledger", schema.outbox,
     lambda db, at: letter(db, at, "sent", invitation_id=invitation(db))),
    ("an invitation that waits", schema.outbox,
     lambda db, at: letter(db, at, "held", invitation_id=invitation(db))),
    ("what has not gone out", schema.outbox, lambda db, at: letter(db, at, "queued")),
    ("the recording of a consent", schema.media, recorded_consent),
    ("who said stop", schema.people, lambda db, at: person(db, at, stopped_at=at)),
    ("who agreed", schema.people, one_who(lambda db, who: consent(db, who, NOW))),
    ("who answered", schema.people, one_who(answered_twice)),
    ("who completed", schema.people, one_who(lambda db, who: passed(db, who, "completed"))),
    ("who asked for something", schema.people,
     one_who(lambda db, who: put(db, schema.requests, person_id=who, kind="access", at=NOW))),
    ("a request that is open", schema.requests, lambda db, at: request(db, at, None)),
)  # fmt: skip


@pytest.fixture
def db_engine(database_url: str) -> Iterator[Any]:
    with disposing(database.connect(database_url, vault(KEY))) as engine:
        yield engine


def test_each_kind_goes_when_its_time_is_over_and_not_a_day_before(db_engine: Any) -> None:
    with writing(db_engine) as db:
        made = [
            (kind, table, make(db, NOW - KEPT[kind] - timedelta(minutes=1)),
             make(db, NOW - KEPT[kind] + DAY))
            for kind, table, make in ENDS
        ]  # fmt: skip
        stays = [(what, table, make(db, NOW - 10 * 365 * DAY)) for what, table, make in STAY]
    while wiring.let_go(db_engine, NOW):
        pass
    with reading(db_engine) as db:
        for kind, table, old, young in made:
            assert _there(db, table, old, young) == {young}, kind
        for what, table, number in stays:
            assert _there(db, table, number) == {number}, what
        files = set(db.scalars(select(schema.media.c.file)))
        doomed = set(db.scalars(select(schema.doomed_files.c.name)))
    assert doomed
    assert not doomed & files
    assert {kind for kind, _, _ in ENDS} == KEPT.keys() == retention.RULES.keys()


def _there(db: Connection, table: Table, *numbers: int) -> set[int]:
    """Those rows that are still there; of a recording, if it is not expired."""
    kept = table.c.state != "expired" if table is schema.media else table.c.id.is_not(None)
    return set(db.scalars(select(table.c.id).where(table.c.id.in_(numbers), kept)))


def test_the_page_on_privacy_says_how_long() -> None:
    lines = re.findall(r"^\| ([^|]+) \|[^|]+\| (\d+) (days|years) \|$", PRIVACY.read_text(), re.M)
    told = {what: int(n) * (365 if unit == "years" else 1) for what, n, unit in lines}
    assert told == {what: KEPT[kind].days for what, kind in TOLD.items()}
    assert set(TOLD.values()) == KEPT.keys()
