"""People's rights in the chat: what is known, correct, stop, revoke, be forgotten."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, event, insert, select, update

from bot import erasure, invitations, voices, wiring
from bot.channel import File
from bot.stores import Folder
from dialogs import script, stopping
from storage import erasing, outbox, schema
from storage.database import reading, writing
from storage.vault import vault
from tests.forum_world import Forums, told_to_wait
from tests.world import PATIENCE, World

SAMPLES = Path(__file__).with_name("samples")
STOPS = """
baja|BAJA.|stop|STOP!!!|stoooop|s.t.o.p.|alto|Alto por favor|salir|cancelar por favor|🛑
ya no quiero mensajes|por favor dejen de escribirme ya|stop please|quítenme de la lista
quitenme de su lista por favor|ya no kiero mensages|ya no me escriban|no me escrivan mas
no quiero que me manden mensajes|no quiero recivir mas msj|dejen de mandarme mensajes
dejen de molestar|deja de molestarme por favor|ya no me manden nada|no me manden mas mensajes
quiero darme de baja|denme de baja|dame d baja|me doy de baja|quiero la baja|kiero darme de vaja
unsubscribe|unsubscribe me please|please stop texting me|stop sending me messages
don't text me anymore|do not contact me again|remove me from your list|take me off this list
leave me alone|no more messages please|i want to unsubscribe|opt out|STOP ya
wa'atal|WA’ATAL|xuul bawa|wa'alen|hola, ya no quiero recibir mensajes gracias
estoy harto de sus mensajes, dejen de escribirme|sáquenme del grupo|bórrenme de su lista
déjenme en paz|ya déjenme en paz por favor|no molesten|no me interesa recibir mensajes
no quiero saber nada de ustedes|basta de mensajes|no vuelvan a escribirme
dar de baja mi número|quiero que me den de baja|quiero que me quiten de la lista
ya no deseo recibir notificaciones|que ya no me escriban|ya párenle con los mensajes
no quiero que me escriban|dejen de estar mandando mensajes|¡¡Ya NO me escriban!!
quiero cancelar mi suscripción|cancelen mi registro|STPO|deténganse|paren ya|ya párenle
no me estén mandando mensajes|ya no estén molestando|ya no kero mensajes|yano quiero mensajes
favor de no enviar mensajes|por favor no envien mas mensajes|x favor ya no manden mensajes
borren mi número|quiten mi numero de su lista|me quiero salir del grupo|no me busquen más
no quiero estar en la lista|¿cómo me doy de baja?|cómo cancelo los mensajes|basta ya de mensajes
me están molestando con sus mensajes|deja me en paz|déjenme de molestar|unsub|cancel
don't write to me|remove my number|i don't want any more messages|please go away
i dont want to receive messages anymore|ya no quiero participar|wa atal|ya no me hablen
quisiera dejar de recibir estos mensajes|me gustaría ya no recibir mensajes|🛑🛑|baja definitiva
no quiero que me vuelvan a escribir|no autorizo que me escriban|no, dejen de escribirme
ya no quiero, quiero darme de baja|ya no quiero déjenme en paz|no me llamen
favor de no escribirme|quiero mi baja definitiva
"""
ANSWERS = """
el alto costo del agua|no quiero que quiten el mercado|stop a la violencia|alto a la violencia
Alto índice de pobreza|la baja presión del agua|que bajen los precios|baja la luz a cada rato
no mandan ambulancia|no me mandan los recibos|me dieron de baja del seguro
no me dejan en paz los borrachos|que dejen de mandar basura al cenote|dejen de talar
dejen de mandarme a otra clínica|no quiero basura|no quiero|no|ya no hay agua
no me escriban en maya|no me escriban tan temprano|ya basta de corrupción|basta de corrupción
no quiero más promesas|ya no más granjas de cerdos|que quiten el bar|quítenme la luz|no hay
paren la obra|parar el tren|mi hijo dejó de escribirme|no me llegan los mensajes del gobierno
quiero más avisos|quiero salir adelante|salir de la pobreza|la salida de la carretera
no quiero que me quiten mi tierra|no nos escuchan|nos quitan el agua|end of the road
stop violence against women|we want to stop the pig farms|xuul le ja'o'|no quiero saltar
el gobierno debe dejar de molestar a los campesinos|quiero ir a los foros|no quiero ir al foro
no conozco los foros|falta información|más seguridad|no quiero más basura aquí|no puedo ir
el señor me molesta|borrar mis datos|no me interesa|no, gracias|no sé|ya no me acuerdo
no dejen de escribirme|no quiero darme de baja|no me den de baja|no quiero salir
no quiero que me den de baja|no nos contactan|no molestan|no nos molestan|no me escriben
está cancelada|escribir|no paran
leer y escribir|no recibir nada|para que no me molesten|no me hablan en maya|no me buscan
no quiero que cancelen el programa|paren los desmontes|quiten el celular a los niños
me molestan los avisos del perifoneo|dejar de recibir el apoyo|ya no quiero basura|no nos hablan
"""
NO_FORUMS = """
no quiero ir, ya no me inviten|no más invitaciones|ya no me inviten|no quiero invitaciones
dejen de invitarme a foros
no quiero más invitaciones a foros por favor|sin invitaciones|no me inviten a foros
no more invitations|ya no quiero recibir invitaciones|NO MAS INVITASIONES
"""

OF_A_KIND = {
    "thematic": "no más invitaciones a foros temáticos|ya no me inviten a foros tematicos por favor"
    "|no más foros temáticos|no quiero foros temáticos|ya no quiero mensajes de foros temáticos"
    "|stop inviting me to thematic forums",
    "affirmative": "no quiero más invitaciones a los foros afirmativos|sin foros afirmativos",
    "specialists": "no me inviten a mesas de especialistas",
    "focus": "no más invitaciones a grupos focales",
    "cocreation": "no más invitaciones a las mesas de cocreación",
    "community": "ya no me inviten a visitas a comunidades",
    "presentation": "no quiero invitaciones a presentaciones",
    "feedback": "no quiero mensajes de retroalimentación|no más avisos de retroalimentacion",
    "signing": "no me inviten a la firma",
}
NOT_OF_A_KIND = """
no más visitas a comunidades|alto a la firma|no más presentaciones|basta de mesas de expertos
falta retroalimentación|quiero ir a foros temáticos|foros temáticos|no firmas
"""


def said(table: str) -> list[str]:
    return [text for line in table.split("\n") for text in line.split("|") if text]


@pytest.mark.parametrize("text", said(STOPS))
def test_who_wants_no_more_messages_is_understood(text: str) -> None:
    assert stopping.asked(text) == "stop"


@pytest.mark.parametrize("text", said(ANSWERS))
def test_an_answer_is_not_taken_for_a_stop(text: str) -> None:
    assert stopping.asked(text) is None


@pytest.mark.parametrize(("file", "meant"), [("stop.txt", "stop"), ("no_stop.txt", None)])
def test_as_people_write_on_a_phone(file: str, meant: str | None) -> None:
    texts = (SAMPLES / file).read_text(encoding="utf-8").splitlines()
    assert len(texts) > 500
    assert [text for text in texts if stopping.asked(text) != meant] == []


@pytest.mark.parametrize("text", said(NO_FORUMS))
def test_who_wants_no_invitations_keeps_the_rest(text: str) -> None:
    assert stopping.asked(text) == "no_forums"


@pytest.mark.parametrize("kind", OF_A_KIND)
def test_who_wants_no_forums_of_a_kind_keeps_the_others(kind: str) -> None:
    for text in said(OF_A_KIND[kind]):
        assert stopping.asked(text) == f"no_forums_{kind}", text


@pytest.mark.parametrize("text", said(NOT_OF_A_KIND))
def test_what_may_be_an_answer_stops_no_kind_of_forum(text: str) -> None:
    assert stopping.asked(text) is None


RIGHTS = {
    "erase": "por favor borren todo lo que tienen de mí|borrar mi información|vorrar mis datos"
    "|erase me|quiero eliminar mi cuenta|que me olviden|derecho al olvido|supriman mis datos"
    "|delete my account|¿puedes borrar mis datos?|please delete me"
    "|quiero que eliminen mis datos personales",
    "data": "what do you know about me|¿Qué información tienen sobre mí?|mándame mis datos"
    "|derechos ARCO|¿qué saben ustedes de mí?|dame una copia de mis datos"
    "|mis respuestas|show me my data|quiero mis datos en excel",
    "notice": "¿para qué son mis datos?|quién ve mis respuestas|¿Cuánto tiempo guardan mis datos?"
    "|quien es responsable de mis datos|¿qué van a hacer con mis datos?|who sees my answers",
    "correct": "quiero corregir una respuesta|rectificar mis datos|me equivoqué|change my answer",
    "return": "quiero volver|ya quiero volver, por favor|darme de alta|volver a recibir mensajes",
}
NO_RIGHTS = """
no quiero que borren mis datos|no borren mis datos|borren los grafitis|no quiero dar mis datos
no volver a recibir mensajes|ya no quiero volver|venden mis datos|cambiar la información
quiero volver a la escuela|que el gobierno no nos olvide|eliminar la corrupción|mi cuenta de luz
"""


@pytest.mark.parametrize("what", RIGHTS)
def test_a_right_is_asked_for_in_ones_own_words(what: str) -> None:
    for text in said(RIGHTS[what]):
        assert (stopping.asked(text), stopping.right(text)) == (None, what), text


@pytest.mark.parametrize("text", [*said(NO_RIGHTS), *said(ANSWERS.replace("borrar mis datos", ""))])
def test_an_answer_is_not_taken_for_a_right(text: str) -> None:
    assert stopping.right(text) == ""


TAKING_PART = ("hola", "es", "si", "2", "Tizimín", "sí", "saltar", "si", "Mujer", "Lo hablo",
               "nada de esto")  # fmt: skip


def of(told: list[str]) -> str:
    return "\n".join(told)


def link(told: list[str]) -> str:
    [path] = re.findall(r"https://consulta\.example\.mx(/mis-datos/\S+)", of(told))
    return str(path)


def everything(world: World) -> bytes:
    """Every value of every table but the questionnaires', and every file, as a heap of bytes."""
    files = [path for path in world.parts.settings.data.rglob("*") if path.is_file()]
    found = [path.read_bytes() for path in files if not path.name.startswith("consulta.db")]
    with reading(world.parts.engine) as db:
        for table in set(schema.metadata.sorted_tables) - {schema.form_files}:
            for row in db.execute(select(table)):
                found += [v if isinstance(v, bytes) else str(v).encode() for v in row]
    return b"\n".join(found)


def on_disk(world: World) -> list[Path]:
    """The database's own files, with its log of writes, where it is one machine's."""
    return sorted(world.parts.settings.data.glob("consulta.db*"))


def wait_for(done: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_people_read_what_is_known_and_take_it_with_them(small_world: World) -> None:
    small_world.answers_until("beto", *TAKING_PART)
    told = small_world.says("beto", "¿Qué datos tienen de mí?")
    assert "Municipio: Tizimín" in of(told)
    assert "Permisos: usar tus respuestas, género, lengua, origen y discapacidad" in of(told)
    client = small_world.app.test_client()
    page = client.get(link(told))
    assert page.status_code == 200
    assert "Tizim" not in page.text  # messengers look at links by themselves
    assert page.headers["Cache-Control"] == "no-store"
    known = client.post(f"{link(told)}/datos.json").get_json()
    assert known["address"] == "whatsapp:+5219991112233"
    assert {row["question"] for row in known["answers"]} > {"municipio", "habla_maya"}
    [given, *_] = known["consents"]
    form = Path(script.__file__).with_name("forms") / "consulta.md"
    assert given["question_sha256"] == hashlib.sha256(form.read_bytes()).hexdigest()
    notice = Path(script.__file__).with_name("notice.toml").read_bytes()
    assert given["notice"] == 1
    assert given["notice_sha256"] == hashlib.sha256(notice).hexdigest()
    assert (given["kind"], given["channel"], given["words"]) == ("answer", "whatsapp", "si")
    rows = client.post(f"{link(told)}/datos.csv").get_data(as_text=True).splitlines()
    assert len(rows) == len(known["answers"]) + 1


def test_the_link_ends_after_a_week_and_cannot_be_made(small_world: World) -> None:
    path = link(small_world.answers_until("beto", *TAKING_PART, "mis datos"))
    client = small_world.app.test_client()
    forged = path[:-2] + ("AA" if path[-2:] != "AA" else "BB")
    assert client.get(forged).status_code == 404
    assert client.post(f"{forged}/datos.json").status_code == 404
    small_world.clock.advance(timedelta(days=9))
    assert client.get(path).status_code == 404


def test_a_csv_holds_no_formula(small_world: World) -> None:
    said = (*TAKING_PART, "1", '=HYPERLINK("http://x.mx")')
    path = link(small_world.answers_until("beto", *said, "mis datos"))
    text = small_world.app.test_client().post(f"{path}/datos.csv").get_data(as_text=True)
    assert "'=HYPERLINK" in text


def test_one_consent_is_taken_back_and_the_rest_stands(small_world: World) -> None:
    small_world.answers_until("beto", *TAKING_PART)
    assert "mis permisos" not in of(small_world.says("beto", "permisos"))
    told = small_world.says("beto", "Datos sensibles")
    assert of(told).startswith("Listo: quitamos lo que nos dijiste")
    assert "sexo_genero" not in {row["question"] for row in small_world.rows("beto", aside=True)}
    assert {"municipio", "consiente"} < small_world.stored("beto").keys()
    with reading(small_world.parts.engine) as db:
        ledger = [(row.kind, row.given) for row in db.execute(select(schema.consents))]
    given = [("answer", True), ("voice", True), ("sensitive", True)]
    assert ledger == [*given, ("sensitive", False)]


def test_no_invitations_is_less_than_no_messages(small_world: World) -> None:
    told = small_world.answers_until("beto", *TAKING_PART, "no más invitaciones por favor")
    assert of(told).startswith("Listo, ya no te invitaremos a foros.")
    assert "¿cuáles son los más urgentes" in of(told)
    assert "no te escribiremos más" in of(small_world.says("beto", "por favor ya no me escriban"))


def test_a_stop_outranks_any_question_and_leaves_every_right(small_world: World) -> None:
    small_world.answers_until("beto", *TAKING_PART, "1")
    small_world.says("beto", "Dejen de escribirme, por favor")
    assert "Estás de baja" in of(small_world.says("beto", "El pozo del pueblo está seco"))
    assert "problema" not in small_world.stored("beto")
    assert "Estás de baja" in of(small_world.says("beto", "ayuda"))
    assert "Esto sabemos de ti" in of(small_world.says("beto", "mis datos"))
    assert "No se puede deshacer" in of(small_world.says("beto", "borrar mis datos"))
    assert "No borramos nada" in of(small_world.says("beto", "no"))
    assert "¡Qué bueno que vuelves!" in of(small_world.says("beto", "volver"))


@pytest.mark.parametrize("first", ["stop", ""])
def test_who_said_nothing_else_is_forgotten_too(small_world: World, first: str) -> None:
    if first:
        small_world.says("ana", first)
        assert "Respuestas: 0" in of(small_world.says("ana", "qué saben de mí"))
    assert "No se puede deshacer" in of(small_world.says("ana", "delete me"))
    assert "Listo: borramos" in of(small_world.says("ana", "sí"))
    wait_for(lambda: not small_world.count(schema.people))


@pytest.mark.parametrize("words", ["ya no me escriban", "no más invitaciones", "borrar mis datos"])
def test_a_stop_between_the_lease_and_the_sending_is_in_time(
    world: World, tmp_path: Path, words: str
) -> None:
    there = Forums(world, tmp_path)
    there.guest("eva")
    world.says("eva", "hola")
    made, _ = there.plan(there.forum(), at=there.now)
    with writing(there.engine) as db:  # nothing goes out by itself: the sender was told to wait
        told_to_wait(db)
        while invitations._queue(db, there.library, ("telegram",), there.now):
            pass
        [letter] = outbox.claim(db, ("telegram",), there.now + timedelta(seconds=5), 9)
        assert letter.invitation_id == made.id
    assert world.bring("eva", world.update("eva", words)) == 200
    if words.startswith("borrar"):
        assert world.bring("eva", world.update("eva", "sí")) == 200
    with writing(there.engine) as db:
        assert outbox.hand_over(db, [letter.id], there.now) == set()
    if not words.startswith("borrar"):
        assert list(there.status(made.id)["skipped"].values()) == [1]


def test_forgetting_leaves_nothing_but_a_count_and_a_stone(world: World) -> None:
    world.answers_until("beto", *TAKING_PART, "1")
    world.speaks("beto")
    world.answers_until("ana", "hola", "es", "si", "2", "Mérida", "sí")
    assert len(world.parts.post.media.names()) == 1
    with reading(world.parts.engine) as db:
        pseudonyms = select(schema.people.c.pseudonym).where(schema.people.c.channel == "whatsapp")
        pseudonym = db.execute(pseudonyms).scalar_one().encode()
    world.says("beto", "borrar mis datos")
    told = world.says("beto", "Sí, bórralo todo")
    assert re.search(r"borramos tus respuestas.*Tu folio es \w{3}-\w{3}", of(told))
    wait_for(lambda: world.count(schema.people) == 1 and not world.count(schema.doomed_files))
    assert world.parts.post.media.names() == []
    assert world.count(schema.erased_responses) == world.count(schema.erasures) == 1
    with reading(world.parts.engine) as db:
        for table in schema.metadata.sorted_tables:
            if "person_id" in table.c and table is not schema.outbox:
                assert set(db.scalars(select(table.c.person_id))) <= {None, 2}, table
    wait_for(lambda: all(pseudonym not in file.read_bytes() for file in on_disk(world)))
    heap = everything(world)
    for trace in (b"9991112233", b"Tizim", b"31096"):
        assert trace not in heap
    assert world.stored("ana")["municipio"] == "31050"
    assert "¿En qué idioma" in of(world.says("beto", "hola"))
    assert world.stored("beto") == {}


def test_who_completed_is_told_that_a_person_looks_at_copies(small_world: World) -> None:
    small_world.answers_until("beto", *TAKING_PART)
    with writing(small_world.parts.engine) as db:
        db.execute(update(schema.responses).values(state="completed"))
    told = small_world.answers_until("beto", "borren mis datos", "sí")
    assert "20 días hábiles" in of(told)
    with reading(small_world.parts.engine) as db:
        assert db.scalar(select(schema.erasures.c.pending)) == erasing.COPIES
        [row] = erasing.pending(db)
        assert row.folio in of(told)
    with writing(small_world.parts.engine) as db:
        assert erasing.settle(db, row.id, small_world.clock()) == row.folio
        assert erasing.pending(db) == []


def test_a_copy_that_is_put_back_does_not_bring_anybody_back(
    small_world: World, tmp_path: Path
) -> None:
    small_world.answers_until("beto", *TAKING_PART)
    engine, data = small_world.parts.engine, small_world.parts.settings.data
    with reading(engine) as db:
        person = db.execute(select(schema.people)).one()
        passed = db.execute(select(schema.responses)).one()
    small_world.answers_until("beto", "borrar mis datos", "si")
    wait_for(lambda: (data / erasure.FILE).exists() and not small_world.count(schema.people))
    with writing(engine) as db:  # as a copy of before would have it
        db.execute(insert(schema.people).values(**person._asdict()))
        db.execute(insert(schema.responses).values(**passed._asdict()))
        db.execute(delete(schema.erasures))
    enforce = partial(erasure.enforce, engine, data, Folder(data / "media"), small_world.clock())
    with _breaking(engine, "DELETE FROM people"), pytest.raises(KeyboardInterrupt):
        enforce()
    assert enforce() == 1  # as if it had not been begun
    assert enforce() == 0
    assert small_world.count(schema.people) == small_world.count(schema.responses) == 0
    with writing(engine) as db:
        assert erasing.is_erased(db, "whatsapp", "+529991112233")
        assert not erasing.is_erased(db, "whatsapp", "+529991112234")


@contextmanager
def _breaking(engine: Engine, words: str) -> Iterator[None]:
    """The process ends as the database is told this."""

    def breaks(_c: object, _k: object, statement: str, *_more: object) -> None:
        if statement.startswith(words):
            raise KeyboardInterrupt

    event.listen(engine, "before_cursor_execute", breaks)
    yield
    event.remove(engine, "before_cursor_execute", breaks)


def test_every_kind_of_data_goes_when_its_time_is_over(small_world: World) -> None:
    small_world.answers_until("beto", *TAKING_PART, "1")
    small_world.speaks("beto")
    small_world.says("ana", "hola")
    engine, now = small_world.parts.engine, small_world.clock()
    with writing(engine) as db:
        held = update(schema.outbox).where(schema.outbox.c.id == 1)
        db.execute(held.values(state="held", due=now))
    while wiring.let_go(engine, now + timedelta(days=29)):
        pass
    assert small_world.count(schema.outbox) > 5
    while wiring.let_go(engine, now + timedelta(days=89)):
        pass
    assert small_world.count(schema.outbox) == 1  # what is held
    assert small_world.count(schema.people) == 2
    store, sound = small_world.parts.post.media, File(b"OggS hola", "audio/ogg")
    name = voices.keep(store, vault("una clave de prueba"), sound)  # Ana's, before any consent
    with writing(engine) as db:
        of_ana = {"person_id": 2, "channel": "telegram", "ref": b"", "type": "audio/ogg"}
        db.execute(insert(schema.media).values(**of_ana, state="kept", due=now, file=name))
    while wiring.let_go(engine, now + timedelta(days=91)):
        pass
    assert small_world.count(schema.people) == small_world.count(schema.media) == 1
    wait_for(lambda: name not in store.names() and len(store.names()) == 1)
    while wiring.let_go(engine, now + timedelta(days=181)):
        pass
    assert small_world.count(schema.outbox) == small_world.count(schema.inbox) == 0
    assert small_world.count(schema.people) == 1  # Ana never agreed to anything
    with reading(engine) as db:
        voice = db.execute(select(schema.media)).one()
    assert (voice.state, voice.file) == ("expired", None)
    assert small_world.stored("beto")["municipio"] == "31096"
