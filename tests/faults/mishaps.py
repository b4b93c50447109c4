"""How the providers fail: every documented way, chosen by the seed for each call of each chat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bot.twilio_http import ACTIONS
from tests.emulators import telegram, twilio
from tests.emulators.server import Call

SOMETIMES = 0.04  # of all calls
SELDOM = 0.08  # of those: the caller waits 15 seconds for nothing

PASSING: Mapping[str, Mapping[str, Any]] = {
    "telegram": {
        "429": telegram.too_many(1),
        "500": telegram.broken(500),
        "502": telegram.broken(502),
        "500, taken": telegram.broken(500, taken=True),
        "dropped before": telegram.dropped(taken=False),
        "dropped after": telegram.dropped(taken=True),
        "half": telegram.half(),
        "cut": telegram.cut(),
    },
    "whatsapp": {
        "429": twilio.too_many(),
        "500": twilio.broken(500),
        "503": twilio.broken(503),
        "dropped before": twilio.dropped(taken=False),
        "dropped after": twilio.dropped(taken=True),
        "half": twilio.half(),
        "cut": twilio.cut(),
        **{
            code: twilio.refused(int(code), 429 if code == "20429" else 400)
            for code, action in ACTIONS.items()
            if action in ("retry", "slow")
        },
        **{
            f"{code} later": twilio.failed_later(int(code))
            for code, action in ACTIONS.items()
            if action == "retry"
        },
    },
}
OF_THE_LINE = ("429", "500", "dropped before", "dropped after", "cut")  # of whatever is asked
UNCLEAR = ("dropped before", "dropped after", "half", "cut")  # whether it was taken
SILENT: Mapping[str, Sequence[Any]] = {
    "telegram": (telegram.silence(taken=True), telegram.silence(taken=False)),
    "whatsapp": (twilio.silence(taken=True), twilio.silence(taken=False)),
}

# Whoever is called to the forum and cannot be reached, each in another way.
LASTING: Mapping[str, Mapping[str, Any]] = {
    "telegram": {
        "blocked": telegram.blocked(),
        "deactivated": telegram.deactivated(),
        "no such chat": telegram.chat_not_found(),
        "odd": telegram.bad_request("message is too odd"),
    },
    "whatsapp": {
        **{
            code: twilio.refused(int(code))
            for code, action in ACTIONS.items()
            if action in ("stop", "permanent", "author", "hold", "template", "pause")
        },
        **{
            f"{code} later": twilio.failed_later(int(code))
            for code, action in ACTIONS.items()
            if action in ("stop", "permanent", "hold", "template")
        },
    },
}


@dataclass(slots=True)
class Mishaps:
    """What goes wrong on one channel; the same seed does the same to the same chat."""

    channel: str
    seed: int
    on: bool = True
    lasting: dict[str, Any] = field(default_factory=dict)  # chat -> its way to fail, for good
    outage: Any = None  # everybody's calls fail so
    later: set[str] = field(default_factory=set)  # chats of which a message was given up or unclear
    happened: Counter[str] = field(default_factory=Counter)
    _calls: Counter[str] = field(default_factory=Counter)

    def __call__(self, call: Call) -> Any:
        chat = str(call.fields.get("chat_id") or call.fields.get("To", ""))
        if self.outage is not None:
            self.happened["outage"] += 1
            return self.outage
        if chat in self.lasting and call.operation in SENDS:
            self.happened["lasting"] += 1
            return self.lasting[chat]
        return self._passing(call, chat) if self.on else None

    def _passing(self, call: Call, chat: str) -> Any:
        key = f"{call.operation}:{chat}"
        self._calls[key] += 1
        chance = Random(f"{self.seed}:{key}:{self._calls[key]}")
        if chance.random() >= SOMETIMES:
            return None
        if chance.random() < SELDOM:
            self.happened["silence"] += 1
            self.later.add(chat)
            return chance.choice(SILENT[self.channel])
        sends = call.operation in SENDS
        ways = sorted(PASSING[self.channel]) if sends else OF_THE_LINE
        failure = PASSING[self.channel][name := chance.choice(ways)]
        if getattr(failure, "later", None) or name in UNCLEAR:
            self.later.add(chat)
        self.happened[name] += 1
        return failure


SENDS = ("sendMessage", "sendVoice", "CreateMessage")
Chance = Callable[[Call], Any]
