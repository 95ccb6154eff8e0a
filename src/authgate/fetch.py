"""The only outbound HTTP of our own: JSON or a form out, JSON back, everything bounded.

(What the gateway passes on is not ours, and goes by `gateway.upstream`.)

One long-lived session and one TLS context a process, both made at first use: a context costs 17 ms
and a hundred kilobytes, and an authgate that asks nobody should not import aiohttp at all. No
redirect is followed, no cookie kept, no proxy or `.netrc` of the environment used, and nothing of
an answer's body (nor of the request's headers) gets into an exception. Never here: what is asked
and what an answer means; the directories and issuers that own a service know that.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import orjson

from authgate import __version__
from authgate.observe.outbound import answered, calling

if TYPE_CHECKING:
    import aiohttp

TOTAL = 10.0  # seconds, the whole exchange; GoTrue's and WorkOS's own limit, waiting longer is idle
CONNECT = 3.0  # seconds; a host that takes longer to answer a SYN will not be quick afterwards
MAX_BYTES = 1 << 20  # after decompression, so that a small bomb counts as the large one it is
CONNECTIONS = 100

# Never a browser's: Supabase refuses a secret key that comes with one.
USER_AGENT = f"authgate/{__version__}"


class Kind(Enum):
    """How an exchange failed."""

    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    TOO_LARGE = "too large"
    NOT_JSON = "not JSON"


class FetchFailed(Exception):
    """No usable answer. `status` is set if there was one at all, `cause` is the name of a type.

    `sent` False: the request cannot have reached anybody, so that even one that must not happen
    twice may be repeated.
    """

    def __init__(
        self, kind: Kind, *, status: int | None = None, cause: str = "", sent: bool = True
    ) -> None:
        super().__init__(kind.value)
        self.kind = kind
        self.status = status
        self.cause = cause
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Call:
    """One request, with a body of JSON or of a form, never both.

    `url` is sent exactly as written; `total` in seconds.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: object = field(default=None, repr=False)
    total: float = TOTAL
    form: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, redirects and errors too. `body` is None where there was none."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """By lower-case name; of a repeated one, the last."""
    body: object = field(repr=False)


class Fetch:
    """A way out of the process. For one event loop, from the first call to `close`.

    `service` is what its calls are counted as.
    """

    def __init__(
        self, service: str = "other", *, connect: float = CONNECT, max_bytes: int = MAX_BYTES
    ) -> None:
        self._service = service
        self._connect = connect
        self._max_bytes = max_bytes
        self._session: aiohttp.ClientSession | None = None
        self._tls: ssl.SSLContext | None = None
        self._making_tls = asyncio.Lock()
        self._closed = False

    async def json(self, call: Call) -> Answer:
        """Make a call to an address of the operator's settings; raises `FetchFailed`.

        An address that a stranger named must not come here: the call for those will be a method of
        its own beside this one, which resolves the host, refuses special-use addresses and pins
        what it resolved. Operators' own settings may well point at loopback or a private network.
        """
        answer: Answer | FetchFailed
        with calling(self._service) as watched:
            try:
                answer = await self._exchange(call)
                watched.outcome = answered(answer.status)
            except FetchFailed as failed:
                answer = failed
            except Exception as error:
                answer = _translated(error)
        if isinstance(answer, FetchFailed):
            # Raised out here and not in the handler: aiohttp's errors hold the request with its
            # keys, and as the context of ours they would go wherever ours is logged.
            answer.__context__ = None
            raise answer
        return answer

    async def close(self) -> None:
        """End the connections; later calls fail."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _exchange(self, call: Call) -> Answer:
        from aiohttp import ClientTimeout
        from yarl import URL

        kind, body = _body(call)
        headers = {"Accept": "application/json", **call.headers}
        if kind is not None:
            headers["Content-Type"] = kind
        tls = await self._context() if call.url.startswith("https:") else True
        async with self._open().request(
            call.method,
            URL(call.url, encoded=True),
            data=body,
            headers=headers,
            ssl=tls,
            allow_redirects=False,
            timeout=ClientTimeout(total=call.total, sock_connect=self._connect),
        ) as response:
            data = await self._read(response)
            return Answer(
                response.status,
                {name.lower(): value for name, value in response.headers.items()},
                _parsed(data, response.status),
            )

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        data = bytearray()
        async for chunk in response.content.iter_any():
            data += chunk
            if len(data) > self._max_bytes:
                response.close()  # or the rest would be read to keep the connection
                raise FetchFailed(Kind.TOO_LARGE, status=response.status)
        return bytes(data)

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise FetchFailed(Kind.UNREACHABLE, cause="closed", sent=False)
        if self._session is None:
            import aiohttp

            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": USER_AGENT},
                trust_env=False,
            )
        return self._session

    async def _context(self) -> ssl.SSLContext:
        """Made in a thread: reading a hundred certificates would hold everybody else up."""
        async with self._making_tls:
            if self._tls is None:
                self._tls = await asyncio.to_thread(ssl.create_default_context)
            return self._tls


def _body(call: Call) -> tuple[str | None, bytes | None]:
    """The content type and the body (of a form: RFC 6749 appendix B)."""
    if call.form is not None:
        return "application/x-www-form-urlencoded", urlencode(call.form).encode("ascii")
    if call.json is not None:
        return "application/json", orjson.dumps(call.json)
    return None, None


def _parsed(data: bytes, status: int) -> object:
    if not data.strip():
        return None
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        raise FetchFailed(Kind.NOT_JSON, status=status) from None  # the error quotes the text


def _translated(error: Exception) -> FetchFailed:
    """aiohttp's errors as one of ours; what is none of them is a bug and goes its way."""
    import aiohttp

    cause = type(error).__name__
    # Half an answer is no answer, and one that was not HTTP was not JSON either.
    match error:
        case aiohttp.ConnectionTimeoutError():
            return FetchFailed(Kind.TIMEOUT, cause=cause, sent=False)
        case TimeoutError():
            return FetchFailed(Kind.TIMEOUT, cause=cause)
        case aiohttp.ClientConnectorError() | aiohttp.InvalidURL():
            return FetchFailed(Kind.UNREACHABLE, cause=cause, sent=False)
        case aiohttp.ClientResponseError():
            return FetchFailed(Kind.NOT_JSON, cause=cause)
        case aiohttp.ClientError() | OSError():
            return FetchFailed(Kind.UNREACHABLE, cause=cause)
        case _:
            raise error
