"""The systematization document: what was answered, question by question, as HTML or Markdown."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from dialogs.asking import Library
from dialogs.script import Question, Script
from dialogs.values import in_language
from storage import exports, translating
from storage.reports import SMALLEST, few

HERE = ZoneInfo("America/Merida")
CHANNELS = {  # as people know them
    "telegram": "Telegram",
    "whatsapp": "WhatsApp",
    "chat": "Chat local",
    "facilitator": "Con facilitador o facilitadora",
    "import": "Capturado después",
}
NOTE = (
    "Una encuesta por chat no es una consulta previa, libre e informada a pueblos indígenas. "
    f"Los grupos de menos de {SMALLEST} personas no se muestran por separado."
)
DRAFTS = (
    "Se preguntó con maya sin revisar: {} de los textos en maya son borradores que nadie que hable "
    "la lengua ha revisado."
)


@dataclass(slots=True)
class Tally:
    """What was answered to one questionnaire, all versions together, by question name."""

    chosen: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    people: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    languages: Counter[str] = field(default_factory=Counter)
    channels: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


def write(db: Connection, library: Library, file: Path, now: datetime) -> None:
    """Write the document; HTML if the file says so, Markdown otherwise."""
    lines = list(_document(db, library, now))
    if file.suffix in (".html", ".htm"):
        file.write_text(_html(lines), encoding="utf-8")
    else:
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _document(db: Connection, library: Library, now: datetime) -> Iterator[str]:
    local = now.astimezone(HERE)
    yield "# Sistematización de la consulta"
    yield ""
    yield f"Al {local:%d/%m/%Y, %H:%M} (hora de Yucatán). {NOTE}"
    if drafts := translating.unreviewed(db):
        yield ""
        yield DRAFTS.format(drafts)
    tallies = _tallied(db, library)
    newest = {name: library.lookup(name, version) for name, version in exports.versions(db)}
    passes = Counter((row["form"], row["state"]) for row in exports.responses(db))
    for name, script in newest.items():
        yield from _form(script, tallies.get(name, Tally()), passes)


def _tallied(db: Connection, library: Library) -> Mapping[str, Tally]:
    tallies: dict[str, Tally] = defaultdict(Tally)
    for row in exports.answers(db):
        tally, question = tallies[row["form"]], row["question"]
        tally.people[question].add(row["person"])
        tally.channels[row["channel"]].add(row["person"])
        tally.languages[row["language"] or ""] += 1
        asked = library.lookup(row["form"], row["version"]).question(question)
        if asked.options:
            tally.chosen[question].update(str(row["value"]).split())
    return tallies


def _form(script: Script, tally: Tally, passes: Counter[tuple[str, str]]) -> Iterator[str]:
    states = {state: passes[script.name, state] for state in ("completed", "started", "refused")}
    yield from ("", f"## {in_language(script.title, 'es')}", "")
    yield (
        f"{states['completed']} personas terminaron, {states['started']} empezaron y no han "
        f"terminado, {states['refused']} prefirieron no participar."
    )
    channels = {name: len(who) for name, who in tally.channels.items()}
    by_channel = ", ".join(
        f"{CHANNELS.get(name, name)}: {n}" for name, n in _told(channels).items()
    )
    yield f"Por canal: {by_channel or 'nadie todavía'}."
    told = {"es": "en español", "yua": "en maya", "": "sin lengua reconocible"}
    said = ", ".join(f"{n} {told[code]}" for code, n in _told(tally.languages).items())
    yield f"Respuestas: {said or 'ninguna todavía'}."
    for question in script.questions:
        if question.asked and question.name in tally.people:
            yield from _question(question, tally)


def _question(question: Question, tally: Tally) -> Iterator[str]:
    answered = len(tally.people[question.name])
    label = in_language(question.label, "es").splitlines()[-1]
    yield from ("", f"### {label}", "", f"Contestaron {_few(answered)} personas.")
    if not question.options:
        return
    labels = {option.name: in_language(option.label, "es") for option in question.options}
    yield from ("", "| respuesta | personas | % |", "|---|---|---|")
    chosen = tally.chosen[question.name]
    shown = _told(chosen)
    for name, count in chosen.most_common():
        share = f"{100 * count / answered:.0f}" if shown[name] == str(count) else "–"
        yield f"| {labels.get(name, name)} | {shown[name]} | {share} |"


def _told(counts: Mapping[str, int]) -> dict[str, str]:
    """Numbers of people, but those that could give somebody away."""
    hidden = few(counts)
    return {name: _few(n, hidden=name in hidden) for name, n in counts.items()}


def _few(count: int, *, hidden: bool | None = None) -> str:
    if not (0 < count < SMALLEST if hidden is None else hidden):
        return str(count)
    return f"menos de {SMALLEST}" if count < SMALLEST else f"{SMALLEST} o más"


def _html(lines: list[str]) -> str:
    """The few marks that the document uses, as a page that prints well."""
    body: list[str] = []
    for line in lines:
        text = escape(line)
        if line.startswith("#"):
            depth = len(line) - len(line.lstrip("#"))
            body.append(f"<h{depth}>{text.lstrip('# ')}</h{depth}>")
        elif line.startswith("|---"):
            continue
        elif line.startswith("|"):
            cells = "".join(f"<td>{cell.strip()}</td>" for cell in text.strip("| ").split(" | "))
            body.append(f"<tr>{cells}</tr>")
        elif line:
            body.append(f"<p>{text}</p>")
    rows = "\n".join(body).replace("</p>\n<tr>", "</p>\n<table>\n<tr>")
    rows = rows.replace("</tr>\n<h", "</tr>\n</table>\n<h")
    closing = "\n</table>" if rows.endswith("</tr>") else ""
    return (
        '<!doctype html>\n<html lang="es-MX">\n<head><meta charset="utf-8">'
        "<title>Sistematización de la consulta</title></head>\n<body>\n"
        f"{rows}{closing}\n</body>\n</html>\n"
    )
