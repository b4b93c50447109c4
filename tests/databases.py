"""Databases for the tests: copies of one that the program made, which takes it a second.

SQLite's is a file. PostgreSQL is real, started from Debian's binaries and thrown away at the end.
The server listens on a socket in a directory of its own and nowhere else. Under
pytest-xdist every worker starts one of its own (about two seconds), which needs no lock.
"""

from __future__ import annotations

import atexit
import itertools
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from bot import wiring
from tests import listening
from tests.world import KEY, settings

USER = "consulta"
TEMPLATE = "template_consulta"
START = 30.0  # seconds; two suffice on a quiet machine
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",  # nothing here outlives the tests
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
}


def begin(url: str) -> None:
    """The tables, and what is in every database from the first day, under the tests' key."""
    wiring.open_database(settings(Path("/nowhere"), database_url=url)).dispose()


def sqlite(folder: Path) -> str:
    """The URL of a new SQLite database, in the folder of a program that finds its key there too."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "secret.key").write_text(KEY)
    return f"sqlite:///{shutil.copyfile(_begun(), folder / 'consulta.db')}"


@cache
def _begun() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="sqlite-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    begin(f"sqlite:///{folder / 'consulta.db'}")
    return folder / "consulta.db"


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server; `folder` holds its data, its log and its socket."""

    folder: Path
    _names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def url(self, database: str) -> str:
        """As SQLAlchemy takes it."""
        return f"postgresql+psycopg://{USER}@/{database}?host={quote(str(self.folder))}"

    def prepare(self, fill: Callable[[str], None]) -> None:
        """Make the template: `fill` gets its URL, makes the tables, and leaves no connection."""
        self.drop(TEMPLATE)
        self.run("CREATE DATABASE {}", TEMPLATE)
        fill(self.url(TEMPLATE))

    @contextmanager
    def fresh(self, template: str = TEMPLATE) -> Iterator[str]:
        """The URL of a new copy of the template ("template1": empty), dropped afterwards."""
        name = f"test_{next(self._names)}"
        self.run("CREATE DATABASE {} TEMPLATE {}", name, template)
        try:
            yield self.url(name)
        finally:
            self.drop(name)

    def drop(self, name: str) -> None:
        """Also while somebody is still connected."""
        self.run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def run(self, statement: str, *names: str) -> None:
        """One statement about databases, outside any transaction."""
        quoted = sql.SQL(statement).format(*map(sql.Identifier, names))
        with psycopg.connect(_address(self.folder), autocommit=True) as connection:
            connection.execute(quoted)


@contextmanager
def postgres(*, durable: bool = False, address: str = "") -> Iterator[Postgres]:
    """Start a server and stop it at the end; skips, and says why, where there is none.

    A `durable` one waits for the disk at each commit, as those in service do. With an `address`
    of this machine it also listens there, to whoever is on the same network.
    """
    if reason := absent():
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=_short()))
    try:
        account = _account()
        if account is not None and os.getuid() == 0:
            os.chown(folder, account.pw_uid, account.pw_gid)
        _initialize(folder)
        if address:
            with (folder / "data" / "pg_hba.conf").open("a") as rules:
                rules.write("host all all samenet trust\n")
        with _serving(folder, {} if durable else SETTINGS, address):
            yield Postgres(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def absent() -> str | None:
    """Why there can be no PostgreSQL here; None if there can."""
    if binaries() is None:
        return "no PostgreSQL: neither /usr/lib/postgresql/*/bin nor the PATH has initdb"
    if os.getuid() == 0 and _account() is None:
        return "no PostgreSQL: root may not run it, and there is no user postgres or nobody"
    return None


def binaries() -> Path | None:
    """The directory with initdb and postgres, of the newest version there is."""
    found = Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(found, key=_version, reverse=True)
    on_path = [Path(part) for part in os.environ.get("PATH", "").split(os.pathsep) if part]
    for path in (*newest, *on_path):
        if (path / "initdb").exists() and (path / "postgres").exists():
            return path
    return None


def _version(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path.parent.name)]


def _initialize(folder: Path) -> None:
    options = ["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    command = [_program("initdb"), "-D", str(folder / "data"), *options]
    done = subprocess.run(command, **_ordinary(folder), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"initdb failed: {done.stderr.strip()}")


@contextmanager
def _serving(folder: Path, settings: Mapping[str, str], address: str = "") -> Iterator[None]:
    command = [_program("postgres"), "-D", str(folder / "data"), "-k", str(folder)]
    for name, value in {**settings, "listen_addresses": address}.items():
        command += ["-c", f"{name}={value}"]
    listening.follow(folder / "log")
    with (folder / "log").open("ab") as log:
        options = {**_ordinary(folder), "stdout": log, "stderr": log, "start_new_session": True}
        server = subprocess.Popen(command, **options)
    try:
        _await(server, folder)
        yield
    finally:
        server.send_signal(signal.SIGINT)  # PostgreSQL's "fast": it hangs up and ends
        server.wait(START)


def _await(server: subprocess.Popen[bytes], folder: Path) -> None:
    end = time.monotonic() + START
    while True:
        try:
            psycopg.connect(_address(folder)).close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > end:
                log = (folder / "log").read_text()[-2000:]
                raise RuntimeError(f"PostgreSQL did not start: {log}") from None
            time.sleep(0.02)
        else:
            return


def _address(folder: Path) -> str:
    return f"host={folder} user={USER} dbname=postgres"


def _program(name: str) -> str:
    found = binaries()
    assert found is not None
    return str(found / name)


def _ordinary(folder: Path) -> dict[str, Any]:
    """How to run a program so that it is not root, which PostgreSQL refuses to be."""
    options: dict[str, Any] = {"cwd": folder, "stdin": subprocess.DEVNULL}
    account = _account()
    if os.getuid() == 0 and account is not None:
        options |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    return options


def _account() -> pwd.struct_passwd | None:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _short() -> str:
    """A socket's path may have some 100 bytes, which a long TMPDIR would exceed."""
    return "/tmp" if os.access("/tmp", os.W_OK) else tempfile.gettempdir()
