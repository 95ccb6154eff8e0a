"""The guard before /mcp, from outside (OAuth 2.1 section 5, RFC 6750 section 3, RFC 9068 4)."""

from __future__ import annotations

import base64
import json
import re
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from authgate.gateway.guarded import Guarded
from authgate.store.contract import StoreUnavailable
from authgate.web.answers import Answer
from tests.clauses import clause
from tests.endpoints.conftest import OpenGate
from tests.endpoints.gate import Gate


@pytest.fixture
async def token(gate: Gate) -> str:
    return (await gate.tokens(await gate.register()))["access_token"]


def challenge_of(answer: Any) -> dict[str, str]:
    header = answer.headers["www-authenticate"]
    assert header.startswith("Bearer ")
    return dict(re.findall(r'(\w+)="([^"]*)"', header))


@clause("RFC 6750", "3")
@clause("RFC 9728", "5.1")
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT"])
async def test_without_a_token_the_challenge_says_where_to_get_one(gate: Gate, method: str) -> None:
    async with gate.http() as http:
        answer = await http.request(method, "/mcp", content=b"not even JSON")
    assert answer.status_code == 401
    told = challenge_of(answer)
    assert told["resource_metadata"] == gate.url + "/.well-known/oauth-protected-resource/mcp"
    assert told["scope"] == "mcp:use"
    assert "error" not in told


async def test_a_good_token_gets_through_and_names_the_person(gate: Gate, token: str) -> None:
    answer = await gate.call(token)
    assert answer.status_code == 200
    assert token not in answer.text


@clause("RFC 6750", "2.1")
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_case_insensitive(gate: Gate, token: str, scheme: str) -> None:
    assert (await gate.call(None, authorization=f"{scheme} {token}")).status_code == 200


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer a b", "Bearer \x00", "Bearer " + "x" * 9000, "Bearer e30.e30."],
)
async def test_malformed_tokens_are_invalid(gate: Gate, header: str) -> None:
    answer = await gate.call(None, authorization=header)
    assert answer.status_code == 401
    assert challenge_of(answer)["error"] == "invalid_token"


@pytest.mark.parametrize("header", ["Basic dTpw", "Token abc", "nonsense"])
async def test_other_schemes_count_as_no_token(gate: Gate, header: str) -> None:
    answer = await gate.call(None, authorization=header)
    assert answer.status_code == 401
    assert "error" not in challenge_of(answer)


@clause("OAuth 2.1", "5.1")
async def test_the_query_is_no_place_for_a_token(gate: Gate, token: str) -> None:
    async with gate.http() as http:
        alone = await http.post(f"/mcp?access_token={token}", json={})
        both = await http.post(
            f"/mcp?access_token={token}", json={}, headers={"authorization": f"Bearer {token}"}
        )
        twice = await http.post(
            "/mcp",
            json={},
            headers=[("authorization", f"Bearer {token}"), ("authorization", "Bearer x")],
        )
    assert alone.status_code == 401
    assert (both.status_code, both.json()["error"]) == (400, "invalid_request")
    assert (twice.status_code, twice.json()["error"]) == (400, "invalid_request")


def decoded(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    parts = [part + "=" * (-len(part) % 4) for part in token.split(".")[:2]]
    return tuple(json.loads(base64.urlsafe_b64decode(part)) for part in parts)


def encoded(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


@clause("RFC 8725", "3.1")
async def test_forged_tokens(gate: Gate, token: str) -> None:
    """The JOSE advisories: none, embedded keys, unknown crit, HS with a public key."""
    header, claims = decoded(token)
    own = ECKey.import_key(ec.generate_private_key(ec.SECP256R1()))
    public = json.dumps(json.loads(gate.core.keys.jwks())["keys"][0]).encode()
    signature = token.split(".")[2]

    def signed(changes: dict[str, Any], key: Any = own, **claim: Any) -> str:
        return jwt.encode(
            {**header, **changes}, {**claims, **claim}, key, [changes.get("alg", "ES256")]
        )

    forged = [
        f"{encoded({**header, 'alg': 'none'})}.{encoded(claims)}.",
        f"{encoded({**header, 'alg': 'none'})}.{encoded(claims)}.{signature}",
        f"{encoded(header)}.{encoded({**claims, 'sub': 'ag_root'})}.{signature}",
        signed({}),
        signed({"jwk": own.as_dict(private=False)}),
        signed({"kid": "another"}),
        signed({"alg": "HS256"}, OctKey.import_key(public)),
        token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB"),
        token + "A",
        f"{encoded({**header, 'crit': ['x'], 'x': 1})}.{token.split('.', 1)[1]}",
        ".".join([*token.split(".")[:2], ""]),
    ]
    for bad in forged:
        answer = await gate.call(bad)
        assert answer.status_code == 401, bad
        assert challenge_of(answer)["error"] == "invalid_token"


@clause("RFC 9068", "4")
@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ({"typ": "JWT"}, {}),
        ({"typ": "id_token+jwt"}, {}),
        ({"typ": "oauth-id-jag+jwt"}, {}),
        ({}, {"iss": "https://other.example"}),
        ({}, {"aud": "http://localhost:8000"}),
        ({}, {"aud": "http://localhost:8000/mcp/"}),
        ({}, {"aud": ["http://localhost:8000/mcp", "https://b.example"]}),
        ({}, {"aud": None}),
        ({}, {"exp": 1}),
        ({}, {"exp": None}),
        ({}, {"exp": "9999999999"}),
        ({}, {"nbf": 9_999_999_999}),
        ({}, {"sub": None}),
        ({}, {"gid": "grant_unknown"}),
        ({}, {"gid": None}),
    ],
)
async def test_tokens_of_ours_that_are_not_for_here(
    gate: Gate, token: str, header: dict[str, Any], claims: dict[str, Any]
) -> None:
    """Signed with our very key, so nothing but the check under test can refuse them."""
    original_header, original = decoded(token)
    merged = {k: v for k, v in {**original, **claims}.items() if v is not None}
    signer = gate.core.keys.signer(int(time.time()))
    body = f"{encoded({**original_header, **header})}.{encoded(merged)}".encode()
    signature = base64.urlsafe_b64encode(signer.sign(body)).decode().rstrip("=")
    answer = await gate.call(f"{body.decode()}.{signature}")
    assert answer.status_code == 401
    assert challenge_of(answer)["error"] == "invalid_token"


async def test_the_refresh_token_opens_nothing(gate: Gate) -> None:
    tokens = await gate.tokens(await gate.register())
    assert (await gate.call(tokens["refresh_token"])).status_code == 401


@clause("RFC 6750", "3.1")
async def test_too_little_scope_names_all_that_would_do(open_gate: OpenGate) -> None:
    gate = await open_gate(AUTHGATE_SCOPES="mcp:use mcp:admin")
    tokens = await gate.tokens(await gate.register(), scope="mcp:use offline_access")
    client = await gate.register()
    pair = await gate.tokens(client, scope="mcp:use offline_access")
    narrow = (await gate.refresh(client, pair["refresh_token"], scope="offline_access")).json()
    answer = await gate.call(narrow["access_token"])
    assert answer.status_code == 403
    told = challenge_of(answer)
    assert told["error"] == "insufficient_scope"
    assert told["scope"] == "mcp:use mcp:admin"
    assert told["resource_metadata"]
    assert (await gate.call(tokens["access_token"])).status_code == 200


async def test_origin_is_judged_after_the_token(open_gate: OpenGate) -> None:
    gate = await open_gate(AUTHGATE_ALLOWED_ORIGINS="https://app.example")
    token = (await gate.tokens(await gate.register()))["access_token"]
    assert (await gate.call(None, origin="https://evil.example")).status_code == 401
    assert (await gate.call(token, origin="https://evil.example")).status_code == 403
    assert (await gate.call(token, origin="null")).status_code == 403
    for origin in ("https://app.example", gate.url, "http://localhost:6274", "http://[::1]:1"):
        answer = await gate.call(token, origin=origin)
        assert answer.status_code == 200, origin
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "WWW-Authenticate" in answer.headers["access-control-expose-headers"]
    assert (await gate.call(token, origin="http://localhost.evil.example")).status_code == 403


async def test_preflight_needs_no_token(gate: Gate) -> None:
    async with gate.http() as http:
        answer = await http.options(
            "/mcp",
            headers={"origin": "https://app.example", "access-control-request-method": "POST"},
        )
    assert answer.status_code == 204
    for name in ("authorization", "mcp-protocol-version", "mcp-method", "mcp-name"):
        assert name in answer.headers["access-control-allow-headers"].lower()


async def test_a_store_that_cannot_answer_is_no_verdict_on_the_token(
    gate: Gate, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients throw their tokens away on 401; on 503 they come back."""

    async def broken(_self: Any, _grant_id: str) -> None:
        raise StoreUnavailable("the disk is gone")

    monkeypatch.setattr(type(gate.core.store), "grant", broken)
    answer = await gate.call(token)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert "disk" not in answer.text


@clause("MCP 2026-07-28 authorization", "token handling")
async def test_no_body_is_read_before_the_token_is_judged(gate: Gate) -> None:
    """A caller without a token must not be able to make us wait, or parse, for it."""
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("the body was asked for")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/mcp",
        "query_string": b"",
        "headers": [(b"content-length", b"100")],
        "client": ("127.0.0.1", 1),
    }
    await gate.app(scope, receive, send)
    assert sent[0]["status"] == 401


@clause("MCP 2026-07-28 authorization", "token passthrough")
async def test_the_token_goes_no_further_than_the_guard(gate: Gate, token: str) -> None:
    seen: list[Any] = []

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        await Answer(200).send(send)

    guarded = Guarded(behind, gate.app.table["/mcp"]._guard)
    gate.app.table["/mcp"] = guarded
    assert (await gate.call(token, **{"x-kept": "yes"})).status_code == 200
    names = [name for name, _ in seen[0]["headers"]]
    assert b"authorization" not in names
    assert b"x-kept" in names
    assert token not in repr(seen[0])
    assert seen[0]["authgate.caller"].display == "alice@example.com"
