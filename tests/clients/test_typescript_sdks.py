"""Both TypeScript SDKs, from the first 401 to the day the operator removes them.

The person's part is played in a browser by a script; everything else is the SDK's own code.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.clients.by_hand import Hands
from tests.clients.node_client import NodeClient
from tests.live import ALICE, BOB, LiveServer

SDKS = {
    "v1": ("sdk_v1.mjs",),
    "v2-legacy": ("sdk_v2.mjs", "legacy"),
    "v2-auto": ("sdk_v2.mjs", "auto"),
    "v2-pinned": ("sdk_v2.mjs", "2026-07-28"),
}

every_sdk = pytest.mark.parametrize("sdk", SDKS)


def started(sdk: str, server: LiveServer, person: object = ALICE) -> NodeClient:
    script, *era = SDKS[sdk]
    return NodeClient(script, server.mcp_url, *era, person=person)


@pytest.fixture
def client(sdk: str, server: LiveServer) -> Iterator[NodeClient]:
    with started(sdk, server) as running:
        yield running


@every_sdk
def test_one_sign_in_opens_the_tools_to_the_right_person(sdk: str, server: LiveServer) -> None:
    with started(sdk, server, BOB) as client:
        assert client.say("whoami")["display"] == BOB.email
        assert client.say("add") == {"sum": 42}
        client.say("reconnect")
        assert client.say("whoami")["display"] == BOB.email

        kept = client.say("kept")
        assert (kept["visits"], kept["registrations"]) == (1, 1)
        assert kept["tokens"]["token_type"] == "Bearer"


@every_sdk
def test_an_ended_access_token_is_refreshed_without_the_person(sdk: str, hasty: LiveServer) -> None:
    with started(sdk, hasty) as client:
        client.say("whoami")
        first = client.say("kept")["tokens"]
        time.sleep(2.2)

        assert client.say("whoami")["display"] == ALICE.email
        second = client.say("kept")
        assert second["visits"] == 1
        assert second["tokens"]["access_token"] != first["access_token"]
        assert second["tokens"]["refresh_token"] != first["refresh_token"]


@every_sdk
def test_an_ended_grant_leads_back_to_the_person(
    sdk: str, client: NodeClient, hands: Hands
) -> None:
    client.say("whoami")
    kept = client.say("kept")
    gone = {"token": kept["tokens"]["refresh_token"], "client_id": kept["client_id"]}
    assert hands.http.post("/oauth/revoke", data=gone).status_code == 200
    assert hands.knock(kept["tokens"]["access_token"]).status_code == 401

    assert client.say("whoami")["display"] == ALICE.email
    after = client.say("kept")
    assert (after["visits"], after["client_id"]) == (2, kept["client_id"])


@every_sdk
def test_a_removed_client_registers_itself_again(
    sdk: str, client: NodeClient, server: LiveServer
) -> None:
    client.say("whoami")
    before = client.say("kept")
    server.cli("clients", "remove", before["client_id"], "--yes")

    assert client.say("whoami")["display"] == ALICE.email
    after = client.say("kept")
    assert after["registrations"] == 2
    assert after["client_id"] != before["client_id"]


@every_sdk
def test_wherever_the_server_is_it_is_found(sdk: str, elsewhere: LiveServer) -> None:
    with started(sdk, elsewhere) as client:
        assert client.say("whoami")["display"] == ALICE.email
