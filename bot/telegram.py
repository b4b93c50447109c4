"""Telegram: everything the program knows of it, in both directions."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import structlog
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions
from telegram import Message as Said
from telegram.helpers import create_deep_linked_url

from bot import shape
from bot.channel import Broken, File, Gone, Refused, SendError, TryLater, Uncertain
from bot.http import Pool
from bot.stores import Store
from bot.telegram_http import LARGEST_FILE, MALFORMED, Request, explained
from dialogs.values import Choice, Inbound, Kind, Media, Message

log = structlog.get_logger()

API = "https://api.telegram.org"
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # nosec B105 # the name of a header

# Limits of the Bot API, in UTF-16 units; see telegram.constants.
LONGEST_TEXT = 4096
LONGEST_CAPTION = 1024
MOST_BUTTONS = 100
WIDEST_BUTTON = 34  # cut at the edge of an old phone (360 px) beyond this
PAIRS, TRIPLES = 16, 8  # labels up to this long stand two or three in a row

PRIVATE = "private"  # a chat with one person
WANTED = ["message", "edited_message", "callback_query", "my_chat_member", "channel_post"]
PATIENCE = timedelta(seconds=50)  # of one long poll
AGAIN = timedelta(seconds=3)  # between two polls when the network is away


def genuine(given: str | None, secret: str) -> bool:
    """Whether the secret header shows that Telegram itself is calling."""
    if not given or not secret:
        return False
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())


# --- in


Json = Mapping[str, Any]  # as it came: as objects, an update costs a twentieth of a turn


def read(update: Json, at: datetime) -> Inbound | None:
    """What a person did, or None if it asks for nothing. ValueError if it is no update at all."""
    try:
        return _inbound(str(_number(update["update_id"])), update, at)
    except (*MALFORMED, ValueError) as error:
        raise ValueError(
            f"not an update of the Bot API: {type(error).__name__}: {error}"
        ) from error


def _inbound(given: str, update: Json, at: datetime) -> Inbound | None:
    if (query := update.get("callback_query")) is not None:
        return _pressed(given, query, at)
    if (change := update.get("my_chat_member")) is not None:
        return _membership(given, change, at)
    if (edited := update.get("edited_message")) is not None:
        return _from(given, edited["chat"], at, kind="edited", text=_words(edited))
    if (said := update.get("message")) is not None:
        return _said(given, said, at)
    post = update.get("channel_post", update.get("edited_channel_post"))
    if post is not None:
        return _from(given, post["chat"], at, kind="group", text=_words(post))
    return None


def _from(given: str, chat: Json, at: datetime, kind: Kind, **more: Any) -> Inbound:
    """Whatever is said where others read along is of kind "group"."""
    address = str(_number(chat["id"]))
    found = kind if chat["type"] == PRIVATE else "group"
    return Inbound("telegram", given, address, address, at, kind=found, **more)


def _pressed(given: str, query: Json, at: datetime) -> Inbound:
    under = query.get("message") or {}
    chat = under["chat"] if under else {"id": query["from"]["id"], "type": PRIVATE}
    return _from(
        given,
        chat,
        at,
        kind="button" if query.get("data") else "other",
        payload=_string(query.get("data")),
        pressed=str(_number(under["message_id"])) if under else "",
        callback=_string(query.get("id")),
    )


def _membership(given: str, change: Json, at: datetime) -> Inbound:
    left = change["new_chat_member"]["status"] in ("kicked", "left")
    return _from(given, change["chat"], at, kind="blocked" if left else "unblocked")


# The contents of a message, and how the dialog sees them; a moving picture is also a document,
# and a venue also a location, so the order matters.
CONTENTS: Mapping[str, Kind] = {
    "voice": "voice",
    "audio": "voice",
    "video": "video",
    "video_note": "video",
    "animation": "video",
    "photo": "photo",
    "sticker": "sticker",
    "contact": "contact",
    "location": "location",
    "poll": "poll",
    "document": "document",
}

# What the app says by itself in a private chat: nobody waits for an answer to it.
SILENT = (
    "pinned_message",
    "message_auto_delete_timer_changed",
    "chat_background_set",
    "write_access_allowed",
    "proximity_alert_triggered",
    "connected_website",
)

START = re.compile(
    r"/start(?:@\w+)?(?:\s+(?:(?P<code>[\w-]{1,64})\s*$|(?P<rest>.*)))?$", re.A | re.I | re.S
)


def _said(given: str, said: Json, at: datetime) -> Inbound | None:
    text, chat = _words(said), said["chat"]
    if moved := said.get("migrate_to_chat_id"):
        return _from(given, chat, at, kind="group", moved_to=str(_number(moved)))
    if said.get("text") and (start := START.match(text)):
        code, rest = start["code"] or "", start["rest"] or ""
        return _from(given, chat, at, kind="start", text=rest, code=code)
    if said.get("text"):
        return _from(given, chat, at, kind="text", text=text)
    name = next((name for name in CONTENTS if said.get(name)), None)
    if name:
        return _content(given, said, name, text, at)
    if any(name in said for name in SILENT):
        return None
    return _from(given, chat, at, kind="other", text=text)


def _content(given: str, said: Json, name: str, text: str, at: datetime) -> Inbound:
    part = said[name]
    kind = CONTENTS[name]
    media = _media(part[-1] if name == "photo" else part)
    if kind == "document" and media and media.type.startswith("audio/"):
        kind = "voice"  # a recording that was sent as a file
    place = said.get("location")
    point = (float(place["latitude"]), float(place["longitude"])) if place else None
    return _from(given, said["chat"], at, kind=kind, text=text, media=media, point=point)


def _media(part: Json) -> Media | None:
    ref, size, seconds = part.get("file_id"), part.get("file_size"), part.get("duration")
    if not ref:
        return None
    return Media(
        _string(ref),
        _string(part.get("mime_type")),
        None if size is None else _number(size),
        _number(seconds) if seconds else None,
    )


def _words(said: Json) -> str:
    return _string(said["text"] if said.get("text") is not None else said.get("caption"))


def _string(value: object) -> str:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{value!r:.40} stands where words should")
    return value or ""


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{value!r:.40} stands where a number should")
    return value


# --- out


class Telegram:
    """One bot. Everything runs in one event loop: its connections belong to it."""

    name = "telegram"

    def __init__(
        self,
        token: str,
        media: Store,
        api: str = API,
        request: Request | None = None,
    ) -> None:
        """`media` holds the pictures and recordings that messages name."""
        base = api.rstrip("/")
        self._request = request or Request(Pool())
        self._bot = Bot(
            token,
            base_url=f"{base}/bot",
            base_file_url=f"{base}/file/bot",
            request=self._request,
            get_updates_request=self._request,
        )
        self._send_message = f"{self._bot.base_url}/sendMessage"
        self._media = media
        self._uploaded: dict[str, str] = {}  # file -> Telegram's id of it

    async def send(self, address: str, message: Message) -> str:
        """Settle the button press and say the message, at once; the id of the message."""
        if not message.callback:
            return await self._say(address, message)
        if not message.text:
            await self._settle(message.callback)
            return ""
        settling = asyncio.create_task(self._settle(message.callback))
        try:
            return await self._say(address, message)
        finally:
            with suppress(SendError):  # the words matter; a spinning button stops by itself
                await settling

    async def _settle(self, callback: str) -> None:
        """Stop the button's spinner. Telegram refuses when the press is old: then it stopped."""
        with suppress(Refused), explained():
            await self._bot.answer_callback_query(callback)

    async def _say(self, address: str, message: Message) -> str:
        text, rows = _shaped(message)
        parts = shape.split(text, LONGEST_TEXT)
        if message.edits and len(parts) == 1 and await self._edit(address, message, text, rows):
            return message.edits
        await self._show(address, message)
        for part in parts[:-1]:
            await self._text(address, part)
        sent = await self._text(address, parts[-1], _markup(rows)) if parts else ""
        if message.point:
            await self._point(address, message.point)
        return sent

    async def _text(self, address: str, text: str, markup: str = "") -> str:
        """Send words. Of the answer only the id is read: a Message costs a third of a send."""
        fields = {"chat_id": address, "text": text, "link_preview_options": NO_PREVIEW_JSON}
        if markup:
            fields["reply_markup"] = markup
        with explained():
            said = await self._request.say(self._send_message, fields)
            return str(said["message_id"])

    async def _edit(self, address: str, message: Message, text: str, rows: Rows) -> bool:
        """False if that message cannot be edited any more: then it is said anew."""
        if not message.edits.isdecimal():
            return False
        try:
            with explained():
                await self._bot.edit_message_text(
                    text,
                    address,
                    int(message.edits),
                    reply_markup=_keyboard(rows),
                    link_preview_options=NO_PREVIEW,
                )
        except Uncertain as error:  # the same edit twice is the same as once
            raise TryLater(error.reason, error.code) from None
        except Gone:
            raise
        except Refused as refused:
            return "not modified" in refused.reason.lower()
        return True

    async def _show(self, address: str, message: Message) -> None:
        """Send what is seen and heard before the words; under each choice's, which one it is."""
        if message.image:
            await self._attach(address, message.image, self._bot.send_photo)
        if message.audio:
            await self._attach(address, message.audio, self._playing(message.audio))
        for each in message.shown:
            label = shape.shorten(shape.sendable(each.label), LONGEST_CAPTION)
            if each.image:
                await self._attach(address, each.image, self._bot.send_photo, label)
            if each.audio:
                await self._attach(address, each.audio, self._playing(each.audio), label)

    def _playing(self, audio: str) -> Callable[..., Awaitable[Said]]:
        voice = audio.endswith((".ogg", ".oga", ".opus"))
        return self._bot.send_voice if voice else self._bot.send_audio

    async def _attach(
        self, address: str, name: str, send: Callable[..., Awaitable[Said]], label: str = ""
    ) -> None:
        """Send a picture or a recording. If it cannot be sent, the words still can."""
        try:
            source = await self._source(name)
            with explained():
                said = await send(address, source, caption=label or None)
            part = said.voice or said.audio or (said.photo[-1] if said.photo else None)
            if part is not None:
                self._uploaded[name] = part.file_id
        except Gone:
            raise
        except (Refused, Uncertain) as error:
            log.warning("a file was not sent", file=name, reason=error.reason)

    async def _source(self, name: str) -> str | bytes:
        """Telegram's id of it, its URL, or its bytes: Telegram keeps what was sent once."""
        if name.startswith(("https://", "http://")):
            return name
        if known := self._uploaded.get(name):
            return known
        try:
            return await asyncio.to_thread(self._media.read, name)
        except OSError as error:
            raise Refused(f"the file is not in the media store: {error}") from None

    async def _point(self, address: str, point: tuple[float, float]) -> None:
        """Send a place. The words are out already: without the pin they hold all the same."""
        try:
            with explained():
                await self._bot.send_location(address, *point)
        except SendError as error:
            log.warning("the pin after a message was not sent", reason=error.reason)

    async def fetch(self, media: Media) -> File:
        """Bring a voice note or recording, of at most 20 MB."""
        if media.size is not None and media.size > LARGEST_FILE:
            raise Refused(f"the file is larger than {LARGEST_FILE:,} bytes")
        try:
            with explained():
                found = await self._bot.get_file(media.ref)
        except Uncertain as error:  # asking twice does no harm
            raise TryLater(error.reason, error.code) from None
        content = await self._download(found.file_path or "")
        kind = shape.file_type(content, media.type)
        if kind is None:
            raise Refused("the file is no audio")
        return File(content, kind)

    async def _download(self, url: str) -> bytes:
        try:
            with explained():
                return await self._request.retrieve(url)
        except Uncertain as error:
            raise TryLater(error.reason, error.code) from None
        except Broken as error:  # 404: the token was good a moment ago, so it is the file
            raise Refused("the file is not there any more", error.code) from None

    async def close(self) -> None:
        await self._request.shutdown()

    # --- setting up

    async def username(self) -> str:
        """The bot's name in t.me links, without the @."""
        with explained():
            return (await self._bot.get_me()).username or ""

    async def set_webhook(self, url: str, secret: str, connections: int = 40) -> None:
        """Have updates brought to this URL, the secret in the header, `connections` at once."""
        with explained():
            await self._bot.set_webhook(
                url, secret_token=secret, allowed_updates=WANTED, max_connections=connections
            )

    async def introduce(
        self, commands: Sequence[tuple[str, str]], description: str, short: str
    ) -> None:
        """What people see before they write: the menu of commands, and what the bot is for."""
        with explained():
            await self._bot.set_my_commands(commands)
            await self._bot.set_my_description(description)
            await self._bot.set_my_short_description(short)

    async def updates(
        self, offset: int = 0, *, take_over: bool = False
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Updates as they come, without a public address. One that was handed out and followed
        by another request is done with: stop in between, and the last ones come again.

        A webhook is removed only with `take_over`; else Broken says that there is one.
        """
        if take_over:
            with explained():
                await self._bot.delete_webhook()
        while True:
            for update in await self._poll(offset):
                yield update
                offset = update["update_id"] + 1

    async def _poll(self, offset: int) -> list[dict[str, Any]]:
        """One long poll, read as plain JSON: one update that cannot be parsed holds up no other."""
        fields = {"offset": offset, "timeout": int(PATIENCE.total_seconds())}
        query = urlencode({**fields, "allowed_updates": json.dumps(WANTED)})
        try:
            with explained():
                found: Any = await self._request.post(
                    f"{self._bot.base_url}/getUpdates?{query}",
                    read_timeout=PATIENCE.total_seconds() + 10,
                )
                return list(found)
        except (TryLater, Uncertain) as error:
            log.warning("no updates from Telegram for now", reason=error.reason)
            wait = (error.wait if isinstance(error, TryLater) else None) or AGAIN
            await asyncio.sleep(wait.total_seconds())
            return []


def deep_link(username: str, code: str) -> str:
    """The t.me link whose `code` comes back as Inbound.code: at most 64 of A-Z a-z 0-9 _ -."""
    return create_deep_linked_url(username, code)


# --- the shape of a message

NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
NO_PREVIEW_JSON = NO_PREVIEW.to_json()
Rows = tuple[tuple[tuple[str, str], ...], ...]  # of buttons: label and payload
MARKS = {True: "☑ ", False: "☐ "}


@lru_cache(maxsize=64)  # what is sent to many is shaped once
def _shaped(message: Message) -> tuple[str, Rows]:
    """The text and its buttons; labels too wide for a button stand whole, numbered, in the text."""
    text, choices = shape.sendable(message.text), message.choices
    if not choices:
        return text, ()
    labels = [_label(message, choice) for choice in choices]
    if any(shape.units(label) > WIDEST_BUTTON for label in labels) or len(labels) > MOST_BUTTONS:
        listed = choices[:-1] if message.several else choices
        text = shape.under(text, [shape.sendable(choice.label) for choice in listed])
        labels = [
            _label(message, choice, number if number <= len(listed) else 0)
            for number, choice in enumerate(choices, 1)
        ]
    return text, _rows(choices, labels, alone=message.several)


def look(message: Message) -> shape.Look:
    """How a message will look: its text, and its rows of buttons."""
    text, rows = _shaped(message)
    return shape.Look(text, tuple(tuple(label for label, _ in row) for row in rows))


@lru_cache(maxsize=64)  # what is sent to many
def _markup(rows: Rows) -> str:
    """The buttons as they travel; empty if there are none."""
    if not rows:
        return ""
    keys = [[{"text": label, "callback_data": payload} for label, payload in row] for row in rows]
    return json.dumps({"inline_keyboard": keys}, separators=(",", ":"))


def _keyboard(rows: Rows) -> InlineKeyboardMarkup | None:
    """The buttons as python-telegram-bot has them."""
    if not rows:
        return None
    made = [
        [InlineKeyboardButton(label, callback_data=payload) for label, payload in row]
        for row in rows
    ]
    return InlineKeyboardMarkup(made)


def _label(message: Message, choice: Choice, number: int = 0) -> str:
    """What stands on a button; with a number it is cut to fit."""
    marked = message.several and choice is not message.choices[-1]
    mark = MARKS[choice.payload in message.chosen] if marked else ""
    words = shape.sendable(choice.label)
    return mark + (shape.shorten(f"{number}. {words}", WIDEST_BUTTON - 2) if number else words)


def _rows(choices: Sequence[Choice], labels: Sequence[str], *, alone: bool) -> Rows:
    """Rows of one, two or three buttons, evenly filled; with `alone` the last has its own row."""
    buttons = [(label, choice.payload) for choice, label in zip(choices, labels, strict=True)]
    last = [buttons.pop()] if alone else []
    del buttons[MOST_BUTTONS - len(last) :]  # the rest are answered by their numbers
    longest = max(shape.units(label) for label in labels)
    across = 3 if longest <= TRIPLES else 2 if longest <= PAIRS else 1
    lines = -(-len(buttons) // across) or 1
    across = -(-len(buttons) // lines) or 1
    starts = range(0, len(buttons), across)
    rows = tuple(tuple(buttons[start : start + across]) for start in starts)
    return (*rows, tuple(last)) if last else rows
