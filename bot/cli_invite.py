"""`consulta invite …`: plan, look, try on oneself, and follow what becomes of it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from bot import invitations as calling
from bot import progress, rsvp, telegram, timing, whatsapp, wiring
from bot import settings as settings_module
from bot.cli_data import find
from bot.cli_errors import Failure
from bot.cli_forums import as_json, explained, office, tell
from bot.invitations import Call, Change
from bot.timing import now
from dialogs.values import LANGUAGES
from storage import forums, invitations
from storage.database import reading
from storage.invitations import Invitation, Reach, Told
from storage.segments import Place

FOLLOWED = 1.0  # seconds between two looks


@click.group()
def invite() -> None:
    """Invitations: plan, preview, test, follow, pause, change, cancel."""


def _moment(written: str | None) -> datetime | None:
    try:
        return timing.read(written, now()) if written else None
    except ValueError as error:
        raise Failure(str(error)) from None


def _length(written: str) -> timedelta:
    try:
        return timing.duration(written)
    except ValueError as error:
        raise Failure(str(error)) from None


@invite.command("plan")
@click.argument("name", metavar="FORUM")
@click.option("--at", required=True, help="When: 2027-08-01T10:00 (in Mérida), now, or +2h.")
@click.option("--segment", default="", help="Whom: municipality=31050 and language=yua, …")
@click.option("--until", help="The last sensible moment; else an hour before the forum.")
@click.option("--spread", default="0m", help="Over how long it is spread: 30m, 2h, 1d.")
@click.option("--template", default="", help="ContentSid of an approved es_MX template.")
@click.option("--es", default="", help="Words instead of the forum's description, in Spanish.")
@click.option("--yua", default="", help="The same in Maya.")
@as_json
@explained
def invite_plan(
    name: str,
    at: str,
    segment: str,
    until: str | None,
    spread: str,
    template: str,
    es: str,
    yua: str,
    *,
    as_json: bool,
) -> None:
    """Plan an invitation to FORUM and show whom it would reach now. Nothing is sent before --at."""
    words = {code: text for code, text in (("es", es), ("yua", yua)) if text}
    call = Call(_moment(at) or now(), segment, _moment(until), _length(spread), words, template)
    with office(changes=True) as (db, library, _):
        made, reach = calling.plan(db, library, forums.named(db, name), call, now())
        places = calling.catalogue(db, library).places
    _warn_of_night(made)
    if as_json:
        click.echo(json.dumps({"invitation": made.id, "reach": reach.total}))
        return
    click.echo(f"invitation {made.id}: {reach.total} people, from {timing.shown(made.due)}")
    _show_reach(reach, places)


def _warn_of_night(made: Invitation) -> None:
    if made.any_hour:
        click.echo(
            f"It is {timing.shown(made.due)[-5:]} in Mérida: people sleep, and it goes out all the "
            f"same. To stop it: consulta invite pause {made.id}",
            err=True,
        )


def _show_reach(reach: Reach, places: Mapping[str, Place]) -> None:
    for title, counts in list(asdict(reach).items())[1:]:
        if counts:
            counts = {places[key].name if key in places else key: n for key, n in counts.items()}
            listed = ", ".join(f"{key} {number}" for key, number in list(counts.items())[:12])
            click.echo(f"  {title.replace('_', ' ')}: {listed}")


@invite.command("reach")
@click.option("--segment", default="", help="Whom: municipality=31050 and language=yua, …")
@as_json
@explained
def invite_reach(segment: str, *, as_json: bool) -> None:
    """Whom a segment would reach now; nothing is planned."""
    with office() as (db, library, _):
        found = calling.reach(db, library, segment)
        places = calling.catalogue(db, library).places
    if as_json:
        click.echo(json.dumps(asdict(found), ensure_ascii=False))
    else:
        click.echo(f"{found.total} people")
        _show_reach(found, places)


@invite.command("list")
@click.argument("name", metavar="FORUM", required=False)
@as_json
@explained
def invite_list(name: str | None, *, as_json: bool) -> None:
    """What is planned and sent: invitations, reminders, changes, thanks."""
    with office() as (db, _, _s):
        found = invitations.of_forum(db, forums.named(db, name).id if name else None)
    if as_json:
        click.echo(json.dumps([_known(one) for one in found], ensure_ascii=False))
        return
    table = Table("id", "forum", "what", "state", "from", "until", "segment", "note")
    for one in found:
        when = timing.shown(one.due), timing.shown(one.latest)
        row = (one.id, one.forum_id, one.purpose, _state(one), *when, one.segment, one.alert)
        table.add_row(*map(str, row))
    Console().print(table)


def _known(one: Invitation) -> dict[str, Any]:
    return {
        "invitation": one.id,
        "forum": one.forum_id,
        "purpose": one.purpose,
        "state": _state(one),
        "segment": one.segment,
        "at": one.due.isoformat(),
        "until": one.latest.isoformat(),
        "spread": int(one.spread.total_seconds()),
        "template": one.template,
        "words": dict(one.words),
        "reach": one.reach,
        "alert": one.alert,
    }


def _state(one: Invitation) -> str:
    return "paused" if one.paused_at else one.state


@invite.command("preview")
@click.argument("number", metavar="ID", type=int)
@as_json
@explained
def invite_preview(number: int, *, as_json: bool) -> None:
    """How it will look on each channel, in each language."""
    with office() as (db, library, settings):
        one = invitations.get(db, number)
        messages = {code: calling.message(db, library, number, code) for code in LANGUAGES}
    template = one.template or settings.whatsapp_template
    later = f"template {template}, then the above" if template else calling.NO_TEMPLATE
    shown = {
        code: {
            "telegram": str(telegram.look(message)),
            "whatsapp": str(whatsapp.look(message)),
            "whatsapp after 24 hours": later,
        }
        for code, message in messages.items()
    }
    lines = [
        f"── {channel}, {code}\n{text}"
        for code, channels in shown.items()
        for channel, text in channels.items()
    ]
    tell(shown, "\n\n".join(lines), as_json=as_json)


@invite.command("test")
@click.argument("number", metavar="ID", type=int)
@click.argument("address")
@as_json
@explained
def invite_test(number: int, address: str, *, as_json: bool) -> None:
    """Send it to yourself first. ADDRESS: telegram:CHAT_ID, whatsapp:+NUMBER or a folio.

    It says that it is a trial, and may be answered to the end: nothing of it is kept.
    """
    with office(changes=True) as (db, library, _):
        person = find(db, address)
        if not rsvp.try_on(db, library, person, number, now()):
            raise Failure(
                f"{address}: {calling.WINDOW}. Write anything to the bot, then try again."
            )
    tell({"test": address}, f"{address}: queued; a running worker sends it", as_json=as_json)


@invite.command("status")
@click.argument("number", metavar="ID", type=int)
@click.option("--follow", is_flag=True, help="Show it live until all is through.")
@as_json
@explained
def invite_status(number: int, *, follow: bool, as_json: bool) -> None:
    """What became of every intended person; the parts sum to the whole."""
    if follow and not as_json:
        _follow(number)
    with office() as (db, _, _s):
        one = invitations.get(db, number)
        found = invitations.status(db, number)
        told = invitations.told(db, number)
    tell(found, _status(one, found, told), as_json=as_json)


def _status(one: Invitation, found: Mapping[str, Any], told: Sequence[Told]) -> str:
    lines = [f"{_state(one)}: {found['intended']} intended of {one.reach} planned"]
    lines += [
        f"  {key}: {n}" for key, n in found.items() if n and key not in ("intended", "skipped")
    ]
    lines += [f"  skipped: {n} ({reason})" for reason, n in found["skipped"].items()]
    if found["uncertain"]:
        again = f"consulta invite resend-uncertain {one.id}"
        lines.append(
            "Nobody knows whether the uncertain ones arrived. Leave them, or send them again, "
            f"which some will then get twice: {again}"
        )
    lines += [f"  the provider on {each.count} {each.state}: {each.reason}" for each in told]
    return "\n".join([*lines, *([one.alert] if one.alert else [])])


def _follow(number: int) -> None:
    """A live bar, from any machine that reaches the database."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[counts]}"),
    )  # fmt: skip
    with wiring.opened(settings_module.read()) as engine, Progress(*columns) as bar:
        clock = wiring.clock_of(engine)
        task = bar.add_task("planned", total=None, counts="")
        while True:
            with reading(engine) as db:
                found = progress.of(db, number, clock())
            done, state = found.total - found.waiting, _state(found.invitation)
            counts = _counts(found)
            bar.update(task, total=found.total, completed=done, counts=counts, description=state)
            if not found.running:
                return
            time.sleep(FOLLOWED)


def _counts(found: progress.Progress) -> str:
    said = [
        f"sent {found.sent}, delivered {found.arrived}, failed {found.counts['failed']}, "
        f"waiting {found.waiting}{_more(found.counts)}"
    ]
    if found.asleep_until:
        said.append(f"people sleep: goes on at {timing.shown(found.asleep_until)[-5:]}")
    elif found.rate:
        said.append(f"{found.rate:.1f}/s" if found.rate < 10 else f"{found.rate:.0f}/s")
    if found.left is not None:
        said.append(f"{timedelta(seconds=round(found.left.total_seconds()))} left")
    return ", ".join(said)


def _more(counts: Mapping[str, Any]) -> str:
    """What else there is, if there is any."""
    skipped = sum(counts["skipped"].values())
    others = {key: counts[key] for key in ("held", "uncertain", "missed")} | {"skipped": skipped}
    return "".join(f", {key} {count}" for key, count in others.items() if count)


@invite.command("change")
@click.argument("number", metavar="ID", type=int)
@click.option("--at", help="Another time.")
@click.option("--segment", help="Others.")
@click.option("--until", help="Another last sensible moment.")
@click.option("--spread", help="Over how long it is spread: 30m, 2h, 1d; 0m: as it goes.")
@click.option("--template", help="Another ContentSid of an approved es_MX template.")
@click.option("--es", help="Other words instead of the forum's description, in Spanish.")
@click.option("--yua", help="The same in Maya.")
@as_json
@explained
def invite_change(
    number: int,
    at: str | None,
    segment: str | None,
    until: str | None,
    spread: str | None,
    template: str | None,
    es: str | None,
    yua: str | None,
    *,
    as_json: bool,
) -> None:
    """Change what has not begun; its words, template and last moment also while it runs."""
    words = {code: text for code, text in (("es", es), ("yua", yua)) if text is not None}
    length = _length(spread) if spread else None
    change = Change(_moment(at), segment, _moment(until), length, words, template)
    with office(changes=True) as (db, library, _):
        one = calling.replan(db, library, number, change, now())
    if at:
        _warn_of_night(one)
    tell(_known(one), f"{one.reach} people, from {timing.shown(one.due)}", as_json=as_json)


def _set(number: int, to: str) -> dict[str, Any]:
    with office(changes=True) as (db, _, _s):
        one = invitations.get(db, number)
        if one.state in ("done", "cancelled"):
            raise Failure(f"Invitation {number} is {one.state}: there is nothing to {to}.")
        match to:
            case "pause":
                invitations.pause(db, number, now())
            case "resume":
                invitations.pause(db, number, None)
            case _:
                invitations.cancel(db, number)
        return _known(invitations.get(db, number))


@invite.command("pause")
@click.argument("number", metavar="ID", type=int)
@as_json
@explained
def invite_pause(number: int, *, as_json: bool) -> None:
    """Send no more of it for now; what is on its way arrives."""
    tell(_set(number, "pause"), f"{number}: paused", as_json=as_json)


@invite.command("resume")
@click.argument("number", metavar="ID", type=int)
@as_json
@explained
def invite_resume(number: int, *, as_json: bool) -> None:
    """Go on with a paused one."""
    tell(_set(number, "resume"), f"{number}: goes on", as_json=as_json)


@invite.command("cancel")
@click.argument("number", metavar="ID", type=int)
@as_json
@explained
def invite_cancel(number: int, *, as_json: bool) -> None:
    """Whoever has not got it gets it no more."""
    tell(_set(number, "cancel"), f"{number}: cancelled", as_json=as_json)


@invite.command("resend-uncertain")
@click.argument("number", metavar="ID", type=int)
@as_json
@explained
def invite_resend(number: int, *, as_json: bool) -> None:
    """Send again what may have arrived or not. Some will get it twice."""
    with office(changes=True) as (db, _, _s):
        invitations.get(db, number)
        count = invitations.resend(db, number, now())
    tell({"resent": count}, f"{count} are sent again", as_json=as_json)
