"""A forum as calendars take it: an iCalendar file, and Google's form."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

from bot import forum_words, timing
from dialogs.values import in_language
from storage.forums import Forum

GOOGLE = "https://calendar.google.com/calendar/render"


def file(forum: Forum, address: str, now: datetime) -> bytes:
    """An .ics file; its times are Mérida's, whose rules (VTIMEZONE) come with them.

    The same event keeps its UID; SEQUENCE tells calendars which version is the newest (RFC 5545).
    """
    from icalendar import Calendar, Event, vGeo  # here: a server needs it seldom

    plan = forum.plan
    event = Event()
    event.add("uid", f"{forum.token}@consulta")
    event.add("sequence", forum.changes)
    event.add("dtstamp", now)
    event.add("dtstart", timing.local(plan.starts_at))
    event.add("dtend", timing.local(plan.ends_at))
    event.add("summary", forum_words.title(plan, "es"))
    event.add("location", forum_words.where(plan))
    event.add("description", in_language(plan.description, "es"))
    event.add("url", plan.place.link or address)
    event.add("status", "CANCELLED" if forum.state == "cancelled" else "CONFIRMED")
    if plan.place.point:
        event.add("geo", vGeo(plan.place.point))
    calendar = Calendar()
    calendar.add("prodid", "-//consulta//forums//ES")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add_component(event)
    calendar.add_missing_timezones()
    made: bytes = calendar.to_ical()
    return made


def google(forum: Forum) -> str:
    """Google Calendar with the event filled in."""
    plan = forum.plan
    moments = [f"{moment:%Y%m%dT%H%M%SZ}" for moment in (plan.starts_at, plan.ends_at)]
    return f"{GOOGLE}?" + urlencode({
        "action": "TEMPLATE",
        "text": forum_words.title(plan, "es"),
        "dates": "/".join(moments),
        "ctz": "America/Merida",
        "location": forum_words.where(plan),
        "details": in_language(plan.description, "es"),
    })  # fmt: skip
