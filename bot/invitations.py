"""Calling people to forums: plan, queue what is due, tell of changes, move the waiting list up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Engine

from bot import forum_words, timing
from bot.forum_words import FORM
from dialogs.asking import Library
from dialogs.faults import Misstated, said
from dialogs.values import Message, Text
from storage import forms, forums, invitations, regions, segments
from storage.database import writing
from storage.forums import Forum, Plan
from storage.invitations import Invitation, Purpose, Reach
from storage.outbox import Letter
from storage.segments import Catalogue, Place, SegmentError

log = structlog.get_logger()

BATCH = {"postgresql": 20_000, "sqlite": 2_000}  # SQLite has one writer: others must get their turn
AT_ONCE = timedelta(minutes=10)  # whoever plans for so soon means now
WORDS_KEPT = timedelta(seconds=1)  # so that a change reaches what is being sent
NO_TEMPLATE = "WhatsApp's 24 hours are over and there is no template: it waits for the person"
WINDOW = "WhatsApp's 24 hours are over"

Template = tuple[str, Mapping[str, str]]  # Twilio's id, and what fills it


class PlanError(Misstated):
    """What is asked for cannot be planned."""


# planning


def catalogue(db: Connection, library: Library) -> Catalogue:
    """What the names in a segment stand for: the open questionnaire's choices, and the forums."""
    front = forms.front(db)
    questions = library.lookup(*front).questions if front else ()
    known = forums.all_(db)
    towns = [each for each in questions if each.role == "municipality"]
    return Catalogue(
        places={
            option.name: Place(option.label.get("es", ""), _point(option.columns))
            for each in towns
            for option in each.options
        },
        ages=[option.name for each in questions if each.role == "age" for option in each.options],
        topics=[each.name for each in questions if each.role == "topics"],
        forums={key: one.id for one in known for key in (one.plan.name, str(one.id))},
        regions=regions.all_(db),
    )


def _point(columns: Mapping[str, str]) -> tuple[float, float] | None:
    given = columns.get("lat"), columns.get("lon")
    return (float(given[0]), float(given[1])) if given[0] and given[1] else None


def reach(
    db: Connection,
    library: Library,
    segment: str,
    purpose: Purpose = "invitation",
    forum_id: int | None = None,
) -> Reach:
    """Whom it would reach now; of a forum, without those who have answered already.

    Raises SegmentError.
    """
    who = segments.condition(segment, catalogue(db, library))
    return invitations.reach(db, who, purpose, forum_id)


@dataclass(frozen=True, slots=True)
class Call:
    """What an organizer wants to have sent, and when."""

    at: datetime
    segment: str = ""
    until: datetime | None = None  # the last sensible moment
    spread: timedelta = timedelta(0)
    words: Text = field(default_factory=dict)  # instead of the forum's description
    template: str = ""


def plan(
    db: Connection, library: Library, forum: Forum, call: Call, now: datetime
) -> tuple[Invitation, Reach]:
    """Plan an invitation; nothing is sent yet. Raises PlanError and SegmentError.

    What would begin at night waits for the morning, unless it is meant for this very moment.
    """
    due, any_hour = _due(call.at, now)
    latest = call.until or forum.plan.starts_at - timing.LAST_CALL
    if forum.state == "cancelled":
        raise PlanError("plan_cancelled", name=forum.plan.name)
    if latest <= due + call.spread:
        end, last = timing.shown(due + call.spread), timing.shown(latest)
        raise PlanError("plan_late", end=end, latest=last)
    found = reach(db, library, call.segment, forum_id=forum.id)
    made = _add(db, forum, "invitation", call, due, latest, now, reach=found.total)
    if any_hour:
        invitations.change(db, made, any_hour=True)
    return invitations.get(db, made), found


def _due(at: datetime, now: datetime) -> tuple[datetime, bool]:
    """When it goes out, and whether that is while people sleep, because it is meant for now."""
    if at > now + AT_ONCE:
        return timing.awake(at), False
    due = max(at, now)
    return due, timing.quiet(due)


@dataclass(frozen=True, slots=True)
class Change:
    """What is different about an invitation; None stays as it is."""

    at: datetime | None = None
    segment: str | None = None
    until: datetime | None = None
    spread: timedelta | None = None
    words: Text = field(default_factory=dict)  # "" takes those of a language out
    template: str | None = None


def replan(
    db: Connection, library: Library, number: int, change: Change, now: datetime
) -> Invitation:
    """Change what has not begun; its words, template and last moment also while it runs.

    Raises PlanError and SegmentError; LookupError if there is no such invitation.
    """
    one = invitations.lock(db, number)
    if one.state in ("done", "cancelled"):
        state = said("plan_state_done" if one.state == "done" else "plan_state_cancelled")
        raise PlanError("plan_over", number=number, state=state)
    earlier = (change.at, change.spread, change.segment)
    if one.state != "planned" and any(each is not None for each in earlier):
        raise PlanError("plan_begun", number=number)
    values: dict[str, Any] = {}
    if change.at is not None:
        values["due"], values["any_hour"] = _due(change.at, now)
    if change.spread is not None:
        values["spread"] = int(change.spread.total_seconds())
    if change.until is not None:
        values["latest"] = change.until
    if change.template is not None:
        values["template"] = change.template or None
    if change.words:
        words = {**one.words, **change.words}
        values["words"] = {code: text for code, text in words.items() if text}
    if change.segment is not None:
        found = reach(db, library, change.segment, forum_id=one.forum_id)
        values |= {"segment": change.segment, "reach": found.total}
    end = values.get("due", one.due) + (one.spread if change.spread is None else change.spread)
    if values.get("latest", one.latest) <= max(end, now):
        raise PlanError("plan_ends_late")
    if values:
        invitations.change(db, number, **values)
    return invitations.get(db, number)


def _add(
    db: Connection,
    forum: Forum,
    purpose: Purpose,
    call: Call,
    due: datetime,
    latest: datetime,
    now: datetime,
    reach: int = 0,
) -> int:
    return invitations.add(
        db,
        forum.id,
        purpose,
        segment=call.segment,
        due=due,
        latest=latest,
        at=now,
        version=forms.newest(db, FORM) or 1,
        spread=call.spread,
        reach=reach,
        words=call.words,
        template=call.template,
    )


# forums


def open_forum(db: Connection, plan: Plan, token: tuple[str, str], now: datetime) -> Forum:
    """Keep a new forum, its reminders and its thanks."""
    forum = forums.add(db, plan, token, now)
    for before in timing.REMINDERS:
        _remind(db, forum, before, now)
    due = timing.awake(plan.ends_at + timing.THANKS)
    thanks = Call(due, f"came({forum.id})")
    _add(db, forum, "thanks", thanks, due, due + timedelta(days=3), now)
    return forum


def _remind(db: Connection, forum: Forum, before: timedelta, now: datetime) -> None:
    due = timing.reminder(forum.plan.starts_at, before)
    if due > now:
        latest = min(due + before / 2, forum.plan.starts_at)
        _add(db, forum, "reminder", Call(due, f"rsvp({forum.id})=yes"), due, latest, now)


WHO_ANSWERED = "rsvp({0})=yes or rsvp({0})=maybe or rsvp({0})=waiting"


def change_forum(db: Connection, forum: Forum, plan: Plan, now: datetime) -> Forum:
    """Keep what is different now, move what is planned along, and tell those who had answered."""
    changed = forums.change(db, forum, plan)
    words = forum_words.difference(forum.plan, changed.plan)
    if words:
        for one in invitations.of_forum(db, forum.id):
            if one.purpose in ("reminder", "thanks", "change") and one.state == "planned":
                invitations.cancel(db, one.id)
            elif one.purpose == "invitation" and one.state != "done":
                moved = one.latest + (plan.starts_at - forum.plan.starts_at)
                invitations.change(db, one.id, latest=moved)
        for before in timing.REMINDERS:
            _remind(db, changed, before, now)
        due = timing.awake(plan.ends_at + timing.THANKS)
        thanks = Call(due, f"came({forum.id})")
        _add(db, changed, "thanks", thanks, due, due + timedelta(days=3), now)
        told = Call(now, WHO_ANSWERED.format(forum.id), words=words)
        _add(db, changed, "change", told, now, plan.starts_at, now)
    return changed


def cancel_forum(db: Connection, forum: Forum, now: datetime) -> None:
    """Call it off: nobody is invited any more, and those who had answered are told."""
    forums.cancel(db, forum)
    for one in invitations.of_forum(db, forum.id):
        if one.state not in ("done", "cancelled"):
            invitations.cancel(db, one.id)
    told = Call(now, WHO_ANSWERED.format(forum.id))
    _add(db, forum, "cancellation", told, now, forum.plan.starts_at, now)


def arrive(db: Connection, forum_id: int, person_id: int, now: datetime) -> bool:
    """Somebody was there, noted at the door or from a list afterwards; False if that was known."""
    new = forums.attend(db, forum_id, person_id, now)
    if new:
        invitations.again(db, forum_id, now)
    return new


def conclude(db: Connection, forum: Forum, words: Text, now: datetime) -> int:
    """Send a forum's conclusions back to those who were there."""
    due = timing.awake(now)
    call = Call(due, f"came({forum.id})", words=words)
    return _add(db, forum, "conclusions", call, due, due + timedelta(days=7), now)


# words


@dataclass(slots=True)
class Words:
    """What invitations say, by invitation and language, kept for a moment."""

    usual: str = ""  # the template of whatever has none of its own
    kept: dict[tuple[int, str | None], tuple[datetime, Message]] = field(default_factory=dict)

    def of(self, db: Connection, library: Library, letter: Letter, now: datetime) -> Message:
        assert letter.invitation_id is not None
        key = (letter.invitation_id, letter.language)
        found = self.kept.get(key)
        if found is None or not now - WORDS_KEPT < found[0] <= now:
            found = self.kept[key] = (now, message(db, library, *key))
        return found[1]

    def template(self, db: Connection, letter: Letter) -> Template | None:
        """The template that asks whether the invitation is wanted, if it has one."""
        if letter.invitation_id is None:
            return None
        invitation = invitations.get(db, letter.invitation_id)
        template = invitation.template or self.usual
        if not template:
            return None
        plan = forums.get(db, invitation.forum_id).plan
        return template, {
            "1": forum_words.title(plan, "es"),
            "2": forum_words.when(plan, "es"),
        }


def message(db: Connection, library: Library, invitation_id: int, language: str | None) -> Message:
    """What an invitation says in a language, as it is sent."""
    invitation = invitations.get(db, invitation_id)
    forum = forums.get(db, invitation.forum_id)
    return forum_words.message(library, invitation, forum, language)


# as time goes by


def tick(engine: Engine, library: Library, channels: Sequence[str], now: datetime) -> bool:
    """Queue one batch of what is due; True if there may be more."""
    with writing(engine) as db:
        invitations.miss(db, now)
        for forum_id in forums.waited_for(db, now):
            _move_up(db, forums.lock(db, forum_id), now)
    with writing(engine) as db:
        return _queue(db, library, channels, now)


def _queue(db: Connection, library: Library, channels: Sequence[str], now: datetime) -> bool:
    invitation = invitations.next_to_queue(db, now)
    if invitation is None:
        return False
    try:
        who = segments.condition(invitation.segment, catalogue(db, library))
    except SegmentError as error:
        log.error("an invitation cannot be sent", id=invitation.id, reason=str(error))
        invitations.alert(db, invitation.id, str(error))
        invitations.change(db, invitation.id, state="cancelled")
        return True
    urgent = _urgent(invitation, forums.get(db, invitation.forum_id), now)
    batch = BATCH[db.dialect.name]
    invitations.queue(db, invitation, who, channels=channels, urgent=urgent, batch=batch)
    return True


def _urgent(invitation: Invitation, forum: Forum, now: datetime) -> bool:
    """Whether people have to know before they wake: the forum is first thing in the morning."""
    tells = invitation.purpose in ("change", "cancellation", "seat")
    return tells and timing.awake(now) >= forum.plan.starts_at - timing.LAST_CALL


def _move_up(db: Connection, forum: Forum, now: datetime) -> None:
    """Give free seats away, and tell those who have one now."""
    moved = forums.move_up(db, forum)
    if not moved:
        return
    latest = forum.plan.starts_at
    made = _add(db, forum, "seat", Call(now), now, latest, now, reach=len(moved))
    urgent = _urgent(invitations.get(db, made), forum, now)
    invitations.give(db, made, moved, due=now, urgent=urgent)
