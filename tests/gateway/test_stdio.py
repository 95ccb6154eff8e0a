"""Sessions around a stdio program, on real sockets and with real processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp_types import JSONRPCNotification

from authgate.gateway import stdio_exchange
from authgate.gateway.stdio_events import Events
from tests.clauses import clause
from tests.gateway.live_proxy import initialize
from tests.gateway.proxying import WITHIN, until
from tests.gateway.stdio_gate import Talk, alive, around, gone, last_message, messages

# --- sessions -------------------------------------------------------------------------------------


async def test_a_session_has_a_program_of_its_own() -> None:
    async with around() as gate:
        one, two = await gate.opened(), await gate.opened()
        await one.call("remember", colour="blue")
        assert await one.call("recall") == {"colour": "blue"}
        assert await two.call("recall") == {}
        first, second = await one.call("whoami"), await two.call("whoami")
        assert first["pid"] != second["pid"]
        assert (await one.delete()).status_code == 200
        await gone(first["pid"])
        assert (await one.answer("recall")).status_code == 404
        assert await two.call("recall") == {}


@clause("MCP 2025-11-25", "Streamable HTTP, session management")
async def test_somebody_elses_session_is_one_that_never_was() -> None:
    async with around() as gate:
        ada = await gate.opened("ada")
        unknown = Talk(gate.http, "lin")
        unknown.headers |= {"mcp-session-id": "never-was", "mcp-protocol-version": "2025-11-25"}
        thief = Talk(gate.http, "lin")
        thief.headers = {**ada.headers, "authorization": "Bearer lin"}
        for method in ("POST", "GET", "DELETE"):
            body = thief.request("recall") if method == "POST" else None
            said, never = [
                await gate.http.request(method, "/mcp", json=body, headers=talk.headers)
                for talk in (thief, unknown)
            ]
            assert said.status_code == never.status_code == 404
            assert said.json() == never.json()
        assert await ada.call("recall") == {}


@pytest.mark.parametrize("message", [{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, None])
async def test_no_session_without_initialize(message: Any) -> None:
    async with around() as gate:
        method = "POST" if message else "GET"
        answer = await gate.http.request(method, "/mcp", json=message)
        assert answer.status_code == 400
        assert "initialize" in answer.json()["error"]["data"]["hint"]
        assert len(gate.gateway.programs) == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"[]", 400), (b'{"jsonrpc":"2.0","id":[],"method":"initialize"}', 400)],
)
async def test_what_is_no_message_opens_nothing(body: bytes, status: int) -> None:
    async with around() as gate:
        answer = await gate.http.post(
            "/mcp", content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code == status
        assert len(gate.gateway.programs) == 0


async def test_an_initialize_the_transport_refuses_leaves_nothing() -> None:
    async with around() as gate:
        answer = await gate.http.post("/mcp", json=initialize(), headers={"accept": "text/plain"})
        assert answer.status_code == 406
        await until(lambda: len(gate.gateway.programs) == 0)


async def test_a_session_begins_once() -> None:
    async with around() as gate:
        talk = await gate.opened()
        assert (await talk.post(initialize(99))).status_code == 400
        assert await talk.call("recall") == {}


async def test_other_methods() -> None:
    async with around() as gate:
        assert (await gate.http.put("/mcp")).status_code == 405


# --- both directions ------------------------------------------------------------------------------


async def test_progress_arrives_before_the_answer_and_where_it_belongs() -> None:
    async with around() as gate:
        talk = await gate.opened()
        answers = await asyncio.gather(*(talk.answer("slow", steps=3) for _ in range(4)))
    for answer in answers:
        *told, end = messages(answer)
        number = end["id"]
        assert [one["params"]["progress"] for one in told] == [1, 2, 3]
        assert {one["params"]["progressToken"] for one in told} == {f"p{number}"}
        assert end["result"]["structuredContent"] == {"steps": 3}


class Listening:
    """A GET stream of a session."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.seen: list[str] = []
        self.status = 0
        self.ended = asyncio.Event()
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        headers = self.talk.headers
        async with self.talk.http.stream("GET", "/mcp", headers=headers, timeout=60) as answer:
            self.status = answer.status_code
            async for line in answer.aiter_lines():
                self.seen.append(line)
        self.ended.set()

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


async def test_what_belongs_to_no_call_goes_to_the_stream_that_listens() -> None:
    async with around() as gate:
        talk = await gate.opened()
        calls = [asyncio.create_task(talk.answer("hang")) for _ in range(2)]
        listening = Listening(talk)
        await until(lambda: listening.status == 200)
        await talk.answer("announce")
        await until(lambda: any("list_changed" in line for line in listening.seen))
        second = await gate.http.get("/mcp", headers=talk.headers)
        assert second.status_code == 409
        await listening.close()
        for call in calls:
            call.cancel()


async def test_what_was_said_before_anybody_listened_is_kept() -> None:
    async with around("--eager") as gate:
        talk = await gate.opened()
        await asyncio.sleep(0.2)  # the program asks at once, and nobody listens
        listening = Listening(talk)
        await until(lambda: any("roots/list" in line for line in listening.seen))
        await listening.close()


@pytest.mark.parametrize("listens", [True, False])
async def test_a_question_of_the_program_and_its_answer(listens: bool) -> None:
    async with around() as gate:
        talk = await gate.opened(sampling={})
        stream = Listening(talk) if listens else None
        if stream is not None:
            await until(lambda: stream.status == 200)
        question = {"method": "sampling/createMessage", "params": {"messages": []}}
        message = talk.request("ask", request=question)
        said: list[Any] = []
        async with gate.http.stream("POST", "/mcp", json=message, headers=talk.headers) as answer:
            async for line in answer.aiter_lines():
                if '"sampling/createMessage"' in line:
                    number = httpx2.Response(200, text=line.removeprefix("data: ")).json()["id"]
                    reply = {"jsonrpc": "2.0", "id": number, "result": {"model": "m"}}
                    assert (await talk.post(reply)).status_code == 202
                said.append(line)
        assert any('"answer": {"model": "m"}' in line or '"model":"m"' in line for line in said)
        if stream is not None:
            await stream.close()


async def test_a_cancelled_call_ends_and_the_program_is_told() -> None:
    async with around() as gate:
        talk = await gate.opened()
        message = talk.request("hang")
        call = asyncio.create_task(talk.post(message))
        await asyncio.sleep(0.1)
        told = {"requestId": message["id"], "reason": "enough"}
        cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": told}
        assert (await talk.post(cancel)).status_code == 202
        said = last_message(await asyncio.wait_for(call, WITHIN))
        assert said["error"]["code"] == -32800
        assert await talk.call("was_cancelled") == {"cancelled": 1}


async def test_the_same_id_twice_at_once_is_refused() -> None:
    async with around() as gate:
        talk = await gate.opened()
        message = talk.request("hang")
        call = asyncio.create_task(talk.post(message))
        await asyncio.sleep(0.1)
        assert (await talk.post({**message, "id": str(message["id"])})).status_code == 400
        call.cancel()


async def test_a_client_that_goes_away_leaves_the_session_alive() -> None:
    async with around() as gate:
        talk = await gate.opened()
        with pytest.raises(httpx2.ReadTimeout):
            await gate.http.post(
                "/mcp", json=talk.request("hang"), headers=talk.headers, timeout=0.3
            )
        assert await talk.call("recall") == {}
        await until(lambda: gate.gateway.slots.open == 0)


# --- sizes and speeds -----------------------------------------------------------------------------


async def test_a_body_over_the_limit() -> None:
    async with around(limit=5000) as gate:
        talk = await gate.opened()
        assert (await talk.answer("recall", pad="x" * 6000)).status_code == 413
        assert await talk.call("recall") == {}


@pytest.mark.parametrize("where", [{}, {"last": True}])
async def test_an_answer_over_the_limit_is_an_error_and_costs_no_memory(
    where: dict[str, bool],
) -> None:
    async with around(limit=100_000) as gate:
        talk = await gate.opened()
        error = await talk.fails("huge", size=50 << 20, **where)
        assert error["code"] == -32603
        assert "too long" in error["message"]
        assert len(await talk.call("huge", size=90_000)) == 1


async def test_a_program_that_talks_without_end_waits_for_its_client() -> None:
    """64 MiB of news for a client that does not read: what the program has left says who waited."""
    async with around(timeout=60.0) as gate:
        talk = await gate.opened()
        other = await gate.opened()
        pid = (await talk.call("whoami"))["pid"]
        request = gate.http.build_request(
            "POST",
            "/mcp",
            json=talk.request("flood", count=1024, size=65_536),
            headers=talk.headers,
        )
        answer = await gate.http.send(request, stream=True)
        written = []
        for _ in range(40):
            await asyncio.sleep(0.1)
            written.append(written_by(pid))
            if len(written) > 5 and written[-1] == written[-5]:
                break
        assert 0 < written[-1] < 48 << 20
        assert await other.call("recall") == {}
        await answer.aclose()


async def test_a_client_that_takes_nothing_is_cut_off_and_its_session_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stdio_exchange, "STALLED", 0.5)
    said = ""

    def stalled() -> bool:
        nonlocal said
        said += "".join(capsys.readouterr())
        return "upstream.client_stalled" in said

    async with around(timeout=60.0) as gate:
        talk = await gate.opened()
        message = talk.request("flood", count=256, size=65_536)
        request = gate.http.build_request("POST", "/mcp", json=message, headers=talk.headers)
        answer = await gate.http.send(request, stream=True)
        await until(stalled)
        assert await talk.call("recall") == {}
        with pytest.raises(httpx2.RemoteProtocolError):
            async for _ in answer.aiter_raw():
                pass
        await answer.aclose()


def written_by(pid: int) -> int:
    return int(Path(f"/proc/{pid}/io").read_text().split("wchar: ")[1].split()[0])


async def test_words_that_are_no_message_are_logged_and_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with around() as gate:
        talk = await gate.opened()
        await talk.call("noise", words="Listening on stdio \x1b[31m")
        assert await talk.call("recall") == {}
    said = "".join(capsys.readouterr())
    assert "upstream.no_message" in said
    assert "Listening on stdio ?[31m" in said


async def test_a_call_that_is_never_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async with around(timeout=0.5) as gate:
        talk = await gate.opened()
        error = await talk.fails("hang")
        assert "0.5 seconds" in error["message"]
        assert await talk.call("was_cancelled") == {"cancelled": 1}
        assert await talk.call("slow", steps=4, each=0.3) == {"steps": 4}


# --- its end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["die", "bear_and_die", "close_output"])
async def test_a_program_that_ends_in_the_middle_of_a_call(how: str) -> None:
    async with around() as gate:
        talk, other = await gate.opened(), await gate.opened("lin")
        hanging = asyncio.create_task(talk.fails("hang"))
        listening = Listening(talk)
        await until(lambda: listening.status == 200)
        error = await talk.fails(how)
        assert error["code"] == -32603
        assert error["data"]["error"] == "upstream_error"
        assert (await hanging)["code"] == -32603
        await asyncio.wait_for(listening.ended.wait(), WITHIN)
        gone_now = await talk.answer("recall")
        assert gone_now.status_code == 404
        assert gone_now.json()["error"]["data"]["error"] == "not_found"
        assert await other.call("recall") == {}


async def test_all_that_a_program_started_ends_with_it() -> None:
    async with around("--stubborn") as gate:
        talk = await gate.opened()
        pid, child = (await talk.call("whoami"))["pid"], (await talk.call("bear"))["child"]
        assert alive(pid)
        assert alive(child)
        await talk.delete()
        await gone(pid, child)


async def test_who_left_the_session_holds_nobody_up() -> None:
    async with around() as gate:
        talk = await gate.opened()
        child = (await talk.call("bear_a_stranger"))["child"]
        warm = (await gate.asked("bear_a_stranger"))["result"]["structuredContent"]["child"]
        try:
            async with asyncio.timeout(4):
                await talk.delete()
                await gate.gateway.programs.close()
            assert len(gate.gateway.programs) == 0
        finally:
            os.kill(child, signal.SIGKILL)
            os.kill(warm, signal.SIGKILL)


ODD = {
    "big": 2**80 + 1,
    "small": -(2**70),
    "float": 1.0,
    "none": None,
    "text": "\u2028\u0000é😀",
    "": [],
}


async def test_values_pass_as_they_are_both_ways() -> None:
    async with around() as gate:
        assert str(await (await gate.opened()).call("echo", **ODD)) == str(ODD)
        said = (await gate.asked("echo", **ODD))["result"]["structuredContent"]
        assert str(said) == str(ODD)


async def test_close_ends_every_program_within_its_time() -> None:
    async with around("--stubborn") as gate:
        talks = [await gate.opened(name) for name in ("ada", "lin", "joe")]
        pids = [(await talk.call("whoami"))["pid"] for talk in talks]
        hanging = asyncio.create_task(talks[0].fails("hang"))
        await asyncio.sleep(0.1)
        async with asyncio.timeout(4):
            await gate.gateway.close()
        assert (await hanging)["code"] == -32603
        assert not any(alive(pid) for pid in pids)


# --- what cannot start ----------------------------------------------------------------------------


def refused(answer: httpx2.Response) -> tuple[int, Any, str]:
    error = answer.json()["error"]
    return answer.status_code, answer.json()["id"], error["data"]["error"]


@pytest.mark.parametrize(
    "command", [["/no/such/program"], ["no-such-program"], ["/"], ["/dev/null", "x"]]
)
async def test_a_program_that_is_not_there(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    async with around(command=command) as gate:
        answer = await gate.http.post("/mcp", json=initialize(7))
        assert refused(answer) == (502, 7, "upstream_error")
        assert int(answer.headers["retry-after"]) >= 1
    assert "upstream.not_started" in "".join(capsys.readouterr())


async def test_a_crash_loop_does_not_spin(capsys: pytest.CaptureFixture[str]) -> None:
    async with around("--exit", "3") as gate:
        first = await gate.http.post("/mcp", json=initialize(7))
        assert refused(first) == (502, 7, "upstream_error")
        assert "mcp-session-id" not in first.headers
        for _ in range(20):
            again = await gate.http.post("/mcp", json=initialize(8))
            assert refused(again) == (502, 8, "upstream_error")
        other = await gate.http.post(
            "/mcp", json=initialize(9), headers={"authorization": "Bearer lin"}
        )
        assert refused(other) == (502, 9, "upstream_error")
    said = "".join(capsys.readouterr())
    assert said.count("upstream.started") == 2
    assert "does not feel like it" in said


async def test_the_pause_grows_and_one_good_start_ends_it() -> None:
    from authgate.gateway.stdio_programs import _Pauses
    from authgate.protocol.errors import Refusal

    pauses = _Pauses()
    owner = ("ada", "")
    waits = [pauses.failed(owner).retry_after for _ in range(8)]
    assert waits == sorted(waits)
    assert waits[-1] <= 33
    with pytest.raises(Refusal):
        pauses.check(owner)
    pauses.check(("lin", ""))
    pauses.forget(owner)
    pauses.check(owner)


async def test_a_program_without_a_word_is_given_up_with_its_client() -> None:
    async with around("--silent") as gate:
        with pytest.raises(httpx2.ReadTimeout):
            await gate.http.post("/mcp", json=initialize(), timeout=0.5)
        await until(lambda: len(gate.gateway.programs) == 0)


async def test_a_program_without_a_word_is_a_refusal_in_the_end() -> None:
    async with around("--silent", timeout=0.5) as gate:
        answer = await gate.http.post("/mcp", json=initialize(3))
        assert answer.status_code == 502
        await until(lambda: len(gate.gateway.programs) == 0)


# --- what it knows --------------------------------------------------------------------------------


async def test_the_environment_and_files_of_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AUTHGATE_SECRET_KEY", "SUPABASE_SECRET_KEY", "WORKOS_API_KEY", "OTHER_SECRET"):
        monkeypatch.setenv(name, "a secret")
    monkeypatch.setenv("API_TOKEN", "for the program")
    async with around(variables=("API_TOKEN", "NOT_SET")) as gate:
        own = await (await gate.opened()).call("whoami")
    allowed = {"HOME", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TERM"}
    allowed |= {"TMPDIR", "TZ", "USER", "API_TOKEN"}
    assert set(own["env"]) <= allowed
    assert own["env"]["API_TOKEN"] == "for the program"
    assert own["env"]["PATH"] == os.environ["PATH"]
    assert "a secret" not in str(own)
    kinds = [entry.split()[1].split(":")[0] for entry in own["fds"] if int(entry.split()[0]) < 3]
    assert all(kind in ("pipe", "socket") for kind in kinds)
    assert [
        entry for entry in own["fds"] if int(entry.split()[0]) > 2 and "/proc/" not in entry
    ] == []
    assert own["group"] == own["pid"] != os.getpgid(0)


@pytest.mark.parametrize("told", [True, False])
async def test_for_whom_it_runs(told: bool) -> None:
    async with around(tells_caller=told) as gate:
        talk = await gate.opened("ada % 1")
        own = await talk.call("whoami")
        said = {name: value for name, value in own["env"].items() if name.startswith("AUTHGATE_")}
        warm = (await gate.asked("whoami"))["result"]["structuredContent"]
    if told:
        assert said["AUTHGATE_CLIENT"] == "client_1"
        assert said["AUTHGATE_SUBJECT"].startswith("ada %25 1")
        assert warm["env"]["AUTHGATE_SUBJECT"] == "ada"
    else:
        assert said == {}


async def test_its_words_are_in_our_log(capsys: pytest.CaptureFixture[str]) -> None:
    async with around() as gate:
        talk = await gate.opened("ada")
        pid = (await talk.call("whoami"))["pid"]
        await talk.call("say", words="\x1b[2Jred \u202e\x07 grün\r\nsecond " + "y" * 5000)
        await talk.call("say", words="again", times=500)
        await asyncio.sleep(0.2)
    said = "".join(capsys.readouterr())
    assert "\x1b[2J" not in said
    assert "?[2Jred ?? grün" in said
    assert f"'pid': {pid}" in said or f"pid={pid}" in said or f'"pid": {pid}' in said
    assert "ada" in said
    assert "y" * 1001 not in said
    assert said.count("again") < 150
    assert "upstream.words_left_out" in said


# --- resumption -----------------------------------------------------------------------------------


@clause("MCP 2025-11-25", "Streamable HTTP, resumability and redelivery")
async def test_a_stream_that_broke_off_is_resumed() -> None:
    async with around() as gate:
        talk = await gate.opened()
        message = talk.request("slow", steps=10, each=0.1)
        last = ""
        async with gate.http.stream("POST", "/mcp", json=message, headers=talk.headers) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("id: "):
                    last = line.removeprefix("id: ")
                if '"progress":3' in line:
                    break
        await talk.call("recall")  # numbers events of another stream
        await asyncio.sleep(0.4)
        seen: list[Any] = []
        headers = talk.headers | {"last-event-id": last}
        async with gate.http.stream("GET", "/mcp", headers=headers) as resumed:
            async for line in resumed.aiter_lines():
                if line.startswith("data: {"):
                    seen.append(httpx2.Response(200, text=line.removeprefix("data: ")).json())
                if seen and "result" in seen[-1]:
                    break
        *told, end = seen
        assert [one["params"]["progress"] for one in told][-1] == 10
        assert min(one["params"]["progress"] for one in told) >= 3
        assert end["id"] == message["id"]


async def test_events_of_one_session_mean_nothing_in_another() -> None:
    async with around() as gate:
        ada, lin = await gate.opened("ada"), await gate.opened("lin")
        said = await ada.answer("remember", secret="blue")
        given = [line[4:] for line in said.text.splitlines() if line.startswith("id: ")]
        seen: list[str] = []
        for last in given:
            headers = lin.headers | {"last-event-id": last}
            with contextlib.suppress(httpx2.ReadTimeout):
                async with gate.http.stream("GET", "/mcp", headers=headers, timeout=0.5) as stream:
                    async for line in stream.aiter_lines():
                        seen.append(line)
        assert len(given) == 2
        assert "kept" not in str(seen)


async def test_what_is_kept_for_resumption_is_bounded() -> None:
    events = Events()
    big = JSONRPCNotification(jsonrpc="2.0", method="x", params={"data": "y" * 100_000})
    first = await events.store_event("a", big)
    for _ in range(1000):
        await events.store_event("a", big)
    assert events._size <= 1 << 20
    small = JSONRPCNotification(jsonrpc="2.0", method="x")
    for _ in range(1000):
        await events.store_event("b", small)
    assert len(events._events) <= 256
    again: list[Any] = []

    async def take(event: Any) -> None:
        again.append(event)

    assert await events.replay_events_after(first, take) is None
    assert await events.replay_events_after("nonsense", take) is None
    assert again == []
