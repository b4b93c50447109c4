"""Calls to Twilio: how they travel, and what its error codes mean for a message."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Literal
from urllib.parse import urlsplit

import aiohttp
from twilio.base.exceptions import (  # type: ignore[import-untyped]
    TwilioException,
    TwilioRestException,
    TwilioServiceException,
)

from bot.channel import (
    Broken,
    Gone,
    Halt,
    Misworded,
    Refused,
    SendError,
    TryLater,
    Uncertain,
    WindowClosed,
)

API = "https://api.twilio.com"
HOLD = timedelta(hours=24)

Action = Literal[
    "retry",  # this message, after a while
    "fault",  # the same, but it may have been taken before Twilio failed
    "slow",  # the whole sender, after a while
    "hold",  # this person, not before a day has passed, then two, then four
    "template",  # the 24-hour window is closed
    "stop",  # the person does not want to hear from us
    "permanent",  # there is nobody at this address
    "pause",  # stop the broadcast and tell the operator
    "author",  # what is said, or its template, is at fault
    "config",  # the sender is at fault
]

ACTIONS: Mapping[str, Action] = {
    "20429": "slow",  # too many requests
    "30001": "slow",  # the queue is full
    "63017": "retry",  # rate of the account
    "63018": "retry",  # rate of the sender, or to this person
    "63010": "retry",  # Twilio's own fault
    "63012": "retry",  # WhatsApp's own fault
    "63032": "hold",  # WhatsApp limits this person (Meta 472)
    "63038": "hold",  # the account's limit for today
    "63049": "hold",  # Meta chose not to deliver marketing
    "63016": "template",
    "21610": "stop",  # wrote STOP
    "63014": "stop",  # blocked us
    "63033": "stop",  # blocked us
    "63024": "permanent",  # not on WhatsApp
    "63003": "permanent",
    "21211": "permanent",  # not a number
    "21614": "permanent",  # not a mobile number
    "63015": "permanent",  # has not joined the sandbox: writing to it joins
    "63013": "pause",  # against WhatsApp's policy
    "63026": "pause",  # flagged as spam
    "63041": "pause",  # the template is paused
    "63005": "author",  # the content is not accepted
    "63021": "author",  # the content is not valid
    "63028": "author",  # the number of variables
    "63027": "author",  # no template in this language
    "63051": "author",  # meaning not documented
    "21617": "author",  # too long
    "21655": "author",  # no such content
    "21656": "author",  # variables are not valid
    "63001": "config",  # the channel does not accept our credentials
    "63002": "config",  # no such From
    "63007": "config",  # no such sender
    "20003": "config",  # not the account's token
}
"""What to do about Twilio's error codes, in an answer or in a status callback."""

UNPRESENTABLE = {"63005", "63021", "63027", "63028", "21655", "21656"}  # plain text still goes


@contextmanager
def explained() -> Iterator[None]:
    try:
        yield
    except TwilioRestException as error:
        raise meaning(str(error.code), error.status, error.msg) from None
    except TwilioServiceException as error:
        raise meaning(str(error.code), error.status, error.title) from None
    except TwilioException as error:  # a list that did not come
        raise TryLater(discreet(f"Twilio has a fault of its own: {error}"), perhaps=True) from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise Uncertain(f"Twilio's answer cannot be read ({type(error).__name__})") from None


def meaning(code: str, status: int, reason: str) -> SendError:
    return failure(code, reason, ACTIONS.get(code) or _by_status(status))


def _by_status(status: int) -> Action | None:
    if status == 401:
        return "config"
    if status == 429:
        return "slow"
    return "fault" if status >= 500 else None


def failure(code: str, reason: str, action: Action | None = None) -> SendError:
    """The error that stands for a code, also one that a status callback brought."""
    reason = discreet(reason)
    match action or ACTIONS.get(code):
        case "retry":
            return TryLater(reason, code)
        case "fault":
            return TryLater(reason, code, perhaps=True)
        case "slow":
            return TryLater(reason, code, everybody=True)
        case "hold":
            return TryLater(reason, code, HOLD, grows=True)
        case "template":
            return WindowClosed(reason, code)
        case "stop" | "permanent":
            return Gone(reason, code)
        case "pause":
            return Halt(reason, code)
        case "author":
            return Misworded(reason, code)
        case "config":
            return Broken(reason, code)
        case None:
            return Refused(reason, code)


def discreet(reason: str) -> str:
    """Twilio's words without the telephone numbers that it likes to name."""
    return re.sub(r"\d{7,}", "…", reason)


def signed_in(account: str, token: str) -> dict[str, str]:
    return {"Authorization": aiohttp.encode_basic_auth(account, token)}


def at_host(api: str, url: str) -> str:
    """The same path at another host: one emulator or gateway stands for all of Twilio's."""
    asked = urlsplit(url)
    here = urlsplit(api)
    return asked._replace(scheme=here.scheme, netloc=here.netloc).geturl()
