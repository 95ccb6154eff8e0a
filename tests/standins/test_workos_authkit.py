"""The AuthKit domain over plain HTTP: documents, registration, the way to a code."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.standins.workos import Person
from tests.standins.workos_browser import Browser
from tests.standins.workos_house import (
    ALL,
    CALLBACK,
    LOGIN,
    MCP,
    VERIFIER,
    House,
    furnished,
)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with furnished() as made:
        yield made


# --- documents ----------------------------------------------------------------------------------


async def test_the_metadata_is_as_served_live(house: House) -> None:
    url = house.workos.authkit_url
    path = "/.well-known/oauth-authorization-server"
    assert await house("GET", path) == {
        "issuer": url,
        "authorization_endpoint": f"{url}/oauth2/authorize",
        "token_endpoint": f"{url}/oauth2/token",
        "registration_endpoint": f"{url}/oauth2/register",
        "jwks_uri": f"{url}/oauth2/jwks",
        "introspection_endpoint": f"{url}/oauth2/introspection",
        "device_authorization_endpoint": f"{url}/oauth2/device_authorization",
        "client_id_metadata_document_supported": True,
        "code_challenge_methods_supported": ["S256"],
        "grant_types_supported": [
            "authorization_code",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "scopes_supported": ["email", "offline_access", "openid", "profile"],
        "token_endpoint_auth_methods_supported": [
            "none",
            "client_secret_post",
            "client_secret_basic",
        ],
    }
    house.workos.dcr_enabled = house.workos.cimd_enabled = False
    less = await house("GET", path)
    assert "registration_endpoint" not in less
    assert "client_id_metadata_document_supported" not in less


async def test_the_openid_document_lacks_what_mcp_clients_need(house: House) -> None:
    body = await house("GET", "/.well-known/openid-configuration")
    assert body["issuer"] == house.workos.authkit_url
    assert body["userinfo_endpoint"].endswith("/oauth2/userinfo")
    for name in (
        "code_challenge_methods_supported",
        "registration_endpoint",
        "client_id_metadata_document_supported",
    ):
        assert name not in body


# --- registration -------------------------------------------------------------------------------


async def test_a_client_registers_itself(house: House) -> None:
    made = await house.register(client_uri="https://client.example.test")
    assert made["client_id"].startswith("client_")
    assert made["token_endpoint_auth_method"] == "none"
    assert made["redirect_uris"] == [CALLBACK]
    assert made["client_uri"] == "https://client.example.test"
    assert "client_secret" not in made


async def test_without_a_method_it_is_that_of_the_rfc(house: House) -> None:
    """RFC 7591, 2: the default is a secret, which breaks clients that cannot keep one."""
    made = await house.register(token_endpoint_auth_method=None)
    assert (made["token_endpoint_auth_method"], bool(made["client_secret"])) == (
        "client_secret_basic",
        True,
    )
    code = (await house.authorize())["code"]
    refused = await house.exchange(code, 401)
    assert refused["error"] == "invalid_client"
    assert (await house.exchange(code, client_secret=made["client_secret"]))["access_token"]
    code = (await house.authorize())["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    form["code_verifier"] = VERIFIER
    basic = aiohttp.encode_basic_auth(made["client_id"], made["client_secret"])
    headers = {"Authorization": basic}
    assert (await house("POST", "/oauth2/token", data=form, headers=headers))["access_token"]


async def test_registration_off_says_so(house: House) -> None:
    house.workos.dcr_enabled = False
    assert await house.register(400) == {
        "error": "dynamic_client_registration_disabled",
        "error_description": "Dynamic client registration is disabled for this environment.",
    }


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://app.example.test/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
        ({"grant_types": ["refresh_token"]}, "invalid_client_metadata"),
    ],
)
async def test_registrations_that_are_refused(
    house: House, changed: dict[str, Any], error: str
) -> None:
    assert (await house.register(400, **changed))["error"] == error


# --- client id metadata documents ---------------------------------------------------------------


@pytest.fixture
async def document() -> AsyncIterator[dict[str, Any]]:
    """A client's own site with its document; `url` is the client id."""
    shown: dict[str, Any] = {"client_name": "By document", "redirect_uris": [CALLBACK]}

    async def serve(request: web.Request) -> web.Response:
        body = {"client_id": shown["url"], **shown}
        del body["url"]
        return web.json_response(body)

    app = web.Application()
    app.router.add_get("/client.json", serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    shown["url"] = f"http://127.0.0.1:{runner.addresses[0][1]}/client.json"
    yield shown
    await runner.cleanup()


async def test_a_client_is_known_by_its_document(house: House, document: dict[str, Any]) -> None:
    house.client_id = document["url"]
    claims = await house.claims((await house.tokens())["access_token"])
    assert claims["client_id"] == document["url"]
    await house.browser.open(house.url(), until=LOGIN)
    back = await house.complete(house.browser.answer["external_auth_id"])
    assert "By document wants access" in (await house.browser.open(back)).text


async def test_documents_that_name_another_client_or_are_off(
    house: House, document: dict[str, Any]
) -> None:
    house.client_id = document["url"]
    document["client_id"] = "https://other.example.test/client.json"
    await house.browser.open(house.url(), until=LOGIN)
    assert (house.browser.status, "invalid_client" in house.browser.text) == (400, True)
    del document["client_id"]
    house.workos.cimd_enabled = False
    await house.browser.open(house.url(), until=LOGIN)
    assert (house.browser.status, "invalid_client" in house.browser.text) == (400, True)


# --- authorization ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"client_id": "client_unknown"}, "invalid_client"),
        ({"redirect_uri": "http://127.0.0.1:9/other"}, "invalid_redirect_uri"),
        ({"redirect_uri": "https://evil.example.test/"}, "invalid_redirect_uri"),
    ],
)
async def test_nothing_redirects_before_client_and_redirect_are_known(
    house: House, changed: dict[str, str], error: str
) -> None:
    await house.browser.open(house.url(**changed), until="http://nowhere.example.test")
    assert house.browser.status == 400
    assert error in house.browser.text


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"scope": "openid mcp:use"}, "invalid_scope"),
    ],
)
async def test_what_the_client_is_told(
    house: House, changed: dict[str, str | None], error: str
) -> None:
    await house.browser.open(house.url(**changed), until=CALLBACK)
    answer = house.browser.answer
    assert (answer["error"], answer["state"]) == (error, "st&te")


@pytest.mark.parametrize(("tolerant", "status"), [(True, 200), (False, 400)])
async def test_loopback_ports(house: House, tolerant: bool, status: int) -> None:
    house.workos.loopback_any_port = tolerant
    other = CALLBACK.replace(":9/", ":10/")
    await house.browser.open(house.url(redirect_uri=other), until=LOGIN)
    if tolerant:
        assert house.browser.url.startswith(LOGIN)
    else:
        assert house.browser.status == status


async def test_the_whole_way(house: House) -> None:
    answer = await house.authorize(nonce="n-1")
    assert answer["state"] == "st&te"
    tokens = await house.exchange(answer["code"])
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 300)
    claims = await house.claims(tokens["access_token"])
    assert claims["exp"] - claims["iat"] == 300
    shown = {name: claims[name] for name in ("iss", "aud", "sub", "client_id", "scope")}
    assert shown == {
        "iss": house.workos.authkit_url,
        "aud": MCP,
        "sub": "uuid-1",
        "client_id": house.client_id,
        "scope": ALL,
    }
    assert claims["sid"] in house.workos.state.consents
    about = await house.claims(tokens["id_token"])
    assert (about["aud"], about["nonce"]) == (house.client_id, "n-1")
    assert (about["email"], about["given_name"]) == ("uuid-1@example.com", "Ana")


async def test_a_refusal_at_the_consent_page(house: House) -> None:
    answer = await house.authorize(decision="deny")
    assert (answer["error"], answer["state"]) == ("access_denied", "st&te")
    assert not house.workos.state.consents


async def test_the_way_back_is_bound_to_the_browser_and_to_its_time(house: House) -> None:
    await house.browser.open(house.url(), until=LOGIN)
    back = await house.complete(house.browser.answer["external_auth_id"])
    async with Browser() as other:
        await other.open(back)
        assert (other.status, "another browser" in other.text) == (400, True)
    house.workos.clock.move(301)
    await house.browser.open(back)
    assert house.browser.status == 400


async def test_a_consent_is_decided_once(house: House) -> None:
    await house.browser.open(house.url(), until=LOGIN)
    back = await house.complete(house.browser.answer["external_auth_id"])
    await house.browser.open(back, until=CALLBACK)
    await house.browser.decide("approve")
    await house.browser.open(back, until=CALLBACK)
    assert house.browser.status == 400


async def test_a_chosen_option_becomes_a_claim(house: House) -> None:
    choices = [{"value": f"t{n}", "label": f"Team {n}"} for n in (1, 2)]
    options = [
        {"claim": "urn:a", "type": "enum", "label": "Workspace", "choices": choices},
        {
            "claim": "urn:b",
            "type": "enum",
            "label": "Grouped",
            "choices": [{"group": "All", "choices": choices}],
        },
    ]
    await house.browser.open(house.url(), until=LOGIN)
    name = house.browser.answer["external_auth_id"]
    back = await house.complete(name, user_consent_options=options)
    await house.browser.open(back, until=CALLBACK)
    await house.browser.decide("approve", **{"urn:a": "t2"})
    tokens = await house.exchange(house.browser.answer["code"])
    claims = await house.claims(tokens["access_token"])
    assert (claims["urn:a"], claims["urn:b"]) == ("t2", "t1")


async def test_a_sticky_browser_skips_the_login_uri(house: House) -> None:
    """The trap: whoever was there last is bound, whatever our own pages know."""
    await house.authorize(user_id="uuid-1")
    await house.browser.open(house.url(prompt="login"), until=LOGIN)
    assert house.browser.url.startswith(LOGIN)  # off: asked again
    house.workos.sticky = True
    await house.browser.open(house.url(prompt="login"), until=CALLBACK)
    assert "<b id=who>uuid-1@example.com</b>" in house.browser.text
    await house.browser.decide("approve")
    claims = await house.claims(
        (await house.exchange(house.browser.answer["code"]))["access_token"]
    )
    assert claims["sub"] == "uuid-1"
    for session in house.workos.state.sessions.values():
        house.workos.end_session(session)
    await house.browser.open(house.url(), until=LOGIN)
    assert house.browser.url.startswith(LOGIN)


async def test_without_a_login_uri_authkit_asks_itself(house: House) -> None:
    house.workos.login_uri = None
    house.workos.people.append(Person("1", "octo@example.com", first_name="Octo"))
    await house.browser.open(house.url(), until=CALLBACK)
    await house.browser.pick("Octo")
    await house.browser.decide("approve")
    tokens = await house.exchange(house.browser.answer["code"])
    assert (await house.claims(tokens["access_token"]))["sub"].startswith("user_")
    thief = Person("2", "octo@example.com", email_verified=False, first_name="Thief")
    house.workos.people.append(thief)
    await house.browser.open(house.url(), until=CALLBACK)
    await house.browser.pick("Thief")
    assert "email_verification_required" in house.browser.text
