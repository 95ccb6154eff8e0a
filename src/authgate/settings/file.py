"""`authgate.toml`: what may change while the server runs. A missing file says nothing.

Read as a whole or not at all: every problem is told at once, each with its fix, as those of the
settings are. Nothing of it is a secret. `app.live` watches it; who needs a part of it gets a small
policy made from the record.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast

from authgate.protocol import elsewhere, scopes
from authgate.protocol.patterns import is_pattern
from authgate.protocol.rollout import Mode

MAX_SIZE = 262_144
MAX_ENTRIES = 1000  # of one table or list

ToolsList = Literal["all", "filter", "annotate"]


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """What the file says. Cut-offs in seconds since the epoch: the first moment of refusal.

    `changed_at` is when the file was last changed. `tools` keeps the order of the file.
    """

    rollout: Mode | None = None
    supabase_tokens_until: int | None = None
    api_keys_until: int | None = None
    pass_unknown: bool = True
    anonymous_tools: tuple[str, ...] = ()
    anonymous_methods: tuple[str, ...] = ()
    tools: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    tools_list: ToolsList = "all"
    default_scope: tuple[str, ...] = ()
    first_scope: tuple[str, ...] = ()
    implied_scopes: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    changed_at: int = 0

    @property
    def scopes_named(self) -> tuple[str, ...]:
        """Every scope that a client may be told to ask for, or that stands for one."""
        tables = (*self.tools.values(), tuple(self.implied_scopes), *self.implied_scopes.values())
        named = (name for names in tables for name in names)
        return tuple(dict.fromkeys((*self.default_scope, *self.first_scope, *named)))


class FileWrong(Exception):
    """All problems of the file, each a sentence with its name, the key and the fix."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read(path: Path) -> LiveSettings:
    """The file as it is now; raises `FileWrong`, and `FileNotFoundError` if there is none."""
    try:
        if not path.is_file():
            path.stat()
            raise FileWrong([f"{path.name}: it is not a file; put one there, or remove it."])
        with path.open("rb") as file:
            content = file.read(MAX_SIZE + 1)
            changed_at = int(path.stat().st_mtime)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise FileWrong(
            [f"{path.name}: it cannot be read ({type(error).__name__}); mend or remove it."]
        ) from None
    if len(content) > MAX_SIZE:
        raise FileWrong([f"{path.name}: it is larger than {MAX_SIZE} bytes; make it shorter."])
    return parse(content, path.name, changed_at)


def read_if_there(path: Path) -> LiveSettings:
    """The same; a missing file says nothing."""
    try:
        return read(path)
    except FileNotFoundError:
        return LiveSettings()


def parse(content: bytes, name: str, changed_at: int = 0) -> LiveSettings:
    """What the content of a file `name` says; raises `FileWrong`."""
    try:
        document = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        why = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else f"{error}"
        raise FileWrong([f"{name}: this is no TOML: {why}."]) from None
    problems: list[str] = []
    values: dict[str, Any] = {"changed_at": changed_at}
    for spot, value in _spots(document, problems):
        where = ".".join(filter(None, spot))
        try:
            target, reader = _KEYS[spot]
            values[target] = reader(value)
        except ValueError as error:
            problems.append(f"{where}: {error}.")
    if problems:
        raise FileWrong([f"{name}: {problem}" for problem in problems])
    return LiveSettings(**values)


def problems(
    file: LiveSettings, *, name: str, offered: tuple[str, ...], authkit: bool
) -> list[str]:
    """What cannot be together with the settings: scopes that nobody could ever be granted.

    A client that is asked for one would go and get it, come back without it, and be asked again.
    """
    granted = elsewhere.SCOPES if authkit else offered
    missing = " ".join(scope for scope in file.scopes_named if scope not in granted)
    if not missing:
        return []
    fix = (
        f"AuthKit grants {', '.join(elsewhere.SCOPES)} and no other; use those"
        if authkit
        else "add it to AUTHGATE_SCOPES, which has all scopes on offer"
    )
    return [
        f"{name}: tools: no client can ever be granted {missing}, and would ask for it again and "
        f"again; {fix}, or take it out of [tools], [scopes], default_scope and first_scope."
    ]


# --- values ---------------------------------------------------------------------------------------


def _mode(value: object) -> Mode:
    try:
        return Mode(cast(Any, value))
    except ValueError:
        raise ValueError("write off, observe, optional or required") from None


def _until(value: object) -> int:
    """The first moment after a date, which is meant with its whole day (UTC), or of a time."""
    wrong = "write a date, 2027-03-31 (to the end of that day, UTC), or a time with its zone"
    if isinstance(value, str):
        read = date.fromisoformat if len(value) == len("2027-03-31") else datetime.fromisoformat
        try:
            value = read(value)
        except ValueError:
            raise ValueError(wrong) from None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(wrong)
        try:
            return int(value.astimezone(UTC).timestamp())
        except OverflowError:  # it is a time in its zone, and none in UTC, in which it is told
            raise ValueError(wrong) from None
    if not isinstance(value, date) or value == date.max:
        raise ValueError(wrong)
    return int(datetime.combine(value + timedelta(days=1), time(), UTC).timestamp())


def _unknown(value: object) -> bool:
    if value not in ("pass", "refuse"):
        raise ValueError("write pass, or refuse if your server does not judge credentials itself")
    return value == "pass"


def _patterns(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_ENTRIES:
        raise ValueError('write a list of patterns: ["search*", "whoami"]')
    for one in value:
        _check_pattern(one)
    return tuple(dict.fromkeys(value))


def _check_pattern(value: object) -> None:
    if not isinstance(value, str) or not is_pattern(value):
        shown = repr(value)[:40]
        raise ValueError(
            f"{shown} is no pattern; write names of visible ASCII, in which * stands for anything"
        )


def _scopes(value: object) -> tuple[str, ...]:
    names = value.split() if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError('write scope names: "files:read files:write"')
    if not all(scopes.is_token(name) for name in names):
        raise ValueError("a scope name has no spaces, quotes or backslashes in it; write others")
    return tuple(dict.fromkeys(names))


def _tools(value: object) -> Mapping[str, tuple[str, ...]]:
    if not isinstance(value, dict) or len(value) > MAX_ENTRIES:
        raise ValueError('write a table of patterns and scopes: "files_*" = "files:read"')
    for pattern in value:
        _check_pattern(pattern)
    return _lists(value, "pattern")


def _implied(value: object) -> Mapping[str, tuple[str, ...]]:
    if not isinstance(value, dict) or len(value) > MAX_ENTRIES:
        raise ValueError('write a table of scopes and what each stands for: "files" = "files:read"')
    if not all(scopes.is_token(name) for name in value):
        raise ValueError("a scope name has no spaces, quotes or backslashes in it; write others")
    return _lists(value, "name")


def _lists(table: Mapping[str, object], key: str) -> Mapping[str, tuple[str, ...]]:
    """A table whose values are scopes; `key` is what stands before them."""
    found: dict[str, tuple[str, ...]] = {}
    for name, names in table.items():
        if isinstance(names, dict):
            raise ValueError(f'"{name}": put the whole {key} in quotes, dots included')
        try:
            found[name] = _scopes(names)
        except ValueError as error:
            raise ValueError(f'"{name}": {error}') from None
    return MappingProxyType(found)


def _tools_list(value: object) -> str:
    if value not in ("all", "filter", "annotate"):
        raise ValueError("write all, filter or annotate")
    return str(value)


_KEYS: dict[tuple[str, str], tuple[str, Callable[[object], Any]]] = {
    ("", "rollout"): ("rollout", _mode),
    ("", "tools_list"): ("tools_list", _tools_list),
    ("", "default_scope"): ("default_scope", _scopes),
    ("", "first_scope"): ("first_scope", _scopes),
    ("", "tools"): ("tools", _tools),
    ("", "scopes"): ("implied_scopes", _implied),
    ("legacy", "supabase_tokens_until"): ("supabase_tokens_until", _until),
    ("legacy", "api_keys_until"): ("api_keys_until", _until),
    ("legacy", "unknown"): ("pass_unknown", _unknown),
    ("anonymous", "tools"): ("anonymous_tools", _patterns),
    ("anonymous", "methods"): ("anonymous_methods", _patterns),
}
_TABLES = ("legacy", "anonymous")
_WHOLE = ("tools", "scopes")  # tables with names of the operator's own


def _spots(
    document: Mapping[str, Any], problems: list[str]
) -> Iterator[tuple[tuple[str, str], Any]]:
    """Every value with its place; what has none is a problem."""
    for key, value in document.items():
        if key in _TABLES:
            if not isinstance(value, dict):
                problems.append(f"{key}: it is a table; write [{key}] above its lines.")
                continue
            for inner, one in value.items():
                if (key, inner) in _KEYS:
                    yield (key, inner), one
                else:
                    problems.append(f"{key}: there is no {inner!r} in it; {_known(key)}.")
        elif ("", key) in _KEYS:
            yield ("", key), value
        else:
            problems.append(f"there is no {key!r}; {_known('')}.")


def _known(table: str) -> str:
    names = [key for place, key in _KEYS if place == table]
    if not table:
        tables = [f"[{name}]" for name in (*_TABLES, *_WHOLE)]
        names = [name for name in names if name not in _WHOLE] + tables
    return f"it may hold {', '.join(names)}"
