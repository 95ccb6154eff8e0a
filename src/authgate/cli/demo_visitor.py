"""A person with a browser, played by a script: opens the page, fills the form, presses the button.

It knows no more than a person sees: forms and links as they stand in the HTML, cookies, redirects.
There is no back door in the server for it. `authgate demo` sends it where a real client would send
a browser; tests may do the same. Never here: what the OAuth client does with the answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2

from authgate.cli.demo_page import Form, Page, read

MOST_PAGES = 6
MOST_HOPS = 10


class VisitorLost(Exception):
    """The visitor came to a page where nothing is left to do; the text says which."""


@dataclass(frozen=True, slots=True)
class Move:
    """One navigation with its redirects on one site, for whoever watches.

    `address` is a path on the visitor's home site, and a URL elsewhere; never with the
    query, which holds secrets. `then` is a page's title, the URL back to the client, or the URL of
    the other site that it goes on to.
    """

    method: str
    address: str
    status: int
    seconds: float
    ended: Literal["page", "back", "on"]
    then: str

    @property
    def elsewhere(self) -> bool:
        return not self.address.startswith("/")


@dataclass(frozen=True, slots=True)
class Provider:
    """Where the person signs in instead of typing a password to us.

    `sites` are the origins that a script may visit on the way: the project's, which plays the
    provider itself if it is a stand-in. The real GitHub's is not among them.
    """

    label: str
    sites: frozenset[str]


class Visitor:
    """One browser with one person before it. Cookies last as long as the visitor.

    `home` is the site whose pages are ours; the one where the visitor begins if left out.
    """

    def __init__(
        self,
        email: str,
        password: str,
        watch: Callable[[Move], None] | None = None,
        code: Callable[[], str] | None = None,
        provider: Provider | None = None,
        *,
        home: str = "",
    ) -> None:
        self.email = email
        self.password = password
        self._code = code
        self._provider = provider
        self._given_home = home
        self._home = home
        self._watch = watch or (lambda move: None)
        # trust_env: a proxy of this machine has nothing to do with a server on loopback.
        self._browser = httpx2.Client(follow_redirects=False, trust_env=False, timeout=15)

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.close()

    def follow(self, authorization_url: str) -> str:
        """Sign in and allow; the redirect back to the client, which is not followed."""
        self._home = self._given_home or _site(authorization_url)
        query = parse_qs(urlsplit(authorization_url).query)
        back = query.get("redirect_uri", [""])[0]
        arrived = self._go("GET", authorization_url, None, back)
        for _ in range(MOST_PAGES):
            if isinstance(arrived, str):
                return arrived
            arrived = self._act(arrived, back)
        raise VisitorLost(f"more than {MOST_PAGES} pages and still no way back to {back}")

    def _act(self, page: Page, back: str) -> Page | str:
        """What a person does here: allow if that can be done, else sign in, in one step or more."""
        # What a provider's page asks for is for its own people to answer: there, one link alone.
        forms = page.forms if self._provider is None or self._is_home(page) else ()
        for form in forms:
            button = form.button_with("approve")
            if button is not None:
                return self._submit(page, form, dict([button]), back)
        href = self._link(page)
        if href is not None and page.status < 400:
            return self._go("GET", urljoin(page.url, href), None, back)
        for form in forms:
            if form.asks_password and self._provider is None and page.status < 400:
                return self._submit(page, form, self._credentials(form), back)
        for form in forms:
            if form.asks_code and self._code is not None and page.status < 400:
                return self._submit(page, form, {"code": self._code()}, back)
        raise VisitorLost(
            f"“{page.title}” ({page.status}) at {_bare(page.url)} {self._lacks(page)}"
        )

    def _link(self, page: Page) -> str | None:
        """What to press on the way to the provider: its name with us, the own name with it."""
        if self._provider is None:
            return None
        own_words = f"Continue with {self._provider.label}"
        return page.link(own_words if self._is_home(page) else self.email)

    def _lacks(self, page: Page) -> str:
        if self._provider is None:
            return "offers no way on"
        if self._is_home(page):
            return f"offers no “Continue with {self._provider.label}”, and no other way on"
        return f"does not know {self.email}"

    def _is_home(self, page: Page) -> bool:
        return _site(page.url) == self._home

    def _credentials(self, form: Form) -> dict[str, str]:
        filled = {}
        for name, kind in form.types.items():
            if kind == "password":
                filled[name] = self.password
            elif kind in ("text", "email") and not filled:
                filled[name] = self.email
        return filled

    def _submit(self, page: Page, form: Form, more: dict[str, str], back: str) -> Page | str:
        return self._go(form.method, urljoin(page.url, form.action), {**form.fields, **more}, back)

    def _go(self, method: str, url: str, data: dict[str, str] | None, back: str) -> Page | str:
        """One navigation: the page where its redirects end, or the URL that leads back."""
        self._refuse_unless_open(url)
        leg = _Leg(method, self._address(url))
        for _ in range(MOST_HOPS):
            answer = self._browser.request(method, url, data=data)
            leg.status = leg.status or answer.status_code
            where = answer.headers.get("location")
            if not answer.is_redirect or where is None:
                page = read(str(answer.url), answer.status_code, answer.text)
                self._watch(leg.move("page", page.title))
                return page
            last, url = url, urljoin(url, where)
            if back and _bare(url) == _bare(back):
                self._watch(leg.move("back", url))
                return url
            if _site(url) != _site(last):
                self._watch(leg.move("on", _bare(url)))
                self._refuse_unless_open(url)
                leg = _Leg("GET", self._address(url))
            method, data = "GET", None
        raise VisitorLost(f"more than {MOST_HOPS} redirects, the last one to {_bare(url)}")

    def _address(self, url: str) -> str:
        return urlsplit(url).path if _site(url) == self._home else _bare(url)

    def _refuse_unless_open(self, url: str) -> None:
        """Stop before a real provider: what it asks of a person is not for scripts to answer."""
        site, provider = _site(url), self._provider
        if provider is None or site == self._home or site in provider.sites:
            return
        raise VisitorLost(
            f"the way by {provider.label} leads to {site}, where only a person with a browser gets "
            f"on. Try it with yours: start authgate serve, connect your MCP client to it, and "
            f"choose “Continue with {provider.label}” on the page that opens."
        )


class _Leg:
    """The part of a navigation that one site answers, while it lasts."""

    def __init__(self, method: str, address: str) -> None:
        self._asked = (method, address)
        self._began = time.perf_counter()
        self.status = 0

    def move(self, ended: Literal["page", "back", "on"], then: str) -> Move:
        return Move(*self._asked, self.status, time.perf_counter() - self._began, ended, then)


def _bare(url: str) -> str:
    return url.partition("#")[0].partition("?")[0]


def _site(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
