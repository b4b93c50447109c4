"""Traces: what arrives at a receiver tells how long things take, and nothing of anybody."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from bot import tracing
from bot.cli import main
from tests.databases import Postgres
from tests.emulators import telegram as bot_api
from tests.emulators import telegram_people
from tests.listening import SECRETS
from tests.test_machines import KEY, machine
from tests.test_rights import wait_for
from tests.test_serve import bring, environment, free_port
from tests.world import ANA, BETO, PATIENCE, World
from tests.world import world as live


class Receiver(ThreadingHTTPServer):
    """Takes OTLP over HTTP, and keeps it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.bodies: list[bytes] = []

    def spans(self, name: str) -> list[Span]:
        found = map(ExportTraceServiceRequest.FromString, list(self.bodies))
        return [
            span
            for request in found
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
            if span.name == name
        ]


class Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_given: object) -> None:
        """Not to standard error."""


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv(tracing.ENDPOINT, f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")  # milliseconds
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def traced(receiver: Receiver, tmp_path: Path, database_url: str) -> Iterator[World]:
    with live(tmp_path, database_url) as world:
        yield world
        spans = world.parts.desk.spans
        assert isinstance(spans, tracing.Traces)
        spans.provider.shutdown()


def test_a_message_and_its_answers_are_one_trace(traced: World, receiver: Receiver) -> None:
    traced.says("ana", "hola")
    told = len(traced.telegram.history(ANA)) - 1
    wait_for(lambda: len(receiver.spans("heard")) == 1 and len(receiver.spans("sent")) == told)
    [heard] = receiver.spans("heard")
    assert told > 0
    assert {span.trace_id for span in receiver.spans("sent")} == {heard.trace_id}
    assert {span.parent_span_id for span in receiver.spans("sent")} == {heard.span_id}
    traced.says("ana", "es")
    wait_for(lambda: len({span.trace_id for span in receiver.spans("sent")}) == 2)
    traces = [{span.trace_id for span in receiver.spans(name)} for name in ("heard", "sent")]
    assert traces[0] == traces[1]
    wait_for(lambda: bool(receiver.spans("tick")))
    assert heard.start_time_unix_nano < heard.end_time_unix_nano


def test_a_message_that_is_refused_is_marked_by_its_kind(traced: World, receiver: Receiver) -> None:
    traced.telegram.fail(bot_api.blocked(), "sendMessage")
    traced.says("ana", "hola")
    wait_for(lambda: any(s.status.code == Status.STATUS_CODE_ERROR for s in receiver.spans("sent")))
    assert {span.status.message for span in receiver.spans("sent")} == {"Gone"}


def test_nothing_of_anybody_is_in_a_trace(traced: World, receiver: Receiver) -> None:
    for name in ("ana", "beto"):
        traced.answers_until(name, "hola", "es", "si", "3", "Mérida", "sí", "El x0canary, pozo")
        traced.speaks(name)
    traced.says("beto", "stop")
    wait_for(lambda: len(receiver.spans("heard")) == 17)
    heap = b"".join(receiver.bodies)
    ours = {"101", "Ana", "Beto", BETO.number, "+529991112233", "Mérida", "hola", "pozo"}
    assert [each for each in {*SECRETS, *ours} if each.encode() in heap] == []
    every = [span for name in ("heard", "sent", "tick") for span in receiver.spans(name)]
    keys = {pair.key for span in every for pair in span.attributes}
    told = {"channel", "kind", "lane", "attempt"}
    assert keys == {f"consulta.{key}" for key in told}
    assert [event for span in every for event in span.events] == []


def test_two_processes_write_one_trace_and_lose_nothing_at_their_end(
    receiver: Receiver, pg: Postgres, tmp_path: Path
) -> None:
    port, endpoint = free_port(), os.environ[tracing.ENDPOINT]
    with pg.fresh() as url, bot_api.Telegram() as telegram:
        known = environment(
            tmp_path, telegram, CONSULTA_DATABASE_URL=url, CONSULTA_SECRET_KEY=KEY,
            **{tracing.ENDPOINT: endpoint, "OTEL_BSP_SCHEDULE_DELAY": "60000"},
        )  # fmt: skip
        with machine("worker", known), machine("web", known, port):
            bring(port, telegram_people.text(ANA, "hola"))
            telegram.wait(lambda: telegram.texts(ANA), PATIENCE)
            assert receiver.bodies == []
    [heard], sent = receiver.spans("heard"), receiver.spans("sent")
    assert sent
    assert {(span.trace_id, span.parent_span_id) for span in sent} == {
        (heard.trace_id, heard.span_id)
    }


def test_without_an_endpoint_nothing_is_loaded_and_nothing_kept(tmp_path: Path) -> None:
    code = (
        "import sys, webhooks, bot.cli, bot.tracing\n"
        "assert bot.tracing.of({}, None) is bot.tracing.OFF\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'google'))])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_wanted_and_not_installed_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tracing, "NEEDED", ("opentelemetry_that_is_not_there.sdk",))
    known = {"CONSULTA_DATA": str(tmp_path), tracing.ENDPOINT: "http://127.0.0.1:9"}
    for command in ("web", "worker"):
        ran = CliRunner().invoke(main, [command], env=known)
        assert (ran.exit_code, "pip install opentelemetry-sdk" in ran.stderr) == (2, True)
