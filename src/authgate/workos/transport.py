"""The SDK's way out: one long-lived httpx2 client with everything bounded.

What the SDK would make itself follows redirects with the API key in hand, keeps cookies, reads
proxies and `.netrc` from the environment, times each read but never the whole, and reads an answer
of any size. Imported with the SDK and not before (`client`), since it needs httpx2.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2
from workos import HTTPResponse

from authgate.workos.exchange import NOT_JSON, Exchange, Lost, current

CONNECT = 3.0  # seconds; as in `fetch`
MAX_BYTES = 1 << 20
CONNECTIONS = 50


class Transport:
    """The SDK's `AsyncHTTPBackend`. Raises `Lost`, which is none of the SDK's own errors and so
    passes through it unchanged and is not tried again by it."""

    def __init__(self) -> None:
        nowhere = CookieJar(DefaultCookiePolicy(allowed_domains=()))
        self._client = httpx2.AsyncClient(
            verify=ssl.create_default_context(),
            cookies=nowhere,
            follow_redirects=False,
            trust_env=False,
            limits=httpx2.Limits(max_connections=CONNECTIONS),
        )

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str],
        content: bytes | None,
        timeout: float,  # noqa: ASYNC109 (the SDK's own name for it)
    ) -> HTTPResponse:
        """One exchange within `timeout` seconds, connection and body included."""
        try:
            async with asyncio.timeout(timeout):
                return await self._exchange(method, url, headers, content, timeout)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise Lost(type(error).__name__, sent=False) from None
        except (TimeoutError, httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Lost(type(error).__name__) from None

    async def close(self) -> None:
        """End the connections."""
        await self._client.aclose()

    async def _exchange(
        self, method: str, url: str, headers: dict[str, str], content: bytes | None, most: float
    ) -> HTTPResponse:
        plain = {**headers, "Accept": "application/json", "Accept-Encoding": "identity"}
        limits = httpx2.Timeout(most, connect=min(CONNECT, most))
        async with self._client.stream(
            method, url, headers=plain, content=content, timeout=limits
        ) as response:
            data = bytearray()
            async for chunk in response.aiter_bytes():
                data += chunk
                if len(data) > MAX_BYTES:
                    raise Lost("too large")
        _note(response, bytes(data))
        return HTTPResponse(response.status_code, response.headers, bytes(data), method, url)


def _note(response: httpx2.Response, data: bytes) -> None:
    seen = current.get() or Exchange()
    seen.status = response.status_code
    seen.request_id = response.headers.get("x-request-id", "")
    seen.retry_after = response.headers.get("retry-after")
    try:
        seen.body = json.loads(data) if data.strip() else None
    except (ValueError, RecursionError):
        seen.body = NOT_JSON
