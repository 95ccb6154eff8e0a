"""Writing answers: one writer for JSON, one for refusals, so that no handler words an error."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from authgate.observe import about, log
from authgate.protocol.errors import Reason, Refusal
from authgate.web.request import Send

Header = tuple[bytes, bytes]

NO_STORE: tuple[Header, ...] = ((b"cache-control", b"no-store"), (b"pragma", b"no-cache"))
JSON_TYPE: Header = (b"content-type", b"application/json")
NOSNIFF: Header = (b"x-content-type-options", b"nosniff")


class AnswerCut(Exception):
    """Half an answer is out and the rest will not come: only closing the connection tells.

    Raised through the server, which closes it; why was logged by whoever raised it.
    """


@dataclass(slots=True)
class Answer:
    """An HTTP answer, complete. `headers` need no content-length: the writer adds it."""

    status: int
    body: bytes = b""
    headers: list[Header] = field(default_factory=list)

    async def send(self, send: Send) -> None:
        """Send it, with an empty body where the status allows none."""
        headers = [*self.headers, (b"content-length", str(len(self.body)).encode())]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def json_answer(status: int, payload: object, extra: Sequence[Header] = ()) -> Answer:
    """A JSON answer that nobody may cache (RFC 6749 section 5.1)."""
    return Answer(status, orjson.dumps(payload), [JSON_TYPE, NOSNIFF, *NO_STORE, *extra])


def document(body: bytes, max_age: int) -> Answer:
    """A public JSON document made once, cacheable for `max_age` seconds."""
    cache = f"public, max-age={max_age}".encode()
    return Answer(200, body, [JSON_TYPE, NOSNIFF, (b"cache-control", cache)])


def see_other(url: str, extra: Sequence[Header] = ()) -> Answer:
    """303: the browser fetches `url` with GET, whatever it sent before (OAuth 2.1, 7.5.3)."""
    location = (b"location", url.encode("ascii"))
    return Answer(303, b"", [location, *NO_STORE, (b"referrer-policy", b"no-referrer"), *extra])


def refusal_headers(refusal: Refusal) -> list[Header]:
    """The headers a refusal asks for, whatever form its body takes."""
    headers: list[Header] = []
    if refusal.retry_after is not None:
        headers.append((b"retry-after", str(max(1, refusal.retry_after)).encode()))
    if refusal.www_authenticate is not None:
        headers.append((b"www-authenticate", refusal.www_authenticate.encode("ascii")))
    if refusal.reason is Reason.METHOD_NOT_ALLOWED:
        headers.append((b"allow", refusal.fields["allowed"].encode("ascii")))
    return headers


def refusal_body(refusal: Refusal) -> dict[str, str]:
    """The JSON form of a refusal (RFC 6749 section 5.2), with the hint what to do next."""
    return {
        "error": refusal.code,
        "error_description": refusal.sentence,
        "hint": refusal.hint,
    }


def refusal_answer(refusal: Refusal) -> Answer:
    """The machine-facing answer to a refusal."""
    return json_answer(refusal.face.status, refusal_body(refusal), refusal_headers(refusal))


def unforeseen(
    event: str,
    scope: Mapping[str, Any],
    caught: Exception,
    write: Callable[[Refusal], Answer] = refusal_answer,
) -> Answer:
    """The answer to what nobody foresaw: a bug must not become a traceback outside.

    The log has where it happened, as `event`; the caller has the id of that line, and not a word of
    detail. `write` is how a refusal is written where this one happened.
    """
    known = about.request_id()
    request_id = known or secrets.token_hex(8)
    log.fault(event, scope, caught, request_id)
    answer = write(Refusal(Reason.INTERNAL))
    if known is None:  # else every answer has it (`web.watching`)
        answer.headers.append((b"x-request-id", request_id.encode()))
    return answer
