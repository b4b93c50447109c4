"""For whoever watches the program: is it alive, is it ready, and its figures for Prometheus."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy import text

from bot import wiring
from bot.wiring import Parts
from storage import database, health

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@blueprint.get("/healthz/ready")
def healthz() -> Response:
    """Ready: the database answers, and the delivery goes on if it is in this process.

    Without the database, 503 by the application's error handler.
    """
    if not wiring.lively(_parts().post):
        return Response("the delivery stands still\n", status=503)
    with database.reading(_parts().engine) as db:
        db.execute(text("SELECT 1"))
    return jsonify(status="ok")


@blueprint.get("/healthz/live")
def live() -> Response:
    """Alive: the process answers, whatever the database does."""
    return jsonify(status="ok")


@blueprint.get("/metrics")
def metrics() -> Response:
    """Counts only; nothing that says anything of a person."""
    # here: a megabyte of which a server has use only where somebody watches it so
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

    parts = _parts()
    with database.reading(parts.engine) as db:
        found = health.figures(db, parts.clock())
    registry = CollectorRegistry()
    states = Gauge("consulta_outbox", "Messages by state", ["state"], registry=registry)
    for state, count in found["outbox"].items():
        states.labels(state).set(count)
    for name, meaning in PLAIN.items():
        Gauge(f"consulta_{name}", meaning, registry=registry).set(found[name])
    waiting = Gauge("consulta_senders_waiting", "Senders told to wait", registry=registry)
    waiting.set(len(found["senders_told_to_wait"]))
    for name, meaning in MACHINES.items():
        if name in found:
            Gauge(f"consulta_{name}", meaning, registry=registry).set(found[name])
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


MACHINES = {  # on PostgreSQL
    "workers": "Workers that are there",
    "ticking": "1 if one of them ticks",
}
PLAIN = {
    "people": "People who have ever written",
    "oldest_due_seconds": "Seconds that the oldest message due has waited",
    "messages_failed_by_our_fault": "Messages kept for a re-run",
    "voices_to_fetch": "Voice notes still at their provider",
}


def _parts() -> Parts:
    parts: Parts = current_app.extensions["parts"]
    return parts
