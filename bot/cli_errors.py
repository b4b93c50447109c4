"""The errors that a command may meet, as one line each that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from sqlalchemy.exc import OperationalError

from bot.channel import SendError
from bot.settings import SettingsError
from storage.database import DatabaseError

FAULTS_FOUND, WRONG_USE = 1, 2


class Failure(click.ClickException):
    """What cannot be done, and what to do instead."""

    exit_code = WRONG_USE

    def show(self, file: Any = None) -> None:
        click.echo(self.format_message(), err=True, file=file)


class Faulty(Failure):
    """What was given can be read, and is at fault."""

    exit_code = FAULTS_FOUND


def told(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn the errors that a command may meet into lines that say what to do."""

    @wraps(command)
    def run(*given: Any, **options: Any) -> Any:
        try:
            return command(*given, **options)
        except (SettingsError, DatabaseError, LookupError) as error:
            raise Failure(str(error)) from None
        except OperationalError as error:
            raise Failure(_of_the_database(error.orig)) from None
        except SendError as error:
            raise Failure(f"The provider did not accept this: {error.reason}") from None
        except OSError as error:
            name = error.filename or ""
            raise Failure(f"{name}: {error.strerror or error}".removeprefix(": ")) from None

    return run


def _of_the_database(error: object) -> str:
    kind = getattr(error, "sqlite_errorname", type(error).__name__)
    if kind.startswith(("SQLITE_FULL", "SQLITE_IOERR", "DiskFull")):
        return f"The disk is full, or fails ({kind}). Make room, and run this again."
    return (
        f"The database does not answer ({kind}). Is it running, and is CONSULTA_DATABASE_URL right?"
    )
