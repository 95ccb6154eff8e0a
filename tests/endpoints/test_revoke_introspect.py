"""Revocation (RFC 7009) and introspection (RFC 7662) from outside."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clauses import clause
from tests.endpoints.gate import Gate

CONFIDENTIAL = {"token_endpoint_auth_method": "client_secret_post"}


async def post(gate: Gate, path: str, **form: Any) -> Any:
    async with gate.http() as http:
        return await http.post(path, data=form)


@clause("RFC 7009", "2.1")
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "nonsense"])
async def test_public_clients_revoke_and_the_grant_is_over_at_once(
    gate: Gate, kind: str, hint: str | None
) -> None:
    client = await gate.register()
    tokens = await gate.tokens(client)
    form = {"token": tokens[kind], "client_id": client["client_id"]}
    answer = await post(
        gate, "/oauth/revoke", **form, **({"token_type_hint": hint} if hint else {})
    )
    assert answer.status_code == 200
    assert (await gate.call(tokens["access_token"])).status_code == 401
    assert (await gate.refresh(client, tokens["refresh_token"])).json()["error"] == "invalid_grant"


@clause("RFC 7009", "2.2")
async def test_unknown_and_foreign_tokens_change_nothing_and_tell_nothing(gate: Gate) -> None:
    client, other = await gate.register(), await gate.register()
    tokens = await gate.tokens(client)
    for token in (tokens["access_token"], tokens["refresh_token"], "unknown", "a.b.c"):
        answer = await post(gate, "/oauth/revoke", token=token, client_id=other["client_id"])
        assert (answer.status_code, answer.text) == (200, "")
    assert (await gate.call(tokens["access_token"])).status_code == 200


async def test_revocation_needs_a_client_and_a_token(gate: Gate) -> None:
    client = await gate.register()
    nobody = await post(gate, "/oauth/revoke", token="x", client_id="client_nobody")
    assert (nobody.status_code, nobody.json()["error"]) == (401, "invalid_client")
    empty = await post(gate, "/oauth/revoke", client_id=client["client_id"])
    assert (empty.status_code, empty.json()["error"]) == (400, "invalid_request")


def credentials(client: dict[str, Any]) -> dict[str, str]:
    return {"client_id": client["client_id"], "client_secret": client["client_secret"]}


@clause("RFC 7662", "2.2")
async def test_introspection_tells_the_owner(gate: Gate) -> None:
    client = await gate.register(**CONFIDENTIAL)
    tokens = await gate.tokens(client)
    access = await post(
        gate, "/oauth/introspect", token=tokens["access_token"], **credentials(client)
    )
    told = access.json()
    assert told["active"] is True
    assert told["aud"] == gate.url + "/mcp"
    assert told["scope"] == "mcp:use"
    assert told["client_id"] == client["client_id"]
    assert told["token_type"] == "Bearer"
    assert access.headers["cache-control"] == "no-store"
    refresh = await post(
        gate, "/oauth/introspect", token=tokens["refresh_token"], **credentials(client)
    )
    assert refresh.json()["active"] is True


@clause("RFC 7662", "2.2")
async def test_introspection_tells_strangers_nothing(gate: Gate) -> None:
    client, other = await gate.register(**CONFIDENTIAL), await gate.register(**CONFIDENTIAL)
    tokens = await gate.tokens(client)
    for token in (tokens["access_token"], tokens["refresh_token"], "unknown", "a.b.c"):
        answer = await post(gate, "/oauth/introspect", token=token, **credentials(other))
        assert (answer.status_code, answer.json()) == (200, {"active": False})
    revoked = {"token": tokens["access_token"], **credentials(client)}
    await post(gate, "/oauth/revoke", **revoked)
    assert (await post(gate, "/oauth/introspect", **revoked)).json() == {"active": False}


@clause("RFC 7662", "2.1")
async def test_introspection_needs_a_client_that_authenticates(gate: Gate) -> None:
    public = await gate.register()
    token = (await gate.tokens(public))["access_token"]
    answer = await post(gate, "/oauth/introspect", token=token, client_id=public["client_id"])
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert (await post(gate, "/oauth/introspect", token=token)).status_code == 401
