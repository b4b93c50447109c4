"""Forums, who comes to them, and the waiting list that moves up by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, and_, func, insert, or_, select, update

from dialogs.values import Text
from storage import schema
from storage.people import insert_or_nothing

Answer = Literal["yes", "no", "maybe", "waiting"]
forums, rsvps = schema.forums, schema.rsvps


@dataclass(frozen=True, slots=True)
class Place:
    """Where a forum is held: a place, or the link of a call."""

    name: str = ""
    address: str = ""
    municipality: str = ""
    town: str = ""  # the name of the municipality
    lat: float | None = None
    lon: float | None = None
    link: str = ""

    @property
    def point(self) -> tuple[float, float] | None:
        return None if self.lat is None or self.lon is None else (self.lat, self.lon)


@dataclass(frozen=True, slots=True)
class Plan:
    """What an organizer says of a forum."""

    name: str
    kind: str
    starts_at: datetime
    ends_at: datetime
    capacity: int | None
    title: Text
    description: Text
    place: Place


@dataclass(frozen=True, slots=True)
class Forum:
    """A forum as it is kept."""

    id: int
    plan: Plan
    state: str  # planned, cancelled
    token: str  # of its calendar file
    door: str  # the code shown at the door
    changes: int


# forums


def add(db: Connection, plan: Plan, codes: tuple[str, str], at: datetime) -> Forum:
    """Keep a new forum with its token and the code at its door.

    Raises LookupError if there is one with its name.
    """
    if db.scalar(select(forums.c.id).where(forums.c.name == plan.name)):
        raise LookupError(
            f"There is a forum '{plan.name}' already. Change it: consulta forum change {plan.name} "
            "FILE; or give the new file another name."
        )
    made = {"token": codes[0], "door": codes[1], "created_at": at}
    row = {**_values(plan), **made, "state": "planned"}
    return get(db, db.execute(insert(forums).values(row).returning(forums.c.id)).scalar_one())


def change(db: Connection, forum: Forum, plan: Plan) -> Forum:
    """Keep what is different about a forum now."""
    values = {**_values(plan), "name": forum.plan.name, "changes": forums.c.changes + 1}
    db.execute(update(forums).where(forums.c.id == forum.id).values(values))
    return get(db, forum.id)


def cancel(db: Connection, forum: Forum) -> None:
    values = {"state": "cancelled", "changes": forums.c.changes + 1}
    db.execute(update(forums).where(forums.c.id == forum.id).values(values))


def _values(plan: Plan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "kind": plan.kind,
        "starts_at": plan.starts_at,
        "ends_at": plan.ends_at,
        "capacity": plan.capacity,
        "title": _json(plan.title),
        "description": _json(plan.description),
        "place": _json({key: value for key, value in asdict(plan.place).items() if value}),
    }


def _json(found: Mapping[str, Any]) -> str:
    return json.dumps(dict(found), ensure_ascii=False)


def get(db: Connection, forum_id: int) -> Forum:
    """Raises LookupError if there is none such."""
    found = db.execute(select(forums).where(forums.c.id == forum_id)).one_or_none()
    return _forum(_there(found, str(forum_id)))


def named(db: Connection, name: str) -> Forum:
    """A forum by its number or its name. Raises LookupError if there is none such."""
    if name.isdecimal():
        return get(db, int(name))
    found = db.execute(select(forums).where(forums.c.name == name)).one_or_none()
    return _forum(_there(found, name))


def by_token(db: Connection, token: str) -> Forum | None:
    found = db.execute(select(forums).where(forums.c.token == token)).one_or_none()
    return _forum(found) if found else None


def by_door(db: Connection, door: str) -> Forum | None:
    found = db.execute(select(forums).where(forums.c.door == door.upper())).one_or_none()
    return _forum(found) if found else None


def all_(db: Connection) -> list[Forum]:
    """Every forum, in the order in which they take place."""
    return [_forum(row) for row in db.execute(select(forums).order_by(forums.c.starts_at))]


def _there(found: Row[Any] | None, name: str) -> Row[Any]:
    if found is None:
        raise LookupError(f"There is no forum {name}. `consulta forum list` shows them.")
    return found


def _forum(row: Row[Any]) -> Forum:
    plan = Plan(
        name=row.name,
        kind=row.kind,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        capacity=row.capacity,
        title=json.loads(row.title),
        description=json.loads(row.description),
        place=Place(**json.loads(row.place)),
    )
    return Forum(row.id, plan, row.state, row.token, row.door, row.changes)


# who comes


@dataclass(frozen=True, slots=True)
class Reply:
    """What a person has answered about a forum."""

    answer: Answer | None
    companions: int


def reply(db: Connection, forum_id: int, person_id: int) -> Reply | None:
    found = db.execute(_mine(forum_id, person_id)).one_or_none()
    return Reply(found.answer, found.companions) if found else None


def _mine(forum_id: int, person_id: int) -> Select[Any]:
    return select(rsvps).where(rsvps.c.forum_id == forum_id, rsvps.c.person_id == person_id)


def lock(db: Connection, forum_id: int) -> Forum:
    """Until the transaction ends, nobody else takes a seat: two would take the last one."""
    statement = select(forums).where(forums.c.id == forum_id)
    return _forum(db.execute(statement.with_for_update(key_share=True)).one())


def free(db: Connection, forum: Forum, *, but: int = 0) -> int | None:
    """How many seats are left, the one person's own not counted; None: as many as come."""
    if forum.plan.capacity is None:
        return None
    mine = and_(rsvps.c.forum_id == forum.id, rsvps.c.person_id != but)
    seats = select(func.sum(rsvps.c.companions + 1)).where(mine, rsvps.c.answer == "yes")
    return max(forum.plan.capacity - (db.scalar(seats) or 0), 0)


def answer(db: Connection, forum: Forum, person_id: int, said: Answer, at: datetime) -> Answer:
    """Take an answer; a yes without a seat waits, and whoever has a seat keeps it."""
    before = reply(db, forum.id, person_id)
    if before and before.answer == said:
        return said
    if said == "yes" and before and before.answer == "waiting":
        return "waiting"
    if said == "yes" and free(db, forum, but=person_id) == 0:
        said = "waiting"
    key = {"forum_id": forum.id, "person_id": person_id}
    db.execute(insert_or_nothing(db, rsvps, [*key]).values(**key, companions=0, at=at))
    values = {"answer": said, "companions": 0, "at": at}
    db.execute(update(rsvps).where(_one(forum.id, person_id)).values(values))
    return said


def bring(db: Connection, forum: Forum, person_id: int, wanted: int) -> int:
    """Take how many come along: as many as there are seats for. How many that are."""
    mine = reply(db, forum.id, person_id)
    left = free(db, forum, but=person_id)
    if mine and mine.answer == "yes" and left is not None:
        wanted = min(wanted, max(left - 1, 0))
    db.execute(update(rsvps).where(_one(forum.id, person_id)).values(companions=wanted))
    return wanted


def _one(forum_id: int, person_id: int) -> Any:
    return and_(rsvps.c.forum_id == forum_id, rsvps.c.person_id == person_id)


def place_in_line(db: Connection, forum_id: int, person_id: int) -> int:
    """Which number somebody has on the waiting list."""
    mine = db.execute(_mine(forum_id, person_id)).one()
    waiting = and_(rsvps.c.forum_id == forum_id, rsvps.c.answer == "waiting")
    same = and_(rsvps.c.at == mine.at, rsvps.c.person_id < person_id)
    before = select(func.count()).where(waiting, or_(rsvps.c.at < mine.at, same))
    return (db.scalar(before) or 0) + 1


def waited_for(db: Connection, now: datetime) -> list[int]:
    """Forums to come for which somebody waits."""
    statement = (
        select(forums.c.id)
        .join(rsvps, rsvps.c.forum_id == forums.c.id)
        .where(rsvps.c.answer == "waiting", forums.c.starts_at > now, forums.c.state == "planned")
        .distinct()
    )
    return list(db.scalars(statement))


def move_up(db: Connection, forum: Forum) -> list[int]:
    """Give free seats to those who waited longest and fit; who they are."""
    line = select(rsvps.c.person_id, rsvps.c.companions).where(
        rsvps.c.forum_id == forum.id, rsvps.c.answer == "waiting"
    )
    left, moved = free(db, forum), []
    for waiting in db.execute(line.order_by(rsvps.c.at, rsvps.c.person_id)).all():
        if left is not None and waiting.companions + 1 > left:
            continue
        values = {"answer": "yes"}
        db.execute(update(rsvps).where(_one(forum.id, waiting.person_id)).values(values))
        left = None if left is None else left - waiting.companions - 1
        moved.append(waiting.person_id)
    return moved


def attend(db: Connection, forum_id: int, person_id: int, at: datetime) -> bool:
    """Somebody is here; False if that was known."""
    key = {"forum_id": forum_id, "person_id": person_id}
    db.execute(insert_or_nothing(db, rsvps, [*key]).values(**key, companions=0, at=at))
    here = update(rsvps).where(_one(forum_id, person_id), rsvps.c.attended_at.is_(None))
    return bool(db.execute(here.values(attended_at=at)).rowcount)


def attendance(db: Connection, forum_id: int) -> dict[str, int]:
    """How many said what, with companions of those who come, and how many were there."""
    counted = select(rsvps.c.answer, func.count(), func.sum(rsvps.c.companions))
    rows = db.execute(counted.where(rsvps.c.forum_id == forum_id).group_by(rsvps.c.answer)).all()
    said = {row[0]: row[1] for row in rows}
    here = and_(rsvps.c.forum_id == forum_id, rsvps.c.attended_at.is_not(None))
    return {
        **{key: said.get(key, 0) for key in ("yes", "no", "maybe", "waiting")},
        "companions": sum(int(row[2]) for row in rows if row[0] == "yes"),
        "attended": db.scalar(select(func.count()).select_from(rsvps).where(here)) or 0,
    }
