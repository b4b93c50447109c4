"""Opening the database: what SQLite needs to be safe, migrations, and the vault beside it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, select, text
from sqlalchemy.exc import IntegrityError

from storage import schema
from storage.prepared import plainly
from storage.vault import Vault

MIGRATIONS = Path(__file__).with_name("migrations")
REVISION = re.compile(r'^revision = "(\w+)"', re.MULTILINE)
UPGRADE = 6_714_000  # the key of the advisory lock under which tables are changed
BREAKING = "breaking migration"  # the fact that names it: programs that do not have it are too old
OPEN_TALKS = "talks open until"  # the fact, and the engine's option: storage.talks
VAULT, NEXT_VAULT = "vault", "next vault"  # facts: the keys' fingerprints; while they are changed
BUSY = 10_000  # milliseconds to wait for another writer before giving up
MOMENT = 500  # milliseconds to wait where it need not be now

UNHURRIED = "SET LOCAL synchronous_commit = off"  # PostgreSQL's commit does not wait for the disk
UNREACHABLE = {  # seconds, and milliseconds: a machine that is gone without a word is noticed
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}

NOTICED = (  # by the server, of a machine that is gone: its locks would stay for two hours
    "SET tcp_keepalives_idle = 4; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3; "
    "SET tcp_user_timeout = 10000"  # milliseconds
)


ANOTHER = (
    "This database was sealed with another secret. Set CONSULTA_SECRET_KEY to the one it was made "
    "with, or put that secret.key back into the data folder."
)
HALFWAY = (
    "A change of the secret was begun and not ended: some is sealed with the first, some with the "
    "second. Give both again, the second as CONSULTA_SECRET_KEY (or secret.key in the data folder) "
    "and the first as CONSULTA_SECRET_KEY_OLD (or secret.key.old), and run consulta db rotate-key "
    "to its end. Then change to a third."
)


class DatabaseError(RuntimeError):
    """The database cannot be used as it is; the text says what to do."""


@dataclass(slots=True)
class _Turn:
    """Whose turn to write it is, and with which connection."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    kept: Connection | None = None


def connect(url: str, sealed_with: Vault, *, pool_size: int = 10) -> Engine:
    """An engine whose connections carry the vault. PostgreSQL is taken by psycopg 3."""
    options: dict[str, Any] = {"pool_use_lifo": True}  # what a connection has read stays at hand
    if not url.startswith("sqlite"):
        options |= {"pool_size": pool_size, "max_overflow": 10, "pool_pre_ping": True}
        options["connect_args"] = UNREACHABLE
    carried = {"vault": sealed_with, "turn": _Turn()}
    engine = create_engine(url, execution_options=carried, hide_parameters=True, **options)
    if engine.dialect.name == "sqlite":
        _make_safe(engine)
    else:
        event.listen(engine, "connect", lambda connection, _record: be_noticed(connection))
    return engine


def be_noticed(connection: Any) -> None:
    """Let the server notice within ten seconds when this machine is cut off: what it held in its
    hands is for the others. A transaction that is rolled back would take the settings with it."""
    connection.execute(NOTICED)
    connection.commit()


def _make_safe(engine: Engine) -> None:
    """Serialise writers and survive a power cut.

    With pysqlite's own transactions, which begin only at the first write, two quick messages of
    one person both answer one question; with NORMAL, the last commits may be gone after a cut.
    """

    @event.listens_for(engine, "connect")
    def _opened(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            f"busy_timeout={BUSY}",
            "foreign_keys=ON",
            "secure_delete=ON",  # what is erased is overwritten, not only let go
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        reading = connection.get_execution_options().get("reading")
        plainly(connection, "BEGIN" if reading else "BEGIN IMMEDIATE")

    @event.listens_for(engine, "engine_disposed")
    def _disposed(engine: Engine) -> None:
        turn: _Turn = engine.get_execution_options()["turn"]
        kept, turn.kept = turn.kept, None
        if kept:
            kept.invalidate()
            kept.close()


def vault_of(db: Connection) -> Vault:
    """The vault that belongs to a connection."""
    found: Vault = db.get_execution_options()["vault"]
    return found


@contextmanager
def writing(engine: Engine, *, hurried: bool = True) -> Iterator[Connection]:
    """A transaction that may write.

    One that is not `hurried` reaches the disk with the next that is: after a power cut it may be
    as if it had not been (PostgreSQL alone).
    SQLite lets one writer in and makes the others sleep and try again, some for long; within a
    process they queue here instead, and the next one goes on at once.
    """
    if engine.dialect.name == "sqlite":
        with _kept(engine) as db, db.begin():
            yield db
        return
    with engine.begin() as db:
        if not hurried:
            plainly(db, UNHURRIED)
        yield db


@contextmanager
def _kept(engine: Engine) -> Iterator[Connection]:
    """One writer at a time, always by the same connection: to take it out of the pool and put it
    back would cost a fifteenth of a turn. After a failure it goes back, which ends what is open."""
    turn: _Turn = engine.get_execution_options()["turn"]
    with turn.lock:
        db, turn.kept = turn.kept or engine.connect(), None
        try:
            yield db
        except BaseException:
            db.close()
            raise
        turn.kept = db


@contextmanager
def apart(db: Connection) -> Iterator[None]:
    """A savepoint: of what fails in it nothing is kept, and the transaction goes on.

    SQLAlchemy's own is compiled each time.
    """
    plainly(db, "SAVEPOINT apart")
    try:
        yield
    except BaseException:
        plainly(db, "ROLLBACK TO SAVEPOINT apart")
        raise
    plainly(db, "RELEASE SAVEPOINT apart")


def wipe(engine: Engine) -> None:
    """On SQLite what was deleted still stands in its log of writes: begin that anew, unless it is
    being read for long."""
    if engine.dialect.name != "sqlite":
        return
    with engine.get_execution_options()["turn"].lock, closing(engine.raw_connection()) as raw:
        for pragma in (
            f"busy_timeout={MOMENT}",
            "wal_checkpoint(TRUNCATE)",
            f"busy_timeout={BUSY}",
        ):
            raw.cursor().execute(f"PRAGMA {pragma}").fetchall()


@contextmanager
def disposing(engine: Engine) -> Iterator[Engine]:
    """An engine that lets go of its connections at the end, whatever happens."""
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads: on SQLite it waits for no writer."""
    with engine.connect().execution_options(reading=True) as db, db.begin():
        yield db


def known() -> list[str]:
    """Every migration of this program, oldest first, without what runs them."""
    files = sorted(MIGRATIONS.glob("versions/[0-9]*.py"))
    return [REVISION.findall(file.read_text(encoding="utf-8"))[0] for file in files]


def version(engine: Engine) -> tuple[str | None, str]:
    """The database's migration, and the newest one."""
    have = None
    with reading(engine) as db:
        if inspect(db).has_table("alembic_version"):
            have = db.scalar(text("SELECT version_num FROM alembic_version"))
    return have, known()[-1]


def upgrade(engine: Engine) -> None:
    """Bring the tables up to date. Safe to repeat, and to be begun by several at once.

    Tables that are ahead of this program stay as they are.
    """
    from alembic import command  # here: 7 MB of which a server has no use
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["engine"] = engine
    with one_at_a_time(engine):
        have, _ = version(engine)
        if have is None or have in known():
            command.upgrade(config, "head")


@contextmanager
def one_at_a_time(engine: Engine) -> Iterator[None]:
    """What may be done by one process alone; others wait. SQLite has one program a file."""
    if engine.dialect.name != "postgresql":
        yield
        return
    with engine.connect() as db:
        db.execute(text("SELECT pg_advisory_lock(:key)"), {"key": UPGRADE})
        db.commit()  # the lock is the connection's: no transaction may hinder a migration
        try:
            yield
        finally:
            db.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": UPGRADE})


def is_empty(engine: Engine) -> bool:
    """Whether nobody has put a table into this database yet."""
    return not inspect(engine).get_table_names()


def check(engine: Engine) -> None:
    """Raises DatabaseError if the tables are not the program's, or another key sealed them.

    Tables that are ahead are the program's too, unless a migration said from where on they are
    not: so machines can be brought up to date one after the other, the database first.
    """
    have, need = version(engine)
    ours = known()
    if (have in ours and have != need) or have is None:
        raise DatabaseError(
            f"The database is at migration {have or 'none'}, this program needs {need}. "
            "Make a copy of it, then run: consulta db upgrade"
        )
    with writing(engine) as db:
        since = db.scalar(select(schema.facts.c.value).where(schema.facts.c.key == BREAKING))
        if since is not None and since not in ours:
            raise DatabaseError(
                f"The database is at migration {have}, which this program is too old for. "
                "Install the version that brought it there, or a newer one."
            )
        until = db.scalar(select(schema.facts.c.value).where(schema.facts.c.key == OPEN_TALKS))
        _check_key(db)
    engine.update_execution_options(**{OPEN_TALKS: until and datetime.fromisoformat(until)})


def _check_key(db: Connection) -> None:
    """Every key that something may be sealed with has to be at hand: of a change that was begun,
    also if nothing was sealed anew yet, both."""
    vault, facts = vault_of(db), schema.facts
    rows = db.execute(select(facts).where(facts.c.key.in_((VAULT, NEXT_VAULT)))).all()
    stored = {row.key: row.value for row in rows}
    if stored.keys() and not set(stored.values()) <= {
        key.fingerprint for key in vault.keys.values()
    }:
        raise DatabaseError(HALFWAY if NEXT_VAULT in stored else ANOTHER)
    if vault.fingerprint not in stored.values():
        which = NEXT_VAULT if stored else VAULT
        with suppress(IntegrityError), apart(db):  # another process has noted it meanwhile
            db.execute(facts.insert().values(key=which, value=vault.fingerprint))
