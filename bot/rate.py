"""When this process may send on a channel with a rate: alone, or beside others that send too."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from bot.post import Pace, Post, Ready
from storage import senders
from storage.senders import Slots

SHARED = 2.0  # seconds for which another worker, once noticed, is expected to go on
FURTHEST = 0.2  # seconds: a stall is no reason to let people wait for longer
CALM, LESS = 4, 0.99  # the part of a lateness that is made up for at once, and how it is forgotten


def free(db: Connection, post: Post, name: str, now: datetime, wanted: int) -> Slots:
    """The slots that may be taken on a channel with a rate, and whether others take some too."""
    post.paces.setdefault(name, Pace())
    rate = post.rates[name]
    if others_send(post, name, now.timestamp()):
        ahead = timedelta(seconds=post.ahead.get(name, 0.0))
        slots = senders.free(db, name, now + ahead, rate, wanted)
    else:
        slots = senders.free(db, name, now, rate, wanted, late=senders.JITTER)
    if slots.taken != post.mine.get(name) and slots.taken > now.timestamp() - SHARED:
        post.shared[name] = now.timestamp() + SHARED
    return slots


def others_send(post: Post, name: str, now: float) -> bool:
    """Whether another process was lately seen to take slots of this channel."""
    return post.shared.get(name, 0.0) > now


def take(db: Connection, post: Post, name: str, slots: Slots, used: int, *, replied: bool) -> None:
    senders.take(db, name, slots, used, replied=replied)
    post.mine[name] = slots.at(used) if used else slots.taken


def share(post: Post, name: str, slots: int) -> int:
    """How many of these slots broadcasts may have while people are writing."""
    credit = min(post.credit.get(name, 0.0), 1.0) + slots * (1 - senders.KEPT)
    share = min(int(credit), slots)
    post.credit[name] = credit - share
    return share


def learn_from(post: Post, ready: Ready) -> None:
    """Take slots the further ahead, the later letters come to theirs: a busy machine would lease
    each letter many times over, and let most of its slots go by."""
    late, ahead = post.seconds() - ready.moment, post.ahead.get(ready.letter.channel, 0.0)
    ahead = ahead * LESS if late < senders.JITTER else min(ahead + late / CALM, FURTHEST)
    post.ahead[ready.letter.channel] = ahead


def too_late(post: Post, ready: Ready) -> bool:
    """Whether its slot has gone by while others send too: it needs another one.

    Alone, a process keeps to the limit by its own pace; it cannot see what others send.
    """
    now = post.seconds()
    return now > ready.moment + senders.JITTER and others_send(post, ready.letter.channel, now)
