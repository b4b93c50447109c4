"""How far a sending to many has got, how quickly it goes, and how long it will take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from bot import timing
from storage import invitations
from storage.invitations import Invitation

ENDED = ("done", "cancelled")


@dataclass(frozen=True, slots=True)
class Progress:
    """Everybody it is for, by what became of them; and the pace of the last minute."""

    invitation: Invitation
    counts: Mapping[str, Any]  # as invitations.status gives them
    rate: float  # people a second; 0 while nothing goes out
    left: timedelta | None  # until everybody has been written to; None: nobody can say
    asleep_until: datetime | None  # people sleep: nothing goes out before

    @property
    def running(self) -> bool:
        return self.invitation.state not in ENDED

    @property
    def moving(self) -> bool:
        """Whether it is going out right now."""
        return self.invitation.state in ("queueing", "sending") and not self.invitation.paused_at

    @property
    def total(self) -> int:
        """Everybody; as long as not all are in the ledger, as many as were counted before."""
        known: int = self.counts["intended"]
        filling = self.invitation.state in ("planned", "queueing")
        return max(known, self.invitation.reach) if filling else known

    @property
    def waiting(self) -> int:
        """Who is still to be written to."""
        on_their_way: int = self.counts["queued"] + self.counts["leased"]
        return on_their_way + self.total - int(self.counts["intended"])

    @property
    def arrived(self) -> int:
        """With whom it is, as far as the provider has told."""
        return int(self.counts["delivered"] + self.counts["read"])

    @property
    def sent(self) -> int:
        """To whom it went out, whether or not it is known to have arrived."""
        return int(self.counts["sent"]) + self.arrived

    def too_slow(self, now: datetime) -> bool:
        """Whether some will not get it before its last sensible moment, at this pace."""
        return self.left is not None and now + self.left > self.invitation.latest


def of(db: Connection, invitation_id: int, now: datetime) -> Progress:
    """How far it has got. Raises LookupError if there is none such."""
    one, counts = invitations.get(db, invitation_id), invitations.status(db, invitation_id)
    asleep = timing.quiet(now) and not one.any_hour and one.state in ("queueing", "sending")
    until = timing.awake(now) if asleep and not one.paused_at else None
    found = Progress(one, counts, 0.0, None, until)
    if not found.running or one.paused_at or until or not found.waiting:
        return found
    rate = invitations.pace(db, invitation_id, now)
    if not rate:
        return found
    left = timedelta(seconds=found.waiting / rate)
    if one.spread:
        left = max(left, one.due + one.spread - now)
    return Progress(one, counts, rate, left, None)
