"""What people may ask of us at any point: what is known, correct, take a permission back, erase."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dialogs import answering, asking, moving, walking
from dialogs.moving import Turn
from dialogs.phrases import say
from dialogs.questions import Question
from dialogs.state import Allow, Dialog, Effect, Erase, Revoke, Say, Talk, Tell, with_top
from dialogs.values import FORUM_KINDS, Choice, Message
from dialogs.walking import Library

KINDS = ("answer", "sensitive", "forums", "feedback", "voice", "quote")  # of consent
OWN_WAY = ("language", "consent")  # these are changed in another way
FIX = "fix"  # ends the payload of a button that asks an earlier question again
MOST_LISTED = 9  # answers to correct: with the way out they are ten, as many as a list holds
LONGEST_LABEL = 60  # of a question, as a choice


def summary(talk: Talk, _library: Library) -> Turn:
    """What is known, which only the database can say; and what can be done about it."""
    keys = ("erase", "return") if talk.stopped else ("correct", "permits", "erase", "go_on")
    return _tell(talk, "summary", moving.commands(talk, keys))


def permits(talk: Talk, _library: Library) -> Turn:
    """Which consents stand, each with a button that takes it back."""
    return _tell(
        talk, "permits", moving.commands(talk, ("return",) if talk.stopped else ("go_on",))
    )


def notice(talk: Talk, library: Library) -> Turn:
    """Where the whole privacy notice is."""
    words = say("notice", talk.language, {"link": library.facts.get("aviso_url", "")})
    if talk.stopped:
        return talk, [Say(Message(words, language=talk.language or "es"))]
    return moving.ask_again(talk, library, words)


def _tell(talk: Talk, what: str, choices: tuple[Choice, ...]) -> Turn:
    return talk._replace(offered=choices), [Tell(what, choices)]


def erase(talk: Talk, _library: Library) -> Turn:
    """Ask first: it cannot be undone."""
    keys = ("erase_yes", "erase_no")
    return moving.offer(talk, say("erase_sure", talk.language), moving.commands(talk, keys))


def erase_yes(talk: Talk, _library: Library) -> Turn:
    """Nothing is left of the talk: whatever is said to them is said by whoever erases."""
    last = next((d for d in reversed((*talk.closed, *talk.dialogs)) if d.folio), None)
    return Talk(), [Erase(last.folio if last else "", talk.language)]


def erase_no(talk: Talk, library: Library) -> Turn:
    talk = talk._replace(offered=())
    if talk.stopped:
        return talk, [moving.plain(talk, "erase_kept")]
    return moving.ask_again(talk, library, say("erase_kept", talk.language))


def forum_kinds(talk: Talk, _library: Library) -> Turn:
    """Which kinds of forums they are invited to; which those are, only the database can say."""
    return _tell(talk, "forum_kinds", moving.commands(talk, ("go_on",)))


def no_forums(talk: Talk, library: Library) -> Turn:
    return revoke("forums")(talk, library)


def revoke(kind: str) -> Callable[[Talk, Library], Turn]:
    """Take one consent back. Without the first one, nothing may be kept: that is an erasure."""

    def taken_back(talk: Talk, library: Library) -> Turn:
        if kind == "answer":
            return erase(talk, library)
        talk, effects = _said(talk._replace(offered=()), kind, ("si", "no"), library)
        told = say(f"revoked_{kind}", talk.language)
        return _settled(talk, [*effects, Revoke(kind)], told, library)

    return taken_back


def wish(kind: str, *, called: bool) -> Callable[[Talk, Library], Turn]:
    """No more invitations to one kind of forum, or invitations to it again."""

    def wished(talk: Talk, library: Library) -> Turn:
        effect = Allow(f"forums:{kind}") if called else Revoke(f"forums:{kind}")
        named = say(f"kind_{kind}", talk.language).lower()
        told = say("allowed_kind" if called else "spared_kind", talk.language, {"kind": named})
        return _settled(talk._replace(offered=()), [effect], told, library)

    return wished


def forums(talk: Talk, library: Library) -> Turn:
    """Invitations to forums, by the person's own word: asked for at first, or again."""
    if talk.top is None and moving.refused(talk, library):
        return moving.ask_again(talk, library)
    talk, effects = _said(talk._replace(offered=()), "forums", ("no", "si"), library)
    told = say("allowed_forums", talk.language)
    return _settled(talk, [*effects, Allow("forums")], told, library)


def _settled(talk: Talk, effects: list[Effect], told: str, library: Library) -> Turn:
    """Say what was done, and go on where they were; to who has stopped nothing else is said."""
    if talk.stopped:
        return talk, [*effects, Say(Message(told, language=talk.language or "es"))]
    talk, asked = moving.ask_again(talk, library, told)
    return talk, [*effects, *asked]


def _said(talk: Talk, kind: str, change: tuple[str, str], library: Library) -> Turn:
    """Where the questionnaire asked for this consent, its answer is the other from now on."""
    effects: list[Effect] = []
    before, after = change
    for dialog in (*talk.closed, *talk.dialogs):
        script = library.script(dialog)
        for question in script.questions:
            if question.role == f"consent:{kind}" and dialog.answers.get(question.name) == before:
                said = say(f"do_revoke_{kind}" if after == "no" else f"do_{kind}", talk.language)
                asked = (dialog, question, script)
                changed, moved = answering.kept_in(asked, after, said, None, library, talk.language)
                changed = changed._replace(at=_still_asked(dialog, changed, library))
                talk, dialog = moving.replaced(talk, dialog, changed), changed
                effects += moved
    return talk, effects


def _still_asked(before: Dialog, after: Dialog, library: Library) -> str:
    """The question being asked, if it is one still without that consent."""
    question = library.script(before).question(before.at) if before.at else None
    return before.at if question and walking.relevant(question, after, library) else ""


def correct(talk: Talk, library: Library) -> Turn:
    """The answers that can be given anew, the latest first, as choices."""
    dialog = talk.top or (talk.closed[-1] if talk.closed else None)
    names = _answered(dialog, library) if dialog else []
    if dialog is None or not names:
        return moving.ask_again(talk, library, say("nothing_back", talk.language))
    choices = tuple(_choice(dialog, name, talk, library) for name in names[:MOST_LISTED])
    choices += moving.commands(talk, ("go_on",))
    return moving.offer(talk, say("correct_which", talk.language), choices)


def _answered(dialog: Dialog, library: Library) -> list[str]:
    script = library.script(dialog)
    behind = [script.question(name) for name in reversed(dialog.passed) if name != dialog.at]
    return [
        question.name
        for question in behind
        if question.asked
        and question.role.partition(":")[0] not in OWN_WAY
        and walking.relevant(question, dialog, library)
    ]


def _choice(dialog: Dialog, name: str, talk: Talk, library: Library) -> Choice:
    script = library.script(dialog)
    question = script.question(name)
    words = asking.words(question.label, dialog, library, talk.language, question)
    label = words.splitlines()[-1] if words else name
    short = label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1].rstrip()}…"
    return Choice(f"{dialog.id}.{script.place(question)}.{FIX}", short)


def fix(talk: Talk, dialog: Dialog, question: Question, library: Library) -> Turn:
    """Ask an earlier question again; its new answer replaces the old one."""
    if question.name not in _answered(dialog, library):
        return moving.ask_again(talk, library, say("old_button", talk.language))
    if dialog.id in {closed.id for closed in talk.closed}:
        closed = tuple(other for other in talk.closed if other.id != dialog.id)
        talk = talk._replace(closed=closed, dialogs=(*talk.dialogs, dialog))
    if talk.top is None or talk.top.id != dialog.id:
        return moving.ask_again(talk, library, say("old_button", talk.language))
    talk = with_top(talk, dialog._replace(at=question.name, misses=0, ticked=()))
    return moving.ask_again(talk, library, say("back_to", talk.language))


CALLING: Mapping[str, Callable[[Talk, Library], Turn]] = {
    "forum_kinds": forum_kinds,
    "forums": forums,
    **{f"forums_{kind}": wish(kind, called=True) for kind in FORUM_KINDS},
}
COMMANDS: Mapping[str, Callable[[Talk, Library], Turn]] = {
    "data": summary,
    "permits": permits,
    "notice": notice,
    "correct": correct,
    "erase": erase,
    "erase_yes": erase_yes,
    "erase_no": erase_no,
    "no_forums": no_forums,
    **{f"revoke_{kind}": revoke(kind) for kind in KINDS},
    **{f"no_forums_{kind}": wish(kind, called=False) for kind in FORUM_KINDS},
    **CALLING,
}
ALSO_STOPPED = frozenset(COMMANDS) - {"correct", *CALLING}  # these are nobody's to refuse
