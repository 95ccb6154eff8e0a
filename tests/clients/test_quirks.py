"""What well-known clients really send, one story a quirk, and what the server must make of it.

Each docstring names the client. The observations are from issue trackers and from the clients'
sources; every one of them locked somebody out of some server.
"""

from __future__ import annotations

import base64
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx2
import pytest

from tests.clients.by_hand import CALLBACK, Hands, basic, verifier_and_challenge
from tests.live import ALICE, LiveServer

METADATA = "/.well-known/oauth-authorization-server"
OIDC = "/.well-known/openid-configuration"
RESOURCE = "/.well-known/oauth-protected-resource"


def claims(access_token: str) -> dict[str, Any]:
    """What a token says, unverified: whether it is true is asked of the server elsewhere."""
    payload = access_token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def random_port() -> int:
    return random.randint(1024, 65535)


# --- Claude Code ----------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_claude_code_listens_on_another_port_each_time(hands: Hands, host: str) -> None:
    """Claude Code registers URIs without a port, comes with one, and wants offline_access."""
    client = hands.registered(
        client_name="Claude Code",
        redirect_uris=["http://localhost/callback", "http://127.0.0.1/callback"],
        scope="mcp:use offline_access",
    )
    for _ in range(2):
        tokens = hands.tokens(
            client["client_id"],
            f"http://{host}:{random_port()}/callback",
            scope="mcp:use offline_access",
            prompt="consent",
        )
        assert tokens["refresh_token"]
        assert "mcp:use" in tokens["scope"].split()
        assert hands.whoami(tokens["access_token"])["display"] == ALICE.email


def test_claude_code_does_not_get_another_path_or_host(hands: Hands) -> None:
    """The port is the one thing that may differ."""
    client = hands.registered(redirect_uris=["http://localhost/callback"])
    for other in (
        "http://localhost:4000/callback/",
        "http://localhost:4000/other",
        "http://127.0.0.1:4000/callback",
        "https://localhost:4000/callback",
        "http://localhost.example:4000/callback",
    ):
        url = hands.authorize_url(client["client_id"], verifier_and_challenge()[1], other)
        answer = hands.http.get(url)
        assert (answer.status_code, "location" in answer.headers) == (400, False), other


@pytest.mark.parametrize("document", [METADATA, OIDC, RESOURCE, RESOURCE + "/mcp"])
def test_claude_code_stumbles_over_null(hands: Hands, document: str) -> None:
    """`"registration_endpoint": null` made Claude Code give up: what has no value is absent."""
    answer = hands.http.get(document)
    assert answer.status_code == 200
    assert all(value not in (None, [], "") for value in answer.json().values())


# --- Cursor ---------------------------------------------------------------------------------------

CURSOR = [
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "https://www.cursor.com/agents/mcp/oauth/callback",
    "http://localhost:8787/callback",
]


@pytest.mark.parametrize("used", [*CURSOR, "http://localhost:8788/callback"])
def test_cursor_may_use_any_of_its_three(hands: Hands, used: str) -> None:
    """Cursor registers three URIs and uses the one that fits where it runs."""
    client = hands.registered(client_name="Cursor", redirect_uris=CURSOR)
    assert client["redirect_uris"] == CURSOR
    tokens = hands.tokens(client["client_id"], used)
    assert hands.whoami(tokens["access_token"])["display"] == ALICE.email


def test_older_cursor_calls_itself_otherwise(hands: Hands) -> None:
    uri = "cursor://anysphere.cursor-retrieval/oauth/user-abc/callback"
    assert hands.registered(redirect_uris=[uri])["redirect_uris"] == [uri]


def test_a_scheme_nobody_listed_is_left_out_and_the_rest_lives(hands: Hands) -> None:
    """One URI that is not allowed must not cost the whole registration."""
    client = hands.registered(redirect_uris=["windsurf://auth/callback", CALLBACK])
    assert client["redirect_uris"] == [CALLBACK]
    assert hands.tokens(client["client_id"])["access_token"]

    challenge = verifier_and_challenge()[1]
    url = hands.authorize_url(client["client_id"], challenge, "windsurf://auth/callback")
    refused = hands.http.get(url)
    assert (refused.status_code, "location" in refused.headers) == (400, False)


# --- VS Code and Copilot --------------------------------------------------------------------------

VS_CODE = [
    "https://insiders.vscode.dev/redirect",
    "https://vscode.dev/redirect",
    "http://127.0.0.1/",
    "http://127.0.0.1:33418/",
]


def test_vs_code_takes_another_port_when_its_own_is_busy(hands: Hands) -> None:
    client = hands.registered(client_name="Visual Studio Code", redirect_uris=VS_CODE)
    assert client["redirect_uris"] == VS_CODE
    for used in (*VS_CODE, f"http://127.0.0.1:{random_port()}/"):
        assert hands.tokens(client["client_id"], used)["access_token"]


def test_vs_code_reads_the_openid_document(hands: Hands) -> None:
    assert hands.http.get(OIDC).json() == hands.http.get(METADATA).json()


def test_vs_code_keeps_a_dead_client_until_somebody_says_so(hands: Hands) -> None:
    """The page for an unknown client is read by a person, who must learn what to remove."""
    url = hands.authorize_url("client_long_gone", verifier_and_challenge()[1])
    answer = hands.http.get(url, headers={"Accept": "text/html"})
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert answer.headers["content-type"].startswith("text/html")
    assert "remove" in answer.text
    assert "connect again" in answer.text


# --- ChatGPT --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "callback",
    [
        "https://chatgpt.com/connector/oauth/Xy_12-abc",
        "https://chatgpt.com/connector_platform_oauth_redirect",
    ],
)
def test_chatgpt_sends_an_empty_scope_and_decorates_the_resource(
    hands: Hands, callback: str
) -> None:
    client = hands.registered(client_name="ChatGPT", redirect_uris=[callback])
    resource = hands.server.mcp_url + "?utm_source=chatgpt"
    code, verifier = hands.code(client["client_id"], callback, scope="", resource=resource)
    answer = hands.exchange(
        client["client_id"], code, verifier, redirect_uri=callback, resource=resource
    )
    assert answer.status_code == 200, answer.text
    tokens = answer.json()
    assert tokens["scope"] == "mcp:use"
    assert claims(tokens["access_token"])["aud"] == hands.server.mcp_url
    assert hands.whoami(tokens["access_token"])["display"] == ALICE.email

    again = hands.refresh(client["client_id"], tokens["refresh_token"], scope="", resource=resource)
    assert again.status_code == 200, again.text
    assert claims(again.json()["access_token"])["aud"] == hands.server.mcp_url


# --- Windsurf, Copilot Studio, Gemini CLI, Codex CLI ----------------------------------------------


def test_windsurf_asks_for_scopes_of_openid_connect(hands: Hands) -> None:
    """Windsurf registered and asked `openid email profile`, unknown here: narrowed, not refused."""
    client = hands.registered(client_name="Windsurf", scope="openid email profile")
    tokens = hands.tokens(client["client_id"], scope="openid email profile")
    assert tokens["scope"] == "mcp:use"
    assert hands.whoami(tokens["access_token"])["scopes"] == ["mcp:use"]


def test_copilot_studio_names_no_authentication_method_and_no_scope(hands: Hands) -> None:
    """RFC 7591's defaults then: a secret, by Basic. The scope given is always said."""
    callback = "https://global.consent.azure-apim.net/redirect/my-connector-5f1e"
    answer = hands.register(
        client_name="Copilot Studio",
        redirect_uris=[callback],
        grant_types=["authorization_code", "refresh_token"],
    )
    assert answer.status_code == 201, answer.text
    client = answer.json()
    assert client["token_endpoint_auth_method"] == "client_secret_basic"

    code, verifier = hands.code(client["client_id"], callback)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": verifier,
        "redirect_uri": callback,
    }
    header = basic(client["client_id"], client["client_secret"])
    given = hands.token(headers=header, **form)
    assert given.status_code == 200, given.text
    assert given.json()["scope"] == "mcp:use"


def test_basic_needs_no_client_id_beside_it(hands: Hands) -> None:
    """Neither at the code nor at the refresh (the case above, with the refresh and the body)."""
    client = hands.registered(token_endpoint_auth_method="client_secret_basic")
    header = basic(client["client_id"], client["client_secret"])
    code, verifier = hands.code(client["client_id"])
    first = hands.token(
        headers=header, grant_type="authorization_code", code=code, code_verifier=verifier
    )
    assert first.status_code == 200, first.text
    for body in ({}, {"client_id": client["client_id"]}):
        token = first.json()["refresh_token"]
        first = hands.token(headers=header, grant_type="refresh_token", refresh_token=token, **body)
        assert first.status_code == 200, first.text


def test_gemini_cli_compares_the_resource_exactly(hands: Hands) -> None:
    """Gemini CLI takes the root document first and wants the very URL it calls in it."""
    for document in (RESOURCE, RESOURCE + "/mcp"):
        assert hands.http.get(document).json()["resource"] == hands.server.mcp_url

    client = hands.registered(
        client_name="Gemini CLI MCP Client",
        code_challenge_method=["S256"],
        response_types=["code"],
        x_something="else",
    )
    tokens = hands.tokens(client["client_id"], resource=hands.server.mcp_url)
    assert claims(tokens["access_token"])["aud"] == hands.server.mcp_url


def test_gemini_cli_guesses_the_server_from_the_authorize_url(hands: Hands) -> None:
    """All endpoints are on the issuer's origin."""
    metadata = hands.http.get(METADATA).json()
    urls = [value for name, value in metadata.items() if name.endswith(("_endpoint", "_uri"))]
    assert len(urls) >= 6
    assert all(url.startswith(hands.server.url + "/") for url in urls)


def test_codex_cli_leaves_the_resource_out_and_insists_on_iss(hands: Hands) -> None:
    """No `resource` means the MCP server here; `iss` comes with refusals too."""
    client = hands.registered(client_name="Codex")
    tokens = hands.tokens(client["client_id"])
    assert claims(tokens["access_token"])["aud"] == hands.server.mcp_url

    url = hands.authorize_url(client["client_id"], "x", resource="https://other.example")
    refused = hands.http.get(url)
    assert refused.status_code in (302, 303)
    back = dict(parse_qsl(urlsplit(refused.headers["location"]).query))
    assert "error" in back
    assert back["iss"] == hands.server.url


# --- claude.ai ------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["claude.ai", "claude.com"])
def test_claude_ai_registers_twice_a_second(hands: Hands, host: str) -> None:
    """Two registrations on one connect are two clients; which one goes on is claude.ai's affair."""
    callback = f"https://{host}/api/mcp/auth_callback"
    both = [hands.registered(client_name="Claude", redirect_uris=[callback]) for _ in range(2)]
    assert both[0]["client_id"] != both[1]["client_id"]
    for client in both:
        assert hands.tokens(client["client_id"], callback)["access_token"]


def test_claude_ai_invents_the_endpoints_when_discovery_failed(hands: Hands) -> None:
    """`/register`, `/authorize` and `/token` at the root, as in the specification of 2025-03."""
    callback = "https://claude.ai/api/mcp/auth_callback"
    answer = hands.register(
        "/register", redirect_uris=[callback], token_endpoint_auth_method="none"
    )
    assert answer.status_code == 201, answer.text
    client_id = answer.json()["client_id"]
    verifier, challenge = verifier_and_challenge()
    given = hands.answer(hands.authorize_url(client_id, challenge, callback, path="/authorize"))
    tokens = hands.token(
        "/token",
        grant_type="authorization_code",
        client_id=client_id,
        code=given["code"],
        code_verifier=verifier,
        redirect_uri=callback,
    )
    assert tokens.status_code == 200, tokens.text
    assert hands.whoami(tokens.json()["access_token"])["display"] == ALICE.email


@pytest.mark.parametrize("name", [METADATA, OIDC, RESOURCE])
def test_every_place_a_client_may_look_answers(hands: Hands, name: str) -> None:
    """Root, path inserted, path appended: for the issuer and for the MCP URL taken for one."""
    documents = [hands.http.get(place) for place in (name, name + "/mcp", "/mcp" + name)]
    assert [document.status_code for document in documents] == [200, 200, 200]
    assert documents[0].json() == documents[1].json() == documents[2].json()


def test_claude_ai_hops_on_to_its_app_after_the_callback(hands: Hands) -> None:
    """Chromium applies `form-action` to every later hop, `claude://` too: no page has one."""
    client = hands.registered(redirect_uris=["https://claude.ai/api/mcp/auth_callback"])
    url = hands.authorize_url(
        client["client_id"],
        verifier_and_challenge()[1],
        "https://claude.ai/api/mcp/auth_callback",
    )
    page = hands.browser.open(url)
    assert not isinstance(page, str)
    policy = page.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "form-action" not in policy


@pytest.mark.parametrize("agent", ["Claude-User", "python-httpx/0.28.1", "ChatGPT-User/1.0"])
def test_no_user_agent_is_treated_otherwise(hands: Hands, agent: str) -> None:
    """A guard that blocks AI user agents looks exactly like an OAuth error."""
    answer = hands.http.post("/mcp", json={}, headers={"User-Agent": agent})
    assert answer.status_code == 401
    assert f"{hands.server.url}{RESOURCE}/mcp" in answer.headers["www-authenticate"]
    assert hands.http.get(METADATA, headers={"User-Agent": agent}).status_code == 200


# --- How a resource may be spelled ----------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["{}/", "{}?a=b", "{}/?a=b"])
def test_a_decorated_resource_is_the_same_resource(hands: Hands, spelling: str) -> None:
    """claude.ai adds a slash, ChatGPT a query; what is issued is always our own spelling."""
    client = hands.registered()
    asked = spelling.format(hands.server.mcp_url)
    tokens = hands.tokens(client["client_id"], resource=asked)
    assert claims(tokens["access_token"])["aud"] == hands.server.mcp_url
    again = hands.refresh(client["client_id"], tokens["refresh_token"], resource=asked)
    assert again.status_code == 200, again.text


def test_another_resource_is_still_another_resource(hands: Hands) -> None:
    client = hands.registered()
    for other in ("https://other.example/mcp", hands.server.url, hands.server.mcp_url + "/more"):
        url = hands.authorize_url(client["client_id"], verifier_and_challenge()[1], resource=other)
        answer = hands.http.get(url)
        back = parse_qs(urlsplit(answer.headers["location"]).query)
        assert back["error"] == ["invalid_target"], other


# --- FastMCP --------------------------------------------------------------------------------------


def test_fastmcp_looks_at_the_authorize_url_before_the_person_does(hands: Hands) -> None:
    """Its preflight GET answers 2xx or 3xx, costs nothing, and the same URL still works after."""
    client = hands.registered()
    verifier, challenge = verifier_and_challenge()
    url = hands.authorize_url(client["client_id"], challenge)
    for _ in range(3):
        assert hands.http.get(url).status_code in (200, 302, 303, 307, 308)
    code = hands.answer(url)["code"]
    assert hands.exchange(client["client_id"], code, verifier).status_code == 200


# --- Healing: what makes clients register or ask again --------------------------------------------


@pytest.mark.parametrize("grant", ["authorization_code", "refresh_token"])
def test_an_unknown_client_is_told_so(hands: Hands, grant: str) -> None:
    """401 invalid_client: the SDKs then forget their registration and make a new one."""
    answer = hands.token(
        grant_type=grant, client_id="client_long_gone", code="x", refresh_token="x"
    )
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    with_basic = hands.token(
        headers=basic("client_long_gone", "secret"), grant_type=grant, code="x", refresh_token="x"
    )
    assert (with_basic.status_code, with_basic.json()["error"]) == (401, "invalid_client")
    assert with_basic.headers["www-authenticate"].startswith("Basic")


def test_a_dead_refresh_token_is_told_so(hands: Hands) -> None:
    """400 invalid_grant: clients then ask the person; any other answer made them hang or retry."""
    client = hands.registered()
    tokens = hands.tokens(client["client_id"])
    gone = {"token": tokens["refresh_token"], "client_id": client["client_id"]}
    assert hands.http.post("/oauth/revoke", data=gone).status_code == 200
    for dead in (tokens["refresh_token"], "never-existed"):
        answer = hands.refresh(client["client_id"], dead)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@pytest.fixture
def two_workers() -> Iterator[LiveServer]:
    with LiveServer(workers=2, people=(ALICE,)) as running:
        yield running
        running.assert_quiet()


REFRESH = """
import sys, urllib.request
url, form = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
with urllib.request.urlopen(url, form.encode(), timeout=10) as answer:
    print(answer.read().decode(), flush=True)
"""


def test_sessions_that_share_a_refresh_token_get_one_successor(two_workers: LiveServer) -> None:
    """Claude Code's refresh lock is per process, so several refresh at once with one token."""
    with Hands(two_workers) as hands:
        client = hands.registered()
        tokens = hands.tokens(client["client_id"])
        form = urlencode(
            {
                "grant_type": "refresh_token",
                "refresh_token": tokens["refresh_token"],
                "client_id": client["client_id"],
            }
        )
        command = [sys.executable, "-c", REFRESH, two_workers.url + "/oauth/token", form]
        sessions = [
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={}
            )
            for _ in range(4)
        ]
        for session in sessions:
            assert session.stdout is not None
            assert session.stdout.readline() == "ready\n"
        for session in sessions:
            assert session.stdin is not None
            session.stdin.write("go\n")
            session.stdin.flush()
        answers = [json.loads(session.communicate(timeout=15)[0]) for session in sessions]

        successors = {answer["refresh_token"] for answer in answers}
        assert len(successors) == 1
        assert successors != {tokens["refresh_token"]}
        for answer in answers:
            assert hands.whoami(answer["access_token"])["display"] == ALICE.email
        assert hands.refresh(client["client_id"], *successors).status_code == 200


# --- MCP Inspector and other clients in a browser -------------------------------------------------

ORIGIN = "http://localhost:6274"


@pytest.mark.parametrize(
    ("path", "method", "headers"),
    [
        (METADATA, "GET", "mcp-protocol-version"),
        (OIDC, "GET", "mcp-protocol-version"),
        (RESOURCE + "/mcp", "GET", "mcp-protocol-version"),
        ("/.well-known/jwks.json", "GET", "accept"),
        ("/oauth/register", "POST", "content-type"),
        ("/oauth/token", "POST", "authorization,content-type"),
        ("/oauth/revoke", "POST", "authorization,content-type"),
        ("/mcp", "POST", "authorization,content-type,mcp-protocol-version,mcp-method,mcp-name"),
        ("/mcp", "DELETE", "authorization,mcp-session-id"),
    ],
)
def test_a_browser_client_may_ask_first(hands: Hands, path: str, method: str, headers: str) -> None:
    """The preflight is answered before anything is demanded, and allows what the SDKs send."""
    answer = hands.http.options(
        path,
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": headers,
        },
    )
    assert answer.status_code in (200, 204), answer.text
    assert answer.headers["access-control-allow-origin"] in ("*", ORIGIN)
    assert method in answer.headers["access-control-allow-methods"]
    allowed = {
        name.strip() for name in answer.headers["access-control-allow-headers"].lower().split(",")
    }
    assert set(headers.split(",")) <= allowed


def test_a_browser_client_can_read_the_challenge(hands: Hands) -> None:
    answer = hands.http.post("/mcp", json={}, headers={"Origin": ORIGIN})
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] in ("*", ORIGIN)
    assert "www-authenticate" in answer.headers["access-control-expose-headers"].lower()


def test_the_authorize_endpoint_is_for_people(hands: Hands) -> None:
    """No script may read it: a page that could would see codes go by."""
    url = hands.authorize_url(hands.registered()["client_id"], verifier_and_challenge()[1])
    answer = hands.http.get(url, headers={"Origin": ORIGIN})
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT"])
def test_every_method_is_challenged(hands: Hands, method: str) -> None:
    """A 405 before the 401 leaves a client without the way in."""
    answer = hands.http.request(method, "/mcp")
    assert answer.status_code == 401
    assert "resource_metadata=" in answer.headers["www-authenticate"]
    assert 'scope="mcp:use"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("path", ["/mcp", "/mcp/", "//mcp"])
def test_the_mcp_path_never_redirects(hands: Hands, path: str) -> None:
    """Clients drop the token on the way; a 401 or 404 is honest."""
    tokens = hands.tokens(hands.registered()["client_id"])
    with httpx2.Client(trust_env=False) as plain:
        answer = plain.post(
            hands.server.url + path,
            json={"jsonrpc": "2.0", "id": 1, "method": "ping"},
            headers={"Authorization": f"Bearer {tokens['access_token']}"},
        )
    assert not 300 <= answer.status_code < 400
