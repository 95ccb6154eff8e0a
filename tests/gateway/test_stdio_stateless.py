"""Requests without a session around a stdio program: one program a person, kept warm."""

from __future__ import annotations

import asyncio
import time

from tests.gateway.proxying import until
from tests.gateway.stdio_gate import (
    NOBODY,
    alive,
    around,
    gone,
    messages,
    modern,
    modern_headers,
)


async def test_one_program_a_person_without_sessions() -> None:
    async with around() as gate:
        said = await asyncio.gather(
            *(gate.asked("whoami", sub, number) for number, sub in enumerate(("ada", "lin") * 4))
        )
        pids: dict[str, set[int]] = {sub: set() for sub in ("ada", "lin")}
        for number, (one, sub) in enumerate(zip(said, ("ada", "lin") * 4, strict=True)):
            assert one["id"] == number
            pids[sub].add(one["result"]["structuredContent"]["pid"])
        assert len(pids["ada"]) == len(pids["lin"]) == 1
        assert pids["ada"] != pids["lin"]
        await gate.asked("remember", "ada", colour="blue")
        assert (await gate.asked("recall", "ada"))["result"]["structuredContent"]["colour"]
        assert (await gate.asked("recall", "lin"))["result"]["structuredContent"] == {}


async def test_after_its_end_the_next_request_gets_another_one() -> None:
    async with around() as gate:
        first = (await gate.asked("whoami"))["result"]["structuredContent"]["pid"]
        await asyncio.sleep(0)
        error = (await gate.asked("die"))["error"]
        assert error["code"] == -32603
        assert error["data"]["error"] == "upstream_error"
        await gone(first)
        # It ended within seconds of its start, so there is a short pause.
        ends = time.monotonic() + 10
        while "error" in (said := await gate.asked("whoami")):
            assert time.monotonic() < ends
            await asyncio.sleep(0.2)
        assert said["result"]["structuredContent"]["pid"] != first


async def test_a_program_that_cannot_start_is_a_502_without_sessions_too() -> None:
    async with around("--exit", "1") as gate:
        answer = await gate.http.post(
            "/mcp", json=modern("whoami", 4), headers=modern_headers("whoami")
        )
        assert answer.status_code == 502
        assert answer.json()["id"] == 4
        assert int(answer.headers["retry-after"]) >= 1


async def test_who_wants_no_session_is_told_of_a_program_that_does() -> None:
    async with around("--sessions-only") as gate:
        for _ in range(3):
            answer = await gate.http.post(
                "/mcp", json=modern("whoami", 4), headers=modern_headers("whoami")
            )
            assert answer.status_code == 400
            error = answer.json()["error"]
            assert error["code"] == -32022
            assert "2025-11-25" in error["data"]["supported"]
            assert error["data"]["requested"] == "2026-07-28"
        await until(lambda: len(gate.gateway.programs) == 0)
        assert await (await gate.opened()).call("recall") == {}


async def test_headers_that_contradict_the_body_reach_no_program() -> None:
    async with around() as gate:
        answer = await gate.http.post("/mcp", json=modern("whoami"), headers=modern_headers("die"))
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == -32020
        assert len(gate.gateway.programs) == 0


async def test_progress_and_subscriptions_keep_the_clients_own_names() -> None:
    async with around() as gate:
        answer = await gate.http.post(
            "/mcp", json=modern("slow", 40, steps=3), headers=modern_headers("slow")
        )
        *told, end = messages(answer)
        assert [one["params"]["progress"] for one in told] == [1, 2, 3]
        assert {one["params"]["progressToken"] for one in told} == {"p40"}
        assert end["id"] == 40

        listen = modern("x", 41)
        listen["method"] = "subscriptions/listen"
        headers = modern_headers("x") | {"mcp-method": "subscriptions/listen"}
        del headers["mcp-name"]
        seen = []
        async with gate.http.stream("POST", "/mcp", json=listen, headers=headers) as stream:
            async for line in stream.aiter_lines():
                if "subscriptionId" in line:
                    seen.append(line)
                if len(seen) == 2:
                    break
        assert all('"io.modelcontextprotocol/subscriptionId":41' in line for line in seen)
        await until(lambda: gate.gateway.slots.open == 0)
        assert (await gate.asked("was_cancelled"))["result"]["structuredContent"]["cancelled"] == 1


async def test_a_client_without_a_session_that_goes_away_cancels_its_call() -> None:
    async with around() as gate:
        call = asyncio.create_task(
            gate.http.post("/mcp", json=modern("hang"), headers=modern_headers("hang"))
        )
        await until(lambda: gate.gateway.slots.open == 1)
        await asyncio.sleep(0.3)
        call.cancel()
        await until(lambda: gate.gateway.slots.open == 0)
        assert (await gate.asked("was_cancelled"))["result"]["structuredContent"]["cancelled"] == 1


async def test_an_answer_over_the_limit_without_a_session() -> None:
    async with around(limit=100_000) as gate:
        for where in ({}, {"last": True}):
            error = (await gate.asked("huge", size=1 << 20, **where))["error"]
            assert "too long" in error["message"]
        assert "result" in await gate.asked("huge", size=90_000)


async def test_a_call_without_a_session_that_is_never_answered() -> None:
    async with around(timeout=0.6) as gate:
        await gate.asked("whoami")
        error = (await gate.asked("hang"))["error"]
        assert "0.6 seconds" in error["message"]


async def test_a_program_that_does_not_read_is_given_up() -> None:
    async with around(timeout=0.6, limit=1 << 20) as gate:
        await gate.asked("whoami")
        await gate.asked("stop_reading")
        for _ in range(4):
            error = (await gate.asked("whoami", pad="x" * 400_000))["error"]
            assert "0.6 seconds" in error["message"]


async def test_nobody_has_no_program_that_others_share() -> None:
    async with around() as gate:
        answer = await gate.http.post(
            "/mcp", json=modern("whoami"), headers=modern_headers("whoami", NOBODY)
        )
        assert answer.json()["error"]["code"] == -32022
        one, two = await gate.opened(NOBODY), await gate.opened(NOBODY)
        assert (await one.call("whoami"))["pid"] != (await two.call("whoami"))["pid"]


async def test_an_idle_warm_program_is_ended() -> None:
    async with around(idle=0.5) as gate:
        pid = (await gate.asked("whoami"))["result"]["structuredContent"]["pid"]
        assert alive(pid)
        await gone(pid)
        assert (await gate.asked("whoami"))["result"]["structuredContent"]["pid"] != pid
