"""The floor: a bare Flask view that checks the secret, writes the update down and commits, once.

Nothing is understood and nobody is answered. It is served as consulta is.
Run by tests.benchmarks.turns: .venv/bin/python -m tests.benchmarks.floor PORT URL
"""

from __future__ import annotations

import hmac
import os
import sqlite3
import sys
import threading

import psycopg
from flask import Flask, Response, abort, request
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels
from sqlalchemy import make_url

from bot.serving import THREADS
from tests.benchmarks import SECRET


class Sqlite:
    def __init__(self, path: str) -> None:
        self._turn = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("CREATE TABLE IF NOT EXISTS updates (body BLOB)")

    def write(self, body: bytes) -> None:
        with self._turn:
            self._db.execute("INSERT INTO updates VALUES (?)", (body,))


class Postgres:
    def __init__(self, url: str) -> None:
        parts = make_url(url).set(drivername="postgresql")
        self._url = parts.render_as_string(hide_password=False)
        self._own = threading.local()
        with psycopg.connect(self._url, autocommit=True) as db:
            db.execute("CREATE TABLE IF NOT EXISTS updates (body BYTEA)")

    def write(self, body: bytes) -> None:
        if not hasattr(self._own, "db"):
            self._own.db = psycopg.connect(self._url, autocommit=True)
        self._own.db.execute("INSERT INTO updates VALUES (%s)", (body,))


def create_app() -> Flask:
    url = os.environ["FLOOR_DATABASE"]
    database = Postgres(url) if url.startswith("postgresql") else Sqlite(url)
    app = Flask("floor")

    @app.post("/hooks/telegram")
    def hook() -> Response:
        given = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")
        if not hmac.compare_digest(given.encode(), SECRET.encode()):
            abort(401)
        database.write(request.get_data())
        return Response(status=200)

    @app.get("/healthz")
    def health() -> str:
        return "ok"

    return app


if __name__ == "__main__":
    Granian(
        "tests.benchmarks.floor:create_app",
        factory=True,
        interface=Interfaces.WSGI,
        port=int(sys.argv[1]),
        workers=1,
        blocking_threads=THREADS,
        log_level=LogLevels.error,
    ).serve()
