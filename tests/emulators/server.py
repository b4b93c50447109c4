"""A small HTTP server on loopback that can also fail as networks do.

Both providers' emulators stand on it. It speaks plain HTTP/1.1 with keep-alive,
without Nagle and in one write an answer: with the standard library's defaults
every call would cost 44 ms, and no measurement would mean anything.
"""

from __future__ import annotations

import http.client
import io
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from werkzeug.formparser import parse_form_data

Line = Literal["whole", "silent", "dropped", "half", "cut"]
Clock = Callable[[], datetime]


def real_time() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; header names are in lower case."""

    verb: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""
    arrived: float = 0.0  # seconds since 1970


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back, and how much of it arrives.

    `line` is "whole", "silent" (nothing, until the caller gives up), "dropped"
    (closed without a word), "half" (half the body, as if it were all of it) or
    "cut" (closed in the middle of the body).
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    line: Line = "whole"


@dataclass(frozen=True, slots=True)
class Call:
    """One API call as the emulator understood it.

    `operation` is the provider's name for it ("sendMessage", "CreateMessage"),
    `fields` are decoded (numbers, JSON), `status` is 0 if no answer was given,
    `taken` tells whether it had its effect. `arrived` is when it reached this machine, in seconds
    since 1970: on a loaded one that is long before `at`.
    """

    operation: str
    fields: Mapping[str, Any]
    files: Mapping[str, bytes]
    at: datetime
    faults: tuple[str, ...] = ()
    status: int = 200
    taken: bool = True
    arrived: float = 0.0


HOST = "127.0.0.1"  # where they listen


class Loopback:
    """Serves `handle` on an ephemeral port until closed; a context manager."""

    def __init__(self, handle: Callable[[Request], Answer], latency: timedelta = timedelta(0)):
        self.handle = handle
        self.latency = latency
        self.closing = threading.Event()
        self._lines: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._server = _Server(self)
        port = self._server.server_address[1]
        self.url = f"http://{HOST}:{port}"
        self._thread = threading.Thread(target=self._serve, name=f"loopback-{port}")
        self._thread.start()

    def _serve(self) -> None:
        while not self.closing.is_set():
            self._server.handle_request()

    def close(self) -> None:
        """Stop, hang up on everybody, and wait for the last thread."""
        if not self._thread.is_alive():
            return
        self.closing.set()
        hang_up(self._server.socket)
        self._thread.join()
        with self._lock:
            for line in self._lines:
                hang_up(line)
        self._server.server_close()

    def __enter__(self) -> Loopback:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def opened(self, line: socket.socket) -> None:
        with self._lock:
            self._lines.add(line)

    def closed(self, line: socket.socket) -> None:
        with self._lock:
            self._lines.discard(line)


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = False  # so that server_close() waits for them
    request_queue_size = 128
    timeout = 0.5  # seconds; where a socket that waits cannot be hung up, it looks by itself

    def __init__(self, loopback: Loopback):
        self.loopback = loopback
        super().__init__((HOST, 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller who hangs up is no news; anything else must be seen."""
        import sys

        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.arrivals = _Arrivals(self.connection)
        self.rfile = io.BufferedReader(self.arrivals)

    def handle(self) -> None:
        loopback = self.server.loopback
        loopback.opened(self.connection)
        try:
            while not loopback.closing.is_set() and self.one():
                pass
        finally:
            loopback.closed(self.connection)

    def one(self) -> bool:
        """Serve one request; True if the connection stays open."""
        request = self.read()
        if request is None:
            return False
        loopback = self.server.loopback
        answer = loopback.handle(request)
        if loopback.latency:
            loopback.closing.wait(loopback.latency.total_seconds())
        return self.write(answer)

    def read(self) -> Request | None:
        first = self.rfile.readline(65536)
        if not first.strip():
            return None
        verb, target, _ = first.decode("latin-1").split(None, 2)
        headers: dict[str, str] = {}
        while (row := self.rfile.readline(65536)) not in (b"\r\n", b"\n", b""):
            name, _, value = row.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", "0")))
        parts = urlsplit(target)
        at = self.arrivals.last
        return Request(verb, unquote(parts.path), parts.query, headers, body, at)

    def write(self, answer: Answer) -> bool:
        if answer.line == "dropped":
            return False
        if answer.line == "silent":
            self.connection.recv(1)  # returns when the caller gives up or we close
            return False
        half = answer.body[: len(answer.body) // 2]
        body = half if answer.line == "half" else answer.body
        self.wfile.write(head(answer, len(body)) + (half if answer.line == "cut" else body))
        return answer.line != "cut"


TIMESTAMPS = 35  # SO_TIMESTAMPNS of Linux: the kernel says when what is read came in
STAMP = struct.Struct("qq")  # seconds, nanoseconds


class _Arrivals(io.RawIOBase):
    """What comes in on a line, and when the last of it did, however late it is read."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self.last = 0.0
        with suppress(OSError):  # elsewhere it counts when it is read
            line.setsockopt(socket.SOL_SOCKET, TIMESTAMPS, 1)

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        size, notes, _, _ = self._line.recvmsg_into([into], socket.CMSG_SPACE(STAMP.size))
        self.last = time.time()
        for _, kind, note in notes:
            if kind == TIMESTAMPS:
                seconds, nanoseconds = STAMP.unpack(note)
                self.last = seconds + nanoseconds / 1e9
        return size


def head(answer: Answer, length: int) -> bytes:
    headers = {"Content-Length": str(length), **answer.headers}
    rows = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n{rows}\r\n".encode()


def hang_up(line: socket.socket) -> None:
    with suppress(OSError):  # the other side may have been quicker
        line.shutdown(socket.SHUT_RDWR)


def form(request: Request) -> tuple[dict[str, list[str]], dict[str, bytes]]:
    """The fields and files of a form, urlencoded or multipart.

    Raises UnicodeDecodeError where a urlencoded field is not UTF-8.
    """
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/"):
        return pairs(request.body.decode("ascii")), {}
    return _multipart(request, kind)


def _multipart(request: Request, kind: str) -> tuple[dict[str, list[str]], dict[str, bytes]]:
    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": kind,
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.input": io.BytesIO(request.body),
    }
    _, fields, uploads = parse_form_data(environ)
    files = {name: upload.read() for name, upload in uploads.items()}
    for upload in uploads.values():
        upload.close()
    return {name: fields.getlist(name) for name in fields}, files


def pairs(text: str) -> dict[str, list[str]]:
    """A query string or urlencoded body, strictly UTF-8, empty values kept."""
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, errors="strict"):
        found.setdefault(name, []).append(value)
    return found


def post(url: str, body: bytes, headers: Mapping[str, str], timeout: float = 15) -> Answer:
    """POST as the providers do; their webhooks wait 15 seconds (Twilio) or 60 (Telegram)."""
    parts = urlsplit(url)
    maker = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    line = maker(parts.netloc, timeout=timeout)
    try:
        target = parts.path or "/"
        line.request("POST", target + (f"?{parts.query}" * bool(parts.query)), body, dict(headers))
        answer = line.getresponse()
        return Answer(answer.status, answer.read(), dict(answer.getheaders()))
    finally:
        line.close()
