"""Machines in network namespaces of their own, on a switch whose links can be cut (Linux, root)."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

NET = "10.77.0"  # nobody's: it is known inside these namespaces alone
OF_NETWORK = 0x40000000  # CLONE_NEWNET


@dataclass(frozen=True, slots=True)
class Network:
    """Machines by name, each with an address on one switch."""

    prefix: str
    names: tuple[str, ...]

    def address(self, name: str) -> str:
        return f"{NET}.{self.names.index(name) + 1}"

    def cut(self, name: str) -> None:
        """The cable is out: nothing arrives any more, and nobody is told."""
        self._link(name, "down")

    def mend(self, name: str) -> None:
        self._link(name, "up")

    def _link(self, name: str, state: str) -> None:
        _ip("-n", self.prefix, "link", "set", f"port{self.names.index(name)}", state)

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """What this thread opens or starts meanwhile is on that machine."""
        with _namespace(f"/proc/{os.getpid()}/task/{threading.get_native_id()}/ns/net") as home:
            with _namespace(f"/run/netns/{self.prefix}-{name}") as there:
                _enter(there)
            try:
                yield
            finally:
                _enter(home)


def absent() -> str | None:
    """Why there can be no such network here; None if there can."""
    if os.getuid() or not shutil.which("ip"):
        return "network namespaces need root and iproute2"
    try:
        with network("a"):
            return None
    except subprocess.CalledProcessError as error:
        return f"no network namespaces: {error.stderr.strip()}"


@contextmanager
def network(*names: str) -> Iterator[Network]:
    """A switch and these machines; all are gone at the end."""
    made = Network(f"consulta-{os.getpid()}", names)
    try:
        _ip("netns", "add", made.prefix)
        _ip("-n", made.prefix, "link", "add", "switch", "type", "bridge", "forward_delay", "0")
        _ip("-n", made.prefix, "link", "set", "switch", "up")
        for number, name in enumerate(names):
            _plug_in(made, name, f"port{number}")
        yield made
    finally:
        for name in ("", *(f"-{name}" for name in names)):
            subprocess.run(["ip", "netns", "del", f"{made.prefix}{name}"], capture_output=True)


def _plug_in(made: Network, name: str, port: str) -> None:
    machine = f"{made.prefix}-{name}"
    _ip("netns", "add", machine)
    ends = ("type", "veth", "peer", "name", "eth0", "netns", machine)
    _ip("-n", made.prefix, "link", "add", port, *ends)
    _ip("-n", made.prefix, "link", "set", port, "master", "switch", "up")
    _ip("-n", machine, "address", "add", f"{made.address(name)}/24", "dev", "eth0")
    for link in ("lo", "eth0"):
        _ip("-n", machine, "link", "set", link, "up")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@contextmanager
def _namespace(path: str) -> Iterator[int]:
    file = os.open(path, os.O_RDONLY)
    try:
        yield file
    finally:
        os.close(file)


def _enter(file: int) -> None:
    """Of this thread alone (setns(2); os.setns is there from Python 3.12 on)."""
    if ctypes.CDLL(None, use_errno=True).setns(file, OF_NETWORK):
        raise OSError(ctypes.get_errno(), "setns")
