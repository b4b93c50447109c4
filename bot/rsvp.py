"""A person's reply about a forum: found behind whatever they write, taken, and answered.

Nobody's talk is touched when a million are invited. The first time somebody answers, the short
dialog about that forum is put on top of theirs, as if it had been there since they were asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from bot import forum_words, timing
from bot import invitations as calling
from bot.forum_words import ASKED, FORM, MARK, TRIAL
from dialogs import moving, replies
from dialogs.asking import Library
from dialogs.phrases import say
from dialogs.questions import Option
from dialogs.state import Begin, Dialog, Effect, End, Keep, Say, SetAside, TakeBack, Talk
from dialogs.values import Inbound, Message
from storage import forums, invitations, outbox, people
from storage.forums import Answer, Forum
from storage.people import Person

ANSWERS: dict[str, Answer] = {"si": "yes", "no": "no", "quiza": "maybe"}
NEEDS = "necesidades"  # asked once in a life, not once a forum
BARE = ("1", "2", "3", "si", "no")  # these may answer anything
DIALOG = re.compile(rf"({MARK}|{TRIAL})(\d+)")
DOOR = re.compile(r"^(?:puerta|aqu[ií])[- ]?(\w{6})$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Here:
    """What the engine is given: where the person is, what they mean, what labels may name."""

    talk: Talk
    inbound: Inbound
    library: Library
    forum: Forum | None = None
    trial: bool = False  # an organizer tries it on themselves: nothing is kept


@dataclass(frozen=True, slots=True)
class About:
    """Which forum a dialog or a button is about."""

    forum_id: int
    trial: bool


def settled(db: Connection, person: Person, inbound: Inbound) -> Message | None:
    """What ends here without any dialog: somebody at the door, or an answer to the template."""
    if person.talk.stopped:
        return None
    if found := DOOR.match(inbound.code or inbound.text.strip()):
        return _at_the_door(db, person, found[1], inbound.at)
    return _asked(db, person, inbound)


def _at_the_door(db: Connection, person: Person, code: str, at: datetime) -> Message | None:
    forum = forums.by_door(db, code)
    if forum is None:
        return _say(person, "forum_no_door")
    calling.arrive(db, forum.id, person.id, at)
    title = forum_words.title(forum.plan, person.language)
    return _say(person, "forum_arrived", title=title)


def _say(person: Person, phrase: str, **values: object) -> Message:
    words = say(phrase, person.language, values)
    return Message(words, language=person.language or "es")


def _asked(db: Connection, person: Person, inbound: Inbound) -> Message | None:
    """WhatsApp asked whether the invitation is wanted. Yes brings it: nothing else is said."""
    letter_id = outbox.asked(db, person.id) if person.called else None
    if letter_id is None:
        return None
    meant = replies.command(inbound.text) if inbound.kind in ("text", "button") else ""
    if meant == "no":
        outbox.skip(db, letter_id, "the person did not want the invitation")
        return _say(person, "forum_declined")
    outbox.release(db, person.id, inbound.at)
    return Message("") if meant == "yes" or inbound.kind == "button" else None


def about(db: Connection, library: Library, person: Person, inbound: Inbound) -> Here:
    """The reply as one about a forum, if that is what it is; else as it came."""
    here = Here(person.talk, inbound, library)
    if person.talk.stopped:
        return here
    if asked := _pressed(inbound):
        here = _on(db, here, person, asked)
    elif inbound.kind in ("text", "voice") and not _speaking(person.talk):
        here = _written(db, here, person)
    return _informed(db, _reconsidered(here))


def _pressed(inbound: Inbound) -> About | None:
    return _about(inbound.payload.partition(".")[0])


def _about(dialog: str) -> About | None:
    found = DIALOG.fullmatch(dialog)
    return About(int(found[2]), found[1] == TRIAL) if found else None


def _speaking(talk: Talk) -> bool:
    """Whether a forum is what the person is being asked about already."""
    return talk.top is not None and talk.top.form == FORM


def _on(db: Connection, here: Here, person: Person, asked: About) -> Here:
    """The talk with the forum's dialog in it."""
    passed = [dialog for dialog in here.talk.closed if ASKED in dialog.passed]
    ids = {dialog.id for dialog in (*here.talk.dialogs, *passed)}
    invitation = invitations.latest_to(db, asked.forum_id)
    if invitation is None:
        return here
    dialog = forum_words.dialog(asked.forum_id, invitation.version, trial=asked.trial)
    if dialog.id in ids:
        return here
    known = not asked.trial and people.needs(db, person.id) is not None
    return replace(here, talk=_topped(here.talk, dialog, (NEEDS,) if known else ()))


def _topped(talk: Talk, dialog: Dialog, passed: tuple[str, ...] = ()) -> Talk:
    """The talk with the dialog on top, which asks nothing that it has `passed`."""
    dialog = dialog._replace(folio=_folio(talk), passed=passed)
    others = tuple(each for each in talk.dialogs if each.form != FORM)
    closed = tuple(each for each in talk.closed if each.id != dialog.id)
    return talk._replace(dialogs=(*others, dialog), closed=closed, offered=())


def tried(db: Connection, library: Library, person_id: int, invitation_id: int) -> Message:
    """What somebody is sent who tries an invitation on themselves; they may answer it, too."""
    invitation = invitations.get(db, invitation_id)
    forum = forums.get(db, invitation.forum_id)
    person = people.lock(db, person_id)
    if invitation.purpose in invitations.ASKING:
        dialog = forum_words.dialog(forum.id, invitation.version, trial=True)
        talk = _topped(person.talk, dialog)
        people.remember(db, person, talk, person.heard_at)
    return forum_words.trial(library, invitation, forum, person.language)


def try_on(
    db: Connection, library: Library, person: Person, invitation_id: int, now: datetime
) -> bool:
    """Queue it to one who tries it on themselves; False if WhatsApp takes no free text now."""
    if person.channel == "whatsapp" and not timing.may_write_freely(person.heard_at, now):
        return False
    message = tried(db, library, person.id, invitation_id)
    outbox.put(db, person.id, person.channel, message, due=now)
    return True


def _folio(talk: Talk) -> str:
    """Of the questionnaire: the end of this dialog must not hide it."""
    every = (*talk.closed, *talk.dialogs)
    return next((dialog.folio for dialog in reversed(every) if dialog.folio), "")


def _written(db: Connection, here: Here, person: Person) -> Here:
    """Words that answer an invitation: clearly so, or because nothing else was asked since."""
    last = invitations.last_to(db, person.id, here.inbound.at) if person.called else None
    if last is None:
        return here
    option = _meant(db, here, last.forum_id)
    clear = option is not None and replies.plain(here.inbound.text) not in BARE
    if clear or (option is not None and last.last):
        assert option is not None
        here = _on(db, here, person, About(last.forum_id, trial=False))
        payload = f"{MARK}{last.forum_id}.0.{option}"
        return replace(here, inbound=replace(here.inbound, kind="button", payload=payload))
    if last.answer is None and here.talk.top is None and not here.talk.offered:
        return _on(db, here, person, About(last.forum_id, trial=False))
    return here


def _reconsidered(here: Here) -> Here:
    """In the midst of what follows a yes, "no puedo" is about coming after all."""
    top, said = here.talk.top, here.inbound
    if top is None or top.form != FORM or top.at in ("", ASKED) or said.kind != "text":
        return here
    script = here.library.script(top)
    options = script.question(ASKED).options
    other = replies.named(options, said.text)
    if other is None or replies.plain(said.text) in BARE:
        return here
    if replies.named(script.question(top.at).options, said.text):
        return here
    payload = f"{top.id}.0.{options.index(other)}"
    return replace(here, inbound=replace(said, kind="button", payload=payload))


def _meant(db: Connection, here: Here, forum_id: int) -> int | None:
    """The place of the choice that the words name without doubt."""
    options = _options(db, here, forum_id)
    found = replies.choice(options, here.inbound.text) if here.inbound.kind == "text" else None
    return options.index(found.options[0]) if found and found.sure else None


def _options(db: Connection, here: Here, forum_id: int) -> Sequence[Option]:
    invitation = invitations.latest_to(db, forum_id)
    if invitation is None:
        return ()
    script = here.library.lookup(FORM, invitation.version)
    return script.question(ASKED).options


def _informed(db: Connection, here: Here) -> Here:
    """With the forum that is spoken of, and "no" to company read as a number."""
    top = here.talk.top
    asked = _pressed(here.inbound) or (_about(top.id) if top and top.form == FORM else None)
    if asked is None:
        return here
    try:
        forum = forums.get(db, asked.forum_id)
    except LookupError:
        return here
    known = forum_words.knowing(here.library, forum.plan, here.talk.language)
    return Here(here.talk, _counted(here), known, forum, asked.trial)


def _counted(here: Here) -> Inbound:
    top = here.talk.top
    if top is None or top.form != FORM or not top.at or here.inbound.payload:
        return here.inbound
    question = here.library.script(top).question(top.at)
    if question.role != "rsvp:companions" or here.inbound.kind != "text":
        return here.inbound
    said = replies.plain(here.inbound.text)
    alone = {replies.plain(word) for word in say("forum_alone", "es").split(",")}
    is_no = said in alone or replies.command(here.inbound.text) == "no"
    return replace(here.inbound, text="0") if is_no else here.inbound


def closed_to(person: Person, here: Here) -> Message | None:
    """What there is to say if the forum is over or called off; None if it takes replies."""
    forum = here.forum
    if forum is None or _pressed(here.inbound) is None:
        return None
    if forum.state == "cancelled":
        return _say(person, "forum_called_off")
    over = forum.plan.ends_at <= here.inbound.at
    return _say(person, "forum_over") if over else None


def taken(db: Connection, person: Person, here: Here, effects: Sequence[Effect]) -> list[Effect]:
    """The effects with replies about the forum kept, and what follows from them said."""
    found: list[Effect] = []
    notes: list[Message] = []
    for effect in effects:
        match effect:
            case Keep(dialog=Dialog(form=form)) if form == FORM and here.forum:
                notes += _keep(db, person, here, here.forum, effect)
            case Begin(Dialog(form=form)) | End(Dialog(form=form)) if form == FORM:
                pass
            case SetAside(Dialog(form=form)) | TakeBack(Dialog(form=form)) if form == FORM:
                pass
            case Say(message) if notes:
                found += _with_notes(notes, message)
                notes = []
            case _:
                found.append(effect)
    return [*found, *map(Say, notes)]


def _with_notes(notes: Sequence[Message], message: Message) -> list[Effect]:
    """A note before the next message, in one with it if both are short."""
    *before, last = notes
    text = f"{last.text}\n\n{message.text}"
    seen = message.audio or message.image or message.shown
    if len(text) > moving.MESSAGE_LENGTH or message.edits or seen:
        return [*map(Say, notes), Say(message)]
    return [*map(Say, before), Say(replace(message, text=text, point=last.point))]


def _keep(db: Connection, person: Person, here: Here, forum: Forum, kept: Keep) -> list[Message]:
    """What is said at once about a reply."""
    language = here.talk.language
    if here.trial:
        return _tried(here, forum, kept, language)
    match kept.role:
        case "rsvp":
            locked = forums.lock(db, forum.id)
            answer = forums.answer(db, locked, person.id, ANSWERS[kept.value], here.inbound.at)
            address = here.library.facts.get("address", "")
            return _answered(db, person, locked, answer, address, language)
        case "rsvp:companions":
            wanted = int(kept.value or 0)
            got = forums.bring(db, forums.lock(db, forum.id), person.id, wanted)
            return [] if got == wanted else [_fewer(got, language)]
        case "rsvp:needs":
            people.need(db, person.id, kept.value)
    return []


def _tried(here: Here, forum: Forum, kept: Keep, language: str | None) -> list[Message]:
    """As if there were seats enough; nothing is kept."""
    if kept.role != "rsvp" or ANSWERS[kept.value] != "yes":
        return []
    return [_noted(forum, here.library.facts.get("address", ""), language)]


def _answered(
    db: Connection, person: Person, forum: Forum, answer: Answer, address: str, language: str | None
) -> list[Message]:
    if answer == "yes":
        return [_noted(forum, address, language)]
    if answer == "waiting":
        number = forums.place_in_line(db, forum.id, person.id)
        return [_message(say("forum_waiting", language, {"number": number}), language)]
    return []


def _noted(forum: Forum, address: str, language: str | None) -> Message:
    words = say("forum_noted", language, forum_words.links(address, forum))
    return _message(words, language, point=forum.plan.place.point)


def _fewer(got: int, language: str | None) -> Message:
    key = {0: "forum_fewer_none", 1: "forum_fewer_one"}.get(got, "forum_fewer")
    return _message(say(key, language, {"number": got}), language)


def _message(words: str, language: str | None, point: tuple[float, float] | None = None) -> Message:
    return Message(words, point=point, language="yua" if language == "yua" else "es")
