"""The real SDK against the WorkOS stand-in: every call of the product's, and its neighbours."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from workos import AsyncWorkOSClient

from tests.standins.workos import Person, WorkOSStandIn

CALLBACK = "http://127.0.0.1:9/oauth/callback"


@pytest.fixture
async def workos() -> AsyncIterator[WorkOSStandIn]:
    async with WorkOSStandIn(redirect_uris=[CALLBACK]) as standin:
        standin.people.append(Person("1001", "octo@example.com", first_name="Octo"))
        yield standin


@pytest.fixture
async def sdk(workos: WorkOSStandIn) -> AsyncIterator[AsyncWorkOSClient]:
    async with AsyncWorkOSClient(
        api_key=workos.api_key,
        client_id=workos.client_id,
        base_url=workos.api_url,
        max_retries=0,
    ) as client:
        yield client


async def pick(url: str, name: str) -> dict[str, str]:
    """Open the provider's page, pick somebody, and read where the browser ends up."""
    async with aiohttp.ClientSession() as http:
        async with http.get(url) as page:
            text, at = await page.text(), page.url
        found = {who: link for link, who in re.findall(r'href="([^"]+)">([^<]+)<', text)}
        link = at.join(type(at)(unescape(found[name]), encoded=True))
        async with http.get(link, allow_redirects=False) as answer:
            location = answer.headers["Location"]
    assert location.startswith(CALLBACK + "?")
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


async def test_a_code_with_pkce_gives_a_session(
    workos: WorkOSStandIn, sdk: AsyncWorkOSClient
) -> None:
    users = sdk.user_management
    asked = await users.get_authorization_url_with_pkce(
        redirect_uri=CALLBACK, provider="GitHubOAuth"
    )
    back = await pick(asked["url"], "Octo")
    assert back["state"] == asked["state"]
    answer = await users.authenticate_with_code(
        code=back["code"], code_verifier=asked["code_verifier"]
    )
    assert answer.user.email == "octo@example.com"
    assert answer.authentication_method == "GitHubOAuth"
