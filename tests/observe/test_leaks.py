"""The log of a story at DEBUG: every line of a request has its id, and no secret is in any."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator

import httpx2
import pytest

from tests.endpoints.project import ANA, PASSWORD, quick
from tests.live import LiveServer
from tests.observe.story import Story
from tests.pages.abroad import OCTO
from tests.standins.running import running
from tests.standins.supabase import SupabaseStandin


@pytest.fixture
def project() -> Iterator[SupabaseStandin]:
    with running(quick()) as standin:
        standin.state.add_user(ANA, PASSWORD)
        standin.state.provider_people["github"].append(OCTO)
        yield standin


def beside(standin: SupabaseStandin, **more: str) -> LiveServer:
    env = {
        "SUPABASE_URL": standin.url,
        "SUPABASE_PUBLISHABLE_KEY": standin.gate.publishable,
        "SUPABASE_SECRET_KEY": standin.gate.secret,
        **more,
    }
    return LiveServer(people=(), env=env)


async def test_the_log_of_a_whole_story(project: SupabaseStandin) -> None:
    with beside(project, LOG_LEVEL="DEBUG") as server:
        story = Story(server.url)
        await story.tell()
        # The line of a request is written after its answer has gone.
        ends = time.monotonic() + 5
        while server.logs().count('"request.done"') < len(story.answers):
            assert time.monotonic() < ends, server.logs()
            await asyncio.sleep(0.05)
        lines = [json.loads(line) for line in server.logs().splitlines() if line.startswith("{")]
        assert not story.leaked(server.logs())
    assert project.gate.secret not in server.logs()
    done = [line for line in lines if line["event"] == "request.done"]
    assert len(done) >= len(story.answers)
    ids = {answer.headers["x-request-id"] for answer in story.answers}
    assert len(ids) == len(story.answers)  # each its own
    assert ids <= {line["request_id"] for line in done}
    refused = [line for line in lines if line["event"] == "request.refused"]
    assert len(refused) > 8
    assert all(line["request_id"] for line in refused)
    tokens = [line for line in done if line["endpoint"] == "/oauth/token" and line["status"] == 200]
    assert len(tokens) == 3
    assert all(line["client_id"] and line["sub"] for line in tokens)
    (called,) = [line for line in done if line["endpoint"] == "/mcp" and line["status"] == 200]
    assert called["client_id"] == tokens[0]["client_id"]
    assert called["sub"] == tokens[0]["sub"]


# --- the id ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("brought", ["abcdef-0123.4567", "a" * 128])
def test_a_trusted_proxys_id_is_taken(brought: str) -> None:
    with LiveServer(people=(), env={"AUTHGATE_TRUSTED_PROXIES": "127.0.0.1"}) as server:
        assert given(server, brought) == brought
        for bad in ("short", "a" * 129, "with spaces in it", 'quoted"quoted"', "new\tline-in-it"):
            assert given(server, bad) != bad


def test_a_strangers_id_is_not() -> None:
    with LiveServer(people=()) as server:
        first, second = given(server, "abcdef-0123-4567"), given(server, "abcdef-0123-4567")
        assert "abcdef-0123-4567" not in (first, second)
        assert first != second


def given(server: LiveServer, brought: str) -> str:
    answer = httpx2.get(server.url + "/healthz", headers={"x-request-id": brought}, trust_env=False)
    return answer.headers["x-request-id"]
