"""How an operator sees that all is well, or is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from click.testing import CliRunner

from bot import wiring
from bot.cli import main
from storage import database
from tests import listening
from tests.emulators import telegram as provider
from tests.world import PATIENCE, World, settings
from webhooks import create_app


def test_a_delivery_that_dies_or_stands_still_is_noticed(tmp_path: Path) -> None:
    noticed = threading.Event()
    parts = wiring.build(settings(tmp_path), channels={})
    with database.disposing(parts.engine), wiring.working(parts, noticed.set):
        client = create_app(parts.settings, parts).test_client()
        assert client.get("/healthz").status_code == 200
        parts.post.bell = None  # type: ignore[assignment]  # a fault of ours, out of the blue
        assert noticed.wait(PATIENCE)
        parts.post.beat = time.monotonic() - wiring.STILL.total_seconds() - 1
        assert client.get("/healthz").status_code == 503
        assert client.get("/healthz/live").status_code == 200


def test_a_process_whose_delivery_dies_ends_and_is_started_again(tmp_path: Path) -> None:
    code = (
        "from bot import delivery\n"
        "async def dies(post, stop): raise RuntimeError\n"
        "delivery.work = dies\n"
        "from bot.cli import main\n"
        "main(['worker'])"
    )
    known = {"PATH": os.environ["PATH"], "CONSULTA_DATA": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=known, capture_output=True, text=True,
        timeout=6 * PATIENCE, check=False,
    )  # fmt: skip
    assert ended.returncode == wiring.GAVE_UP
    assert "the delivery has died" in ended.stderr
    assert listening.overheard(ended.stderr.splitlines()) == []


def test_the_figures_say_what_waits_and_what_failed(world: World) -> None:
    world.says("ana", "hola")
    world.telegram.fail(provider.bad_request("message is too odd"), method="sendMessage")
    world.bring("ana", world.update("ana", "es"))
    world.settle()
    client = world.app.test_client()
    assert client.get("/healthz").json == {"status": "ok"}
    assert client.get("/healthz/ready").json == {"status": "ok"}
    assert client.get("/healthz/live").json == {"status": "ok"}
    lines = client.get("/metrics").text.splitlines()
    assert "consulta_people 1.0" in lines
    assert 'consulta_outbox{state="failed"} 1.0' in lines
    settings = world.parts.settings
    known = {
        "CONSULTA_DATA": str(settings.data),
        "CONSULTA_DATABASE_URL": settings.database_url,
        "CONSULTA_SECRET_KEY": settings.secret_key.get_secret_value(),
    }
    found = CliRunner().invoke(main, ["status", "--json"], env=known)
    assert found.exit_code == 0
    assert json.loads(found.stdout)["outbox"]["failed"] == 1
    assert "1 failed" in CliRunner().invoke(main, ["status"], env=known).stdout
