"""The organizers' pages without a browser: who may see what, and what is done is noted."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from html import unescape
from pathlib import Path

import pyotp
import pytest
from sqlalchemy import func, select

from bot.plan import schedule, tick
from dialogs.attachments import LARGEST_AUDIO
from storage import (
    forms,
    forums,
    invitations,
    organizers,
    plan,
    regions,
    reports,
    schema,
    translating,
)
from storage.database import reading, writing
from tests.pages_world import PASSWORD, Pages, address, pages, words
from webhooks import census, forum_forms, spoken, workdays
from webhooks.pages import MODULES, PAGES, UPLOADS

PATHS = {
    "today.page": "/hoy",
    "plan.page": "/plan",
    "forms.page": "/cuestionarios",
    "translators.page": "/traducciones",
    "participation.page": "/participacion",
    "forums.page": "/foros",
    "messages.page": "/mensajes",
    "rights.page": "/derechos",
    "accounts.page": "/cuentas",
    "accounts.log": "/bitacora",
}
ALLOWED = [
    (role, PATHS[page], role in roles) for page, _, _, roles in PAGES for role in organizers.ROLES
]
PARTS = ("/hoy/ahora", "/participacion/preguntas", "/cuestionarios/consulta/1", "/mi-cuenta",
         "/mi-cuenta/codigo")  # fmt: skip
BROKEN_FORM = """
| survey | | | |
|---|---|---|---|
| | type | name | label::Español (es) |
| | select_one nada | uno | ¿Uno? |
| | text | 2dos | ¿Dos? |
"""
GOOD_FORM = """
| survey | | | |
|---|---|---|---|
| | type | name | label::Español (es) |
| | text | idea | ¿Qué propones? |

| settings | | |
|---|---|---|
| | form_title | form_id |
| | Una idea | idea |
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    with pages(tmp_path_factory.mktemp("pages")) as made:
        yield made


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Pages]:
    """One of its own, for what changes much."""
    with pages(tmp_path, people=25) as made:
        yield made


# who may see what


@pytest.mark.parametrize(("role", "path", "may"), ALLOWED)
def test_each_role_sees_its_pages_and_no_others(site, role, path, may):
    found = site.as_(role).opens(path)
    assert found.status_code == (200 if may else 403)
    assert may or "Tu cuenta no incluye esta página" in words(found.text)


@pytest.mark.parametrize("path", [*PATHS.values(), *PARTS])
def test_a_stranger_is_asked_to_sign_in_first(site, path):
    found = site.stranger().opens(path)
    assert found.status_code == 302
    assert found.location.startswith("/entrar")


@pytest.mark.parametrize("path", PARTS)
def test_the_parts_of_pages_open(site, path):
    assert site.as_("organizer").opens(path).status_code == 200


@pytest.mark.parametrize("path", [*PATHS.values(), *PARTS[2:]])
def test_every_page_says_that_the_published_maya_is_a_draft(site, path):
    with reading(site.parts.engine) as db:
        drafts = translating.unreviewed(db)
    assert drafts > 0
    said = f"Se publicó maya sin revisar: {drafts} textos son borradores"
    assert said in words(site.as_("organizer").opens(path).text)


def test_every_way_to_change_something_refuses_strangers_and_a_missing_token(site):
    ours = {module.blueprint.name for module in MODULES} | {"access"}
    changing = [
        str(rule)
        for rule in site.app.url_map.iter_rules()
        if "POST" in (rule.methods or ()) and rule.endpoint.partition(".")[0] in ours
    ]
    organizer = site.as_("organizer")
    for rule in changing:
        path = (
            rule.replace("<int:number>", "1")
            .replace("<name>", "consulta")
            .replace("<int:one>", "1")
        )
        assert site.stranger().client.post(path).status_code == 400, path
        assert organizer.client.post(path).status_code == 400, path
        if path not in ("/entrar", "/salir"):
            found = site.stranger().sends("/entrar", path)
            assert found.status_code == 302, path
            assert "/entrar" in found.location, path
    assert len(changing) > 15


def test_an_analyst_can_look_and_not_touch(site):
    analyst = site.as_("analyst")
    for path in ("/plan/1", "/plan/inicio", "/cuestionarios/publicar", "/cuentas"):
        assert analyst.sends("/hoy", path).status_code == 403


def test_the_front_page_is_for_everybody_and_leads_organizers_on(site):
    said = site.stranger().reads("/")
    assert "Contestar en el chat" in said
    assert "Entrar" in said
    assert site.as_("organizer").opens("/").location == "/hoy"


def test_nothing_of_a_page_stays_in_the_cache_and_nothing_foreign_may_load(site):
    headers = site.as_("organizer").opens("/hoy").headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert "unsafe" not in headers["Content-Security-Policy"]


# signing in and out


def test_a_wrong_password_and_an_unknown_account_look_the_same(site):
    unknown = site.stranger().signs_in("nadie@consulta.mx")
    wrong = site.stranger().signs_in(address("organizer"), "otra cosa por completo")
    assert (unknown.status_code, wrong.status_code) == (401, 401)
    said = [words(each.text).replace(address("organizer"), "") for each in (unknown, wrong)]
    assert said[0] == said[1]


def test_too_many_failures_shut_the_account_for_a_while(fresh):
    visitor, email = fresh.stranger(), address("analyst")
    for _ in range(organizers.MOST[0]):
        assert visitor.signs_in(email, "no es esta contraseña").status_code == 401
    assert visitor.signs_in(email).status_code == 429
    elsewhere = fresh.stranger()
    elsewhere.client.environ_base |= {"REMOTE_ADDR": "198.51.100.7"}
    assert elsewhere.signs_in(email).status_code == 302, "who knows an e-mail shuts nobody out"
    assert visitor.signs_in(email).status_code == 429
    assert fresh.as_("organizer").opens("/hoy").status_code == 200


def test_many_machines_shut_an_account_for_a_while(fresh, monkeypatch):
    monkeypatch.setattr(organizers, "MOST", (2, 30, 3))

    def tries(place: int, password: str = PASSWORD) -> int:
        visitor = fresh.stranger()
        visitor.client.environ_base |= {"REMOTE_ADDR": f"198.51.100.{place}"}
        return visitor.signs_in(address("analyst"), password).status_code

    assert [tries(place, "no es esta contraseña") for place in (1, 2, 3)] == [401] * 3
    assert tries(4) == 429


def test_behind_a_proxy_a_stranger_shuts_out_nobody_but_themselves(fresh, monkeypatch):
    monkeypatch.setattr(organizers, "MOST", (30, 2, 30))

    def tries(told: str, email: str, password: str = PASSWORD, peer: str = "172.18.0.5") -> int:
        """What comes of it where the proxy at `peer` says who asks."""
        visitor = fresh.stranger()
        visitor.client.environ_base |= {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": told}
        return visitor.signs_in(email, password).status_code

    nobody, wrong = "nadie@consulta.mx", "no es esta contraseña"
    assert [tries("203.0.113.9", nobody, wrong) for _ in range(3)] == [401, 401, 429]
    assert tries("198.51.100.1, 203.0.113.9", nobody, wrong) == 429, "what they say themselves"
    assert tries("198.51.100.1", address("organizer")) == 302
    found = [tries(f"2001:db8:1:2::{n}", nobody, wrong) for n in (1, 2, 3)]
    assert found == [401, 401, 429]
    peer = "93.184.216.34"  # no proxy of ours
    found = [tries(f"198.51.100.{n}", nobody, wrong, peer) for n in (1, 2, 3)]
    assert found == [401, 401, 429]


def test_a_session_ends_without_use_and_at_the_end_of_the_day(fresh):
    now = fresh.parts.clock()
    with writing(fresh.parts.engine) as db:
        someone = organizers.by_email(db, address("organizer"))
        idle, long = organizers.begin(db, someone.id, now), organizers.begin(db, someone.id, now)
        assert organizers.present(db, idle, now + organizers.IDLE - timedelta(minutes=1))
        assert not organizers.present(db, idle, now + organizers.IDLE)
        organizers.touch(db, long, now + organizers.LONGEST - timedelta(minutes=5))
        assert organizers.present(db, long, now + organizers.LONGEST - timedelta(minutes=1))
        assert not organizers.present(db, long, now + organizers.LONGEST)


def test_who_signs_out_is_out_even_with_the_old_cookie(site):
    visitor = site.as_("organizer")
    cookie = visitor.client.get_cookie("session")
    visitor.sends("/hoy", "/salir")
    visitor.client.set_cookie("session", cookie.value)
    assert visitor.opens("/hoy").status_code == 302


def test_a_forged_link_sends_nobody_away(site):
    for where in ("https://otro.mx/", "//otro.mx", "/\\otro.mx"):
        visitor = site.stranger()
        fields = {"correo": address("organizer"), "contrasena": PASSWORD}
        found = visitor.sends("/entrar", f"/entrar?sigue={where}", **fields)
        assert found.location == "/hoy"
    fields = {"correo": address("organizer"), "contrasena": PASSWORD}
    assert site.stranger().sends("/entrar", "/entrar?sigue=/plan", **fields).location == "/plan"


def test_an_app_s_code_is_asked_for_once_it_is_set_and_each_is_good_once(fresh):
    now = fresh.stops_the_clock()  # a code is good for half a minute
    someone = fresh.as_("organizer")
    page = someone.opens("/mi-cuenta/codigo").text
    secret = page.partition('class="secret">')[2].partition("<")[0]
    totp = pyotp.TOTP(secret)
    before = now - 30
    assert "no coincide" in words(_after(someone, "/mi-cuenta/codigo", codigo="000000x"))
    assert "Listo" in words(_after(someone, "/mi-cuenta/codigo", codigo=totp.at(before)))
    stranger, email = fresh.stranger(), address("organizer")
    assert stranger.signs_in(email).status_code == 401
    assert stranger.signs_in(email, code=totp.at(before)).status_code == 401
    code = totp.at(now)
    assert stranger.signs_in(email, code=code).status_code == 302
    assert fresh.stranger().signs_in(email, code=code).status_code == 401


def _after(visitor, path, **fields):
    visitor.sends(path, path, **fields)
    return visitor.opens("/mi-cuenta").text


def test_a_new_password_ends_the_other_sessions(fresh):
    here, there = fresh.as_("organizer"), fresh.as_("organizer")
    new = "otra frase igual de larga"
    here.sends("/mi-cuenta", "/mi-cuenta/contrasena", actual=PASSWORD, nueva=new)
    assert here.opens("/hoy").status_code == 200
    assert there.opens("/hoy").status_code == 302
    assert fresh.stranger().signs_in(address("organizer"), new).status_code == 302


# accounts


def test_an_organizer_opens_changes_and_closes_an_account(fresh):
    dora = fresh.as_("organizer")
    made = dora.sends("/cuentas", "/cuentas", correo="Eva@x.mx", nombre="Eva", papel="analyst")
    password = made.text.partition('class="secret">')[2].partition("<")[0]
    eva = fresh.stranger()
    assert eva.signs_in("eva@x.mx", password).status_code == 302
    assert eva.opens("/cuentas").status_code == 403
    with reading(fresh.parts.engine) as db:
        number = organizers.by_email(db, "eva@x.mx").id
    dora.sends("/cuentas", f"/cuentas/{number}", hacer="papel", papel="organizer")
    assert eva.opens("/cuentas").status_code == 200
    dora.sends("/cuentas", f"/cuentas/{number}", hacer="cerrar")
    assert eva.opens("/hoy").status_code == 302
    assert fresh.stranger().signs_in("eva@x.mx", password).status_code == 401
    assert [action for _, action in fresh.log()][:3] == [
        "no pudo entrar",
        "cerró una cuenta",
        "cambió el papel a organización",
    ]


def test_nobody_locks_themselves_out(fresh):
    dora = fresh.as_("organizer")
    with reading(fresh.parts.engine) as db:
        number = organizers.by_email(db, address("organizer")).id
    dora.sends("/cuentas", f"/cuentas/{number}", hacer="cerrar")
    assert dora.opens("/hoy").status_code == 200


def test_a_short_password_is_refused_with_its_reason(fresh):
    with (
        writing(fresh.parts.engine) as db,
        pytest.raises(organizers.AccountError, match="caracteres"),
    ):
        organizers.add(db, "a@b.mx", "", "analyst", "corta", fresh.parts.clock())


# what is counted


def test_the_figures_agree_with_each_other(site):
    with reading(site.parts.engine) as db:
        scope = reports.scope(db, "consulta")
        found = reports.dispositions(db, scope, site.parts.clock())
        groups = reports.by(db, scope, site.parts.clock(), "channel", "municipality")
        assert found.reached == db.scalar(select(func.count()).select_from(schema.responses)) == 60
        for column in groups.values():
            assert sum(group.begun for group in column) == found.reached
            assert sum(group.completed for group in column) == found.completed
            assert sum(group.refused for group in column) == found.refused
        answered = reports.answered(db, scope)
        assert answered["consiente"] == found.accepted
        left = reports.last_answered(db, scope, site.parts.clock() - reports.QUIET)
        assert sum(left.values()) >= found.broke_off
        assert reports.median_time(db, scope) > timedelta(minutes=1)


def test_the_figures_are_the_same_on_both_databases(database_url, tmp_path):
    with pages(tmp_path, database_url, people=20) as made, reading(made.parts.engine) as db:
        now, scope = made.parts.clock(), reports.scope(db, "consulta")
        assert reports.dispositions(db, scope, now).reached == 20
        assert (
            sum(begun for begun, _ in reports.daily(db, scope, now - timedelta(days=30)).values())
            == 20
        )
        total = db.scalar(select(func.count()).select_from(schema.answers))
        assert sum(reports.hourly(db, now - timedelta(days=30)).values()) == total
        assert reports.median_time(db, scope) > timedelta(0)
        assert sum(reports.answered(db, scope).values()) <= total
        assert reports.attention(db).uncertain == 6
        assert set(reports.values(db, scope, "consiente")) == {"si"}
        assert made.as_("organizer").opens("/participacion").status_code == 200


def test_a_small_group_is_not_shown_with_its_number(site):
    with reading(site.parts.engine) as db:
        found = reports.by(db, reports.scope(db, "consulta"), site.parts.clock(), "municipality")[
            "municipality"
        ]
    small = [group for group in found if 0 < group.begun < reports.SMALLEST]
    assert small
    assert f"menos de {reports.SMALLEST}" in site.as_("analyst").reads("/participacion")


# what is done


def test_the_plan_shifts_as_a_whole_and_a_phase_alone(fresh):
    dora = fresh.as_("organizer")
    dora.sends("/plan", "/plan/inicio", inicio="2027-06-28")
    said = dora.reads("/plan")
    assert "28 de junio" in said
    assert "lunes 11 de octubre de 2027" in said  # the presentation
    assert "lunes 18 de octubre de 2027" in said  # the signing
    dora.sends("/plan", "/plan/33", desde="2027-10-12", hasta="2027-10-12", hecha="si")
    assert "martes 12 de octubre de 2027" in dora.reads("/plan")
    dora.sends("/plan", "/plan/inicio", inicio="2028-06-28")
    assert "jueves 12 de octubre de 2028" in dora.reads("/plan")
    dora.sends("/plan", "/plan/33", desde="2028-10-12", hasta="2028-10-01")
    assert "antes de empezar" in dora.reads("/plan")
    assert (address("organizer"), "cambió una fase del plan") in fresh.log()


def test_the_plan_says_when_the_consultation_has_to_open_and_to_close(fresh):
    dora, today = fresh.as_("organizer"), fresh.parts.clock().date()
    dora.sends("/plan", "/plan/inicio", inicio=(today - timedelta(days=30)).isoformat())
    assert "debería estar abierta , y está en piloto" in dora.reads("/hoy")
    dora.sends("/hoy", "/cuestionarios/consulta/1/estado", a="open")
    assert "debería estar" not in dora.reads("/plan")
    dora.sends("/plan", "/plan/inicio", inicio=(today - timedelta(days=70)).isoformat())
    assert "debería estar cerrada , y está abierta" in dora.reads("/plan")
    dora.sends("/plan", "/cuestionarios/consulta/2/estado", a="closed")
    assert "debería estar" not in dora.reads("/plan")
    dora.sends("/plan", "/plan/inicio", inicio=(today - timedelta(days=30)).isoformat())
    assert "debería estar abierta , y está cerrada" in dora.reads("/plan")


def test_a_questionnaire_with_faults_is_refused_with_all_of_them(fresh):
    found = _upload(fresh.as_("organizer"), BROKEN_FORM)
    assert found.status_code == 422
    assert "fila 2" in words(found.text)
    assert "fila 3" in words(found.text)
    assert "La lista 'nada' no está en la hoja choices." in words(unescape(found.text))


def test_a_questionnaire_is_looked_at_published_opened_and_closed(fresh):
    dora = fresh.as_("organizer")
    found = _upload(dora, GOOD_FORM)
    assert "¿Qué propones?" in found.text
    draft = found.text.partition('name="borrador" value="')[2].partition('"')[0]
    fields = {"borrador": draft, "archivo": "idea.md", "estado": "piloto", "primero": "si"}
    dora.sends("/cuestionarios", "/cuestionarios/publicar", **fields)
    assert _front(fresh) == ("idea", 1)
    dora.sends("/cuestionarios", "/cuestionarios/idea/1/estado", a="open")
    assert _front(fresh) == ("idea", 2)
    assert _states(fresh, "idea") == ["pilot", "open"]
    dora.sends("/cuestionarios", "/cuestionarios/idea/2/estado", a="closed")
    assert _front(fresh)[0] == "cerrada"
    assert [action for _, action in fresh.log()][:3] == [
        "cerró la consulta",
        "abrió la consulta",
        "publicó un cuestionario",
    ]


def test_a_questionnaire_brings_its_recordings(fresh):
    dora = fresh.as_("organizer")
    form = GOOD_FORM.replace("label::Español (es) |", "label::Español (es) | media::audio |", 1)
    form = form.replace("¿Qué propones? |", "¿Qué propones? | idea.ogg |")
    missing = _upload(dora, form)
    assert "Falta la grabación 'idea.ogg'." in words(unescape(missing.text))
    checked = _upload(dora, form, (io.BytesIO(b"OggS"), "idea.ogg"))
    draft = checked.text.partition('name="borrador" value="')[2].partition('"')[0]
    dora.sends("/cuestionarios", "/cuestionarios/publicar", borrador=draft, archivo="idea.md")
    assert fresh.parts.post.media.read("forms/idea.ogg") == b"OggS"
    assert UPLOADS["forms.check"] > 3 * LARGEST_AUDIO


@pytest.mark.parametrize("name", ["años.csv", "an\u0303os.csv", "listas/años.csv"])
def test_an_attached_file_keeps_its_name(fresh, name):
    dora = fresh.as_("organizer")
    form = GOOD_FORM.replace("| text |", "| select_one_from_file años.csv |")
    checked = _upload(dora, form, (io.BytesIO(b"name,label\na,2020"), name), file="idea ñ.md")
    draft = checked.text.partition('name="borrador" value="')[2].partition('"')[0]
    fields = {"borrador": draft, "archivo": "../idea ñ.md"}
    dora.sends("/cuestionarios", "/cuestionarios/publicar", **fields)
    with reading(fresh.parts.engine) as db:
        [question] = [each for each in forms.load(db, "idea", 1).questions if each.options]
    assert question.options[0].label["es"] == "2020"


def test_a_file_may_have_a_longer_name_than_a_disk_takes(fresh):
    checked = _upload(fresh.as_("organizer"), GOOD_FORM, file=f"{'ñ' * 300}.md")
    assert checked.status_code == 200
    assert f'value="{"ñ" * 60}.md"' in checked.text


def _upload(visitor, form, *more, file="idea.md"):
    files = [(io.BytesIO(form.encode()), file), *more]
    return visitor.sends("/cuestionarios", "/cuestionarios/revisar", archivos=files)


def _front(site):
    with reading(site.parts.engine) as db:
        return forms.front(db)


def _states(site, name):
    with reading(site.parts.engine) as db:
        rows = [row for row in reports.published(db) if row.name == name]
    return [row.state for row in reversed(rows)]


def test_uncertain_messages_are_looked_at_left_and_sent_again(fresh):
    dora = fresh.as_("organizer")
    kind = {"state": "uncertain", "channel": "whatsapp", "lane": "0", "code": "",
            "reason": "the provider did not answer in time"}  # fmt: skip
    assert "6 mensajes inciertos" in dora.reads("/mensajes")
    assert "Verlos quedó anotado" in dora.client.get("/mensajes/ver", query_string=kind).text
    dora.sends("/mensajes", "/mensajes/dejar", **kind)
    assert "inciertos" not in dora.reads("/mensajes")
    failed = {**kind, "state": "failed", "code": "63024", "reason": "message undeliverable"}
    dora.sends("/mensajes", "/mensajes/reenviar", **failed)
    with reading(fresh.parts.engine) as db:
        states = select(schema.outbox.c.state, func.count()).group_by(schema.outbox.c.state)
        counts = {row[0]: row[1] for row in db.execute(states)}
    assert counts["uncertain"] == 6
    assert "failed" not in counts
    assert [action for _, action in fresh.log()][:3] == [
        "reenvió mensajes",
        "dejó mensajes como están",
        "abrió mensajes",
    ]


def test_conversations_that_failed_by_our_fault_go_on(fresh):
    dora = fresh.as_("organizer")
    assert "2 conversaciones se detuvieron" in dora.reads("/mensajes")
    with reading(fresh.parts.engine) as db:
        number = db.scalar(select(schema.inbox.c.id).where(schema.inbox.c.state == "failed"))
    assert "hola" in dora.reads(f"/mensajes/detenidas/{number}")
    dora.sends("/mensajes", "/mensajes/detenidas", numero=number)
    assert "1 conversación siguió su camino" in dora.reads("/mensajes")
    dora.sends("/mensajes", "/mensajes/detenidas")
    assert "se detuv" not in dora.reads("/mensajes")


def test_a_right_is_seen_to_before_its_legal_time_is_over(fresh):
    now = fresh.parts.clock()
    with writing(fresh.parts.engine) as db:
        db.execute(schema.requests.delete())
        person = db.scalar(select(schema.people.c.id))
        old = now - timedelta(days=60)
        db.execute(schema.requests.insert().values(person_id=person, kind="erasure", at=old))
        number = db.scalar(select(schema.requests.c.id))
    dora = fresh.as_("organizer")
    assert "venció hace" in dora.reads("/derechos")
    dora.sends("/derechos", f"/derechos/{number}")
    assert "Nadie espera respuesta" in dora.reads("/derechos")
    assert fresh.log()[0] == (address("organizer"), "atendió un derecho")


# working days


@pytest.mark.parametrize(
    ("start", "count", "end"),
    [
        (date(2027, 6, 28), 1, date(2027, 6, 29)),
        (date(2027, 7, 2), 1, date(2027, 7, 5)),  # over a weekend
        (date(2027, 9, 15), 1, date(2027, 9, 17)),  # over Independence Day
        (date(2027, 11, 12), 1, date(2027, 11, 16)),  # the third Monday of November
        (date(2027, 12, 31), 1, date(2028, 1, 3)),
        (date(2027, 6, 28), 20, date(2027, 7, 26)),
        (date(2030, 9, 30), 1, date(2030, 10, 2)),  # a president takes office
    ],
)
def test_working_days_skip_weekends_and_holidays(start, count, end):
    assert workdays.after(start, count) == end
    assert workdays.between(start, end) == count


# of whom the figures are


def test_figures_of_a_part_add_up_to_the_whole_and_say_that_they_are_a_part(site):
    now = site.parts.clock()
    with reading(site.parts.engine) as db:
        whole = reports.scope(db, "consulta")
        channels = [group.key for group in reports.by(db, whole, now, "channel")["channel"]]
        parts = [replace(whole, only={"channel": name}) for name in channels]
        found = [reports.dispositions(db, part, now) for part in parts]
        assert sum(each.reached for each in found) == reports.dispositions(db, whole, now).reached
        ways = reports.by(db, whole, now, "came_by")["came_by"]
        unsaid = replace(whole, only={"came_by": ""})
        assert reports.dispositions(db, unsaid, now).reached == _of(ways, "").begun
        gone = reports.by(db, whole, now, "language")["language"]
        silent = reports.dispositions(db, whole, now)
        assert sum(group.broke_off for group in gone) >= silent.broke_off > 0
    shown = site.as_("analyst").reads("/participacion?canal=telegram&dias=28")
    assert "Estas cifras son de una parte de las personas" in shown
    assert "Estas cifras son" not in site.as_("analyst").reads("/participacion")


def _of(groups, key):
    return next(group for group in groups if group.key == key)


def test_a_part_with_too_few_people_is_not_shown(site):
    found = site.as_("analyst").reads("/participacion?canal=import")
    assert "Nadie cumple con eso todavía" in found
    assert "Dónde falta gente" not in found


def test_who_is_one_of_few_is_not_told_apart_question_by_question(site):
    analyst, now = site.as_("analyst"), site.parts.clock()
    with reading(site.parts.engine) as db:
        whole = reports.scope(db, "consulta")
        ways = [group.key for group in reports.by(db, whole, now, "came_by")["came_by"]
                if group.begun >= reports.SMALLEST]  # fmt: skip
        way = next(way for way in ways if _has_few(db, replace(whole, only={"came_by": way})))
    shown = analyst.opens(f"/participacion/preguntas?via={way or '-'}").text
    numbers = re.findall(r'data-label="Contestaron">([^<]+)<', shown)
    assert "menos de 5" in numbers
    assert not {"1", "2", "3", "4"} & set(numbers)
    left = re.findall(r'data-label="Se fueron después">([^<]+?) ?<', shown)
    assert not {"1", "2", "3", "4"} & set(left)
    nobody = analyst.reads("/participacion/preguntas?canal=import")
    assert "Son menos de 5 personas" in nobody


def _has_few(db, scope):
    return any(0 < count < reports.SMALLEST for count in reports.answered(db, scope).values())


def test_a_number_that_follows_from_the_others_is_not_told_either():
    assert reports.few({"a": 12, "b": 6, "c": 2, "d": 0}) == {"b", "c"}
    assert reports.few({"a": 12, "b": 1, "c": 2}) == {"b", "c"}
    assert reports.few({"a": 12, "b": 6}) == frozenset()
    assert (spoken.some(6, hidden=True), spoken.some(2)) == ("5 o más", "menos de 5")


def test_what_is_missing_never_gives_a_small_count_away():
    town = census.towns()[0]
    assert census.Compared(town, 3, 8.0).missing_told == "4 o más"
    assert census.Compared(town, 4, 4.6).missing_told == "1 o más"
    assert census.Compared(town, 2, 3.0).missing_told == "algunas"
    assert census.Compared(town, 0, 8.0).missing_told == "8"
    assert census.Compared(town, 9, 8.0).missing_told == ""


def test_those_invited_to_forums_are_counted_once_each_whatever_the_database(
    database_url, tmp_path
):
    with pages(tmp_path, database_url, people=8) as made, reading(made.parts.engine) as db:
        found = reports.called(db)
        shown = made.as_("analyst").reads("/participacion?via=-&dias=28")
    assert found.invited == 5  # two thirds of the sample
    assert found.invited >= found.reached >= found.attended
    assert "Participación" in shown


# a questionnaire tried beside its tree


def test_a_questionnaire_is_tried_and_nothing_of_it_is_stored(site):
    translator = site.as_("translator")
    before = _stored(site)
    page = "/cuestionarios/consulta/1"
    assert "Pruébalo aquí" in translator.reads(page)
    said = {"cuestionario": "consulta", "version": 1, "dicho": ["Español"]}
    found = words(translator.sends(page, "/cuestionarios/probar", nuevo="1", **said).text)
    assert "¿Qué edad tienes?" in found
    again = translator.sends(page, "/cuestionarios/probar", otra="si", nuevo="1", **said)
    assert "¿Qué edad tienes?" not in words(again.text)
    assert _stored(site) == before
    missing = {"cuestionario": "consulta", "version": 99, "nuevo": "1"}
    assert translator.sends(page, "/cuestionarios/probar", **missing).status_code == 404
    assert site.as_("facilitator").sends("/hoy", "/cuestionarios/probar", **said).status_code == 403


def _stored(site):
    tables = (schema.people, schema.answers, schema.outbox, schema.inbox, schema.responses)
    with reading(site.parts.engine) as db:
        return [db.scalar(select(func.count()).select_from(table)) for table in tables]


def test_a_draft_is_tried_before_it_is_published(fresh):
    organizer = fresh.as_("organizer")
    sent = {"archivos": (io.BytesIO(GOOD_FORM.encode()), "idea.md")}
    checked = organizer.sends("/cuestionarios", "/cuestionarios/revisar", **sent)
    draft = re.search(r'name="borrador" value="(\w+)"', checked.text)
    said = {"borrador": draft[1], "archivo": "idea.md", "nuevo": "Más árboles"}
    found = organizer.sends("/cuestionarios", "/cuestionarios/probar", **said)
    assert "Más árboles" in words(found.text)
    with reading(fresh.parts.engine) as db:
        assert forms.newest(db, "idea") is None


def test_the_tree_says_conditions_in_plain_words_and_comes_as_a_drawing(site):
    shown = site.as_("translator").reads("/cuestionarios/consulta/1")
    assert "Solo si en «¿Aceptas participar?» se contestó «Sí, acepto»" in shown
    found = site.as_("translator").opens("/cuestionarios/consulta/1/arbol.svg")
    assert found.content_type == "image/svg+xml"
    assert found.text.startswith("<svg")
    assert "obligatoria · papel: consent" in found.text


# forums


def test_an_invitation_is_shown_as_each_channel_will_show_it(site):
    found = site.as_("organizer").reads("/foros/1")
    for name in ("Telegram · Español", "WhatsApp · Español", "Telegram · Maya"):
        assert name in found
    assert "No puedo" in found


def test_the_sheet_for_the_door_has_a_code_to_scan(site):
    with reading(site.parts.engine) as db:
        door = forums.get(db, 1).door
    facilitator = site.as_("facilitator")
    plain = facilitator.opens("/foros/1/puerta").text
    assert f"aqui {door}" in plain
    assert 'svg class="qr"' not in plain
    assert "Código QR para Telegram" in facilitator.opens("/foros/1/puerta?bot=@consulta_bot").text
    assert "Código QR para Telegram" in facilitator.opens("/foros/1/puerta").text  # remembered
    assert "Código QR" not in site.as_("organizer").opens("/foros/1/puerta?bot=<script>").text
    assert site.as_("analyst").opens("/foros/1/puerta").status_code == 403


def test_the_plan_shows_the_forums_of_each_phase(site):
    with reading(site.parts.engine) as db:
        day = forums.get(db, 1).plan.starts_at.date()
    with writing(site.parts.engine) as db:
        plan.move(db, 18, plan.Dates(day - timedelta(days=2), day + timedelta(days=2)))
    shown = site.as_("organizer").opens("/plan").text
    phase = shown[shown.index('id="fase-18"') :].partition("</li>\n<li id")[0]
    assert "Agua y servicios en el oriente" in phase


def _form_of(site, number):
    with reading(site.parts.engine) as db:
        return forum_forms.as_form(forums.get(db, number))


def test_a_forum_is_changed_and_who_had_answered_is_told(fresh):
    dora, form = fresh.as_("organizer"), _form_of(fresh, 1)
    later = form | {"fin": form["fin"][:-5] + "14:30", "punto": "20.6896, -88.2011", "cupo": "50"}
    dora.sends("/foros/1", "/foros/1/cambiar", **later)
    assert "El foro está cambiado. A quienes habían contestado se les avisa" in dora.reads(
        "/foros/1"
    )
    with reading(fresh.parts.engine) as db:
        plan_ = forums.get(db, 1).plan
        sent = [one.purpose for one in invitations.of_forum(db, 1) if one.state == "planned"]
    assert (plan_.capacity, plan_.place.point) == (50, (20.6896, -88.2011))
    assert "change" in sent
    words_only = _form_of(fresh, 1) | {"descripcion_es": "Habrá café."}
    dora.sends("/foros/1", "/foros/1/cambiar", **words_only)
    assert "Nadie tiene que saberlo" in dora.reads("/foros/1")
    wrong = words_only | {"fin": form["inicio"], "punto": "por el parque"}
    found = dora.sends("/foros/1", "/foros/1/cambiar", **wrong)
    assert found.status_code == 422
    assert "Revisa cuándo empieza y cuándo termina" in words(found.text)
    assert "El punto del mapa se escribe así" in words(found.text)
    assert "por el parque" in found.text
    assert fresh.log()[0] == (address("organizer"), "cambió un foro")


def test_an_invitation_is_tried_on_oneself_and_counts_for_nothing(fresh):
    dora = fresh.as_("organizer")
    with reading(fresh.parts.engine) as db:
        one = next(i for i in invitations.of_forum(db, 1) if i.purpose == "invitation")
        folio, person = db.execute(
            select(schema.responses.c.folio, schema.responses.c.person_id)
            .join(schema.people, schema.people.c.id == schema.responses.c.person_id)
            .where(schema.responses.c.folio.is_not(None), schema.people.c.channel == "telegram")
        ).first()
        before = forums.attendance(db, 1)
    path = f"/foros/1/envios/{one.id}"
    dora.sends("/foros/1", path, hacer="probar", direccion="AAA-99")
    assert "Nadie tiene ese folio" in dora.reads("/foros/1")
    dora.sends("/foros/1", path, hacer="probar", direccion=folio)
    assert "Va en camino, con la nota de que es una prueba" in dora.reads("/foros/1")
    with reading(fresh.parts.engine) as db:
        outbox = schema.outbox
        newest = select(outbox).where(outbox.c.person_id == person).order_by(outbox.c.id.desc())
        assert db.execute(newest).first().invitation_id is None
        assert invitations.status(db, one.id)["intended"] == 0
        assert forums.attendance(db, 1) == before


def test_a_whole_list_of_folios_is_noted_at_the_door(fresh):
    with reading(fresh.parts.engine) as db:
        folio = schema.responses.c.folio
        one, other = db.scalars(select(folio).where(folio.is_not(None)).limit(2)).all()
    dora = fresh.as_("facilitator")
    dora.sends("/foros/1", "/foros/1/llegada", folio=f"{one}\r\n{other.lower()}\r\nXXX-99")
    told = dora.reads("/foros/1")
    assert f"Llegaron: {one}, {other}." in told
    assert "Nadie tiene el folio XXX-99" in told
    dora.sends("/foros/1", "/foros/1/llegada", folio=one)
    assert f"Ya estaba en la lista: {one}." in dora.reads("/foros/1")


def test_whom_an_invitation_is_for_is_chosen_by_fields(fresh):
    with writing(fresh.parts.engine) as db:
        regions.replace(db, {"VI Oriente": ["31102"]})
    dora = fresh.as_("organizer")
    assert "VI Oriente" in dora.opens("/foros/1").text
    query = {"edad": "18_29", "papel": "citizen", "region": "VI Oriente"}
    assert forum_forms.segment(query) == 'age = 18_29 and role = citizen and region = "VI Oriente"'
    found = dora.client.get("/foros/1/alcance", query_string=query)
    assert found.status_code == 200
    assert "Llegaría a" in words(found.text)


def test_what_is_wrong_with_whom_it_is_for_is_said_in_spanish_with_what_to_do(site):
    dora = site.as_("organizer")
    found = dora.client.get("/foros/1/alcance", query_string={"expresion": "region = Sur"})
    assert found.status_code == 422
    assert "«Sur» no es una región. Hay estas: ninguna todavía" in words(found.text)
    dora.sends("/foros/1", "/foros/1/invitar", ya="si", expresion="lengua = yua")
    told = dora.reads("/foros/1")
    assert "No se planeó nada. De las personas no se sabe «lengua». Usa uno de estos" in told


@pytest.mark.parametrize(
    ("source", "chosen"),
    [
        ("", {}),
        ("language = yua and age = 18_29", {"idioma": "yua", "edad": "18_29"}),
        ('chose(temas, agua) and region = "VI Oriente"',
         {"tema": "temas/agua", "region": "VI Oriente"}),
        ("language = yua or age < 30", {"expresion": "language = yua or age < 30"}),
        ("role = citizen and (age < 30 and language = yua)",
         {"expresion": "role = citizen and (age < 30 and language = yua)"}),
    ],
)  # fmt: skip
def test_whom_an_invitation_is_for_goes_back_into_the_fields(source, chosen):
    assert forum_forms.fields(source) == chosen
    assert forum_forms.segment(chosen) == source


def test_a_planned_invitation_is_changed_on_its_page(fresh):
    dora, template = fresh.as_("organizer"), "HX" + "0a" * 16
    with reading(fresh.parts.engine) as db:
        forum = forums.get(db, 1)
        one = next(i for i in invitations.of_forum(db, 1) if i.purpose == "invitation")
    page = f"/foros/1/envios/{one.id}/cambiar"
    at = spoken.local(fresh.parts.clock() + timedelta(days=1)).replace(hour=10, minute=30)
    given = {
        "cuando": f"{at:%Y-%m-%dT%H:%M}", "repartir": "60", "plantilla": template,
        "hasta": f"{spoken.local(forum.plan.starts_at):%Y-%m-%dT%H:%M}", "idioma": "yua",
        "palabras_es": "Trae tu recibo de agua.", "palabras_yua": "",
    }  # fmt: skip
    assert dora.sends(page, page, **given).status_code == 302
    with reading(fresh.parts.engine) as db:
        found = invitations.get(db, one.id)
    assert (found.due, found.latest) == (at.replace(second=0, microsecond=0), forum.plan.starts_at)
    assert (found.segment, found.template) == ("language = yua", template)
    assert (found.words, found.spread) == ({"es": "Trae tu recibo de agua."}, timedelta(hours=1))
    assert fresh.log()[0] == (address("organizer"), "cambió una invitación")
    again = dora.opens(page).text
    assert 'value="yua" selected' in again
    assert "Trae tu recibo de agua." in again
    for wrong, told in (
        ({"plantilla": "HX1"}, "La plantilla se escribe como la muestra Twilio"),
        ({"expresion": "lengua = yua"}, "No cambió nada. De las personas no se sabe «lengua»."),
        ({"hasta": given["cuando"]}, "Terminaría de salir después de su último momento."),
    ):
        found = dora.sends(page, page, **{**given, **wrong})
        assert (found.status_code, told in words(found.text)) == (422, True), told
    with writing(fresh.parts.engine) as db:
        invitations.change(db, one.id, state="sending")
    assert "Repartida en" not in dora.reads(page)
    late = dora.sends(page, page, **given)
    assert "ya empezó a salir. Cancélala y planea otra." in words(late.text)
    dora.sends(page, page, hasta=given["hasta"], palabras_es="Ya casi.", plantilla=template)
    with reading(fresh.parts.engine) as db:
        found = invitations.get(db, one.id)
    assert (found.words, found.segment) == ({"es": "Ya casi."}, "language = yua")


def test_an_alert_is_said_in_spanish(fresh):
    with writing(fresh.parts.engine) as db:
        one = next(i for i in invitations.of_forum(db, 1) if i.purpose == "invitation")
        invitations.change(db, one.id, segment="region = Sur")
        invitations.alert(db, one.id, "'Sur' is no region.")
        other = next(i for i in invitations.of_forum(db, 1) if i.purpose == "reminder")
        invitations.alert(db, other.id, "message undeliverable (63016)")
    told = fresh.as_("organizer").reads("/foros/1")
    assert "«Sur» no es una región." in told
    assert "WhatsApp no deja escribir con texto libre" in told


def test_a_questionnaire_beside_the_first_is_opened_and_stays_beside_it(fresh):
    file = fresh.parts.settings.data / "idea.md"
    file.write_text(GOOD_FORM, encoding="utf-8")
    with writing(fresh.parts.engine) as db:
        forms.publish(db, file, fresh.parts.clock(), state="pilot")
    fresh.as_("organizer").sends("/cuestionarios", "/cuestionarios/idea/1/estado", a="open")
    assert _states(fresh, "idea") == ["pilot", "open"]
    assert _front(fresh)[0] == "consulta"


def test_what_comes_along_is_looked_at_and_published_without_a_file(fresh):
    dora = fresh.as_("organizer")
    assert "Vienen con el programa" in dora.reads("/cuestionarios")
    assert "ayuntamientos sin publicar" in dora.reads("/plan")
    found = dora.sends("/cuestionarios", "/cuestionarios/revisar", incluido="ayuntamientos")
    assert found.status_code == 200
    draft = found.text.partition('name="borrador" value="')[2].partition('"')[0]
    fields = {"borrador": draft, "archivo": "ayuntamientos.md", "borradores": "si"}
    dora.sends("/cuestionarios", "/cuestionarios/publicar", **fields)
    assert _states(fresh, "ayuntamientos") == ["open"]
    assert _front(fresh)[0] == "consulta"
    assert "ayuntamientos abierto" in dora.reads("/plan")
    assert "especialistas sin publicar" in dora.reads("/plan")
    assert dora.sends("/cuestionarios", "/cuestionarios/revisar", incluido="x").status_code == 302


def test_each_questionnaire_has_its_link_and_its_code_to_scan(site):
    dora = site.as_("organizer")
    assert "Su liga y su código QR" in dora.reads("/cuestionarios/consulta/1")
    page = "/cuestionarios/consulta/entrada"
    assert "cuestionario consulta" in dora.reads(page)
    found = dora.opens(f"{page}?bot=@consulta_bot&cartel=mesa3").text
    assert "https://t.me/consulta_bot?start=consulta-mesa3" in found
    assert "Código QR para Telegram" in found
    assert "cuestionario consulta-mesa3" in words(found)
    assert "El cartel se nombra con letras" in dora.reads(f"{page}?cartel=mesa+tres")
    assert dora.opens("/cuestionarios/nada/entrada").status_code == 404


def test_what_the_plan_did_by_itself_is_told_on_today_and_in_the_log(fresh):
    now, dora = fresh.parts.clock(), fresh.as_("organizer")
    today = spoken.local(now).date()
    with writing(fresh.parts.engine) as db:
        plan.begin_on(db, today - timedelta(days=40), now - timedelta(days=2))
        db.execute(schema.forms.update().values(published_at=now - timedelta(days=3)))
        phases = schedule(db, now)
        opens = next(each for each in phases if each.stage == "open")
        own = next(each for each in phases if each.form == "ayuntamientos")
    days = {"desde": today.isoformat(), "hasta": (today + timedelta(days=9)).isoformat()}
    dora.sends("/plan", f"/plan/{own.number}", **days)
    dora.sends("/plan", f"/plan/{opens.number}", **days, fechas="si", a_mano="si")
    assert "a mano" in dora.reads("/plan")
    tick(fresh.parts.engine, now)
    assert _states(fresh, "consulta") == ["pilot"]
    with writing(fresh.parts.engine) as db:
        set_at = now - timedelta(days=1)
        plan.move(db, opens.number, plan.Dates(today, today, set_at=set_at))
    tick(fresh.parts.engine, now)
    assert _states(fresh, "consulta") == ["pilot", "open"]
    told = dora.reads("/hoy")
    assert "El plan abrió consulta." in told
    assert re.search(r"corren? sin su cuestionario. Publica [^.]*ayuntamientos", told)
    assert "Se abrió solo el" in dora.reads("/plan")
    assert "el plan" in dora.reads("/bitacora")


def test_a_day_with_few_people_is_drawn_as_if_they_were_four(site):
    with reading(site.parts.engine) as db:
        scope = replace(reports.scope(db, "consulta"), only={"channel": "telegram"})
        begun = reports.daily(db, scope, site.parts.clock() - timedelta(days=27))
    assert any(0 < count < reports.SMALLEST for count, _ in begun.values())
    shown = site.as_("analyst").opens("/participacion?canal=telegram").text
    told = re.findall(r": empezaron ([^<,]+)[<,]", shown)
    assert "menos de 5" in told
    assert not {"1", "2", "3", "4"} & set(told)
    assert "se dibuja como si fueran 4" in words(shown)
