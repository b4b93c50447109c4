"""The program as an operator starts it: processes of its own, killed and started again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.cli import main
from storage import database
from storage.vault import vault
from tests import databases, listening
from tests.emulators import telegram as provider
from tests.emulators import telegram_people
from tests.emulators.telegram import Telegram
from tests.world import ANA, PATIENCE, SECRET

CONSULTA = Path(sys.executable).with_name("consulta")
TOKEN = "123456:" + "a" * 35


@pytest.fixture
def telegram() -> Iterator[Telegram]:
    with Telegram() as emulator:
        yield emulator
        assert emulator.faults == []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(folder: Path, telegram: Telegram | None = None, **more: str) -> dict[str, str]:
    databases.sqlite(folder)
    known = {"PATH": os.environ["PATH"], "CONSULTA_DATA": str(folder), "LANG": "C.UTF-8", **more}
    if telegram:
        known["CONSULTA_TELEGRAM_TOKEN"] = telegram.token
        known["CONSULTA_TELEGRAM_SECRET"] = SECRET
        known["CONSULTA_TELEGRAM_API"] = telegram.url
        listening.SECRETS.update((telegram.token, SECRET))
    return known


@contextmanager
def started(command: str, port: int, known: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """`consulta COMMAND` answering at a port, in a process group of its own."""
    process = subprocess.Popen(
        [CONSULTA, *command.split()],
        env={**known, "CONSULTA_PORT": str(port)},
        stdout=listening.output(),
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        until = time.monotonic() + 3 * PATIENCE
        while not answers(port):
            assert process.poll() is None, listening.written()
            assert time.monotonic() < until, "it does not answer"
            time.sleep(0.05)
        yield process
    finally:
        end(process, signal.SIGTERM)


def end(process: subprocess.Popen[str], how: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, how)
    process.wait(timeout=3 * PATIENCE)


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def bring(port: int, update: object, host: str = "127.0.0.1", patience: float = PATIENCE) -> int:
    """Post an update as Telegram would."""
    request = urllib.request.Request(
        f"http://{host}:{port}/hooks/telegram",
        json.dumps(update).encode(),
        {"X-Telegram-Bot-Api-Secret-Token": SECRET, "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=patience) as response:
        return int(response.status)


def test_a_question_goes_out_although_the_process_was_killed(
    tmp_path: Path, telegram: Telegram
) -> None:
    port, known = free_port(), environment(tmp_path, telegram)
    with started("serve", port, known) as process:
        bring(port, telegram_people.text(ANA, "hola"))
        telegram.wait(lambda: telegram.texts(ANA), PATIENCE)
        telegram.fail(provider.silence(taken=False), method="sendMessage")
        assert bring(port, telegram_people.text(ANA, "es")) == 200
        telegram.wait(lambda: len(telegram.called("sendMessage")) == 2, PATIENCE)
        end(process, signal.SIGKILL)
    telegram.heal()
    with started("serve", free_port(), known):
        telegram.wait(lambda: "¿Aceptas participar?" in telegram.texts(ANA)[-1], 2 * PATIENCE)


def test_the_program_ends_when_it_is_told_to(tmp_path: Path, telegram: Telegram) -> None:
    port = free_port()
    with started("serve", port, environment(tmp_path, telegram)) as process:
        began = time.monotonic()
        end(process, signal.SIGTERM)
        assert time.monotonic() - began < PATIENCE
        assert process.returncode == 0


def test_polling_needs_no_public_address(tmp_path: Path, telegram: Telegram) -> None:
    process = subprocess.Popen(
        [CONSULTA, "poll"],
        env=environment(tmp_path, telegram),
        stdout=listening.output(),
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        telegram.queue(telegram_people.text(ANA, "hola"))
        telegram.wait(lambda: telegram.texts(ANA), 3 * PATIENCE)
        telegram.queue(telegram_people.text(ANA, "es"))
        telegram.wait(lambda: "¿Aceptas" in telegram.texts(ANA)[-1], PATIENCE)
        assert ("setMyCommands", "") in telegram.settings
    finally:
        end(process, signal.SIGTERM)


def run(*command: str, **known: str) -> tuple[int, str, str]:
    """A command, with its exit code, output and errors."""
    result = CliRunner().invoke(main, command, env=known)
    return result.exit_code, result.stdout, result.stderr


def test_a_database_that_is_behind_is_refused_with_the_command_to_run(tmp_path: Path) -> None:
    known = {"CONSULTA_DATA": str(tmp_path), "CONSULTA_SECRET_KEY": "una clave de prueba"}
    assert run("db", "upgrade", **known)[0] == 0
    engine = database.connect(f"sqlite:///{tmp_path}/consulta.db", vault("una clave de prueba"))
    with database.writing(engine) as db:
        db.exec_driver_sql("UPDATE alembic_version SET version_num = '0004'")
    engine.dispose()
    for command in ("serve", "web", "worker"):
        code, _, errors = run(command, **known)
        assert (code, "consulta db upgrade" in errors) == (2, True), errors


def test_a_database_that_does_not_answer_is_said_in_one_line(tmp_path: Path) -> None:
    away = f"postgresql+psycopg://consulta:secreto@/consulta?host={tmp_path}"
    for command in ("worker", "status"):
        code, _, errors = run(command, CONSULTA_DATA=str(tmp_path), CONSULTA_DATABASE_URL=away)
        assert (code, errors.count("\n")) == (2, 1), errors
        assert "The database does not answer" in errors
        assert "secreto" not in errors


def test_a_database_sealed_with_another_key_is_refused(tmp_path: Path) -> None:
    known = {"CONSULTA_DATA": str(tmp_path)}
    run("db", "upgrade", CONSULTA_SECRET_KEY="una clave de prueba", **known)
    code, _, errors = run("serve", CONSULTA_SECRET_KEY="otra clave de prueba", **known)
    assert code == 2
    assert "CONSULTA_SECRET_KEY" in errors


def test_all_faults_of_the_settings_are_said_at_once(tmp_path: Path) -> None:
    code, _, errors = run(
        "serve",
        CONSULTA_DATA=str(tmp_path),
        CONSULTA_PORT="0",
        CONSULTA_TELEGRAM_RATE="-1",
        CONSULTA_PUBLIC_URL="consulta.mx",
    )
    assert code == 2
    assert {line.partition(":")[0] for line in errors.splitlines()} == {
        "CONSULTA_PORT",
        "CONSULTA_TELEGRAM_RATE",
        "CONSULTA_PUBLIC_URL",
    }


def test_a_port_that_is_taken_is_said_with_another_one(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, errors = run("serve", CONSULTA_DATA=str(tmp_path), CONSULTA_PORT=str(port))
    assert code == 2
    assert f"Port {port} of 127.0.0.1 cannot be used" in errors


def test_a_channel_that_could_take_nothing_in_is_refused(tmp_path: Path) -> None:
    known = {"CONSULTA_DATA": str(tmp_path)}
    code, _, errors = run("serve", CONSULTA_TELEGRAM_TOKEN=TOKEN, **known)
    assert (code, "CONSULTA_TELEGRAM_SECRET" in errors, TOKEN in errors) == (2, True, False)
    code, _, errors = run("serve", CONSULTA_TWILIO_ACCOUNT_SID="AC1", **known)
    assert (code, "CONSULTA_TWILIO_AUTH_TOKEN" in errors) == (2, True)


def test_the_terminal_talks_like_the_rest(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        main, ["chat", "--language", "es"], input="sí\n3\nmerida\nsí\nadiós\n"
    )
    assert result.exit_code == 0
    assert "¿Aceptas participar?" in result.stdout
    assert "3 de 9 · ¿En qué colonia, comisaría o localidad vives?" in result.stdout


def test_the_webhook_is_set_with_its_secret_and_the_bot_introduced(
    tmp_path: Path, telegram: Telegram
) -> None:
    known = environment(tmp_path, telegram, CONSULTA_PUBLIC_URL="https://consulta.example.mx")
    code, out, errors = run("telegram", "set-webhook", **known)
    assert (code, errors) == (0, "")
    assert out.endswith("→ https://consulta.example.mx/hooks/telegram\n")
    assert telegram.webhook["url"] == "https://consulta.example.mx/hooks/telegram"
    assert telegram.webhook["secret_token"] == SECRET
    assert {"setMyCommands", "setMyDescription"} <= {method for method, _ in telegram.settings}
    known = environment(tmp_path, telegram, CONSULTA_PUBLIC_URL="http://consulta.example.mx")
    code, _, errors = run("telegram", "set-webhook", **known)
    assert (code, "https://" in errors) == (2, True)


def test_a_server_holds_nothing_that_it_has_no_use_for(tmp_path: Path) -> None:
    """Memory: migrations and tables of the terminal are for commands, Twilio for WhatsApp.

    And what it holds it holds for good: it is not searched for garbage while people write.
    """
    known = environment(tmp_path)
    assert CliRunner().invoke(main, ["db", "upgrade"], env=known).exit_code == 0
    code = (
        "import gc, runpy, sys\n"
        "runpy.run_module('bot.serving', run_name='__mp_main__')\n"  # as a server's child does
        "import webhooks\n"
        "webhooks.create_app()\n"
        "print(gc.get_freeze_count(), len(gc.get_objects()))\n"
        "print(*{name.split('.')[0] for name, module in sys.modules.items() if module})"
    )
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, env=known, capture_output=True, text=True, check=True)
    needless = {"alembic", "mako", "rich", "pygments", "xlsxwriter", "pyxform", "fsspec"}
    needless |= {"requests", "urllib3", "phonenumbers"}  # Twilio's, WhatsApp's
    needless |= {"segno", "prometheus_client"}  # a page's, and who watches'
    held, loaded = ran.stdout.splitlines()
    kept, searched = map(int, held.split())
    assert needless & set(loaded.split()) == set()
    assert searched < kept / 50


def test_a_child_that_is_stuck_is_ended_with_its_server(tmp_path: Path) -> None:
    port, known = free_port(), environment(tmp_path)
    assert CliRunner().invoke(main, ["db", "upgrade"], env=known).exit_code == 0
    code = f"from bot import serving; serving.PATIENCE = 1; serving.serve('127.0.0.1', {port})"
    with subprocess.Popen(
        [sys.executable, "-c", code], env=known, start_new_session=True
    ) as server:
        wait_until(lambda: answers(port))
        [child] = children(server.pid)
        os.kill(child, signal.SIGSTOP)
        server.terminate()
        server.wait(timeout=PATIENCE)
        assert not Path(f"/proc/{child}").exists()


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in found for child in path.read_text().split()]


def wait_until(done: Callable[[], bool]) -> None:
    until = time.monotonic() + 3 * PATIENCE
    while not done():
        assert time.monotonic() < until
        time.sleep(0.05)
