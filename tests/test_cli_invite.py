"""Invitations from a terminal of another process: followed live, and tried on oneself."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.cli import main
from storage import invitations
from storage.database import writing
from tests import databases
from tests.emulators import telegram as api
from tests.forum_world import ASKED, HOUR, Forums
from tests.world import World, world

PEOPLE = 24
RATE = 12.0
PATIENCE = 60.0


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Forums]:
    with world(tmp_path, databases.sqlite(tmp_path)) as made:
        yield Forums(made, tmp_path)


@pytest.fixture
def far(tmp_path: Path, pg: databases.Postgres) -> Iterator[Forums]:
    """On PostgreSQL; whoever follows has another machine's data folder, which is empty."""
    with pg.fresh() as url, world(tmp_path / "here", url) as made:
        yield Forums(made, tmp_path)


def environment(made: World) -> dict[str, str]:
    """Another program on the same database."""
    given = made.parts.settings
    known = {"DATA": str(given.data), "SECRET_KEY": given.secret_key.get_secret_value()}
    if given.url.startswith("postgresql"):
        known |= {"DATA": f"{given.data}-elsewhere", "DATABASE_URL": given.url}
    shown = {"COLUMNS": "160", "TERM": "xterm"}
    return {**os.environ, **shown, **{f"CONSULTA_{key}": value for key, value in known.items()}}


def consulta(there: Forums, *words: str) -> str:
    command = [sys.executable, "-m", "bot.cli", *words]
    done = subprocess.run(
        command, env=environment(there.world), capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Terminal:
    """A command in a terminal of its own, and what it has shown."""

    def __init__(self, there: Forums, *words: str) -> None:
        self.side, other = pty.openpty()
        command = [sys.executable, "-m", "bot.cli", *words]
        self.process = subprocess.Popen(
            command, stdin=other, stdout=other, stderr=other, env=environment(there.world)
        )
        os.close(other)
        self.shown = ""

    def until(self, pattern: str) -> None:
        """Until this is shown."""
        end = time.monotonic() + PATIENCE
        while not re.search(pattern, self.shown):
            assert time.monotonic() < end, self.shown
            self.read()

    def read(self) -> bool:
        """What there is; False at the end."""
        if not select.select([self.side], [], [], 0.2)[0]:
            return True
        try:
            found = os.read(self.side, 65536)
        except OSError:  # the other side is closed
            return False
        self.shown += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", found.decode())
        return bool(found)

    def ends(self) -> int:
        while self.read():
            pass
        return self.process.wait(PATIENCE)


@contextmanager
def terminal(there: Forums, *words: str) -> Iterator[Terminal]:
    made = Terminal(there, *words)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait()
        os.close(made.side)


def test_an_invitation_is_followed_live_from_another_process(there: Forums) -> None:
    for number in range(PEOPLE):
        there.guest(f"guest{number}")
    there.world.telegram.fail(api.blocked(), "sendMessage", times=1)
    there.world.telegram.fail(api.dropped(taken=True), "sendMessage", times=1)
    there.post.rates["telegram"] = RATE
    made, _ = there.plan(there.forum(), at=there.now + HOUR)
    with writing(there.engine) as db:
        invitations.change(db, made.id, any_hour=True)  # the other program has a clock of its own
    with terminal(there, "invite", "status", str(made.id), "--follow") as seen:
        seen.until("planned")
        there.world.clock.advance(HOUR)
        assert seen.ends() == 0
    numbers = [int(each) for each in re.findall(r"sent (\d+), delivered", seen.shown)]
    assert numbers == sorted(numbers)
    assert any(0 < each < PEOPLE - 2 for each in numbers), seen.shown
    assert numbers[-1] == PEOPLE - 2
    assert f"{PEOPLE}/{PEOPLE}" in seen.shown
    assert re.search(r"waiting \d+[^/]*, \d+(\.\d)?/s, 0:00:\d\d left", seen.shown), seen.shown
    assert "failed 1, waiting 0, uncertain 1" in seen.shown
    assert f"consulta invite resend-uncertain {made.id}" in seen.shown
    assert "the provider on 1 failed: Forbidden: bot was blocked by the user" in seen.shown
    assert there.status(made.id) == {
        "intended": PEOPLE, "sent": PEOPLE - 2, "failed": 1, "uncertain": 1,
    }  # fmt: skip


def test_it_is_followed_from_another_machine(far: Forums) -> None:
    far.guest("eva")
    made, _ = far.plan(far.forum(), at=far.now + HOUR)
    with terminal(far, "invite", "status", str(made.id), "--follow") as seen:
        seen.until("planned")
        far.world.clock.advance(HOUR)
        assert seen.ends() == 0
    assert "sent 1, delivered 0, failed 0, waiting 0" in seen.shown
    assert "done: 1 intended of 1 planned" in seen.shown


def test_it_is_paused_and_cancelled_while_somebody_follows(there: Forums) -> None:
    for number in range(PEOPLE):
        there.guest(f"guest{number}")
    made, _ = there.plan(there.forum(), spread=9 * HOUR)
    with writing(there.engine) as db:
        invitations.pause(db, made.id, there.now)
    with terminal(there, "invite", "status", str(made.id), "--follow") as seen:
        seen.until("paused")
        with writing(there.engine) as db:
            invitations.pause(db, made.id, None)
        seen.until(r"sent [1-9]")
        with writing(there.engine) as db:
            invitations.cancel(db, made.id)
        assert seen.ends() == 0
    assert "cancelled" in seen.shown
    assert re.search(r"skipped: \d+ \(the invitation was cancelled\)", seen.shown)


def test_attendance_is_taken_by_a_list(there: Forums, monkeypatch: pytest.MonkeyPatch) -> None:
    there.guest("eva")
    there.guest("beto2", channel="whatsapp")
    eva, beto = there.world.cast["eva"], there.world.cast["beto2"]
    forum = there.forum()
    for name, value in environment(there.world).items():
        if name.startswith("CONSULTA_"):
            monkeypatch.setenv(name, value)
    listed = there.folder / "lista.txt"
    listed.write_text(f"telegram:{eva.id}\n\nAAA-99\nwhatsapp:{beto.number}\n", encoding="utf-8")
    done = CliRunner().invoke(main, ["forum", "attend", forum.plan.name, "--list", str(listed)])
    assert done.exit_code == 1
    assert done.stdout == "2 more, 2 in all\n"
    assert "AAA-99: nobody is known by this." in done.stderr
    assert there.attendance(forum) == {"attended": 2}


def test_it_is_tried_from_the_terminal(there: Forums) -> None:
    there.guest("dora2", channel="whatsapp")
    made, _ = there.plan(there.forum(), at=there.now + HOUR)
    number = there.world.cast["dora2"].number
    told = consulta(there, "invite", "test", str(made.id), f"whatsapp:{number}")
    assert "queued; a running worker sends it" in told
    there.tick_until(lambda: bool(there.world.twilio.called("CreateMessage")))
    there.settle()
    assert there.world.told("dora2")[0].endswith(ASKED)
    assert "¡Anotado!" in there.world.says("dora2", "sí")[0]
    assert there.status(made.id) == {}
