"""A person at a browser, played by a script: for suites that open a URL and cannot fill forms.

It does what a browser does and nothing that only a test could: keeps cookies, follows redirects,
reads the HTML it is given, fills the fields it finds and presses the button a person would. So a
server needs no back door for tests, and a page whose form is broken fails them.

In a test::

    answer = ScriptedBrowser(ALICE.email, ALICE.password).walk(url, callback="http://127.0.0.1:1/cb")

As a program, for everything that obeys ``BROWSER`` (standard library only, run by its path)::

    BROWSER="python tests/scripted_browser.py %s"
    SCRIPTED_BROWSER_EMAIL=alice@example.com SCRIPTED_BROWSER_PASSWORD=…

With the callback as second argument it stops before it and prints the URL with the answer, for
programs that have no listener.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shlex
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from html.parser import HTMLParser
from http.cookies import CookieError, Morsel, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

REDIRECTS = (301, 302, 303, 307, 308)
MOST_HOPS = 20
MOST_PAGES = 8
LISTENS_WITHIN = 5.0
"""How long a callback that nobody listens on yet is tried again: apps open the browser first."""


class Lost(AssertionError):
    """The browser came to a page it cannot go on from; the message shows the page."""


@dataclass(slots=True)
class Form:
    """A form as it stands in a page: where it goes, what it holds, which buttons it has."""

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

    def has_button(self, name: str, value: str) -> bool:
        return (name, value) in self.buttons


@dataclass(frozen=True, slots=True)
class Page:
    """What came back in the end: after redirects, before anything is pressed."""

    url: str
    status: int
    headers: Message
    text: str
    forms: tuple[Form, ...]


class ScriptedBrowser:
    """One browser profile with one person in front of it.

    `decision` is the button pressed on the consent page; `code` gives the code of a second factor,
    where one is asked. What was seen stays in `history`, as (method, URL, status), and the cookies
    stay for the next walk.
    """

    def __init__(
        self,
        email: str,
        password: str,
        *,
        decision: str = "approve",
        code: Callable[[], str] | None = None,
        timeout: float = 15.0,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self.email = email
        self.password = password
        self.decision = decision
        self.code = code
        self.timeout = timeout
        self.trust = trust
        self.history: list[tuple[str, str, int]] = []
        self.cookies: dict[str, dict[str, Morsel[str]]] = {}

    def walk(self, url: str, *, callback: str | None = None) -> str:
        """Open `url` as if an app had opened it, sign in, decide; the URL where it ended.

        With `callback`, the redirect that leads there is not followed but returned: the app of
        the test has no listener. Without, the last page is the app's own.
        """
        page = self.open(url, callback=callback)
        for _ in range(MOST_PAGES):
            if isinstance(page, str):
                return page
            form, button = self._next(page)
            if form is None:
                break
            page = self.submit(page, form, button, callback=callback)
        if isinstance(page, str):
            return page
        if callback is not None or page.status >= 400 or page.forms:
            raise Lost(f"{page.status} at {page.url}\n{page.text}")
        return page.url

    def open(self, url: str, *, callback: str | None = None) -> Page | str:
        """Type an address (or let an app open it): no site sent us here."""
        return self._travel("GET", url, None, None, callback)

    def submit(
        self,
        page: Page,
        form: Form,
        button: tuple[str, str] | None,
        *,
        callback: str | None = None,
    ) -> Page | str:
        """Press a button of a form, with what its fields hold now."""
        values = dict(form.fields)
        if button is not None:
            values[button[0]] = button[1]
        target = urljoin(page.url, form.action)
        if form.method == "GET":
            return self._travel("GET", f"{target}?{urlencode(values)}", None, page, callback)
        return self._travel("POST", target, urlencode(values), page, callback)

    def _next(self, page: Page) -> tuple[Form | None, tuple[str, str] | None]:
        """What a person does with this page: fill in and sign in, decide, or stop."""
        if page.status >= 400:
            return None, None
        for form in page.forms:
            if form.has_button("decision", self.decision):
                return form, ("decision", self.decision)
            if form.action.endswith("/oauth/login"):  # "Continue as ...?": it is always them
                return form, None
            if form.asks_password:
                self._fill_in(form)
                return form, form.buttons[0] if form.buttons else None
            if form.asks_code and self.code is not None:
                form.fields["code"] = self.code()
                return form, form.buttons[0] if form.buttons else None
        return None, None

    def _fill_in(self, form: Form) -> None:
        for name, kind in form.types.items():
            if kind == "password":
                form.fields[name] = self.password
            elif name == "username" or kind == "email":
                form.fields[name] = self.email

    # --- the browser's inside ----------------------------------------------------------------

    def _travel(
        self, method: str, url: str, body: str | None, before: Page | None, callback: str | None
    ) -> Page | str:
        """One navigation with all its redirects."""
        sites = [urlsplit(before.url)] if before else []
        for _ in range(MOST_HOPS):
            if callback is not None and _is_at(url, callback):
                return url
            sites.append(urlsplit(url))
            headers = self._navigation_headers(method, url, before, sites)
            status, answer, text = self._exchange(method, url, body, headers)
            self.history.append((method, url, status))
            self._keep_cookies(url, answer)
            location = answer.get("Location")
            if status not in REDIRECTS or location is None:
                is_html = answer.get_content_type() == "text/html"
                return Page(url, status, answer, text, _forms_of(text) if is_html else ())
            url = urljoin(url, location)
            if status in (301, 302, 303) and method == "POST":
                method, body = "GET", None
        raise Lost(f"more than {MOST_HOPS} redirects, last to {url}")

    def _navigation_headers(
        self, method: str, url: str, before: Page | None, sites: list[Any]
    ) -> dict[str, str]:
        """What a browser says about where a navigation comes from (Fetch and Fetch Metadata)."""
        headers = {
            "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) scripted",
            "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "Accept-Language": "en",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
            "Sec-Fetch-User": "?1",
            "Sec-Fetch-Site": "none" if before is None else _relation(sites),
        }
        if before is None:
            return headers
        hidden = "no-referrer" in (before.headers.get("Referrer-Policy") or "")
        if not hidden:
            same = _origin(before.url) == _origin(url)
            headers["Referer"] = before.url if same else _origin(before.url) + "/"
        if method == "POST":
            headers["Origin"] = "null" if hidden else _origin(before.url)
        return headers

    def _exchange(
        self, method: str, url: str, body: str | None, headers: dict[str, str]
    ) -> tuple[int, Message, str]:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise Lost(f"no browser goes to {url}")
        if (cookies := self._cookies_for(url)) is not None:
            headers["Cookie"] = cookies
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        ends = time.monotonic() + LISTENS_WITHIN
        while True:
            connection = self._connection(parts.scheme, parts.hostname, parts.port)
            with contextlib.closing(connection):
                try:
                    connection.connect()
                except ConnectionRefusedError:
                    if time.monotonic() > ends:
                        raise
                    time.sleep(0.05)
                    continue
                connection.request(method, target, body, headers)
                answer = connection.getresponse()
                return answer.status, answer.headers, answer.read().decode("utf-8", "replace")

    def _connection(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self.timeout)
        return http.client.HTTPSConnection(host, port, timeout=self.timeout, context=self.trust)

    def _keep_cookies(self, url: str, answer: Message) -> None:
        parts = urlsplit(url)
        # Cookies belong to a host, whatever its port (RFC 6265, 8.5).
        jar = self.cookies.setdefault(parts.hostname or "", {})
        for line in answer.get_all("Set-Cookie") or []:
            parsed: SimpleCookie = SimpleCookie()
            with contextlib.suppress(CookieError):
                parsed.load(line)
            for name, morsel in parsed.items():
                if morsel["secure"] and parts.scheme != "https":
                    continue
                gone = morsel["max-age"] in ("0", 0) or "1970" in morsel["expires"]
                jar.pop(name, None)
                if not gone:
                    jar[name] = morsel

    def _cookies_for(self, url: str) -> str | None:
        parts = urlsplit(url)
        jar = self.cookies.get(parts.hostname or "", {})
        path = parts.path or "/"
        sent = [
            f"{name}={morsel.coded_value}"
            for name, morsel in jar.items()
            if path.startswith(morsel["path"] or "/")
            and (parts.scheme == "https" or not morsel["secure"])
        ]
        return "; ".join(sent) or None


class _FormReader(HTMLParser):
    """Collects the forms of a page; fields outside of forms are nobody's."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            method = values.get("method", "get").upper()
            self._open = Form(values.get("action", ""), method)
            self.forms.append(self._open)
        elif self._open is None or "disabled" in values:
            return
        elif tag == "input":
            self._input(self._open, values)
        elif tag == "button" and values.get("type", "submit") == "submit":
            self._open.buttons.append((values.get("name", ""), values.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None

    @staticmethod
    def _input(form: Form, values: dict[str, str]) -> None:
        name, kind = values.get("name", ""), values.get("type", "text").lower()
        if kind == "submit":
            form.buttons.append((name, values.get("value", "")))
        elif name and (kind not in ("checkbox", "radio") or "checked" in values):
            form.fields[name] = values.get("value", "")
            form.types[name] = kind


def _forms_of(text: str) -> tuple[Form, ...]:
    reader = _FormReader()
    reader.feed(text)
    reader.close()
    return tuple(reader.forms)


def _is_at(url: str, callback: str) -> bool:
    """Whether `url` is `callback`, give or take the answer in its query or fragment."""
    return url == callback or url.startswith((callback + "?", callback + "&", callback + "#"))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _relation(sites: list[Any]) -> str:
    """Sec-Fetch-Site over a whole chain of redirects: the farthest relation counts."""
    start, rest = sites[0], sites[1:]
    if all(site[:2] == start[:2] for site in rest):
        return "same-origin"
    same = all(site.scheme == start.scheme and site.hostname == start.hostname for site in rest)
    return "same-site" if same else "cross-site"


# --- the program --------------------------------------------------------------------------------


def browser_environment(email: str, password: str, *, decision: str = "approve") -> dict[str, str]:
    """The variables that make this script somebody's browser: ``BROWSER`` and who sits there.

    The `&` is Python's `webbrowser` convention for "do not wait until the window is closed".
    """
    command = shlex.join([sys.executable, str(Path(__file__).resolve())])
    return {
        "BROWSER": f"{command} %s &",
        "SCRIPTED_BROWSER_EMAIL": email,
        "SCRIPTED_BROWSER_PASSWORD": password,
        "SCRIPTED_BROWSER_DECISION": decision,
    }


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Open the URL given, as the person of the environment; 0 if it came through."""
    url, *callback = arguments
    browser = ScriptedBrowser(
        environment["SCRIPTED_BROWSER_EMAIL"],
        environment["SCRIPTED_BROWSER_PASSWORD"],
        decision=environment.get("SCRIPTED_BROWSER_DECISION", "approve"),
    )
    try:
        ended = browser.walk(url, callback=callback[0] if callback else None)
        sys.stdout.write(ended + "\n")
    except Exception as error:
        sys.stderr.write(f"scripted browser: {type(error).__name__}: {error}\n")
        for step in browser.history:
            sys.stderr.write(f"  {step}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
