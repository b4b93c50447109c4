"""Whatever an organizer does is written down: every form of every page, and who sent it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pyotp
import pytest
from sqlalchemy import insert, select

from dialogs import translations
from storage import organizers, schema, translating, troubles
from storage.database import reading, writing
from tests.emulators import samples
from tests.pages_world import PASSWORD, Pages, Visitor, address, pages
from tests.test_pages import GOOD_FORM
from webhooks import spoken
from webhooks.pages import MODULES

DORA, FELIX = address("organizer"), address("facilitator")
NOTHING_IS_DONE = {
    "today.pace",  # how often one's own browser looks
    "forms.try_out",  # a conversation of which nothing is kept
}
MAYA = "/traducciones/consulta"
TROUBLE = ("state", "channel", "lane", "code", "reason")
DAYS = count(30)  # from now, of forums: each has a day of its own
Act = Callable[[Pages, Visitor], object]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    with pages(tmp_path_factory.mktemp("audit"), people=25) as made:
        yield made


def first(site: Pages, column: Any, *which: Any) -> Any:
    with reading(site.parts.engine) as db:
        return db.scalars(select(column).where(*which).order_by(column)).first()


def a_forum(site: Pages, place: str) -> dict[str, str]:
    """The fields of the form, on a day on which there is no other."""
    begin = spoken.local(site.parts.clock()) + timedelta(days=next(DAYS))
    at = {"inicio": begin, "fin": begin + timedelta(hours=2)}
    when = {name: f"{moment:%Y-%m-%dT%H:%M}" for name, moment in at.items()}
    return {"titulo_es": "Agua", "tipo": "thematic", "lugar": place, **when}


def opens_a_forum(site: Pages, dora: Visitor) -> None:
    given = a_forum(site, "Casa de la Cultura")
    assert dora.sends("/foros", "/foros", **given).status_code == 302
    again = dora.sends("/foros", "/foros", **given)  # a second press of the button
    assert (again.status_code, "Ya hay un foro" in again.text) == (422, True)


def changes_a_forum(site: Pages, dora: Visitor) -> None:
    of_a_forum("cambiar", **a_forum(site, "Otra casa"))(site, dora)


def of_a_forum(act: str, **fields: str) -> Act:
    """Something that is done about a forum of its own."""

    def do(site: Pages, dora: Visitor) -> None:
        opens_a_forum(site, dora)
        number = first(site, -schema.forums.c.id) * -1
        dora.sends(f"/foros/{number}", f"/foros/{number}/{act}", **fields)

    return do


def steers(site: Pages, dora: Visitor) -> None:
    opens_a_forum(site, dora)
    one = first(site, -schema.invitations.c.id) * -1
    number = first(site, schema.invitations.c.forum_id, schema.invitations.c.id == one)
    dora.sends(f"/foros/{number}", f"/foros/{number}/envios/{one}", hacer="pausar")


def changes_an_invitation(site: Pages, dora: Visitor) -> None:
    opens_a_forum(site, dora)
    number = first(site, -schema.forums.c.id) * -1
    dora.sends(f"/foros/{number}", f"/foros/{number}/invitar", ya="si")
    page = f"/foros/{number}/envios/{first(site, -schema.invitations.c.id) * -1}/cambiar"
    dora.sends(page, page, palabras_es="Trae tu recibo.")


def changes_an_account(site: Pages, dora: Visitor) -> None:
    with reading(site.parts.engine) as db:
        number = organizers.by_email(db, address("analyst")).id
    dora.sends("/cuentas", f"/cuentas/{number}", hacer="codigo")


def uses_an_app(site: Pages, _dora: Visitor) -> None:
    """Somebody who takes it off again, so that the others may go on signing in."""
    felix, page = site.as_("facilitator"), "/mi-cuenta/codigo"
    found = re.search(r'class="secret">([^<]+)', felix.opens(page).text)
    assert found
    felix.sends(page, page, codigo=pyotp.TOTP(found[1]).now())
    felix.sends("/mi-cuenta", f"{page}/quitar", actual=PASSWORD)


def with_trouble(act: str, state: str) -> Act:
    def do(site: Pages, dora: Visitor) -> None:
        with reading(site.parts.engine) as db:
            kinds = [group.kind for group in troubles.groups(db)]
        kind = next(each for each in kinds if each.state == state)
        given = {name: getattr(kind, name) for name in TROUBLE}
        dora.sends("/mensajes", f"/mensajes/{act}", **given)

    return do


def uploads(_site: Pages, dora: Visitor) -> str:
    file = (io.BytesIO(GOOD_FORM.encode()), "idea.md")
    shown = dora.sends("/cuestionarios", "/cuestionarios/revisar", archivos=file).text
    found = re.search(r'name="borrador" value="(\w+)"', shown)
    assert found
    return found[1]


def publishes(site: Pages, dora: Visitor) -> None:
    given = {"borrador": uploads(site, dora), "archivo": "idea.md"}
    dora.sends("/cuestionarios", "/cuestionarios/publicar", **given)


def translates(site: Pages, dora: Visitor, said: str = "Ja'") -> None:
    with reading(site.parts.engine) as db:
        string = translating.now(db, "consulta", "yua")[0]
    given = {"lugar": string.place, "marca": translations.mark(string.source), "a": "borrador"}
    dora.sends(MAYA, MAYA, texto=said, **given)


def records(site: Pages, dora: Visitor) -> None:
    with reading(site.parts.engine) as db:
        string = next(
            each for each in translating.now(db, "consulta", "yua") if each.column == "label"
        )
    given = {"lugar": string.place, "marca": translations.mark(string.source)}
    dora.sends(MAYA, f"{MAYA}/grabacion", grabacion=(io.BytesIO(samples.OGG), "a.ogg"), **given)


def takes_a_recording_out(site: Pages, dora: Visitor) -> None:
    with reading(site.parts.engine) as db:
        string = next(
            each for each in translating.now(db, "consulta", "yua") if each.column == "label"
        )
    dora.sends(MAYA, f"{MAYA}/grabacion/quitar", lugar=string.place)


def takes_a_sheet_back(_site: Pages, dora: Visitor) -> None:
    file = io.BytesIO(dora.opens(f"{MAYA}/hoja.xlsx").data)
    dora.sends(MAYA, f"{MAYA}/hoja", hoja=(file, "hoja.xlsx"))


def publishes_translations(site: Pages, dora: Visitor) -> None:
    translates(site, dora, "Ba'ax")
    dora.sends(MAYA, f"{MAYA}/publicar", borradores="si")


def sees_to_a_right(site: Pages, dora: Visitor) -> None:
    person = first(site, schema.people.c.id)
    row = {"person_id": person, "kind": "access", "at": site.parts.clock()}
    with writing(site.parts.engine) as db:
        made = db.execute(insert(schema.requests).values(row)).inserted_primary_key
    dora.sends("/derechos", f"/derechos/{made and made[0]}")


def looks_through_copies(site: Pages, dora: Visitor) -> None:
    row = {"channel": "chat", "who": b"x", "folio": "ABC-234", "at": site.parts.clock()}
    with writing(site.parts.engine) as db:
        made = db.execute(insert(schema.erasures).values(**row, pending="copies"))
        number = made.inserted_primary_key and made.inserted_primary_key[0]
    dora.sends("/derechos", f"/derechos/borrado/{number}")


ACTS: Mapping[str, tuple[str, Act]] = {  # what is written down, and how it is done
    "access.enter": ("entró", lambda site, _: site.as_("organizer")),
    "access.sign_out": ("salió", lambda _, dora: dora.sends("/hoy", "/salir")),
    "access.change_password": ("cambió su contraseña", lambda _, dora: dora.sends(
        "/mi-cuenta", "/mi-cuenta/contrasena", actual=PASSWORD, nueva=PASSWORD)),
    "access.set_totp": ("activó el código de su aplicación", uses_an_app),
    "access.drop_totp": ("quitó el código de su aplicación", uses_an_app),
    "plan.shift": ("movió el inicio del plan", lambda _, dora: dora.sends(
        "/plan", "/plan/inicio", inicio="2027-06-28")),
    "plan.change": ("cambió una fase del plan", lambda _, dora: dora.sends(
        "/plan", "/plan/33", desde="2027-10-12", hasta="2027-10-12")),
    "forms.check": ("revisó un cuestionario", uploads),
    "forms.publish": ("publicó un cuestionario", publishes),
    "forms.turn": ("abrió la consulta", lambda _, dora: dora.sends(
        "/cuestionarios", "/cuestionarios/consulta/1/estado", a="open")),
    "translators.write": ("escribió una traducción", translates),
    "translators.record": ("grabó una traducción", records),
    "translators.take_out": ("quitó una grabación", takes_a_recording_out),
    "translators.take_back": ("subió una hoja de traducción", takes_a_sheet_back),
    "translators.publish": ("publicó traducciones", publishes_translations),
    "forums.add": ("abrió un foro", opens_a_forum),
    "forums.change": ("cambió un foro", changes_a_forum),
    "forums.invite": ("planeó una invitación", of_a_forum("invitar", ya="si")),
    "forums.change_call": ("cambió una invitación", changes_an_invitation),
    "forums.steer": ("pausar un envío", steers),
    "forums.arrive": ("anotó llegadas", of_a_forum("llegada", folio="ABC-234")),
    "forums.conclude": ("envió conclusiones", of_a_forum("conclusiones", es="Habrá pozos.")),
    "forums.cancel": ("canceló un foro", of_a_forum("cancelar")),
    "messages.leave": ("dejó mensajes como están", with_trouble("dejar", "uncertain")),
    "messages.send_again": ("reenvió mensajes", with_trouble("reenviar", "failed")),
    "messages.run_again": ("volvió a pasar conversaciones", lambda _, dora: dora.sends(
        "/mensajes", "/mensajes/detenidas")),
    "rights.settle": ("atendió un derecho", sees_to_a_right),
    "rights.settle_copies": ("atendió un derecho", looks_through_copies),
    "accounts.add": ("abrió una cuenta", lambda _, dora: dora.sends(
        "/cuentas", "/cuentas", correo="eva@x.mx", nombre="Eva", papel="analyst")),
    "accounts.change": ("quitó el código de una cuenta", changes_an_account),
}  # fmt: skip


def test_every_form_of_the_organizers_pages_is_in_the_table(site: Pages) -> None:
    ours = {module.blueprint.name for module in MODULES} | {"access"}
    posts = {
        rule.endpoint
        for rule in site.app.url_map.iter_rules()
        if "POST" in (rule.methods or ()) and rule.endpoint.partition(".")[0] in ours
    }
    assert posts - NOTHING_IS_DONE == ACTS.keys()


@pytest.mark.parametrize("endpoint", ACTS)
def test_what_is_done_is_written_down_with_who_did_it(site: Pages, endpoint: str) -> None:
    action, act = ACTS[endpoint]
    dora, before = site.as_("organizer"), len(site.log())
    act(site, dora)
    new = site.log()[: len(site.log()) - before]
    assert (FELIX if "totp" in endpoint else DORA, action) in new


def test_failures_at_the_door_are_written_down_and_what_was_typed_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(organizers, "MOST", (2, 30, 30))  # each try costs a third of a second
    with pages(tmp_path, people=3) as site:
        dora, visitor = site.as_("organizer"), site.stranger()
        for _ in range(organizers.MOST[0] + 2):
            visitor.signs_in(address("analyst"), "esta es mi contraseña secreta")
            visitor.signs_in("mi contraseña secreta")
        page = "/mi-cuenta/codigo/quitar"
        for _ in range(organizers.MOST[0] + 1):
            dora.sends("/mi-cuenta", page, actual="no es esta")
        log, analyst = site.log(), address("analyst")
        assert log.count((analyst, "no pudo entrar")) == organizers.MOST[0]
        assert log.count((analyst, "tiene que esperar")) == 1
        assert log.count((organizers.NOBODY, "tiene que esperar")) == 1
        assert log.count((DORA, "dio mal su contraseña")) == organizers.MOST[0]
        assert "Demasiados intentos" in dora.reads("/mi-cuenta")
        assert "secreta" not in dora.reads("/bitacora")
