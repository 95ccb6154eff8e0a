"""Supabase or WorkOS takes the connection and says nothing: sign-ins are told so in time, and
nobody else notices."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from urllib.parse import urlsplit

from tests.endpoints.environment import OCTO, link_to
from tests.endpoints.project import ANA, PASSWORD, quick
from tests.faults.people import Visitor, told_to_come_back
from tests.faults.places import UNBRAKED
from tests.faults.wire import Wire
from tests.live import LiveServer, Person
from tests.standins.running import running, running_workos
from tests.standins.workos_browser import Browser

CROWD = 50
WITHIN = 12.0
"""Ten seconds for both tries of a question to Supabase, one for WorkOS; and a busy machine."""


class Vitals:
    """What a server of one process holds."""

    def __init__(self, server: LiveServer) -> None:
        self._proc = Path(f"/proc/{server.pid}")

    @property
    def sockets(self) -> int:
        return len(list((self._proc / "fd").iterdir()))

    @property
    def memory(self) -> int:
        """Resident mebibytes."""
        for line in (self._proc / "status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) >> 10
        raise AssertionError("no such line")


async def bystanders(server: LiveServer, until: asyncio.Event) -> list[float]:
    """How long everybody else's requests take meanwhile: a document, and a refused guarded call."""
    wire, took = Wire(server.port), []
    while not until.is_set():
        for path, status in (("/.well-known/oauth-authorization-server", 200), ("/mcp", 401)):
            reply = await wire.get(path)
            assert reply.status == status, reply
            took.append(reply.took)
        await asyncio.sleep(0.05)
    wire.drop()
    return took


async def settled(vitals: Vitals, sockets: int) -> bool:
    """Are the connections gone again within ten seconds?"""
    ends = time.monotonic() + 10
    while vitals.sockets > sockets + 3:
        if time.monotonic() > ends:
            return False
        await asyncio.sleep(0.1)
    return True


async def test_fifty_sign_ins_at_a_silent_supabase() -> None:
    with running(quick()) as supabase:
        supabase.state.add_user(ANA, PASSWORD)
        env = {
            "SUPABASE_URL": supabase.url,
            "SUPABASE_PUBLISHABLE_KEY": supabase.gate.publishable,
            **UNBRAKED,
        }
        with LiveServer(people=(), env=env) as server:
            visitor = Visitor(server, Person(ANA, PASSWORD))
            client_id = (await visitor.register()).json()["client_id"]
            page = await visitor.sign_in_page(client_id)
            challenge = await visitor.challenge(client_id)
            others = [
                Visitor(server, Person(f"somebody-{n}@example.com", PASSWORD)) for n in range(CROWD)
            ]
            challenges = [await visitor.challenge(client_id) for _ in others]
            vitals = Vitals(server)
            sockets, memory = vitals.sockets, vitals.memory

            supabase.fault("/token", delay=60.0)
            over = asyncio.Event()
            beside = asyncio.create_task(bystanders(server, over))
            began = time.monotonic()
            at_page, *answers = await asyncio.gather(
                visitor.sign_in(page),
                *(one.authenticate(c) for one, c in zip(others, challenges, strict=True)),
            )
            assert time.monotonic() - began < WITHIN
            assert told_to_come_back(at_page, page=True), at_page.text
            assert "password" in at_page.text  # the form is still there
            for answer in answers:
                assert told_to_come_back(answer), answer.text
            over.set()
            took = sorted(await beside)
            assert took[-1] < 2, took[-5:]
            assert took[len(took) * 95 // 100] < 0.3, took[-20:]
            assert vitals.memory - memory < 40
            for one in others:
                await one.close()
            assert await settled(vitals, sockets)

            supabase.clear()
            assert (await visitor.sign_in(page)).status_code == 303
            assert (await visitor.authenticate(challenge)).status_code == 200
            await visitor.close()
            server.assert_quiet()


async def test_a_return_from_a_silent_workos() -> None:
    with running_workos() as workos:
        workos.people.append(OCTO)
        env = {
            "WORKOS_API_KEY": workos.api_key,
            "WORKOS_CLIENT_ID": workos.client_id,
            "WORKOS_API_URL": workos.api_url,
            **UNBRAKED,
        }
        with LiveServer(people=(), env=env) as server:
            workos.redirect_uris = [server.url + "/oauth/callback"]
            visitors = [Visitor(server) for _ in range(10)]
            client_id = (await visitors[0].register()).json()["client_id"]
            backs = [await back_at_our_door(server, one, client_id) for one in visitors]
            fault = workos.fail("/user_management/authenticate", delay=60.0, times=1_000)
            over = asyncio.Event()
            beside = asyncio.create_task(bystanders(server, over))
            cross = {"sec-fetch-site": "cross-site", "accept": "text/html"}
            began = time.monotonic()
            answers = await asyncio.gather(
                *(one.http.get(b, headers=cross) for one, b in zip(visitors, backs, strict=True))
            )
            assert time.monotonic() - began < WITHIN
            for answer in answers:
                assert told_to_come_back(answer, page=True), (answer.status_code, answer.text)
                assert "authgate_session" not in str(answer.headers.get("set-cookie", ""))
            over.set()
            took = sorted(await beside)
            assert took[-1] < 2, took[-5:]
            fault.times = 0
            again = await back_at_our_door(server, visitors[0], client_id)
            assert (await visitors[0].http.get(again, headers=cross)).status_code == 303
            for one in visitors:
                await one.close()
            server.assert_quiet()


async def back_at_our_door(server: LiveServer, visitor: Visitor, client_id: str) -> str:
    """To WorkOS by the button on our page, and the URL by which it sends the browser back."""
    page = await visitor.sign_in_page(client_id)
    sent = await visitor.http.get(link_to(page.text, "GitHub"))
    assert sent.status_code == 303, sent.text
    async with Browser() as browser:
        await browser.open(sent.headers["location"], until=server.url + "/oauth/callback")
        await browser.pick("Octo")
        assert urlsplit(browser.url).path == "/oauth/callback", browser.url
        return browser.url
