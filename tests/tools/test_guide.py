"""The guide works as written: five Python steps and one curl line."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from mcp import Client

from authgate.steps.parts import Parts
from authgate.tools import ToolsEndpoint
from tests.tools.guide import CURL, McpClient, PlainClient, walk
from tests.tools.serving import EMAIL, ISSUER, served

FACES = ("plain", "legacy", "auto", "2026-07-28")


@asynccontextmanager
async def client_of(face: str, url: str) -> AsyncIterator[McpClient]:
    async with AsyncExitStack() as stack:
        if face == "plain":
            session = await stack.enter_async_context(aiohttp.ClientSession())
            yield PlainClient(session, url)
        else:
            yield McpClient(await stack.enter_async_context(Client(url, mode=face)))


@pytest.mark.parametrize("face", FACES)
async def test_the_five_steps(face: str, endpoint: ToolsEndpoint, parts: Parts) -> None:
    async with served(endpoint) as base, client_of(face, base + "/api/mcp") as client:
        names = await walk(client)
    claims = parts.issuer.verify(names["access_token"], f"{ISSUER}/mcp", parts.clock())
    assert claims.client_id == names["client_id"]
    account = await parts.store.account_by_email(EMAIL)
    assert account is not None
    assert claims.sub == account.sub
    assert claims.scopes == ("mcp:use",)
    token: dict[str, Any] = names["token_response"]
    assert token["token_type"] == "Bearer"
    assert token["expires_in"] == 3600
    assert "refresh_token" not in token  # the guide registers for authorization_code only
    answered = names["auth_result"]
    assert (answered["state"], answered["iss"]) == ("random_state_value", ISSUER)
    back = parse_qs(urlsplit(answered["redirect_to"]).query)
    assert back == {"code": [answered["code"]], "state": ["random_state_value"], "iss": [ISSUER]}
    opened = names["auth_response"]
    assert (opened["expires_in"], opened["providers"]) == (600, {})
    assert opened["authorization_url"].startswith(f"{ISSUER}/oauth/authorize?")


async def test_consent_by_password_is_in_the_audit_trail(
    endpoint: ToolsEndpoint, parts: Parts
) -> None:
    async with served(endpoint) as base, client_of("plain", base + "/api/mcp") as client:
        names = await walk(client)
    given = [event for event in await parts.store.audit_events() if event.event == "consent.given"]
    assert [event.detail["via"] for event in given] == ["password_in_tool"]
    assert given[0].client_id == names["client_id"]
    assert given[0].address == "127.0.0.1"
    # A password is consent to this challenge only: a page asks again.
    remembered = await parts.store.consent(
        given[0].actor or "", names["client_id"], "localhost", f"{ISSUER}/mcp"
    )
    assert remembered is None


async def test_the_curl_line(endpoint: ToolsEndpoint) -> None:
    async with served(endpoint) as base:
        words = shlex.split(CURL.replace("http://localhost:8000", base))
        if shutil.which("curl") is None:  # what curl would send, byte for byte
            assert words[:3] == ["curl", "-X", "POST"]
            words = [sys.executable, "-c", _LIKE_CURL, words[3], words[5], words[7]]
        process = await asyncio.create_subprocess_exec(
            *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        said, _ = await process.communicate()
    assert b'"result":{"client_id":"client_' in said


_LIKE_CURL = """
import sys, urllib.request
url, header, body = sys.argv[1:]
name, _, value = header.partition(": ")
asked = urllib.request.Request(url, body.encode(), {name: value, "Accept": "*/*"})
print(urllib.request.urlopen(asked).read().decode())
"""
