"""The command `consulta`. Errors are one line each, and say what to do.

Exit 0: done; 1: faults found; 2: wrong use, or input that cannot be read.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import click

from bot import demo as samples
from bot import poll as polling
from bot import rotating, serving, stores, terminal, tracing, wiring
from bot import settings as settings_module
from bot.cli_census import census
from bot.cli_data import export, person, report
from bot.cli_errors import Failure, Faulty, told
from bot.cli_facilitators import facilitator
from bot.cli_forms import form
from bot.cli_forums import forum
from bot.cli_import import import_submissions
from bot.cli_invite import invite
from bot.cli_media import media
from bot.cli_notices import notice
from bot.cli_organizers import organizer
from bot.cli_status import status
from bot.logs import configure
from bot.settings import Settings, keys
from dialogs import language_report, script
from storage import database, moving
from storage.vault import vault


@click.group()
@click.version_option(package_name="consulta")
def main() -> None:
    """A public consultation by chat: Telegram, WhatsApp and a local page, in Spanish and Maya."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):
            stream.reconfigure(encoding="utf-8")  # type: ignore[union-attr]


# running


@main.command()
@click.option("--port", type=int, help="Where the page is served; else CONSULTA_PORT or 8000.")
@told
def demo(port: int | None) -> None:
    """A fresh database with sample people and answers, the pages and the local chat."""
    with tempfile.TemporaryDirectory(prefix="consulta-demo-") as folder:
        os.environ.update({"CONSULTA_DATA": folder, "CONSULTA_CHAT": "1"})
        os.environ.pop("CONSULTA_DATABASE_URL", None)
        if port:
            os.environ["CONSULTA_PORT"] = str(port)
        settings = settings_module.read()
        _check_port(settings)
        password = samples.begin(settings)
        click.echo(f"url: {settings.address}/")
        click.echo(f"usuario: {samples.EMAIL}")
        click.echo(f"contraseña: {password}")
        click.echo(f"chat: {settings.address}/chat")
        click.echo("· open the url and sign in, or talk to the chat; Ctrl-C ends it", err=True)
        os.environ["CONSULTA_WORKER"] = "1"
        serving.serve(settings.host, settings.port)  # here: the folder goes when it ends


@main.command()
@click.option("--chat", is_flag=True, help="Also serve the local chat page at /chat.")
@told
def serve(*, chat: bool) -> None:
    """Everything in one: the web, the delivery and the schedule."""
    if chat:
        os.environ["CONSULTA_CHAT"] = "1"
    _run(worker=True)


@main.command()
@told
def web() -> None:
    """HTTP only: messages are taken in; a worker sends."""
    _run(worker=False)


@main.command()
@told
def worker() -> None:
    """Delivery and schedule only."""
    configure()
    parts = wiring.build(settings_module.read())
    wiring.keep_loaded()
    with wiring.working(parts):
        terminal.wait_for_the_end()


@main.command()
@click.option("--take-over", is_flag=True, help="Remove the webhook that is set.")
@told
def poll(*, take_over: bool) -> None:
    """Telegram without a public address: ask for messages instead of being called."""
    configure()
    settings = settings_module.read()
    _need_telegram(settings)
    parts = wiring.build(settings)
    wiring.keep_loaded()
    polling.run(parts, take_over=take_over)


def _run(*, worker: bool) -> None:
    settings = settings_module.read()
    _check_port(settings)
    _check_channels(settings)
    stores.of(settings)
    tracing.check(os.environ)
    wiring.open_database(settings).dispose()
    click.echo(f"url: {settings.address}")
    _become_the_server(settings, worker=worker)


def _become_the_server(settings: Settings, *, worker: bool) -> None:
    """Give this process over to the web server: what was loaded to check the settings goes."""
    os.environ["CONSULTA_WORKER"] = "1" if worker else "0"
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")  # one for each thread would take 5 MB more
    sys.stdout.flush()
    command = [sys.executable, "-m", "bot.serving", settings.host, str(settings.port)]
    os.execv(sys.executable, command)  # nosec B606 # no shell is wanted


def _check_port(settings: Settings) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise Failure(
                f"Port {settings.port} of {settings.host} cannot be used ({error.strerror}). "
                f"Choose another one: CONSULTA_PORT={settings.port % 65535 + 1}"
            ) from None


def _check_channels(settings: Settings) -> None:
    """A channel that could take nothing in is said before it is missed."""
    if settings.telegram_on and not settings.telegram_secret.get_secret_value():
        raise Failure(
            "CONSULTA_TELEGRAM_SECRET is missing: without it a forged call looks like Telegram's. "
            f"Choose one, for instance: CONSULTA_TELEGRAM_SECRET={secrets.token_hex(16)}"
        )
    if settings.whatsapp_on and not settings.public_url:
        raise Failure(
            "CONSULTA_PUBLIC_URL is missing: Twilio signs its calls over the address it was given. "
            "Set it to that address, such as https://consulta.example.mx"
        )


def _need_telegram(settings: Settings) -> None:
    if not settings.telegram_on:
        raise Failure("CONSULTA_TELEGRAM_TOKEN is missing. @BotFather on Telegram gives you one.")


# talking


@main.command("chat")
@click.argument("form", required=False)
@click.option("--language", type=click.Choice(["es", "yua"]), help="Begin in this language.")
@told
def chat_command(form: str | None, language: str | None) -> None:
    """A conversation in the terminal. FORM: a file; without it, the shipped consultation."""
    try:
        terminal.talk(Path(form) if form else None, language)
    except script.ScriptError as error:
        raise (Failure if error.unreadable else Faulty)(str(error)) from None


# questionnaires


main.add_command(form)
main.add_command(facilitator)
main.add_command(import_submissions)


# language


@main.group()
def language() -> None:
    """Spanish, Maya, or undecided."""


@language.command("evaluate")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@told
def language_evaluate(folder: Path) -> None:
    """Measure the detector on labelled texts (TSV: text, label, source, n_words)."""
    click.echo(language_report.evaluate(folder))


# set-up


@main.group()
def db() -> None:
    """The database."""


@db.command("upgrade")
@told
def db_upgrade() -> None:
    """Bring the tables up to date."""
    settings = settings_module.read()
    settings.data.mkdir(0o700, parents=True, exist_ok=True)
    engine = database.connect(settings.url, vault(*keys(settings)))
    before, _ = database.version(engine)
    database.upgrade(engine)
    database.check(engine)
    after, _ = database.version(engine)
    engine.dispose()
    click.echo(f"database: {before or 'new'} → {after}")


@db.command("rotate-key")
@click.option("--yes", is_flag=True, help="The program is stopped, or runs with both keys.")
@told
def db_rotate_key(*, yes: bool) -> None:
    """Seal everything anew with a new secret. It may be stopped, and continued by the same command.

    With the secret in the data folder, stop the program first. With CONSULTA_SECRET_KEY, set it to
    the new secret and CONSULTA_SECRET_KEY_OLD to the one before, and start every process again.
    """
    settings = settings_module.read()
    if not yes:
        click.confirm("Is the program stopped, or does it run with both secrets?", abort=True)
    rotating.rotate(settings, click.echo)


@db.command("move")
@click.argument("url")
@told
def db_move(url: str) -> None:
    """Copy everything into the empty database at URL, and compare the counts.

    Stop the program first. Afterwards set CONSULTA_DATABASE_URL to URL; the key stays the same.
    Then remove the file of before: it goes on holding whoever is erased from now on.
    """
    settings = settings_module.read()
    there = database.connect(url, vault(*keys(settings)))
    with database.disposing(there), wiring.opened(settings) as here:
        database.upgrade(there)
        counts = moving.move(here, there)
    for name, rows in counts.items():
        click.echo(f"{name}: {rows}")


@main.group()
def telegram() -> None:
    """Connect the bot."""


@telegram.command("set-webhook")
@told
def telegram_set_webhook() -> None:
    """Tell Telegram where to bring messages, and introduce the bot in Spanish."""
    settings = settings_module.read()
    _need_telegram(settings)
    _check_channels(settings)
    if not settings.https_on:
        raise Failure(
            "CONSULTA_PUBLIC_URL has to begin with https://: Telegram brings messages to no other. "
            "Without a public address, use: consulta poll"
        )
    username = polling.set_webhook(settings)
    click.echo(f"@{username} → {settings.public_url}/hooks/telegram")


main.add_command(organizer)
main.add_command(forum)
main.add_command(invite)
main.add_command(export)
main.add_command(report)
main.add_command(status)
main.add_command(person)
main.add_command(media)
main.add_command(notice)
main.add_command(census)


if __name__ == "__main__":
    main()
