"""What the dialog cannot say by itself: what is known of a person; and forgetting them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import Connection

from bot import whatsapp
from dialogs import moving
from dialogs.phrases import say
from dialogs.rights import KINDS
from dialogs.state import Erase, Talk, Tell
from dialogs.values import FORUM_KINDS, Choice, Inbound, Message, in_language
from dialogs.walking import Library
from storage import answers, erasing, exports, notices, outbox, people, rights, wishes
from storage.database import vault_of
from storage.people import Person
from storage.vault import Vault

LINK_LASTS = timedelta(days=7)
PLACE = "links.own"


def by_address(db: Connection, address: str) -> Person | None:
    """The person with this address (telegram:CHAT_ID, whatsapp:+NUMBER) or folio, if any."""
    channel, _, rest = address.strip().partition(":")
    if channel == "whatsapp":
        return people.find(db, channel, whatsapp.identity(address.strip()))
    if rest:
        return people.find(db, channel, rest)
    return people.by_folio(db, channel.upper())


def told(db: Connection, person: Person, asked: Tell, library: Library, at: datetime) -> Message:
    """The summary of what is known, the consents that stand, or the kinds of forums."""
    language = person.talk.language
    given = [kind for kind in KINDS if kind in rights.standing(db, person.id)]
    permits = ", ".join(say(f"permit_{kind}", language) for kind in given)
    if asked.what == "forum_kinds":
        return _forum_kinds(db, person, asked, invited="forums" in given)
    if asked.what == "permits":
        keys = [f"revoke_{kind}" for kind in given]
        keys += ["forum_kinds"] if "forums" in given else []
        choices = (*moving.commands(person.talk, tuple(keys)), *asked.choices)
        words = say("permits", language, {"permits": permits})
        words = words if given else say("permits_none", language)
        return Message(words, choices, language=language or "es")
    words = _summary(db, person, permits, library, at)
    return Message(words, asked.choices, language=language or "es")


def _forum_kinds(db: Connection, person: Person, asked: Tell, *, invited: bool) -> Message:
    """The kinds of forums to choose from; whoever is invited to none is asked about that first."""
    language = person.talk.language
    if not invited:
        choices = (*moving.commands(person.talk, ("forums",)), *asked.choices)
        return Message(say("forum_kinds_none", language), choices, language=language or "es")
    spared, words = wishes.of(db, person.id), say("forum_kinds", language)
    kinds = tuple(
        Choice(f"!{'' if kind in spared else 'no_'}forums_{kind}", say(f"kind_{kind}", language))
        for kind in FORUM_KINDS
    )
    if spared:
        named = {"kinds": _named(spared, language)}
        words = f"{say('forum_kinds_spared', language, named)}\n{words}"
    return Message(words, (*kinds, *asked.choices), language=language or "es")


def _named(kinds: Sequence[str], language: str | None) -> str:
    return ", ".join(say(f"kind_{kind}", language).lower() for kind in kinds)


def offered(talk: Talk, message: Message) -> Talk:
    """The talk, with what was offered: numbers and labels stand for it."""
    return talk._replace(offered=message.choices)


def _summary(db: Connection, person: Person, permits: str, library: Library, at: datetime) -> str:
    language, unknown = person.talk.language, say("unknown", person.talk.language)
    number, folios = rights.counted(db, person.id)
    said = {
        "language": say(f"language_{language}", language) if language else unknown,
        "municipality": _municipality(db, person, library) or unknown,
        "answers": number,
        "folio": ", ".join(folios[:3]) or unknown,
        "permits": permits or say("no", language).lower(),
    }
    words = say("summary", language, said)
    if spared := wishes.of(db, person.id):
        words += f"\n{say('summary_spared', language, {'kinds': _named(spared, language)})}"
    link = own_link(library, vault_of(db), person.pseudonym, at)
    if not link:
        return words
    return f"{words}\n{say('summary_file', language, {'days': LINK_LASTS.days, 'link': link})}"


def _municipality(db: Connection, person: Person, library: Library) -> str:
    code = people.municipality(db, person.id)
    for dialog in (*person.talk.dialogs, *person.talk.closed):
        for question in library.script(dialog).questions:
            if question.role == "municipality":
                labels = {option.name: option.label for option in question.options}
                return in_language(labels[code], person.talk.language) if code in labels else code
    return code


def known(db: Connection, person: Person) -> dict[str, Any]:
    """All that there is of a person, readable."""
    rows = answers.of_person(db, person.id)
    return {
        "channel": person.channel,
        "address": person.address,
        "language": person.language,
        "last_heard": person.heard_at.isoformat(),
        **exports.facts_of(db, person.id),
        "answers": [{**row, "at": row["at"].isoformat()} for row in rows],
    }


# the link to one's own data: sealed, so that nobody can make one or read who it belongs to


def own_link(library: Library, vault: Vault, pseudonym: str, at: datetime) -> str:
    """Where a person finds all that is known of them, for a week; empty without an address."""
    base = library.facts.get("address", "")
    until = (at + LINK_LASTS).astimezone(UTC).date()
    token = vault.seal(PLACE, f"{pseudonym} {until.isoformat()}")
    return (
        f"{base}/mis-datos/{base64.urlsafe_b64encode(token).decode().rstrip('=')}" if base else ""
    )


def whose(vault: Vault, token: str, at: datetime) -> str | None:
    """The pseudonym that a link was made for; None if it is forged or over."""
    try:
        sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        pseudonym, _, until = vault.open(PLACE, sealed).partition(" ")
        last = datetime.fromisoformat(until).date()
    except Exception:  # noqa: BLE001  # whatever is wrong with it, it opens nothing
        return None
    return pseudonym if at.astimezone(UTC).date() <= last else None


# forgetting


def forget(db: Connection, person: Person, asked: Erase, inbound: Inbound, rng: Random) -> None:
    """Remove everything at once; only the address stays until the last message has gone out."""
    channel, at = inbound.channel, inbound.at
    folio = asked.folio or people.fresh("", 0, rng).folio
    done = erasing.erase(db, person.id, at, folio)
    pseudonym = people.code(rng, 12)
    shell = erasing.leave_address(db, channel, inbound.identity, inbound.address, pseudonym, at)
    words = say("erased", asked.language, {"folio": done.folio})
    if done.pending:
        words += "\n\n" + say("erased_pending", asked.language, {"days": notices.answer_within(db)})
    said = Message(words, callback=inbound.callback, language=asked.language or "es")
    outbox.put(db, shell, channel, said, due=at)


def revoke(db: Connection, person: Person, kind: str, inbound: Inbound) -> None:
    """Take a consent back, and what was waiting to go out by it."""
    words = inbound.text or _pressed(f"do_revoke_{kind}", kind, person)
    rights.revoke(db, person.id, kind, words, inbound.channel, inbound.at)


def allow(db: Connection, person: Person, kind: str, inbound: Inbound) -> None:
    """Take a consent by the person's own word."""
    words = inbound.text or _pressed(f"do_{kind}", kind, person)
    rights.allow(db, person.id, kind, words, inbound.channel, inbound.at)


def _pressed(button: str, kind: str, person: Person) -> str:
    """What stood on the button."""
    _, _, forum_kind = kind.partition("forums:")
    return say(f"kind_{forum_kind}" if forum_kind else button, person.talk.language)
