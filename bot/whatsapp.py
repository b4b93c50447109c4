"""WhatsApp through Twilio: everything the program knows of it, in both directions."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import structlog
from twilio.base.values import unset  # type: ignore[import-untyped]
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from bot import shape
from bot.channel import Broken, File, Gone, Refused, SendError, TryLater, Uncertain, WindowClosed
from bot.http import Outward, Pool
from bot.twilio_http import (
    API,
    UNPRESENTABLE,
    at_host,
    discreet,
    explained,
    meaning,
    signed_in,
)
from dialogs.values import Inbound, Kind, Media, Message, Receipt, ReceiptState, Text, in_language

log = structlog.get_logger()

SIGNATURE_HEADER = "X-Twilio-Signature"

# Limits, in UTF-16 units (Twilio's Content pages; error 21617).
LONGEST_TEXT = 1600
LONGEST_BODY = 1024  # with buttons or a list
BUTTONS, BUTTON = 3, 20
ITEMS, ITEM, DESCRIPTION = 10, 24, 72
LARGEST_FILE = 16_000_000  # bytes; WhatsApp's own limit for audio
LONGEST_NAME = 100  # of a place
SKEW = timedelta(seconds=5)  # Twilio's clock shows whole seconds, and is not ours
UNSAFE = "the file is not at a safe address"
REFUSED_FOR = timedelta(hours=1)  # choices that Twilio did not take: so long as numbers
HOPS = 3  # redirects from a media URL to where the file lies


def genuine(auth_token: str, url: str, form: Mapping[str, str], signatures: Sequence[str]) -> bool:
    """Whether Twilio signed this call; `url` is the one Twilio was given, query and all."""
    if not auth_token or len(signatures) != 1:
        return False
    try:
        return bool(RequestValidator(auth_token).validate(url, form, signatures[0]))
    except (TypeError, ValueError):  # no URL, or not text
        return False


# --- in


def read(form: Mapping[str, str], at: datetime) -> Inbound | Receipt | None:
    """A message, or what became of one of ours; None if there is nothing to do.

    Raises ValueError if it names no message or no sender.
    """
    given = form.get("MessageSid") or form.get("SmsSid") or form.get("SmsMessageSid")
    if not given:
        raise ValueError("the call names no message (MessageSid)")
    status = form.get("MessageStatus") or form.get("SmsStatus") or "received"
    if status not in ("received", "receiving"):
        return _receipt(form, given, status, at)
    return _inbound(form, given, at)


STATES: Mapping[str, ReceiptState] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "failed": "failed",
    "undelivered": "failed",
    "canceled": "failed",
}


def _receipt(form: Mapping[str, str], given: str, status: str, at: datetime) -> Receipt | None:
    state = STATES.get(status)
    if state is None:
        return None  # queued, accepted, sending: on its way
    code, reason = form.get("ErrorCode", ""), form.get("ErrorMessage", "")
    return Receipt("whatsapp", given, state, at, code, discreet(reason))


def _inbound(form: Mapping[str, str], given: str, at: datetime) -> Inbound:
    address = form.get("From", "")
    if not address:
        raise ValueError("the call names no sender (From)")
    payload = form.get("ButtonPayload") or form.get("ListId") or ""
    media, point = _media(form), _point(form)
    text = form.get("Body") or form.get("ButtonText") or form.get("ListTitle") or ""
    return Inbound(
        "whatsapp",
        given,
        address,
        identity(address),
        at,
        kind=_kind(payload, media, point, text),
        text=text,
        payload=payload,
        pressed=form.get("OriginalRepliedMessageSid", "") if payload else "",
        media=media,
        point=point,
    )


def _kind(payload: str, media: Media | None, point: object, text: str) -> Kind:
    if payload:
        return "button"
    if media:
        return _kind_of(media.type)
    if point:
        return "location"
    return "text" if text else "other"


KINDS: tuple[tuple[str, Kind], ...] = (
    ("audio/", "voice"),
    ("application/ogg", "voice"),
    ("image/webp", "sticker"),
    ("image/", "photo"),
    ("video/", "video"),
    ("text/vcard", "contact"),
    ("text/x-vcard", "contact"),
)


def _kind_of(media_type: str) -> Kind:
    lower = media_type.lower()
    return next((kind for start, kind in KINDS if lower.startswith(start)), "document")


def _media(form: Mapping[str, str]) -> Media | None:
    url = form.get("MediaUrl0", "")
    return Media(url, form.get("MediaContentType0", "")) if url else None


def _point(form: Mapping[str, str]) -> tuple[float, float] | None:
    try:
        point = float(form["Latitude"]), float(form["Longitude"])
    except (KeyError, ValueError):
        return None
    return point if abs(point[0]) <= 90 and abs(point[1]) <= 180 else None


# WhatsApp still writes some numbers as they were before their countries changed them.
OLD_NUMBERS = (
    (re.compile(r"\+521(\d{10})"), r"+52\1"),  # Mexico dropped the 1 of mobiles in 2019
    (re.compile(r"\+55([1-9]\d)([6-9]\d{7})"), r"+55\g<1>9\2"),  # Brazil put a 9 before them
)


def identity(address: str) -> str:
    """The number that is the same however WhatsApp or a person writes it, as E.164."""
    import phonenumbers  # here: a megabyte of which a server without WhatsApp has no use

    said = number(address).removeprefix("whatsapp:")
    try:
        parsed = phonenumbers.parse(said)
    except phonenumbers.NumberParseException:
        return said  # not a number: WhatsApp may hand out names instead
    found = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    for old, new in OLD_NUMBERS:
        if match := old.fullmatch(found):
            return match.expand(new)
    return found


def number(identity: str) -> str:
    """The address of a number: whatsapp:+529991234567."""
    said = identity.removeprefix("whatsapp:").strip()
    return f"whatsapp:{'+' * said[:1].isdecimal()}{said}"


# --- out


class WhatsApp:
    """One WhatsApp sender at Twilio. Everything runs in one event loop."""

    name = "whatsapp"

    def __init__(
        self,
        account: str,
        token: str,
        sender: str,
        *,
        menu: Text,
        recall: Callable[[str], str | None],
        remember: Callable[[str, str], None],
        callback: str = "",
        files: str = "",
        api: str = "",
        pool: Pool | None = None,
        outside: Pool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`menu` is what the button says that opens a list, in each language.

        Buttons and lists have to be laid down at Twilio before they are sent. `recall(key)`
        gives what `remember(key, sid)` was told, also after a restart; an empty sid means that
        they have to be laid down anew. `callback` is the public URL for what becomes of messages,
        `files` that below which pictures and recordings of questionnaires are.
        `outside` fetches files from where Twilio sends us. `clock` counts seconds.
        """
        from bot import twilio_client  # here: 5 MB of which who only reads has no use

        self._pool = pool or Pool()
        self._outside = outside or Pool(resolver=Outward)
        self._account = account
        self._auth = signed_in(account, token)
        self._api = api.rstrip("/") or API
        self._client = twilio_client.client(account, token, self._pool, self._api)
        self._content = twilio_client.content
        self._sender = number(sender)
        self._callback = callback
        self._files = files
        self._menu = menu
        self._recall = recall
        self._remember = remember
        self._clock = clock
        self._refused: dict[str, float] = {}  # until when, by the clock
        self._known: dict[str, str] = {}  # so that the database is asked once for each key
        self._laying: dict[str, asyncio.Task[str]] = {}

    async def send(self, address: str, message: Message) -> str:
        """Send; the id of the message with the choices. Marks cannot change: nothing is sent."""
        if message.edits and message.several:
            return ""
        text = shape.sendable(message.text)
        await self._show(address, message)
        sent = await self._tappable(address, message, text)
        sent = sent or await self._plain(address, _numbered(message, text))
        if message.point:
            await self._point(address, message.point, text)
        return sent

    async def _plain(self, address: str, text: str) -> str:
        sent = ""
        for part in shape.split(text, LONGEST_TEXT):
            sent = await self._create(address, body=part)
        return sent

    async def _tappable(self, address: str, message: Message, text: str) -> str:
        """Send with buttons or a list; empty if they do not fit or Twilio does not take them."""
        offer = _offer(message, text, in_language(self._menu, message.language))
        if offer is None:
            return ""
        key = self._key(offer)
        try:
            sid = await self._laid(key, offer)
            return await self._create(address, content=sid) if sid else ""
        except Refused as refused:
            if refused.code not in UNPRESENTABLE:
                raise
            self._refuse(key)
            return ""

    async def _show(self, address: str, message: Message) -> None:
        """Send what is seen and heard before the words. WhatsApp shows no words beside a sound."""
        await self._attach(address, message.image)
        await self._attach(address, message.audio)
        for each in message.shown:
            await self._attach(address, each.image, shape.sendable(each.label))
            await self._attach(address, each.audio)

    async def _attach(self, address: str, name: str, label: str = "") -> None:
        """Send a file, which Twilio fetches. If it cannot be sent, the words still can."""
        url = name
        if not name.startswith(("https://", "http://")):
            url = f"{self._files}/{quote(name)}"
        if not name or not (self._files or url == name):
            return  # nothing, or a file that only this machine has
        try:
            await self._create(address, shape.shorten(label, LONGEST_BODY), media=url)
        except (Gone, WindowClosed):
            raise
        except (Refused, Uncertain) as error:
            log.warning("a file was not sent", file=name, reason=error.reason)

    async def _point(self, address: str, point: tuple[float, float], text: str) -> None:
        """Send a place under the first words of the text, which is out already."""
        name = shape.shorten(text.partition("\n")[0], LONGEST_NAME)
        try:
            await self._create(address, body=name, place="geo:{:.6f},{:.6f}".format(*point))
        except SendError as error:
            log.warning("the pin after a message was not sent", reason=error.reason)

    async def ask(self, address: str, template: str, variables: Mapping[str, str]) -> str:
        """Send a template that Meta has approved: it may go out at any time."""
        given = json.dumps(dict(variables), ensure_ascii=False)
        return await self._create(address, content=template, variables=given)

    async def _create(
        self,
        address: str,
        body: str = "",
        content: str = "",
        media: str = "",
        place: str = "",
        variables: str = "",
    ) -> str:
        with explained():
            made = await self._client.messages.create_async(
                to=address,
                from_=self._sender,
                status_callback=self._callback or unset,
                body=body or unset,
                content_sid=content or unset,
                content_variables=variables or unset,
                media_url=[media] if media else unset,
                persistent_action=[place] if place else unset,
            )
            return _sid(made.sid)

    def _key(self, offer: Mapping[str, Any]) -> str:
        whole = json.dumps([self._account, offer], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()

    async def _laid(self, key: str, offer: Mapping[str, Any]) -> str:
        """The id of these buttons at Twilio, laid down once; empty if they cannot be."""
        if self._refused.get(key, 0.0) > self._clock():
            return ""
        known = self._known.get(key) or self._recall(key)
        if known:
            self._known[key] = known
            return known
        if key not in self._laying:  # a broadcast would lay down the same fifty times at once
            task = self._laying[key] = asyncio.create_task(self._lay(key, offer))
            task.add_done_callback(lambda _: self._laying.pop(key))
        return await asyncio.shield(self._laying[key])

    def _keep(self, key: str, sid: str) -> None:
        self._known[key] = sid
        self._remember(key, sid)

    def _refuse(self, key: str) -> None:
        """These choices go as numbers for a while, and are then laid down anew: what Twilio
        refuses today (a limit, an outage, a resource that is gone) it may take tomorrow."""
        self._refused[key] = self._clock() + REFUSED_FOR.total_seconds()
        self._known.pop(key, None)
        self._remember(key, "")

    async def _lay(self, key: str, offer: Mapping[str, Any]) -> str:
        # WhatsApp has no code for Maya; it matters only for templates that Meta approves.
        wanted = {"friendly_name": f"consulta_{key[:16]}", "language": "es", "types": offer}
        try:
            with explained():
                contents = self._client.content.v1.contents
                made = await contents.create_async(self._content(wanted))
                sid = _sid(made.sid)
        except Refused as refused:
            log.warning("Twilio does not take these choices", reason=refused.reason)
            self._refuse(key)
            return ""
        except SendError as error:
            log.warning("choices go as text for now", reason=error.reason)
            return ""
        self._keep(key, sid)
        return sid

    async def look_up(self, address: str, since: datetime, body: str | None) -> str | None:
        """The id of a message that was sent to this person since then, if Twilio has it."""
        with explained():
            found = await self._client.messages.list_async(to=address, from_=self._sender, limit=20)
        for made in found:  # the newest first
            new = made.date_created and made.date_created >= since - SKEW
            if new and (body is None or _same(made.body, body)):
                return str(made.sid)
        return None

    async def fetch(self, media: Media) -> File:
        """Bring a voice note, of at most 16 MB, with the account's credentials."""
        answer = await self._download(media.ref)
        kind = shape.file_type(answer, media.type)
        if kind is None:
            raise Refused("the file is no audio")
        return File(answer, kind)

    async def _download(self, ref: str) -> bytes:
        """Only Twilio is asked and sees the credentials; the file may lie elsewhere."""
        if not ref.startswith((f"{API}/", f"{self._api}/")):
            raise Refused("the file is not at Twilio")
        url = at_host(self._api, ref)
        try:
            for hop in range(HOPS + 1):
                headers = {} if hop else self._auth
                at_twilio = urlsplit(url).hostname == urlsplit(self._api).hostname
                pool = self._pool if at_twilio else self._outside
                found = await pool.ask("GET", url, headers=headers, largest=LARGEST_FILE)
                if found.status == 200:
                    return found.body
                if hop and found.status == 401:  # it is not Twilio who does not know us
                    raise Refused("the file is locked away")
                if not 300 <= found.status < 400:
                    raise meaning(str(found.status), found.status, "the file cannot be fetched")
                url = _onward(url, found.headers.get("Location", ""))
        except Uncertain as error:  # asking twice does no harm
            raise TryLater(error.reason, error.code) from None
        except Broken:
            if at_twilio:
                raise
            raise Refused(UNSAFE) from None  # what is wrong elsewhere is no fault of Twilio's
        raise Refused("the file is redirected in a circle")

    async def close(self) -> None:
        await self._pool.close()
        await self._outside.close()


def _onward(url: str, location: str) -> str:
    """Where a redirect leads. What was asked for in secret is not fetched in the open."""
    try:
        onward = urljoin(url, location)
        there, here = urlsplit(onward), urlsplit(url)
        outside = there.hostname == here.hostname or _public(there.hostname or "")
        safe = outside and there.scheme in ("https", here.scheme) and there.port != 0
    except ValueError:
        safe = False
    if not safe:
        raise Refused(UNSAFE)
    return onward


def _public(host: str) -> bool:
    """Whether this is a name in the world: an address, in any notation, or a bare name may be one
    of our own. Where the name leads is looked at when it is found (bot.http.Outward)."""
    _, dot, last = host.rstrip(".").rpartition(".")
    number = ":" in host or last[:1].isdigit()
    return bool(dot) and not number and last not in ("local", "internal", "localhost")


def _sid(given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError("the answer has no sid")
    return given


def _same(found: str | None, body: str) -> bool:
    """Whether one begins with the other: choices may follow, and long texts go in parts."""
    one, two = " ".join((found or "").split()), " ".join(body.split())
    return bool(one and two) and (one.startswith(two) or two.startswith(one))


# --- the shape of a message


def look(message: Message) -> shape.Look:
    """How a message will look: its text, and buttons, a list or numbers under it."""
    text = shape.sendable(message.text)
    offer = _offer(message, text, "Ver opciones")
    if offer is None:
        return shape.Look(_numbered(message, text))
    listed = "twilio/quick-reply" not in offer
    return shape.Look(text, tuple((choice.label,) for choice in message.choices), listed)


def _numbered(message: Message, text: str) -> str:
    """The text with its choices; without the one that means done, for numbers are the answer."""
    listed = message.choices[:-1] if message.several else message.choices
    if not listed:
        return text
    marks = ["☑ " if choice.payload in message.chosen else "" for choice in listed]
    labels = [shape.sendable(choice.label) for choice in listed]
    return shape.under(text, [mark + label for mark, label in zip(marks, labels, strict=True)])


def _offer(message: Message, text: str, menu: str) -> dict[str, Any] | None:
    """Buttons if they fit, else a list if that fits, else nothing.

    Twilio takes {{ for the start of a variable, and refuses two buttons that say the same.
    """
    labels = [shape.sendable(choice.label).strip() for choice in message.choices]
    payloads = [f"#{place}" for place in range(len(labels))]  # the same for everybody: laid once
    if (
        not labels
        or message.several
        or shape.units(text) > LONGEST_BODY
        or any("{{" in words or "\n" in words for words in labels)
        or "{{" in text
        or len(set(labels)) != len(labels)
    ):
        return None
    return _buttons(text, payloads, labels) or _list(text, payloads, labels, menu)


def _buttons(text: str, payloads: list[str], labels: list[str]) -> dict[str, Any] | None:
    if len(labels) > BUTTONS or any(shape.units(label) > BUTTON for label in labels):
        return None
    actions = [
        {"type": "QUICK_REPLY", "title": label, "id": payload}
        for payload, label in zip(payloads, labels, strict=True)
    ]
    return {"twilio/quick-reply": {"body": text, "actions": actions}}


def _list(text: str, payloads: list[str], labels: list[str], menu: str) -> dict[str, Any] | None:
    rows = [_row(label) for label in labels]
    if len(rows) > ITEMS or not menu or shape.units(menu) > BUTTON:
        return None
    items = [
        {"id": payload, "item": row[0], "description": row[1] or None}
        for payload, row in zip(payloads, rows, strict=True)
        if row
    ]
    if len(items) < len(rows):
        return None
    return {"twilio/list-picker": {"body": text, "button": menu, "items": items}}


def _row(label: str) -> tuple[str, str] | None:
    """The label on a line of 24 and one of 72, parted between words; None if it does not fit."""
    if shape.units(label) <= ITEM:
        return label, ""
    cut = label.rfind(" ", 1, ITEM + 1)
    while cut > 0 and shape.units(label[:cut]) > ITEM:
        cut = label.rfind(" ", 1, cut)
    rest = label[cut + 1 :].strip()
    return (label[:cut], rest) if cut > 0 and shape.units(rest) <= DESCRIPTION else None
