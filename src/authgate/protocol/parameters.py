"""Request parameters as OAuth reads them (RFC 6749 sections 3.1 and 3.2).

An empty value counts as absent, an unknown name is ignored, a repeated one is an error. `resource`
alone may repeat (RFC 8707 section 2), so its values are kept as a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from authgate.protocol.errors import Reason, Refusal

_NAME = re.compile(r"[a-z_]{1,40}", re.ASCII)

MAX_PARAMETERS = 100
MAX_VALUE_LENGTH = 8192


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one request. `repeated` names what came more than once."""

    values: dict[str, str]
    resources: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()

    def get(self, name: str) -> str | None:
        """The value of `name`, or None when it is absent or empty."""
        return self.values.get(name)

    def refuse_repeated(self) -> None:
        """Raise for the first repeated parameter (RFC 6749 section 3.1: MUST NOT)."""
        if self.repeated:
            raise Refusal(Reason.REQUEST_REPEATED, name=shown(self.repeated[0]))

    def require(self, name: str) -> str:
        """The value of `name`, or the refusal that it is missing."""
        value = self.values.get(name)
        if value is None:
            raise Refusal(Reason.PARAMETER_MISSING, name=name)
        return value


def shown(name: str) -> str:
    """`name` as an error may show it: a stranger's link must not put its own words on our page."""
    return name if _NAME.fullmatch(name) else "(with an unusual name)"


def read(pairs: Iterable[tuple[str, str]]) -> Parameters:
    """Sort decoded name-value pairs into `Parameters`; what no parameter can hold is refused.

    That is a value beyond the limit, a NUL (no database keeps one alike) and half a surrogate pair
    (no encoding has one).
    """
    values: dict[str, str] = {}
    resources: list[str] = []
    repeated: list[str] = []
    for name, value in pairs:
        if len(value) > MAX_VALUE_LENGTH:
            raise Refusal(Reason.PARAMETER_TOO_LONG, name=shown(name), limit=str(MAX_VALUE_LENGTH))
        if not _is_text(name) or not _is_text(value):
            raise Refusal(Reason.REQUEST_MALFORMED, why=f"the parameter {name} is not Unicode text")
        if not value:
            continue
        if name == "resource":
            resources.append(value)
        elif name in values:
            repeated.append(name)
        else:
            values[name] = value
    return Parameters(values, tuple(resources), tuple(repeated))


def _is_text(value: str) -> bool:
    return "\0" not in value and (
        value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value)
    )
