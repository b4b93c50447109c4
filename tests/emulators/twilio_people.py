"""People on WhatsApp: the form fields that Twilio posts when they write, tap or talk.

Every function returns the fields of one webhook call as Twilio sends them (field sets
from captured calls; twilio.com/docs/messaging/guides/webhook-request). `signed` adds
the headers. Nothing is kept here but a counter, so that no two messages share a sid.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

Form = dict[str, str]

ACCOUNT = "AC" + "a1" * 16
AUTH_TOKEN = "b2" * 16
SENDER = "+5219990000000"  # the consultation's own number
API = "https://api.twilio.com"

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Person:
    """`number` is as WhatsApp shows it: in Mexico often +521 and ten digits."""

    number: str
    name: str = "Ana"


def sid(prefix: str) -> str:
    """A new Twilio id: the prefix and 32 hexadecimal digits, which increase."""
    return f"{prefix}{next(_numbers):032x}"


def text(person: Person, body: str) -> Form:
    return _said(person, "text", Body=body)


def tapped(
    person: Person, button: str, title: str, message: str, *, kind: str = "interactive"
) -> Form:
    """A tap on a quick-reply button of the message with this sid.

    `kind` is "button" under an approved template, "interactive" in session.
    """
    chosen = {"Body": title, "ButtonText": title, "ButtonPayload": button}
    return _said(person, kind, **chosen, **_replying(message))


def picked(person: Person, item: str, title: str, message: str) -> Form:
    """A choice from the list of the message with this sid."""
    chosen = {"Body": title, "ListId": item, "ListTitle": title}
    return _said(person, "interactive", **chosen, **_replying(message))


def voice(person: Person, api: str = API) -> Form:
    return media(person, "audio", "audio/ogg", api=api)


def photo(person: Person, caption: str = "", api: str = API) -> Form:
    return media(person, "image", "image/jpeg", caption, api)


def sticker(person: Person, api: str = API) -> Form:
    return media(person, "sticker", "image/webp", api=api)


def document(person: Person, name: str = "propuesta.pdf", api: str = API) -> Form:
    return media(person, "document", "application/pdf", name, api)


def video(person: Person, api: str = API) -> Form:
    return media(person, "video", "video/mp4", api=api)


def contact(person: Person, api: str = API) -> Form:
    return media(person, "contacts", "text/vcard", api=api)


def media(person: Person, kind: str, content_type: str, body: str = "", api: str = API) -> Form:
    """A message with one file, which stays with Twilio under the message's sid."""
    form = _said(person, kind, prefix="MM", Body=body, NumMedia="1")
    where = f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{form['MessageSid']}/Media/{sid('ME')}"
    return {**form, "MediaContentType0": content_type, "MediaUrl0": api + where}


def location(
    person: Person,
    latitude: float = 20.967,
    longitude: float = -89.6237,
    label: str = "",
    address: str = "",
) -> Form:
    place = {"Latitude": str(latitude), "Longitude": str(longitude)}
    named = {"Label": label, "Address": address}
    given = {name: value for name, value in named.items() if value}
    return _said(person, "location", Body="", **place, **given)


def replied(person: Person, body: str, message: str) -> Form:
    """Words that quote an earlier message."""
    return _said(person, "text", Body=body, **_replying(message))


def forwarded(person: Person, body: str) -> Form:
    return _said(person, "text", Body=body, Forwarded="true")


def status(
    message: str, to: str, state: str, error: int | None = None, sender: str = SENDER
) -> Form:
    """A status callback: queued, sent, delivered, read, failed or undelivered."""
    address = to.removeprefix("whatsapp:")
    form = {
        "SmsSid": message,
        "SmsStatus": state,
        "MessageStatus": state,
        "MessageSid": message,
        "AccountSid": ACCOUNT,
        "ApiVersion": "2010-04-01",
        "From": f"whatsapp:{sender}",
        "To": f"whatsapp:{address}",
        "ChannelPrefix": "whatsapp",
        "ChannelToAddress": address,
        "ChannelInstallSid": "XE" + "c3" * 16,
        "StructuredMessage": "false",
    }
    if state in ("delivered", "read"):
        form["EventType"] = state.upper()
    return form if error is None else {**form, "ErrorCode": str(error)}


def signed(url: str, form: Mapping[str, str], token: str = AUTH_TOKEN) -> dict[str, str]:
    """The headers of a webhook call that goes to this public URL."""
    return {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "User-Agent": "TwilioProxy/1.1",
        "I-Twilio-Idempotency-Token": sid("").lstrip("0") + "-idempotency",
        "X-Twilio-Signature": signature(url, form, token),
    }


def signature(url: str, form: Mapping[str, str], token: str = AUTH_TOKEN) -> str:
    """HMAC-SHA1 over the URL and the sorted fields (twilio.com/docs/usage/security)."""
    whole = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(
        hmac.new(token.encode(), whole.encode(), hashlib.sha1).digest()
    ).decode()


def encoded(form: Mapping[str, str]) -> bytes:
    return urlencode(form).encode()


def _said(person: Person, kind: str, prefix: str = "SM", **content: str) -> Form:
    message = sid(prefix)
    context = {"type": "whatsapp", "data": {"context": {"ProfileName": person.name}}}
    return {
        "SmsMessageSid": message,
        "NumMedia": "0",
        "ProfileName": person.name,
        "MessageType": kind,
        "SmsSid": message,
        "WaId": person.number.lstrip("+"),
        "SmsStatus": "received",
        "Body": "",
        "To": f"whatsapp:{SENDER}",
        "NumSegments": "1",
        "ReferralNumMedia": "0",
        "MessageSid": message,
        "AccountSid": ACCOUNT,
        "ChannelMetadata": json.dumps(context),
        "From": f"whatsapp:{person.number}",
        "ApiVersion": "2010-04-01",
        **content,
    }


def _replying(message: str) -> Form:
    return {
        "OriginalRepliedMessageSid": message,
        "OriginalRepliedMessageSender": f"whatsapp:{SENDER}",
    }
