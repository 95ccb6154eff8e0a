"""The AuthKit domain over plain HTTP: audiences, tokens, and questions about them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from joserfc.errors import JoseError
from mcp.shared.auth import OAuthClientInformationFull, OAuthMetadata, OAuthToken

from tests.standins.workos_house import (
    ALL,
    CALLBACK,
    MCP,
    House,
    furnished,
)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with furnished() as made:
        yield made


# --- audiences and subjects ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "asked", "default", "audience"),
    [
        ("registered", MCP, None, MCP),
        ("registered", "https://other.example.test/mcp", None, "client"),
        ("registered", None, None, "client"),
        ("registered", None, MCP, MCP),
        ("none", MCP, None, "client"),
        ("strict", MCP, None, MCP),
    ],
)
async def test_what_the_audience_is(
    house: House, mode: str, asked: str | None, default: str | None, audience: str
) -> None:
    house.workos.resource_mode, house.workos.default_resource = mode, default
    claims = await house.claims((await house.tokens(resource=asked))["access_token"])
    assert claims["aud"] == (house.workos.client_id if audience == "client" else audience)


async def test_an_unlisted_resource_where_that_is_an_error(house: House) -> None:
    house.workos.resource_mode = "strict"
    await house.browser.open(house.url(resource=MCP + "/"), until=CALLBACK)
    assert house.browser.answer["error"] == "invalid_target"


async def test_another_resource_at_the_token_endpoint_is_refused(house: House) -> None:
    code = (await house.authorize())["code"]
    refused = await house.exchange(code, 400, resource="https://other.example.test/mcp")
    assert refused["error"] == "invalid_target"


async def test_both_forms_of_the_subject_and_no_client_id(house: House) -> None:
    house.workos.sub_mode, house.workos.client_id_claim = "user", False
    claims = await house.claims((await house.tokens())["access_token"])
    user = house.workos.user_by_external_id("uuid-1")
    assert user is not None
    assert (claims["sub"], "client_id" in claims) == (user.id, False)


# --- tokens -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"code": "unknown"},
        {"redirect_uri": "http://127.0.0.1:9/other"},
        {"code_verifier": "w" * 43},
        {"code_verifier": ""},
    ],
)
async def test_codes_are_held_to_their_request(house: House, changed: dict[str, str]) -> None:
    code = (await house.authorize())["code"]
    refused = await house.exchange(**({"code": code, "expect": 400} | changed))
    assert refused["error"] == "invalid_grant"


async def test_a_code_is_good_once_for_its_client_in_its_time(house: House) -> None:
    code = (await house.authorize())["code"]
    await house.exchange(code)
    assert (await house.exchange(code, 400))["error"] == "invalid_grant"
    code, first = (await house.authorize())["code"], house.client_id
    await house.register()
    assert (await house.exchange(code, 400))["error"] == "invalid_grant"
    house.client_id = first
    code = (await house.authorize())["code"]
    house.workos.clock.move(301)
    assert (await house.exchange(code, 400))["error"] == "invalid_grant"


async def test_a_code_of_authkit_is_none_of_user_management(house: House) -> None:
    body = {"grant_type": "authorization_code", "code": (await house.authorize())["code"]}
    body |= {"client_id": house.workos.client_id, "client_secret": house.workos.api_key}
    url = house.workos.api_url
    refused = await house("POST", "/user_management/authenticate", 400, origin=url, json=body)
    assert refused["error"] == "invalid_grant"


async def test_refresh_tokens_rotate_and_narrow(house: House) -> None:
    first = await house.tokens()
    house.workos.clock.move(301)
    second = await house.refresh(first["refresh_token"], scope="openid offline_access")
    old, new = [await house.claims(one["access_token"]) for one in (first, second)]
    assert (old["sub"], old["aud"], old["sid"]) == (new["sub"], new["aud"], new["sid"])
    assert old["jti"] != new["jti"]
    assert new["iat"] >= old["exp"]
    assert new["scope"] == "openid offline_access"
    assert (await house.refresh(first["refresh_token"], 400))["error"] == "invalid_grant"
    refused = await house.refresh(second["refresh_token"], 400, scope="openid mcp:use")
    assert refused["error"] == "invalid_scope"
    third = await house.refresh(second["refresh_token"])
    assert (await house.claims(third["access_token"]))["scope"] == ALL
    await house.register()
    assert (await house.refresh(third["refresh_token"], 400))["error"] == "invalid_grant"


async def test_scopes_decide_which_tokens_there_are(house: House) -> None:
    tokens = await house.tokens(scope="email")
    assert set(tokens) == {"access_token", "expires_in", "token_type"}
    assert (await house.claims(tokens["access_token"]))["scope"] == "email"


async def test_withdrawn_access_ends_the_refresh(house: House) -> None:
    token = (await house.tokens())["refresh_token"]
    user = house.workos.user_by_external_id("uuid-1")
    assert user is not None
    key = {"Authorization": f"Bearer {house.workos.api_key}"}
    path = f"/user_management/users/{user.id}/authorized_applications"
    api = {"origin": house.workos.api_url, "headers": key}
    rows = (await house("GET", path, **api))["data"]
    assert [row["application"]["client_id"] for row in rows] == [house.client_id]
    assert (rows[0]["oauth_resource"], rows[0]["granted_scopes"]) == (MCP, ALL.split())
    await house("DELETE", f"{path}/{rows[0]['application']['id']}", 204, **api)
    assert (await house("GET", path, **api))["data"] == []
    assert (await house.refresh(token, 400))["error"] == "invalid_grant"
    await house("DELETE", f"{path}/{rows[0]['application']['id']}", 404, **api)


async def test_a_deleted_user_gets_no_further_token(house: House) -> None:
    token = (await house.tokens())["refresh_token"]
    user = house.workos.user_by_external_id("uuid-1")
    assert user is not None
    house.workos.delete_user(user)
    assert (await house.refresh(token, 400))["error"] == "invalid_grant"
    assert all(consent.ended for consent in house.workos.state.consents.values())


async def test_a_deleted_resource_takes_its_consents_along(house: House) -> None:
    token = (await house.tokens())["refresh_token"]
    key = {"Authorization": f"Bearer {house.workos.api_key}"}
    api = {"origin": house.workos.api_url, "headers": key}
    path = "/user_management/authkit_oauth_resources"
    (row,) = (await house("GET", path, **api))["data"]
    await house("DELETE", f"{path}/{row['id']}", 204, **api)
    assert (await house.refresh(token, 400))["error"] == "invalid_grant"


@pytest.mark.parametrize("form", [{}, {"grant_type": "client_credentials"}])
async def test_other_grants_are_not_served(house: House, form: dict[str, str]) -> None:
    assert (await house.token(400, x="1", **form))["error"] == "unsupported_grant_type"


async def test_the_body_of_a_token_request_is_a_form_without_repetitions(house: House) -> None:
    body = {"grant_type": "refresh_token"}
    assert (await house("POST", "/oauth2/token", 400, json=body))["error"] == "invalid_request"
    twice = aiohttp.FormData([("code", "1"), ("code", "2")])
    assert (await house("POST", "/oauth2/token", 400, data=twice))["error"] == "invalid_request"


async def test_the_official_mcp_sdk_reads_the_answers(house: House) -> None:
    metadata = await house("GET", "/.well-known/oauth-authorization-server")
    assert str(OAuthMetadata.model_validate(metadata).registration_endpoint).endswith("/register")
    made = OAuthClientInformationFull.model_validate(await house.register())
    assert (made.client_id, made.client_secret) == (house.client_id, None)
    tokens = OAuthToken.model_validate(await house.tokens())
    assert (tokens.token_type, tokens.expires_in) == ("Bearer", 300)


# --- keys, introspection, userinfo --------------------------------------------------------------


async def test_keys_rotate_softly_and_hard(house: House) -> None:
    before = (await house.tokens())["access_token"]
    house.workos.rotate_keys()
    after = (await house.tokens())["access_token"]
    assert len((await house("GET", "/oauth2/jwks"))["keys"]) == 2
    for token in (before, after):
        assert (await house.claims(token))["sub"] == "uuid-1"
    house.workos.rotate_keys(keep_old=False)
    keys = (await house("GET", "/oauth2/jwks"))["keys"]
    assert [set(key) >= {"kid", "n", "e", "alg", "use"} for key in keys] == [True]
    assert all("d" not in key for key in keys)
    for token in (before, after):
        with pytest.raises((JoseError, ValueError)):
            await house.claims(token)


async def test_introspection_is_for_clients_with_a_secret(house: House) -> None:
    tokens, public = await house.tokens(), house.client_id
    refused = await house(
        "POST", "/oauth2/introspection", 401, data={"client_id": public, "token": "x"}
    )
    assert refused["error"] == "invalid_client"
    other = house.workos.add_application("Other", [CALLBACK], auth_method="client_secret_post")
    other.secrets["1"] = "s3cret"
    form = {"client_id": other.client_id, "client_secret": "s3cret"}

    async def ask(token: str) -> Any:
        return await house("POST", "/oauth2/introspection", data=form | {"token": token})

    assert await ask(tokens["access_token"]) == {"active": False}  # another client's
    other.first_party = True
    shown = await ask(tokens["access_token"])
    assert (shown["active"], shown["token_type"]) == (True, "access_token")
    assert (shown["client_id"], shown["sub"]) == (public, "uuid-1")
    shown = await ask(tokens["refresh_token"])
    assert (shown["active"], shown["token_type"]) == (True, "refresh_token")
    assert await ask("nonsense") == {"active": False}
    house.workos.clock.move(301)
    assert await ask(tokens["access_token"]) == {"active": False}


async def test_userinfo_goes_by_the_scope(house: House) -> None:
    refused = await house("GET", "/oauth2/userinfo", 401)
    assert refused["error"] == "unauthorized"
    token = (await house.tokens(scope="openid email"))["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    shown = {"sub": "uuid-1", "email": "uuid-1@example.com", "email_verified": True}
    for method in ("GET", "POST"):
        assert await house(method, "/oauth2/userinfo", headers=bearer) == shown
    house.workos.clock.move(301)
    assert (await house("GET", "/oauth2/userinfo", 401, headers=bearer))["error"] == "unauthorized"
