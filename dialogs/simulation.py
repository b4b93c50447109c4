"""Random people who walk a questionnaire on the real engine: who ends, who is stuck, and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median
from typing import Any

from dialogs import engine, examples, moving, walking, ways
from dialogs.domains import Domains
from dialogs.questions import REPEAT_ROLE, Question, Script
from dialogs.state import Dialog, Effect, End, Say, Talk
from dialogs.values import Inbound, Media
from dialogs.walking import Library
from dialogs.ways import Ground

START = datetime(2021, 8, 15, 15, tzinfo=UTC)
PATIENCE = 40  # replies to one question without getting on: stuck
MOST_REPLIES = 4000  # of one person: beyond it the form does not end
WORDS_A_SECOND = 3.0  # read on a telephone
SECONDS = {"text": 20, "audio": 20, "select_multiple": 8, "rank": 12, "integer": 5, "date": 8}
OTHERWISE = 4  # seconds for a tap
EXPLORERS = 60  # people who look for what nobody has reached
COMMANDS = ("ayuda", "atrás", "repetir", "saltar", "menú", "idioma", "hola", "pausa")


@dataclass(slots=True)
class Walk:
    """One simulated person, on the way."""

    talk: Talk
    rng: Random
    planned: Mapping[str, str]  # answers that lead where nobody has been, "" for a skipped one
    begun: datetime
    at: str = ""
    tries: int = 0
    replies: int = 0
    prompts: int = 0
    seconds: float = 0.0
    reached: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of all of them."""

    people: int
    finished: int  # came to an end: their answers are complete, or they did not want to take part
    refused: int
    dead_ends: Mapping[str, int]  # question -> people who did not get past it
    unreached: tuple[str, ...]
    replies: float  # the median of those a person gave
    minutes: float  # the median, reading included
    prompts: float = 0.0  # questions of the consultation proper, the median

    def to_json(self) -> dict[str, Any]:
        return {
            "people": self.people,
            "finished": self.finished,
            "refused": self.refused,
            "dropped_out": self.people - self.finished,
            "dead_ends": sorted(self.dead_ends),
            "stuck": dict(self.dead_ends),
            "unreached": list(self.unreached),
            "replies": self.replies,
            "questions": self.prompts,
            "minutes": round(self.minutes, 1),
        }


def simulate(script: Script, people: int, seed: int, now: datetime = START) -> Result:
    """Let people walk a questionnaire; the same seed gives the same result on the same day."""
    library = Library(lambda _form, _version: script, counting=False)
    ground = ways.ground(script, now)
    to_reach = {question.name: None for question in script.questions if not question.silent}
    stuck, ended = Counter[str](), Counter[str]()
    replies, seconds, prompts = [0], [0.0], [0]
    for number in range(people):
        rng = Random(f"{seed} {number}")  # nosec B311 # dice, not a secret
        careful = number % 2 == 1
        plan = ways.plan(_from(to_reach, rng), ground) if careful else {}
        walk = Walk(Talk(), rng, plan, now)
        end = _walk(walk, script, library, ground.domains, careful=careful)
        for name in walk.reached:
            to_reach.pop(name, None)
        ended[end] += 1
        if end == "stuck":
            stuck[walk.at.partition("#")[0]] += 1
        replies.append(walk.replies)
        seconds.append(walk.seconds)
        prompts.append(walk.prompts)
    _explore(to_reach, seed, script, library, ground, now)
    return Result(
        people=people,
        finished=ended["completed"] + ended["refused"],
        refused=ended["refused"],
        dead_ends=dict(stuck),
        unreached=tuple(name for name in to_reach if not name.endswith(".title")),
        replies=median(replies[1:] or replies),
        minutes=median(seconds[1:] or seconds) / 60,
        prompts=median(prompts[1:] or prompts),
    )


def _explore(
    to_reach: dict[str, None],
    seed: int,
    script: Script,
    library: Library,
    ground: Ground,
    now: datetime,
) -> None:
    """Let further people look for what is left, as long as they find something; uncounted."""
    for number in range(EXPLORERS if to_reach else 0):
        plan = ways.plan(_from(to_reach, Random(f"{seed} +{number}")), ground)  # nosec B311 # dice
        walk = Walk(Talk(), Random(f"{seed} {number}+"), plan, now)  # nosec B311 # dice
        _walk(walk, script, library, ground.domains, careful=True)
        if not walk.reached & to_reach.keys():
            break
        for name in walk.reached:
            to_reach.pop(name, None)


def _from(to_reach: Mapping[str, None], rng: Random) -> Sequence[str]:
    """Questions that nobody has reached, beginning with any of them."""
    names = list(to_reach)
    first = rng.randrange(len(names)) if names else 0
    return [*names[first:], *names[:first]]


def _walk(walk: Walk, script: Script, library: Library, domains: Domains, *, careful: bool) -> str:
    """To the end ("completed", "refused"), or "stuck"."""
    fresh = Dialog(f"s{walk.rng.randrange(10**6)}", script.name, script.version, "SIM-00")
    heard = _inbound(walk, text="hola")
    while walk.replies < MOST_REPLIES:
        walk.talk, effects = engine.hear(walk.talk, heard, library, fresh)
        _read(walk, effects)
        ended = next((effect for effect in effects if isinstance(effect, End)), None)
        if ended is not None:
            passed = ended.dialog.passed
            walk.reached.update(name.partition("#")[0] for name in passed)
            walk.prompts = sum(script.question(name).counted for name in passed)
            return ended.disposition
        asked = moving.asked(walk.talk, library._replace(now=heard.at))
        walk.replies += 1
        if asked is None or walk.talk.stopped:
            if not walk.talk.offered and not walk.talk.stopped:
                return "stuck"
            offered = str(walk.rng.randint(1, max(len(walk.talk.offered), 1)))
            heard = _inbound(walk, text="volver" if walk.talk.stopped else offered)
            continue
        walk.tries = walk.tries + 1 if asked[1].name == walk.at else 0
        walk.at = asked[1].name
        walk.reached.add(asked[1].base)
        if walk.tries > PATIENCE:
            return "stuck"
        heard = _reply(
            walk, asked[0], asked[1], library._replace(now=heard.at), domains, careful=careful
        )
    return "stuck"


def _read(walk: Walk, effects: list[Effect]) -> None:
    for effect in effects:
        if isinstance(effect, Say):
            walk.seconds += len(effect.message.text.split()) / WORDS_A_SECOND


def _reply(
    walk: Walk,
    dialog: Dialog,
    question: Question,
    library: Library,
    domains: Domains,
    *,
    careful: bool,
) -> Inbound:
    rng, dice = walk.rng, walk.rng.random()
    walk.seconds += SECONDS.get(question.type, OTHERWISE)
    if not careful and walk.tries < PATIENCE // 2:
        if dice < 0.05:
            return _inbound(walk, text=examples.odd(rng))
        if dice < 0.09:
            return _inbound(walk, text=rng.choice(COMMANDS))
        if dice < 0.11:
            return replace(_inbound(walk), kind="sticker")
    if walk.tries > 6 and walk.tries % 3 == 0:
        return _inbound(walk, text="saltar")
    if question.type in ("image", "file"):
        return _file(walk, question)
    if question.type == "geopoint" and dice < 0.5:
        return replace(_inbound(walk), kind="location", point=(20.97, -89.62))
    options = walking.options(question, dialog, library)
    value = _planned(walk, question, dice)
    if value is not None:
        return _inbound(walk, text=examples.reply(question, value, options, rng))
    known: Sequence[str] = domains[question.base].values
    if question.constraint is not None and question.constraint.names - {question.base}:
        known = [each for each in known if not walking.fault(question, each, dialog, library)]
    return _inbound(walk, text=examples.good(question, options, known, rng))


def _file(walk: Walk, question: Question) -> Inbound:
    """A photo, or what the question takes instead."""
    if question.accept and "photo" not in question.accept:
        type_ = "application/pdf" if "pdf" in question.accept else "audio/ogg"
        return replace(_inbound(walk), kind="document", media=Media("x", type_))
    return replace(_inbound(walk), kind="photo", media=Media("x", "image/jpeg"))


def _planned(walk: Walk, question: Question, dice: float) -> str | None:
    """What this person means to answer, if it matters: most agree, and few go on and on."""
    if walk.tries >= 3:
        return None
    if question.base in walk.planned:
        return walk.planned[question.base]
    if question.role == "consent" and dice < 0.9:
        return next((each.name for each in question.options if each.name in ("si", "yes")), None)
    return "no" if question.role == REPEAT_ROLE and dice < 0.7 else None


def _inbound(walk: Walk, text: str = "") -> Inbound:
    at = walk.begun + timedelta(seconds=20 * walk.replies)
    return Inbound("simulation", str(walk.replies), "s", "s", at, text=text)
