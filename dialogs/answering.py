"""What an answer leads to: kept and on to the next question, or more help each time."""

from __future__ import annotations

from dataclasses import replace

from dialogs import asking, kinds, language, minors, moments, moving, replies, settling, walking
from dialogs.moving import Asked, Turn
from dialogs.phrases import say
from dialogs.questions import FILES, MOMENTS, NUMBERS, REPEAT_ROLE, Option, Question
from dialogs.state import Dialog, Effect, Keep, Say, Speak, Talk, with_top
from dialogs.values import Choice, Inbound, Language
from dialogs.walking import Library

SURE_OF_LANGUAGE = 0.9  # from here on a reply counts towards the offer to switch
REPLIES_TO_OFFER = 2
NO_ANSWERS = ("sticker", "photo", "video", "document", "contact", "location", "poll", "edited")


def answer(talk: Talk, inbound: Inbound, library: Library) -> Turn:
    asked = moving.asked(talk, library)
    if asked is None:
        return moving.ask_again(talk, library)
    question = asked[1]
    if inbound.media and inbound.kind == "voice" and question.type != "file":
        return _voice(talk, asked, inbound, library)
    if inbound.media and question.type in FILES:
        return _file(talk, asked, inbound, library)
    if inbound.point and inbound.kind == "location":
        return _located(talk, asked, inbound, library)
    if inbound.kind not in ("text", "button") and not (question.open and inbound.text.strip()):
        phrase = inbound.kind if inbound.kind in NO_ANSWERS else "other"
        return moving.ask_again(talk, library, say(phrase, talk.language))
    if not inbound.text.strip():
        return moving.ask_again(talk, library, say("empty", talk.language))
    match question.type:
        case "select_one":
            return _one(talk, asked, inbound.text, library)
        case "select_multiple" | "rank":
            return _several(talk, asked, inbound.text, library)
        case "acknowledge":
            return _acknowledged(talk, asked, inbound.text, library)
        case "text" | "audio":
            return _open(talk, asked, inbound.text, library)
        case "geopoint":
            return kept(talk, asked, "", inbound.text, library)
        case _:
            return _read(talk, asked, inbound, library)


def _voice(talk: Talk, asked: Asked, inbound: Inbound, library: Library) -> Turn:
    if not asked[1].open:
        kind = "voice_not_here_integer" if asked[1].type in NUMBERS else "voice_not_here"
        return moving.ask_again(talk, library, say(kind, talk.language))
    if refused := minors.voice_refused(minors.of_one(talk, asked[0]), library):
        return moving.ask_again(talk, library, say(refused, talk.language))
    talk, effects = kept(talk, asked, settling.VOICE, "", library, inbound)
    return talk, [moving.plain(talk, "voice_kept"), *effects]


def _file(talk: Talk, asked: Asked, inbound: Inbound, library: Library) -> Turn:
    """A photo or a file, where one is asked for. Its value is what it is, until it has a name."""
    assert inbound.media is not None
    what = "photo" if inbound.kind == "photo" else kinds.file_of(inbound.media.type.lower())
    if asked[1].type == "image" and what != "photo":
        return missed(talk, asked, library)
    if asked[1].accept and what and what not in asked[1].accept:
        names = [say(f"file_{name}", talk.language) for name in sorted(asked[1].accept)]
        wanted = say("not_this_file", talk.language, {"names": " o ".join(names)})
        return moving.ask_again(talk, library, wanted)
    if not inbound.media.type:  # Telegram does not say it of photos
        inbound = replace(inbound, media=replace(inbound.media, type="image/jpeg"))
    talk, effects = kept(talk, asked, inbound.kind, "", library, inbound)
    return talk, [moving.plain(talk, "file_kept"), *effects]


def _located(talk: Talk, asked: Asked, inbound: Inbound, library: Library) -> Turn:
    dialog, question, _ = asked
    assert inbound.point is not None
    if question.type == "geopoint":
        value = f"{inbound.point[0]:.6f} {inbound.point[1]:.6f} 0 0"
        if fault := walking.fault(question, value, dialog, library):
            return missed(talk, asked, library, fault)
        talk, effects = kept(talk, asked, value, value, library)
        return talk, [moving.plain(talk, "place_kept"), *effects]
    if not asking.placed(question):
        return moving.ask_again(talk, library, say("location", talk.language))
    found = replies.nearest(walking.options(question, dialog, library), inbound.point)
    if found is None:
        return moving.ask_again(
            talk, library, say("location_far", talk.language), question_too=False
        )
    return _confirm(talk, asked, (found,), library)


def _one(talk: Talk, asked: Asked, text: str, library: Library) -> Turn:
    dialog, question, _ = asked
    found = replies.choice(walking.options(question, dialog, library), text)
    if found.sure:
        if question.role == "language":
            return speak(talk, "yua" if found.options[0].name == "yua" else "es", library)
        if fault := walking.fault(question, found.options[0].name, dialog, library):
            return missed(talk, asked, library, fault)
        return kept(talk, asked, found.options[0].name, text, library)
    if found.options:
        which = "one_of_these" if found.named else "which_of_these"
        return _confirm(talk, asked, found.options, library, which)
    return missed(talk, asked, library)


def _confirm(
    talk: Talk,
    asked: Asked,
    found: tuple[Option, ...],
    library: Library,
    which: str = "which_of_these",
) -> Turn:
    """Offer near-misses back as choices: one is asked about, several are listed."""
    dialog, question, script = asked
    place = script.place(question)
    payloads = [f"{dialog.id}.{place}.{question.options.index(option)}" for option in found]
    labels = [
        asking.words(option.label, dialog, library, talk.language, question) for option in found
    ]
    again = f"{dialog.id}.{place}.again"
    if len(found) == 1:
        words = say("is_it_right", talk.language, {"label": labels[0]})
        yes, no = say("yes_right", talk.language), say("no_other", talk.language)
        return moving.offer(talk, words, (Choice(payloads[0], yes), Choice(again, no)))
    choices = tuple(map(Choice, payloads, labels))
    other = Choice(again, say("other_one", talk.language))
    return moving.offer(talk, say(which, talk.language), (*choices, other))


def _several(talk: Talk, asked: Asked, text: str, library: Library) -> Turn:
    dialog, question, _ = asked
    options = walking.options(question, dialog, library)
    found = replies.several(options, text)
    if found is None or (question.type == "rank" and len(found) < len(options)):
        return missed(talk, asked, library)
    value = " ".join(option.name for option in found)
    if fault := walking.fault(question, value, dialog, library):
        return missed(talk, asked, library, fault)
    return kept(talk, asked, value, text, library)


def _read(talk: Talk, asked: Asked, inbound: Inbound, library: Library) -> Turn:
    """A number, a date or a time: read out of what was written."""
    dialog, question, _ = asked
    value = _value(question, inbound.text, library)
    if value is None:
        return missed(talk, asked, library)
    if fault := walking.fault(question, value, dialog, library):
        return missed(talk, asked, library, fault)
    return kept(talk, asked, value, inbound.text, library)


def _value(question: Question, text: str, library: Library) -> str | None:
    if question.type in MOMENTS:
        return moments.value(question.type, text, library.now, question.appearance)
    if question.type == "integer":
        whole = replies.integer(text)
        return None if whole is None else str(whole)
    if question.type in NUMBERS:
        number = replies.decimal(text)
        if number is None or (question.type == "range" and not _in_range(question, number)):
            return None
        return str(int(number)) if number.is_integer() else str(number)
    return None


def _in_range(question: Question, number: float) -> bool:
    given = question.parameters
    start, end = float(given.get("start", 1)), float(given.get("end", 10))
    steps = (number - start) / (abs(float(given.get("step", 1))) or 1)
    return min(start, end) <= number <= max(start, end) and abs(steps - round(steps)) < 1e-6


def _acknowledged(talk: Talk, asked: Asked, text: str, library: Library) -> Turn:
    agreed = replies.command(text) in ("yes", "go_on")
    if agreed or replies.plain(text) in ("1", "entendido", "listo", "leido", "enterado"):
        return kept(talk, asked, "OK", text, library)
    return missed(talk, asked, library)


def _open(talk: Talk, asked: Asked, text: str, library: Library) -> Turn:
    if fault := walking.fault(asked[1], text, asked[0], library):
        return missed(talk, asked, library, fault)
    return kept(talk, asked, text, text, library)


def speak(talk: Talk, chosen: Language, library: Library) -> Turn:
    talk = talk._replace(language=chosen, streak=0, offered=())
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
    changed, effects = kept_in(asked, value, said, inbound, library, talk.language)
    talk = with_top(talk, changed)._replace(offered=())
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
    library: Library,
    prior: str | None,
) -> tuple[Dialog, list[Effect]]:
    """The dialog with this answer in it and all that follows from it."""
    dialog, question, script = asked
    name = question.name
    again = name in dialog.answers or name in dialog.passed or name in dialog.aside
    needed = not question.open or question.base in script.read_names
    changed = moving.pass_by(dialog, name, value if needed else "")
    detected = language.detect(said, prior)
    keep = Keep(
        dialog=changed,
        question=name,
        role=question.role,
        value="" if question.base in script.personal else value,
        said=said,
        language=detected.language,
        confidence=detected.confidence,
        again=again,
        media=inbound.media if inbound else None,
    )
    follows = minors.follows(question, value, again=again)
    if not again and not script.settles:
        return changed, [keep, *follows]
    changed, moved = settling.settle(changed, library, name)
    return changed, [keep, *moved, *follows]


def _offer_to_switch(talk: Talk, effects: list[Effect], question: Question) -> Turn:
    """After two sure replies in the other language, offer it once; names of places do not count."""
    keep = next(effect for effect in effects if isinstance(effect, Keep))
    named = question.role in ("language", "municipality", "locality", REPEAT_ROLE)
    if (
        named
        or len(question.options) > replies.LONG
        or keep.language is None
        or keep.confidence < SURE_OF_LANGUAGE
        or not talk.language
    ):
        return talk, []
    if keep.language == talk.language:
        over = talk.streak and len(keep.said.split()) > 1
        return talk._replace(streak=0) if over else talk, []
    talk = talk._replace(streak=talk.streak + 1)
    if talk.streak < REPLIES_TO_OFFER or talk.settled:
        return talk, []
    other, mine = keep.language, talk.language
    choices = (
        Choice(f"={other}", say("yes", other)),
        Choice("=stay", say(f"no_stay_{mine}", mine)),
    )
    return moving.offer(talk._replace(streak=0), say(f"offer_{other}", other), choices)


def missed(talk: Talk, asked: Asked, library: Library, fault: str = "") -> Turn:
    """Not understood: each time more helpful, and never the same sentence twice."""
    dialog, question, _ = asked
    misses = dialog.misses + 1
    missed = dialog._replace(misses=misses)
    talk = moving.replaced(talk, dialog, missed)._replace(offered=())
    if dialog.id != (talk.top.id if talk.top else ""):
        return moving.ask_again(
            talk, library, asking.first_help(question, missed, library, talk.language, fault)
        )
    if misses % 3:
        help_ = asking.first_help if misses % 3 == 1 else asking.second_help
        words = help_(question, missed, library, talk.language, fault)
        message = asking.message(question, missed, library, talk.language)
        return talk, [Say(replace(message, text=words, image="", shown=()))]
    required = walking.required(question, dialog, library)
    keys = ("repeat", "help") if required else ("repeat", "skip", "help")
    own = asking.choices(question, missed, library, talk.language)
    short = () if question.type in asking.SEVERAL else own
    return moving.offer(talk, say("third", talk.language), (*short, *moving.commands(talk, keys)))
