"""A siege: hostile calls at the real program, in this process, and people in the midst of them.

Half of the calls are nearly what a provider would bring, the rest nothing like it; some are
forged, repeated or enormous. The people answer the shipped consultation, and everything that
was acknowledged to them is held against the database.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from sqlalchemy import func, select

from bot import erasure, wiring
from bot.settings import SecretStr
from bot.wiring import Parts
from dialogs import moving
from storage import answers, outbox, people, schema
from storage.database import reading, writing
from tests import databases
from tests.emulators import telegram_people, twilio_people
from tests.world import PUBLIC, SECRET, START, settings
from webhooks import create_app

HOOK = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
WHATSAPP = f"{PUBLIC}/hooks/whatsapp"
TOKEN = "f" * 32
ENEMIES = 50  # on each channel
APART = 12.0  # seconds between two calls, at most: enemies are not always cut off by their pace
ROUND = 200  # calls, after which what is due goes out and what is over its time goes away
REFUSED = {401, 403, 413}
KEYS_TEXT = (
    "update_id message edited_message callback_query my_chat_member chat from id text type voice "
    "file_id data entities location latitude longitude photo sticker poll contact date caption "
    "message_id first_name document new_chat_member status reply_to_message forward_origin x"
)
KEYS = KEYS_TEXT.split()
FIELDS_TEXT = (
    "MessageSid SmsSid MessageStatus From To Body NumMedia MediaUrl0 MediaContentType0 Latitude "
    "Longitude ButtonPayload ListId OriginalRepliedMessageSid ErrorCode ProfileName WaId x"
)
FIELDS = FIELDS_TEXT.split()
WORDS = (
    *("hola", "es", "si", "no", "1", "2", "menú", "atrás", "saltar", "idioma", "borrar mis datos"),
    *("baja", "volver", "mis datos", "permisos", "corregir", "ya no me inviten", "Mérida"),
    *("invitaciones", "no más foros temáticos", "2", "sí"),
    *("\x00", "\ud800", "'; DROP TABLE people; --", "=cmd|' /C calc'!A0", "<script>alert(1)"),
    *("{{7*7}}", "%s%n%x", "../../etc/passwd", "𝕳𝖔𝖑𝖆" * 60, "x" * 5000, "\u202e" + "אבג"),
)


@dataclass(slots=True)
class Time:
    """What the program takes for the time; the siege moves it on."""

    now: datetime = START


@dataclass(slots=True)
class Siege:
    """The program under attack, as one of those at its gates sees it."""

    parts: Parts
    app: Flask
    rng: Random
    time: Time
    seen: Counter[int] = field(default_factory=Counter)
    last: tuple[str, Any, Mapping[str, str]] | None = None  # the call before, to be repeated
    honest: Honest | None = None
    kept: int = 0  # answers of honest people that were held against the database
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(10**6, 10**7)))

    @property
    def now(self) -> datetime:
        return self.time.now

    def beside(self, number: int) -> Siege:
        """Another one at the gates of the same program, in a thread of its own; 1 to 9."""
        numbers = iter(range(number * 10**7, (number + 1) * 10**7))
        dice = Random(self.rng.random())
        return Siege(self.parts, self.app, dice, self.time, numbers=numbers)

    def call(self) -> None:
        """One more call, hostile or honest."""
        self.time.now += timedelta(seconds=self.rng.random() * APART)
        if self.rng.random() < 0.03:
            self._honestly()
            return
        how = self.rng.choice((_telegram, _telegram, _whatsapp, _whatsapp, _other))
        path, body, headers = how(self.rng)
        if self.last and self.rng.random() < 0.03:
            path, body, headers = self.last  # it comes again
        self.last = (path, body, headers)
        self.seen[self.post(path, body, headers)] += 1
        if sum(self.seen.values()) % ROUND == 0:
            self.work()

    def post(self, path: str, body: Any, headers: Mapping[str, str]) -> int:
        """The status of the answer. The call is made as a server makes it: a test client would
        cost a third of the time."""
        status: list[int] = []
        environ = _environ(path, body, headers)
        answer = self.app(environ, lambda line, *_: status.append(int(line[:3])))
        with closing(answer):
            for _ in answer:
                pass
        return status[-1]

    def work(self) -> None:
        """What the delivery and the clock do: what is due goes out, what is over goes away."""
        engine = self.parts.engine
        with writing(engine) as db:
            while letters := outbox.claim(db, ("telegram", "whatsapp"), self.now, 500):
                given = [(each.id, f"{each.channel}-{each.id}", self.now) for each in letters]
                outbox.sent_many(db, given)
        erasure.finish(engine, self.parts.settings.data, self.parts.post.media, self.now)
        while wiring.let_go(engine, self.now):
            pass

    def _honestly(self) -> None:
        if self.honest is None:
            self.honest = Honest(next(self.numbers), self.rng.random() < 0.5)
        if not self.honest.goes_on(self):
            self.kept += self.honest.all_kept(self)
            self.honest = None

    def failed(self) -> list[str]:
        """Where the program failed by its own fault; its messages are kept, but it is a bug."""
        inbox = schema.inbox
        with reading(self.parts.engine) as db:
            return list(db.scalars(select(inbox.c.error).where(inbox.c.state == "failed")))

    def rows(self) -> dict[str, int]:
        """How many rows each table holds."""
        with reading(self.parts.engine) as db:
            count = {table.name: select(func.count()).select_from(table)
                     for table in schema.metadata.sorted_tables}  # fmt: skip
            return {name: db.scalar(one) or 0 for name, one in count.items()}


def _environ(path: str, body: Any, headers: Mapping[str, str]) -> dict[str, Any]:
    """A call as PEP 3333 has it; `body` is a form, text or bytes."""
    if isinstance(body, Mapping):
        headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        body = urlencode(body)
    data = body.encode() if isinstance(body, str) else body
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    return {
        **environ,
        "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "",
        "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1", "CONTENT_LENGTH": str(len(data)),
        "CONTENT_TYPE": headers.get("Content-Type", ""),
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": BytesIO(data),
        "wsgi.errors": sys.stderr, "wsgi.multithread": True, "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }  # fmt: skip


@dataclass(slots=True)
class Honest:
    """Somebody who takes part while the enemies are at it, and what they were told was kept."""

    number: int
    on_telegram: bool
    said: dict[str, str] = field(default_factory=dict)  # by question
    begun: bool = False

    def goes_on(self, siege: Siege) -> bool:
        """Answer what is asked; False once nothing is asked any more."""
        question = self._asked(siege)
        if question is None and self.begun:
            return False
        words = "hola" if question is None else self._words(question, siege.rng)
        status = self._send(siege, words)
        assert status == 200, f"an honest message was answered {status}"
        if question is not None and question.role != "language":  # kept in its own words
            self.said[question.name] = words
        self.begun = self.begun or self._asked(siege) is not None
        return True

    def _words(self, question: Any, rng: Random) -> str:
        if question.role == "consent":
            return "1"
        if question.role == "municipality":
            return "Mérida"
        if question.type == "text":
            return f"respuesta honrada número {rng.randrange(10**9)} de {self.number}"
        return "1" if question.type == "select_multiple" else rng.choice(("1", "2"))

    def _asked(self, siege: Siege) -> Any:
        with reading(siege.parts.engine) as db:
            person = people.find(db, *self._who())
        asked = moving.asked(person.talk, siege.parts.desk.library) if person else None
        return asked[1] if asked else None

    def _who(self) -> tuple[str, str]:
        return ("telegram", str(self.number)) if self.on_telegram else ("whatsapp", self._phone())

    def _phone(self) -> str:
        return f"+5299{self.number:08d}"

    def _send(self, siege: Siege, words: str) -> int:
        siege.time.now += timedelta(seconds=5)
        if self.on_telegram:
            update = telegram_people.text(telegram_people.Person(self.number), words)
            return siege.post("/hooks/telegram", json.dumps(update), HOOK)
        form = twilio_people.text(twilio_people.Person(self._phone()), words)
        return siege.post("/hooks/whatsapp", form, twilio_people.signed(WHATSAPP, form, TOKEN))

    def all_kept(self, siege: Siege) -> int:
        """How many answers were kept; each is there once, to the letter."""
        with reading(siege.parts.engine) as db:
            person = people.find(db, *self._who())
            assert person is not None
            rows = answers.of_person(db, person.id)
        kept = {row["question"]: row["said"] for row in rows if row["question"] in self.said}
        assert kept == self.said, f"{self.number} said {self.said}, kept is {kept}"
        assert len({row["question"] for row in rows}) == len(rows)
        return len(kept)


@contextmanager
def siege(folder: Path, seed: int, url: str = "") -> Iterator[Siege]:
    """The program, its clock in the siege's hands. No provider is there: what goes out is noted."""
    known = settings(
        folder, public_url=PUBLIC, database_url=url or databases.sqlite(folder), chat=True,
        telegram_token=SecretStr("1:x"), telegram_secret=SecretStr(SECRET),
        twilio_account_sid="AC" + "0" * 32, twilio_auth_token=SecretStr(TOKEN),
        whatsapp_from="whatsapp:+5219990000000",
    )  # fmt: skip
    time = Time()
    parts = wiring.build(known, clock=lambda: time.now, rng=Random(seed), channels={})
    try:
        yield Siege(parts, create_app(known, parts), Random(seed), time)
    finally:
        parts.engine.dispose()


# what is sent


def hostile(rng: Random, deep: int = 3) -> Any:
    """Something that is nearly an update, or nothing like one."""
    shape = rng.randrange(deep + 1)
    leaf: list[Callable[[], Any]] = [
        lambda: None,
        lambda: rng.choice((True, False)),
        lambda: rng.randrange(-(2**70), 2**70),
        lambda: rng.random() * 10 ** rng.randrange(-300, 300),
        lambda: "".join(chr(rng.randrange(1, 0xD7FF)) for _ in range(rng.randrange(40))),
        lambda: rng.choice(WORDS),
    ]
    if shape == 0:
        return rng.choice(leaf)()
    if shape == 1:
        return [hostile(rng, deep - 1) for _ in range(rng.randrange(4))]
    return {rng.choice(KEYS): hostile(rng, deep - 1) for _ in range(rng.randrange(6))}


def damaged(rng: Random, update: Any) -> Any:
    """A real update in which something is not as it should be."""
    if isinstance(update, dict):
        return {
            key: hostile(rng) if rng.random() < 0.06 else damaged(rng, value)
            for key, value in update.items()
            if rng.random() > 0.03
        }
    return [damaged(rng, each) for each in update] if isinstance(update, list) else update


def _update(rng: Random) -> Any:
    person = telegram_people.Person(rng.randrange(1, ENEMIES))
    say, press = rng.choice(WORDS), rng.choice(WORDS)
    return rng.choice((
        lambda: telegram_people.text(person, say),
        lambda: telegram_people.text(person, say),
        lambda: telegram_people.start(person, say),
        lambda: telegram_people.pressed(person, press, rng.randrange(10**6)),
        lambda: telegram_people.voice(person, size=rng.choice((None, 0, -1, 2**40))),
        lambda: telegram_people.photo(person, say),
        lambda: telegram_people.location(person, rng.uniform(-1e9, 1e9), rng.uniform(-200, 200)),
        lambda: telegram_people.edited(person, rng.randrange(10**6), say),
        lambda: telegram_people.in_group(person, say),
        lambda: telegram_people.channel_post(say),
        lambda: telegram_people.poll(person),
        lambda: telegram_people.blocked(person),
        lambda: telegram_people.unblocked(person),
    ))()  # fmt: skip


def _telegram(rng: Random) -> tuple[str, Any, Mapping[str, str]]:
    dice = rng.random()
    if dice < 0.2:
        update = hostile(rng)
    else:
        update = _update(rng) if dice < 0.5 else damaged(rng, _update(rng))
    body = json.dumps(update).encode()[: rng.choice((None, None, None, None, rng.randrange(300)))]
    if rng.random() < 0.01:
        body = b'{"a":' * rng.randrange(10**5) + b"1"  # deeper than any parser goes
    if rng.random() < 0.02:
        body = rng.randbytes(rng.randrange(400))
    forged = {"X-Telegram-Bot-Api-Secret-Token": rng.choice(("", "x", SECRET[:-1], SECRET + "x"))}
    return "/hooks/telegram", body, forged if rng.random() < 0.05 else HOOK


def _form(rng: Random) -> dict[str, str]:
    person = twilio_people.Person(f"+52199911{rng.randrange(10000, 10000 + ENEMIES)}")
    say, message = rng.choice(WORDS), f"whatsapp-{rng.randrange(10**4)}"
    states = ("queued", "sent", "delivered", "read", "failed", "undelivered", "canceled", "x")
    return rng.choice((
        lambda: twilio_people.text(person, say),
        lambda: twilio_people.text(person, say),
        lambda: twilio_people.voice(person),
        lambda: twilio_people.photo(person, say),
        lambda: twilio_people.tapped(person, f"#{rng.randrange(-2, 9)}", say, message),
        lambda: twilio_people.picked(person, say, say, message),
        lambda: twilio_people.location(person, rng.uniform(-1e9, 1e9), rng.uniform(-200, 200)),
        lambda: twilio_people.status(message, person.number, rng.choice(states), 63016),
    ))()  # fmt: skip


def _whatsapp(rng: Random) -> tuple[str, Any, Mapping[str, str]]:
    form = {
        str(key): str(hostile(rng)) if rng.random() < 0.08 else value
        for key, value in _form(rng).items()
        if rng.random() > 0.03
    }
    if rng.random() < 0.2:
        form = {rng.choice(FIELDS): str(hostile(rng)) for _ in range(rng.randrange(12))}
    form = {key: value.encode("utf-8", "replace").decode() for key, value in form.items()}
    headers: Mapping[str, str] = twilio_people.signed(WHATSAPP, form, TOKEN)
    if rng.random() < 0.05:
        words = str(hostile(rng)).encode("ascii", "ignore").decode()
        headers = {"X-Twilio-Signature": "".join(sign for sign in words if sign.isprintable())}
    return "/hooks/whatsapp", form, headers


def _other(rng: Random) -> tuple[str, Any, Mapping[str, str]]:
    """What is for nobody, or for somebody else."""
    body = json.dumps(hostile(rng)).encode()
    if rng.random() < 0.002:
        body = b"x" * 1_000_001
    path = rng.choice(("/hooks/telegram", "/hooks/whatsapp", "/chat/say", "/entrar"))
    kind = rng.choice(("application/json", "application/x-www-form-urlencoded", "text/plain",
                       "multipart/form-data; boundary=x"))  # fmt: skip
    headers = {"Content-Type": kind, "X-CSRF-Token": rng.choice(("", "x"))}
    return path, body, {**headers, **(HOOK if rng.random() < 0.5 else {})}
