"""A person with a browser, played by a script: opens the page, fills the form, presses the button.

It knows no more than a person sees: forms as they stand in the HTML, cookies, redirects. There is
no back door in the server for it. `authgate demo` sends it where a real client would send a
browser; tests may do the same. Never here: what the OAuth client does with the answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2

MOST_PAGES = 6
MOST_HOPS = 10


class VisitorLost(Exception):
    """The visitor came to a page where nothing is left to do; the text says which."""


@dataclass(slots=True)
class Form:
    """A form as it stands in the page."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)

    @property
    def asks_password(self) -> bool:
        return "password" in self.types.values()

    @property
    def asks_code(self) -> bool:
        return self.types.get("code") == "text"

    def button_with(self, value: str) -> tuple[str, str] | None:
        return next((button for button in self.buttons if button[1] == value), None)


@dataclass(frozen=True, slots=True)
class Page:
    """Where a navigation ended; `forms` is what a person can do there."""

    url: str
    status: int
    title: str
    forms: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """One navigation with its redirects, for whoever watches."""

    method: str
    path: str
    status: int
    seconds: float
    then: str


class Visitor:
    """One browser with one person before it. Cookies last as long as the visitor."""

    def __init__(
        self,
        email: str,
        password: str,
        watch: Callable[[Move], None] | None = None,
        code: Callable[[], str] | None = None,
    ) -> None:
        self.email = email
        self.password = password
        self._code = code
        self._watch = watch or (lambda move: None)
        # trust_env: a proxy of this machine has nothing to do with a server on loopback.
        self._browser = httpx2.Client(follow_redirects=False, trust_env=False, timeout=15)

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.close()

    def follow(self, authorization_url: str) -> str:
        """Sign in and allow; the redirect back to the client, which is not followed."""
        query = parse_qs(urlsplit(authorization_url).query)
        back = query.get("redirect_uri", [""])[0]
        arrived = self._go("GET", authorization_url, None, back)
        for _ in range(MOST_PAGES):
            if isinstance(arrived, str):
                return arrived
            arrived = self._act(arrived, back)
        raise VisitorLost(f"more than {MOST_PAGES} pages and still no way back to {back}")

    def _act(self, page: Page, back: str) -> Page | str:
        """What a person does here: allow if that can be done, else sign in, in one step or two."""
        for form in page.forms:
            button = form.button_with("approve")
            if button is not None:
                return self._submit(page, form, dict([button]), back)
        for form in page.forms:
            if form.asks_password and page.status < 400:
                return self._submit(page, form, self._credentials(form), back)
        for form in page.forms:
            if form.asks_code and self._code is not None and page.status < 400:
                return self._submit(page, form, {"code": self._code()}, back)
        raise VisitorLost(f"“{page.title}” ({page.status}) at {page.url} offers no way on")

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
        began, asked, first = time.perf_counter(), (method, urlsplit(url).path), 0
        for _ in range(MOST_HOPS):
            answer = self._browser.request(method, url, data=data)
            first = first or answer.status_code
            where = answer.headers.get("location")
            if not answer.is_redirect or where is None:
                page = _read(str(answer.url), answer.status_code, answer.text)
                self._watch(Move(*asked, first, time.perf_counter() - began, page.title))
                return page
            url = urljoin(url, where)
            if back and url.partition("?")[0] == back.partition("?")[0]:
                self._watch(Move(*asked, first, time.perf_counter() - began, url))
                return url
            method, data = "GET", None
        raise VisitorLost(f"more than {MOST_HOPS} redirects, the last one to {url}")


def _read(url: str, status: int, html: str) -> Page:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return Page(url, status, " ".join(reader.title.split()), tuple(reader.forms))


class _Reader(HTMLParser):
    """Collects the title and the forms; fields outside of forms are nobody's."""

    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "title":
            self._in_title = True
        elif tag == "form":
            self._form = Form(given.get("action", ""), given.get("method", "get").upper())
            self.forms.append(self._form)
        elif self._form is None or "disabled" in given:
            return
        elif tag == "input":
            _take_input(self._form, given)
        elif tag == "button" and given.get("type", "submit") == "submit":
            self._form.buttons.append((given.get("name", ""), given.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif tag == "form":
            self._form = None

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data


def _take_input(form: Form, given: dict[str, str]) -> None:
    name, kind = given.get("name", ""), given.get("type", "text").lower()
    if kind == "submit":
        form.buttons.append((name, given.get("value", "")))
    elif name and (kind not in ("checkbox", "radio") or "checked" in given):
        form.fields[name] = given.get("value", "on" if kind == "checkbox" else "")
        form.types[name] = kind
