"""What the shipped questionnaires ask for, walked as people walk them."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from dialogs import phrases, script
from dialogs.state import Dialog
from dialogs.values import Media
from dialogs.walking import Library, options
from storage import schema
from storage.database import reading
from tests.benchmarks.peers.asking.questionnaire import QUESTIONS
from tests.test_forms import Chat
from tests.world import World

FORMS = Path(script.__file__).parent / "forms"
UNTIL_PROBLEM = ("hola", "es", "si", "3", "Mérida", "sí", "saltar", "sí", "Mujer", "Lo hablo")


def walked(name: str) -> Chat:
    read = script.read(FORMS / f"{name}.md")
    facts = {"aviso_url": "https://consulta.mx/aviso"}
    return Chat(Library(lambda _form, _version: read, facts))


def test_topics_come_in_an_order_of_the_persons_own_and_another_one_last() -> None:
    read = script.read(FORMS / "consulta.md")
    library = Library(lambda _form, _version: read, {})
    orders = {
        tuple(each.name for each in options(read.question("temas"), Dialog(id_, "f", 1), library))
        for id_ in ("a", "b", "c")
    }
    assert len(orders) == 3
    assert {order[-1] for order in orders} == {"otro"}


def test_origin_and_disability_go_with_the_consent_to_them(small_world: World) -> None:
    told = small_world.answers_until("beto", *UNTIL_PROBLEM)
    assert "¿Algo de esto te describe?" in told[-1]
    assert "deja solo esa" in small_world.says("beto", "1, 5")[0]
    small_world.says("beto", "me considero maya o indígena, vivo con una discapacidad")
    assert small_world.stored("beto")["origen_condicion"] == "indigena discapacidad"
    small_world.answers_until("beto", "permisos", "Datos sensibles")
    left = {row["question"] for row in small_world.rows("beto", aside=True)}
    assert not left & {"origen_condicion", "habla_maya", "sexo_genero"}


def test_who_wants_no_such_questions_is_not_asked_them() -> None:
    chat = walked("consulta")
    said = chat.says("hola", "es", "si", "3", "Mérida", "no", "saltar", "Prefiero no")
    assert "los más urgentes" in said


def test_a_consent_to_voice_that_was_skipped_is_none() -> None:
    chat = walked("consulta")
    chat.says("hola", "es", "si", "3", "Mérida", "saltar")
    [refused] = chat.hears(kind="voice", media=Media("v.ogg", "audio/ogg"))
    assert refused.startswith(phrases.say("voice_no_consent", "es"))
    assert "localidad" not in chat.kept


def test_being_quoted_is_a_consent_of_its_own(small_world: World) -> None:
    small_world.answers_until("ana", *UNTIL_PROBLEM, "nada de esto", "agua", "No llega agua")
    asked = small_world.answers_until("ana", "4", "Un pozo nuevo")
    assert "¿Podemos citar tus palabras" in asked[-1]
    small_world.says("ana", "sí")
    consents = schema.consents
    with reading(small_world.parts.engine) as db:
        given = db.execute(select(consents.c.kind, consents.c.given)).all()
    assert ("quote", True) in given
    assert ("voice", True) in given


def test_whoever_has_a_folio_is_told_what_was_decided_and_why() -> None:
    chat = walked("retroalimentacion")
    said = chat.says("hola", "es", "si", "sí", "mue 003")
    assert "no se aceptó.\nMUESTRA. No cabe en este plan: le toca" in "\n".join(chat.messages)
    assert "¿La respuesta explica" in said
    assert "¿Qué faltó?" in chat.says("No")
    assert "¿Sobre qué compromiso" in chat.says("Que me digan a quién le toca")


def test_a_folio_without_an_answer_yet_is_told_so() -> None:
    chat = walked("retroalimentacion")
    said = chat.says("hola", "es", "si", "sí", "K7M-42P")
    assert "Todavía no está escrita la respuesta a ese folio" in "\n".join(chat.messages)
    assert "¿Sobre qué compromiso" in said


def test_a_group_votes_on_its_problems_and_one_person_is_asked_less() -> None:
    chat = walked("comunidades")
    chat.says("hola", "es", "sí", "sin grabación", "Un grupo")
    assert "Escribe tres números" in chat.says("7 mujeres")
    chat.says("7, 4, 1", "Español", "Muna")
    chat.says(
        "Centro",
        "sí",
        "La cancha",
        "agua",
        "No llega",
        "todos",
        "sí",
        "salud",
        "No hay doctor",
    )
    assert chat.says("todos") == "¿Hay otro problema importante? Caben tres.\nCabe uno más."
    assert "lo más importante es: Agua?" in chat.says("no")
    assert "Salud?" in chat.says("9")
    assert "No pueden ser más que 12" in chat.says("13")
    assert "¿Por dónde se enteran" in chat.says("3")
    assert {"votos#1": "9", "votos#2": "3", "localidad": "Centro"}.items() <= chat.kept.items()
    chat.says("radio", "Pozos", "visita")
    assert "Foto del rotafolio" in chat.labels[-1]
    assert "Sin caras" in chat.says("foto del rotafolio, algo que no se preguntó")
    assert "¿Qué no se preguntó" in chat.says("saltar")
    alone = walked("comunidades")
    alone.says("hola", "es", "sí", "sin grabación", "Una persona", "Español", "Muna")
    assert "¿Qué funciona bien" in alone.says("saltar")  # no authority is asked about
    alone.says("La cancha", "agua", "No llega", "todos", "no", "radio", "Pozos", "visita")
    assert alone.labels[-1][:2] == ["Algo que no se preguntó", "Nada más"]


def test_an_institution_is_named_and_asked_fifteen_questions_at_most() -> None:
    chat = walked("ayuntamientos")
    clave = script.read(FORMS / "ayuntamientos.md").tables["instituciones"][0]["clave"]
    chat.says("hola", "sí", clave.lower())
    assert "Contesta por: " in "\n".join(chat.messages)
    assert "2 de 1" in chat.messages[-1]


def test_others_are_measured_with_the_questions_that_are_shipped() -> None:
    asked = script.read(FORMS / "consulta.md")
    for question in QUESTIONS:
        shipped = asked.question(question["name"])
        assert question["text"].splitlines()[0] in shipped.label["es"].splitlines()
        assert question.get("again", "") in shipped.constraint_message.get("es", "")
