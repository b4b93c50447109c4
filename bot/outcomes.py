"""What becomes of a letter that did not go out, or that failed later: one table for both."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from bot import timing
from bot.channel import (
    Broken,
    Gone,
    Halt,
    Misworded,
    Moved,
    Refused,
    SendError,
    TryLater,
    Uncertain,
    WindowClosed,
)
from bot.twilio_http import failure
from dialogs.values import Receipt
from storage import invitations, outbox, people, receipts, senders
from storage.outbox import Letter

log = structlog.get_logger()

SENDER_BROKEN = timedelta(minutes=5)  # before a refused token is tried again
LOOK_AFTER = timedelta(seconds=20)  # before the provider is asked what became of a message


def unsent(db: Connection, letter: Letter, error: SendError, now: datetime) -> None:
    """Write what follows from an error in sending a letter."""
    match error:
        case TryLater(perhaps=True) if letter.invitation_id:
            _unclear(db, letter, error, now)
        case TryLater():
            _try_later(db, letter, error, now)
        case Uncertain():
            _unclear(db, letter, error, now)
        case Moved(address=address):
            people.move(db, letter.person_id, address)
            outbox.later(db, letter, now, "the chat moved")
        case WindowClosed():  # by the provider's clock: the template asks, if there is one
            people.unheard(db, letter.person_id, letter.attempted_at, now - timing.FREE_WINDOW)
            outbox.later(db, letter, now, error.reason, error.code)
        case Gone():
            _gone(db, letter, error, now)
        case Broken():
            log.error("the sender is refused: check its credentials", channel=letter.channel)
            outbox.later(db, letter, now + SENDER_BROKEN, error.reason, error.code)
            senders.pause(db, letter.channel, now + SENDER_BROKEN, error.reason)
        case Halt():
            outbox.failed(db, letter, error.reason, error.code)
            _alert(db, letter, error)
            if letter.invitation_id:
                invitations.pause(db, letter.invitation_id, now)
        case Misworded():
            outbox.failed(db, letter, error.reason, error.code)
            _alert(db, letter, error)
        case Refused() | SendError():
            outbox.failed(db, letter, error.reason, error.code)


def told(db: Connection, receipt: Receipt) -> bool:
    """What the provider says later of a message; False if no message has that id yet."""
    letter = receipts.told_of(db, receipt.channel, receipt.provider_id)
    if letter is None:
        receipts.keep_early(db, receipt)
        return False
    if receipt.state != "failed":
        receipts.receipt(db, receipt)
    elif letter.state in ("sent", "held"):  # else it speaks of an attempt before this one
        reason = receipt.reason or "the provider gave up"
        unsent(db, letter, failure(receipt.code, reason), receipt.at)
    return True


def _try_later(db: Connection, letter: Letter, error: TryLater, now: datetime) -> None:
    if letter.attempts >= timing.MOST_ATTEMPTS:
        outbox.failed(db, letter, f"given up: {error.reason}", error.code)
        return
    wait = error.wait or timing.back_off(letter.attempts)
    due = now + (wait * 2 ** (letter.attempts - 1) if error.grows else wait)
    outbox.later(db, letter, due, error.reason, error.code)
    if error.everybody:
        senders.pause(db, letter.channel, due, error.reason)


def _unclear(db: Connection, letter: Letter, error: SendError, now: datetime) -> None:
    """A question is sent again, rather twice than never; an invitation is not. WhatsApp can be
    asked first."""
    if letter.channel == "whatsapp":
        outbox.uncertain(db, letter, error.reason, now + LOOK_AFTER)
    elif letter.invitation_id or letter.attempts >= timing.MOST_ATTEMPTS:
        outbox.uncertain(db, letter, error.reason)
    else:
        outbox.later(db, letter, now + timing.back_off(letter.attempts), error.reason)


def _gone(db: Connection, letter: Letter, error: Gone, now: datetime) -> None:
    outbox.failed(db, letter, error.reason, error.code)
    people.block(db, letter.person_id, now)
    lanes = (outbox.REPLY, outbox.BROADCAST)
    outbox.drop(db, letter.person_id, "the person cannot be reached", lanes=lanes)


def _alert(db: Connection, letter: Letter, error: SendError) -> None:
    """Tell the author: the log, and the invitation's own page."""
    log.error("the provider does not accept what is said", code=error.code, reason=error.reason)
    if letter.invitation_id:
        invitations.alert(db, letter.invitation_id, f"{error.reason} ({error.code})")
