"""/readyz: what makes a node unready, and what is only told."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from authgate.app import services
from authgate.app.services import Services, connects
from authgate.store.contract import StoreUnavailable
from tests.endpoints.conftest import OpenGate
from tests.endpoints.gate import Gate


async def ready(gate: Gate) -> tuple[int, dict[str, Any], str | None]:
    async with gate.http() as http:
        answer = await http.get("/readyz")
    return answer.status_code, answer.json(), answer.headers.get("retry-after")


async def test_ready_is_the_store_and_the_keys(gate: Gate) -> None:
    status, body, _ = await ready(gate)
    assert (status, body["status"], body["store"], body["keys"]) == (200, "ready", "ok", "ok")


async def test_without_its_store_it_is_not_ready(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ping() -> None:
        raise StoreUnavailable("the disk /var/lib/secret is full")

    monkeypatch.setattr(gate.app.readiness, "store", _with(ping))
    status, body, wait = await ready(gate)
    assert (status, body["error"], body["store"]) == (503, "temporarily_unavailable", "unavailable")
    assert wait is not None
    assert int(wait) > 0
    assert "/var/lib" not in str(body)


async def test_a_flood_of_questions_is_one_look(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[float] = []
    away = True

    async def ping() -> None:
        looked.append(time.monotonic())
        await asyncio.sleep(0.05)
        if away:
            raise StoreUnavailable("restarting")

    monkeypatch.setattr(gate.app.readiness, "store", _with(ping))
    impatient = asyncio.create_task(ready(gate))
    await asyncio.sleep(0.02)
    impatient.cancel()  # and takes nobody else's answer along
    answers = await asyncio.gather(*(ready(gate) for _ in range(40)))
    assert {status for status, *_ in answers} == {503}
    assert len(looked) == 1
    away = False
    ends = time.monotonic() + 5
    while (await ready(gate))[0] != 200:
        assert time.monotonic() < ends
    assert len(looked) == 2


async def test_without_its_keys_it_is_not_ready(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate.core.keys, "readable", False)
    status, body, wait = await ready(gate)
    assert (status, body["keys"], body["store"]) == (503, "unreadable", "ok")
    assert wait is not None


async def test_draining_is_said_at_once_and_everything_else_is_served(gate: Gate) -> None:
    gate.app.readiness.draining = True
    status, body, wait = await ready(gate)
    assert (status, body) == (503, {"status": "draining"})
    assert wait is not None
    async with gate.http() as http:
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/.well-known/jwks.json")).status_code == 200


# --- what is only told ----------------------------------------------------------------------------


async def test_an_upstream_that_is_down_is_told_and_takes_nobody_out(
    open_gate: OpenGate,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    gate = await open_gate(AUTHGATE_UPSTREAM=f"http://127.0.0.1:{port}/mcp")
    told = ""
    ends = time.monotonic() + 10
    while told != "unreachable":
        assert time.monotonic() < ends
        status, body, _ = await ready(gate)
        assert status == 200
        told = body["upstream"]
        assert told in ("unknown", "unreachable")
        assert str(port) not in str(body)
        await asyncio.sleep(0.02)


async def test_nobody_waits_for_a_service_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "LOOK_WITHIN", 0.05)
    looked = []

    async def hangs() -> bool:
        looked.append(time.monotonic())
        await asyncio.sleep(60)
        return True

    held = Services({"supabase": hangs})
    keeping = asyncio.create_task(held.keep())
    try:
        assert held.report() == {"supabase": "unknown"}
        await asyncio.sleep(0.3)
        assert held.report() == {"supabase": "unreachable"}
        assert len(looked) == 1  # one look serves everybody who asks for ten seconds
    finally:
        keeping.cancel()


async def test_nobody_is_asked_while_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "LOOK_EVERY", 0.001)
    monkeypatch.setattr(services, "ASKED_WITHIN", 0.1)
    looked = []

    async def look() -> bool:
        looked.append(1)
        return True

    held = Services({"supabase": look})
    keeping = asyncio.create_task(held.keep())
    try:
        await asyncio.sleep(0.05)
        assert not looked
        held.report()
        await asyncio.sleep(0.3)
        before = len(looked)
        assert before
        await asyncio.sleep(0.1)
        assert len(looked) == before
    finally:
        keeping.cancel()


async def test_a_look_that_is_broken_ends_no_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "LOOK_EVERY", 0.001)
    again = asyncio.Event()
    met: list[int] = []

    async def look() -> bool:
        if not met:
            met.append(1)
            raise RuntimeError("a bug")
        again.set()
        return True

    held = Services({"workos": look})
    held.report()
    keeping = asyncio.create_task(held.keep())
    try:
        await asyncio.wait_for(again.wait(), 5)
    finally:
        keeping.cancel()


async def test_a_listener_is_enough_to_be_reachable(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await connects(f"http://127.0.0.1:{port}/path")()
    server.close()
    await server.wait_closed()
    with pytest.raises(OSError, match=r"Connect|connect"):
        await connects(f"http://127.0.0.1:{port}/path")()


def _with(ping: Any) -> Any:
    from types import SimpleNamespace

    return SimpleNamespace(ping=ping)
