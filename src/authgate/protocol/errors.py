"""Refusals: one reason inside, one sentence outside, one table (`faces`) between.

A rule raises `Refusal(reason, ...)`. Faces of the program never word an error themselves, so the
wire code, the sentence, the hint and the place where it may be shown are decided once.
"""

from __future__ import annotations

from authgate.protocol.faces import FACES
from authgate.protocol.reasons import Face, Reason, Shown

__all__ = ["Face", "Reason", "Refusal", "Shown", "printable"]


class Refusal(Exception):
    """A rule said no. Carries the reason, the fields of its sentence, and nothing secret.

    `retry_after` is in whole seconds, for throttles and outages. `www_authenticate` is the
    challenge to answer with, where the rule that refused knows it. `fields` fill the braces of the
    reason's sentence and hint; one that is missing is a bug, and fails here rather than when the
    answer is written.
    """

    def __init__(
        self,
        reason: Reason,
        *,
        retry_after: int | None = None,
        www_authenticate: str | None = None,
        **fields: str,
    ) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.retry_after = retry_after
        self.www_authenticate = www_authenticate
        self.fields = {name: printable(value) for name, value in fields.items()}
        if retry_after is not None:
            self.fields["retry_after"] = str(retry_after)
        self.sentence = self.face.sentence.format(**self.fields)
        self.hint = self.face.hint.format(**self.fields)

    @property
    def face(self) -> Face:
        return FACES[self.reason]

    @property
    def code(self) -> str:
        return self.face.code


def printable(value: str, limit: int = 120) -> str:
    """`value` in RFC 6749's `error_description` characters, cut at `limit` characters."""
    kept = "".join(c if 0x20 <= ord(c) <= 0x7E and c not in '"\\' else "?" for c in value[:limit])
    return kept if len(value) <= limit else kept + "..."
