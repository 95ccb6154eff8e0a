"""A person's browser before the stand-in's pages: cookies, redirects, one link or button at a time.

async with Browser() as browser:
    await browser.open(url, until="http://127.0.0.1:9/callback")
    await browser.pick("Octo")      # at the fake GitHub or Google
    await browser.decide("approve")  # at AuthKit's consent page
    browser.answer                   # the query that came to the callback
"""

from __future__ import annotations

import re
from html import unescape
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

import aiohttp
from yarl import URL

LINK = re.compile(r'href="([^"]+)"[^>]*>([^<]+)<')
FIELD = re.compile(r'name="([^"]+)" value="([^"]*)">')
ACTION = re.compile(r'<form method="post" action="([^"]+)"')
MOST_HOPS = 10


class Browser:
    """Stops before `until` and keeps the URL that it would have opened."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 0
        self.text = ""
        self.until = ""
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # Cookies of IP addresses count: the stand-in lives on one.
        self._http = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True), timeout=aiohttp.ClientTimeout(total=10)
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._http is not None
        await self._http.close()

    @property
    def answer(self) -> dict[str, str]:
        """The parameters of the URL where the browser stands."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.url).query).items()}

    async def open(self, url: str, *, until: str = "") -> Self:
        self.until = until or self.until
        return await self._travel("GET", url, None)

    async def pick(self, name: str) -> Self:
        """Press the link of that text."""
        links = {text: unescape(href) for href, text in LINK.findall(self.text)}
        assert name in links, f"no link {name} at {self.url}: {self.text}"
        return await self._travel("GET", links[name], None)

    async def decide(self, decision: str, **chosen: str) -> Self:
        """Press a button of the consent form."""
        action = ACTION.search(self.text)
        assert action is not None, f"no form at {self.url}: {self.text}"
        fields = dict(FIELD.findall(self.text))
        return await self._travel("POST", action[1], {**fields, **chosen, "decision": decision})

    async def _travel(self, method: str, url: str, form: dict[str, str] | None) -> Self:
        assert self._http is not None
        for _ in range(MOST_HOPS):
            self.url = str(URL(self.url).join(URL(url, encoded=True))) if self.url else url
            if self.until and self.url.startswith(self.until):
                return self
            target = URL(self.url, encoded=True)
            async with self._http.request(
                method, target, data=form, allow_redirects=False
            ) as answer:
                self.status, self.text = answer.status, await answer.text()
                url = answer.headers.get("Location", "")
            if self.status not in (301, 302, 303, 307, 308):
                return self
            method, form = "GET", None
        raise AssertionError(f"more than {MOST_HOPS} redirects, last to {url}")
