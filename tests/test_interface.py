"""The description of our HTTP interface, held against the program; and calls made from it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as trying
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance
from sqlalchemy import select

from bot import rights
from storage import forums, schema
from storage.database import vault_of, writing
from storage.forums import Place, Plan
from tests.emulators import samples, telegram_people, twilio_people
from tests.hostile import HOOK, TOKEN, WHATSAPP, Siege, siege
from tests.world import SECRET, START
from webhooks import hooks

FILE = Path(__file__).parents[1] / "docs" / "openapi.yaml"
SCHEMA = schemathesis.openapi.from_path(FILE)
CALLS = {call.ok().label: call.ok() for call in SCHEMA.get_all_operations()}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance]
FOR_ORGANIZERS = {
    *("access", "today", "plan", "forms", "translators", "tracker", "participation", "forums"),
    *("messages", "rights", "accounts", "entrances"),
}
VARIABLE = re.compile(r"<(?:\w+:)?")  # as Flask writes it
NEVER_RIGHT = {
    "POST /entrar",
    "GET /media/{name}",
    "GET /chat/media/{name}",
}  # nobody guesses a password or a file
TRIES = int(os.environ.get("CONSULTA_CALLS", "10"))  # of each route; more by hand
FORUM = "elforo"
CHAT_TOKEN = "una-pagina-abierta"


@dataclass(frozen=True, slots=True)
class There:
    """The program without any provider, one person's link, and a forum."""

    siege: Siege
    client: FlaskClient
    token: str

    def prove(self, case: Case) -> None:
        """Call as a provider, the page or the person would."""
        case.headers.update({"X-Telegram-Bot-Api-Secret-Token": SECRET, "X-CSRF-Token": CHAT_TOKEN})
        if case.path.startswith("/mis-datos"):
            case.path_parameters = {"token": self.token}
        if case.path.startswith("/aviso"):
            case.path_parameters = {"version": 1}
        if case.path.startswith("/ics"):
            case.path_parameters = {"token": FORUM}
        if case.path == "/chat/voice" and isinstance(case.body, dict):
            case.body["file"] = samples.OGG
        if case.path == "/hooks/whatsapp":
            given = case.body if isinstance(case.body, dict) else {}
            case.body = {key: str(value) for key, value in given.items()}
            case.query = {}
            case.headers.update(twilio_people.signed(WHATSAPP, case.body, TOKEN))


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    """Forms are taken without their token, to get further than it lets strangers."""
    with siege(tmp_path_factory.mktemp("interface"), seed=1) as made:
        made.app.config["WTF_CSRF_ENABLED"] = False
        client = made.app.test_client()
        with client.session_transaction() as session:
            session.update(chat="alguien", csrf=CHAT_TOKEN)
        update = telegram_people.text(telegram_people.Person(7), "hola")
        made.post("/hooks/telegram", json.dumps(update), HOOK)
        with writing(made.parts.engine) as db:
            pseudonym = db.scalar(select(schema.people.c.pseudonym)) or ""
            link = rights.own_link(made.parts.desk.library, vault_of(db), pseudonym, made.now)
            plan = Plan("agua", "thematic", START, START, None, {"es": "Agua"}, {}, Place("Aquí"))
            forums.add(db, plan, (FORUM, "DOOR01"), made.now)
        yield There(made, client, link.rpartition("/")[2])


def test_every_route_that_needs_no_sign_in_is_described(there: There) -> None:
    """And nothing that is not there."""
    app = there.siege.app
    routes = {
        f"{method} {VARIABLE.sub('{', rule.rule).replace('>', '}')}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) & {"GET", "POST"}
        if rule.endpoint != "static"
        and (rule.endpoint.partition(".")[0] not in FOR_ORGANIZERS or rule.rule == "/entrar")
    }
    assert routes | {f"POST {path}" for path in hooks.HOOKS} == set(CALLS)


@pytest.mark.parametrize("label", CALLS)
def test_whatever_is_called_is_answered_as_described(there: There, label: str) -> None:
    """Calls as they should be and calls as they should not, without and with what proves them."""
    app, client = there.siege.app, there.client
    seen: set[int] = set()

    def calls(proven: bool) -> None:
        @trying(
            max_examples=TRIES, derandomize=True, database=None, deadline=None,
            phases=(Phase.generate,), suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=cases(label))
        def call(case: Case) -> None:
            if proven:
                there.prove(case)
            answer = case.call(app=app, session=client)
            case.validate_response(answer, checks=CHECKS)
            seen.add(answer.status_code)

        call()

    for proven in (False, True):
        calls(proven)
    assert there.siege.failed() == []
    assert label in NEVER_RIGHT or min(seen) < 400


def cases(label: str) -> Any:
    return st.one_of(*(CALLS[label].as_strategy(generation_mode=mode) for mode in GenerationMode))
