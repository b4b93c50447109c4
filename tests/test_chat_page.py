"""The local chat page in a real browser, as wide as an old phone."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest

sync = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATIENCE = 10_000  # milliseconds: a busy machine is slow, not wrong
WATCH = "addEventListener('securitypolicyviolation', (e) => console.error(e.violatedDirective))"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def browser() -> Iterator[sync.Browser]:
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def faults() -> list[str]:
    """What the browser complained about."""
    return []


@pytest.fixture
def page(browser: sync.Browser, chat_url: str, faults: list[str]) -> Iterator[sync.Page]:
    """The chat, just opened by somebody new, on a screen of 360 × 740."""
    context = browser.new_context(viewport={"width": 360, "height": 740}, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.add_init_script(WATCH)
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{chat_url.rstrip('/').removesuffix('/chat')}/chat")
    start = page.locator("#start")
    start.or_(choice(page, "Español")).first.wait_for()
    if start.is_visible():
        start.click()
    choice(page, "Español").wait_for()
    yield page
    context.close()


def choice(page: sync.Page, label: str) -> sync.Locator:
    """The newest button with that label."""
    return page.locator("#log").get_by_role("button", name=label, exact=True).last


def hears(page: sync.Page, words: str) -> None:
    page.locator(".message.bot", has_text=words).last.wait_for()


def writes(page: sync.Page, words: str) -> None:
    page.locator("#words").focus()
    page.keyboard.type(words)
    page.keyboard.press("Enter")


def accepts(page: sync.Page) -> None:
    """Chooses Spanish and agrees to take part."""
    choice(page, "Español").click()
    choice(page, "Sí, acepto").click()
    hears(page, "¿Qué edad tienes?")


def reaches_the_topics(page: sync.Page) -> None:
    """Answers as far as the first question with several choices."""
    accepts(page)
    choice(page, "30 a 44").click()
    hears(page, "¿En qué municipio vives?")
    writes(page, "Izamal")
    hears(page, "¿podemos guardarla y pasarla a texto?")
    choice(page, "Sí").click()
    hears(page, "colonia, comisaría o localidad")
    writes(page, "Centro")
    choice(page, "Prefiero no").click()
    hears(page, "más urgentes donde vives")


def too_wide(page: sync.Page) -> int:
    """By how many pixels something sticks out at the side."""
    return page.evaluate(
        "Math.max(...[document.documentElement, ...document.querySelectorAll('#scroll, .inside')]"
        ".map((box) => box.scrollWidth - box.clientWidth))"
    )


def test_somebody_answers_by_button_by_keyboard_and_with_several_marks(page, faults):
    reaches_the_topics(page)
    choice(page, "Agua").click()
    page.locator("[aria-pressed=true]", has_text="Agua").wait_for()
    choice(page, "Salud").focus()
    page.keyboard.press("Space")
    page.locator("[aria-pressed=true]", has_text="Salud").wait_for()
    assert page.locator(".message.bot", has_text="más urgentes donde vives").count() == 1
    assert page.evaluate("document.activeElement.textContent") == "Salud"
    page.locator(".choices .done").last.click()
    hears(page, "¿Y cuál es el primero?")

    page.locator("#stored summary").click()
    stored = page.locator("#answers")
    stored.get_by_text(re.compile("^agua,? salud$", re.IGNORECASE)).first.wait_for()
    assert "Izamal" in stored.inner_text()
    assert page.locator("#stored-language").inner_text() == "Español"
    assert re.fullmatch(r"\d+ de \d+", page.locator("#stored-progress").inner_text())
    assert too_wide(page) == 0
    assert page.evaluate("document.getElementById('phone').scrollTop") == 0  # its bar is in sight
    assert faults == []


def test_the_keyboard_alone_is_enough(page, faults):
    page.locator("#words").focus()
    while page.evaluate("document.activeElement.textContent") != "Español":
        page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.matches(':focus-visible')")
    page.keyboard.press("Enter")
    choice(page, "Sí, acepto").wait_for()
    page.locator("#words").focus()
    page.keyboard.type("sí")
    page.keyboard.press("Shift+Enter")
    assert page.locator("#words").input_value() == "sí\n"
    page.keyboard.press("Enter")
    hears(page, "¿Qué edad tienes?")
    assert page.locator(".message.me").last.inner_text().count("sí") == 1
    assert faults == []


def test_on_whatsapp_a_press_is_said_and_longer_lists_open_a_sheet(page, faults):
    page.get_by_text("WhatsApp", exact=True).click()
    accepts(page)
    page.locator(".message.me", has_text="Sí, acepto").wait_for()
    choice(page, "Ver opciones").click()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.textContent") == "Ver opciones"
    page.keyboard.press("Enter")
    page.locator("#sheet").get_by_role("button", name="30 a 44").click()
    hears(page, "¿En qué municipio vives?")
    assert page.locator(".message.me", has_text="30 a 44").count() == 1
    assert too_wide(page) == 0
    assert faults == []


def test_what_was_said_is_there_once_after_opening_the_page_again(page, faults):
    accepts(page)
    writes(page, "30 a 44")
    hears(page, "¿En qué municipio vives?")
    before = page.locator(".message").count()
    page.reload()
    hears(page, "¿En qué municipio vives?")
    assert page.locator(".message").count() == before
    assert page.locator(".message.me", has_text="30 a 44").count() == 1
    assert faults == []


def test_what_was_not_sent_stays_and_is_sent_again_as_the_same(page):
    accepts(page)
    sent = []
    page.on("request", lambda call: call.method == "POST" and sent.append(call.post_data_json))
    page.route("**/chat/say", lambda route: route.abort())
    writes(page, "30 a 44")
    retry = page.get_by_role("button", name="No se envió. Toca para reintentar")
    retry.wait_for()
    page.unroute("**/chat/say")
    retry.click()
    hears(page, "¿En qué municipio vives?")
    assert len(sent) == 2
    assert sent[0]["id"] == sent[1]["id"]
    assert page.locator(".message.me", has_text="30 a 44").count() == 1


def test_starting_again_is_being_somebody_new(page, faults):
    accepts(page)
    page.locator("#stored summary").click()
    page.locator("#answers").get_by_text("consiente").wait_for()
    page.get_by_role("button", name="Empezar de nuevo").click()
    page.locator("#start").or_(choice(page, "Español")).first.wait_for()
    sync.expect(page.locator(".message", has_text="¿Qué edad tienes?")).to_have_count(0)
    sync.expect(page.locator("#answers tr")).to_have_count(0)
    assert faults == []


def test_the_page_is_light(page, chat_url):
    names = ("chat", "static/chat.css", "static/chat.js", "static/chat.svg")
    root = chat_url.rstrip("/").removesuffix("/chat")
    sizes = [len(page.request.get(f"{root}/{name}").body()) for name in names]
    assert sum(sizes) < 40_000
