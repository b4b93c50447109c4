"""Cuestionarios: upload, see every fault, read the tree, publish, open and close."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response

from bot import plan, publishing
from bot.stores import PUBLISHED
from dialogs import checking, drawing
from dialogs import script as scripts
from dialogs.questions import Question, Script
from dialogs.values import in_language
from storage import forms, institutions, reports, translating
from storage.database import reading, writing
from webhooks import trial
from webhooks.access import allowed, note, parts

blueprint = Blueprint("forms", __name__, url_prefix="/cuestionarios")

KINDS = (".xlsx", ".xls", ".md")
SHIPPED = {  # come along, and are published when their phase begins
    "comunidades": "Consulta en comunidades, con facilitadoras y facilitadores",
    "ayuntamientos": "Instituciones y ayuntamientos",
    "especialistas": "Mesas con especialistas",
    "retroalimentacion": "Opinar sobre el borrador del Plan",
}
UNSAFE = re.compile(r'[<>:"|?*]')  # in a file's name, to one system or another
LONGEST_FILE = 120  # bytes of a file's name, and of its ending: most systems hold 255 in all
SHOWN = 8  # choices of a question, before "and so many more"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a questionnaire, and how many people began it."""

    name: str
    number: int
    state: str
    front: bool
    published_at: datetime
    drafts: int
    begun: int


@dataclass(frozen=True, slots=True)
class Branch:
    """A question in the tree."""

    place: int
    name: str
    kind: str
    label: str
    maya: str
    when: str  # the conditions under which it is asked; "" for always
    options: tuple[str, ...]
    more: int


@blueprint.get("")
@allowed("organizer", "analyst", "translator")
def page() -> str:
    with reading(parts().engine) as db:
        groups = _groups(_versions(db))
    library = parts().desk.library
    titles = {
        name: in_language(library.lookup(name, versions[0].number).title, "es")
        for name, versions in groups.items()
    }
    more = {name: title for name, title in SHIPPED.items() if name not in groups}
    return render_template("forms.html", groups=groups, titles=titles, more=more)


def _versions(db: Connection) -> list[Version]:
    begun = reports.begun(db)
    return [
        Version(row.name, row.version, row.state, row.front, row.published_at,
                row.drafts_accepted, begun.get((row.name, row.version), 0))
        for row in reports.published(db)
    ]  # fmt: skip


def _groups(versions: list[Version]) -> dict[str, list[Version]]:
    found: dict[str, list[Version]] = {}
    for version in versions:
        found.setdefault(version.name, []).append(version)
    return found


@blueprint.get("/<name>/<int:number>")
@allowed("organizer", "analyst", "translator")
def show(name: str, number: int) -> str:
    """One version: its tree, and what has no Maya yet."""
    with reading(parts().engine) as db:
        found = next((v for v in _versions(db) if (v.name, v.number) == (name, number)), None)
    if found is None:
        abort(404)
    script = parts().desk.library.lookup(name, number)
    return render_template(
        "form.html", version=found, draft="", file="", trial=_trial(script),
        tracked=institutions.TABLE in script.tables,
        **{**_shown(script), "drafts": found.drafts},
    )  # fmt: skip


@blueprint.get("/<name>/<int:number>/arbol.svg")
@allowed("organizer", "analyst", "translator")
def picture(name: str, number: int) -> Response:
    """The tree as a drawing, to be printed or shown in a meeting."""
    try:
        script = parts().desk.library.lookup(name, number)
    except LookupError:
        abort(404)
    return Response(drawing.svg(script, words=drawing.SPANISH), content_type="image/svg+xml")


@blueprint.post("/probar")
@allowed("organizer", "analyst", "translator")
def try_out() -> str:
    """The conversation with one more thing said; nothing of it is stored."""
    given = request.form
    script = _tried(given)
    heard = [] if given.get("otra") else given.getlist("dicho")
    new = given.get("nuevo", "").strip()
    if given.get("boton") and not given.get("otra"):
        heard.append(trial.TAP + given["boton"])
    elif new and not given.get("otra"):
        heard.append(new)
    return render_template(
        "form_trial.html",
        trial=_trial(script, heard),
        version=None if given.get("borrador") else script,
        draft=given.get("borrador", ""),
        file=given.get("archivo", ""),
        name=script.name,
        title=in_language(script.title, "es"),
    )


def _tried(given: Any) -> Script:
    """The questionnaire that is tried: a draft, or a version that is published."""
    draft, file = given.get("borrador", ""), _safe(given.get("archivo", ""))
    number = given.get("version", "")
    if draft.isalnum() and (path := _folder(draft) / file).is_file():
        return scripts.read(path)
    try:
        return parts().desk.library.lookup(given.get("cuestionario", ""), int(number))
    except (LookupError, ValueError):
        abort(404)


def _trial(script: Script, heard: Sequence[str] = ()) -> trial.Trial:
    return trial.play(script, parts().desk.library, heard, parts().clock())


def _shown(script: Script) -> dict[str, Any]:
    return {
        "title": in_language(script.title, "es"),
        "name": script.name,
        "tree": list(_tree(script)),
        "missing": list(_without_maya(script)),
        "drafts": script.drafts,
        "prompts": sum(question.counted for question in script.questions),
    }


def _tree(script: Script) -> Iterator[Branch]:
    for place, question in enumerate(script.questions, 1):
        if question.silent and not question.label:
            continue  # found, not asked: nobody ever reads it
        labels = tuple(in_language(option.label, "es") for option in question.options)
        yield Branch(
            place=place,
            name=question.name,
            kind=_kind(question),
            label=in_language(question.label, "es"),
            maya=question.label.get("yua", ""),
            when=" y ".join(dict.fromkeys(_said(t.source, script) for t in question.relevant)),
            options=labels[:SHOWN],
            more=max(0, len(labels) - SHOWN),
        )


JOINED = {" o ": re.compile(r"\s+or\s+"), " y ": re.compile(r"\s+and\s+")}
COUNTED = re.compile(r"count-selected\(\s*\$\{(\w+)\}\s*\)\s*>\s*([01])")
NOT_CHOSEN = re.compile(r"not\((selected\(.*\))\)")
SIMPLE = re.compile(r"\$\{(\w+)\}\s*(!?=)\s*'(\w+)'")
CHOSEN = re.compile(r"selected\(\s*\$\{(\w+)\},\s*'(\w+)'\s*\)")


def _said(source: str, script: Script) -> str:
    """A condition in plain words where it is of plain parts; otherwise as it is written."""
    for word, joint in JOINED.items():
        parts = [_said_of(part.strip(), script) for part in joint.split(source.strip())]
        if all(parts):
            return word.join(parts)
    return source


def _said_of(part: str, script: Script) -> str:
    """A part of a condition in plain words; "" if it is not a plain one."""
    if match := COUNTED.fullmatch(part):
        some = "algo" if match[2] == "0" else "más de una opción"
        return f"en «{_question(match[1], script)}» se eligió {some}"
    denied = NOT_CHOSEN.fullmatch(part)
    if match := SIMPLE.fullmatch(part):
        name, sign, value = match.groups()
    elif match := CHOSEN.fullmatch(denied[1] if denied else part):
        (name, value), sign = match.groups(), "!=" if denied else "="
    else:
        return ""
    options = script.question(name).options
    labels = {each.name: in_language(each.label, "es") for each in options}
    no = "no " if sign == "!=" else ""
    return f"en «{_question(name, script)}» {no}se contestó «{labels.get(value, value)}»"


def _question(name: str, script: Script) -> str:
    label = in_language(script.question(name).label, "es").splitlines()
    return label[-1] if label else name


NAMES = {
    "time": "hora",
    "dateTime": "fecha y hora",
    "range": "número en una escala",
    "rank": "ordenar",
    "image": "foto",
    "file": "archivo",
    "calculate": "se calcula",
    "select_one_from_file": "una opción de una lista",
    "select_multiple_from_file": "varias opciones de una lista",
    "note": "aviso",
    "acknowledge": "enterado",
    "select_one": "una opción",
    "select_multiple": "varias opciones",
    "integer": "número",
    "decimal": "número con decimales",
    "text": "palabras o voz",
    "audio": "nota de voz",
    "date": "fecha",
    "geopoint": "ubicación",
}


def _kind(question: Question) -> str:
    return NAMES.get(question.type, question.type)


def _without_maya(script: Script) -> Iterator[tuple[str, str]]:
    """The strings that people who chose Maya would read in Spanish: where, and which."""
    for question in script.questions:
        if question.label and "yua" not in question.label:
            yield question.name, in_language(question.label, "es")


# upload


@blueprint.post("/revisar")
@allowed("organizer")
def check() -> Any:
    """Look at what was uploaded: every fault at once, or the tree with a button to publish."""
    files = [file for file in request.files.getlist("archivos") if file.filename]
    if request.form.get("incluido") in SHIPPED:
        files = _shipped(request.form["incluido"])
    main = next((f for f in files if Path(str(f.filename)).suffix.lower() in KINDS), None)
    if main is None:
        flash("Falta el cuestionario: un archivo .xlsx, o .md con las mismas tablas.", "fault")
        return redirect(url_for("forms.page"))
    draft, path = _kept(files, main)
    checked = checking.check(path, parts().clock())
    with writing(parts().engine) as db:
        note(db, "revisó un cuestionario", f"{path.name}: {len(checked.faults)} errores")
    script = checked.script
    better = [each for each in checked.warnings if each.said.kind != "untranslated"]
    if script is None or checked.faults:
        shutil.rmtree(path.parent, ignore_errors=True)
        return render_template(
            "form_faults.html", faults=checked.faults, better=better, file=path.name
        ), 422
    with reading(parts().engine) as db:
        drafts = translating.drafts(db, script.name, path)
    return render_template(
        "form.html", version=None, draft=draft, file=path.name, trial=_trial(script),
        better=better, **{**_shown(script), "drafts": drafts},
    )  # fmt: skip


def _shipped(name: str) -> list[FileStorage]:
    """A questionnaire that comes along, and the lists that it names, as if they were uploaded."""
    folder = resources.files("dialogs.forms")
    main = folder.joinpath(f"{name}.md").read_bytes()
    lists = [each.name for each in folder.iterdir() if each.name.endswith(".csv")]
    files = {f"{name}.md": main} | {
        each: folder.joinpath(each).read_bytes()
        for each in lists
        if each.removesuffix(".csv").encode() in main
    }
    return [FileStorage(io.BytesIO(content), file) for file, content in files.items()]


def _kept(files: list[FileStorage], main: FileStorage) -> tuple[str, Path]:
    """The files, in a folder of their own that is named for what they contain."""
    contents = {_safe(str(file.filename)): file.read() for file in files}
    seen = hashlib.sha256()
    for name, content in sorted(contents.items()):
        seen.update(b"%s\0%d\0" % (name.encode(), len(content)))
        seen.update(content)
    draft = seen.hexdigest()[:24]
    folder = _folder(draft)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return draft, folder / _safe(str(main.filename))


def _safe(written: str) -> str:
    """A file's name as the questionnaire may name it: accents and spaces stay, folders do not."""
    name = unicodedata.normalize("NFC", written).replace("\\", "/").rpartition("/")[2]
    seen = "".join(sign for sign in name if unicodedata.category(sign)[0] != "C")
    stem, dot, ending = UNSAFE.sub("_", seen).strip(" .").rpartition(".")
    return f"{_short(stem)}{dot}{_short(ending)}"


def _short(name: str) -> str:
    return name.encode()[:LONGEST_FILE].decode(errors="ignore")


def _folder(draft: str) -> Path:
    return parts().settings.data / "drafts" / draft


@blueprint.post("/publicar")
@allowed("organizer")
def publish() -> Response:
    """Make a version of what was uploaded and looked at."""
    given = request.form
    draft, file = given.get("borrador", ""), _safe(given.get("archivo", ""))
    path = _folder(draft) / file
    if not draft.isalnum() or not path.is_file():
        flash("El archivo ya no está. Súbelo otra vez.", "fault")
        return redirect(url_for("forms.page"))
    found = scripts.read(path)
    with reading(parts().engine) as db:
        drafts = translating.drafts(db, found.name, path)
    if drafts and not given.get("borradores"):
        flash("No se publicó: hay textos en maya sin revisar. Marca que lo sabes, o corrígelos.",
              "fault")  # fmt: skip
        return redirect(url_for("forms.page"))
    try:
        publishing.keep(path.parent, found, parts().post.media.within(PUBLISHED))
    except FileExistsError as error:
        flash(f"No se publicó: ya hay otro archivo que se llama {error}. Ponle otro nombre, "
              "también en el cuestionario.", "fault")  # fmt: skip
        return redirect(url_for("forms.page"))
    state = "pilot" if given.get("estado") == "piloto" else "open"
    with writing(parts().engine) as db:
        made = forms.publish(
            db, path, parts().clock(), state=state, front=bool(given.get("primero"))
        )
        translating.published(db, made.name)
        about = f"{made.name}, versión {made.version} ({state}); sin revisar: {drafts}"
        note(db, "publicó un cuestionario", about)
    shutil.rmtree(path.parent, ignore_errors=True)
    flash(f"Publicado: {made.name}, versión {made.version}. "
          "Las conversaciones que ya corrían terminan con su versión.")  # fmt: skip
    return redirect(url_for("forms.page"))


@blueprint.post("/<name>/<int:number>/estado")
@allowed("organizer")
def turn(name: str, number: int) -> Response:
    """Open a version for everybody, or close the consultation for newcomers."""
    now, to = parts().clock(), request.form.get("a", "")
    with writing(parts().engine) as db:
        if to == "open":
            made = forms.again(db, name, number, now, state="open")
            note(db, "abrió la consulta", f"{name}, versión {made}")
            told = f"La consulta está abierta para todas las personas: {name}, versión {made}."
            if forms.front(db) != (name, made):
                told = (
                    f"Está abierto: {name}, versión {made}. La gente nueva sigue con el de antes."
                )
        elif to == "closed":
            began = forms.front(db)
            plan.close(db, name, now)
            note(db, "cerró la consulta", name)
            told = f"{name} está cerrado: quien llegue por su liga lo sabe ahí mismo."
            if began and began[0] == name:
                told = "La consulta está cerrada: quien escriba por primera vez recibe un aviso."
        else:
            abort(400)
    flash(told)
    return redirect(url_for("forms.page"))
