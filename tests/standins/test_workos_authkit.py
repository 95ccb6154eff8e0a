"""The AuthKit domain of the stand-in over plain HTTP: what the SDK knows nothing of."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from mcp.shared.auth import OAuthClientInformationFull, OAuthMetadata, OAuthToken

from tests.standins.workos import Person, WorkOSStandIn
from tests.standins.workos_browser import Browser
from tests.standins.workos_tokens import s256

LOGIN = "http://127.0.0.1:9/oauth/login"
CALLBACK = "http://127.0.0.1:9/callback"
MCP = "https://mcp.example.test/mcp"
VERIFIER = "v" * 43
ALL = "openid profile email offline_access"
REGISTRATION = {
    "client_name": "probe",
    "redirect_uris": [CALLBACK],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
}


class House:
    """An MCP client, our Login URI and a person's browser, before one stand-in."""

    def __init__(
        self, workos: WorkOSStandIn, http: aiohttp.ClientSession, browser: Browser
    ) -> None:
        self.workos = workos
        self.http = http
        self.browser = browser
        self.client_id = ""

    async def __call__(
        self, method: str, path: str, expect: int = 200, origin: str = "", **how: Any
    ) -> Any:
        url = (origin or self.workos.authkit_url) + path
        async with self.http.request(method, url, allow_redirects=False, **how) as answer:
            text = await answer.text()
            assert answer.status == expect, (answer.status, text)
            assert answer.headers["x-request-id"]
            return json.loads(text) if answer.content_type == "application/json" else text

    async def register(self, expect: int = 201, **changed: Any) -> Any:
        body = {name: one for name, one in (REGISTRATION | changed).items() if one is not None}
        answer = await self("POST", "/oauth2/register", expect, json=body)
        self.client_id = answer.get("client_id", self.client_id)
        return answer

    def url(self, **changed: str | None) -> str:
        query = {
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": ALL,
            "state": "st&te",
            "code_challenge": s256(VERIFIER),
            "code_challenge_method": "S256",
            "resource": MCP,
            **changed,
        }
        given = {name: value for name, value in query.items() if value is not None}
        return f"{self.workos.authkit_url}/oauth2/authorize?{urlencode(given)}"

    async def complete(self, external_auth_id: str, user_id: str = "uuid-1", **more: Any) -> str:
        body = {
            "external_auth_id": external_auth_id,
            "user": {"id": user_id, "email": f"{user_id}@example.com", "first_name": "Ana"},
            **more,
        }
        key = {"Authorization": f"Bearer {self.workos.api_key}"}
        answer = await self(
            "POST", "/authkit/oauth2/complete", origin=self.workos.api_url, json=body, headers=key
        )
        url: str = answer["redirect_uri"]
        return url

    async def authorize(
        self, user_id: str = "uuid-1", decision: str = "approve", **changed: Any
    ) -> dict[str, str]:
        """From the client's URL to its callback; what came there."""
        await self.browser.open(self.url(**changed), until=LOGIN)
        back = await self.complete(self.browser.answer["external_auth_id"], user_id)
        await self.browser.open(back, until=CALLBACK)
        return (await self.browser.decide(decision)).answer

    async def token(self, expect: int = 200, **form: str) -> Any:
        return await self("POST", "/oauth2/token", expect, data=form)

    async def exchange(self, code: str, expect: int = 200, **changed: str) -> Any:
        form = {
            "grant_type": "authorization_code",
            "client_id": self.client_id,
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        }
        return await self.token(expect, **(form | changed))

    async def refresh(self, token: str, expect: int = 200, **changed: str) -> Any:
        form = {"grant_type": "refresh_token", "client_id": self.client_id}
        return await self.token(expect, **(form | {"refresh_token": token} | changed))

    async def tokens(self, **changed: Any) -> Any:
        return await self.exchange((await self.authorize(**changed))["code"])

    async def claims(self, token: str) -> dict[str, Any]:
        """Verified with the published keys, as a resource server does."""
        published = KeySet.import_key_set(await self("GET", "/oauth2/jwks"))
        return dict(jwt.decode(token, published, algorithms=["RS256"]).claims)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with (
        WorkOSStandIn(login_uri=LOGIN, resources=[MCP]) as workos,
        aiohttp.ClientSession() as http,
        Browser() as browser,
    ):
        made = House(workos, http, browser)
        await made.register()
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
