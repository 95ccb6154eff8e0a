"""The same search with WorkOS behind: where AuthKit issues, and as the way to GitHub and Google.

A debug-level server, a person in a browser and a client go through a login and a sign-in, in order
and in trouble. Then every secret of both sides is looked for in all that is left behind: what went
over the wire to WorkOS, what came back, and what waits between two steps.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from html import unescape
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx2
import pytest

from tests.clauses import clause
from tests.clients.authkit import AuthKitServer
from tests.endpoints.gate import hidden
from tests.live import LiveServer
from tests.standins.running import running_workos
from tests.standins.workos import Person, WorkOSStandIn
from tests.standins.workos_webhooks import signature
from tests.trust.test_leaks import EVE, KEY, Told, found_in
from tests.trust.walk import WEB, Walk, call

HOOK = "whsec_" + secrets.token_urlsafe(24)
OCTO = Person("1001", EVE.email, first_name="Octo")
MOST_HOPS = 12
# One-time names in an address: whoever reads the log must not be able to finish somebody's sign-in.
CARRIED = ("external_auth_id", "code", "state", "request", "tx", "challenge", "code_verifier")
DEBUG = {"LOG_LEVEL": "DEBUG", "AUTHGATE_SECRET_KEY": KEY, "WORKOS_WEBHOOK_SECRET": HOOK}


class Roaming(Walk):
    """A walk whose browser goes to WorkOS and back, and remembers what the addresses carry."""

    def __init__(self, url: str, workos: WorkOSStandIn) -> None:
        super().__init__(url, EVE)
        self.workos = workos
        self.at = ""
        self.pages: list[str] = []

    def go(self, url: str, form: Mapping[str, str] | None = None) -> httpx2.Response:
        """To a page, or to the client's own address, which nobody serves."""
        method, text = ("GET" if form is None else "POST"), urljoin(self.at or self.url, url)
        for _ in range(MOST_HOPS):
            self.at = text
            # A client's own state is its own; what comes back to us, or goes on to AuthKit, is not.
            ours = urlsplit(text).path in ("/oauth/callback", "/oauth2/authorize/complete")
            for name, value in parse_qsl(urlsplit(text).query):
                if name in CARRIED and len(value) >= 20 and (ours or name != "state"):
                    self.keep(f"in an address: {name}", value)
            if text.startswith(WEB):
                return httpx2.Response(204, request=httpx2.Request("GET", text))
            answer = self._seen(self.http.request(method, text, data=form))
            if "location" not in answer.headers:
                if text.startswith(self.url):
                    self.pages.append(answer.text)
                return answer
            method, form, text = "GET", None, urljoin(text, answer.headers["location"])
        raise AssertionError("too many redirects")

    def press(self, page: httpx2.Response, text: str) -> httpx2.Response:
        links = re.findall(r'<a[^>]*href="([^"]+)"[^>]*>([^<]+)<', page.text)
        (href,) = [href for href, said in links if text in said]
        return self.go(unescape(href))

    def fill(self, page: httpx2.Response, action: str, **fields: str) -> httpx2.Response:
        return self.go(action, {**hidden(page.text, action), **fields})

    def came(self) -> str:
        """The code that the client got."""
        assert self.at.startswith(WEB), self.at
        return self.keep("code", dict(parse_qsl(urlsplit(self.at).query))["code"])

    def remember_theirs(self) -> None:
        """What WorkOS gave away, and what it was sent."""
        state = self.workos.state
        self.keep("API key", self.workos.api_key)
        self.keep("webhook secret", HOOK)
        for kind in ("codes", "login_codes", "pending", "refresh", "flows"):
            for name in getattr(state, kind):
                self.keep(f"of WorkOS: {kind}", name)
        for sent in self.workos.calls:
            for name, value in re.findall(
                r'"(\w*(?:token|secret|code|password))":"([^"]+)"', sent.body
            ):
                if len(value) >= 20:
                    self.keep(f"sent to WorkOS: {name}", value)


def _found(server: LiveServer, walk: Roaming, errors: list[str]) -> Told:
    walk.remember_theirs()
    walk.keep("secret key", KEY)
    found = Told(server, walk, errors)
    found.pages = walk.pages
    server.stop()
    for path in (server.folder / "data").iterdir():
        found.files[f"{path.name} after the end"] = path.read_bytes()
    found.log += server.logs()
    return found


def _shown(answer: httpx2.Response) -> str:
    """But a cookie of ours: whoever signed in before AuthKit said no is signed in here."""
    return answer.text + str([item for item in answer.headers.items() if item[0] != "set-cookie"])


def _webhooks(walk: Roaming) -> list[str]:
    """One that is genuine, and some that are not. The signature opens it: a secret too."""
    body = json.dumps(
        {
            "id": "event_1",
            "event": "user.deleted",
            "data": {"id": "user_01NOBODY", "email": EVE.email},
        }
    ).encode()
    right = signature(HOOK, body, time.time())
    walk.keep("signature", right.rpartition("=")[2])
    refused = []
    for header in (right[:-1] + ("0" if right[-1] != "0" else "1"), HOOK, "", right):
        headers = {"workos-signature": header} if header else {}
        answer = walk.http.post("/webhooks/workos", content=body, headers=headers)
        assert answer.status_code == (200 if header == right else 400), answer.text
        refused.append(_shown(answer))
    return refused


# --- where AuthKit issues -------------------------------------------------------------------------


def _login(walk: Roaming, server: AuthKitServer) -> list[str]:
    """By the tools and the pages, and everything once more where WorkOS answers oddly."""
    document = {"redirect_uris": [WEB], "token_endpoint_auth_method": "client_secret_post"}
    client = walk.tool("oauth_register_client", client_data=document).json()["result"]
    walk.keep("client secret", client["client_secret"])
    asked = {k: v for k, v in walk.question(client).items() if k != "response_type"}
    opened = walk.tool("oauth_authorize", **asked).json()["result"]
    challenge = walk.keep("challenge", opened["challenge_id"])
    password = walk.keep("password in a tool", secrets.token_urlsafe(24))
    who = {"challenge_id": challenge, "username": EVE.email, "password": password}
    refused = [walk.tool("oauth_authenticate", **who)]
    page = walk.go(opened["authorization_url"])
    wrong = walk.keep("wrong password", secrets.token_urlsafe(24))
    refused.append(walk.fill(page, "/oauth/sign-in", username=EVE.email, password=wrong))
    echo = {"code": "odd", "message": f"{EVE.password} {server.workos.api_key} {EVE.email}"}
    for fault in (
        {"status": 400, "body": echo},
        {"status": 401},
        {"status": 422, "body": echo},
        {"status": 503, "times": 2},
        {"garbage": True},
        {"cut": True, "times": 2},
    ):
        page = walk.go(opened["authorization_url"])
        server.workos.fail("/authkit/oauth2/complete", **fault)
        form = "/oauth/login" if 'action="/oauth/login"' in page.text else "/oauth/sign-in"
        given = {} if form == "/oauth/login" else {"username": EVE.email, "password": EVE.password}
        refused.append(walk.fill(page, form, **given))
        assert refused[-1].status_code >= 400, (fault, refused[-1].text)
        server.workos.mend()
    page = walk.fill(walk.go(opened["authorization_url"]), "/oauth/login")
    walk.fill(page, "/oauth2/authorize/consent", decision="approve")
    known = {"client_id": client["client_id"], "client_secret": client["client_secret"]}
    form = {**known, "redirect_uri": WEB, "grant_type": "authorization_code", "code": walk.came()}
    off = {**form, "client_secret": walk.keep("wrong client secret", secrets.token_urlsafe(24))}
    verifier = walk.pkce.verifier
    refused.append(walk.tool("oauth_token", **off, code_verifier=verifier))
    tokens = walk.tool("oauth_token", **form, code_verifier=verifier).json()["result"]
    for kind in ("access_token", "refresh_token", "id_token"):
        walk.keep(kind, tokens[kind])
        walk.keep(f"signature of {kind}", tokens[kind].rpartition(".")[2])
    assert call(walk.url, tokens["access_token"]).status_code == 200
    for token in (
        tokens["id_token"],
        tokens["refresh_token"],
        tokens["access_token"][:-4] + "AAAA",
    ):
        refused.append(call(walk.url, token))
    refused.append(walk.tool("oauth_token", **form, code_verifier=verifier))
    walk.go(
        walk.url + "/oauth/login?external_auth_id=" + walk.keep("made up", "ext_auth_" + "x" * 24)
    )
    return [_shown(answer) for answer in refused]


def _authkit() -> Iterator[Told]:
    with running_workos() as workos:
        env = {**DEBUG, "WORKOS_CLIENT_ID": workos.client_id}
        with (
            AuthKitServer(workos, env, (EVE,)) as server,
            closing(Roaming(server.url, workos)) as walk,
        ):
            errors = _login(walk, server) + _webhooks(walk)
            yield _found(server, walk, errors)


# --- GitHub and Google through WorkOS -------------------------------------------------------------


class SocialServer(LiveServer):
    """Its callback is entered at WorkOS once its port is known."""

    workos: WorkOSStandIn

    def _launch(self) -> None:
        self.workos.redirect_uris = [f"{self.url}/oauth/callback"]
        super()._launch()


def _sign_in(walk: Roaming) -> list[str]:
    """On the pages with a code from a message, in a tool, and where WorkOS answers oddly."""
    client, refused = walk.register(), []
    echo = {"error": "odd", "error_description": f"{walk.workos.api_key} {EVE.email}"}
    for fault in ({"status": 400, "body": echo}, {"status": 401}, {"status": 503}):
        page = walk.press(walk.ask(walk.question(client)), "GitHub")
        # Often, as the server's look after its start asks there too and would take the only one.
        walk.workos.fail("/user_management/authenticate", **fault, times=9)
        refused.append(walk.press(page, "Octo"))
        assert refused[-1].status_code >= 400, (fault, refused[-1].text)
        walk.workos.mend()
    page = walk.press(walk.press(walk.ask(walk.question(client)), "GitHub"), "Octo")
    refused.append(walk.fill(page, "/oauth/factor", code="000000"))
    page = walk.fill(refused[-1], "/oauth/factor", code=walk.workos.state.mails[EVE.email])
    walk.fill(page, "/oauth/consent", decision="approve")
    tokens = walk.exchange(client, walk.came()).json()
    assert call(walk.url, tokens["access_token"]).status_code == 200
    asked = {k: v for k, v in walk.question(client).items() if k != "response_type"}
    opened = walk.tool("oauth_authorize", **asked).json()["result"]
    challenge = walk.keep("challenge", opened["challenge_id"])
    page = walk.press(walk.go(opened["providers"]["github"]), "Octo")
    page = walk.fill(page, "/oauth/hand-over", decision="approve")
    (code,) = re.findall(r"<code tabindex=\"0\"[^>]*>([0-9a-f]{32})</code>", page.text)
    who = {"challenge_id": challenge, "provider": "github"}
    wrong = walk.keep("wrong oauth_code", secrets.token_urlsafe(24))
    refused.append(walk.tool("oauth_authenticate", **who, oauth_code=wrong))
    due = walk.tool("oauth_authenticate", **who, oauth_code=walk.keep("oauth_code", code))
    assert due.json()["result"]["mfa_required"] is True
    mailed = walk.workos.state.mails[EVE.email]
    answer = walk.tool("oauth_authenticate", challenge_id=challenge, mfa_code=mailed)
    walk.keep("code", answer.json()["result"]["code"])
    walk.http.cookies.clear()  # and one that is never finished, to be looked for while it waits
    walk.press(walk.ask(walk.question(client)), "GitHub")
    return [_shown(answer) for answer in refused]


def _social() -> Iterator[Told]:
    octo = Person(OCTO.id, OCTO.email, first_name="Octo", email_verification_required=True)
    with running_workos(people=[octo]) as workos:
        env = {"WORKOS_API_KEY": workos.api_key, "WORKOS_CLIENT_ID": workos.client_id}
        server = SocialServer(env={**DEBUG, **env, "WORKOS_API_URL": workos.api_url}, people=())
        server.workos = workos
        with server, closing(Roaming(server.url, workos)) as walk:
            errors = _sign_in(walk) + _webhooks(walk)
            yield _found(server, walk, errors)


@pytest.fixture(scope="module", params=[_authkit, _social], ids=["authkit", "social"])
def told(request: pytest.FixtureRequest) -> Iterator[Told]:
    yield from request.param()


# --- what is left behind --------------------------------------------------------------------------


def test_the_walk_used_every_kind_of_secret(told: Told) -> None:
    """Or the searches below would prove nothing."""
    kinds = set(told.secrets.values())
    assert kinds >= {"API key", "webhook secret", "signature", "verifier", "access_token"}
    if "id_token" in kinds:
        assert kinds >= {
            *("in an address: external_auth_id", "in an address: state", "password in a tool"),
            *("client secret", "refresh_token", "form token", "cookie authgate-session"),
        }
    else:
        assert kinds >= {
            "in an address: state",
            "sent to WorkOS: pending_authentication_token",
            "oauth_code",
        }
    assert min(map(len, told.secrets)) >= 16


@clause("ASVS", "16.2.5")
def test_the_log_holds_none(told: Told) -> None:
    for event in ("workos.call", "webhook.refused", "webhook.heard", "request.refused"):
        assert event in told.log
    assert found_in(told, told.log) == []
    assert EVE.email not in told.log


@clause("ASVS", "16.2.5")
def test_the_audit_trail_holds_none(told: Told) -> None:
    assert "person.sign_in" in told.audit
    assert found_in(told, told.audit) == []
    assert EVE.email not in told.audit


@clause("ASVS", "11.4")
def test_the_database_files_hold_none(told: Told) -> None:
    leaked = {name: found_in(told, data) for name, data in told.files.items()}
    assert {name: kinds for name, kinds in leaked.items() if kinds} == {}


def test_the_pages_hold_none(told: Told) -> None:
    """But what a form or a link of ours carries, and the one-time code that is shown."""
    assert len(told.pages) > 5
    carried = {"handle", "form token", "oauth_code", "in an address: request", "challenge"}
    carried |= {"in an address: tx", "in an address: state"}  # the transaction's name, in the form
    for page in told.pages:
        assert set(found_in(told, page)) <= carried, page


def test_the_answers_to_what_was_wrong_hold_none(told: Told) -> None:
    carried = {"handle", "form token", "in an address: request"}
    for error in told.errors:
        allowed = (
            carried if "<html" in error else {"in an address: state", "in an address: request"}
        )
        assert set(found_in(told, error)) <= allowed, error


def test_the_process_list_holds_none(told: Told) -> None:
    assert found_in(told, told.processes) == []
