"""What an answer leads to: kept and on to the next question, or more help each time."""

from __future__ import annotations

from dataclasses import replace

from dialogs import asking, language, moving, replies
from dialogs.asking import Library
from dialogs.moving import Asked, Turn
from dialogs.phrases import say
from dialogs.script import Option, Question, Script
from dialogs.state import Dialog, Effect, Keep, Say, SetAside, Speak, TakeBack, Talk, with_top
from dialogs.values import Choice, Inbound, Language

SURE_OF_LANGUAGE = 0.9  # from here on a reply counts towards the offer to switch
REPLIES_TO_OFFER = 2
NO_ANSWERS = ("sticker", "photo", "video", "document", "contact", "location", "poll", "edited")


def answer(talk: Talk, inbound: Inbound, library: Library) -> Turn:
    asked = moving.asked(talk, library)
    if asked is None:
        return moving.ask_again(talk, library)
    if inbound.media and inbound.kind == "voice":
        return _voice(talk, asked, inbound, library)
    if inbound.point and inbound.kind == "location":
        return _located(talk, asked, inbound, library)
    if inbound.kind not in ("text", "button") and not (asked[1].open and inbound.text.strip()):
        phrase = inbound.kind if inbound.kind in NO_ANSWERS else "other"
        return moving.ask_again(talk, library, say(phrase, talk.language))
    if not inbound.text.strip():
        return moving.ask_again(talk, library, say("empty", talk.language))
    match asked[1].type:
        case "select_one":
            return _one(talk, asked, inbound.text, library)
        case "select_multiple":
            return _several(talk, asked, inbound.text, library)
        case "integer":
            return _integer(talk, asked, inbound.text, library)
        case "acknowledge":
            return _acknowledged(talk, asked, inbound.text, library)
        case _:
            return _open(talk, asked, inbound.text, library)


def _voice(talk: Talk, asked: Asked, inbound: Inbound, library: Library) -> Turn:
    if not asked[1].open:
        kind = "voice_not_here_integer" if asked[1].type == "integer" else "voice_not_here"
        return moving.ask_again(talk, library, say(kind, talk.language))
    talk, effects = kept(talk, asked, "", "", library, inbound)
    return talk, [moving.plain(talk, "voice_kept"), *effects]


def _located(talk: Talk, asked: Asked, inbound: Inbound, library: Library) -> Turn:
    dialog, question, _ = asked
    if not asking.placed(question):
        return moving.ask_again(talk, library, say("location", talk.language))
    assert inbound.point is not None
    found = replies.nearest(asking.options(question, dialog, library), inbound.point)
    if found is None:
        return moving.ask_again(
            talk, library, say("location_far", talk.language), question_too=False
        )
    return _confirm(talk, asked, (found,), library)


def _one(talk: Talk, asked: Asked, text: str, library: Library) -> Turn:
    dialog, question, _ = asked
    found = replies.choice(asking.options(question, dialog, library), text)
    if found.sure:
        if question.role == "language":
            return speak(talk, "yua" if found.options[0].name == "yua" else "es", library)
        return kept(talk, asked, found.options[0].name, text, library)
    if found.options:
        return _confirm(talk, asked, found.options, library)
    return missed(talk, asked, library)


def _confirm(
    talk: Talk,
    asked: Asked,
    found: tuple[Option, ...],
    library: Library,
) -> Turn:
    """Offer near-misses back as choices: one is asked about, several are listed."""
    dialog, question, script = asked
    place = script.places[question.name]
    payloads = [f"{dialog.id}.{place}.{question.options.index(option)}" for option in found]
    labels = [asking.words(option.label, dialog, library, talk.language) for option in found]
    again = f"{dialog.id}.{place}.again"
    if len(found) == 1:
        words = say("is_it_right", talk.language, {"label": labels[0]})
        yes, no = say("yes_right", talk.language), say("no_other", talk.language)
        return moving.offer(talk, words, (Choice(payloads[0], yes), Choice(again, no)))
    choices = tuple(map(Choice, payloads, labels))
    other = Choice(again, say("other_one", talk.language))
    return moving.offer(talk, say("which_of_these", talk.language), (*choices, other))


def _several(talk: Talk, asked: Asked, text: str, library: Library) -> Turn:
    dialog, question, script = asked
    found = replies.several(asking.options(question, dialog, library), text)
    if found is None:
        return missed(talk, asked, library)
    value = " ".join(option.name for option in found)
    if fault := asking.fault(question, value, dialog, script):
        return missed(talk, asked, library, fault)
    return kept(talk, asked, value, text, library)


def _integer(talk: Talk, asked: Asked, text: str, library: Library) -> Turn:
    number = replies.integer(text)
    if number is None:
        return missed(talk, asked, library)
    if fault := asking.fault(asked[1], str(number), asked[0], asked[2]):
        return missed(talk, asked, library, fault)
    return kept(talk, asked, str(number), text, library)


def _acknowledged(talk: Talk, asked: Asked, text: str, library: Library) -> Turn:
    agreed = replies.command(text) in ("yes", "go_on")
    if agreed or replies.plain(text) in ("1", "entendido", "listo", "leido", "enterado"):
        return kept(talk, asked, "OK", text, library)
    return missed(talk, asked, library)


def _open(talk: Talk, asked: Asked, text: str, library: Library) -> Turn:
    if fault := asking.fault(asked[1], text, asked[0], asked[2]):
        return missed(talk, asked, library, fault)
    return kept(talk, asked, text, text, library)


def speak(talk: Talk, chosen: Language, library: Library) -> Turn:
    talk = replace(talk, language=chosen, streak=0, offered=())
    asked = moving.asked(talk, library)
    if asked and asked[1].role == "language":
        talk, effects = kept(talk, asked, chosen, say(f"language_{chosen}", chosen), library)
        return talk, [Speak(chosen), *effects]
    talk, effects = moving.ask_again(talk, library, say("language_set", chosen))
    return talk, [Speak(chosen), *effects]


def kept(
    talk: Talk,
    asked: Asked,
    value: str,
    said: str,
    library: Library,
    inbound: Inbound | None = None,
) -> Turn:
    """Store the answer to the question being asked, and go on to the next."""
    changed, effects = kept_in(asked, value, said, inbound, talk.language)
    talk = replace(with_top(talk, changed), offered=())
    talk, offer = _offer_to_switch(talk, effects, asked[1])
    if offer:
        return talk, [*effects, *offer]
    first = moving.pilot(talk, changed, library) if asked[1].role == "language" else ""
    talk, rest = moving.go_on(talk, library, first)
    return talk, [*effects, *rest]


def kept_in(
    asked: Asked,
    value: str,
    said: str,
    inbound: Inbound | None,
    prior: str | None,
) -> tuple[Dialog, list[Effect]]:
    dialog, question, script = asked
    again = question.name in dialog.answers or question.name in dialog.passed
    needed = not question.open or question.name in script.read_names
    answers = {**dialog.answers, question.name: value if needed else ""}
    changed = moving.pass_by(replace(dialog, answers=answers), question.name)
    detected = language.detect(said, prior)
    keep = Keep(
        dialog=changed,
        question=question.name,
        role=question.role,
        value="" if question.open else value,
        said=said,
        language=detected.language,
        confidence=detected.confidence,
        again=again,
        media=inbound.media if inbound else None,
    )
    if not again:
        return changed, [keep]
    changed, moved = _reconsidered(changed, script)
    return changed, [keep, *moved]


def _reconsidered(dialog: Dialog, script: Script) -> tuple[Dialog, list[Effect]]:
    """After a correction: answers that are irrelevant now go aside, others come back."""
    answers, aside = dict(dialog.answers), dict(dialog.aside)
    gone, back, ask_again = [], [], []
    for question in script.questions:
        name, now = question.name, replace(dialog, answers=answers)
        holds = asking.relevant(question, now, script)
        if name in answers and not holds:
            aside[name] = answers.pop(name)
            gone.append(name)
        elif name in answers and not asking.allowed(question, answers[name], now, script):
            del answers[name]
            gone.append(name)
            ask_again.append(name)
        elif name in aside and holds:
            answers[name] = aside.pop(name)
            back.append(name)
    passed = tuple(name for name in dialog.passed if name not in ask_again)
    dialog = replace(dialog, answers=answers, aside=aside, passed=passed)
    effects: list[Effect] = [SetAside(dialog, tuple(gone))] if gone else []
    return dialog, [*effects, *([TakeBack(dialog, tuple(back))] if back else [])]


def _offer_to_switch(talk: Talk, effects: list[Effect], question: Question) -> Turn:
    """After two sure replies in the other language, offer it once; names of places do not count."""
    keep = next(effect for effect in effects if isinstance(effect, Keep))
    named = question.role in ("language", "municipality", "locality") or asking.long(question)
    if named or keep.language is None or keep.confidence < SURE_OF_LANGUAGE or not talk.language:
        return talk, []
    if keep.language == talk.language:
        several_words = len(keep.said.split()) > 1
        return replace(talk, streak=0 if several_words else talk.streak), []
    talk = replace(talk, streak=talk.streak + 1)
    if talk.streak < REPLIES_TO_OFFER or talk.settled:
        return talk, []
    other, mine = keep.language, talk.language
    choices = (
        Choice(f"={other}", say("yes", other)),
        Choice("=stay", say(f"no_stay_{mine}", mine)),
    )
    return moving.offer(replace(talk, streak=0), say(f"offer_{other}", other), choices)


def missed(talk: Talk, asked: Asked, library: Library, fault: str = "") -> Turn:
    """Not understood: each time more helpful, and never the same sentence twice."""
    dialog, question, _ = asked
    misses = dialog.misses + 1
    missed = replace(dialog, misses=misses, ticked=dialog.ticked)
    talk = replace(moving.replaced(talk, dialog, missed), offered=())
    if dialog.id != (talk.top.id if talk.top else ""):
        return moving.ask_again(
            talk, library, asking.first_help(question, missed, library, talk.language, fault)
        )
    if misses % 3:
        help_ = asking.first_help if misses % 3 == 1 else asking.second_help
        words = help_(question, missed, library, talk.language, fault)
        message = asking.message(question, missed, library, talk.language)
        return talk, [Say(replace(message, text=words))]
    keys = ("repeat", "help") if question.required else ("repeat", "skip", "help")
    own = asking.choices(question, missed, library, talk.language)
    short = () if question.type == "select_multiple" else own
    return moving.offer(talk, say("third", talk.language), (*short, *moving.commands(talk, keys)))
