"""One message in: one transaction, no network; and what becomes of it if we fail."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from random import Random
from typing import Literal, assert_never

import structlog
from sqlalchemy import Connection, Engine, delete
from sqlalchemy.exc import OperationalError

from bot import (
    captures,
    institutions,
    invitations,
    logs,
    outcomes,
    rights,
    rsvp,
    timing,
    tracing,
    ways,
)
from bot.tracing import Spans
from dialogs import engine as dialog_engine
from dialogs import stopping
from dialogs.asking import Library
from dialogs.phrases import say
from dialogs.state import (
    Allow,
    Begin,
    Dialog,
    Effect,
    End,
    Erase,
    Keep,
    Request,
    Return,
    Revoke,
    Say,
    SetAside,
    Speak,
    Stop,
    TakeBack,
    Talk,
    Tell,
)
from dialogs.values import Inbound, Media, Message, Receipt
from storage import answers, forms, outbox, pacing, people, receipts, schema
from storage.database import vault_of, writing
from storage.people import Person
from storage.together import Together

log = structlog.get_logger()

Outcome = Literal["kept", "repeated", "failed"]

PLACE = "#"  # begins the payload of a button that only knows its place


@dataclass(frozen=True, slots=True)
class Desk:
    """Where messages are taken in: what it needs besides the message."""

    engine: Engine
    library: Library
    rng: Random
    together: Together
    spans: Spans = tracing.OFF


def receive(
    desk: Desk, inbound: Inbound, also: Callable[[Connection], None] = lambda _db: None
) -> Outcome:
    """Take a message in: keep the answer and queue the reply, or keep the message if we fail.

    `also` is written with it, once. Raises OperationalError when the database is away: the
    provider has to repeat the call.
    """

    def take(db: Connection) -> Outcome:
        outcome = _take(db, desk, inbound)
        if outcome != "repeated":
            also(db)
        return outcome

    try:
        with desk.spans.heard(inbound):
            return desk.together.write(take, inbound.identity)
    except OperationalError:
        raise
    except Exception as error:
        log.exception("message not processed", channel=inbound.channel, id=inbound.id)
        with writing(desk.engine) as db:
            also(db)
            return _keep_for_later(db, desk, inbound, error)


def _take(db: Connection, desk: Desk, inbound: Inbound) -> Outcome:
    if inbound.kind == "group":
        return "kept" if _record(db, inbound, None, "done") else "repeated"
    person = people.hear(db, inbound, desk.rng)
    if not _record(db, inbound, person.id, "done"):
        return "repeated"
    if inbound.kind in ("blocked", "unblocked"):
        _shut_out(db, person, inbound)
        return "kept"
    if inbound.moved_to:
        people.move(db, person.id, inbound.moved_to)
        return "kept"
    person, told = _paced(db, person, inbound)
    if told is not None:
        _tell(db, person, told, inbound)
        return "kept"
    inbound = _placed(db, desk.library, inbound)
    told = None if stopping.asked(inbound.text) else rsvp.settled(db, person, inbound)
    if not timing.may_write_freely(person.heard_at, inbound.at):
        outbox.release(db, person.id, inbound.at)
    if told is not None:
        _tell(db, person._replace(pace=pacing.led_on(person.pace)), told, inbound)
    else:
        step(db, desk, person, inbound)
    return "kept"


def _paced(db: Connection, person: Person, inbound: Inbound) -> tuple[Person, Message | None]:
    """The person, and what is said instead of an answer if it is no human who writes so quickly.

    It is said once; an empty message says nothing. A stop is heard whatever the pace.
    """
    words = inbound.payload or inbound.text or str(inbound.media or inbound.point or inbound.id)
    pace, verdict = pacing.heard(person.pace, vault_of(db).mark(words), inbound.at)
    person = person._replace(pace=pace)
    heard = verdict == "go on" or (stopping.asked(inbound.text) and not person.talk.stopped)
    if heard:
        return person, None
    return person, Message(say("too_fast", person.language) if verdict == "tell" else "")


def _tell(db: Connection, person: Person, told: Message, inbound: Inbound) -> None:
    """Answer without moving the dialog on; an empty message only settles a button press."""
    people.remember(db, person, person.talk, inbound.at)
    if told.text or inbound.callback:
        told = replace(told, callback=inbound.callback)
        outbox.answer(db, person, told, inbound.at)


def _placed(db: Connection, library: Library, inbound: Inbound) -> Inbound:
    """A button that says only its place ("#2") stands for that choice of the message it was on.

    WhatsApp's buttons are laid down once and shared by everybody, so they cannot name a dialog.
    Without that message, the label is taken as if it had been typed.
    """
    if not inbound.payload.startswith(PLACE):
        return inbound
    shown = _shown(db, library, inbound)
    place = inbound.payload.removeprefix(PLACE)
    if shown and place.isdecimal() and int(place) < len(shown.choices):
        return replace(inbound, payload=shown.choices[int(place)].payload)
    return replace(inbound, kind="text", payload="")


def _shown(db: Connection, library: Library, inbound: Inbound) -> Message | None:
    """The message whose button was pressed."""
    letter = receipts.told_of(db, inbound.channel, inbound.pressed)
    if letter is None or letter.message or letter.invitation_id is None:
        return letter.message if letter else None
    return invitations.message(db, library, letter.invitation_id, letter.language)


def step(db: Connection, desk: Desk, person: Person, inbound: Inbound) -> None:
    """Move the dialog on and apply what follows."""
    spared = stopping.asked(inbound.text)  # outranks every dialog, and every invitation
    here = rsvp.Here(person.talk, inbound, desk.library)
    here = here if spared else rsvp.about(db, desk.library, person, inbound)
    if closed := rsvp.closed_to(person, here):
        _tell(db, person, closed, inbound)
        return
    fresh = _fresh(db, desk, person)
    given = (db, desk.library, person, inbound, desk.rng)
    capture = captures.opened(*given) or ways.opened(*given)
    talk, effects = capture or dialog_engine.hear(here.talk, here.inbound, here.library, fresh)
    if told := institutions.answered(db, here.library, person.talk, talk, inbound.at):
        _tell(db, person, told, inbound)
        return
    if effects and isinstance(effects[-1], Erase):
        rights.forget(db, person, effects[-1], inbound, desk.rng)
        return
    for effect in _settling(rsvp.taken(db, person, here, effects), inbound):
        if isinstance(effect, Tell):
            spoken = person._replace(talk=talk)
            message = rights.told(db, spoken, effect, here.library, inbound.at)
            talk, effect = rights.offered(talk, message), Say(message)
        if session := captures.session(effect):
            _capture(db, captures.owner(db, session, inbound.at, desk.rng), effect, inbound)
        else:
            _apply(db, person, effect, inbound)
    if _led_on(person.talk, talk, effects):
        person = person._replace(pace=pacing.led_on(person.pace))
    people.remember(db, person, talk, inbound.at)


def _led_on(before: Talk, after: Talk, effects: Sequence[Effect]) -> bool:
    """Whether a message led anywhere, rather than to the same question again."""
    return any(not isinstance(effect, Say) for effect in effects) or _place(before) != _place(after)


def _place(talk: Talk) -> tuple[object, ...]:
    top = talk.top and talk.top._replace(misses=0)
    return top, talk.language, talk.paused, talk.stopped


def _capture(db: Connection, owner: Person, effect: Effect, inbound: Inbound) -> None:
    """What a facilitator captures for others is kept as theirs."""
    if isinstance(effect, Begin):
        answers.begin(db, owner, effect.dialog, inbound.at, mode=captures.CHANNEL)
    elif isinstance(effect, Keep):
        channel = inbound.channel if effect.media else captures.CHANNEL
        answers.keep(db, owner, effect, inbound.at, channel)
    else:
        _apply(db, owner, effect, inbound)


def _fresh(db: Connection, desk: Desk, person: Person) -> Dialog:
    """The dialog for whoever begins; in the midst of one it will not be looked at."""
    if person.talk.dialogs:
        return Dialog("", "", 0)
    return people.fresh(*forms.opening(db), desk.rng)


def _settling(effects: Sequence[Effect], inbound: Inbound) -> list[Effect]:
    """The effects, the first message also settling the button press that led to it."""
    if not inbound.callback:
        return list(effects)
    settled: list[Effect] = []
    callback = inbound.callback
    for effect in effects:
        if isinstance(effect, Say) and callback:
            effect, callback = Say(replace(effect.message, callback=callback)), ""
        settled.append(effect)
    return [*settled, Say(Message("", callback=callback))] if callback else settled


def _apply(db: Connection, person: Person, effect: Effect, inbound: Inbound) -> None:
    at = inbound.at
    match effect:
        case Say(message):
            outbox.answer(db, person, message, at)
        case Begin(dialog):
            way = ways.code(inbound)
            answers.begin(db, person, dialog, at, mode=inbound.channel, came_by=way)
        case Keep():
            answers.keep(db, person, effect, at, inbound.channel)
            if trait := answers.TRAITS.get(effect.role):
                people.learn(db, person.id, trait, effect.value)
        case SetAside(dialog, questions):
            answers.set_aside(db, dialog, questions, at)
        case TakeBack(dialog, questions):
            answers.set_aside(db, dialog, questions, None)
        case End():
            answers.end(db, effect, at)
        case Speak():
            pass  # the language is part of the talk
        case Stop():
            people.stop(db, person.id, at)
            outbox.drop(db, person.id, "the person asked us to stop")
        case Return():
            people.stop(db, person.id, None)
        case Request(kind):
            people.ask_for(db, person.id, kind, at)
        case Revoke(kind):
            rights.revoke(db, person, kind, inbound)
        case Allow(kind):
            rights.allow(db, person, kind, inbound)
        case Tell() | Erase():
            raise AssertionError("seen to before: they need more than this")
        case _:
            assert_never(effect)


def _shut_out(db: Connection, person: Person, inbound: Inbound) -> None:
    blocked = inbound.kind == "blocked"
    people.block(db, person.id, inbound.at if blocked else None)
    if blocked:
        lanes = (outbox.REPLY, outbox.BROADCAST)
        outbox.drop(db, person.id, "the person blocked us", lanes=lanes)


def _record(
    db: Connection,
    inbound: Inbound,
    person_id: int | None,
    state: str,
    error: str | None = None,
) -> bool:
    """Note the provider's call; False if it was noted before."""
    raw = None
    if state == "failed":
        content = json.dumps(asdict(inbound), default=str)
        raw = vault_of(db).hide("inbox.raw", content)
    noted = {
        "channel": inbound.channel,
        "provider_id": inbound.id,
        "person_id": person_id,
        "at": inbound.at,
        "state": state,
        "raw": raw,
        "error": error,
    }
    return people.insert_new(db, schema.inbox, ("channel", "provider_id"), noted)


def _keep_for_later(db: Connection, desk: Desk, inbound: Inbound, error: Exception) -> Outcome:
    """Our fault: keep the message as it came, and say sorry."""
    person = people.hear(db, inbound, desk.rng)
    if _record(db, inbound, person.id, "failed", logs.where(error)[:2000]):
        sorry = Message(say("sorry", person.language), callback=inbound.callback)
        outbox.answer(db, person, sorry, inbound.at)
    return "failed"


def rerun(desk: Desk, inbox_id: int, now: datetime) -> Outcome:
    """Run a message again that failed by our fault. Raises LookupError if there is none such."""
    inbox = schema.inbox
    with writing(desk.engine) as db:
        row = db.execute(
            delete(inbox)
            .where(inbox.c.id == inbox_id, inbox.c.state == "failed")
            .returning(inbox.c.raw)
        ).one_or_none()
        if row is None:
            raise LookupError(f"The inbox has no failed message {inbox_id}.")
        found = json.loads(vault_of(db).show("inbox.raw", row.raw))
        media = Media(**found["media"]) if found["media"] else None
        point = tuple(found["point"]) if found["point"] else None
        again = Inbound(**{**found, "at": now, "media": media, "point": point, "callback": ""})
        return _take(db, desk, again)


def told(desk: Desk, receipt: Receipt) -> bool:
    """What the provider says later of a message; False if we know of no such message."""
    return desk.together.write(lambda db: outcomes.told(db, receipt), receipt.provider_id)
