"""Both TypeScript SDKs where AuthKit issues the tokens, and the first one as it once was."""

from __future__ import annotations

import pytest

from tests.clients.authkit import DOCUMENT, AuthKitServer
from tests.clients.node_client import NodeClient
from tests.clients.test_typescript_sdks import every_sdk, started
from tests.live import ALICE, BOB

CALLBACK = "http://127.0.0.1:33418/callback"  # as in keeper.mjs


@every_sdk
def test_from_the_first_401_to_the_refreshed_call(sdk: str, authkit: AuthKitServer) -> None:
    with started(sdk, authkit, BOB) as client:
        assert client.say("whoami")["display"] == BOB.email
        first = client.say("kept")["tokens"]
        authkit.later(311)

        assert client.say("whoami")["display"] == BOB.email
        kept = client.say("kept")
        assert (kept["visits"], kept["registrations"]) == (1, 1)
        assert kept["tokens"]["access_token"] != first["access_token"]
        assert kept["tokens"]["refresh_token"] != first["refresh_token"]


@pytest.mark.parametrize("sdk", ["v1", "v2-auto"])
def test_whatever_the_token_calls_the_person_it_is_this_one(
    sdk: str, authkit: AuthKitServer
) -> None:
    authkit.workos.sub_mode, authkit.workos.client_id_claim = "user", False
    with started(sdk, authkit, BOB) as client:
        assert client.say("whoami")["display"] == BOB.email


@pytest.mark.parametrize("sdk", ["v1", "v2-auto"])
def test_a_client_that_is_a_document_registers_nowhere(
    sdk: str, authkit: AuthKitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    authkit.workos.documents[DOCUMENT] = {"client_id": DOCUMENT, "redirect_uris": [CALLBACK]}
    monkeypatch.setenv("CLIENT_METADATA_URL", DOCUMENT)
    registered = len(authkit.workos.called("POST /oauth2/register"))
    with started(sdk, authkit) as client:
        assert client.say("whoami")["display"] == ALICE.email
        kept = client.say("kept")
    assert (kept["client_id"], kept["visits"]) == (DOCUMENT, 1)
    assert len(authkit.workos.called("POST /oauth2/register")) == registered


@pytest.mark.parametrize("default", [True, False], ids=["default", "no-default"])
def test_a_client_that_looks_for_the_metadata_here_alone(
    authkit: AuthKitServer, default: bool
) -> None:
    """MCP 2025-03-26: no resource metadata, and no `resource`. What AuthKit's document says of
    itself is passed on; which audience it then gives depends on the default indicator."""
    authkit.workos.default_resource = authkit.mcp_url if default else None
    with NodeClient("older.mjs", authkit.mcp_url, person=ALICE) as client:
        found = client.say("connect")
        assert found["issuer"] == authkit.workos.authkit_url
        called = client.say("whoami")
    if default:
        assert called["result"]["display"] == ALICE.email
    else:
        assert called["status"] == 401
        assert f"issued for {authkit.workos.client_id}" in called["challenge"]
