"""The web server. As a program of its own it holds nothing of ours: its child does all the work."""

from __future__ import annotations

import sys

if __name__ in ("__main__", "__mp_main__"):  # this process and its child are a server alone
    for needless in ("rich", "pygments"):  # 6 MB that structlog and httpx load if they can
        sys.modules[needless] = None  # type: ignore[assignment]

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

THREADS = 16  # a thread waits while another's transaction is written; with 8, fewer share the next

PATIENCE = 60  # seconds for a child that was told to end; then it is stuck, and is killed


def serve(host: str, port: int) -> None:
    """Serve until told to end. Our application is known by its WSGI name alone, so that no import
    runs backwards."""
    Granian(
        "webhooks:create_app",
        factory=True,
        interface=Interfaces.WSGI,
        address=host,
        port=port,
        workers=1,
        workers_kill_timeout=PATIENCE,
        blocking_threads=THREADS,
        respawn_failed_workers=True,
        log_level=LogLevels.error,
    ).serve()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
