"""Holds requests against what the providers document, and answers too.

Two sources: a short table of our own (telegram.constants, Twilio's documentation),
which always applies, and the providers' machine-readable descriptions, which apply
where a folder `../shared/data/schemas` stands beside the repository.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match
from jsonschema.validators import extend
from telegram.constants import (
    BotCommandLimit,
    BotDescriptionLimit,
    CallbackQueryLimit,
    InlineKeyboardButtonLimit,
    InlineKeyboardMarkupLimit,
    MessageLimit,
)

from .server import Call

Schema = dict[str, Any]

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "schemas"

BODY = 1600  # characters of a Twilio message (21617)
CONTENT_BODY = 1024  # characters of a content's body (docs/content/twilio-quick-reply)
CHOICE_ID = 200
BUTTON_TITLE = 20
BUTTONS, BUTTONS_IN_SESSION = 10, 3  # with and without approval as a template
ITEMS, ITEM_TITLE, ITEM_DESCRIPTION = 10, 24, 72  # docs/content/twiliolist-picker


def check(call: Call) -> list[str]:
    """What is wrong with a request; nothing if it is as the provider documents it."""
    if call.operation[:1].isupper():
        return [*_own_twilio(call), *_described_twilio(call)]
    return [*_own_telegram(call), *_described_telegram(call)]


def described() -> bool:
    """Whether the providers' own descriptions are at hand."""
    return (FOLDER / "telegram_bot_api.json").exists()


# --- our own table, Telegram

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "sendMessage": ("chat_id", "text"),
    "editMessageText": ("chat_id", "message_id", "text"),
    "editMessageReplyMarkup": ("chat_id", "message_id"),
    "deleteMessage": ("chat_id", "message_id"),
    "answerCallbackQuery": ("callback_query_id",),
    "sendVoice": ("chat_id", "voice"),
    "sendAudio": ("chat_id", "audio"),
    "sendPhoto": ("chat_id", "photo"),
    "sendDocument": ("chat_id", "document"),
    "sendLocation": ("chat_id", "latitude", "longitude"),
    "sendVenue": ("chat_id", "latitude", "longitude", "title", "address"),
    "sendChatAction": ("chat_id", "action"),
    "setMyCommands": ("commands",),
    "setWebhook": ("url",),
    "getFile": ("file_id",),
}
NUMBERS = {"chat_id": (int, str), "message_id": (int,), "latitude": (int, float)}
LONGEST: Mapping[str, int] = {
    "text": MessageLimit.MAX_TEXT_LENGTH,
    "caption": MessageLimit.CAPTION_LENGTH,
    "description": BotDescriptionLimit.MAX_DESCRIPTION_LENGTH,
    "short_description": BotDescriptionLimit.MAX_SHORT_DESCRIPTION_LENGTH,
}


def _own_telegram(call: Call) -> Iterator[str]:
    fields = _measured(call)
    for name in REQUIRED.get(call.operation, ()):
        if name not in fields and name not in call.files:
            yield f"{name} is missing"
    for name, kinds in NUMBERS.items():
        if name in fields and not isinstance(fields[name], kinds):
            yield f"{name} is not a number: {fields[name]!r}"
    for name, longest in LONGEST.items():
        if call.operation == "answerCallbackQuery":
            longest = CallbackQueryLimit.ANSWER_CALLBACK_QUERY_TEXT_LENGTH
        if name in fields and len(fields[name]) > longest:
            yield f"{name} has {len(fields[name])} characters, {longest} are allowed"
    yield from _own_keyboard(fields.get("reply_markup"))
    yield from _own_commands(fields.get("commands", ()))


def _measured(call: Call) -> dict[str, Any]:
    """The fields, with texts as they count: after the markup is taken out."""
    fields = dict(call.fields)
    if fields.get("parse_mode") == "HTML":
        for name in ("text", "caption"):
            if name in fields:
                fields[name] = html.unescape(re.sub(r"<[^>]+>", "", fields[name]))
    return fields


def _own_keyboard(markup: Any) -> Iterator[str]:
    if not isinstance(markup, dict) or "inline_keyboard" not in markup:
        return
    rows = markup["inline_keyboard"]
    if sum(map(len, rows)) > InlineKeyboardMarkupLimit.TOTAL_BUTTON_NUMBER:
        yield "reply_markup has more than 100 buttons"
    for row in rows:
        if len(row) > InlineKeyboardMarkupLimit.BUTTONS_PER_ROW:
            yield f"reply_markup has a row of {len(row)} buttons, 8 are shown"
        for button in row:
            yield from _own_button(button)


def _own_button(button: Mapping[str, Any]) -> Iterator[str]:
    text = button.get("text")
    if not text:
        yield "a button has no text"
    if len(button.keys() - {"text", "style", "icon_custom_emoji_id"}) != 1:
        yield f"the button {text!r} must do exactly one thing"
    size = len(str(button.get("callback_data", "?")).encode())
    if not 1 <= size <= InlineKeyboardButtonLimit.MAX_CALLBACK_DATA:
        yield f"the button {text!r} carries {size} bytes, 1-64 are allowed"


def _own_commands(commands: Sequence[Mapping[str, str]]) -> Iterator[str]:
    if len(commands) > BotCommandLimit.MAX_COMMAND_NUMBER:
        yield f"{len(commands)} commands, 100 are allowed"
    for one in commands:
        name = one.get("command", "")
        if not re.fullmatch("[a-z0-9_]{1,32}", name):
            yield f"the command {name!r} is not 1-32 of a-z, 0-9 and _"
        if not 1 <= len(one.get("description", "")) <= BotCommandLimit.MAX_DESCRIPTION:
            yield f"the command {name!r} is described in more than 256 characters"


# --- our own table, Twilio


class Choice(Protocol):
    """A button or a list item as the person would see it."""

    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def description(self) -> str: ...


def _own_twilio(call: Call) -> Iterator[str]:
    fields = call.fields
    if call.operation == "CreateMessage":
        yield from _own_callback(fields.get("StatusCallback"))
    if call.operation == "ListMessage":
        for name in ("DateSent", "DateSent<", "DateSent>"):
            if name in fields and not _is_time(fields[name]):
                yield f"{name} is not a date: {fields[name]!r}"
    if call.operation == "CreateContent":
        yield from _own_content(fields)


def _own_callback(url: str | None) -> Iterator[str]:
    if url is None:
        return
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "_" in parts.hostname:
        yield f"StatusCallback is not a URL with a valid host: {url!r}"


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _own_content(fields: Mapping[str, Any]) -> Iterator[str]:
    if not fields.get("language"):
        yield "language is missing"
    if not fields.get("types"):
        yield "types is empty"
    for kind, what in (fields.get("types") or {}).items():
        yield from _own_type(kind, what)


def _own_type(kind: str, what: Mapping[str, Any]) -> Iterator[str]:
    """The limits that hold whatever the variables will bring."""
    body = what.get("body", "")
    if kind in ("twilio/quick-reply", "twilio/list-picker"):
        yield from _long("the body", body, CONTENT_BODY)
    if kind == "twilio/quick-reply":
        yield from _count("buttons", what.get("actions", ()), BUTTONS)
        for one in what.get("actions", ()):
            yield from _long("a button", one.get("title", ""), BUTTON_TITLE)
            yield from _long("a button's id", one.get("id", "?"), CHOICE_ID)
    if kind == "twilio/list-picker":
        yield from _count("items", what.get("items", ()), ITEMS)
        yield from _long("the list's button", what.get("button", ""), BUTTON_TITLE)
        for one in what.get("items", ()):
            yield from _long("an item", one.get("item", ""), ITEM_TITLE)
            yield from _long("an item's id", one.get("id", ""), CHOICE_ID)
            yield from _long("a description", one.get("description", "?"), ITEM_DESCRIPTION)


def _long(what: str, text: str, longest: int) -> Iterator[str]:
    if not text:
        yield f"{what} is empty"
    if "{{" not in text and len(text) > longest:
        yield f"{what} has {len(text)} characters, {longest} are allowed: {text[:60]!r}"


def _count(what: str, given: Sequence[object], most: int) -> Iterator[str]:
    if not 1 <= len(given) <= most:
        yield f"{len(given)} {what}, 1-{most} are allowed"


def shown(kind: str, text: str, choices: Sequence[Choice], *, approved: bool) -> list[str]:
    """The faults of a content with its variables filled in, as WhatsApp would see it."""
    faults = [*_long("the body", text, CONTENT_BODY)] if choices else []
    if kind == "twilio/quick-reply":
        faults += _count("buttons", choices, BUTTONS if approved else BUTTONS_IN_SESSION)
        faults += _unique("button titles", [choice.title for choice in choices])
    titles = BUTTON_TITLE if kind == "twilio/quick-reply" else ITEM_TITLE
    for choice in choices:
        faults += _long("a title", choice.title, titles)
        faults += _long("an id", choice.id, CHOICE_ID)
        faults += _long("a description", choice.description or "?", ITEM_DESCRIPTION)
    faults += _unique("ids", [choice.id for choice in choices])
    return faults


def _unique(what: str, values: Sequence[str]) -> Iterator[str]:
    if len(set(values)) != len(values):
        yield f"{what} are not unique: {', '.join(values)}"


# --- the providers' descriptions


def _few_bytes(_: object, most: int, text: object, __: object) -> Iterator[ValidationError]:
    if isinstance(text, str) and len(text.encode()) > most:
        yield ValidationError(f"{text!r} has more than {most} bytes")


Validator: Any = extend(Draft202012Validator, {"maxBytes": _few_bytes})


def _faults(validator: Any, value: object) -> list[str]:
    """Every fault, where it is and what it is; of alternatives, the one that nearly fits."""
    found = []
    for error in validator.iter_errors(value):
        best = best_match([error]) or error
        where = ".".join(str(step) for step in best.absolute_path)
        found.append(f"{where}: {best.message[:200]}" if where else best.message[:200])
    return found


# Telegram


def _described_telegram(call: Call) -> list[str]:
    if not described():
        return []
    validator = _telegram_method(call.operation)
    if validator is None:
        return [f"there is no method {call.operation}"]
    fields = _measured(call)
    attached = {str(value).removeprefix("attach://") for value in fields.values()}
    files = {name: "a file" for name in call.files if name not in attached}
    return _faults(validator, {**fields, **files})


def telegram_type(name: str, value: object) -> list[str]:
    """The faults of something Telegram sends, such as an Update or a Message."""
    defs = {"$defs": _telegram_types(), "$ref": f"#/$defs/{name}"}
    return _faults(Validator(defs), value)


@cache
def _telegram() -> Schema:
    return dict(json.loads((FOLDER / "telegram_bot_api.json").read_text()))


@cache
def _telegram_types() -> Schema:
    return {name: _object(made) for name, made in _telegram()["types"].items()}


@cache
def _telegram_method(name: str) -> Any:
    method = _telegram()["methods"].get(name)
    return method and Validator({"$defs": _telegram_types(), **_object(method)})


def _object(made: Schema) -> Schema:
    if made["name"] == "InputFile":
        return {"type": "string"}
    if subtypes := made.get("subtypes"):
        return {"anyOf": [_kind(name) for name in subtypes]}
    fields = made.get("fields", ())
    return {
        "type": "object",
        "properties": {one["name"]: _property(one) for one in fields},
        "required": [one["name"] for one in fields if one["required"]],
        "additionalProperties": False,
    }


def _kind(name: str) -> Schema:
    plain = {"Integer": "integer", "Float": "number", "Boolean": "boolean", "String": "string"}
    if name in plain:
        return {"type": plain[name]}
    if name.startswith("Array of "):
        return {"type": "array", "items": _kind(name.removeprefix("Array of "))}
    return {"$ref": f"#/$defs/{name}"}


def _property(made: Schema) -> Schema:
    kinds = [_kind(name) for name in made["types"]]
    schema = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    return {**schema, **_limits(made["description"], made["types"])}


Limit = Callable[[re.Match[str]], Schema]
STATED: Sequence[tuple[str, str, Limit]] = (  # field type, words of the description, limit
    (
        "String",
        r"(\d+)-(\d+) characters",
        lambda m: {"minLength": int(m[1]), "maxLength": int(m[2])},
    ),
    ("String", r"(\d+)-(\d+) bytes", lambda m: {"minLength": int(m[1]), "maxBytes": int(m[2])}),
    ("String", r"(?:must be|always) [“\"]?(\w+)[”\"]?$", lambda m: {"const": m[1]}),
    ("String", r"two-letter ISO 639-1", lambda m: {"pattern": "^([a-z]{2})?$"}),
    ("String", r"only lowercase English letters, digits", lambda m: {"pattern": "^[a-z0-9_]+$"}),
    ("String", r"characters A-Z, a-z, 0-9, _ and - are", lambda m: {"pattern": "^[A-Za-z0-9_-]+$"}),
    ("Array", r"At most (\d+) \w+ can be specified", lambda m: {"maxItems": int(m[1])}),
    (
        "Integer",
        r"(?:^|[\s,;])(\d+)-(\d+)(?= are accepted|[.;,]|$)",
        lambda m: {"minimum": int(m[1]), "maximum": int(m[2])},
    ),
)


def _limits(description: str, types: Iterable[str]) -> Schema:
    limits: Schema = {}
    for kind, words, limit in STATED:
        found = re.search(words, description)
        if found and any(name.startswith(kind) for name in types):
            limits |= limit(found)
    return limits


# Twilio


def _described_twilio(call: Call) -> list[str]:
    found = _twilio_operations().get(call.operation) if described() else None
    if found is None:
        return []
    validator, properties = found
    typed = {name: _typed(properties.get(name, {}), value) for name, value in call.fields.items()}
    return _faults(validator, typed)


def twilio_type(name: str, value: object) -> list[str]:
    """The faults of something Twilio answers, by the name of the component."""
    for document in _twilio_documents():
        if name in document["components"]["schemas"]:
            components = {"components": document["components"]}
            return _faults(Validator({**components, "$ref": f"#/components/schemas/{name}"}), value)
    raise KeyError(name)


@cache
def _twilio_documents() -> list[Schema]:
    names = ("twilio_messages_openapi.json", "twilio_content_openapi.json")
    return [_nullable(json.loads((FOLDER / name).read_text())) for name in names]


def _nullable(node: Any) -> Any:
    """OpenAPI 3.0's `nullable`, which JSON Schema does not know, as a second type."""
    if isinstance(node, list):
        return [_nullable(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {name: _nullable(value) for name, value in node.items()}
    return {"anyOf": [made, {"type": "null"}]} if made.pop("nullable", False) else made


@cache
def _twilio_operations() -> dict[str, tuple[Any, Schema]]:
    """By operation: what validates its path, query and body, taken as one flat object."""
    found = {}
    for document in _twilio_documents():
        for path in document["paths"].values():
            for one in path.values():
                if isinstance(one, dict) and "operationId" in one:
                    found[one["operationId"]] = _operation(one, document)
    return found


def _operation(one: Schema, document: Schema) -> tuple[Any, Schema]:
    parameters = one.get("parameters", ())
    properties = {made["name"]: made["schema"] for made in parameters}
    required = [made["name"] for made in parameters if made.get("required")]
    for media in one.get("requestBody", {}).get("content", {}).values():
        body = _resolved(media["schema"], document)
        properties |= body["properties"]
        required += body.get("required", ())
    schema = {
        "components": document["components"],
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return Validator(schema), properties


def _resolved(schema: Schema, document: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    return dict(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])


def _typed(schema: Schema, value: Any) -> Any:
    """A form field's text as the number or truth value that the description asks for."""
    if schema.get("type") in ("integer", "number", "boolean") and isinstance(value, str):
        try:
            return json.loads(value.lower())
        except ValueError:
            return value
    return value
