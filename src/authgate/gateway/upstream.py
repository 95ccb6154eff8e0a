"""The connections to the upstream, and what their troubles are called.

Beside `fetch`, which asks for documents, this is the other way out: it reads nothing that it
passes. One pool for the process's life; a connection that is being used is nobody else's, so no
caller waits behind another's stream. No redirect is followed, no cookie kept, nothing decompressed,
and no proxy or `.netrc` of the environment used.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from authgate.observe import log
from authgate.observe.outbound import answered, calling
from authgate.protocol.errors import Reason, Refusal
from authgate.web.sockets import watch_peer

CONNECT = 3.0  # seconds; whoever is up answers a SYN at once
# Below the five seconds after which the usual servers close an idle connection: a POST sent on one
# that is just being closed would be lost, and must not be sent twice.
KEEP_ALIVE = 3.0
BUFFER = 65_536  # bytes read ahead of a slow client; with what arrives at once, about 512 KiB each
HEADER_LIMIT = 16_384
PIECE = 1 << 18  # bytes


class Upstream:
    """One MCP server over HTTP. For one event loop, from the first request to `close`."""

    def __init__(self, url: str, *, connect: float = CONNECT) -> None:
        self.url = URL(url, encoded=True)
        self._connect = connect
        self._session: aiohttp.ClientSession | None = None
        self._making = asyncio.Lock()

    async def ask(
        self,
        method: str,
        url: URL,
        headers: Sequence[tuple[str, str]],
        body: bytes | AsyncIterator[bytes] | None,
    ) -> aiohttp.ClientResponse:
        """Send a request; the answer once its head is here, however long. Raises `Refusal`.

        Closing the answer (or cancelling this) closes the connection, which is how the upstream
        learns that nobody waits any more.
        """
        session = self._session or await self._open()
        if isinstance(body, bytes) and len(body) > PIECE:  # the library takes it in pieces only
            headers = [*headers, ("content-length", str(len(body)))]
            body = _pieces(body)
        try:
            with calling("upstream") as watched:
                response = await session.request(
                    method, url, headers=headers, data=body, allow_redirects=False
                )
                watched.outcome = answered(response.status)
                return response
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            refusal = self._refusal(error)
            log.warning(
                f"upstream.{refusal.reason.value.removeprefix('upstream_')}",
                error=type(error).__name__,
                host=self.url.host,
                port=self.url.port,
            )
        except ValueError:
            refusal = Refusal(Reason.REQUEST_MALFORMED, why="a header holds control characters")
        # Out here: aiohttp's errors hold the whole request, and would follow ours wherever it goes.
        raise refusal

    def _refusal(self, error: BaseException) -> Refusal:
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            return Refusal(Reason.UPSTREAM_UNREACHABLE)
        return Refusal(Reason.UPSTREAM_BROKEN)

    async def close(self) -> None:
        """End all connections; a later request would begin afresh."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _open(self) -> aiohttp.ClientSession:
        async with self._making:
            if self._session is None:
                tls: ssl.SSLContext | bool = True
                if self.url.scheme == "https":  # in a thread: it reads a hundred certificates
                    tls = await asyncio.to_thread(ssl.create_default_context)
                self._session = self._new_session(tls)
            return self._session

    def _new_session(self, tls: ssl.SSLContext | bool) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,  # `slots` decides, and tells who has to wait
                ssl=tls,
                keepalive_timeout=KEEP_ALIVE,
                socket_factory=_socket,
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect),
            cookie_jar=aiohttp.DummyCookieJar(),
            request_class=_AsGiven,
            auto_decompress=False,
            read_bufsize=BUFFER,
            max_line_size=HEADER_LIMIT,
            max_field_size=HEADER_LIMIT,
            trust_env=False,
        )


class _AsGiven(aiohttp.ClientRequest):
    """Adds nothing but Host and the framing: what the client did not say, nobody says for it.

    GET and DELETE it sends once more on a new connection if a kept one turned out to be dead, and
    a POST never (RFC 9110 section 9.2.2): that is the library's own rule.
    """

    def update_headers(self, headers: Any) -> None:
        """All at once behind Host, of which the library would look for another one in each."""
        self.headers = CIMultiDict([("Host", str(self.url.host_port_subcomponent))])
        self.headers.extend(headers)

    def update_auto_headers(self, skip_auto_headers: Iterable[str] | None) -> None:
        self._skip_auto_headers = _NONE

    def update_cookies(self, cookies: object) -> None:
        """Cookies are headers here like any other."""


_NONE: CIMultiDict[None] = CIMultiDict({"content-type": None})


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), PIECE):
        yield body[start : start + PIECE]


def _socket(address: Any) -> socket.socket:
    """A socket whose peer is asked for a sign of life when it has been silent."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    watch_peer(made)
    return made
