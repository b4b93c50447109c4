"""Where files are kept, people's recordings and those of questionnaires: a folder, or any store
that fsspec reaches (CONSULTA_MEDIA)."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from bot.settings import Settings, SettingsError

PUBLISHED = "forms"  # pictures and recordings of published questionnaires: open to everybody
LONGEST = 250  # bytes of a name: file systems take 255, with what is put behind it
PART = ".part"  # of a file that is being written

T = TypeVar("T")


class Store(Protocol):
    """Files by name, such as `a.ogg` or `forms/b.jpg`. Everything may raise OSError."""

    def read(self, name: str) -> bytes:
        """Raises FileNotFoundError, also for a name that leads out of the store."""

    def write(self, name: str, content: bytes) -> None:
        """Whole or not at all."""

    def remove(self, name: str) -> None:
        """Also one that is not there."""

    def names(self) -> list[str]:
        """Of every file, sorted."""

    def within(self, folder: str) -> Store:
        """What lies in a folder of it."""


def of(settings: Settings) -> Store:
    """The store of these settings. Raises SettingsError, where what it needs is not installed."""
    return at(settings.media) if settings.media else Folder(settings.data / "media")


def at(place: str) -> Store:
    """The store at a path, or at a URL such as s3://bucket/folder."""
    url = urlsplit(place)
    if "://" not in place:
        return Folder(Path(place))
    if url.scheme == "file":
        return Folder(Path(unquote(url.path)))
    try:
        from fsspec.core import url_to_fs

        system, root = url_to_fs(place, use_listings_cache=False)  # other machines write too
    except (ImportError, ValueError) as error:  # never the URL: it may hold a password
        raise SettingsError(
            f"CONSULTA_MEDIA: a store at {url.scheme}:// cannot be used here ({_short(error)}). "
            "Install what it needs, for s3:// for instance: pip install fsspec s3fs. "
            "Or give a folder."
        ) from None
    return Remote(system, root.rstrip("/"), url.scheme)


def copy(source: Store, target: Store, *, exact: bool = False) -> int:
    """Copy every file as it lies there; with `exact`, what only the target has goes. How many."""
    names, number = source.names(), 0
    for name in names:
        with suppress(FileNotFoundError):  # erased meanwhile
            target.write(name, source.read(name))
            number += 1
    for name in set(target.names()) - set(names) if exact else ():
        target.remove(name)
    return number


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:100]


@dataclass(frozen=True, slots=True)
class Folder:
    """On this machine's disk."""

    path: Path

    def read(self, name: str) -> bytes:
        path = self.path / _inside(name)
        if not path.is_file():
            raise FileNotFoundError(name)
        return path.read_bytes()

    def write(self, name: str, content: bytes) -> None:
        path = self.path / _inside(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}{PART}")
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # or a power cut might leave an empty file under the name
        partial.replace(path)

    def remove(self, name: str) -> None:
        (self.path / _inside(name)).unlink(missing_ok=True)

    def names(self) -> list[str]:
        found = (path for path in self.path.rglob("*") if path.is_file())
        return sorted(p.relative_to(self.path).as_posix() for p in found if p.suffix != PART)

    def within(self, folder: str) -> Store:
        return Folder(self.path / _inside(folder))


@dataclass(frozen=True, slots=True)
class Remote:
    """Wherever fsspec reaches. Object stores write whole or not at all by themselves."""

    system: Any  # fsspec.AbstractFileSystem
    root: str
    scheme: str

    def read(self, name: str) -> bytes:
        content: bytes = self._asked(lambda: self.system.cat_file(self._path(name)))
        return content

    def write(self, name: str, content: bytes) -> None:
        self._asked(lambda: self.system.pipe_file(self._path(name), content))

    def remove(self, name: str) -> None:
        try:
            self._asked(lambda: self.system.rm_file(self._path(name)))
        except FileNotFoundError:
            return

    def names(self) -> list[str]:
        found = self._asked(lambda: self.system.find(self.root))
        return sorted(path.removeprefix(f"{self.root}/") for path in found)

    def within(self, folder: str) -> Store:
        return Remote(self.system, self._path(folder), self.scheme)

    def _path(self, name: str) -> str:
        return f"{self.root}/{_inside(name)}"

    def _asked(self, ask: Callable[[], T]) -> T:
        """Each store has errors of its own; here they are one: it did not do it."""
        try:
            return ask()
        except FileNotFoundError:
            raise
        except Exception as error:
            reason = f"the store at {self.scheme}:// failed ({type(error).__name__})"
            raise OSError(reason) from error


def _inside(name: str) -> str:
    """A name that stays where it belongs, and that a file can have."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
        raise FileNotFoundError(name)
    if any(len(os.fsencode(part)) > LONGEST for part in path.parts):
        raise FileNotFoundError(name)
    return name
