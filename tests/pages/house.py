"""A small authgate around the pages: real store, real directory, real steps, in one process.

Only what a browser meets is mounted: the authorization endpoint, the pages, and a 404. `Browser` is
a browser reduced to what matters here: a cookie jar, the headers of a navigation, forms read from
the page and not written by hand.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from authgate.directories import people
from authgate.directories.contract import Directory
from authgate.directories.embedded import EmbeddedDirectory
from authgate.directories.passwords import Passwords
from authgate.endpoints import authorize
from authgate.issuers.logins import Logins
from authgate.pages import errors, login_routes, routes
from authgate.pages.site import PublicUrl
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.policy import Policy
from authgate.protocol.records import Client
from authgate.security.limits import LimitPolicy, Throttles
from authgate.security.session import Cookies
from authgate.security.vault import Vault
from authgate.steps.parts import LoginParts, Parts, audited
from authgate.store.sqlite import SqliteStore
from authgate.web.answers import Answer
from authgate.web.endpoint import Endpoint
from authgate.web.request import Receive, Request, Scope, Send

ISSUER = "http://localhost:8000"
ADA, GRACE = "ada@example.org", "grace@example.org"
LIN = "lin@example.org"  # owes a code where a test puts a second factor around the directory
PASSWORD = "an engine that weaves"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
WEB_URI = "https://client.example/callback"
LOOPBACK_URI = "http://localhost:33418/callback"


class Clock:
    """The time, which a test may move."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return int(time.time()) + self.ahead


@dataclass
class House:
    """The application and the parts below it."""

    parts: Parts
    clock: Clock
    table: Mapping[str, Any]
    not_found: Endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self.table.get(scope["path"], self.not_found)(scope, receive, send)

    def browser(self, *, origin: str | None = None) -> Browser:
        return Browser(self, origin or self.parts.policy.issuer)

    async def register(self, client: Client) -> Client:
        await self.parts.store.register_client(client, audited(self.clock(), "client.register"))
        return client


def client(client_id: str = "client-1", **changes: Any) -> Client:
    """A self-registered public client on the web."""
    plain = Client(
        client_id=client_id,
        redirect_uris=(WEB_URI,),
        auth_method="none",
        grant_types=("authorization_code", "refresh_token"),
        response_types=("code",),
        scopes=("mcp:use",),
        application_type="web",
        name="Test Client",
        metadata={},
        issued_at=0,
    )
    return replace(plain, **changes)


def ask_path(asking: Client, **changes: str | None) -> str:
    """The authorization request of a client; None leaves a parameter out."""
    asked: dict[str, str | None] = {
        "response_type": "code",
        "client_id": asking.client_id,
        "redirect_uri": asking.redirect_uris[0],
        "state": "a state / with+marks",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }
    return "/oauth/authorize?" + urlencode({k: v for k, v in asked.items() if v is not None})


async def build(
    database: Path,
    *,
    issuer: str = ISSUER,
    scopes: tuple[str, ...] = ("mcp:use", "files:write"),
    limits: LimitPolicy | None = None,
    directory: Directory | None = None,
) -> House:
    """The house on an open store, with three people in it."""
    clock = Clock()
    store = SqliteStore(database)
    await store.open()
    vault = Vault(["a secret of tests, long enough: 7qT1pWz0xLmA9"])
    passwords = Passwords(time_cost=1, memory_kib=64)
    for email in (ADA, GRACE, LIN):
        if await store.account_by_email(email) is None:
            await people.add_person(store, passwords, email, PASSWORD, clock())
    parts = Parts(
        policy=Policy(issuer=issuer, resources=(f"{issuer}/mcp",), scopes=scopes),
        store=store,
        passwords=directory or EmbeddedDirectory(store, passwords),
        social=directory or EmbeddedDirectory(store, passwords),
        vault=vault,
        throttles=Throttles(limits),
        clock=clock,
    )
    return mount(parts, clock)


def mount(parts: Parts, clock: Clock) -> House:
    issuer = parts.policy.issuer
    cookies, url = Cookies.of(issuer), PublicUrl.of(issuer)
    refuse = errors.writer(issuer)
    faces = authorize.ErrorPages(refuse, lambda faulty: errors.faulty_answer(faulty, issuer))
    table = {
        "/oauth/authorize": authorize.endpoint(parts, cookies, url.path, faces),
        **routes(parts, cookies),
    }
    return House(
        parts,
        clock,
        {url.path + path: endpoint for path, endpoint in table.items()},
        Endpoint(get=_nowhere, post=_nowhere, refuse=refuse),
    )


def mount_logins(parts: Parts, clock: Clock, logins: Logins) -> House:
    """The pages where an issuer elsewhere has us sign in its people."""
    issuer = parts.policy.issuer
    table = login_routes(LoginParts.of(parts, logins), Cookies.of(issuer))
    path = PublicUrl.of(issuer).path
    return House(
        parts,
        clock,
        {path + own: endpoint for own, endpoint in table.items()},
        Endpoint(get=_nowhere, post=_nowhere, refuse=errors.writer(issuer)),
    )


async def _nowhere(_: Request) -> Answer:
    raise Refusal(Reason.NOT_FOUND)


@dataclass
class Form:
    """A form as the page has it. `buttons` are the submit buttons' name and value."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    """Forms, links, visible text and title of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.title = ""
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.attributes.extend(attrs)
        self._inside = [*self._inside, tag][-20:]
        if tag == "form":
            assert given["method"] == "post"
            self.forms.append(Form(given["action"]))
        elif tag == "input":
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "button" and "name" in given:
            self.forms[-1].buttons.append((given["name"], given["value"]))
        elif tag == "a":
            self.links.append((given["href"], ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in self._inside:
            while self._inside.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "title" in self._inside:
            self.title += data
            return
        self.text += data + " "
        if "a" in self._inside and self.links:
            self.links[-1] = (self.links[-1][0], self.links[-1][1] + data)


class Page:
    """An answer as a browser holds it."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status = status
        self.raw_headers = headers
        self.headers = dict(headers)
        self.body = body
        self.html = body.decode()
        self._reader = _Reader()
        if self.headers.get("content-type", "").startswith("text/html"):
            self._reader.feed(self.html)

    @property
    def forms(self) -> list[Form]:
        return self._reader.forms

    @property
    def links(self) -> list[tuple[str, str]]:
        return self._reader.links

    @property
    def tags(self) -> list[str]:
        return self._reader.tags

    @property
    def attributes(self) -> list[tuple[str, str | None]]:
        return self._reader.attributes

    @property
    def title(self) -> str:
        return self._reader.title

    @property
    def text(self) -> str:
        return " ".join(self._reader.text.split())

    @property
    def location(self) -> str:
        assert self.status == 303, f"{self.status}: {self.text}"
        return self.headers["location"]

    @property
    def answer(self) -> dict[str, str]:
        """What a redirect to the client carries."""
        return {k: v[0] for k, v in parse_qs(urlsplit(self.location).query).items()}

    def form(self, path: str) -> Form:
        (found,) = [form for form in self.forms if form.action.endswith(path)]
        return found

    @property
    def set_cookies(self) -> list[str]:
        return [value for name, value in self.raw_headers if name == "set-cookie"]


@dataclass
class Browser:
    """A cookie jar that asks the house. `sends` are headers of every GET."""

    house: House
    origin: str
    jar: dict[str, str] = field(default_factory=dict)
    sends: dict[str, str] = field(default_factory=dict)
    address: str = "127.0.0.1"

    async def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str | None] | None = None,
        body: bytes = b"",
    ) -> Page:
        """One request; a header given as None is not sent."""
        split = urlsplit(path)
        sent: dict[str, str | None] = {
            "host": urlsplit(self.origin).netloc,
            "cookie": "; ".join(f"{k}={v}" for k, v in self.jar.items()) or None,
            **(headers or {}),
        }
        messages = await call(
            self.house,
            {
                "type": "http",
                "method": method,
                "path": split.path,
                "raw_path": split.path.encode(),
                "query_string": split.query.encode("ascii"),
                "headers": [
                    (k.encode(), v.encode("latin-1")) for k, v in sent.items() if v is not None
                ],
                "client": (self.address, 50000),
            },
            body,
        )
        page = Page(*messages)
        for cookie in page.set_cookies:
            self._keep(cookie)
        return page

    def _keep(self, cookie: str) -> None:
        pair, *attributes = cookie.split("; ")
        name, _, value = pair.partition("=")
        if "Max-Age=0" in attributes:
            self.jar.pop(name, None)
        else:
            self.jar[name] = value

    async def get(self, path: str, headers: Mapping[str, str | None] | None = None) -> Page:
        navigation = {"sec-fetch-site": "none", "sec-fetch-dest": "document"}
        return await self.ask("GET", path, {**navigation, **self.sends, **(headers or {})})

    async def post(
        self,
        path: str,
        fields: Mapping[str, str] | bytes,
        headers: Mapping[str, str | None] | None = None,
    ) -> Page:
        """A post as Chromium sends it from a page with the policy no-referrer."""
        own = {
            "content-type": "application/x-www-form-urlencoded",
            "origin": "null",
            "sec-fetch-site": "same-origin",
            "sec-fetch-dest": "document",
        }
        body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
        return await self.ask("POST", path, {**own, **(headers or {})}, body)

    async def submit(self, form: Form, **fields: str) -> Page:
        return await self.post(form.action, {**form.fields, **fields})

    # --- the journey ---

    async def start(self, asking: Client, **changes: str | None) -> Page:
        """Ask at the authorization endpoint and follow to the first page."""
        asked = await self.get(ask_path(asking, **changes))
        return await self.get(asked.location)

    async def login(self, name: str = "ext_auth_01") -> Page:
        """Come from AuthKit with its name for the sign-in, and follow to the first page."""
        sent = {"sec-fetch-site": "cross-site"}
        asked = await self.get(f"/oauth/login?external_auth_id={name}", sent)
        return await self.get(asked.location, sent)

    async def sign_in(self, page: Page, who: str = ADA, password: str = PASSWORD) -> Page:
        """Fill the form and follow to the next page."""
        answer = await self.submit(page.form("/oauth/sign-in"), username=who, password=password)
        return await self.get(answer.location)

    async def consent_page(self, asking: Client, **changes: str | None) -> Page:
        """From the authorization request to the consent page, signing in if asked to."""
        page = await self.start(asking, **changes)
        if any(form.action.endswith("/oauth/sign-in") for form in page.forms):
            page = await self.sign_in(page)
        return page

    async def decide(self, page: Page, decision: str) -> Page:
        return await self.submit(page.form("/oauth/consent"), decision=decision)


async def call(
    app: Callable[[Scope, Receive, Send], Any], scope: Scope, body: bytes
) -> tuple[int, list[tuple[str, str]], bytes]:
    """One request to an ASGI application."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    headers = [(k.decode(), v.decode("latin-1")) for k, v in sent[0]["headers"]]
    return sent[0]["status"], headers, b"".join(m.get("body", b"") for m in sent[1:])
