"""How the settings of the database are read: where it is, and what may be said of that aloud."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr

from authgate.settings.values import LOOPBACK

_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.ASCII)
# What libpq may be told in the URL. Not `options`: a transaction pooler does not pass it on.
_PARAMETERS = (
    *("application_name", "channel_binding", "connect_timeout", "gssencmode", "hostaddr"),
    *("keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "sslcert"),
    *("sslcrl", "sslkey", "sslmode", "sslnegotiation", "sslrootcert", "target_session_attrs"),
    "tcp_user_timeout",
)
_SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def url(value: SecretStr) -> SecretStr:
    """Where everything is kept: a file of SQLite's, or a database of PostgreSQL's."""
    text = value.get_secret_value()
    if text.startswith("sqlite:///"):
        _check_sqlite(text.removeprefix("sqlite:///"))
    elif text.startswith(("postgresql://", "postgres://")):
        _check_postgres(text)
    else:
        raise ValueError("write sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    return value


def _check_sqlite(path: str) -> None:
    if not path or path == ":memory:" or "?" in path:
        raise ValueError(
            "write the path of a file, without parameters: sqlite:////var/lib/authgate/authgate.db"
        )


def _check_postgres(text: str) -> None:
    # Never with the text itself: the password is in it.
    if (query := _query_of(text)) is None:
        raise ValueError(
            "write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, and in the password %40 for @, "
            "%2F for /, %3A for :, %3F for ?, %23 for # and %25 for %"
        )
    try:
        parameters = dict(parse_qsl(query, strict_parsing=bool(query)))
    except ValueError:
        raise ValueError("write what follows the ? as NAME=VALUE, with & in between") from None
    for name in parameters:
        if name not in _PARAMETERS:
            raise ValueError(
                f"take the parameter {name[:40]!r} out: it is none of {', '.join(_PARAMETERS)}"
            )
    if parameters.get("sslmode", "prefer") not in _SSLMODES:
        raise ValueError(f"sslmode is one of {', '.join(_SSLMODES)}")


def _query_of(text: str) -> str | None:
    """What follows the question mark; None if what comes before it is no address."""
    try:
        parts = urlsplit(text)
        whole = parts.hostname and parts.port != 0 and parts.path[1:] and not parts.fragment
    except ValueError:
        return None
    return parts.query if whole and "/" not in parts.path[1:] else None


def schema(value: str) -> str:
    if not _SCHEMA.fullmatch(value) or value.startswith("pg_") or value == "information_schema":
        raise ValueError(
            "write a name of small letters, digits and _, that PostgreSQL does not use"
        )
    return value


def without_secrets(postgres: str) -> str:
    """Host, port and database of a URL that was checked."""
    parts = urlsplit(postgres)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"PostgreSQL at {host}:{parts.port or 5432}/{unquote(parts.path[1:])}"


def in_the_clear(postgres: str) -> bool:
    """May what is sent there cross a network without TLS?"""
    parts = urlsplit(postgres)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    mode = dict(parse_qsl(parts.query)).get("sslmode", "prefer")
    return mode in _SSLMODES[:3] and not LOOPBACK.fullmatch(host)
