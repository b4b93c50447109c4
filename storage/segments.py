"""Whom an invitation is for: a short expression, compiled to SQL over `people`.

    municipality = 31050 and language = yua and not answered(consulta)
    near(Valladolid, 40) and (age < 30 or role in (specialist, official))

A test is one of
    channel, language, municipality, region, age, gender, role, topic, came_by  = != or in (…)
    age < 30, age >= 18: the whole range of ages that a person chose has to lie there
    region: municipalities that organizers have put together (`consulta forum regions FILE.csv`)
    near(MUNICIPALITY, KM)    the head town lies no further away
    answered(FORM), started(FORM), refused(FORM)    a questionnaire
    chose(QUESTION, CHOICE)    an answer to any question with choices
    rsvp(FORUM) = yes, no, maybe, waiting or none;  invited(FORUM);  attended(FORUM)
and tests are joined by and, or, not and parentheses. A value with spaces is put in quotes.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedInput, v_args
from lark.exceptions import VisitError
from sqlalchemy import ColumnElement, and_, exists, not_, or_, true

from dialogs import replies
from dialogs.faults import Misstated, said
from dialogs.values import LANGUAGES
from storage import schema

GRAMMAR = r"""
    ?start: or_
    ?or_: and_ (_OR and_)*           -> any
    ?and_: not_ (_AND not_)*         -> all
    ?not_: _NOT not_                 -> no
         | "(" or_ ")"
         | NAME SIGN value           -> compare
         | NAME _IN "(" value ("," value)* ")"          -> among
         | NAME "(" value ("," value)* ")"              -> ask
         | NAME "(" value ")" SIGN value                -> reply
    ?value: WORD | QUOTED
    SIGN: ">=" | "<=" | "!=" | "=" | "<" | ">"
    _OR.3: /or\b/i
    _AND.3: /and\b/i
    _NOT.3: /not\b/i
    _IN.3: /in\b/i
    NAME.2: /[^\W\d]\w*/
    WORD.1: /[\w.:+-]+/
    QUOTED: /"[^"]*"|'[^']*'/
    %ignore /\s+/
"""
SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
CHANNELS = ("telegram", "whatsapp", "chat")
ROLES = ("citizen", "specialist", "official", "ayuntamiento", "facilitator")
ANSWERS = ("yes", "no", "maybe", "waiting", "none")
OLDEST = 150
MOST_NAMED = 12  # forums in a sentence
people, responses, answers = schema.people, schema.responses, schema.answers
rsvps, outbox, invitations = schema.rsvps, schema.outbox, schema.invitations


class SegmentError(Misstated):
    """The expression cannot be used."""


@dataclass(frozen=True, slots=True)
class Place:
    """A municipality of the catalogue."""

    name: str
    point: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What the names in an expression stand for."""

    places: Mapping[str, Place] = field(default_factory=dict)  # by the code that answers have
    ages: Sequence[str] = ()  # names of the ranges that people choose from
    topics: Sequence[str] = ()  # questions with that role
    forums: Mapping[str, int] = field(default_factory=dict)  # by name and by number
    regions: Mapping[str, Sequence[str]] = field(default_factory=dict)  # codes by name


def condition(source: str, catalogue: Catalogue) -> ColumnElement[bool]:
    """The condition on `people`; an empty expression is everybody. Raises SegmentError."""
    if not source.strip():
        return true()
    try:
        return _Reader(catalogue).transform(_parser().parse(source))
    except UnexpectedInput as error:
        column = getattr(error, "column", 0)
        near = said("segment_near", words=source[column - 1 : column + 19])
        where = near if column > 0 else said("segment_end")
        raise SegmentError("segment_unreadable", where=where) from None
    except VisitError as error:
        raise error.orig_exc from None


@v_args(inline=True)
class _Reader(Transformer[Token, ColumnElement[bool]]):
    """From the tree to SQL, from the leaves up."""

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__()
        self._known = catalogue

    def any(self, *parts: ColumnElement[bool]) -> ColumnElement[bool]:
        return or_(*parts)

    def all(self, *parts: ColumnElement[bool]) -> ColumnElement[bool]:
        return and_(*parts)

    def no(self, part: ColumnElement[bool]) -> ColumnElement[bool]:
        return not_(part)

    def QUOTED(self, token: Token) -> str:  # noqa: N802 - lark calls it by the token's name
        return str(token)[1:-1]

    def compare(self, name: Token, sign: Token, value: str) -> ColumnElement[bool]:
        if name == "age" and sign in ("<", "<=", ">", ">="):
            return _is(people.c.age, _ages(self._known.ages, sign, _number(value)))
        if sign not in ("=", "!="):
            raise SegmentError("segment_compared", name=str(name))
        found = _field(str(name), [str(value)], self._known)
        return found if sign == "=" else not_(found)

    def among(self, name: Token, *values: str) -> ColumnElement[bool]:
        return _field(str(name), [str(value) for value in values], self._known)

    def ask(self, name: Token, *values: str) -> ColumnElement[bool]:
        given = [str(value) for value in values]
        if name == "near":
            return _near(given, self._known)
        asked = QUESTIONS.get(str(name))
        if asked is None:
            tests = ", ".join(("near", *QUESTIONS))
            raise SegmentError("segment_no_test", name=str(name), tests=tests)
        return asked(given, self._known)

    def reply(self, name: Token, forum: str, sign: Token, value: str) -> ColumnElement[bool]:
        if name != "rsvp" or sign not in ("=", "!="):
            raise SegmentError("segment_no_reply", name=str(name), sign=str(sign))
        found = _rsvp(_forum(str(forum), self._known), str(value))
        return found if sign == "=" else not_(found)


@cache
def _parser() -> Lark:
    """Made when somebody is first called to something: it takes 1 MB."""
    return Lark(GRAMMAR, parser="lalr", maybe_placeholders=False)


def _field(name: str, values: list[str], known: Catalogue) -> ColumnElement[bool]:
    match name:
        case "municipality":
            codes = [_municipality(value, known) for value in values]
            return _is(people.c.municipality, codes)
        case "region":
            return _is(people.c.municipality, _in_regions(values, known))
        case "topic":
            return or_(*(_chose(question, value) for question in known.topics for value in values))
        case "channel":
            return people.c.channel.in_(_one_of(name, values, CHANNELS))
        case "role":
            return people.c.role.in_(_one_of(name, values, ROLES))
        case "language":
            return _is(people.c.language, _one_of(name, values, LANGUAGES))
        case "age" | "gender":
            return _is(people.c[name], values)
        case "came_by":
            mine = and_(responses.c.person_id == people.c.id, responses.c.came_by.in_(values))
            return or_(_is(people.c.came_by, values), _there_is(mine))
    fields = "channel, language, municipality, region, age, gender, role, topic, came_by"
    raise SegmentError("segment_no_field", name=name, fields=fields)


def _there_is(*tests: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(*tests).correlate(people)


def _is(column: ColumnElement[Any], values: Sequence[str]) -> ColumnElement[bool]:
    """Like IN, but false rather than unknown where nothing is known: `not` has to work."""
    return and_(column.is_not(None), column.in_(values))


def _one_of(name: str, values: Sequence[str], known: Sequence[str]) -> Sequence[str]:
    for value in values:
        if value not in known:
            raise SegmentError("segment_no_value", value=value, name=name, known=", ".join(known))
    return values


def _municipality(value: str, known: Catalogue) -> str:
    """The code of a municipality, by its code or name."""
    if value in known.places or not known.places:
        return value
    said = replies.plain(value)
    for code, place in known.places.items():
        if replies.plain(place.name) == said:
            return code
    raise SegmentError("segment_no_town", value=value)


def _in_regions(values: list[str], known: Catalogue) -> list[str]:
    """The municipalities of these regions, named as one likes to type them."""
    plain = {replies.plain(name): codes for name, codes in known.regions.items()}
    found: list[str] = []
    for value in values:
        codes = plain.get(replies.plain(value))
        if codes is None:
            there = ", ".join(known.regions) or said("segment_no_regions")
            raise SegmentError("segment_no_region", value=value, known=there)
        found += codes
    return found


def _near(values: list[str], known: Catalogue) -> ColumnElement[bool]:
    if len(values) != 2:
        raise SegmentError("segment_pair_near")
    centre = known.places.get(_municipality(values[0], known))
    if centre is None or centre.point is None:
        raise SegmentError("segment_nowhere", value=values[0])
    limit, here = _number(values[1]), centre.point
    near = [
        code
        for code, place in known.places.items()
        if place.point and replies.distance(here, place.point) <= limit
    ]
    return _is(people.c.municipality, near)


def _ages(names: Sequence[str], sign: str, limit: float) -> list[str]:
    """The ranges (18_29, 60_mas, menor) that lie wholly on that side."""
    test = SIGNS[sign]
    return [
        name for name in names if (ends := _ends(name)) and all(test(end, limit) for end in ends)
    ]


def _ends(name: str) -> tuple[int, int] | None:
    numbers = [int(number) for number in re.findall(r"\d+", name)]
    match numbers:
        case [low, high]:
            return low, high
        case [low]:
            return low, OLDEST
    return (0, 17) if name == "menor" else None


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise SegmentError("segment_no_number", value=value) from None


def _completed(state: str | None) -> Callable[[list[str], Catalogue], ColumnElement[bool]]:
    def test(values: list[str], _known: Catalogue) -> ColumnElement[bool]:
        mine = and_(responses.c.person_id == people.c.id, responses.c.form == values[0])
        return _there_is(mine if state is None else and_(mine, responses.c.state == state))

    return test


def _chose_any(values: list[str], _known: Catalogue) -> ColumnElement[bool]:
    if len(values) != 2:
        raise SegmentError("segment_pair_chose")
    return _chose(values[0], values[1])


def _chose(question: str, choice: str) -> ColumnElement[bool]:
    standing = and_(answers.c.replaced_at.is_(None), answers.c.aside_at.is_(None))
    mine = and_(responses.c.person_id == people.c.id, answers.c.response_id == responses.c.id)
    named = (" " + answers.c.value + " ").contains(f" {choice} ", autoescape=True)
    return _there_is(mine, answers.c.question == question, standing, named)


def _forum(value: str, known: Catalogue) -> int:
    if value not in known.forums:
        names = [name for name in known.forums if not name.isdecimal()]
        there = ", ".join(names[:MOST_NAMED]) or said("segment_no_forums")
        raise SegmentError("segment_no_forum", value=value, known=there)
    return known.forums[value]


def _rsvp(forum: int, answer: str) -> ColumnElement[bool]:
    _one_of("answer", [answer], ANSWERS)
    mine = and_(rsvps.c.person_id == people.c.id, rsvps.c.forum_id == forum)
    if answer == "none":
        return not_(_there_is(mine, rsvps.c.answer.is_not(None)))
    return _there_is(mine, rsvps.c.answer == answer)


def _attended(values: list[str], known: Catalogue) -> ColumnElement[bool]:
    mine = and_(rsvps.c.person_id == people.c.id, rsvps.c.forum_id == _forum(values[0], known))
    return _there_is(mine, rsvps.c.attended_at.is_not(None))


def _came(values: list[str], known: Catalogue) -> ColumnElement[bool]:
    """Who was there; where no attendance was taken, who had said so."""
    forum = _forum(values[0], known)
    other = rsvps.alias("other")
    taken = exists().where(other.c.forum_id == forum, other.c.attended_at.is_not(None))
    return or_(_attended(values, known), and_(not_(taken), _rsvp(forum, "yes")))


def _invited(values: list[str], known: Catalogue) -> ColumnElement[bool]:
    about = and_(
        invitations.c.forum_id == _forum(values[0], known), invitations.c.purpose == "invitation"
    )
    mine = and_(outbox.c.person_id == people.c.id, outbox.c.invitation_id == invitations.c.id)
    return _there_is(mine, about)


QUESTIONS: Mapping[str, Callable[[list[str], Catalogue], ColumnElement[bool]]] = {
    "answered": _completed("completed"),
    "started": _completed(None),
    "refused": _completed("refused"),
    "chose": _chose_any,
    "attended": _attended,
    "came": _came,
    "invited": _invited,
}
