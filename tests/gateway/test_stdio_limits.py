"""How many programs run, how long, and with how much memory; and that none is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from authgate.gateway import stdio_memory, stdio_warden
from authgate.gateway.stdio_lines import BURST, Logged, TooLong, answered, lines, visible
from authgate.gateway.stdio_process import Launch, Program, ProgramGone
from authgate.gateway.stdio_warden import Warden
from tests.gateway.live_proxy import initialize
from tests.gateway.proxying import until
from tests.gateway.stdio_gate import around, gone
from tests.gateway.test_stdio import Listening

# --- room -----------------------------------------------------------------------------------------


async def test_a_person_loses_the_own_session_that_was_idle_longest() -> None:
    async with around(each=2, total=8) as gate:
        other = await gate.opened("lin")
        first, second = await gate.opened("ada"), await gate.opened("ada")
        pid = (await second.call("whoami"))["pid"]
        await first.call("recall")
        third = await gate.opened("ada")
        await gone(pid)
        assert (await second.answer("recall")).status_code == 404
        for talk in (first, third, other):
            assert await talk.call("recall") == {}
        assert len(gate.gateway.programs) == 3


async def test_who_is_being_served_keeps_the_own_place() -> None:
    async with around(each=2, total=2) as gate:
        busy, listened = await gate.opened("ada"), await gate.opened("ada")
        hanging = asyncio.create_task(busy.answer("hang"))
        listening = Listening(listened)
        await until(lambda: listening.status == 200)
        for sub, whose in (("ada", "this person's"), ("lin", "all people's")):
            answer = await gate.http.post(
                "/mcp", json=initialize(5), headers={"authorization": f"Bearer {sub}"}
            )
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert whose in answer.json()["error"]["message"]
            assert answer.json()["id"] == 5
        await listening.close()
        await until(lambda: gate.gateway.slots.open == 1)
        lin = await gate.opened("lin")
        assert await lin.call("recall") == {}
        assert (await listened.answer("recall")).status_code == 404
        hanging.cancel()


async def test_many_at_once_are_never_more_than_allowed() -> None:
    async with around(each=2, total=4) as gate:
        most = 0

        async def watch() -> None:
            nonlocal most
            while True:
                most = max(most, len(gate.gateway.programs))
                await asyncio.sleep(0.005)

        watching = asyncio.create_task(watch())
        answers = await asyncio.gather(
            *(
                gate.http.post(
                    "/mcp", json=initialize(), headers={"authorization": f"Bearer p{number % 8}"}
                )
                for number in range(24)
            )
        )
        watching.cancel()
        assert {answer.status_code for answer in answers} <= {200, 503, 502}
        assert any(answer.status_code == 200 for answer in answers)
        assert most <= 4


async def test_an_idle_program_is_ended_and_one_that_is_listened_to_is_not() -> None:
    async with around(idle=0.5) as gate:
        idle, listened = await gate.opened("ada"), await gate.opened("lin")
        pid = (await idle.call("whoami"))["pid"]
        listening = Listening(listened)
        await until(lambda: listening.status == 200)
        await gone(pid)
        assert (await idle.answer("recall")).status_code == 404
        await asyncio.sleep(1.2)
        assert await listened.call("recall") == {}
        await listening.close()
        await until(lambda: len(gate.gateway.programs) == 0)


async def test_a_program_that_talks_to_nobody_is_idle_all_the_same() -> None:
    async with around("--chatty", idle=0.5) as gate:
        pid = (await (await gate.opened()).call("whoami"))["pid"]
        await gone(pid)


async def test_a_program_that_takes_too_much_memory(capsys: pytest.CaptureFixture[str]) -> None:
    async with around(memory=100 << 20) as gate:
        talk, other = await gate.opened("ada"), await gate.opened("lin")
        hanging = asyncio.create_task(talk.fails("hang"))
        assert await talk.call("eat", mib=150) == {"mib": 150}
        assert (await hanging)["data"]["error"] == "upstream_error"
        assert (await talk.answer("recall")).status_code == 404
        assert await other.call("recall") == {}
    assert "upstream.too_large" in "".join(capsys.readouterr())


async def test_without_proc_the_log_says_that_memory_is_not_watched(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stdio_memory, "_PROC", Path("/nowhere"))
    async with around() as gate:
        assert await (await gate.opened()).call("recall") == {}
    assert "upstream.memory_unwatched" in "".join(capsys.readouterr())


def test_memory_counts_what_a_program_started() -> None:
    code = "x = b'a' * (40 << 20)\nprint(flush=True)\nimport time; time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, start_new_session=True
    ) as started:
        try:
            assert started.stdout is not None
            started.stdout.readline()
            used = stdio_memory.in_use([started.pid])
        finally:
            os.killpg(started.pid, signal.SIGKILL)
    assert 40 << 20 < used[started.pid] < 120 << 20


# --- the warden -----------------------------------------------------------------------------------


def stubborn() -> subprocess.Popen[bytes]:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(flush=True); time.sleep(60)"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
    )
    assert started.stdout is not None
    started.stdout.readline()
    return started


def test_the_warden_ends_what_it_was_told_of_and_nothing_else() -> None:
    with stubborn() as one, stubborn() as other:
        try:
            warden = stdio_warden.Warden()
            warden.watch(one.pid)
            warden.watch(other.pid)
            warden.forget(other.pid)
            warden.forget(other.pid)
            warden.close()
            assert one.wait(5) == -signal.SIGKILL
            assert other.poll() is None
        finally:
            for started in (one, other):
                if started.poll() is None:
                    started.kill()


def test_a_warden_that_was_ended_is_replaced() -> None:
    with stubborn() as one, stubborn() as other:
        try:
            warden = stdio_warden.Warden()
            warden.watch(one.pid)
            assert warden._process is not None
            warden._process.kill()
            warden._process.wait(5)
            warden.watch(other.pid)
            warden.close()
            assert one.wait(5) == other.wait(5) == -signal.SIGKILL
        finally:
            for started in (one, other):
                if started.poll() is None:
                    started.kill()


# --- lines ----------------------------------------------------------------------------------------


async def read(*chunks: bytes, limit: int = 100) -> list[bytes | TooLong]:
    reader = asyncio.StreamReader()
    for chunk in chunks:
        reader.feed_data(chunk)
    reader.feed_eof()
    return [line async for line in lines(reader, limit)]


async def test_lines_are_put_together() -> None:
    assert await read(b"a\nb", b"c\n\n", b"d") == [b"a", b"bc", b"d"]
    assert await read(b"x" * 100 + b"\n") == [b"x" * 100]


@pytest.mark.parametrize("step", [1, 7, 64, 5000])
async def test_a_long_line_is_left_out_and_its_ends_are_kept(step: int) -> None:
    whole = b"head" + b"x" * 3000 + b"tail"
    stream = whole + b"\nnext\n"
    found = await read(*(stream[at : at + step] for at in range(0, len(stream), step)))
    long, after = found
    assert isinstance(long, TooLong)
    assert long.size == len(whole)
    assert long.head.startswith(b"head")
    assert long.tail.endswith(b"tail")
    assert len(long.head) <= 512 >= len(long.tail)
    assert after == b"next"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b'{"jsonrpc":"2.0","id":7,"result":{"x":"...', b"7"),
        (b'{"jsonrpc": "2.0", "id": "a\\"b", "result"', b'"a\\"b"'),
        (b'{"id":7,"jsonrpc":"2.0"', b"7"),
        (b'... "}]},"jsonrpc":"2.0","id":9}', b"9"),
        (b'..."}]},"id":"x","jsonrpc":"2.0"}\r', b'"x"'),
        (b'{"jsonrpc":"2.0","method":"notifications/x","params":{"id":3,"y":', None),
        (b"", None),
    ],
)
def test_whose_answer_was_too_long(line: bytes, found: bytes | None) -> None:
    assert answered(TooLong(10**9, line, line)) == found


def test_what_is_obeyed_instead_of_shown_is_replaced() -> None:
    assert visible("a\x1b[31mb\x00\x9b\u202e\u2028c\r\n".encode()) == "a?[31mb????c"
    assert visible(b"\xff\xfe ok") == "\ufffd\ufffd ok"
    assert visible(b"x" * 5000) == "x" * 1000 + "..."


def test_words_are_logged_at_a_rate(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    logged = Logged("upstream.stderr", lambda: now[0], subject="ada")
    for _ in range(BURST + 50):
        logged.say(b"chatter")
    now[0] += 1.0
    logged.say(b"later")
    said = "".join(capsys.readouterr())
    assert said.count("chatter") == BURST
    assert "later" in said
    assert "lines=50" in said or '"lines": 50' in said


async def test_no_program_begins_that_nobody_knows_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where our files run out in between, it would run on for ever."""
    started: list[Any] = []

    def start(*given: Any, **more: Any) -> Any:
        started.append(given)
        raise OSError

    async def no_more_files(*_: Any, **__: Any) -> Any:
        raise OSError("too many open files")

    monkeypatch.setattr("authgate.gateway.stdio_process.subprocess.Popen", start)
    monkeypatch.setattr("asyncio.open_unix_connection", no_more_files)
    warden = Warden()
    launch = Launch(("sleep", "30"), {}, 1000)
    with pytest.raises(ProgramGone):
        await Program.start(launch, "ada", {}, warden)
    assert started == []
