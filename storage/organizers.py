"""Accounts: who may open the organizers' pages, their sessions, and who did what."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from storage import schema
from storage.database import vault_of

Role = Literal["organizer", "analyst", "facilitator", "translator"]
ROLES: tuple[Role, ...] = get_args(Role)

SHORTEST_PASSWORD = 12  # characters; length helps, composition rules do not (NIST SP 800-63B)
LONGEST_PASSWORD = 256  # more would only make the server work
IDLE = timedelta(minutes=45)  # a session that nobody uses
LONGEST = timedelta(hours=12)  # any session: a working day
SEEN = timedelta(minutes=1)  # how exactly the last use is noted
WINDOW = timedelta(minutes=15)  # failed sign-ins are counted over this long
# Failed ones before whoever it is has to wait: of an account from one address, from one address, of
# an account from all. The last is slow: who knows an e-mail does not shut its owner out, but it is
# enough against many machines: 4,800 guesses a day at a password of 12 characters.
MOST = (5, 30, 50)
NOBODY = "alguien sin cuenta"
TOTP_PERIOD = 30  # seconds (RFC 6238)

organizers, sessions, sign_ins = schema.organizers, schema.sessions, schema.sign_ins


class AccountError(ValueError):
    """Why an account cannot be made or changed, and what to do."""


@dataclass(frozen=True, slots=True)
class Organizer:
    """Somebody with an account."""

    id: int
    email: str
    name: str
    role: Role
    totp: bool
    created_at: datetime
    signed_in_at: datetime | None
    closed_at: datetime | None


def add(db: Connection, email: str, name: str, role: str, password: str, at: datetime) -> Organizer:
    """A new account. Raises AccountError."""
    email = _checked(email, role)
    if db.scalar(select(organizers.c.id).where(organizers.c.email == email)):
        raise AccountError(f"{email} ya tiene una cuenta.")
    values = {
        "email": email,
        "name": name.strip() or email.partition("@")[0],
        "role": role,
        "password": _hashed(password),
        "created_at": at,
    }
    db.execute(insert(organizers).values(values))
    return by_email(db, email)


def _checked(email: str, role: str) -> str:
    email = email.strip().lower()
    before, _, domain = email.partition("@")
    if not before or not domain or " " in email or len(email) > 254:
        raise AccountError(f"«{email}» no es un correo. Escríbelo completo: nombre@dependencia.mx")
    if role not in ROLES:
        raise AccountError(f"El papel «{role}» no existe. Usa uno de: {', '.join(ROLES)}.")
    return email


def _hashed(password: str) -> str:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise AccountError(
            f"La contraseña tiene {len(password)} caracteres; usa de {SHORTEST_PASSWORD} a "
            f"{LONGEST_PASSWORD}. Una frase de cuatro palabras sirve."
        )
    return PasswordHasher().hash(password)


def _organizer(row: Row[tuple[object, ...]]) -> Organizer:
    found = row._mapping
    given = {name: found[name] for name in ("id", "email", "name", "role", "created_at")}
    return Organizer(
        **given,
        totp=found["totp"] is not None,
        signed_in_at=found["signed_in_at"],
        closed_at=found["closed_at"],
    )


def by_email(db: Connection, email: str) -> Organizer:
    """Raises LookupError if nobody has this account."""
    row = db.execute(select(organizers).where(organizers.c.email == email.lower())).one_or_none()
    if row is None:
        raise LookupError(f"Nadie tiene la cuenta {email}.")
    return _organizer(row)


def everybody(db: Connection) -> list[Organizer]:
    rows = db.execute(select(organizers).order_by(organizers.c.closed_at, organizers.c.name))
    return sorted(map(_organizer, rows), key=lambda each: (each.closed_at is not None, each.name))


def keys(db: Connection) -> int:
    """How many accounts could still open and close accounts."""
    rule = (organizers.c.role == "organizer", organizers.c.closed_at.is_(None))
    return db.scalar(select(func.count()).select_from(organizers).where(*rule)) or 0


# signing in


def enter(
    db: Connection, email: str, password: str, code: str, address: str, now: datetime
) -> Organizer | None:
    """The account these open; None if they do not. A failure is counted, and one looks as another.

    Raises AccountError after too many: then nothing is compared at all.
    """
    marks = _marks(db, email.strip().lower(), address)
    _refuse_too_many(db, marks, now)
    row = db.execute(
        select(organizers).where(organizers.c.email == email.strip().lower())
    ).one_or_none()
    known = row is not None and row.closed_at is None
    right = _matches(row.password if row is not None and known else None, password)
    if row is None or not known or not right or not _code_is_right(db, row, code, now):
        _failed(db, marks, row.email if row is not None else "", "no pudo entrar", now)
        return None
    db.execute(delete(sign_ins).where(sign_ins.c.who.in_((marks[0], marks[2]))))
    db.execute(update(organizers).where(organizers.c.id == row.id).values(signed_in_at=now))
    return _organizer(row)


def proves(db: Connection, who: Organizer, password: str, address: str, now: datetime) -> bool:
    """Whether who is signed in knows the password; failures count like those at the door.

    Raises AccountError after too many.
    """
    marks = _marks(db, who.email, address)
    _refuse_too_many(db, marks, now)
    stored = select(organizers.c.password).where(organizers.c.id == who.id)
    right = _matches(db.scalar(stored), password)
    if not right:
        _failed(db, marks, who.email, "dio mal su contraseña", now)
    return right


def _failed(db: Connection, marks: Sequence[bytes], email: str, action: str, now: datetime) -> None:
    """Count a failure and write it down, and also when there may be no more for a while.

    What was typed for an account that does not exist is not: it may be a password.
    """
    db.execute(insert(sign_ins), [{"who": mark, "at": now} for mark in marks])
    if email:
        note(db, email, action, "", now)
    if any(_count(db, mark) >= most for mark, most in zip(marks, MOST, strict=True)):
        note(db, email or NOBODY, "tiene que esperar", "demasiados intentos seguidos", now)


def _marks(db: Connection, email: str, address: str) -> tuple[bytes, bytes, bytes]:
    """Whose failures are counted, in the order of `MOST`."""
    vault, account = vault_of(db), f"account:{email[:254]}"
    return (
        vault.seal("sign_ins.who", f"{account} from {address}"),
        vault.seal("sign_ins.who", f"address:{address}"),
        vault.seal("sign_ins.who", account),
    )


def _refuse_too_many(db: Connection, marks: Sequence[bytes], now: datetime) -> None:
    db.execute(delete(sign_ins).where(sign_ins.c.at < now - WINDOW))
    for mark, most in zip(marks, MOST, strict=True):
        if _count(db, mark) >= most:
            minutes = int(WINDOW.total_seconds() // 60)
            raise AccountError(f"Demasiados intentos seguidos. Espera {minutes} minutos y prueba.")


def _count(db: Connection, mark: bytes) -> int:
    return db.scalar(select(func.count()).where(sign_ins.c.who == mark)) or 0


def _matches(stored: str | None, password: str) -> bool:
    """Whether the password is right; where there is no account, as much work is done."""
    hasher = PasswordHasher()
    if stored is None or len(password) > LONGEST_PASSWORD:
        hasher.hash("nobody has this password")
        return False
    try:
        return hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def _code_is_right(db: Connection, row: Row[tuple[object, ...]], code: str, now: datetime) -> bool:
    """Whether the app's code is right, or none is needed; each is good once."""
    found = row._mapping
    if found["totp"] is None:
        return True
    totp = pyotp.TOTP(vault_of(db).show("organizers.totp", found["totp"]))
    step = _step(totp, code, now)
    if step is None or step <= (found["totp_step"] or 0):
        return False
    db.execute(update(organizers).where(organizers.c.id == found["id"]).values(totp_step=step))
    return True


def _step(totp: pyotp.TOTP, code: str, now: datetime) -> int | None:
    """Which half-minute a code belongs to: this one, or one beside it; clocks differ."""
    given = "".join(code.split())
    current = int(now.timestamp()) // TOTP_PERIOD
    for step in (current, current - 1, current + 1):
        if secrets.compare_digest(totp.generate_otp(step).encode(), given.encode()):
            return step
    return None


# sessions


def begin(db: Connection, organizer_id: int, now: datetime) -> str:
    """A new session; its token is in the browser only."""
    token = secrets.token_urlsafe(32)
    values = {"key": _key(token), "organizer_id": organizer_id, "began_at": now, "seen_at": now}
    db.execute(delete(sessions).where(sessions.c.seen_at < now - LONGEST))
    db.execute(insert(sessions).values(values))
    return token


def _key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def present(db: Connection, token: str, now: datetime) -> tuple[Organizer, bool] | None:
    """Whose session this is, and whether its use should be noted; None once it has ended."""
    statement = (
        select(organizers, sessions.c.seen_at)
        .join(sessions, sessions.c.organizer_id == organizers.c.id)
        .where(sessions.c.key == _key(token), organizers.c.closed_at.is_(None))
        .where(sessions.c.seen_at > now - IDLE, sessions.c.began_at > now - LONGEST)
    )
    row = db.execute(statement).one_or_none()
    return (_organizer(row), now - row.seen_at > SEEN) if row else None


def touch(db: Connection, token: str, now: datetime) -> None:
    """The session is in use."""
    db.execute(update(sessions).where(sessions.c.key == _key(token)).values(seen_at=now))


def leave(db: Connection, token: str) -> None:
    """End one session."""
    db.execute(delete(sessions).where(sessions.c.key == _key(token)))


def leave_everywhere(db: Connection, organizer_id: int, *, but: str = "") -> None:
    """End every session of an account, but for the one with this token."""
    mine = sessions.c.organizer_id == organizer_id
    db.execute(delete(sessions).where(mine, sessions.c.key != _key(but)))


# changes


def change_password(db: Connection, organizer_id: int, password: str) -> None:
    """Raises AccountError if it is too short or too long."""
    values = {"password": _hashed(password)}
    db.execute(update(organizers).where(organizers.c.id == organizer_id).values(values))


def set_totp(db: Connection, organizer_id: int, secret: str, code: str, now: datetime) -> None:
    """Ask for an app's code from now on. Raises AccountError unless this code proves the app."""
    step = _step(pyotp.TOTP(secret), code, now)
    if step is None:
        raise AccountError("El código no coincide. Escribe el que la aplicación muestra ahora.")
    hidden = vault_of(db).hide("organizers.totp", secret)
    values = {"totp": hidden, "totp_step": step}
    db.execute(update(organizers).where(organizers.c.id == organizer_id).values(values))


def drop_totp(db: Connection, organizer_id: int) -> None:
    values = {"totp": None, "totp_step": None}
    db.execute(update(organizers).where(organizers.c.id == organizer_id).values(values))


def change_role(db: Connection, organizer_id: int, role: str) -> None:
    """Raises AccountError if the role is unknown, or nobody could open accounts any more."""
    if role not in ROLES:
        raise AccountError(f"El papel «{role}» no existe.")
    db.execute(update(organizers).where(organizers.c.id == organizer_id).values(role=role))
    _keep_one(db)


def close(db: Connection, organizer_id: int, at: datetime | None) -> None:
    """The account may not sign in any more; None: it may again."""
    db.execute(update(organizers).where(organizers.c.id == organizer_id).values(closed_at=at))
    leave_everywhere(db, organizer_id)
    _keep_one(db)


def _keep_one(db: Connection) -> None:
    if not keys(db):
        raise AccountError("Debe quedar al menos una cuenta de organización abierta.")


# who did what


def note(db: Connection, who: str, action: str, about: str, at: datetime) -> None:
    """Write down what somebody did; never what a citizen said."""
    db.execute(insert(schema.audit).values(who=who, action=action, about=about[:500], at=at))


def noted(
    db: Connection, before: int | None = None, who: str = "", limit: int = 100
) -> list[Row[tuple[object, ...]]]:
    """What was done, newest first: the page that ends before a row."""
    audit = schema.audit
    statement = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(audit.c.id < before)
    if who:
        statement = statement.where(audit.c.who == who)
    return list(db.execute(statement))
