"""What is said about a forum: invitation, reminder, change, thanks. Words from phrases.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bot import timing
from dialogs import asking
from dialogs.asking import Library
from dialogs.phrases import say
from dialogs.state import Dialog
from dialogs.values import LANGUAGES, Language, Message, Text, in_language
from storage.forums import Forum, Plan
from storage.invitations import ASKING, Invitation

FORM = "invitacion"  # the questionnaire that takes the replies
ASKED = "vas"  # its first question
MARK = "foro-"  # begins the id of its dialogs, and so the payload of its buttons
TRIAL = "prueba-"  # the same where an organizer tries it on themselves: nothing is kept


def title(plan: Plan, language: str | None) -> str:
    return in_language(plan.title, language)


def when(plan: Plan, language: str | None) -> str:
    """ "Sábado 14 de agosto, 10:00 a 13:00"."""
    starts, ends = timing.local(plan.starts_at), timing.local(plan.ends_at)
    values = {
        "weekday": say("weekdays", language).split(",")[starts.weekday()],
        "day": starts.day,
        "month": say("months", language).split(",")[starts.month - 1],
        "start": f"{starts:%H:%M}",
        "end": f"{ends:%H:%M}",
    }
    return say("forum_when", language, values)


def where(plan: Plan) -> str:
    place = plan.place
    parts = [part for part in (place.name, place.address, place.town) if part]
    return ", ".join(dict.fromkeys(parts)) or place.link


def heading(plan: Plan, language: str | None, words: Text | None = None) -> str:
    """Which forum, when, where; and what else is to be known."""
    head = say("forum_heading", language, _values(plan, language))
    more = in_language(words or plan.description, language)
    return f"{head}\n{more}" if more else head


def _values(plan: Plan, language: str | None) -> dict[str, object]:
    return {
        "title": title(plan, language),
        "when": when(plan, language),
        "where": where(plan),
        "start": f"{timing.local(plan.starts_at):%H:%M}",
        "link": plan.place.link,
    }


def dialog(forum_id: int, version: int, *, trial: bool = False) -> Dialog:
    """The dialog that takes a person's reply about a forum, which has been asked already."""
    return Dialog(f"{TRIAL if trial else MARK}{forum_id}", FORM, version, at=ASKED)


def knowing(
    library: Library, plan: Plan, language: str | None, words: Text | None = None
) -> Library:
    """The library, in which labels may name the forum."""
    return library._replace(facts={**library.facts, "foro": heading(plan, language, words)})


def trial(library: Library, invitation: Invitation, forum: Forum, language: str | None) -> Message:
    """The same to one who tries it: it says so, and its buttons are its own."""
    found = message(library, invitation, forum, language, trial=True)
    return replace(found, text=f"{say('forum_trial', language)}\n\n{found.text}")


def message(
    library: Library,
    invitation: Invitation,
    forum: Forum,
    language: str | None,
    *,
    trial: bool = False,
) -> Message:
    """What is sent to many, with the buttons of a question where an answer is expected."""
    plan = forum.plan
    code: Language = "yua" if language == "yua" else "es"
    if invitation.purpose in ASKING:
        words = None if invitation.purpose == "change" else invitation.words
        known = knowing(library, plan, code, words)
        open_ = dialog(forum.id, invitation.version, trial=trial)
        question = library.script(open_).question(ASKED)
        asked = asking.message(question, open_, known, code)
        if invitation.purpose == "invitation":
            return asked
        told = in_language(invitation.words, code)
        return replace(asked, text=f"{told}\n{asked.text}")
    if invitation.purpose == "conclusions":
        words_ = in_language(invitation.words, code)
        return Message(
            f"{say('forum_conclusions', code, _values(plan, code))}\n{words_}", language=code
        )
    key = f"forum_{invitation.purpose}"  # reminder, cancellation, thanks, seat
    return Message(say(key, code, _values(plan, code)), language=code)


def difference(before: Plan, after: Plan) -> Text:
    """What people have to be told of a change, in each language; empty if it is nothing to them."""
    keys = []
    if (before.starts_at, before.ends_at) != (after.starts_at, after.ends_at):
        keys.append("forum_new_time")
    if before.place != after.place:
        keys.append("forum_new_place")
    if not keys:
        return {}
    if len(keys) == 1:
        keys.append("forum_same_place" if keys[0] == "forum_new_time" else "forum_same_time")
    return {
        code: " ".join(say(key, code, _values(after, code)) for key in keys) for code in LANGUAGES
    }


def links(address: str, forum: Forum) -> Mapping[str, object]:
    """Where the calendar file is, and Google's form for it."""
    file = f"{address}/ics/{forum.token}.ics"
    return {"ics": file, "google": file.removesuffix(".ics")}
