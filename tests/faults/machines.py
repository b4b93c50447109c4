"""The machines: web, worker and database as processes of their own, each watched and restarted.

Their data lie on a small disk of their own that can be filled, and their clocks can be set wrong.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psycopg

from tests import databases, listening

ROOT = Path(__file__).parents[2]
DISK = "1g"
BALLAST = "ballast"
READY = 60.0  # seconds
SETTINGS = {  # a disk of its own that is small; everything is written through
    "listen_addresses": "",
    "max_wal_size": "128MB",
    "min_wal_size": "32MB",
    "max_connections": "100",
    "restart_after_crash": "on",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Machine:
    """One process with its children, in a group of its own; started again whenever it ends."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    folder: Path  # of its log
    options: dict[str, object] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    ended_alone: list[int] = field(default_factory=list)  # exit codes that nobody asked for
    keeper: asyncio.Task[None] | None = None
    _killed: bool = False

    def start(self) -> None:
        if not self.starts:
            listening.follow(self.folder / f"{self.name}.log")
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=dict(self.environment),
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self.options,  # type: ignore[call-overload]
            )
        self.starts += 1

    def kill(self, rng: Random) -> str:
        """kill -9: the whole group, or one process of it as the kernel does for want of memory."""
        if self.process is None or self.process.poll() is not None:
            return "was down"
        family = [self.process.pid, *children(self.process.pid)]
        which = rng.choice(("all", "one"))
        if self.name == "database":
            which = "all"
        self._killed = True
        for pid in family if which == "all" else [rng.choice(family)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if which == "all":
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        return which

    async def keep(self, rng: Random, longest: float) -> None:
        """Start it, and again whenever it has ended, as a supervisor does."""
        self.start()
        while True:
            await asyncio.sleep(0.1)
            if self.process is None or self.process.poll() is None:
                continue
            if not self._killed:
                self.ended_alone.append(self.process.returncode)
            self._killed = False
            await asyncio.sleep(rng.random() * longest)
            self.start()

    async def ready(self) -> None:
        """Until it answers; raises TimeoutError."""
        until = time.monotonic() + READY
        while not await asyncio.to_thread(self.answers):
            if time.monotonic() > until:
                raise TimeoutError(f"{self.name} does not answer")
            await asyncio.sleep(0.1)

    def answers(self) -> bool:
        url = f"http://127.0.0.1:{self.port}/healthz"
        try:
            with urllib.request.urlopen(url, timeout=2) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self.process is None:
            return 0
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(READY)
        finally:
            self.end()

    def end(self) -> None:
        """Whatever is left of it."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(READY)


def children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(one) for one in found.stdout.split()]


def consulta(
    command: str, known: Mapping[str, str], folder: Path, number: int = 0, port: int = 0
) -> Machine:
    """`consulta COMMAND` with a clock of its own, where that can be had."""
    name = f"{command}{number or ''}"
    given = {**known, **({"CONSULTA_PORT": str(port)} if port else {})}
    if library := clocks(folder):
        set_clock(folder, name, 0)
        given |= {"LD_PRELOAD": str(library), "CLOCK_FILE": str(folder / f"{name}.clock")}
    run = [sys.executable, "-m", "bot.cli", command]
    return Machine(name, run, given, folder, {"cwd": ROOT}, port=port)


def clocks(folder: Path) -> Path | None:
    """What lets a process have a wrong clock, compiled; None where there is no compiler."""
    compiler, made = shutil.which("cc"), folder / "clock.so"
    if compiler and not made.exists():
        source = Path(__file__).with_name("clock.c")
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", made, source], check=True)
    return made if compiler else None


def set_clock(folder: Path, name: str, seconds: int) -> None:
    """The process believes that it is so much later, from this moment on."""
    file = folder / f"{name}.clock"
    with file.open("r+b" if file.exists() else "wb") as opened:
        opened.write(struct.pack("q", seconds))


@dataclass(slots=True)
class Disk:
    """A small disk of its own; without the right to mount one it cannot be filled."""

    folder: Path
    mounted: bool

    def fill(self) -> None:
        with suppress(OSError), (self.folder / BALLAST).open("wb", buffering=0) as ballast:
            while True:
                ballast.write(b"\0" * 65536)

    def make_room(self) -> None:
        (self.folder / BALLAST).unlink(missing_ok=True)


@contextmanager
def disk() -> Iterator[Disk]:
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir="/tmp"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "none", str(folder)]
    mounted = os.getuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
    try:
        yield Disk(folder, mounted)
    finally:
        for log in folder.glob("*.log"):  # what was said is looked into afterwards
            shutil.copy(log, Path(tempfile.gettempdir()) / f"consulta-faults-{log.name}")
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def postgres(folder: Path) -> tuple[Machine, str]:
    """A database server whose process can be killed; and the URL of its database."""
    place = folder / "pg"
    place.mkdir()
    account = databases._account()
    if account is not None and os.getuid() == 0:
        os.chown(place, account.pw_uid, account.pw_gid)
    databases._initialize(place)
    command = [databases._program("postgres"), "-D", str(place / "data"), "-k", str(place)]
    for name, value in SETTINGS.items():
        command += ["-c", f"{name}={value}"]
    made = Machine("database", command, os.environ, folder, databases._ordinary(place))
    return made, databases.Postgres(place).url("postgres")


async def database_ready(folder: Path) -> None:
    until = time.monotonic() + READY
    while True:
        try:
            psycopg.connect(databases._address(folder / "pg")).close()
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.1)
        else:
            return
