"""Limits that processes share: a burst over two of them, and a whole server with two workers."""

from __future__ import annotations

import asyncio
import multiprocessing
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from authgate.security import shared_limits
from authgate.security.limits import Throttles
from authgate.security.shared_limits import SharedLimits
from tests.clauses import clause
from tests.live import ALICE, LiveServer
from tests.security.test_shared_limits import PEPPER
from tests.valkey import Valkey

WAYS = 30


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    with Valkey() as server:
        yield server


def _node(url: str, ready: Any, judged: Any) -> None:
    """One process with a burst of wrong sign-ins, and how many of them were judged."""

    shared_limits.DEADLINE = 5.0  # both have one small machine, and more tests beside them

    async def burst() -> int:
        node = Throttles(shared=SharedLimits(url, PEPPER))
        count = 0

        async def attempt() -> None:
            nonlocal count
            async with node.sign_in("ana@example.com", "192.0.2.1") as tried:
                if tried.retry_after is None:
                    count += 1
                    await asyncio.sleep(0.01)
                    tried.failed()

        await node.hit_registration("192.0.2.1")  # connected
        ready.wait(30)
        await asyncio.gather(*(attempt() for _ in range(WAYS)))
        assert node.fallbacks == 0
        await node.close()
        return count

    judged.put(asyncio.run(burst()))


@clause("ASVS 5.0", "6.3.1")
def test_of_a_burst_over_two_processes_no_more_are_judged_than_the_limit(valkey: Valkey) -> None:
    context = multiprocessing.get_context("spawn")
    ready, judged = context.Barrier(2), context.Queue()
    both = [context.Process(target=_node, args=(valkey.url, ready, judged)) for _ in range(2)]
    for process in both:
        process.start()
    try:
        counts = [judged.get(timeout=60) for _ in both]
    finally:
        for process in both:
            process.join(20)
            if process.is_alive():
                process.kill()
    assert sum(counts) == 10


def wrong_sign_in(server: LiveServer, n: int) -> int:
    """The status of a wrong sign-in, on a connection of its own, so that either worker gets it."""
    with httpx2.Client(timeout=30) as client:
        url = f"{server.url}/oauth/authorize"
        asked = client.get(url, params=_query(client, server), follow_redirects=True)
        fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', asked.text))
        action = re.search(r'action="([^"]+)"', asked.text)
        assert action is not None, asked.text
        fields |= {"username": ALICE.email, "password": f"wrong {n}"}
        to = httpx2.URL(str(asked.url)).join(action[1].replace("&amp;", "&"))
        return client.post(to, data=fields, headers={"origin": server.url}).status_code


def _query(client: httpx2.Client, server: LiveServer) -> dict[str, str]:
    back = "http://127.0.0.1:7777/callback"
    made = client.post(
        f"{server.url}/oauth/register",
        json={"redirect_uris": [back], "token_endpoint_auth_method": "none"},
    ).json()
    return {
        "response_type": "code",
        "client_id": made["client_id"],
        "redirect_uri": back,
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
        "state": "s",
    }


@clause("ASVS 5.0", "6.3.1")
def test_two_workers_share_the_limit_of_failed_sign_ins(valkey: Valkey) -> None:
    env = {"AUTHGATE_LIMITS_URL": valkey.url}
    with LiveServer(env=env, workers=2) as server:
        with ThreadPoolExecutor(8) as crowd:
            answers = list(crowd.map(lambda n: wrong_sign_in(server, n), range(24)))
        assert answers.count(429) == 14, answers
        assert "AUTHGATE_LIMITS_URL" not in server.logs()
        valkey.stop()
        assert wrong_sign_in(server, 99) in (401, 200, 429)
        ends = time.monotonic() + 10
        while "limits.store_lost" not in server.logs() and time.monotonic() < ends:
            wrong_sign_in(server, 99)
        valkey.start()
        while "limits.store_back" not in server.logs() and time.monotonic() < ends:
            time.sleep(0.1)
        said = server.logs()
        server.assert_quiet()
    assert "limits.store_lost" in said
    assert "limits.store_back" in said
    assert valkey.password not in said


def test_a_server_starts_without_its_limit_store_and_says_so(valkey: Valkey) -> None:
    valkey.stop()
    with LiveServer(env={"AUTHGATE_LIMITS_URL": valkey.url}) as server:
        ends = time.monotonic() + 10
        while "limits.store_lost" not in server.logs() and time.monotonic() < ends:
            time.sleep(0.05)
        assert server.logs().count("limits.store_lost") == 1
        assert httpx2.get(f"{server.url}/readyz").status_code == 200
        assert server.stop() == 0
