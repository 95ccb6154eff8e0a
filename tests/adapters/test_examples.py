"""Every example as it stands in examples/, started as a reader would and used by the official
Python client; and what it must refuse.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.adapters.programs import EmbeddedServer, Place, Program
from tests.clients.by_hand import Hands
from tests.clients.test_authkit_python import Application as AuthKitApplication
from tests.clients.test_python_sdk import Application
from tests.house.reading import ROOT
from tests.live import ALICE, LiveServer
from tests.standins.running import running_workos
from tests.standins.workos import WorkOSStandIn

MCP_EXAMPLES = ["fastmcp_remote.py", "mcp_sdk_server.py", "starlette_app.py"]
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "by hand", "version": "0"},
    },
}


def knock(url: str, token: str | None = None, method: str = "POST", **headers: str) -> Any:
    """The first request of a session, or of a page."""
    sent = {"Accept": "application/json, text/event-stream", **headers}
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    body = INITIALIZE if method == "POST" else None
    return httpx2.request(method, url, json=body, headers=sent, timeout=15, trust_env=False)


def parameters(answer: httpx2.Response) -> dict[str, str]:
    """Those of a Bearer challenge."""
    scheme, _, rest = answer.headers["www-authenticate"].partition(" ")
    assert scheme == "Bearer"
    pairs = (part.split("=", 1) for part in rest.split(", "))
    return {name: value.strip('"') for name, value in pairs}


def test_each_example_is_short_and_known_here() -> None:
    scripts = {path.name: path.read_text() for path in (ROOT / "examples").glob("*.py")}
    assert set(scripts) == {*MCP_EXAMPLES, "fastapi_app.py", "fastmcp_embedded.py"}
    assert all(len(text.splitlines()) < 60 for text in scripts.values())


# --- with an authgate elsewhere -------------------------------------------------------------------


@pytest.fixture(scope="module", params=MCP_EXAMPLES)
def example(
    request: pytest.FixtureRequest, places: dict[str, Place], authgate: LiveServer
) -> Iterator[Program]:
    """Each of the MCP servers, without introspection."""
    with Program(request.param, places[request.param], {"ISSUER": authgate.url}) as running:
        yield running
    running.assert_quiet()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_one_sign_in_opens_the_tool(
    example: Program, authgate: LiveServer, mode: str
) -> None:
    application = Application(example.target)
    async with application.connected(mode) as client:
        told = await client.call_tool("whoami", {})
    assert not told.is_error, told
    assert told.structured_content is not None
    (account,) = [one for one in people(authgate) if one["email"] == ALICE.email]
    assert told.structured_content["sub"] == account["sub"]
    assert application.client is not None
    assert told.structured_content["client_id"] == application.client.client_id
    assert "mcp:use" in told.structured_content["scopes"]
    assert application.visits == 1


def people(authgate: LiveServer) -> list[dict[str, Any]]:
    import json

    found: list[dict[str, Any]] = json.loads(authgate.cli("people", "list", "--json").stdout)
    return found


def test_without_a_token_the_way_to_one_is_told(example: Program, authgate: LiveServer) -> None:
    answer = knock(example.place.resource)
    assert answer.status_code == 401
    metadata_url = parameters(answer)["resource_metadata"]
    document = httpx2.get(metadata_url, trust_env=False).json()
    assert document["resource"] == example.place.resource
    assert document["authorization_servers"] == [authgate.url]  # without a slash nobody wrote
    (issuer,) = document["authorization_servers"]
    found = httpx2.get(issuer + "/.well-known/oauth-authorization-server", trust_env=False).json()
    assert found["issuer"] == issuer


def test_a_token_for_another_server_is_refused(
    example: Program, places: dict[str, Place], hands: Hands
) -> None:
    client = hands.registered()["client_id"]
    for resource in (places["another.py"].resource, hands.server.mcp_url):
        foreign = hands.tokens(client, resource=resource)["access_token"]
        answer = knock(example.place.resource, foreign)
        assert (answer.status_code, parameters(answer)["error"]) == (401, "invalid_token")


def test_a_missing_scope_is_403_and_not_401(example: Program, hands: Hands) -> None:
    client = hands.registered()["client_id"]
    resource = example.place.resource
    poor = hands.tokens(client, resource=resource, scope="weather:write")["access_token"]
    answer = knock(resource, poor)
    assert (answer.status_code, parameters(answer)["error"]) == (403, "insufficient_scope")
    rich = hands.tokens(client, resource=resource, scope="mcp:use")["access_token"]
    assert knock(resource, rich).status_code == 200


def test_a_changed_token_is_refused(example: Program, hands: Hands) -> None:
    client = hands.registered()["client_id"]
    good = hands.tokens(client, resource=example.place.resource)["access_token"]
    head, body, signature = good.split(".")
    for bad in (f"{head}.{body}.", f"{head}.{body}.{signature[::-1]}", "nonsense", f"{good}.x"):
        answer = knock(example.place.resource, bad)
        assert (answer.status_code, parameters(answer)["error"]) == (401, "invalid_token")


@pytest.mark.parametrize("name", ["fastmcp_remote.py", "starlette_app.py"])
def test_the_guard_says_what_the_sdk_leaves_out(
    name: str, places: dict[str, Place], authgate: LiveServer, hands: Hands
) -> None:
    """No `error` where no token came, scopes in every challenge, the root form of the metadata,
    what a browser needs to read all that, and no foreign page with a good token."""
    place = places[name]
    with Program(name, place, {"ISSUER": authgate.url}):
        nothing = knock(place.resource, Origin="https://client.example")
        assert parameters(nothing).keys() == {"resource_metadata", "scope"}
        assert "WWW-Authenticate" in nothing.headers["access-control-expose-headers"]
        assert knock(place.resource, method="OPTIONS").headers["access-control-allow-methods"]
        root = httpx2.get(place.origin + "/.well-known/oauth-protected-resource", trust_env=False)
        assert root.json()["resource"] == place.resource

        client = hands.registered()["client_id"]
        poor = hands.tokens(client, resource=place.resource, scope="weather:write")["access_token"]
        assert parameters(knock(place.resource, poor))["scope"] == "mcp:use"
        good = hands.tokens(client, resource=place.resource)["access_token"]
        foreign = knock(place.resource, good, Origin="https://evil.example")
        assert foreign.status_code == 403
        assert knock(place.resource, good, Origin="http://localhost:3000").status_code == 200


def test_what_is_named_public_is_open_and_nothing_else(
    places: dict[str, Place], authgate: LiveServer
) -> None:
    place = places["starlette_app.py"]
    with Program("starlette_app.py", place, {"ISSUER": authgate.url}):
        assert knock(place.origin + "/health", method="GET").text == "well\n"
        for path in ("/", "/health/", "/Health", "/mcp/", "/anything"):
            assert knock(place.origin + path, method="GET").status_code == 401, path


def test_revoked_is_refused_at_once_where_the_issuer_is_asked(
    places: dict[str, Place], authgate: LiveServer, hands: Hands
) -> None:
    import json

    made = json.loads(authgate.cli("clients", "add", "weather", "--json").stdout)
    asking = {"CLIENT_ID": made["client_id"], "CLIENT_SECRET": made["client_secret"]}
    place = places["fastmcp_remote.py"]
    client = hands.registered()["client_id"]
    with Program("fastmcp_remote.py", place, {"ISSUER": authgate.url, **asking}) as running:
        tokens = hands.tokens(client, resource=place.resource)
        assert knock(place.resource, tokens["access_token"]).status_code == 200
        gone = {"token": tokens["refresh_token"], "client_id": client}
        assert hands.http.post("/oauth/revoke", data=gone).status_code == 200
        answer = knock(place.resource, tokens["access_token"])
        assert (answer.status_code, parameters(answer)["error"]) == (401, "invalid_token")
        assert made["client_secret"] not in running.logs()
    running.assert_quiet()


def test_where_the_issuer_cannot_be_asked_no_token_is_called_bad(
    places: dict[str, Place], hands: Hands
) -> None:
    """Clients throw tokens away on a 401; 503 tells them to come again."""
    place = places["fastmcp_remote.py"]
    client = hands.registered()["client_id"]
    good = hands.tokens(client, resource=place.resource)["access_token"]
    nobody = Place("")
    try:
        with Program("fastmcp_remote.py", place, {"ISSUER": nobody.origin}) as running:
            answer = knock(place.resource, good)
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert "www-authenticate" not in answer.headers
        running.assert_quiet()
    finally:
        nobody.close()


def test_fastapi_knows_its_callers(
    places: dict[str, Place], authgate: LiveServer, hands: Hands
) -> None:
    place = places["fastapi_app.py"]
    client = hands.registered()["client_id"]
    with Program("fastapi_app.py", place, {"ISSUER": authgate.url}) as running:
        me, forecasts = place.origin + "/me", place.origin + "/forecasts"
        assert knock(place.origin + "/health", method="GET").json() == {"status": "well"}
        nothing = knock(me, method="GET")
        assert nothing.status_code == 401
        document = httpx2.get(parameters(nothing)["resource_metadata"], trust_env=False).json()
        assert document["resource"] == place.resource

        usual = hands.tokens(client, resource=place.resource, scope="mcp:use")["access_token"]
        assert knock(me, usual, method="GET").json()["client_id"] == client
        step_up = knock(forecasts, usual, method="DELETE")
        assert step_up.status_code == 403
        assert parameters(step_up)["scope"] == "weather:write"
        assert step_up.json()["error"] == "insufficient_scope"
        more = hands.tokens(client, resource=place.resource)["access_token"]
        assert knock(forecasts, more, method="DELETE").status_code == 200

        other = hands.tokens(client, resource=authgate.mcp_url)["access_token"]
        assert knock(me, other, method="GET").status_code == 401
    running.assert_quiet()


# --- with the whole authgate inside ---------------------------------------------------------------


@pytest.fixture(scope="module", params=["/api/mcp", "/mcp"])
def embedded(request: pytest.FixtureRequest) -> Iterator[EmbeddedServer]:
    """The guide's path, which the sign-in tools have too, and the usual one."""
    env = {
        "AUTHGATE_RESOURCES": "https://another.example/mcp",
        "AUTHGATE_SCOPES": "mcp:use",
        "AUTHGATE_ACCESS_TOKEN_TTL": "3",
    }
    with EmbeddedServer("fastmcp_embedded.py", env=env, mcp_path=request.param) as running:
        yield running
        running.assert_quiet()


@pytest.fixture
def inside(embedded: EmbeddedServer) -> Iterator[Hands]:
    with Hands(embedded) as ready:
        yield ready


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_server_with_its_issuer_inside(embedded: EmbeddedServer, mode: str) -> None:
    application = Application(embedded)
    async with application.connected(mode) as client:
        told = await client.call_tool("whoami", {})
        assert not told.is_error, told
        assert told.structured_content is not None
        assert told.structured_content["sub"].startswith("ag_")
        await asyncio.sleep(3.2)
        again = await client.call_tool("whoami", {})
    assert again.structured_content == told.structured_content
    assert application.visits == 1


def test_it_tells_the_way_to_itself(embedded: EmbeddedServer) -> None:
    answer = knock(embedded.mcp_url)
    assert answer.status_code == 401
    document = httpx2.get(parameters(answer)["resource_metadata"], trust_env=False).json()
    assert document["resource"] == embedded.mcp_url
    assert document["authorization_servers"] == [embedded.url]


def test_it_refuses_what_authgate_refuses(embedded: EmbeddedServer, inside: Hands) -> None:
    client = inside.registered()["client_id"]
    foreign = inside.tokens(client, resource="https://another.example/mcp")["access_token"]
    assert knock(embedded.mcp_url, foreign).status_code == 401
    tokens = inside.tokens(client)
    assert knock(embedded.mcp_url, tokens["access_token"]).status_code == 200
    gone = {"token": tokens["refresh_token"], "client_id": client}
    assert inside.http.post("/oauth/revoke", data=gone).status_code == 200
    assert knock(embedded.mcp_url, tokens["access_token"]).status_code == 401


async def test_it_refuses_an_expired_token(embedded: EmbeddedServer, inside: Hands) -> None:
    client = inside.registered()["client_id"]
    token = inside.tokens(client)["access_token"]
    assert knock(embedded.mcp_url, token).status_code == 200
    await asyncio.sleep(3.2)
    answer = knock(embedded.mcp_url, token)
    assert (answer.status_code, parameters(answer)["error"]) == (401, "invalid_token")


def test_the_guides_plain_post_still_needs_no_token(embedded: EmbeddedServer) -> None:
    asked = {
        "method": "oauth_register_client",
        "params": {"client_data": {"redirect_uris": ["http://localhost:3000/callback"]}},
    }
    url = embedded.url + "/api/mcp"
    answer = httpx2.post(url, json=asked, timeout=15, trust_env=False)
    assert answer.status_code == 200
    assert answer.json()["result"]["client_id"].startswith("client_")


async def test_inside_a_server_whose_tokens_authkit_issues() -> None:
    with running_workos() as workos, InsideWithAuthKit(workos) as server:
        application = AuthKitApplication(server)  # type: ignore[arg-type]
        async with application.connected("auto") as client:
            told = await client.call_tool("whoami", {})
        assert told.structured_content is not None
        assert told.structured_content["sub"].startswith("ag_")
        document = httpx2.get(
            parameters(knock(server.mcp_url))["resource_metadata"], trust_env=False
        ).json()
        assert document["authorization_servers"] == [workos.authkit_url]
        server.assert_quiet()


class InsideWithAuthKit(EmbeddedServer):
    """Set up as `docs/workos.md` says, for an authgate that is inside."""

    def __init__(self, workos: WorkOSStandIn) -> None:
        env = {
            "AUTHGATE_ISSUER": "authkit",
            "WORKOS_AUTHKIT_DOMAIN": workos.authkit_url,
            "WORKOS_API_KEY": workos.api_key,
            "WORKOS_API_URL": workos.api_url,
        }
        super().__init__("fastmcp_embedded.py", env=env, mcp_path="/api/mcp")
        self.workos = workos

    def _launch(self) -> None:
        self.workos.login_uri = f"{self.url}/oauth/login"
        self.workos.resources = [self.mcp_url]
        super()._launch()
