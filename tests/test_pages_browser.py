"""The organizers' pages in a real browser: each task is walked, and axe-core finds no fault.

PICTURES=1 writes the README's pictures into docs/pictures; otherwise they are thrown away.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from storage import plan, schema
from storage.database import reading, writing
from tests.pages_world import PASSWORD, Pages, address, pages, served

sync = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
         "--disable-component-update", "--no-first-run", "--disable-lcd-text"]  # fmt: skip
PATIENCE = 15_000  # milliseconds: a busy machine is slow, not wrong
WATCH = "addEventListener('securitypolicyviolation', (e) => console.error(e.violatedDirective))"
AXE = Path(__file__).with_name("vendor") / "axe-4.14.1.min.js"
RULES = "{ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }"
OF_COLOUR = "{ runOnly: ['color-contrast', 'link-in-text-block'] }"  # nothing else is of the dark
FAULTS = "{ resultTypes: ['violations'], selectors: false }"  # what is well is not worked out
ASKING = ".htmx-request, .htmx-swapping, .htmx-settling"
PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
LARGEST_PICTURE = 150_000  # bytes
TINY = {"width": 320, "height": 640}
SMALL = """[...document.querySelectorAll('main :is(button, input, select, textarea, summary)')]
  .filter((e) => e.type !== 'hidden' && e.checkVisibility())
  .filter((e) => { const b = (e.closest('label') || e).getBoundingClientRect();
                   return b.height < 24 || b.width < 24; })
  .map((e) => e.outerHTML.slice(0, 80))"""  # WCAG 2.2, 2.5.8: 24 by 24 pixels
WIDE, NARROW = {"width": 1120, "height": 700}, {"width": 360, "height": 740}
ALL = ("/entrar", "/hoy", "/plan", "/cuestionarios", "/cuestionarios/consulta/1",
       "/cuestionarios/consulta/entrada?bot=consulta_bot&cartel=a", "/participacion",
       "/foros", "/foros/1", "/foros/1/envios/4/cambiar",
       "/foros/1/puerta?bot=consulta_bot", "/foros/1/alcance?expresion=nada",
       "/participacion?canal=import", "/mensajes", "/derechos", "/cuentas", "/bitacora",
       "/traducciones", "/traducciones/consulta", "/traducciones/phrases?estado=draft",
       "/mi-cuenta", "/mi-cuenta/codigo", "/no-hay")  # fmt: skip

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def browser() -> Iterator[sync.Browser]:
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    with pages(
        tmp_path_factory.mktemp("browser"), people=260 if os.environ.get("PICTURES") else 90
    ) as made:
        half_way = (made.parts.clock() - timedelta(days=41)).date()
        with writing(made.parts.engine) as db:
            plan.begin_on(db, half_way, made.parts.clock())
        yield made


@pytest.fixture(scope="module")
def url(site: Pages) -> Iterator[str]:
    with served(site.app) as found:
        yield found


@pytest.fixture
def faults() -> list[str]:
    """What the browser complained about."""
    return []


Open = Callable[..., "sync.Page"]


@pytest.fixture
def open_(browser: sync.Browser, url: str, faults: list[str]) -> Iterator[Open]:
    """Open a browser of one's own, signed in unless told otherwise."""
    contexts = []

    def opened(size: dict[str, int], role: str = "organizer", **given: object) -> sync.Page:
        context = browser.new_context(
            base_url=url, viewport=size, reduced_motion="reduce", locale="es-MX", **given
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.add_init_script(WATCH)
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        if role:
            signs_in(page, role)
        return page

    yield opened
    for context in contexts:
        context.close()


def signs_in(page: sync.Page, role: str) -> None:
    page.goto("/entrar")
    page.get_by_label("Correo").fill(address(role))
    page.get_by_label("Contraseña").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Entrar").click()
    page.get_by_role("heading", name="Hoy", exact=True).wait_for()


def picture(page: sync.Page, name: str, tmp_path: Path, height: int = 0, of: str = "") -> None:
    """A picture for the README, from the top of the page or of an element: small, or it slows
    everybody who reads it. For the emoji in it install fonts-noto-color-emoji."""
    size = page.viewport_size
    assert size
    page.set_viewport_size({**size, "height": height or size["height"]})
    if of:
        page.locator(of).first.evaluate("(element) => element.scrollIntoView()")
    else:
        page.evaluate("scrollTo(0, 0)")
    folder = PICTURES if os.environ.get("PICTURES") else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")
    page.set_viewport_size(size)
    assert (folder / f"{name}.png").stat().st_size <= LARGEST_PICTURE


def visits(page: sync.Page, path: str) -> None:
    """Open a page with everything that it asks for by itself."""
    page.goto(path)
    sync.expect(page.locator(ASKING)).to_have_count(0)


def violations(page: sync.Page, rules: str) -> list[str]:
    """What axe-core, loaded before, finds against WCAG 2.2 AA, with where."""
    found = page.evaluate(f"axe.run({{ ...{rules}, ...{FAULTS} }}).then((all) => all.violations)")
    return [f"{each['id']}: {node['html'][:120]}" for each in found for node in each["nodes"]]


def too_wide(page: sync.Page) -> int:
    """By how many pixels something sticks out at the side."""
    return page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_axe_finds_no_fault_and_nothing_sticks_out(open_, size):
    page = open_(size, bypass_csp=True)
    for path in ALL:
        visits(page, path)
        page.evaluate("document.querySelectorAll('details').forEach((each) => each.open = true)")
        page.evaluate(AXE.read_text(encoding="utf-8"))
        for scheme, rules in (("dark", OF_COLOUR), ("light", RULES)):
            page.emulate_media(color_scheme=scheme)
            assert violations(page, rules) == [], (path, scheme)
        assert too_wide(page) <= 0, path


def test_at_320_pixels_everything_fits_can_be_pressed_and_nothing_is_complained_of(open_, faults):
    page = open_(TINY)
    for path in ALL[:-1]:
        visits(page, path)
        assert too_wide(page) <= 0, path
        assert page.evaluate(SMALL) == [], path
    assert [fault for fault in faults if "422" not in fault] == []  # an expression nobody knows


def test_somebody_signs_in_and_finds_their_way_with_the_keyboard_alone(open_, faults):
    page = open_(NARROW, role="")
    page.goto("/")
    page.get_by_role("link", name="Entrar").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Correo").focus()
    page.keyboard.type(address("organizer"))
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Hoy", exact=True).wait_for()
    page.keyboard.press("Tab")  # the way past the menu
    assert page.evaluate("document.activeElement.textContent") == "Ir al contenido"
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # opens the menu
    page.get_by_role("link", name="Participación").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Plan", exact=True).wait_for()
    assert faults == []


def test_today_says_what_needs_a_hand(open_, tmp_path):
    page = open_(WIDE)
    page.get_by_role("heading", name="Lo que necesita una mano").wait_for()
    picture(page, "hoy", tmp_path)
    page.get_by_role("button", name="Detener").click()
    page.get_by_text("Las cifras están quietas").wait_for()
    page.get_by_role("button", name="Renovarlas solas").click()
    page.get_by_text("se renuevan solas").wait_for()


def test_a_phase_of_the_plan_is_marked_as_done(open_, tmp_path):
    page = open_(WIDE)
    page.goto("/plan")
    picture(page, "plan", tmp_path, height=560)
    phase = page.locator("#fase-1")
    phase.locator("summary").click()
    phase.get_by_label("Ya se hizo").check()
    phase.get_by_role("button", name="Guardar").click()
    page.get_by_text("Guardado: Plan de trabajo").wait_for()
    page.locator("#fase-1").get_by_text("hecha", exact=True).wait_for()


def test_a_questionnaire_is_uploaded_corrected_and_published(open_, tmp_path, faults):
    page = open_(WIDE)
    page.goto("/cuestionarios")
    picture(page, "cuestionarios", tmp_path)
    form = "| survey | | | |\n|---|---|---|---|\n| | type | name | label::Español (es) |\n"
    file = tmp_path / "idea.md"
    file.write_text(form + "| | txt | idea | ¿Qué propones? |\n", encoding="utf-8")
    _uploads(page, file)
    page.get_by_role("heading", name="idea.md: 1 falla").wait_for()
    file.write_text(form + "| | text | idea | ¿Qué propones? |\n", encoding="utf-8")
    _uploads(page, file)
    page.get_by_role("heading", name="sin fallas").wait_for()
    assert page.evaluate("document.activeElement.textContent").endswith("sin fallas")
    page.get_by_role("button", name="Publicar").click()
    page.get_by_text("Publicado: idea, versión 1").wait_for()
    page.get_by_role("button", name="Revisar Mesas con especialistas").click()
    page.get_by_role("heading", name="Mesas con especialistas: sin fallas").wait_for()
    assert [fault for fault in faults if "422" not in fault] == []  # the refusal, said twice


def test_a_translator_writes_a_text_and_reviews_it(open_, faults):
    page = open_(NARROW, role="translator")
    page.goto("/traducciones")
    page.get_by_role("link", name="consulta", exact=True).click()
    text = page.locator("main li").filter(has_text="sexo_genero · texto")
    text.get_by_role("textbox").fill("${nada}")
    text.get_by_role("button", name="Revisado").click()
    text.get_by_role("alert").get_by_text("Revisa ${nada}").wait_for()
    text.get_by_role("textbox").fill("Ba'ax?")
    text.get_by_role("button", name="Revisado").click()
    text.get_by_text("revisado por Dora Canul").wait_for()
    assert text.evaluate("(each) => each.contains(document.activeElement)")
    assert [fault for fault in faults if "422" not in fault] == []  # the refusal, said twice


def test_a_questionnaire_is_tried_beside_its_tree(open_, tmp_path, faults):
    page = open_(WIDE)
    page.goto("/cuestionarios/consulta/1")
    trial = page.locator("#prueba")
    trial.get_by_role("button", name="Español").click()
    trial.get_by_role("button", name="Sí, acepto").click()
    trial.get_by_text("¿Qué edad tienes?").wait_for()
    assert page.evaluate("document.activeElement.name") == "nuevo"
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    trial.get_by_text("¿En qué municipio vives?").wait_for()
    picture(page, "cuestionario", tmp_path, height=620)
    trial.get_by_role("button", name="Empezar otra vez").click()
    trial.get_by_text("¿Qué edad tienes?").wait_for(state="detached")
    assert faults == []


def _uploads(page, file):
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Revisar", exact=True).click()


def test_participation_shows_who_is_missing(open_, tmp_path):
    page = open_(WIDE)
    page.goto("/participacion")
    page.get_by_text("¿En qué municipio vives?").wait_for()  # the part that comes afterwards
    picture(page, "participacion", tmp_path)
    picture(page, "mapa", tmp_path, height=560, of=".card:has(svg.map)")
    page.get_by_text("Ver los 106 municipios").click()
    assert page.locator("details table tbody tr").count() == 106
    assert page.locator("svg.map circle").count() == 106


def test_uncertain_messages_are_looked_at_and_left(open_, tmp_path):
    page = open_(WIDE)
    page.goto("/mensajes")
    picture(page, "mensajes", tmp_path, height=620)
    group = page.locator("#inciertos li").first
    group.get_by_role("button", name="Ver").click()
    page.get_by_text("Verlos quedó anotado").wait_for()
    group.get_by_role("button", name="Dejar así").click()
    page.get_by_text("6 mensajes quedaron como están").wait_for()
    page.get_by_role("button", name=re.compile("Volver a pasar los 2")).click()
    page.get_by_text("2 conversaciones siguieron").wait_for()


def test_a_forum_is_opened_and_people_are_called_to_it(open_, tmp_path, site):
    page = open_(WIDE)
    page.goto("/foros")
    form = page.locator("#abrir")
    form.get_by_label("Título en español").fill("Transporte en el sur")
    form.get_by_label("Empieza").fill(f"{site.parts.clock().year + 1}-05-14T10:00")
    form.get_by_label("Termina").fill(f"{site.parts.clock().year + 1}-05-14T13:00")
    form.get_by_label("Lugar").fill("Palacio municipal")
    form.get_by_label("Municipio").select_option(label="Tekax")
    form.get_by_role("button", name="Guardar el foro").click()
    page.get_by_text("El foro está guardado").wait_for()
    page.get_by_label("Que conversa en").select_option(label="español")
    page.get_by_role("button", name="Ver a quién llega").click()
    page.get_by_role("heading", name=re.compile(r"Llegaría a \d+ personas")).wait_for()
    page.get_by_role("button", name="Planear la invitación").click()
    page.get_by_text(re.compile(r"La invitación sale el .* a \d+ personas")).wait_for()
    page.get_by_role("button", name="Pausar Invitación").click()
    page.get_by_text("En pausa: no sale nada").wait_for()
    page.goto("/foros/1")
    picture(page, "foro", tmp_path)


def test_a_forum_is_changed_and_afterwards_who_came_is_noted_and_told(open_, site):
    page = open_(NARROW)
    page.goto("/foros/2")
    page.get_by_text("Hora, lugar, cupo o palabras").click()
    page.locator("#cambiar").get_by_label("Cupo").fill("25")
    page.get_by_role("button", name="Guardar el cambio").click()
    page.get_by_text("El foro está cambiado. Nadie tiene que saberlo").wait_for()
    page.get_by_text("hay 25 lugares").wait_for()
    with reading(site.parts.engine) as db:
        folios = schema.responses.c.folio
        folio = db.scalar(select(folios).where(folios.is_not(None)).order_by(folios))
    page.goto("/foros/3")
    page.get_by_label("O anota los folios").fill(f"{folio}\nXXX-99")
    page.get_by_role("button", name="Llegaron").click()
    page.get_by_text("Nadie tiene el folio XXX-99").wait_for()
    page.get_by_label("Conclusiones, en español").fill("Se hará un buscador de trámites.")
    page.get_by_role("button", name=re.compile(r"Enviar a \d+ personas? que estuv")).click()
    page.get_by_text("Las conclusiones salen a quienes estuvieron").wait_for()
    page.get_by_role("button", name="Pausar Conclusiones").wait_for()


def test_the_figures_are_narrowed_to_a_channel(open_):
    page = open_(NARROW)
    page.goto("/participacion")
    page.locator("select[name=canal]").select_option(label="Telegram")
    page.get_by_role("button", name="Ver", exact=True).click()
    page.get_by_text("Estas cifras son de una parte de las personas").wait_for()
    page.get_by_role("link", name="Ver a todas").click()
    page.get_by_text("Estas cifras son de una parte").wait_for(state="detached")


def test_a_phone_shows_everything_in_one_column(open_, tmp_path):
    page = open_(NARROW)
    picture(page, "hoy-telefono", tmp_path)
    page.get_by_text("Menú").click()
    picture(page, "menu-telefono", tmp_path)
    page.goto("/participacion")
    picture(page, "participacion-telefono", tmp_path)


def test_without_scripts_every_task_still_goes(open_, tmp_path):
    page = open_(WIDE, java_script_enabled=False)
    page.goto("/mensajes")
    page.locator("#fallidos").get_by_role("button", name="Ver").first.click()
    page.get_by_text("Verlos quedó anotado").wait_for()
    page.goto("/participacion")
    page.get_by_role("link", name="Ver pregunta por pregunta").click()
    page.get_by_text("¿En qué municipio vives?").wait_for()
