"""Telegram's Bot API on loopback: keeps the chats as people see them, and fails when told to."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from . import samples, schemas, server
from .ledger import Ledger
from .server import Answer, Call, Request
from .telegram_messages import (
    Button,
    Failure,
    RefusedError,
    Seen,
    bad_request,
    chat_not_found,
    chat_of,
    keyboard,
    message,
    refuse,
    seen_from,
    words,
)
from .telegram_people import BOT, Person, Update, next_id, pressed

__all__ = ["Button", "Failure", "Seen", "Telegram", "bad_request", "chat_not_found"]

TOKEN = "7000001:AAtestTESTtestTESTtestTESTtestTESTte"
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
LARGEST_DOWNLOAD = 20_000_000  # bytes; a bot cannot fetch more (Bot API, getFile)
LARGEST_PHOTO = 10_000_000  # bytes (Bot API, Sending files)

SENDING = {
    "sendMessage": "text",
    "sendVoice": "voice",
    "sendAudio": "audio",
    "sendPhoto": "photo",
    "sendDocument": "document",
    "sendLocation": "location",
    "sendVenue": "venue",
}
REPORTED_UNASKED = {"chat_member", "message_reaction", "message_reaction_count"}  # never these

# Fields that travel as JSON inside the form; all others are plain text.
AS_JSON = {
    "allowed_updates",
    "cache_time",
    "caption_entities",
    "chat_id",
    "commands",
    "disable_notification",
    "drop_pending_updates",
    "duration",
    "entities",
    "horizontal_accuracy",
    "latitude",
    "limit",
    "link_preview_options",
    "longitude",
    "max_connections",
    "message_id",
    "message_thread_id",
    "offset",
    "protect_content",
    "reply_markup",
    "reply_parameters",
    "scope",
    "show_alert",
    "timeout",
}


def too_many(retry_after: int = 1) -> Failure:
    words = f"Too Many Requests: retry after {retry_after}"
    return Failure(429, words, {"retry_after": retry_after})


def blocked() -> Failure:
    return Failure(403, "Forbidden: bot was blocked by the user")


def deactivated() -> Failure:
    return Failure(403, "Forbidden: user is deactivated")


def migrated(to: int = -1001112223334) -> Failure:
    words = "Bad Request: group chat was upgraded to a supergroup chat"
    return Failure(400, words, {"migrate_to_chat_id": to})


def unauthorized() -> Failure:
    return Failure(401, "Unauthorized")


def conflict() -> Failure:
    words = (
        "terminated by other getUpdates request; make sure that only one bot instance is running"
    )
    return Failure(409, f"Conflict: {words}")


def broken(status: int = 500, *, taken: bool = False) -> Failure:
    return Failure(status, HTTPStatus(status).phrase, taken=taken)


def silence(*, taken: bool = True) -> Failure:
    """No answer, ever: the caller runs into its own time limit."""
    return Failure(line="silent", taken=taken)


def dropped(*, taken: bool) -> Failure:
    """The connection is closed without an answer, before or after the message was taken in."""
    return Failure(line="dropped", taken=taken)


def half() -> Failure:
    """A whole HTTP answer whose JSON ends in the middle; the message was taken in."""
    return Failure(line="half", taken=True)


def cut() -> Failure:
    """The connection ends in the middle of the answer; the message was taken in."""
    return Failure(line="cut", taken=True)


class Telegram:
    """The Bot API for one bot. A context manager; `close()` waits for all its threads.

    PTB reaches it as Bot(emulator.token, base_url=emulator.base_url,
    base_file_url=emulator.base_file_url). Everything may be called from any thread.
    """

    def __init__(
        self,
        token: str = TOKEN,
        clock: server.Clock = server.real_time,
        latency: timedelta = timedelta(0),
        *,
        strict: bool = True,
    ):
        """With `strict`, requests against the provider's description are refused with 400."""
        self.token = token
        self.clock = clock
        self.strict = strict
        self._ledger = Ledger[Failure]()
        self.calls, self.faults = self._ledger.calls, self._ledger.faults
        self.files: dict[str, bytes] = {}
        self.answered: dict[str, str] = {}  # callback query id -> what was shown
        self.settings: dict[tuple[str, str], Any] = {}  # by method and language, as set
        self.allowed_updates: list[str] = []
        self.webhook: dict[str, Any] = {}
        self._seen: dict[int, dict[int, Seen]] = {}
        self._asked: list[str] = []  # callback queries, as they came
        self._updates: list[Update] = []
        self.polls = 0  # how often getUpdates was asked
        self._change = self._ledger.change
        self._http = server.Loopback(self._handle, latency)
        self.url = self._http.url
        self.base_url = f"{self.url}/bot"
        self.base_file_url = f"{self.url}/file/bot"

    def close(self) -> None:
        self._http.closing.set()
        with self._change:
            self._change.notify_all()
        self._http.close()

    def __enter__(self) -> Telegram:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def latency(self) -> timedelta:
        return self._http.latency

    @latency.setter
    def latency(self, to: timedelta) -> None:
        self._http.latency = to

    # --- what happened

    def history(self, chat: Person | int) -> list[Seen]:
        """The chat as it stands: deleted messages are gone, edited ones show their new words."""
        with self._change:
            return [self._seen.get(_id(chat), {})[n] for n in sorted(self._seen.get(_id(chat), {}))]

    def texts(self, chat: Person | int) -> list[str]:
        """What the bot said in this chat."""
        return [seen.text for seen in self.history(chat) if seen.sender == "bot"]

    def last(self, chat: Person | int) -> Seen:
        """The bot's last message in this chat."""
        return [seen for seen in self.history(chat) if seen.sender == "bot"][-1]

    def called(self, method: str, chat: Person | int | None = None) -> list[Call]:
        with self._change:
            return [call for call in self.calls if _matches(call, method, chat)]

    def unanswered(self) -> list[str]:
        """Callback queries that were delivered and not answered: these spin for ever."""
        with self._change:
            return [query for query in self._asked if query not in self.answered]

    def wait(self, until: Callable[[], object], timeout: float = 5.0) -> None:
        """Wait until something is so; it is looked at again after every call."""
        self._ledger.wait(until, timeout)

    # --- what shall go wrong

    def fail(
        self,
        how: Failure,
        method: str | None = None,
        chat: Person | int | None = None,
        times: int | None = 1,
    ) -> None:
        """The next `times` matching calls fail so; None is for ever, or until heal()."""
        self._ledger.fail(how, lambda call: _matches(call, method, chat), times)

    def heal(self) -> None:
        self._ledger.heal()

    def fail_by(self, chance: Callable[[Call], Failure | None]) -> None:
        """Ask this of every call that no rule is for."""
        self._ledger.chance = chance

    # --- what people do

    def press(self, person: Person, nth: int = 0, message: Seen | None = None) -> Update:
        """A press of the nth button of `message`, or of the last keyboard in the chat."""
        under = message or self._last_keyboard(person)
        button = under.buttons[nth]
        if button.data is None:
            raise ValueError(f"the button {button.text!r} carries no data")
        return pressed(person, button.data, under.id, under.text, self.clock())

    def _last_keyboard(self, person: Person) -> Seen:
        return [seen for seen in self.history(person) if seen.keyboard][-1]

    def deliver(self, update: Update, hook: str, secret: str | None = None) -> Answer:
        """POST one update to a webhook, as Telegram does; it can be delivered again."""
        self.saw(update)
        headers = {"Content-Type": "application/json"}
        if secret is not None:
            headers[SECRET_HEADER] = secret
        return server.post(hook, json.dumps(update).encode(), headers, timeout=60)

    def queue(self, *updates: Update) -> None:
        """Keep updates for getUpdates, as Telegram does for a bot without a webhook."""
        with self._change:
            for update in updates:
                self.saw(update)
                if self._wanted(update):
                    self._updates.append(update)
            self._change.notify_all()

    def saw(self, update: Update) -> None:
        """Put what a person did into the history (deliver and queue do so themselves)."""
        with self._change:
            if query := update.get("callback_query"):
                self._asked.append(query["id"])
            if said := update.get("message") or update.get("edited_message"):
                self._heard(seen_from(said, self.clock()))

    def _heard(self, seen: Seen) -> None:
        old = self._seen.get(seen.chat, {}).get(seen.id)
        self._put(replace(seen, edits=(*old.edits, old.text)) if old else seen)

    def _wanted(self, update: Update) -> bool:
        kind = next(name for name in update if name != "update_id")
        if self.allowed_updates:
            return kind in self.allowed_updates
        return kind not in REPORTED_UNASKED

    # --- the API

    def _handle(self, request: Request) -> Answer:
        if request.path.startswith("/file/bot"):
            return self._download(request)
        token, _, method = request.path.removeprefix("/bot").partition("/")
        try:
            fields, files = _fields(request)
        except UnicodeDecodeError:
            return _answer(bad_request("strings must be encoded in UTF-8"))
        call = Call(method, fields, files, self.clock(), arrived=request.arrived)
        call = replace(call, faults=tuple(schemas.check(call)) if self.strict else ())
        failure = unauthorized() if token != self.token else self._ledger.due(call)
        return self._perform(call, failure)

    def _perform(self, call: Call, failure: Failure | None) -> Answer:
        taken = failure is None or failure.taken
        try:
            if taken and call.faults:
                raise refuse("; ".join(call.faults))
            answer = _ok(self._do(call)) if taken else Answer()
        except RefusedError as refused:
            taken, failure = False, _as_told(refused.failure, failure)
        if failure is not None:
            answer = _answer(failure, answer if taken else None)
        status = answer.status if answer.line in ("whole", "half", "cut") else 0
        self._ledger.add(replace(call, status=status, taken=taken))
        return answer

    def _do(self, call: Call) -> Any:
        if call.operation == "getUpdates":
            return self._get_updates(call)
        with self._change:
            if kind := SENDING.get(call.operation):
                return self._send(kind, call)
            act = ACTS.get(call.operation)
            if act is None:
                raise RefusedError(Failure(404, "Not Found"))
            return act(self, call)

    def _send(self, kind: str, call: Call) -> dict[str, Any]:
        fields = call.fields
        chat = chat_of(fields["chat_id"])
        said = words(fields)
        if kind == "text" and not said.strip():
            raise refuse("message text is empty")
        file_id, content = self._content(kind, call)
        seen = Seen(
            id=next_id(),
            chat=chat["id"],
            sender="bot",
            kind=kind,
            text=said,
            at=call.at,
            keyboard=keyboard(fields.get("reply_markup")),
            file=content,
            fields=fields,
        )
        self._put(seen)
        return message(seen, file_id)

    def _content(self, kind: str, call: Call) -> tuple[str, bytes | None]:
        """The file that goes with a message: uploaded now, known by its id, or at an address."""
        if kind not in samples.BY_KIND:
            return "", None
        if kind in call.files:
            if kind == "photo":
                _check_photo(call.files[kind])
            file_id = f"{kind}-{next_id()}"
            self.files[file_id] = call.files[kind]
            return file_id, call.files[kind]
        given = call.fields.get(kind, "")
        if given.startswith(("http://", "https://")):
            return f"{kind}-{next_id()}", None
        if (content := self._file(given)) is None:
            raise refuse("wrong file identifier/HTTP URL specified")
        return given, content

    def _file(self, file_id: str) -> bytes | None:
        kind = file_id.partition("-")[0]
        return self.files.get(file_id, samples.BY_KIND.get(kind))

    def _put(self, seen: Seen) -> None:
        self._seen.setdefault(seen.chat, {})[seen.id] = seen

    def _found(self, call: Call, doing: str) -> Seen:
        chat = chat_of(call.fields["chat_id"])["id"]
        seen = self._seen.get(chat, {}).get(call.fields["message_id"])
        if seen is None or (doing == "edit" and seen.sender != "bot"):
            raise refuse(f"message to {doing} not found")
        return seen

    def _edit(self, call: Call) -> dict[str, Any]:
        old = self._found(call, "edit")
        said = words(call.fields) if call.operation == "editMessageText" else old.text
        under = keyboard(call.fields.get("reply_markup"))
        if (said, under) == (old.text, old.keyboard):
            raise refuse(
                "message is not modified: specified new message content and reply markup are "
                "exactly the same as a current content and reply markup of the message"
            )
        edits = (*old.edits, old.text) if said != old.text else old.edits
        new = replace(old, text=said, keyboard=under, edits=edits)
        self._put(new)
        return {**message(new), "edit_date": int(call.at.timestamp())}

    def _delete(self, call: Call) -> bool:
        seen = self._found(call, "delete")
        del self._seen[seen.chat][seen.id]
        return True

    def _answer_query(self, call: Call) -> bool:
        self.answered[call.fields["callback_query_id"]] = call.fields.get("text", "")
        return True

    def _set(self, call: Call) -> bool:
        """Commands and descriptions, under the method's name and the language."""
        self.settings[call.operation, call.fields.get("language_code", "")] = call.fields
        return True

    def _set_webhook(self, call: Call) -> bool:
        url = call.fields["url"]
        if url and not url.startswith("https://"):
            raise refuse("bad webhook: An HTTPS URL must be provided for webhook")
        self.webhook = dict(call.fields) if url else {}
        return self._allow(call)

    def _delete_webhook(self, call: Call) -> bool:
        self.webhook = {}
        return self._allow(call)

    def _allow(self, call: Call) -> bool:
        if "allowed_updates" in call.fields:
            self.allowed_updates = call.fields["allowed_updates"]
        if call.fields.get("drop_pending_updates"):
            self._updates.clear()
        return True

    def _webhook_info(self, call: Call) -> dict[str, Any]:
        return {
            "url": self.webhook.get("url", ""),
            "has_custom_certificate": False,
            "pending_update_count": len(self._updates),
            "max_connections": self.webhook.get("max_connections", 40),
        }

    def _get_file(self, call: Call) -> dict[str, Any]:
        file_id = call.fields["file_id"]
        content = self._file(file_id)
        if content is None:
            raise refuse("wrong file_id or the file is temporarily unavailable")
        if len(content) > LARGEST_DOWNLOAD:
            raise refuse("file is too big")
        path = f"files/{file_id}"
        sized = {"file_size": len(content), "file_path": path}
        return {"file_id": file_id, "file_unique_id": f"u{file_id}", **sized}

    def _download(self, request: Request) -> Answer:
        """Not a method, but it can fail like one: its name is "download"."""
        token, _, path = request.path.removeprefix("/file/bot").partition("/")
        call = Call("download", {"file_path": path}, {}, self.clock())
        failure = unauthorized() if token != self.token else self._ledger.due(call)
        content = self._file(path.removeprefix("files/"))
        if failure is None and content is None:
            failure = Failure(404, "Not Found")
        whole = Answer(body=content or b"", headers={"Content-Type": "application/octet-stream"})
        answer = whole if failure is None else _answer(failure, whole if failure.taken else None)
        self._ledger.add(replace(call, status=answer.status, taken=failure is None))
        return answer

    def _get_updates(self, call: Call) -> list[Update]:
        fields = call.fields
        with self._change:
            if self.webhook:
                why = "can't use getUpdates method while webhook is active"
                raise RefusedError(Failure(409, f"Conflict: {why}"))
            self._allow(call)
            self.polls += 1
            self._change.notify_all()
            self._confirm(fields.get("offset", 0))
            end = time.monotonic() + fields.get("timeout", 0)
            return self._await_updates(self.polls, fields.get("limit", 100), end)

    def _confirm(self, offset: int) -> None:
        """What is older than the offset is forgotten; a negative one counts from the end."""
        if offset < 0:
            self._updates = self._updates[offset:]
        else:
            self._updates = [one for one in self._updates if one["update_id"] >= offset]

    def _await_updates(self, poll: int, limit: int, end: float) -> list[Update]:
        def over() -> bool:
            return bool(self._updates) or self.polls != poll or self._http.closing.is_set()

        self._change.wait_for(over, max(0.0, end - time.monotonic()))
        if self.polls != poll:
            raise RefusedError(conflict())
        return self._updates[:limit]


ACTS: dict[str, Callable[[Telegram, Call], Any]] = {
    "getMe": lambda telegram, call: {
        **BOT,
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
    },
    "editMessageText": Telegram._edit,
    "editMessageReplyMarkup": Telegram._edit,
    "deleteMessage": Telegram._delete,
    "answerCallbackQuery": Telegram._answer_query,
    "sendChatAction": lambda telegram, call: True,
    "setMyCommands": Telegram._set,
    "setMyDescription": Telegram._set,
    "setMyShortDescription": Telegram._set,
    "setWebhook": Telegram._set_webhook,
    "deleteWebhook": Telegram._delete_webhook,
    "getWebhookInfo": Telegram._webhook_info,
    "getFile": Telegram._get_file,
}


def _check_photo(content: bytes) -> None:
    if not content.startswith((b"\xff\xd8\xff", b"\x89PNG", b"RIFF")):
        raise refuse("IMAGE_PROCESS_FAILED")
    if len(content) > LARGEST_PHOTO:
        raise RefusedError(Failure(413, "Request Entity Too Large"))


def _id(chat: Person | int) -> int:
    return chat.id if isinstance(chat, Person) else chat


def _matches(call: Call, method: str | None, chat: Person | int | None) -> bool:
    right = method is None or call.operation == method
    return right and (chat is None or call.fields.get("chat_id") == _id(chat))


def _fields(request: Request) -> tuple[dict[str, Any], dict[str, bytes]]:
    fields, files = server.form(request)
    fields = {**server.pairs(request.query), **fields}
    return {name: _decoded(name, values[0]) for name, values in fields.items()}, files


def _decoded(name: str, value: str) -> Any:
    if name not in AS_JSON:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value  # a @channel, or a mistake that the schema will name


def _ok(result: Any) -> Answer:
    body = json.dumps({"ok": True, "result": result}).encode()
    return Answer(body=body, headers={"Content-Type": "application/json"})


def _answer(failure: Failure, right: Answer | None = None) -> Answer:
    """The failing answer; `right` is what would have been said had the line held."""
    if right is not None and failure.status == 200:
        return replace(right, line=failure.line)
    words: dict[str, Any] = {"ok": False, "error_code": failure.status}
    words["description"] = failure.description
    if failure.parameters:
        words["parameters"] = dict(failure.parameters)
    headers = {"Content-Type": "application/json"}
    return Answer(failure.status, json.dumps(words).encode(), headers, failure.line)


def _as_told(refusal: Failure, told: Failure | None) -> Failure:
    """A refused call still loses its answer when the line was told to fail."""
    return refusal if told is None else replace(refusal, line=told.line)
