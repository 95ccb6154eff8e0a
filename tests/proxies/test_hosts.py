"""What a request says about its host reaches nobody: no document, challenge, redirect or cookie.

Every route of a whole authgate is asked with hostile headers and with ordinary ones: the answers
must be the same, but for what is made anew for each (secrets, ids, times).
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tests.endpoints.conftest import OpenGate, open_gate
from tests.endpoints.gate import EMAIL, PASSWORD, REDIRECT, Gate, Pkce, answer_of, hidden
from tests.live import LiveServer
from tests.web.serving import talk

__all__ = ["open_gate"]

EVIL = "evil.example"
URL = "https://www.host.example/auth"
HOSTILE = {
    "host": EVIL,
    "x-forwarded-host": EVIL,
    "x-forwarded-server": EVIL,
    "x-forwarded-proto": "http",
    "x-forwarded-port": "6666",
    "x-forwarded-prefix": f"/{EVIL}",
    "x-forwarded-for": "198.51.100.66",
    "x-original-host": EVIL,
    "x-original-url": f"https://{EVIL}/mcp",
    "x-rewrite-url": f"https://{EVIL}/mcp",
    "x-host": EVIL,
    "x-http-host-override": EVIL,
    "x-script-name": f"/{EVIL}",
    "forwarded": f'for=198.51.100.66;host="{EVIL}";proto=http',
    "front-end-https": "off",
    "referer": f"https://{EVIL}/",
    "via": f"1.1 {EVIL}",
}
METHODS = ("GET", "HEAD", "POST", "DELETE", "OPTIONS")
# Made anew for every answer: secrets in cookies, forms and addresses, ids, times.
_FRESH = re.compile(
    r"[A-Za-z0-9_-]{22,}|\b[0-9a-f]{16}\b|\b1[0-9]{9}\b|nonce-[^'\"]+|Max-Age=\d+", re.ASCII
)


@pytest.fixture
async def behind(open_gate: OpenGate) -> Gate:
    """A whole authgate at a path, believing a proxy where all requests come from."""
    return await open_gate(AUTHGATE_PUBLIC_URL=URL, AUTHGATE_TRUSTED_PROXIES="127.0.0.1")


def likeness(answer: Any) -> tuple[int, list[tuple[str, str]], str]:
    """An answer without what is fresh in every one."""
    headers = [
        (name.decode().lower(), _FRESH.sub("…", value.decode("latin-1")))
        for name, value in answer.headers.raw
        if name.lower() != b"x-request-id"
    ]
    return answer.status_code, headers, _FRESH.sub("…", answer.text)


def innocent(answer: Any) -> None:
    """No word of the hostile host, no way that leads there, no weaker cookie."""
    everything = answer.text + "".join(f"{k}: {v}\n" for k, v in answer.headers.multi_items())
    for word in (EVIL, "6666", "http://www.host.example"):
        assert word not in everything
    if (location := answer.headers.get("location")) is not None:
        assert location.startswith((f"{URL}/", "/auth/")), location
    for cookie in answer.headers.get_list("set-cookie"):
        assert "; Secure" in cookie
        assert "domain" not in cookie.lower()
        assert cookie.startswith("__Host-")


async def test_every_route_answers_as_if_nothing_had_been_said(behind: Gate) -> None:
    paths = [*behind.app.table, "/", "/nowhere", "/auth/nowhere", "/auth/mcp/"]
    assert len(paths) > 40
    async with behind.http() as ordinary, behind.http(headers=HOSTILE) as hostile:
        for path in paths:
            for method in METHODS:
                usual = await ordinary.request(method, path)
                given_host = await hostile.request(method, path)
                innocent(given_host)
                assert likeness(given_host) == likeness(usual), (method, path)
                ordinary.cookies.clear()
                hostile.cookies.clear()


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    names=some.sets(some.sampled_from(sorted(HOSTILE)), min_size=1, max_size=4),
    value=some.sampled_from(
        (
            *(EVIL, f"{EVIL}:6666", f"www.host.example@{EVIL}", f"www.host.example, {EVIL}"),
            *(f"www.host.example#{EVIL}", f"//{EVIL}/", f"[::1].{EVIL}", f"{EVIL}\\.host.example"),
        )
    ),
    path=some.integers(0, 10_000),
    method=some.sampled_from(METHODS),
)
async def test_no_spelling_of_a_host_gets_anywhere(
    behind: Gate, names: set[str], value: str, path: int, method: str
) -> None:
    paths = sorted(behind.app.table)
    async with behind.http() as http:
        headers = dict.fromkeys(names, value)
        innocent(await http.request(method, paths[path % len(paths)], headers=headers))


async def test_a_whole_sign_in_under_a_hostile_host(behind: Gate) -> None:
    """Each step of it, to the redirect at the end and the token."""
    at = "/auth/oauth"
    origin = {"origin": "https://www.host.example", "sec-fetch-site": "same-origin"}
    async with behind.http(headers=HOSTILE | {"referer": f"{URL}/"}) as http:
        document = {"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"}
        registered = await http.post(f"{at}/register", json=document)
        assert registered.status_code == 201
        innocent(registered)
        client, pkce = registered.json(), Pkce()
        page = await http.get(
            f"{at}/authorize",
            params=behind.question(client, pkce),
            headers={"sec-fetch-site": "none"},
        )
        innocent(page)
        page = await http.get(page.headers["location"])
        innocent(page)
        said = {**hidden(page.text, f"{at}/sign-in"), "username": EMAIL, "password": PASSWORD}
        page = await http.post(f"{at}/sign-in", data=said, headers=origin)
        innocent(page)
        page = await http.get(page.headers["location"])
        innocent(page)
        said = {**hidden(page.text, f"{at}/consent"), "decision": "approve"}
        page = await http.post(f"{at}/consent", data=said, headers=origin)
        assert page.status_code == 303
        assert page.headers["location"].startswith(REDIRECT + "?")
        answer = answer_of(page.headers["location"])
        assert answer["iss"] == URL
        form = {
            "grant_type": "authorization_code",
            "client_id": client["client_id"],
            "code": answer["code"],
            "code_verifier": pkce.verifier,
            "redirect_uri": REDIRECT,
        }
        tokens = await http.post(f"{at}/token", data=form)
        innocent(tokens)
        bearer = {"authorization": f"Bearer {tokens.json()['access_token']}"}
        called = await http.post("/auth/mcp", json={}, headers=bearer)
        assert called.status_code != 401
        innocent(called)


async def test_a_foreign_origin_is_foreign_whatever_the_host_says(behind: Gate) -> None:
    """superlinked/sie#275: what is our own origin says the public URL, never a forwarded host."""
    async with behind.http(headers=HOSTILE) as http:
        page = await http.post(
            "/auth/oauth/sign-in",
            data={"username": EMAIL, "password": PASSWORD},
            headers={"origin": f"https://{EVIL}", "sec-fetch-site": "cross-site"},
        )
    assert page.status_code >= 400
    innocent(page)


@pytest.mark.parametrize(
    "head",
    [
        f"GET http://{EVIL}/.well-known/oauth-authorization-server HTTP/1.1\r\nHost: {EVIL}",
        f"GET http://{EVIL}:6666/mcp HTTP/1.1\r\nHost: localhost",
        f"GET //{EVIL}/.well-known/oauth-authorization-server HTTP/1.1\r\nHost: {EVIL}",
        f"GET /mcp HTTP/1.1\r\nHost: localhost\r\nHost: {EVIL}",
        f"GET /oauth/authorize HTTP/1.1\r\nHost: {EVIL}\r\nX-Forwarded-Host: {EVIL}",
        "GET /mcp HTTP/1.0",
        f"GET /mcp HTTP/1.1\r\nHost: {EVIL}\r\n\tfolded.{EVIL}",
    ],
)
async def test_on_the_wire(lone_server: LiveServer, head: str) -> None:
    """What no client library would send, to the listener itself."""
    raw = f"{head}\r\nConnection: close\r\n\r\n".encode()
    answer = (await talk(lone_server.port, raw)).decode()
    assert EVIL not in answer
    assert "6666" not in answer
    if answer.startswith(("HTTP/1.1 401", "HTTP/1.0 401")):
        assert f'resource_metadata="{lone_server.url}/.well-known/' in answer
    for address in re.findall(r"https?://[^\s\"']+", answer):
        assert urlsplit(address).netloc in (
            urlsplit(lone_server.url).netloc,
            "modelcontextprotocol.io",
        )
