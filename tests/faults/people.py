"""People who answer the consultation, each waiting for the question before answering it.

A provider brings each call until it is acknowledged, and then perhaps once or twice more, late: so
calls come repeated and in another order.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol
from urllib.parse import urlencode

import aiohttp

from tests.emulators import telegram_people, twilio_people
from tests.emulators.telegram import SECRET_HEADER, Telegram
from tests.emulators.twilio import Callback, Twilio
from tests.world import PUBLIC, SECRET

SILENCE = 150.0  # seconds after which a person writes again that nothing came
COPIES = 3  # at most, of one call
LATE = 4.0  # seconds by which a copy may come later
AGAIN = 0.3  # before a provider tries a failed call again
ANSWER = aiohttp.ClientTimeout(total=30)


@dataclass(frozen=True, slots=True)
class Step:
    """What is asked, and what a person says to it."""

    asked: str  # words by which the question is known
    question: str = ""
    says: str = ""  # {n}: the person's number
    button: str = ""
    value: str = ""  # as it is stored; nothing for an open question
    spoken: bool = False  # may also be said in a voice note


STEPS = (
    Step("¿En qué idioma quieres", "idioma", "Español", "Español", "es"),
    Step("Antes de empezar"),
    Step("¿Aceptas participar?", "consiente", "si", "Sí, acepto", "si"),
    Step("¿Qué edad tienes?", "edad_rango", "3", "30 a 44", "30_44"),
    Step("¿En qué municipio vives?", "municipio", "Mérida", value="31050"),
    Step("¿podemos guardarla", "consiente_voz", "sí", "Sí", "si"),
    Step("¿En qué colonia", "localidad", "Colonia número {n}"),
    Step("Las tres preguntas", "consiente_sensible", "no", "Prefiero no", "no"),
    Step("los más urgentes", "temas", "agua, salud", value="agua salud"),
    Step("¿Y cuál es el primero?", "prioridad", "agua", "Agua", "agua"),
    Step("Cuéntanos el problema", "problema", "Falta agua en la calle {n} desde mayo", spoken=True),
    Step("¿has buscado información", "causa_info", "2", "No la encontré", "no_encontre"),
    Step("¿Qué lo impidió?", "barrera", "1", value="no_existe"),
    Step("¿Qué propones", "solucion", "Que arreglen la bomba {n} del pozo", spoken=True),
    Step("¿Podemos citar", "consiente_cita", "no", "No", "no"),
    Step("¿Has participado antes", "participo", "3", "No", "no"),
    Step("¿Cómo quieres seguir", "como_participar", "4", value="no"),
    Step("¿Quieres que te contemos", "consiente_respuesta", "2", "No", "no"),
    Step("Gracias. Tu folio es"),
)
TURNS = sum(bool(step.says) for step in STEPS) + 1


class Heard(Protocol):
    """What both emulators' messages have in common."""

    @property
    def text(self) -> str: ...


@dataclass(slots=True)
class Person:
    """One person: what they were told, and what of theirs was acknowledged."""

    number: int
    channel: str
    who: Any
    told: list[Any] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    acknowledged: dict[str, tuple[str, str]] = field(default_factory=dict)  # value, words
    nudges: list[float] = field(default_factory=list)  # of time.monotonic()

    @property
    def chat(self) -> str:
        on_telegram = self.channel == "telegram"
        return str(self.who.id) if on_telegram else f"whatsapp:{self.who.number}"


@dataclass(slots=True)
class Line:
    """The way from the providers to the program: it insists, repeats and reorders."""

    session: aiohttp.ClientSession
    ports: Sequence[int]
    rng: Random
    telegram: Telegram
    twilio: Twilio
    late: set[asyncio.Task[None]] = field(default_factory=set)
    acknowledged: int = 0
    answers: Counter[int] = field(default_factory=Counter)  # statuses; 0: the line broke
    waits: list[float] = field(default_factory=list)

    async def bring(self, person: Person, update: Mapping[str, Any]) -> None:
        """Until it is acknowledged; copies may race with it, or come long after it."""
        if person.channel == "telegram":
            self.telegram.saw(dict(update))
            call = ("/hooks/telegram", {"json": update, "headers": {SECRET_HEADER: SECRET}})
        else:
            form = dict(update)
            self.twilio.saw(form)
            call = ("/hooks/whatsapp", signed(f"{PUBLIC}/hooks/whatsapp", form))
        await self.insist(*call)
        self.acknowledged += 1

    async def tell(self, callback: Callback) -> None:
        given = {"data": urlencode(callback.form), "headers": dict(callback.headers)}
        await self.insist("/hooks/whatsapp", given)

    async def insist(self, path: str, given: Mapping[str, Any]) -> None:
        for _ in range(self.rng.randrange(COPIES)):
            self.later(self._copy(path, given, self.rng.choice((0.0, self.rng.random() * LATE))))
        while await self._post(path, given) != 200:
            await asyncio.sleep(AGAIN)

    def later(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self.late.add(task)
        task.add_done_callback(self.late.discard)

    async def _copy(self, path: str, given: Mapping[str, Any], after: float) -> None:
        await asyncio.sleep(after)
        await self._post(path, given)

    async def _post(self, path: str, given: Mapping[str, Any]) -> int:
        url = f"http://127.0.0.1:{self.rng.choice(self.ports)}{path}"
        try:
            async with self.session.post(url, timeout=ANSWER, **given) as answer:
                await answer.read()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            status = 0
        self.answers[status] += 1
        return status


def signed(url: str, form: Mapping[str, str]) -> dict[str, Any]:
    headers = twilio_people.signed(url, form)
    return {"data": urlencode(form), "headers": headers}


@dataclass(slots=True)
class Crowd:
    """Everybody who answers; `pump` brings them what the emulators were told to say."""

    people: Sequence[Person]
    line: Line
    rng: Random
    finished: int = 0
    read: list[int] = field(default_factory=lambda: [0, 0])
    ended: bool = False

    async def pump(self) -> None:
        known = {person.chat: person for person in self.people}
        while not self.ended:
            for place, emulator in enumerate((self.line.telegram, self.line.twilio)):
                calls = emulator.calls[self.read[place] :]
                self.read[place] += len(calls)
                for chat in {_chat(call) for call in calls if call.taken} & known.keys():
                    _bring_news(known[chat], self.line)
            for callback in shuffled(self.rng, self.line.twilio.callbacks(read=True)):
                self.line.later(self.line.tell(callback))
            await asyncio.sleep(0.1)

    async def converse(self, person: Person) -> None:
        await self.line.bring(person, _text(person, "hola"))
        for step in STEPS:
            seen = await self._sees(person, step)
            if step.says:
                began = time.monotonic()
                await self._answer(person, step, seen)
                self.line.waits.append(time.monotonic() - began)
        self.finished += 1

    async def _sees(self, person: Person, step: Step) -> Any:
        """The message that asks it; after a long silence the person writes again."""
        until = time.monotonic() + SILENCE
        while True:
            for seen in person.told:
                if step.asked in seen.text:
                    return seen
            person.news.clear()
            try:
                async with asyncio.timeout(max(until - time.monotonic(), 0.1)):
                    await person.news.wait()
            except TimeoutError:
                person.nudges.append(time.monotonic())
                until = time.monotonic() + SILENCE
                await self.line.bring(person, _text(person, "repetir"))

    async def _answer(self, person: Person, step: Step, seen: Any) -> None:
        words = step.says.format(n=person.number)
        pressed = self.rng.random() < 0.5 and step.button and _press(self.line, person, step, seen)
        if pressed:
            update, words = pressed, step.button
        elif step.spoken and self.rng.random() < 0.1:
            update, words = _voice(self.line, person), ""
        else:
            update = _text(person, words)
        await self.line.bring(person, update)
        person.acknowledged[step.question] = (step.value, words)


def shuffled(rng: Random, found: Sequence[Callback]) -> list[Callback]:
    return rng.sample(list(found), len(found))


def _chat(call: Any) -> str:
    return str(call.fields.get("chat_id") or call.fields.get("To", ""))


def _bring_news(person: Person, line: Line) -> None:
    emulator: Any = line.telegram if person.channel == "telegram" else line.twilio
    person.told = [seen for seen in emulator.history(person.who) if seen.sender == "bot"]
    person.news.set()


def _text(person: Person, words: str) -> Any:
    kind: Any = telegram_people if person.channel == "telegram" else twilio_people
    return kind.text(person.who, words)


def _voice(line: Line, person: Person) -> Any:
    if person.channel == "telegram":
        return telegram_people.voice(person.who)
    return twilio_people.voice(person.who, api=line.twilio.url)


def _press(line: Line, person: Person, step: Step, seen: Any) -> Any:
    """A press of the button with that label, if the message has one."""
    on_telegram = person.channel == "telegram"
    labels = (
        [button.text for button in seen.buttons]
        if on_telegram
        else [choice.title for choice in seen.choices]
    )
    if step.button not in labels:
        return None
    place = labels.index(step.button)
    emulator: Any = line.telegram if on_telegram else line.twilio
    return emulator.press(person.who, place, seen)


def crowd(count: int, first: int, whatsapp: float, rng: Random) -> list[Person]:
    """So many people, some of them on WhatsApp."""
    made = []
    for number in range(first, first + count):
        if rng.random() < whatsapp:
            who: Any = twilio_people.Person(f"+521{9990000000 + number}", f"P{number}")
            made.append(Person(number, "whatsapp", who))
        else:
            made.append(Person(number, "telegram", telegram_people.Person(number, f"P{number}")))
    return made
