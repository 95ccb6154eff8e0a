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
# One of the hosts in a URL: a name, an address, or the folder of a socket, written with %2F.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@/?#]+)(?::([0-9]{1,5}))?", re.ASCII)
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
    except ValueError:
        return None
    # libpq ends the password at the first @, and would name the rest of it as the host.
    hosts = parts.netloc.rpartition("@")[2].split(",") if parts.netloc.count("@") < 2 else [""]
    matches = [_HOST.fullmatch(host) for host in hosts]
    whole = all(m and 0 < int(m[2] or 5432) < 65_536 for m in matches)
    whole = whole and bool(parts.path[1:]) and not parts.fragment
    return parts.query if whole and "/" not in parts.path[1:] else None


def _hosts(postgres: str) -> list[tuple[str, int]]:
    """The hosts of a URL that was checked, in the order in which they are tried."""
    named = urlsplit(postgres).netloc.rpartition("@")[2].split(",")
    found = (_HOST.fullmatch(host) for host in named)
    return [(unquote(m[1]).lower(), int(m[2] or 5432)) for m in found if m]


def schema(value: str) -> str:
    if not _SCHEMA.fullmatch(value) or value.startswith("pg_") or value == "information_schema":
        raise ValueError(
            "write a name of small letters, digits and _, that PostgreSQL does not use"
        )
    return value


def without_secrets(postgres: str) -> str:
    """Hosts, ports and database of a URL that was checked."""
    hosts = ",".join(f"{host}:{port}" for host, port in _hosts(postgres))
    return f"PostgreSQL at {hosts}/{unquote(urlsplit(postgres).path[1:])}"


def in_the_clear(postgres: str) -> bool:
    """May what is sent there cross a network without TLS?"""
    mode = dict(parse_qsl(urlsplit(postgres).query)).get("sslmode", "prefer")
    # A socket is no network.
    far = [h for h, _ in _hosts(postgres) if not h.startswith("/") and not LOOPBACK.fullmatch(h)]
    return mode in _SSLMODES[:3] and bool(far)
