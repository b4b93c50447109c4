"""How an operator sees that all is well, or is not."""

from __future__ import annotations

import json

from click.testing import CliRunner

from bot.cli import main
from tests.emulators import telegram as provider
from tests.world import World


def test_the_figures_say_what_waits_and_what_failed(world: World) -> None:
    world.says("ana", "hola")
    world.telegram.fail(provider.bad_request("message is too odd"), method="sendMessage")
    world.bring("ana", world.update("ana", "es"))
    world.settle()
    client = world.app.test_client()
    assert client.get("/healthz").json == {"status": "ok"}
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
