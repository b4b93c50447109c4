"""How long each of the organizers' pages takes on PostgreSQL, with a million answers in it.

Run: .venv/bin/python -m tests.benchmarks.pages [--answers 1000000]. The rows are made by the
database itself: as many people, replies and consents as so many answers bring along.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from storage import database, organizers
from storage.database import writing
from storage.vault import vault
from tests import databases
from tests.world import settings
from webhooks import create_app

KEY = "una clave de prueba"
PER_PERSON = 15  # answers
ROUNDS = 5
PAGES = ("/hoy", "/hoy/ahora", "/plan", "/cuestionarios", "/cuestionarios/consulta/1",
         "/participacion", "/participacion/preguntas", "/mensajes",
         "/derechos", "/foros", "/cuentas", "/bitacora")  # fmt: skip
QUESTIONS = (
    *("idioma", "consiente", "edad_rango", "municipio", "localidad", "consiente_sensible"),
    *("sexo_genero", "habla_maya", "temas", "prioridad", "problema", "causa_info", "solucion"),
    *("participo", "como_participar"),
)
ROWS = (
    """INSERT INTO people (id, pseudonym, channel, identity, address, language, talk, came_by,
         municipality, age, gender, created_at, heard_at)
       SELECT n, 'P' || n, (ARRAY['telegram','whatsapp'])[1 + n % 2], decode(md5(n::text), 'hex'),
         decode(md5(n::text), 'hex'), (ARRAY['es','es','es','yua'])[1 + n % 4],
         '{"language":"es","closed":[' || repeat('x', 700) || ']}',
         CASE WHEN n % 3 = 0 THEN 'cartel-' || n % 12 END, (31001 + n % 1000 * n % 106)::text,
         (ARRAY['18_29','30_44','45_59','60_mas'])[1 + n % 4],
         (ARRAY['mujer','hombre'])[1 + n % 2], now() - n % 40 * interval '1 day',
         now() - n % 40 * interval '1 day' FROM generate_series(1, :people) n""",
    """INSERT INTO responses (id, person_id, form, version, folio, mode, state, started_at,
         finished_at)
       SELECT 'r' || n, n, 'consulta', 1, 'F' || n, (ARRAY['telegram','whatsapp'])[1 + n % 2],
         CASE WHEN n % 10 < 7 THEN 'completed' WHEN n % 10 = 7 THEN 'refused' ELSE 'started' END,
         now() - n % 40 * interval '1 day',
         CASE WHEN n % 10 < 7 THEN now() - n % 40 * interval '1 day' + n % 900 * interval '1 s' END
       FROM generate_series(1, :people) n""",
    """INSERT INTO answers (response_id, question, value, said, language, confidence, channel, at)
       SELECT 'r' || n, q.name, CASE WHEN q.place IN (5, 11, 13) THEN NULL
         WHEN q.name = 'habla_maya' THEN (ARRAY['hablo','entiendo','no'])[1 + n % 3]
         ELSE 'choice_' || n % 5 END, decode(repeat(md5(n::text), 2), 'hex'), 'es', 0.9,
         'telegram', now() - n % 40 * interval '1 day' - n % 1440 * interval '1 minute'
       FROM generate_series(1, :people) n,
         unnest(CAST(:questions AS text[])) WITH ORDINALITY q(name, place)""",
    """INSERT INTO consents (person_id, kind, given, form, version, language, words, channel, at)
       SELECT n, k, n % 10 <> 7, 'consulta', 1, 'es', decode(md5(n::text), 'hex'), 'telegram', now()
       FROM generate_series(1, :people) n, unnest(ARRAY['answer','sensitive','forums']) k""",
    """INSERT INTO outbox (person_id, channel, lane, message, state, due, attempts, reason)
       SELECT n, 'whatsapp', 0, decode(repeat(md5(n::text), 12), 'hex'),
         CASE WHEN n % 500 = 0 AND m = 1 THEN 'failed' WHEN n % 900 = 0 AND m = 1 THEN 'uncertain'
           ELSE 'read' END, now() - n % 40 * interval '1 day', 1,
         CASE WHEN n % 500 = 0 THEN 'message undeliverable' END
       FROM generate_series(1, :people) n, generate_series(1, 17) m""",
    """INSERT INTO inbox (channel, provider_id, person_id, at, state)
       SELECT 'whatsapp', 'p' || n || '-' || m, n, now() - n % 40 * interval '1 day', 'done'
       FROM generate_series(1, :people) n, generate_series(1, 16) m""",
    """INSERT INTO requests (person_id, kind, at)
       SELECT n * 200, 'erasure', now() - n % 20 * interval '1 day'
       FROM generate_series(1, :people / 1000) n""",
    "SELECT setval(pg_get_serial_sequence('people', 'id'), :people)",  # newcomers may follow
)


def fill(engine: Engine, answers: int) -> None:
    """So many answers, and what comes with them."""
    given = {"people": answers // PER_PERSON, "questions": list(QUESTIONS)}
    for rows in ROWS:
        with writing(engine) as db:
            found = {name: value for name, value in given.items() if f":{name}" in rows}
            db.execute(text(rows), found)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.execute(text("VACUUM ANALYZE"))


def measure(client: FlaskClient, page: str) -> tuple[float, float, int]:
    """The median and the longest time of a page in seconds, and its status."""
    times, status = [], 0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        status = client.get(page).status_code
        times.append(time.perf_counter() - began)
    return statistics.median(times), max(times), status


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--answers", type=int, default=1_000_000)
    answers = reader.parse_args().answers
    with tempfile.TemporaryDirectory() as folder, databases.postgres() as server:
        server.prepare(_make_tables)
        with server.fresh() as url:
            app = create_app(settings(Path(folder), database_url=url))
            engine = app.extensions["parts"].engine
            fill(engine, answers)
            _account(engine, app.extensions["parts"].clock())
            client = app.test_client()
            app.config["WTF_CSRF_ENABLED"] = False
            client.post("/entrar", data={"correo": "d@x.mx", "contrasena": "una frase muy larga"})
            people = answers // PER_PERSON
            print(f"{answers:,} answers of {people:,} people; seconds")  # noqa: T201
            for page in PAGES:
                middle, longest, status = measure(client, page)
                print(f"{page:28} median {middle:6.3f}  longest {longest:6.3f}  ({status})")  # noqa: T201
            engine.dispose()


def _make_tables(url: str) -> None:
    engine = database.connect(url, vault(KEY))
    database.upgrade(engine)
    engine.dispose()


def _account(engine: Engine, now: object) -> None:
    with writing(engine) as db:
        organizers.add(db, "d@x.mx", "Dora", "organizer", "una frase muy larga", now)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
