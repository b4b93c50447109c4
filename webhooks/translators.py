"""Traducciones: every text by questionnaire and language, with its state; write it, review it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flask import (
    Blueprint,
    abort,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from sqlalchemy import Connection
from werkzeug.utils import secure_filename
from werkzeug.wrappers import Response

from bot import words as words_in_force
from dialogs import form_texts, own_words, tables, translations
from dialogs.faults import Said
from dialogs.translations import DRAFT, MISSING, REVIEWED, String
from storage import reports, translating
from storage.database import reading, writing
from storage.organizers import Role
from webhooks import published, spoken
from webhooks.access import allowed, me, note, parts, wants_part

blueprint = Blueprint("translators", __name__, url_prefix="/traducciones")

SEE: tuple[Role, ...] = ("organizer", "translator")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
LONGEST = 4096  # letters of a message
OWN = {
    own_words.PHRASES: "Lo que dice el programa",
    own_words.COMMANDS: "Lo que se puede escribir en cualquier momento",
}
STATES = {MISSING: "falta", DRAFT: "borrador", REVIEWED: "revisado"}
COLUMNS = {
    "label": "texto",
    "hint": "pista",
    "guidance_hint": "ayuda",
    "constraint_message": "si no se puede",
    "required_message": "si hace falta",
}
OPEN = "pendientes"  # what is missing, and drafts


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to do in one questionnaire and language."""

    name: str
    title: str
    language: str
    counts: dict[str, int]

    @property
    def whole(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Line:
    """A text as the page shows it; `number` tells it from the others on the page."""

    number: int
    string: String
    fault: str = ""

    @property
    def where(self) -> str:
        column = COLUMNS.get(self.string.column, self.string.column)
        listed = self.string.where.partition(" ")[2]
        return " · ".join(part for part in (listed, self.string.name, column) if part)


@blueprint.get("")
@allowed(*SEE)
def page() -> str:
    with reading(parts().engine) as db:
        return render_template("translations.html", works=list(_works(db)), own=own_words.OWN)


def _works(db: Connection) -> Iterator[Work]:
    """Each questionnaire's newest version, and the bot's own words, by language."""
    titles = {row.name: row.name for row in reports.published(db)} | OWN
    for name, title in titles.items():
        own = name in own_words.OWN
        for language in ["yua"] if own else form_texts.languages(translating.book(db, name)):
            strings = translating.now(db, name, language)
            if strings:
                yield Work(name, title, language, translations.counts(strings))


@blueprint.get("/<name>")
@allowed(*SEE)
def show(name: str) -> str:
    """The texts of one questionnaire in one language: those that wait for somebody, or all."""
    language, which = language_asked(), request.args.get("estado", OPEN)
    with reading(parts().engine) as db:
        lines = lines_of(db, name, language)
        changed = 0 if name in OWN else translating.waiting(db, name)
    counts = Counter(line.string.state for line in lines)
    wanted = {OPEN: (MISSING, DRAFT), "todos": tuple(STATES)}.get(which, (which,))
    return render_template(
        "translations_one.html",
        title=OWN.get(name, name),
        which=which,
        lines=[line for line in lines if line.string.state in wanted],
        counts=counts,
        changed=changed,
        own=name in OWN,
        **_around(name, language),
    )


def language_asked() -> str:
    """The code of the language that is asked for; there is no page of anything else."""
    code = request.values.get("lengua", "yua")
    if not re.fullmatch(r"[a-z]{2,3}", code):
        abort(404)
    return code


def _around(name: str, language: str) -> dict[str, Any]:
    """What the template of a text needs."""
    return {
        "states": STATES,
        "name": name,
        "language": language,
        "longest": LONGEST,
        "mark": translations.mark,
        "heard": published.address,
    }


def lines_of(db: Connection, name: str, language: str) -> list[Line]:
    try:
        strings = translating.now(db, name, language)
    except LookupError:
        abort(404)
    return [Line(number, string) for number, string in enumerate(strings, 1)]


# one text


@blueprint.post("/<name>")
@allowed(*SEE)
def write(name: str) -> Any:
    """Keep what was written for a text, as a draft or as reviewed."""
    given, language = request.form, language_asked()
    review = given.get("a") == "revisado"
    if review and me().role != "translator":
        abort(403)
    with writing(parts().engine) as db:
        place = given.get("lugar", "")
        line = next((x for x in lines_of(db, name, language) if x.string.place == place), None)
        if line is None:
            abort(404)
        line = replace(line, string=_edited(line.string, given.get("texto", ""), review=review))
        line = replace(line, fault=_fault(line.string, given.get("marca", "")))
        if not line.fault:
            translating.put(db, name, language, [line.string])
            done = "revisó" if line.string.state == REVIEWED else "escribió"
            note(db, f"{done} una traducción", f"{name}, {language}: {line.where}")
    if name in OWN:
        words_in_force.take(parts().engine)
    if wants_part(request):
        page = render_template("translations_text.html", line=line, told=not line.fault,
                               **_around(name, language))  # fmt: skip
        return (page, 422) if line.fault else page
    flash(line.fault or "Guardado.", "fault" if line.fault else "message")
    return redirect(url_for("translators.show", name=name, lengua=language))


def _edited(string: String, text: str, *, review: bool) -> String:
    plain = text.replace("\x00", "").strip()  # PostgreSQL keeps no NUL
    said = "\n".join(line.rstrip() for line in plain.splitlines())
    if not said:
        return replace(string, translation="", state=MISSING, by="", on="")
    if not review:
        return replace(string, translation=said, state=DRAFT, by="", on="")
    today = spoken.local(parts().clock()).date().isoformat()
    return replace(string, translation=said, state=REVIEWED, by=me().name, on=today)


def _fault(string: String, mark: str) -> str:
    """Why a text cannot be kept as it was written; "" if it can."""
    if mark != translations.mark(string.source):
        return "El español cambió mientras escribías. Compara y guarda otra vez."
    if len(string.translation) > LONGEST:
        return f"Son más de {LONGEST} letras: no cabe en un mensaje."
    if wrong := translations.misplaced(string):
        names = ", ".join(wrong)
        return f"Revisa {names}: debe estar igual que en español, porque el programa lo llena."
    return ""


# the translator's sheet


@blueprint.get("/<name>/hoja.xlsx")
@allowed(*SEE)
def sheet(name: str) -> Response:
    """Every text with its state, to be worked on in a spreadsheet."""
    language = language_asked()
    with reading(parts().engine) as db:
        strings = [line.string for line in lines_of(db, name, language)]
    with TemporaryDirectory() as folder:
        path = Path(folder, "hoja.xlsx")
        translations.export(strings, path)
        content = path.read_bytes()
    named = f'attachment; filename="{secure_filename(name)}-{secure_filename(language)}.xlsx"'
    return Response(content, mimetype=XLSX, headers={"Content-Disposition": named})


@blueprint.post("/<name>/hoja")
@allowed(*SEE)
def take_back(name: str) -> Response:
    """Take a sheet back, with the states that it gives."""
    language, file = language_asked(), request.files.get("hoja")
    back = redirect(url_for("translators.show", name=name, lengua=language, estado="todos"))
    if file is None or not file.filename:
        flash("Falta la hoja: elige el archivo .xlsx que bajaste de aquí.", "fault")
        return back
    with TemporaryDirectory() as folder:
        path = Path(folder, "hoja.xlsx")
        file.save(path)
        try:
            given = translations.read(path)
        except tables.TableError as error:
            flash(f"No se guardó nada. {_whole(error.said)}", "fault")
            return back
        except translations.TranslationError as error:
            for fault in error.faults:
                flash(f"Fila {fault.row} ({fault.name}): {_whole(fault.said)}", "fault")
            flash("No se guardó nada.", "fault")
            return back
    with writing(parts().engine) as db:
        now = [line.string for line in lines_of(db, name, language)]
        changed = _allowed(translations.returned(now, given))
        translating.put(db, name, language, changed)
        reviewed = translations.counts(changed)[REVIEWED]
        about = f"{name}, {language}: {len(changed)} textos, {reviewed} revisados"
        note(db, "subió una hoja de traducción", about)
    if name in OWN:
        words_in_force.take(parts().engine)
    changes = spoken.many(len(changed), "texto cambió", "textos cambiaron")
    flash(f"Hoja recibida: {changes}, {reviewed} de ellos revisados.")
    return back


def _whole(said: Said) -> str:
    return f"{said.problem('es')} {said.cure('es')}"


def _allowed(changed: Sequence[String]) -> list[String]:
    """What somebody's role lets them say: only who translates says that a text is reviewed."""
    if me().role == "translator":
        return list(changed)
    return [
        replace(each, state=DRAFT, by="", on="") if each.state == REVIEWED else each
        for each in changed
    ]


# publish


@blueprint.post("/<name>/publicar")
@allowed("organizer")
def publish(name: str) -> Response:
    """A new version of the questionnaire with the translations as they are now."""
    with writing(parts().engine) as db:
        if name in OWN or not translating.waiting(db, name):
            flash("No hay cambios que publicar.", "fault")
            return redirect(url_for("translators.show", name=name))
        drafts = sum(line.string.state == DRAFT for line in lines_of(db, name, "yua"))
        if drafts and not request.form.get("borradores"):
            flash("No se publicó: hay maya sin revisar. Marca que lo sabes, o pide la revisión.",
                  "fault")  # fmt: skip
            return redirect(url_for("translators.show", name=name))
        made = translating.publish(db, name, parts().clock())
        note(db, "publicó traducciones",
             f"{made.name}, versión {made.version}; sin revisar: {drafts}")  # fmt: skip
    flash(f"Publicado: {made.name}, versión {made.version}. "
          "Las conversaciones que ya corrían terminan con su versión.")  # fmt: skip
    return redirect(url_for("translators.show", name=name))
