"""Translations as they are worked on: what was written or reviewed since a text was published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from dialogs import columns, form_texts, own_words, tables, translations
from dialogs.script import Script
from dialogs.tables import Workbook
from dialogs.translations import DRAFT, REVIEWED, Edit, String
from storage import forms, schema

table = schema.translations
MAYA = "yua"


def now(db: Connection, name: str, language: str) -> list[String]:
    """Every text of a questionnaire's newest version, or of the bot's own words, as it is now.

    Raises LookupError if there is none of that name.
    """
    return translations.merged(_published(db, name, language), edits(db, name, language))


def _published(db: Connection, name: str, language: str) -> list[String]:
    if name in own_words.OWN:
        return own_words.strings(name, language)
    return form_texts.of_form(book(db, name), language)


def book(db: Connection, name: str) -> Workbook:
    """The sheets of a questionnaire's newest version. Raises LookupError if there is none."""
    with TemporaryDirectory() as folder:
        return tables.read(forms.files(db, name, _newest(db, name), Path(folder)))


def _newest(db: Connection, name: str) -> int:
    version = forms.newest(db, name)
    if version is None:
        raise LookupError(f"No questionnaire {name} has been published.")
    return version


def edits(db: Connection, name: str, language: str) -> dict[str, Edit]:
    """What was written or reviewed, by the place of the text."""
    of = select(table).where(table.c.form == name, table.c.language == language)
    return {
        row.place: Edit(row.mark, row.translation, row.audio, row.state, row.by, row.on)
        for row in db.execute(of)
    }


def put(db: Connection, name: str, language: str, changed: Iterable[String]) -> None:
    """Keep texts as they are now written or reviewed."""
    insert = (postgresql if db.dialect.name == "postgresql" else sqlite).insert
    recorded = {each.place for each in _published(db, name, language) if each.audio}
    for string in changed:
        one = {"form": name, "language": language, "place": string.place}
        values = asdict(translations.edit_of(string))
        if not string.audio and string.place in recorded:
            values["audio"] = translations.TAKEN_OUT
        made = insert(table).values(**one, **values)  # of two who save at once, the later stands
        db.execute(made.on_conflict_do_update(index_elements=list(one), set_=values))
    recount(db, name)


def drafts(db: Connection, name: str, file: Path) -> int:
    """Maya texts of a questionnaire's file that nobody has reviewed, in it or here."""
    return translations.unreviewed(
        form_texts.of_form(tables.read(file), MAYA), edits(db, name, MAYA)
    )


def published(db: Connection, name: str) -> None:
    """A new version of a questionnaire was published: what it brings reviewed stands."""
    for language in form_texts.languages(book(db, name)):
        known = edits(db, name, language)
        for string in _published(db, name, language):
            edit = known.get(string.place)
            if edit and translations.superseded(edit, string):
                rule = (table.c.form == name, table.c.language == language)
                db.execute(delete(table).where(*rule, table.c.place == string.place))
    recount(db, name)


def recount(db: Connection, name: str) -> None:
    """Count anew what nobody has reviewed in the newest version of a questionnaire."""
    if name in own_words.OWN:
        return
    left = translations.unreviewed(_published(db, name, MAYA), edits(db, name, MAYA))
    of = (schema.forms.c.name == name, schema.forms.c.version == _newest(db, name))
    db.execute(update(schema.forms).where(*of).values(drafts_accepted=left))


def waiting(db: Connection, name: str) -> int:
    """Texts of a questionnaire that were changed since its newest version was published."""
    languages = form_texts.languages(book(db, name))
    return sum(
        old.translation != new.translation or old.audio != new.audio
        for language in languages
        for old, new in zip(_published(db, name, language), now(db, name, language), strict=True)
    )


def publish(db: Connection, name: str, at: datetime) -> Script:
    """Make a new version of a questionnaire with its translations as they are now; who began with
    an earlier one ends with it. Raises LookupError if there is none of that name."""
    version = _newest(db, name)
    of = (schema.forms.c.name == name, schema.forms.c.version == version)
    row = db.execute(select(schema.forms).where(*of)).one()
    with TemporaryDirectory() as folder:
        path = forms.files(db, name, version, Path(folder))
        sheets = tables.read(path)
        for language in form_texts.languages(sheets):
            sheets = form_texts.into_form(sheets, now(db, name, language), language)
        if path.suffix == ".md":
            path.write_text(tables.to_markdown(sheets), encoding="utf-8")
        else:
            path.unlink()
            path = path.with_suffix(".xlsx")
            tables.to_xlsx(columns.for_odk(sheets), path)
        made = forms.publish(db, path, at, state=row.state, front=row.front)
    db.execute(delete(table).where(table.c.form == name))  # all of them stand in its file now
    return made


def unreviewed(db: Connection) -> int:
    """Maya texts that people read and nobody has reviewed: in the newest versions of what they
    answer, and among the bot's own phrases."""
    outer = schema.forms.alias()
    newest = select(func.max(schema.forms.c.version)).where(schema.forms.c.state != "closed")
    latest = newest.where(schema.forms.c.name == outer.c.name).scalar_subquery()
    count = select(func.coalesce(func.sum(outer.c.drafts_accepted), 0))
    known = reviewed(db)[own_words.PHRASES]
    left = sum(
        phrase.state == DRAFT and phrase.name not in known
        for phrase in own_words.strings(own_words.PHRASES)
    )
    return (db.scalar(count.where(outer.c.version == latest)) or 0) + left


def reviewed(db: Connection) -> Mapping[str, Mapping[str, str]]:
    """The bot's own words that were reviewed here: phrases and commands, by key."""
    found: dict[str, dict[str, str]] = {}
    for name in own_words.OWN:
        known = edits(db, name, MAYA)
        found[name] = {
            each.name: each.translation
            for each in translations.merged(own_words.strings(name), known)
            if each.place in known and each.state == REVIEWED
        }
    return found
