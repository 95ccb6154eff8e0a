"""Limits that nodes share: one count, one clock, nothing readable, and what holds when it is lost.

A node is a `Throttles` with its own connections to one Redis. What two processes and a whole server
do is in `test_shared_limits_live`.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from authgate.security import shared_limits
from authgate.security.brakes import Brake, Place
from authgate.security.limits import LimitPolicy, Throttles
from authgate.security.shared_limits import SharedLimits
from authgate.security.shared_script import SCRIPT
from tests.clauses import clause
from tests.live import reserved_port
from tests.proxies.authority import made_authority
from tests.security.making import make_vault
from tests.security.test_limits import WHERE, WHO, Clock, sign_in
from tests.valkey import Valkey

PEPPER = make_vault().mac("limits", b"names of counters")
POLICY = LimitPolicy()


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    with Valkey() as server:
        yield server


@pytest.fixture
def own() -> Iterator[Valkey]:
    """One to be stopped, frozen and filled."""
    with Valkey() as server:
        yield server


SHORT = shared_limits.DEADLINE


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with other tests is no lost store; whoever means one is `hasty`."""
    monkeypatch.setattr(shared_limits, "RETRY_EVERY", 0.05)
    monkeypatch.setattr(shared_limits, "DEADLINE", 5.0)


@pytest.fixture
def hasty(_patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline as it is."""
    monkeypatch.setattr(shared_limits, "DEADLINE", SHORT)


@pytest.fixture
def content(valkey: Valkey) -> Iterator[Any]:
    with contextlib.closing(valkey.client()) as client:
        client.flushall()
        yield client


@asynccontextmanager
async def nodes(
    url: str, count: int = 2, policy: LimitPolicy = POLICY, pepper: bytes = PEPPER
) -> AsyncIterator[list[Throttles]]:
    """So many, each with a connection pool of its own."""
    made = [Throttles(policy, shared=SharedLimits(url, pepper)) for _ in range(count)]
    try:
        yield made
    finally:
        for node in made:
            await node.close()


async def back(node: Throttles) -> None:
    """Wait until the node found its store again by itself."""
    assert node._shared is not None
    async with asyncio.timeout(10):
        while node._shared.lost:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


async def settled(node: Throttles) -> None:
    """Wait for what goes on behind the backs of those who hung up."""
    assert node._shared is not None
    await asyncio.gather(*node._shared._settling)


def lost(node: Throttles) -> bool:
    return node._shared is not None and node._shared.lost


# --- one count --------------------------------------------------------------------------------


@clause("ASVS 5.0", "6.3.1")
async def test_two_nodes_count_failures_together(valkey: Valkey, content: Any) -> None:
    async with nodes(valkey.url) as (one, other):
        for n in range(10):
            assert await sign_in((one, other)[n % 2], right=False) is None
        for node in (one, other):
            assert 50 <= (await sign_in(node, right=True) or 0) <= 60
        assert await sign_in(one, right=True, who="bo@example.com") is None
        assert one.fallbacks == other.fallbacks == 0


async def test_a_right_one_clears_the_account_on_all_nodes_and_not_the_address(
    valkey: Valkey, content: Any
) -> None:
    policy = LimitPolicy(sign_in_account="3/minute", sign_in_address="5/minute")
    async with nodes(valkey.url, policy=policy) as (one, other):
        for _ in range(2):
            assert await sign_in(one, right=False) is None
        assert await sign_in(other, right=True) is None
        for _ in range(3):
            assert await sign_in(one, right=False) is None
        assert await sign_in(other, right=True, who="bo@example.com") is not None
        assert await sign_in(other, right=True, who="bo@example.com", where="198.51.100.1") is None


async def test_undecided_attempts_count_for_nothing(valkey: Valkey, content: Any) -> None:
    async with nodes(valkey.url) as (one, other):
        for _ in range(9):
            await sign_in(one, right=False)
        for _ in range(20):
            assert await sign_in(other, right=None) is None
        assert await sign_in(other, right=False) is None
        assert await sign_in(one, right=None) is not None


@clause("ASVS 5.0", "6.3.1")
async def test_of_fifty_wrong_ones_at_once_on_three_nodes_ten_are_judged(
    valkey: Valkey, content: Any
) -> None:
    async with nodes(valkey.url, 3) as three:
        answers = await asyncio.gather(*(sign_in(three[n % 3], right=False) for n in range(50)))
    assert answers.count(None) == 10
    assert all(1 <= a <= 60 for a in answers if a is not None)


async def test_fifty_right_ones_at_once_on_three_nodes_all_get_in(
    valkey: Valkey, content: Any
) -> None:
    async with nodes(valkey.url, 3) as three:
        answers = await asyncio.gather(*(sign_in(three[n % 3], right=True) for n in range(50)))
    assert answers == [None] * 50


async def test_a_second_factor_has_its_own_limit_that_a_right_one_does_not_clear(
    valkey: Valkey, content: Any
) -> None:
    policy = LimitPolicy(factor="3/hour")

    async def answer(node: Throttles, right: bool) -> int | None:
        async with node.sign_in(WHO, WHERE, factor=True) as attempt:
            if attempt.retry_after is None:
                attempt.succeeded() if right else attempt.failed()
        return attempt.retry_after

    async with nodes(valkey.url, policy=policy) as (one, other):
        for right in (False, True, False, True, False):
            assert await answer(one, right) is None
        assert await answer(other, right=True) == 60
        assert await sign_in(other, right=True) is None


async def test_registrations_and_authorizations_are_counted_together_and_apart(
    valkey: Valkey, content: Any
) -> None:
    policy = LimitPolicy(registration="4/minute", authorization="4/minute")
    async with nodes(valkey.url, policy=policy) as (one, other):
        for count in ("hit_registration", "hit_authorization"):
            for node in (one, other) * 2:
                assert await getattr(node, count)(WHERE) is None
            assert 55 <= await getattr(one, count)(WHERE) <= 60
            assert await getattr(one, count)("192.0.2.2") is None


async def test_of_a_burst_of_wrong_secrets_no_more_are_told_than_the_limit(
    valkey: Valkey, content: Any
) -> None:
    async with nodes(valkey.url) as (one, other):
        burst = [(one, other)[n % 2].client_failed("c1", WHERE) for n in range(100)]
        told = await asyncio.gather(*burst)
        assert told.count(None) == 60
        for node in (one, other):
            assert await node.check_client("c1", WHERE) is not None
            assert await node.check_client("c2", WHERE) is None


async def test_an_attempt_whose_node_died_counts_until_it_is_given_up(
    valkey: Valkey, content: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been wrong: its place is not free at once, and not taken for ever."""
    monkeypatch.setattr(shared_limits, "LEASE", 0.6)
    policy = LimitPolicy(sign_in_account="1/minute")
    async with nodes(valkey.url, policy=policy) as (one, other):
        dying = one.sign_in(WHO, WHERE)
        assert (await dying.__aenter__()).retry_after is None
        began = time.monotonic()
        assert await sign_in(other, right=True) is None
        assert 0.4 <= time.monotonic() - began < 5
        await dying.__aexit__(None, None, None)


async def test_who_waits_for_another_node_in_vain_is_told_to_come_back(
    valkey: Valkey, content: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("authgate.security.limits.WAIT_AT_MOST", 0.3)
    policy = LimitPolicy(sign_in_account="1/minute")
    async with nodes(valkey.url, policy=policy) as (one, other):
        async with one.sign_in(WHO, WHERE):
            assert await sign_in(other, right=True) == 1
        assert other._turns._waiting == {}
        assert await sign_in(other, right=True) is None


async def test_a_cancelled_attempt_gives_its_place_back(valkey: Valkey, content: Any) -> None:
    async def hang(node: Throttles) -> None:
        async with node.sign_in(WHO, WHERE):
            await asyncio.sleep(3600)

    async with nodes(valkey.url) as (one, other):
        tasks = [asyncio.create_task(hang(one)) for _ in range(15)]
        await asyncio.sleep(0.3)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await settled(one)
        assert not [key for key in content.keys("*") if key.endswith(":judged")]
        assert await sign_in(other, right=True) is None
        assert one._turns._taken == {}


async def test_calls_given_up_midway_leave_no_answer_for_others(
    valkey: Valkey, content: Any
) -> None:
    """A connection on which an answer is still due would give it to the next question."""
    policy = LimitPolicy(sign_in_account="1000/minute", sign_in_address="1000/minute")
    async with nodes(valkey.url, 1, policy) as (node,):
        for n in range(300):
            task = asyncio.create_task(sign_in(node, right=False, who=f"p{n % 7}@example.com"))
            await asyncio.sleep(n % 30 / 10_000)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await settled(node)
        assert node.fallbacks == 0
        assert not [key for key in content.keys("*") if key.endswith(":judged")]
        assert await sign_in(node, right=True) is None


def test_the_client_is_loaded_only_where_it_is_set_up() -> None:
    code = "import sys, authgate.app, authgate.cli.serving; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- the window ---------------------------------------------------------------------------------


class SetClock(SharedLimits):
    """A store whose clock stands until it is moved; all else is the script as it is."""

    def __init__(self, url: str, clock: Clock) -> None:
        super().__init__(url, PEPPER)
        real = "redis.call('TIME')"
        assert SCRIPT.count(real) == 1
        self._clock = clock
        self._set = SCRIPT.replace(real, "{redis.call('GET', 'test:now'), 0}")
        self._script = self._run

    async def _run(self, keys: list[str], arguments: list[object]) -> object:
        await self._redis.set("test:now", f"{self._clock.now:.6f}")
        return await self._redis.eval(self._set, len(keys), *keys, *arguments)


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("hit"), st.sampled_from("ab")),
        st.tuples(st.just("wrong"), st.sampled_from("ab")),
        st.tuples(st.just("right"), st.sampled_from("ab")),
        st.tuples(st.just("look"), st.sampled_from("ab")),
        st.tuples(st.just("wait"), st.sampled_from([0, 0.25, 1, 19.5, 20, 59.75, 60])),
    ),
    max_size=40,
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=_STEPS)
async def test_the_same_hits_get_the_same_answers_as_in_memory(
    valkey: Valkey, content: Any, steps: list[tuple[str, Any]]
) -> None:
    content.flushall()
    clock = Clock()
    policy = LimitPolicy(registration="3/minute", sign_in_account="3/minute")
    shared = SetClock(valkey.url, clock)
    here, there = Throttles(policy, clock), Throttles(policy, clock, shared)
    try:
        for what, value in steps:
            match what:
                case "wait":
                    clock.now += value
                case "hit":
                    said = [await each.hit_registration(value) for each in (here, there)]
                    assert said[0] == said[1]
                case "look":
                    said = [await sign_in(each, None, value) for each in (here, there)]
                    assert said[0] == said[1]
                case _:
                    said = [await sign_in(each, what == "right", value) for each in (here, there)]
                    assert said[0] == said[1]
        assert there.fallbacks == 0
    finally:
        await there.close()


async def test_a_clock_of_the_store_that_is_set_back_locks_nobody_out(
    valkey: Valkey, content: Any
) -> None:
    clock = Clock()
    clock.now = 1_800_000_000.0
    brake = Brake("registration", "2/minute", clock)
    shared, place = SetClock(valkey.url, clock), Place(brake, "k")
    try:
        assert [await shared.hit(place) for _ in range(3)] == [None, None, 60]
        clock.now -= 3600
        assert [await shared.hit(place) for _ in range(3)] == [None, None, 60]
    finally:
        await shared.close()


async def test_clocks_of_nodes_that_differ_make_no_difference(
    valkey: Valkey, content: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five minutes apart, wall clock and monotonic clock: the store's own clock counts."""
    ahead, behind = Clock(), Clock()
    ahead.now += 300
    shared = [SharedLimits(valkey.url, PEPPER) for _ in range(2)]
    one, other = (
        Throttles(POLICY, clock, each) for clock, each in zip((ahead, behind), shared, strict=True)
    )
    try:
        for n in range(10):
            monkeypatch.setattr(time, "time", lambda skew=n % 2: 1_800_000_000.0 + 300 * skew)
            assert await sign_in((one, other)[n % 2], right=False) is None
        for node in (one, other):
            assert 50 <= (await sign_in(node, right=True) or 0) <= 60
    finally:
        await one.close()
        await other.close()


# --- what lies in it ------------------------------------------------------------------------------


async def tell_a_story(node: Throttles) -> None:
    for right in (False, None, True, False):
        await sign_in(node, right)
    async with node.sign_in(WHO, WHERE, factor=True) as attempt:
        attempt.failed()
    await node.hit_registration(WHERE)
    await node.hit_authorization("2001:db8:7:7::1")
    await node.client_failed("client_of_somebody", WHERE)
    await node.check_client("client_of_somebody", WHERE)


def dumped(client: Any) -> str:
    """All keys with all their values."""
    return repr([(key, client.zrange(key, 0, -1, withscores=True)) for key in client.keys("*")])


async def test_nothing_in_it_tells_whose_it_is(valkey: Valkey, content: Any) -> None:
    async with nodes(valkey.url, 1) as (node,):
        await tell_a_story(node)
        async with node.sign_in(WHO, WHERE):
            said = dumped(content)
    assert "authgate:limits:account:" in said
    assert ":judged" in said
    for readable in (WHO, "ana", "example", WHERE, "192", "2001", "db8", "client_of_somebody"):
        assert readable not in said.replace("authgate:limits:client:", "")
    assert PEPPER.hex()[:8] not in said


async def test_everything_in_it_expires_by_itself(valkey: Valkey, content: Any) -> None:
    limit = "5/1 second"
    policy = LimitPolicy(limit, limit, limit, limit, limit, limit)
    async with nodes(valkey.url, 1, policy) as (node,):
        await tell_a_story(node)
        keys = content.keys("*")
        assert keys
        assert all(key.startswith("authgate:limits:") for key in keys)
        assert all(0 < content.pttl(key) <= 60_000 for key in keys)
        async with asyncio.timeout(10):
            while content.dbsize():  # noqa: ASYNC110 - Redis tells nobody
                await asyncio.sleep(0.05)


async def test_a_crowd_of_strangers_takes_bounded_room(
    valkey: Valkey, content: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the bound the one that was quiet longest goes, as in memory."""
    monkeypatch.setattr(shared_limits, "MAX_PLACES", 20)
    policy = LimitPolicy(registration="2/hour")
    async with nodes(valkey.url, 1, policy) as (node,):
        for n in range(100):
            assert await node.hit_registration(f"10.0.0.{n}") is None
        assert content.dbsize() == 21
        assert await node.hit_registration("10.0.0.99") is None
        assert await node.hit_registration("10.0.0.99") is not None
        assert await node.hit_registration("10.0.0.1") is None


async def test_two_authgates_in_one_store_do_not_meet(valkey: Valkey, content: Any) -> None:
    policy = LimitPolicy(registration="1/minute")
    async with (
        nodes(valkey.url, 1, policy) as (one,),
        nodes(valkey.url, 1, policy, b"another" * 4) as (other,),
    ):
        for node in (one, other):
            assert await node.hit_registration(WHERE) is None
            assert await node.hit_registration(WHERE) is not None


async def test_what_somebody_put_in_the_place_of_our_keys_is_taken_away(
    valkey: Valkey, content: Any
) -> None:
    async with nodes(valkey.url, 1) as (node,):
        await tell_a_story(node)
        async with node.sign_in(WHO, WHERE):
            keys = content.keys("*")
        for key in keys:
            content.delete(key)
            content.set(key, "garbage")
        await tell_a_story(node)
        assert node.fallbacks == 0
        for _ in range(10):
            await sign_in(node, right=False)
        assert await sign_in(node, right=True) is not None


async def test_it_may_be_reached_by_its_socket(valkey: Valkey, content: Any) -> None:
    async with nodes(valkey.socket_url, 1) as (one,), nodes(valkey.url, 1) as (other,):
        for _ in range(60):
            assert await one.client_failed("c1", WHERE) is None
        assert await other.check_client("c1", WHERE) is not None


async def test_its_certificate_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`valkeys` and `rediss`: by the authorities of the system, or those the operator names."""
    authority, holder = made_authority(tmp_path), reserved_port()
    port = holder.getsockname()[1]
    served = (
        *("--tls-port", str(port), "--tls-auth-clients", "no"),
        *("--tls-cert-file", str(authority.chain), "--tls-key-file", str(authority.key)),
        *("--tls-ca-cert-file", str(authority.root)),
    )
    with holder, Valkey(*served) as own:
        url = f"valkeys://:{own.password}@localhost:{port}/0"
        with capture_logs() as told:
            async with nodes(url, 1) as (node,):
                assert await sign_in(node, right=True) is None
                assert lost(node)
        assert [line["event"] for line in told] == ["limits.store_lost"]
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.root))
        async with nodes(url, 1) as (node,):
            assert await sign_in(node, right=True) is None
            assert not lost(node)


# --- when it is lost ------------------------------------------------------------------------------


async def test_stopped_and_started_again_empty(own: Valkey) -> None:
    """The count of this process goes on, and holds for a window when the store is back."""
    async with nodes(own.url, 1) as (node,):
        with capture_logs() as told:
            for _ in range(4):
                assert await sign_in(node, right=False) is None
            own.stop()
            for _ in range(6):
                assert await sign_in(node, right=False) is None
            assert await sign_in(node, right=True) is not None
            assert lost(node)
            assert node.fallbacks >= 7
            own.start()
            await back(node)
            assert await sign_in(node, right=True) is not None
            assert await sign_in(node, right=True, who="bo@example.com") is None
    assert [line["event"] for line in told] == ["limits.store_lost", "limits.store_back"]
    assert own.password not in repr(told)
    assert str(own.port) not in repr(told)


async def test_the_scripts_of_a_store_that_was_emptied_come_back_without_a_word(
    valkey: Valkey, content: Any
) -> None:
    async with nodes(valkey.url, 1) as (node,):
        await sign_in(node, right=False)
        content.script_flush()
        await sign_in(node, right=False)
        assert node.fallbacks == 0


async def test_frozen_it_costs_the_deadline_once(own: Valkey, hasty: None) -> None:
    async with nodes(own.url, 1) as (node,):
        assert await sign_in(node, right=False) is None
        own.freeze()
        began = time.monotonic()
        burst = await asyncio.gather(*(sign_in(node, right=False) for _ in range(50)))
        assert time.monotonic() - began < 1.5
        assert burst.count(None) == 9
        began = time.monotonic()
        for _ in range(200):
            await node.hit_registration(WHERE)
        assert time.monotonic() - began < 0.25
        own.thaw()
        await back(node)
        assert await node.hit_registration("192.0.2.9") is None


@clause("ASVS 5.0", "6.3.1")
async def test_lost_in_the_middle_of_a_burst_no_more_are_judged_than_both_limits(
    own: Valkey,
) -> None:
    """The limit of the store and that of the process, at the worst, and never without end."""
    async with nodes(own.url, 1) as (node,):

        async def stop() -> None:
            await asyncio.sleep(0.005)
            own.stop()

        burst = (sign_in(node, right=False) for _ in range(60))
        answers = await asyncio.gather(stop(), *burst)
        assert 1 <= answers[1:].count(None) <= 10


async def test_a_wrong_password_is_no_reason_to_stop_anybody(own: Valkey) -> None:
    url = own.url.replace(own.password, "another")
    with capture_logs() as told:
        async with nodes(url, 1) as (node,):
            assert await sign_in(node, right=True) is None
            assert lost(node)
    assert [line["event"] for line in told] == ["limits.store_lost"]
    assert "another" not in repr(told)
    assert "Auth" in told[0]["error"]


async def test_full_it_is_lost_and_found_again_when_there_is_room(own: Valkey) -> None:
    with contextlib.closing(own.client()) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1")
        async with nodes(own.url, 1) as (node,):
            with capture_logs() as told:
                for _ in range(10):
                    assert await sign_in(node, right=False) is None
                assert await sign_in(node, right=True) is not None
                assert lost(node)
                await asyncio.sleep(0.3)  # some looks that find it full still
                assert lost(node)
                client.config_set("maxmemory", "0")
                await back(node)
    assert [line["event"] for line in told] == ["limits.store_lost", "limits.store_back"]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"+OK\r\n" * 10,
        b"*3\r\n$1\r\nx\r\n$2\r\nin\r\n:0\r\n" * 10,
        b"$99999999999\r\n",
        b"*99999999\r\n",
        b":x\r\n",
        b"\xff\xfe\x00" * 50 + b"\r\n",
        b"",
    ],
)
async def test_whatever_else_listens_there_is_no_answer(answer: bytes, hasty: None) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while await reader.read(4096):
                writer.write(answer)
                await writer.drain()
                if not answer:
                    break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with capture_logs() as told:
        async with server, nodes(f"redis://127.0.0.1:{port}/0", 1) as (node,):
            began = time.monotonic()
            for _ in range(10):
                assert await sign_in(node, right=False) is None
            assert await sign_in(node, right=True) is not None
            assert time.monotonic() - began < 3
    assert [line["event"] for line in told] == ["limits.store_lost"]


async def test_the_look_at_the_start_tells_and_nothing_waits_for_it(own: Valkey) -> None:
    own.stop()
    with capture_logs() as told:
        async with nodes(own.url, 1) as (node,):
            await node.look()
            assert await sign_in(node, right=True) is None
            own.start()
            await back(node)
    assert [line["event"] for line in told] == ["limits.store_lost", "limits.store_back"]


async def test_a_crowd_waits_in_line_and_not_on_the_deadline(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a stranger's burst looked like a store that does not answer."""
    shared = SharedLimits(valkey.url, b"p" * 32)
    at_once, most = 0, 0
    ask = shared._script

    async def counted(*asked: object) -> object:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        try:
            return await ask(*asked)
        finally:
            at_once -= 1

    monkeypatch.setattr(shared, "_script", counted)
    place = Place(Brake("registration", "1000/minute", time.monotonic), "of-a-crowd")
    try:
        waits = await asyncio.gather(*(shared.hit(place) for _ in range(300)))
        assert waits == [None] * 300
        assert not shared.lost
        assert 1 < most <= shared_limits.CONNECTIONS
    finally:
        await shared.close()
