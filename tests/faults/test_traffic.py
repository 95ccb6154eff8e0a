"""The judge is judged: without a fault nothing is found, and what is broken on purpose is."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.faults.places import busy, one_server
from tests.faults.traffic import Act, Chain, Traffic, Verdict, _unclear
from tests.faults.wire import Reply


async def test_in_peace_every_promise_is_kept() -> None:
    with one_server() as server:
        async with busy(server, clients=6, codes=5) as traffic:
            async with traffic.running():
                await asyncio.sleep(1.5)
            verdict = await traffic.verify()
        verdict.assert_kept(heals_within=0)
        assert {kind for kind, _ in verdict.counts} == {"register", "exchange", "refresh", "call"}
        assert all(status in (200, 201) for _, status in verdict.counts)
        assert traffic.answered > 60
        server.assert_quiet()


async def test_a_kill_is_survived_and_seen() -> None:
    with one_server() as server:
        async with busy(server, clients=6, codes=20) as traffic:
            async with traffic.running():
                await asyncio.sleep(0.5)
                with traffic.cause():
                    server.kill9()
                    await asyncio.to_thread(server.restart)
                await asyncio.sleep(0.5)
            verdict = await traffic.verify()
        verdict.assert_kept()
        assert any(act.reply.lost for act in verdict.acts)


async def test_what_is_lost_or_spent_twice_is_found() -> None:
    """The traffic of one server is verified at another, which knows none of it."""
    with one_server() as server, one_server() as stranger:
        async with busy(server, clients=2, codes=2) as traffic:
            async with traffic.running():
                await asyncio.sleep(0.5)
            traffic.ports = [stranger.port]
            verdict = await traffic.verify()
    assert verdict.lost
    assert all("token" in what or "code" in what for what in verdict.lost)
    with pytest.raises(AssertionError, match="A, lost"):
        verdict.assert_kept()


@pytest.mark.parametrize(
    ("kind", "reply", "found"),
    [
        ("call", Reply(200), False),
        ("call", Reply(lost="cut"), False),
        ("call", Reply(401), True),
        ("call", Reply(500), True),
        ("refresh", Reply(502), True),
        ("refresh", Reply(503, {"retry-after": "5"}, b"temporarily_unavailable"), False),
        ("refresh", Reply(503, {}, b"temporarily_unavailable"), True),
        ("refresh", Reply(503, {"retry-after": "5"}, b"Service Unavailable"), True),
        ("register", Reply(429, {"retry-after": "1"}), False),
        ("register", Reply(429), True),
        ("register", Reply(400), True),
    ],
)
def test_what_is_no_clear_answer(kind: str, reply: Reply, found: bool) -> None:
    assert bool(_unclear(Act(kind, 1, 0, 1, reply))) is found


def test_how_long_it_stayed_unwell() -> None:
    now = time.monotonic()
    acts = [
        Act("call", 1, now - 9, now - 8, Reply(200)),
        Act("call", 1, now - 5, now - 4, Reply(503)),
        Act("call", 1, now - 3, now - 1, Reply(503)),
    ]
    verdict = Verdict(acts, [(now - 6, now - 2)])
    assert verdict.unwell_for == pytest.approx(1.0)
    assert verdict.during("call") == {503: 1}
    assert not verdict.unwell_without_cause
    assert Verdict(acts, [(now - 2, now)]).unwell_without_cause


async def test_a_code_refused_for_nothing_is_found() -> None:
    with one_server() as server:
        async with busy(server, clients=1, codes=1) as traffic:
            chain: Chain = traffic._waiting[0][0]
            chain.form["code"] = "never-given"
            async with traffic.running():
                await asyncio.sleep(0.3)
            assert isinstance(traffic, Traffic)
            verdict = await traffic.verify()
    assert any("a code that nobody spent" in what for what in verdict.unclear)
