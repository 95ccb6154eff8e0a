"""Bad input gets a clear OAuth error or page: never a traceback, never a 500, nothing lost."""

from __future__ import annotations

import string
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tests.endpoints.gate import Gate

ENDPOINTS = (
    "/oauth/token",
    "/oauth/register",
    "/oauth/revoke",
    "/oauth/introspect",
    "/oauth/sign-in",
    "/oauth/consent",
    "/oauth/sign-out",
    "/api/mcp",
)
FORM = "application/x-www-form-urlencoded"
NAMES = some.sampled_from(
    [
        *("client_id", "client_secret", "code", "code_verifier", "grant_type", "redirect_uri"),
        *("refresh_token", "resource", "scope", "token", "request", "username", "password"),
        *("state", "code_challenge", "code_challenge_method", "response_type", "decision"),
    ]
)
VALUES = some.one_of(
    some.text(max_size=40),
    some.sampled_from(
        ("", "authorization_code", "refresh_token", "none", "x" * 10_000, "\r\nA: b")
    ),
)
many = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def check(answer: Any) -> None:
    """Clear, and ours: a status below 500, a known shape, a sentence, no innards."""
    assert answer.status_code < 500, answer.text
    text = answer.text
    for innards in ("Traceback", 'File "', "sqlite", "authgate/", "KeyError", "ValueError"):
        assert innards not in text
    if answer.status_code >= 400 and answer.headers["content-type"] == "application/json":
        told = answer.json()
        error = told["error"]
        if "jsonrpc" in told:  # an MCP client's own form (JSON-RPC 2.0 section 5.1)
            assert isinstance(error["code"], int)
            assert error["message"]
        elif isinstance(error, dict):  # the plain tool face
            assert error["code"]
            assert error["message"]
            assert error["hint"]
        else:
            assert error
            assert told["error_description"]
            assert told["hint"]
            allowed = set(range(0x20, 0x7F)) - {0x22, 0x5C}
            assert set(told["error_description"].encode()) <= allowed


@many
@given(form=some.lists(some.tuples(NAMES, VALUES), max_size=12), path=some.sampled_from(ENDPOINTS))
async def test_forms_of_any_content(gate: Gate, form: list[tuple[str, str]], path: str) -> None:
    body = urlencode(form, errors="replace", encoding="utf-8")
    async with gate.http() as http:
        check(await http.post(path, content=body, headers={"content-type": FORM}))


@many
@given(query=some.lists(some.tuples(NAMES, VALUES), max_size=12))
async def test_queries_of_any_content(gate: Gate, query: list[tuple[str, str]]) -> None:
    async with gate.http() as http:
        for path in ("/oauth/authorize", "/oauth/continue"):
            check(await http.get(path, params=[(n, v.encode(errors="replace")) for n, v in query]))


@many
@given(body=some.binary(max_size=300), path=some.sampled_from(ENDPOINTS))
@pytest.mark.parametrize(
    "content_type",
    [FORM, "application/json", "text/plain", "", FORM + "; charset=utf-16", "multipart/form-data"],
)
async def test_bodies_of_any_bytes(gate: Gate, body: bytes, path: str, content_type: str) -> None:
    async with gate.http() as http:
        check(await http.post(path, content=body, headers={"content-type": content_type}))


json_values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=20),
    lambda inner: (
        some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=12), inner, max_size=3)
    ),
    max_leaves=8,
)


@many
@given(
    document=some.dictionaries(
        some.sampled_from(
            ("redirect_uris", "client_name", "grant_types", "response_types", "scope", "contacts",
             "token_endpoint_auth_method", "jwks", "jwks_uri", "client_uri", "software_statement",
             "application_type", "logo_uri", "method", "params", "jsonrpc", "id")
        ),
        json_values,
        max_size=6,
    ),
    path=some.sampled_from(("/oauth/register", "/api/mcp")),
)  # fmt: skip
async def test_json_of_any_shape(gate: Gate, document: dict[str, Any], path: str) -> None:
    async with gate.http() as http:
        check(await http.post(path, json=document))


header_values = some.text(string.printable.replace("\r", "").replace("\n", ""), max_size=60)


@many
@given(value=header_values, name=some.sampled_from(
    ("authorization", "cookie", "origin", "content-type", "x-forwarded-for", "host",
     "sec-fetch-site", "referer", "mcp-protocol-version")
))  # fmt: skip
async def test_headers_of_any_content(gate: Gate, name: str, value: str) -> None:
    async with gate.http() as http:
        for method, path in (
            ("POST", "/oauth/token"),
            ("GET", "/oauth/authorize"),
            ("GET", "/oauth/continue"),
            ("POST", "/oauth/sign-in"),
            ("POST", "/mcp"),
            ("GET", "/.well-known/oauth-authorization-server"),
        ):
            check(await http.request(method, path, headers={name: value.strip()}))


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_repeated_parameters_are_told(gate: Gate, path: str) -> None:
    async with gate.http() as http:
        answer = await http.post(
            path, content="client_id=a&client_id=b&request=x", headers={"content-type": FORM}
        )
    check(answer)
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_not_utf8_is_told(gate: Gate, path: str) -> None:
    async with gate.http() as http:
        answer = await http.post(
            path, content=b"client_id=%ff%fe&state=\xff", headers={"content-type": FORM}
        )
    check(answer)
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_more_than_64_kib_is_413(gate: Gate, path: str) -> None:
    async with gate.http() as http:
        for content_type in (FORM, "application/json"):
            answer = await http.post(
                path, content=b"a=" + b"b" * 66_000, headers={"content-type": content_type}
            )
            assert answer.status_code == 413
