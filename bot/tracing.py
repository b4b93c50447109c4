"""OpenTelemetry traces, where OTEL_EXPORTER_OTLP_ENDPOINT says where they go: a message that was
heard and its answers are one trace. Nothing in them tells who or what was said."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from multiprocessing.util import Finalize
from typing import Any

from bot.settings import SettingsError
from dialogs.values import Inbound
from storage.outbox import REPLY, Letter
from storage.vault import Vault

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
Span = AbstractContextManager[None]
About = Mapping[str, str | int]

IDS: ContextVar[tuple[int, int] | None] = ContextVar("ids", default=None)  # of the next span


class Spans:
    """What is worth a span. This one keeps none, and costs nothing."""

    def heard(self, _inbound: Inbound) -> Span:
        """A message is taken in."""
        return nullcontext()

    def sent(self, _letter: Letter) -> Span:
        """A message goes to its provider."""
        return nullcontext()

    def round(self, _name: str) -> Span:
        """A round of what comes by time."""
        return nullcontext()


OFF = Spans()


def of(environment: Mapping[str, str], vault: Vault) -> Spans:
    """The spans of this process. Raises SettingsError if they are wanted and cannot be had."""
    check(environment)
    return _traces(vault) if environment.get(ENDPOINT) else OFF


def check(environment: Mapping[str, str]) -> None:
    if environment.get(ENDPOINT) and not all(map(_is_installed, NEEDED)):
        raise SettingsError(
            f"{ENDPOINT} is set, but OpenTelemetry is not installed: pip install opentelemetry-sdk "
            "opentelemetry-exporter-otlp-proto-http, or unset it."
        )


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # not even what it lies in
        return False


def _traces(vault: Vault) -> Spans:
    """Spans go out in batches from a thread of their own; the last ones when the process ends."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Ids(RandomIdGenerator):
        """Random, but for a span that others have to find."""

        def generate_trace_id(self) -> int:
            wanted = IDS.get()
            return wanted[0] if wanted else super().generate_trace_id()

        def generate_span_id(self) -> int:
            wanted = IDS.get()
            return wanted[1] if wanted else super().generate_span_id()

    resource = Resource.create({"service.name": "consulta"})
    provider = TracerProvider(resource=resource, id_generator=Ids(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    Finalize(
        None, provider.shutdown, exitpriority=0
    )  # after the delivery, also in a server's child
    return Traces(provider, vault)


@dataclass(frozen=True, slots=True)
class Traces(Spans):
    """Ids are made of person and moment by the vault, so that an answer finds its question without
    a column for it; without the key they say nothing."""

    provider: Any  # opentelemetry.sdk.trace.TracerProvider
    vault: Vault

    def heard(self, inbound: Inbound) -> Span:
        about: About = {"channel": inbound.channel, "kind": inbound.kind}
        return self._span(
            "heard", about, own=self._ids(inbound.channel, inbound.address, inbound.at)
        )

    def sent(self, letter: Letter) -> Span:
        about: About = {"channel": letter.channel, "lane": letter.lane, "attempt": letter.attempts}
        answers = letter.lane == REPLY
        given = (letter.channel, letter.address, letter.heard_at)
        return self._span("sent", about, parent=self._ids(*given) if answers else None)

    def round(self, name: str) -> Span:
        return self._span(name, {})

    def _ids(self, channel: str, address: str, at: datetime) -> tuple[int, int]:
        mark = self.vault.mark(f"{channel} {address} {at.timestamp():.6f}")
        digest = hashlib.sha256(mark.encode()).digest()
        return int.from_bytes(digest[:16]), int.from_bytes(digest[16:24])

    @contextmanager
    def _span(
        self,
        name: str,
        about: About,
        *,
        own: tuple[int, int] | None = None,
        parent: tuple[int, int] | None = None,
    ) -> Iterator[None]:
        from opentelemetry import trace

        told = IDS.set(own)
        span = self.provider.get_tracer("consulta").start_span(
            name, _under(parent), attributes={f"consulta.{key}": v for key, v in about.items()}
        )
        IDS.reset(told)
        try:
            yield
        except BaseException as error:  # its type alone: its words may be a person's
            span.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise
        finally:
            span.end()


def _under(parent: tuple[int, int] | None) -> Any:
    from opentelemetry import trace
    from opentelemetry.context import Context

    if parent is None:
        return Context()
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    there = trace.SpanContext(*parent, is_remote=True, trace_flags=flags)
    return trace.set_span_in_context(trace.NonRecordingSpan(there), Context())
