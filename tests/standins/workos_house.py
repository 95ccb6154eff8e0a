"""Who stands before the WorkOS stand-in in its own tests: an MCP client, our server, a browser."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import aiohttp
from joserfc import jwt
from joserfc.jwk import KeySet
from workos import AsyncWorkOSClient

from tests.standins.workos import Person, WorkOSStandIn
from tests.standins.workos_browser import Browser
from tests.standins.workos_tokens import s256

LOGIN = "http://127.0.0.1:9/oauth/login"
CALLBACK = "http://127.0.0.1:9/callback"
"""The MCP client's."""
RETURN = "http://127.0.0.1:9/oauth/callback"
"""Ours, for people back from User Management."""
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
OCTO = Person("1001", "octo@example.com", first_name="Octo")


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


@asynccontextmanager
async def furnished() -> AsyncIterator[House]:
    """A stand-in with a Login URI and one resource, and a client that has registered."""
    async with (
        WorkOSStandIn(login_uri=LOGIN, resources=[MCP]) as workos,
        aiohttp.ClientSession() as http,
        Browser() as browser,
    ):
        made = House(workos, http, browser)
        await made.register()
        yield made


# --- the SDK ------------------------------------------------------------------------------------


def client_of(workos: WorkOSStandIn, **how: Any) -> AsyncWorkOSClient:
    settings: dict[str, Any] = {
        "api_key": workos.api_key,
        "client_id": workos.client_id,
        "max_retries": 0,
    } | how
    return AsyncWorkOSClient(base_url=workos.api_url, **settings)


async def at_provider(
    sdk: AsyncWorkOSClient, name: str, provider: str = "GitHubOAuth", **query: Any
) -> dict[str, str]:
    """Go to the provider's page, pick somebody, and read what comes back to our callback."""
    query = {"code_challenge": s256(VERIFIER), "code_challenge_method": "S256", **query}
    url = sdk.user_management.get_authorization_url(redirect_uri=RETURN, provider=provider, **query)
    async with Browser() as browser:
        await browser.open(url, until=RETURN)
        return (await browser.pick(name)).answer


async def sign_in(sdk: AsyncWorkOSClient, name: str, provider: str = "GitHubOAuth") -> Any:
    code = (await at_provider(sdk, name, provider))["code"]
    return await sdk.user_management.authenticate_with_code(code=code, code_verifier=VERIFIER)
