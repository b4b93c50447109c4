"""Every table, in the order in which a message meets them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    any_,
    bindparam,
    text,
)


def among(column: ColumnElement[int]) -> Mapping[str, ColumnElement[bool]]:
    """By dialect, the test for rows whose id is one of the parameter `ids`.

    On PostgreSQL it is one parameter, however many they are: with a placeholder for each, every
    number of them is another statement to be parsed.
    """
    return {
        "postgresql": column == any_(bindparam("ids", type_=ARRAY(BigInteger))),
        "sqlite": column.in_(bindparam("ids", expanding=True)),
    }


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")


class Moment(TypeDecorator[datetime]):
    """An aware moment in UTC, also where the database keeps no zone (SQLite)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value} has no time zone; every moment is aware.")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _person() -> Column[int]:
    return Column(
        "person_id", Id, ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True
    )


def _some(name: str, which: str, *columns: str, unique: bool = False) -> Index:
    """An index of some rows alone."""
    test = text(which)
    return Index(name, *columns, unique=unique, sqlite_where=test, postgresql_where=test)


people = Table(
    "people",
    metadata,
    Column("id", Id, primary_key=True),
    Column("pseudonym", String(24), nullable=False, unique=True),  # in exports
    Column("channel", String(16), nullable=False),
    Column("identity", LargeBinary, nullable=False),  # sealed: who it is
    Column("address", LargeBinary, nullable=False),  # sealed: where an answer goes
    Column("language", String(3)),
    Column("talk", Text, nullable=False, server_default="{}"),  # open only for older programs
    Column("hidden_talk", LargeBinary),  # dialogs.state.Talk as JSON: storage.talks
    Column("came_by", String(64)),  # the code of the first deep link
    Column("municipality", String(64)),
    Column("age", String(64)),
    Column("gender", String(64)),
    Column("role", String(16), nullable=False, server_default="citizen"),
    Column("needs", LargeBinary),  # hidden: what a person needs to take part, asked once
    Column("stopped_at", Moment),
    Column("blocked_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("heard_at", Moment, nullable=False),  # WhatsApp's 24 hours count from here
    Column("pace", Text),  # storage.pacing.Pace as JSON: how quickly they write
    Column("erased_at", Moment),  # nothing is left but where the last message goes
    UniqueConstraint("channel", "identity"),
    _some("ix_people_open_talk", "talk <> '{}'", "id"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", Id, primary_key=True),
    Column("channel", String(16), nullable=False),
    Column("provider_id", String(128), nullable=False),
    Column("person_id", Id, ForeignKey("people.id", ondelete="SET NULL"), index=True),
    Column("at", Moment, nullable=False),
    Column("state", String(8), nullable=False),  # done, failed
    Column("raw", LargeBinary),  # hidden; only while it failed
    Column("error", Text),
    UniqueConstraint("channel", "provider_id"),
    Index("ix_inbox_failed", "at", sqlite_where=text("state = 'failed'"),
          postgresql_where=text("state = 'failed'")),
)  # fmt: skip

forms = Table(
    "forms",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("state", String(8), nullable=False),  # pilot, open, closed
    Column("front", Boolean, nullable=False),  # begins when somebody writes for the first time
    Column("file", String(128), nullable=False),
    Column("published_at", Moment, nullable=False),
    Column("drafts_accepted", Integer, nullable=False),  # unreviewed texts; fewer with each review
)

form_files = Table(
    "form_files",
    metadata,
    Column("form", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("file", String(128), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

translations = Table(  # what was written or reviewed since a text was published
    "translations",
    metadata,
    Column("form", String(64), primary_key=True),  # or phrases, commands: the bot's own words
    Column("language", String(3), primary_key=True),
    Column("place", Text, primary_key=True),  # dialogs.translations.String.place
    Column("mark", String(12), nullable=False),  # of the words that it translates
    Column("translation", Text, nullable=False),
    Column("audio", Text, nullable=False),
    Column("state", String(8), nullable=False),  # missing, draft, reviewed
    Column("by", String(254), nullable=False),
    Column("on", String(10), nullable=False),  # a date
)

responses = Table(
    "responses",
    metadata,
    Column("id", String(16), primary_key=True),  # of the dialog: buttons carry it
    Column(
        "person_id", Id, ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("form", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("folio", String(16), unique=True),
    Column("mode", String(16), nullable=False),  # the channel, facilitator or import
    Column("came_by", String(64)),  # the code of the link by which it was begun
    Column("state", String(10), nullable=False),  # started, completed, refused
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Index("ix_responses_counted", "form", "version", "state", "mode"),
)

institution_claims = Table(  # one answer each: whose it is
    "institution_claims",
    metadata,
    Column("form", String(64), primary_key=True),
    Column("institution", String(128), primary_key=True),
    Column(
        "response_id",
        String(16),
        ForeignKey("responses.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
)

answers = Table(
    "answers",
    metadata,
    Column("id", Id, primary_key=True),
    Column(
        "response_id", String(16), ForeignKey("responses.id", ondelete="CASCADE"), nullable=False
    ),
    Column("question", String(128), nullable=False),
    Column("value", Text),  # choice names, number; NULL where the answer is what was said
    Column("said", LargeBinary, nullable=False),  # hidden, verbatim
    Column("language", String(3)),
    Column("confidence", Float, nullable=False),
    Column("channel", String(16), nullable=False),
    Column("at", Moment, nullable=False),
    Column("media_id", Id, ForeignKey("media.id", ondelete="SET NULL")),
    Column("aside_at", Moment),  # irrelevant since a correction
    Column("replaced_at", Moment),  # by a later answer to the same question
    Index("ix_answers_response_id_question", "response_id", "question"),
    Index("ix_answers_at", "at"),
    _some("ix_answers_media_id", "media_id IS NOT NULL", "media_id"),
)

media = Table(
    "media",
    metadata,
    Column("id", Id, primary_key=True),
    _person(),
    Column("channel", String(16), nullable=False),
    Column("ref", LargeBinary, nullable=False),  # hidden: the provider's id or URL
    Column("type", String(128), nullable=False),
    Column("size", Integer),
    Column("state", String(8), nullable=False),  # waiting, kept, refused, lost
    Column("due", Moment, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("file", String(64)),  # in the media folder, once kept
    Column("reason", Text),
    Index("ix_media_waiting", "due", sqlite_where=text("state = 'waiting'"),
          postgresql_where=text("state = 'waiting'")),
)  # fmt: skip

requests = Table(
    "requests",
    metadata,
    Column("id", Id, primary_key=True),
    Column(
        "person_id", Id, ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("kind", String(16), nullable=False),  # access, erasure
    Column("at", Moment, nullable=False),
    Column("settled_at", Moment),
    Index("ix_requests_open", "at", sqlite_where=text("settled_at IS NULL"),
          postgresql_where=text("settled_at IS NULL")),
)  # fmt: skip

notices = Table(  # the privacy notice; a version is never edited
    "notices",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False),  # TOML, as dialogs.notices reads it
    Column("sha256", String(64), nullable=False),
    Column("published_at", Moment, nullable=False),
)

consents = Table(
    "consents",
    metadata,
    Column("id", Id, primary_key=True),
    Column(
        "person_id", Id, ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("kind", String(16), nullable=False),  # answer, sensitive, forums, feedback…
    Column("given", Boolean, nullable=False),
    Column("form", String(64), nullable=False),  # whose version holds the words of the notice
    Column("version", Integer, nullable=False),
    Column("notice", Integer),  # the version of the privacy notice that was in force
    Column("language", String(3)),
    Column("words", LargeBinary, nullable=False),  # hidden: the button or the words used
    Column("channel", String(16), nullable=False),
    Column("at", Moment, nullable=False),
    Column("media_id", Id, ForeignKey("media.id", ondelete="SET NULL")),  # a yes that was recorded
    Index("ix_consents_person_id_kind_id", "person_id", "kind", "id"),
    _some("ix_consents_media_id", "media_id IS NOT NULL", "media_id"),
)

spared = Table(  # kinds of forums to which somebody does not want to be invited
    "spared",
    metadata,
    Column("id", Id, primary_key=True),
    _person(),
    Column("kind", String(16), nullable=False),
    Column("at", Moment, nullable=False),
    Column("ended_at", Moment),  # when they wanted them again
    Column("channel", String(16), nullable=False),
    Column("words", LargeBinary, nullable=False),  # hidden: the button or the words used last
    UniqueConstraint("kind", "person_id"),
)

erasures = Table(  # who was erased, so that no copy brings them back
    "erasures",
    metadata,
    Column("id", Id, primary_key=True),
    Column("channel", String(16), nullable=False),
    Column("who", LargeBinary, nullable=False, index=True),  # keyed hash: nobody can be read off it
    Column("folio", String(16), nullable=False),
    Column("at", Moment, nullable=False),
    Column("pending", Text),  # what a human being has still to see to
    Column("settled_at", Moment),
    Column("filed", Boolean, nullable=False, server_default="0"),  # also outside the database
)

erased_responses = Table(  # the anonymous count of what was erased
    "erased_responses",
    metadata,
    Column("form", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("mode", String(16), primary_key=True),
    Column("state", String(10), primary_key=True),
    Column("number", Integer, nullable=False),
)

doomed_files = Table(  # of the media folder: to be removed once this is committed
    "doomed_files",
    metadata,
    Column("name", String(64), primary_key=True),
)

forums = Table(
    "forums",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),  # of its file
    Column("kind", String(16), nullable=False),
    Column("state", String(10), nullable=False),  # planned, cancelled
    Column("starts_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    Column("capacity", Integer),  # NULL: as many as come
    Column("title", Text, nullable=False),  # JSON, by language
    Column("description", Text, nullable=False),  # JSON, by language
    Column("place", Text, nullable=False),  # JSON: name, address, municipality, lat, lon or link
    Column("token", String(24), nullable=False, unique=True),  # of its calendar file
    Column("door", String(16), nullable=False, unique=True),  # the code shown at the door
    Column("changes", Integer, nullable=False, server_default="0"),
    Column("created_at", Moment, nullable=False),
)

invitations = Table(  # everything that is sent to many about a forum
    "invitations",
    metadata,
    Column("id", Id, primary_key=True),
    Column("forum_id", Id, ForeignKey("forums.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("purpose", String(16), nullable=False),  # invitation, reminder, change, thanks…
    Column("state", String(10), nullable=False),  # planned, queueing, sending, done, cancelled
    Column("paused_at", Moment),
    Column("segment", Text, nullable=False),
    Column("due", Moment, nullable=False),
    Column("latest", Moment, nullable=False),  # the last sensible moment: past it, missed
    Column("spread", Integer, nullable=False, server_default="0"),  # seconds
    Column("reach", Integer, nullable=False, server_default="0"),  # as counted when it was planned
    Column("cursor", Id, nullable=False, server_default="0"),  # the last person who was queued
    Column("words", Text),  # JSON, by language: instead of the usual ones
    Column("template", String(64)),  # approved by Meta, for WhatsApp outside the 24 hours
    Column("version", Integer, nullable=False),  # of the form that takes the reply
    Column("alert", Text),  # what its author has to know
    Column("any_hour", Boolean, nullable=False, server_default="0"),  # also while people sleep
    Column("created_at", Moment, nullable=False),
)

regions = Table(  # as organizers part the state: a municipality may lie in several
    "regions",
    metadata,
    Column("region", String(64), primary_key=True),
    Column("municipality", String(64), primary_key=True),  # the code that answers have
)

rsvps = Table(
    "rsvps",
    metadata,
    Column("forum_id", Id, ForeignKey("forums.id", ondelete="CASCADE"), primary_key=True),
    Column("person_id", Id, ForeignKey("people.id", ondelete="CASCADE"), primary_key=True),
    Column("answer", String(8)),  # yes, no, maybe, waiting; NULL: came without having said so
    Column("companions", Integer, nullable=False, server_default="0"),
    Column("at", Moment, nullable=False),  # of the answer: the waiting list goes by it
    Column("attended_at", Moment),
    Index("ix_rsvps_person_id", "person_id"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Id, primary_key=True),
    Column("person_id", Id, ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("lane", Integer, nullable=False),  # 0 replies, 1 broadcasts
    Column("invitation_id", Id),  # no foreign key: to look it up took half the time of queueing
    Column("message", LargeBinary),  # hidden: dialogs.values.Message as JSON; NULL: the invitation
    Column("state", String(10), nullable=False),
    Column("due", Moment, nullable=False),
    Column("leased_until", Moment),
    Column("leased_by", Integer),  # storage.meeting: the number of the worker
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("attempted_at", Moment),
    Column("asked_at", Moment),  # WhatsApp: by template, whether the invitation is wanted
    Column("provider_id", String(128)),
    Column("sent_at", Moment),
    Column("code", String(16)),
    Column("reason", Text),
    Index("ix_outbox_person_id_lane_id", "person_id", "lane", "id"),
    _some("ix_outbox_queued", "state = 'queued' AND lane = 0", "channel", "due", "id"),
    _some("ix_outbox_calling", "state = 'queued' AND lane = 1",
          "invitation_id", "channel", "due", "id"),
    _some("ix_outbox_leased", "state = 'leased'", "leased_until"),
    _some("ix_outbox_uncertain", "state = 'uncertain'", "channel", "due"),
    _some("ix_outbox_channel_provider_id", "provider_id IS NOT NULL", "channel", "provider_id"),
    _some("uq_outbox_invitation_id_person_id", "invitation_id IS NOT NULL",
          "invitation_id", "person_id", unique=True),
    _some("ix_outbox_troubled", "state IN ('failed', 'uncertain', 'held')", "state", "id"),
)  # fmt: skip
outbox.add_is_dependent_on(invitations)  # for whoever copies one table after the other

early_receipts = Table(  # told before the provider's id was written
    "early_receipts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("channel", String(16), nullable=False),
    Column("provider_id", String(128), nullable=False),
    Column("state", String(10), nullable=False),
    Column("at", Moment, nullable=False),
    Column("code", String(16)),
    Column("reason", Text),
    Column("due", Moment, nullable=False, server_default="1970-01-01 00:00:00"),  # to be looked at
    Index("ix_early_receipts_due", "due"),
)

chat_lines = Table(
    "chat_lines",
    metadata,
    Column("id", Id, primary_key=True),
    Column("chat", LargeBinary, nullable=False, index=True),  # sealed: people.address
    Column("mine", Boolean, nullable=False),  # said by the person
    Column("content", LargeBinary, nullable=False),  # hidden: JSON, as the page shows it
    Column("at", Moment, nullable=False),
)

senders = Table(
    "senders",
    metadata,
    Column("channel", String(16), primary_key=True),
    Column("free_at", Float, nullable=False),  # seconds since 1970: when the next slot begins
    Column("paused_until", Float, nullable=False),  # the provider said wait
    Column("replied_at", Float, nullable=False, server_default="0"),  # the last reply that went out
    Column("reason", Text),
)

contents = Table(
    "contents",
    metadata,
    Column("key", String(64), primary_key=True),  # hash of a Content template
    Column("sid", String(64), nullable=False),  # Twilio's id of it
)

facts = Table(
    "facts",
    metadata,
    Column("key", String(64), primary_key=True),  # for instance the vault's fingerprint
    Column("value", Text, nullable=False),
)

organizers = Table(
    "organizers",
    metadata,
    Column("id", Id, primary_key=True),
    Column("email", String(254), nullable=False, unique=True),  # in small letters
    Column("name", String(128), nullable=False),
    Column("role", String(16), nullable=False),  # organizer, analyst, facilitator, translator
    Column("password", String(256), nullable=False),  # Argon2id, in its own notation
    Column("totp", LargeBinary),  # hidden: the secret shared with an authenticator app
    Column("totp_step", Integer),  # of the last code taken: none is good twice
    Column("created_at", Moment, nullable=False),
    Column("signed_in_at", Moment),
    Column("closed_at", Moment),  # may not sign in any more
)

sessions = Table(
    "sessions",
    metadata,
    Column("key", String(64), primary_key=True),  # SHA-256 of what the browser holds
    Column(
        "organizer_id",
        Id,
        ForeignKey("organizers.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("began_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
)

sign_ins = Table(  # those that failed: too many, and whoever it is has to wait
    "sign_ins",
    metadata,
    Column("id", Id, primary_key=True),
    Column("who", LargeBinary, nullable=False),  # sealed: the account or the network address
    Column("at", Moment, nullable=False),
    Index("ix_sign_ins_who_at", "who", "at"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Moment, nullable=False, index=True),
    Column("who", String(254), nullable=False),  # the account, also once it is gone
    Column("action", String(64), nullable=False),
    Column("about", Text, nullable=False),
)

phases = Table(  # of the work plan, where an organizer moved them
    "phases",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("starts", Date, nullable=False),
    Column("ends", Date, nullable=False),
    Column("done_at", Moment),
    Column("by_hand", Boolean, nullable=False, server_default="0"),  # opens and closes nothing
    Column("set_at", Moment),  # when these days were chosen
)

plan_steps = Table(  # what phases opened and closed by themselves; each is taken once
    "plan_steps",
    metadata,
    Column("id", Id, primary_key=True),
    Column("phase", Integer, nullable=False),
    Column("step", String(8), nullable=False),  # open, closed
    Column("due", Moment, nullable=False),
    Column("at", Moment, nullable=False),
    Column("form", String(64), nullable=False),
    Column("outcome", String(16), nullable=False),
    UniqueConstraint("phase", "step", "due"),
)

aside = Table(  # messages that somebody looked at and decided to leave as they are
    "aside",
    metadata,
    Column("kind", String(8), primary_key=True),  # outbox
    Column("ref", Id, primary_key=True),  # its number there
    Column("who", String(254), nullable=False),
    Column("at", Moment, nullable=False),
)
