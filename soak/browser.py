"""A browser with a person before it: keeps cookies, follows redirects, fills in forms."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urlencode, urlsplit

from soak.book import Book, Wanted
from soak.wire import Pool, Reply
from tests.live import Person

CALLBACK = "https://app.example/callback"
MOST_STEPS = 6

_NAVIGATES = {
    "accept": "text/html,application/xhtml+xml",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
}
_POSTS = {
    **_NAVIGATES,
    "content-type": "application/x-www-form-urlencoded",
    "origin": "null",
    "sec-fetch-site": "same-origin",
}
_REDIRECTED = Wanted(303)


@dataclass(slots=True)
class Browser:
    """One browser profile; the session of its person stays for the next walk."""

    book: Book
    pool: Pool
    person: Person
    cookies: dict[str, str] = field(default_factory=dict, repr=False)

    async def walk(self, question: str, *, mistyped: bool, approves: bool = True) -> str | None:
        """Open the address of an authorization request; the callback with the answer.

        `mistyped`: the first password is a wrong one. None where the way ended before (noted).
        """
        at = await self._begin(question)
        for _ in range(MOST_STEPS):
            if at is None or at.startswith(CALLBACK):
                return at
            page = await self._get("page", at, Wanted(200, b"<form"))
            if page is None:
                return None
            if b'action="/oauth/sign-in"' in page.body:
                at = await self._sign_in(page, mistyped)
            else:
                at = await self._decide(page, approves)
        self.book.wrong(f"page: still asked after {MOST_STEPS} pages")
        return None

    async def again(self, question: str) -> str | None:
        """The same where this person is signed in and has allowed this client before: no page."""
        at = await self._begin(question)
        done = await self._get("page, remembered", at, _REDIRECTED) if at else None
        return done.headers["location"] if done else None

    async def _begin(self, question: str) -> str | None:
        begun = await self._get("authorize", question, _REDIRECTED, site="none")
        if begun is None:
            return None
        self.book.made["authorization_requests"] += 1
        return begun.headers["location"]

    async def _sign_in(self, page: Reply, mistyped: bool) -> str | None:
        if mistyped:
            wrong = self._post("/oauth/sign-in", page, password="not it, alas")
            refused = await self.book.answered(
                "wrong password", wrong, Wanted(401, b'name="password"')
            )
            if refused is None:
                return None
            page = refused
        right = self._post("/oauth/sign-in", page, password=self.person.password)
        done = await self.book.answered("sign-in", right, _REDIRECTED)
        if done is None:
            return None
        self.book.made["sessions"] += 1
        return done.headers["location"]

    async def _decide(self, page: Reply, approves: bool) -> str | None:
        decision = "approve" if approves else "deny"
        posted = self._post("/oauth/consent", page, decision=decision)
        done = await self.book.answered(f"consent, {decision}", posted, _REDIRECTED)
        return done.headers["location"] if done else None

    async def _get(
        self, kind: str, at: str, wanted: Wanted, site: str = "same-origin"
    ) -> Reply | None:
        headers = {**_NAVIGATES, "sec-fetch-site": site, **self._cookie()}
        return await self.book.answered(kind, self._kept("GET", _path(at), b"", headers), wanted)

    async def _post(self, path: str, page: Reply, **typed: str) -> Reply:
        form = {**hidden(page.body.decode(), path), **typed}
        if "password" in typed:
            form["username"] = self.person.email
        return await self._kept(
            "POST", path, urlencode(form).encode(), {**_POSTS, **self._cookie()}
        )

    async def _kept(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        reply = await self.pool.ask(method, path, body, headers)
        for line in reply.cookies:
            name, _, value = line.split(";", 1)[0].partition("=")
            self.cookies[name] = value
        return reply

    def _cookie(self) -> dict[str, str]:
        if not self.cookies:
            return {}
        return {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}


def hidden(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the form that posts to `action`."""
    fields = {}
    for form in re.findall(r"<form.*?</form>", page, re.DOTALL):
        if f'action="{action}"' in form:
            for tag in re.findall(r'<input type="hidden"[^>]*>', form):
                named = dict(re.findall(r'([a-z-]+)="([^"]*)"', tag))
                fields[named["name"]] = unescape(named["value"])
    return fields


def _path(at: str) -> str:
    parts = urlsplit(at)
    return parts.path + (f"?{parts.query}" if parts.query else "")
