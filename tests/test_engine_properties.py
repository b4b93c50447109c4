"""The engine as a state machine: whatever people do, it answers, and its state stays whole."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dialogs import engine, script, state, stopping, walking
from dialogs.questions import Script
from dialogs.state import Dialog, Effect, Erase, Keep, Return, Revoke, Say, Stop, Talk, Tell
from dialogs.values import Inbound, Media
from dialogs.walking import Library

FORM = Path(script.__file__).parent / "forms" / "consulta.md"
NOW = datetime(2027, 6, 28, 15, 0, tzinfo=UTC)
DEEP = bool(os.environ.get("CONSULTA_DEEP"))
SAID = (
    *("hola", "sí", "no", "1", "2", "3", "99", "1, 3", "todas", "Mérida", "tixcocob", "saltar"),
    *("atrás", "repetir", "ayuda", "menú", "idioma", "pausa", "seguir", "corregir", "permisos"),
    *(
        "mis datos",
        "borrar mis datos",
        "baja",
        "ya no me escriban",
        "volver",
        "no más invitaciones",
    ),
    *("invitaciones", "no más foros temáticos"),
    *("maya", "español", "El pozo del pueblo está seco desde marzo", "ja' mina'an", "🙂", " "),
)
FORGED = r"d[0-9]{1,2}\.[0-9]{1,2}(#[0-9])?\.([0-9]{1,3}|ok|again|fix)"
KINDS = ("photo", "sticker", "video", "document", "contact", "poll", "edited", "other", "start")


@cache
def consulta() -> Script:
    return script.read(FORM)


LIBRARY = Library(lambda _form, _version: consulta(), {"aviso_url": "https://x.mx/aviso"})


class Anybody(RuleBasedStateMachine):
    """One person who does anything at all, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.talk, self.number = Talk(), 0
        self.buttons: list[str] = []
        self.kept: dict[tuple[str, str], str] = {}

    def hear(self, **given: object) -> Sequence[Effect]:
        self.number += 1
        inbound = Inbound("story", str(self.number), "yo", "yo", NOW, **given)  # type: ignore[arg-type]
        fresh = Dialog(f"d{self.number}", "consulta", 1, f"ABC-{self.number:03}")
        before = self.talk
        self.talk, effects = engine.hear(before, inbound, LIBRARY, fresh)
        again, same = engine.hear(before, inbound, LIBRARY, fresh)
        assert (again, same) == (self.talk, effects)  # it is a function
        self.read(effects)
        return effects

    def read(self, effects: Sequence[Effect]) -> None:
        said = [each for each in effects if isinstance(each, Say | Tell | Erase)]
        assert said, "a dead end: nothing was said"
        for each in said:
            if isinstance(each, Say):
                assert each.message.text.strip() or each.message.choices
                self.buttons += [choice.payload for choice in each.message.choices]
            if isinstance(each, Tell):
                self.buttons += [choice.payload for choice in each.choices]
        assert all(len(payload.encode()) <= 64 for payload in self.buttons[-20:])
        if any(isinstance(each, Erase) for each in effects):
            assert self.talk == Talk()
            assert len(effects) == 1

    @rule(text=st.sampled_from(SAID))
    def says_something_likely(self, text: str) -> None:
        was = self.talk.stopped
        effects = self.hear(text=text)
        if stopping.asked(text) == "stop":
            assert self.talk.stopped
            assert any(isinstance(each, Stop) for each in effects) is not was

    @rule(text=st.text(max_size=80))
    def says_anything(self, text: str) -> None:
        self.hear(text=text)

    @precondition(lambda self: self.buttons)
    @rule(data=st.data())
    def presses_a_button_however_old(self, data: st.DataObject) -> None:
        self.hear(kind="button", payload=data.draw(st.sampled_from(self.buttons)), pressed="1")

    @rule(payload=st.one_of(
        st.text(max_size=20),
        st.from_regex(FORGED, fullmatch=True),
        st.from_regex(r"!(erase_yes|revoke_[a-z]{1,8}|stop|permits|nada)", fullmatch=True),
        st.sampled_from(("=es", "=yua", "=stay", "=xx", "#1", ".", "..", "!forums",
                         "!forums_focus")),
    ))  # fmt: skip
    def presses_a_forged_button(self, payload: str) -> None:
        self.hear(kind="button", payload=payload or "x", pressed="1")

    @rule(kind=st.sampled_from(KINDS), text=st.sampled_from(("", "mira", "stop")))
    def sends_what_is_no_text(self, kind: str, text: str) -> None:
        self.hear(kind=kind, text=text)

    @rule()
    def speaks(self) -> None:
        self.hear(kind="voice", media=Media("voz.ogg", "audio/ogg"))

    @rule(lat=st.floats(-90, 90), lon=st.floats(-180, 180))
    def is_somewhere(self, lat: float, lon: float) -> None:
        self.hear(kind="location", point=(lat, lon))

    @precondition(lambda self: self.talk.stopped)
    @rule()
    def comes_back(self) -> None:
        effects = self.hear(text="volver")
        assert not self.talk.stopped
        assert any(isinstance(each, Return) for each in effects)

    @precondition(lambda self: self.talk.stopped)
    @rule(text=st.sampled_from(("mis datos", "permisos", "borrar mis datos", "ayuda")))
    def has_every_right_when_stopped(self, text: str) -> None:
        effects = self.hear(text=text)
        assert self.talk.stopped
        assert not any(isinstance(each, Keep | Revoke) for each in effects)

    @invariant()
    def the_state_goes_through_json(self) -> None:
        written = json.dumps(state.to_json(self.talk))
        assert state.from_json(json.loads(written)) == self.talk

    @invariant()
    def what_counts_is_relevant(self) -> None:
        for dialog in (*self.talk.dialogs, *self.talk.closed):
            for name in dialog.answers:
                assert walking.relevant(consulta().question(name), dialog, LIBRARY), name
            for name in dialog.aside:
                assert name not in dialog.answers

    @invariant()
    def who_is_asked_can_answer(self) -> None:
        top = self.talk.top
        if top and top.at:
            assert consulta().question(top.at).asked
            assert walking.relevant(consulta().question(top.at), top, LIBRARY)


Anybody.TestCase.settings = settings(
    max_examples=600 if DEEP else 40,
    stateful_step_count=60 if DEEP else 30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestAnybody = Anybody.TestCase


def test_after_a_refusal_no_old_button_tells_anything() -> None:
    person = Anybody()
    for said in ("hola", "es", "si", "1"):
        person.hear(text=said)
    person.hear(kind="button", payload="d1.2.1")
    effects = person.hear(kind="button", payload="d1.4.0")
    assert not any(isinstance(each, Keep) for each in effects)


def test_who_says_stop_before_anything_else_may_come_back() -> None:
    person = Anybody()
    person.hear(text="stop")
    assert person.talk.stopped
    assert not person.hear(text="mis datos")[1:]
    assert isinstance(person.hear(text="volver")[0], Return)
    assert not person.talk.stopped
