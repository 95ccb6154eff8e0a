"""FastMCP's client with its own OAuth class: preflight, callback server, stored credentials."""

from __future__ import annotations

import asyncio
import threading
import webbrowser
from pathlib import Path

import pytest
from fastmcp import Client
from fastmcp.client.auth import OAuth
from key_value.aio.stores.filetree import (
    FileTreeStore,
    FileTreeV1CollectionSanitizationStrategy,
    FileTreeV1KeySanitizationStrategy,
)

from tests.clients.authkit import AuthKitServer
from tests.clients.by_hand import Hands
from tests.live import ALICE, LiveServer
from tests.scripted_browser import ScriptedBrowser


class Desk:
    """A desk with a browser on it: `webbrowser.open` opens it, the person does the rest."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.browser = ScriptedBrowser(ALICE.email, ALICE.password)
        self.opened: list[str] = []
        monkeypatch.setattr(webbrowser, "open", self._open)

    def client(self, server: LiveServer) -> Client:
        """A new process of the application: what it stored is still there."""
        store = FileTreeStore(
            data_directory=self.folder,
            key_sanitization_strategy=FileTreeV1KeySanitizationStrategy(self.folder),
            collection_sanitization_strategy=FileTreeV1CollectionSanitizationStrategy(self.folder),
        )
        return Client(server.mcp_url, auth=OAuth(token_storage=store, callback_timeout=20))

    def _open(self, url: str) -> bool:
        self.opened.append(url)
        threading.Thread(target=self.browser.walk, args=(url,), daemon=True).start()
        return True


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


async def whoami(client: Client) -> dict[str, object]:
    return (await client.call_tool("whoami")).structured_content


async def test_one_sign_in_opens_the_tools_to_the_right_person(
    server: LiveServer, desk: Desk
) -> None:
    async with desk.client(server) as client:
        assert (await whoami(client))["display"] == ALICE.email
    async with desk.client(server) as client:
        assert (await whoami(client))["display"] == ALICE.email
    assert len(desk.opened) == 1


async def test_an_ended_access_token_is_refreshed_without_the_person(
    hasty: LiveServer, desk: Desk
) -> None:
    async with desk.client(hasty) as client:
        await whoami(client)
        await asyncio.sleep(2.2)
        assert (await whoami(client))["display"] == ALICE.email
    assert len(desk.opened) == 1


async def test_an_ended_grant_leads_back_to_the_person(
    server: LiveServer, desk: Desk, hands: Hands
) -> None:
    async with desk.client(server) as client:
        await whoami(client)
        oauth = client.transport.auth
        tokens, registered = oauth.context.current_tokens, oauth.context.client_info
        gone = {"token": tokens.refresh_token, "client_id": registered.client_id}
        assert hands.http.post("/oauth/revoke", data=gone).status_code == 200
        assert (await whoami(client))["display"] == ALICE.email
    assert len(desk.opened) == 2


async def test_a_removed_client_registers_itself_again(server: LiveServer, desk: Desk) -> None:
    """Its preflight reads the 400 of the authorization endpoint as "this client is unknown"."""
    async with desk.client(server) as client:
        removed = (await whoami(client))["client_id"]
    server.cli("clients", "remove", str(removed), "--yes")

    async with desk.client(server) as client:
        again = await whoami(client)
    assert again["display"] == ALICE.email
    assert again["client_id"] != removed


async def test_wherever_the_server_is_it_is_found(elsewhere: LiveServer, desk: Desk) -> None:
    async with desk.client(elsewhere) as client:
        assert (await whoami(client))["display"] == ALICE.email


async def test_where_authkit_issues_it_comes_through(authkit: AuthKitServer, desk: Desk) -> None:
    """Its preflight opens a login at AuthKit that nobody completes, and the browser another."""
    async with desk.client(authkit) as client:
        assert (await whoami(client))["display"] == ALICE.email
        authkit.later(311)
        client.transport.auth.context.token_expiry_time -= 311
        assert (await whoami(client))["display"] == ALICE.email
    assert len(desk.opened) == 1
    async with desk.client(authkit) as client:  # a new process, with what the last one stored
        assert (await whoami(client))["display"] == ALICE.email
    assert len(desk.opened) == 1
