"""Twilio on loopback: messages, content and media for WhatsApp, and failures when told to."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal

from . import samples, schemas, server
from .ledger import Ledger
from .server import Answer, Call, Request
from .twilio_messages import (
    SAYINGS,
    Choice,
    Failure,
    RefusedError,
    Seen,
    asked_for,
    check_addresses,
    check_free,
    pages,
    rendered,
    variables,
)
from .twilio_people import (
    ACCOUNT,
    AUTH_TOKEN,
    SENDER,
    Form,
    Person,
    encoded,
    picked,
    sid,
    signed,
    status,
    tapped,
)

__all__ = ["Choice", "Failure", "Seen", "Twilio"]

WINDOW = timedelta(hours=24)  # for free words, from the person's last message (error 63016)
MEDIA = {
    "audio/ogg": samples.OGG,
    "image/jpeg": samples.JPEG,
    "image/webp": samples.WEBP,
    "application/pdf": samples.PDF,
    "video/mp4": samples.MP4,
    "text/vcard": samples.VCARD,
}


Fetch = Callable[[str], tuple[int, str, bytes]]  # status, content type, content
LARGEST = {"image": 5_000_000, "audio": 16_000_000}  # bytes (Guidance on WhatsApp Media Messages)
SENDABLE = ("image/jpeg", "image/png", "audio/ogg", "audio/amr", "audio/mpeg", "audio/aac")
SENDABLE += ("audio/3gpp", "audio/mp4")


def _fit(found: tuple[int, str, bytes]) -> bool:
    """Whether WhatsApp would take what was fetched."""
    status, kind, content = found
    largest = LARGEST.get(kind.partition("/")[0], 0)
    return status == 200 and kind in SENDABLE and len(content) <= largest


def too_many() -> Failure:
    return Failure(429, 20429)


def refused(code: int, status: int = 400) -> Failure:
    """Any Twilio error code, at once."""
    return Failure(status, code)


def unauthorized() -> Failure:
    return Failure(401, 20003)


def failed_later(code: int, state: Literal["failed", "undelivered"] = "undelivered") -> Failure:
    """Accepted now; the code comes by status callback."""
    return Failure(code=code, later=state, taken=True)


def broken(status: int = 500, *, taken: bool = False) -> Failure:
    return Failure(status, 20500, taken=taken)


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


@dataclass(frozen=True, slots=True)
class Callback:
    """A status callback that is ready to go; it may be sent late, twice or out of order."""

    url: str
    form: Form
    headers: Mapping[str, str]

    def send(self, to: str | None = None) -> Answer:
        """POST it to its own URL, or to `to` while it stays signed for its own."""
        return server.post(to or self.url, encoded(self.form), self.headers)


Window = Literal["open", "callback", "create"]


class Twilio:
    """One Twilio account with one WhatsApp sender. A context manager.

    A client reaches it by replacing scheme and host of every address with `url`:
    api.twilio.com and content.twilio.com are both played there.
    """

    def __init__(
        self,
        account: str = ACCOUNT,
        auth_token: str = AUTH_TOKEN,
        sender: str = SENDER,
        clock: server.Clock = server.real_time,
        latency: timedelta = timedelta(0),
        *,
        strict: bool = True,
        window: Window = "open",
        redirects: bool = False,
    ):
        """`window`: "open" never closes; outside 24 hours, "callback" fails a message later
        with 63016, as WhatsApp does, and "create" refuses it at once. With `redirects`,
        media stand on another host, which refuses credentials, as Twilio's does.
        """
        self.account, self.auth_token, self.sender = account, auth_token, sender
        self.clock = clock
        self.strict = strict
        self.window = window
        self.redirects = redirects
        self._ledger = Ledger[Failure]()
        self.calls, self.faults = self._ledger.calls, self._ledger.faults
        self.contents: dict[str, dict[str, Any]] = {}
        self.approved: set[str] = set()
        self.media: dict[str, tuple[str, bytes]] = {}  # media sid -> type, content
        self.heard: dict[str, datetime] = {}  # number -> its last message
        self.fetch: Fetch | None = None  # how an address of media is fetched; None: not at all
        self._seen: dict[str, Seen] = {}
        self._callbacks: list[Callback] = []
        self._change = self._ledger.change
        self._http = server.Loopback(self._handle, latency)
        self._store = server.Loopback(self._stored)
        self.url = self._http.url

    def close(self) -> None:
        self._http.close()
        self._store.close()

    def __enter__(self) -> Twilio:
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

    def history(self, who: Person | str) -> list[Seen]:
        """The chat with one number, both sides, in order."""
        with self._change:
            return [seen for seen in self._seen.values() if seen.number == _number(who)]

    def texts(self, who: Person | str) -> list[str]:
        """What the bot said to this number."""
        return [seen.text for seen in self.history(who) if seen.sender == "bot"]

    def last(self, who: Person | str) -> Seen:
        """The bot's last message to this number."""
        return [seen for seen in self.history(who) if seen.sender == "bot"][-1]

    def called(self, operation: str, who: Person | str | None = None) -> list[Call]:
        with self._change:
            return [call for call in self.calls if _matches(call, operation, who)]

    def wait(self, until: Callable[[], object], timeout: float = 5.0) -> None:
        """Wait until something is so; it is looked at again after every call."""
        self._ledger.wait(until, timeout)

    # --- what shall go wrong

    def fail(
        self,
        how: Failure,
        operation: str | None = None,
        number: Person | str | None = None,
        times: int | None = 1,
    ) -> None:
        """The next `times` matching calls fail so; None is for ever, or until heal()."""
        self._ledger.fail(how, lambda call: _matches(call, operation, number), times)

    def heal(self) -> None:
        self._ledger.heal()

    def fail_by(self, chance: Callable[[Call], Failure | None]) -> None:
        """Ask this of every call that no rule is for."""
        self._ledger.chance = chance

    # --- what people do

    def press(self, person: Person, nth: int = 0, message: Seen | None = None) -> Form:
        """A tap on the nth button or list item of `message`, or of the last one with any."""
        under = message or [seen for seen in self.history(person) if seen.choices][-1]
        choice = under.choices[nth]
        if under.shown == "list":
            return picked(person, choice.id, choice.title, under.sid)
        kind = "button" if under.template else "interactive"
        return tapped(person, choice.id, choice.title, under.sid, kind=kind)

    def deliver(self, form: Form, hook: str, public: str | None = None) -> Answer:
        """POST a person's message to the hook, signed for its public URL."""
        self.saw(form)
        headers = signed(public or hook, form, self.auth_token)
        return server.post(hook, encoded(form), headers)

    def saw(self, form: Form) -> None:
        """Take a person's message in: history, media, and the 24 hours (deliver does so)."""
        number = form["From"].removeprefix("whatsapp:")
        now = self.clock()
        with self._change:
            self.heard[number] = now
            media = tuple(form[f"MediaUrl{n}"] for n in range(int(form["NumMedia"])))
            for n, url in enumerate(media):
                kind = form[f"MediaContentType{n}"]
                self.media.setdefault(url.rpartition("/")[2], (kind, MEDIA.get(kind, b"?")))
            shown = "media" if media else "text"
            message = form["MessageSid"]
            self._seen[message] = Seen(
                message, number, "person", form["Body"], now, shown, (), media, "received"
            )

    def approve(self, content: str) -> None:
        """The content becomes an approved WhatsApp template."""
        self.approved.add(content)

    # --- what becomes of messages

    def callbacks(self, who: Person | str | None = None, *, read: bool = False) -> list[Callback]:
        """The status callbacks now due, in order: sent, delivered (and read), or the failure.

        The messages move to their last state; each message is reported once.
        """
        with self._change:
            due = [
                seen
                for seen in self._seen.values()
                if seen.status == "queued" and (who is None or seen.number == _number(who))
            ]
            return [one for seen in due for one in self._report(seen, read)]

    def _report(self, seen: Seen, read: bool) -> list[Callback]:
        states = ["sent", "delivered", *(["read"] if read else [])]
        code = None
        if seen.fails is not None:
            state, code = seen.fails
            states = ["sent", state] if state == "undelivered" else [state]
        self._seen[seen.sid] = replace(seen, status=states[-1], error=code)
        last = states[-1]
        made = [self.callback(seen, one, code if one == last else None) for one in states]
        return [one for one in made if one is not None]

    def callback(self, seen: Seen, state: str, error: int | None = None) -> Callback | None:
        """One status callback for a message; None if it was sent without a StatusCallback."""
        if seen.callback is None:
            return None
        form = status(seen.sid, seen.number, state, error, self.sender)
        form["AccountSid"] = self.account
        url = seen.callback.partition("#")[0]
        return Callback(url, form, signed(url, form, self.auth_token))

    # --- the API

    def _handle(self, request: Request) -> Answer:
        operation, found = _operation(request)
        try:
            fields = {**found, **_fields(request)}
        except ValueError:
            return _error(Failure(400, 20422), "malformed request")
        call = Call(operation, fields, {}, self.clock(), arrived=request.arrived)
        if self.strict and operation != "Unknown":
            call = replace(call, faults=tuple(schemas.check(call)))
        failure = self._ledger.due(call) if self._known(request) else unauthorized()
        return self._perform(call, failure)

    def _known(self, request: Request) -> bool:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        right = base64.b64encode(f"{self.account}:{self.auth_token}".encode()).decode()
        return scheme == "Basic" and secret == right

    def _perform(self, call: Call, failure: Failure | None) -> Answer:
        taken = failure is None or failure.taken
        words = ""
        try:
            if not taken:
                answer = Answer()
            else:
                with self._change:
                    answer = self._do(call, failure)
        except RefusedError as no:
            taken, words = False, no.words
            failure = replace(no.failure, line=failure.line if failure else "whole")
        if failure is not None:
            answer = _told(failure, words, answer if taken else None)
        status = answer.status if answer.line in ("whole", "half", "cut") else 0
        self._ledger.add(replace(call, status=status, taken=taken))
        return answer

    def _do(self, call: Call, failure: Failure | None) -> Answer:
        if call.fields.get("AccountSid", self.account) != self.account:
            raise RefusedError(20404, 404)
        if call.operation == "CreateMessage":
            return self._create(call, failure)
        if call.faults:
            raise RefusedError(20422, 400, "; ".join(call.faults))
        act = ACTS.get(call.operation)
        if act is None:
            raise RefusedError(20404, 404)
        return act(self, call)

    def _create(self, call: Call, failure: Failure | None) -> Answer:
        """Twilio's own complaints come before the schema's, for they have their own codes."""
        seen = self._composed(call)
        if call.faults:
            raise RefusedError(20422, 400, "; ".join(call.faults))
        if self._closed(seen):
            if self.window == "create":
                raise RefusedError(63016)
            seen = replace(seen, fails=("undelivered", 63016))
        if self.fetch is not None and not all(map(_fit, map(self.fetch, seen.media))):
            seen = replace(seen, fails=("undelivered", 63019))
        if failure is not None and failure.later:
            seen = replace(seen, fails=(failure.later, failure.code))
        self._seen[seen.sid] = seen
        return _json(self._resource(seen), 201)

    def _closed(self, seen: Seen) -> bool:
        if self.window == "open" or seen.template:
            return False
        heard = self.heard.get(seen.number)
        return heard is None or self.clock() - heard >= WINDOW

    def _composed(self, call: Call) -> Seen:
        fields = call.fields
        check_addresses(fields, self.sender)
        seen = Seen(
            sid=sid("MM" if fields.get("MediaUrl") else "SM"),
            number=fields["To"].removeprefix("whatsapp:"),
            sender="bot",
            text=fields.get("Body", ""),
            at=call.at,
            shown="media" if fields.get("MediaUrl") else "text",
            media=tuple(fields.get("MediaUrl", ())),
            callback=fields.get("StatusCallback"),
            fields=fields,
        )
        if "ContentSid" not in fields:
            return check_free(seen)
        return self._from_content(seen, fields)

    def _from_content(self, seen: Seen, fields: Mapping[str, Any]) -> Seen:
        if "Body" in fields or "MediaUrl" in fields:
            raise RefusedError(20422, 400, "remove Body and MediaUrl when you send a ContentSid")
        chosen = fields["ContentSid"]
        content = self.contents.get(chosen)
        if content is None:
            raise RefusedError(21655)
        values = content.get("variables") or {}
        values = {**values, **variables(fields.get("ContentVariables", "{}"))}
        approved = chosen in self.approved
        made = rendered(content, values, approved=approved)
        return replace(seen, content=chosen, template=approved, **made)

    def _resource(self, seen: Seen) -> dict[str, Any]:
        """A Message as the API shows it (api.v2010.account.message)."""
        bot, person = f"whatsapp:{self.sender}", f"whatsapp:{seen.number}"
        ours = seen.sender == "bot"
        here = f"/2010-04-01/Accounts/{self.account}/Messages/{seen.sid}"
        date = format_datetime(seen.at)
        return {
            "account_sid": self.account,
            "api_version": "2010-04-01",
            "body": seen.text,
            "date_created": date,
            "date_sent": date,
            "date_updated": date,
            "direction": "outbound-api" if ours else "inbound",
            "error_code": seen.error,
            "error_message": SAYINGS.get(seen.error or 0),
            "from": bot if ours else person,
            "to": person if ours else bot,
            "messaging_service_sid": seen.fields.get("MessagingServiceSid"),
            "num_media": str(len(seen.media)),
            "num_segments": "1",
            "price": None,
            "price_unit": None,
            "sid": seen.sid,
            "status": seen.status,
            "subresource_uris": {"media": f"{here}/Media.json"},
            "uri": f"{here}.json",
        }

    def _list(self, call: Call) -> Answer:
        """Newest first, in pages, as the API lists them."""
        fields = call.fields
        found = [self._resource(seen) for seen in reversed(self._seen.values())]
        found = [one for one in found if asked_for(one, fields)]
        size, page = int(fields.get("PageSize", 50)), int(fields.get("Page", 0))
        part = found[page * size : (page + 1) * size]
        here = f"/2010-04-01/Accounts/{self.account}/Messages.json"
        listed = {"messages": part, **pages(here, fields, page, size, len(found))}
        listed |= {"start": page * size, "end": page * size + max(len(part) - 1, 0)}
        return _json(listed)

    def _fetch(self, call: Call) -> Answer:
        seen = self._seen.get(call.fields["Sid"])
        if seen is None:
            raise RefusedError(20404, 404)
        return _json(self._resource(seen))

    def _create_content(self, call: Call) -> Answer:
        made = {name: value for name, value in call.fields.items() if name != "Sid"}
        date = call.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        number = sid("HX")
        here = f"https://content.twilio.com/v1/Content/{number}"
        asked = f"{here}/ApprovalRequests"
        self.contents[number] = {
            "sid": number,
            "account_sid": self.account,
            "friendly_name": made.get("friendly_name", ""),
            "language": made["language"],
            "variables": made.get("variables", {}),
            "types": made["types"],
            "url": here,
            "date_created": date,
            "date_updated": date,
            "links": {"approval_create": f"{asked}/whatsapp", "approval_fetch": asked},
        }
        return _json(self.contents[number], 201)

    def _list_content(self, call: Call) -> Answer:
        size, page = int(call.fields.get("PageSize", 50)), int(call.fields.get("Page", 0))
        every = list(self.contents.values())
        here = "https://content.twilio.com/v1/Content"
        more = (page + 1) * size < len(every)
        meta = {
            "key": "contents",
            "page": page,
            "page_size": size,
            "first_page_url": f"{here}?PageSize={size}&Page=0",
            "next_page_url": f"{here}?PageSize={size}&Page={page + 1}" if more else None,
            "previous_page_url": None,
            "url": f"{here}?PageSize={size}&Page={page}",
        }
        return _json({"contents": every[page * size : (page + 1) * size], "meta": meta})

    def _content(self, call: Call) -> dict[str, Any]:
        chosen = call.fields.get("Sid") or call.fields["ContentSid"]
        content = self.contents.get(chosen)
        if content is None:
            raise RefusedError(20404, 404)
        return content

    def _fetch_content(self, call: Call) -> Answer:
        return _json(self._content(call))

    def _delete_content(self, call: Call) -> Answer:
        del self.contents[self._content(call)["sid"]]
        return Answer(204)

    def _ask_approval(self, call: Call) -> Answer:
        content = self._content(call)
        kinds = content["types"]
        asked = {"name": call.fields["name"], "category": call.fields["category"]}
        made = {"status": "received", "rejection_reason": "", "content_type": next(iter(kinds))}
        return _json({**asked, **made, "allow_category_change": True}, 201)

    def _approval(self, call: Call) -> Answer:
        number = self._content(call)["sid"]
        state = "approved" if number in self.approved else "unsubmitted"
        shown = {"type": "whatsapp", "status": state, "rejection_reason": ""}
        asked = f"https://content.twilio.com/v1/Content/{number}/ApprovalRequests"
        return _json({"sid": number, "account_sid": self.account, "whatsapp": shown, "url": asked})

    def _fetch_media(self, call: Call) -> Answer:
        known = self.media.get(call.fields["Sid"])
        if known is None:
            raise RefusedError(20404, 404)
        if self.redirects:
            return Answer(307, headers={"Location": f"{self._store.url}/{call.fields['Sid']}"})
        return Answer(200, known[1], {"Content-Type": known[0]})

    def _stored(self, request: Request) -> Answer:
        """Where media really stand: the address is the key, credentials are refused."""
        if "authorization" in request.headers:
            with self._change:
                self.faults.append("the account's credentials were sent to another host")
            return Answer(400, b"Only one auth mechanism allowed")
        known = self.media.get(request.path.strip("/"))
        return Answer(200, known[1], {"Content-Type": known[0]}) if known else Answer(404)


ACTS: dict[str, Callable[[Twilio, Call], Answer]] = {
    "ListMessage": Twilio._list,
    "FetchMessage": Twilio._fetch,
    "FetchMedia": Twilio._fetch_media,
    "CreateContent": Twilio._create_content,
    "ListContent": Twilio._list_content,
    "FetchContent": Twilio._fetch_content,
    "DeleteContent": Twilio._delete_content,
    "CreateApprovalCreate": Twilio._ask_approval,
    "FetchApprovalFetch": Twilio._approval,
}

_MESSAGES = r"/2010-04-01/Accounts/(?P<AccountSid>\w+)/Messages"
ROUTES: Sequence[tuple[str, str, str]] = (
    ("POST", rf"{_MESSAGES}\.json", "CreateMessage"),
    ("GET", rf"{_MESSAGES}\.json", "ListMessage"),
    ("GET", rf"{_MESSAGES}/(?P<Sid>\w+)\.json", "FetchMessage"),
    ("GET", rf"{_MESSAGES}/(?P<MessageSid>\w+)/Media/(?P<Sid>\w+)", "FetchMedia"),
    ("POST", "/v1/Content", "CreateContent"),
    ("GET", "/v1/Content", "ListContent"),
    ("GET", r"/v1/Content/(?P<Sid>\w+)", "FetchContent"),
    ("DELETE", r"/v1/Content/(?P<Sid>\w+)", "DeleteContent"),
    ("POST", r"/v1/Content/(?P<ContentSid>\w+)/ApprovalRequests/whatsapp", "CreateApprovalCreate"),
    ("GET", r"/v1/Content/(?P<Sid>\w+)/ApprovalRequests", "FetchApprovalFetch"),
)
SEVERAL = {"MediaUrl", "PersistentAction"}  # the fields that may be repeated


def _number(who: Person | str) -> str:
    return who.number if isinstance(who, Person) else who.removeprefix("whatsapp:")


def _matches(call: Call, operation: str | None, who: Person | str | None) -> bool:
    right = operation is None or call.operation == operation
    return right and (who is None or _number(call.fields.get("To", "")) == _number(who))


def _operation(request: Request) -> tuple[str, dict[str, str]]:
    for verb, pattern, operation in ROUTES:
        found = re.fullmatch(pattern, request.path)
        if found and verb == request.verb:
            return operation, found.groupdict()
    return "Unknown", {}


def _fields(request: Request) -> dict[str, Any]:
    """Query and form, or JSON; a repeatable field is a list, any other one value."""
    if request.headers.get("content-type", "").startswith("application/json"):
        return dict(json.loads(request.body or b"{}"))
    form, _ = server.form(request)
    pairs = {**server.pairs(request.query), **form}
    return {name: _several(name, values) for name, values in pairs.items()}


def _several(name: str, values: list[str]) -> Any:
    return values if name in SEVERAL or len(values) > 1 else values[0]


def _json(what: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(what).encode(), {"Content-Type": "application/json"})


def _told(failure: Failure, words: str, right: Answer | None) -> Answer:
    """The failing answer; `right` is what would have been said had the line held."""
    if right is not None and not failure.status:
        return replace(right, line=failure.line)
    return replace(_error(failure, words), line=failure.line)


def _error(failure: Failure, words: str = "") -> Answer:
    said = {
        "code": failure.code,
        "message": words or SAYINGS.get(failure.code, "Error"),
        "more_info": f"https://www.twilio.com/docs/errors/{failure.code}",
        "status": failure.status,
    }
    return _json(said, failure.status or 400)
