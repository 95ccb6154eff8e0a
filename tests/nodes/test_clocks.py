"""A node whose clock is wrong notices, and says so in its log, at /readyz and as a number.

Two clocks cannot tell which of them is wrong, so it goes on serving. Its tokens are good at all
nodes, and theirs at it; they live longer or shorter by as much as it is wrong. What does not work
across it is what lasts a minute: a code, and asking again for a lost answer to a refresh.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from authgate.app.jobs import STEP_EVERY
from tests.clients.authkit import CLOCK
from tests.live import reserved_port
from tests.nodes.fleet import Fleet, Node
from tests.nodes.places import Tokens, lines, minting, until

OFF = 300
NOTICED = 3.0  # seconds, for a busy machine


class WrongClock:
    """A node more, by how much its clock is wrong, and where it tells its numbers."""

    def __init__(self, node: Node, ahead: Path, metrics: str) -> None:
        self.node = node
        self._ahead = ahead
        self._metrics = metrics

    def set(self, seconds: int) -> None:
        new = self._ahead.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self._ahead)

    def at_readyz(self) -> tuple[int, str]:
        answer = httpx2.get(f"{self.node.direct}/readyz", trust_env=False)
        return answer.status_code, answer.json()["clock"]

    def gauge(self) -> float:
        told = httpx2.get(f"{self._metrics}/metrics", trust_env=False).text
        found = re.findall(r"^authgate_clock_offset_seconds (\S+)", told, re.MULTILINE)
        return float(found[0]) if found else 0.0

    def says(self, seconds: int) -> bool:
        """Off by this much, in all three places?"""
        off = "ok" if seconds == 0 else f"off by {abs(seconds)} s"
        return self.at_readyz() == (200, off) and abs(self.gauge() - seconds) < 2

    def logged(self) -> list[tuple[str, int]]:
        """Level and seconds of every line about it."""
        lines = [json.loads(one) for one in self.node.logs().splitlines() if '"clock.off"' in one]
        return [(line["level"], round(line["seconds"])) for line in lines]


@asynccontextmanager
async def wrong_clock(fleet: Fleet, folder: Path, seconds: int) -> AsyncIterator[WrongClock]:
    ahead = folder / "ahead"
    ahead.write_text(str(seconds))
    with reserved_port() as held:
        place = f"127.0.0.1:{held.getsockname()[1]}"
        env = {
            "PYTHONPATH": str(CLOCK),
            "TEST_CLOCK_AHEAD": str(ahead),
            "AUTHGATE_METRICS_BIND": place,
        }
        node = await asyncio.to_thread(fleet.add_node, env=env)
        try:
            yield WrongClock(node, ahead, f"http://{place}")
        finally:
            await asyncio.to_thread(fleet.drop, node)


@pytest.mark.parametrize("off", [OFF, -OFF], ids=["ahead", "behind"])
async def test_five_minutes_off(fleet: Fleet, tmp_path: Path, off: int) -> None:
    async with wrong_clock(fleet, tmp_path, off) as wrong, minting(fleet) as mint:
        await until(lambda: wrong.says(off), NOTICED, f"{wrong.at_readyz()} {wrong.gauge()}")
        assert wrong.logged()[0] == ("error", off)
        with lines(fleet, fleet.nodes[:3]) as right, lines(fleet, [wrong.node]) as (line,):
            # Its tokens are good at the others, and the others' at it, whichever way it is wrong.
            theirs, ours = await line.tokens(mint), await right[0].tokens(mint)
            for tokens in (theirs, ours):
                assert [(await one.call(tokens.access)).status for one in (*right, line)] == [
                    200
                ] * 4
            # Refreshes go from one clock to the other and back.
            for at in (line, right[0], line, right[1]):
                reply = await at.refresh(theirs)
                assert reply.status == 200
                body = reply.json()
                theirs = Tokens(theirs.client_id, body["access_token"], body["refresh_token"])
            # And what is taken back by one is taken back for all, in a second.
            form = {"token": ours.refresh, "client_id": ours.client_id}
            assert (await line.wire.form("/oauth/revoke", form)).status == 200
            await asyncio.sleep(1.0)
            assert [(await one.call(ours.access)).status for one in (*right, line)] == [401] * 4


async def test_a_clock_that_is_set_while_it_runs(fleet: Fleet, tmp_path: Path) -> None:
    """On, back beyond, and right again: each is told within seconds, not at the next minute."""
    async with wrong_clock(fleet, tmp_path, 0) as wrong, minting(fleet) as mint:
        await until(lambda: wrong.says(0), NOTICED, str(wrong.at_readyz()))
        with lines(fleet, [wrong.node]) as (line,):
            tokens = await line.tokens(mint)
            for seconds in (OFF, -OFF, 0):
                wrong.set(seconds)
                within = STEP_EVERY + NOTICED
                await until(lambda s=seconds: wrong.says(s), within, str(wrong.at_readyz()))
                assert (await line.call(tokens.access)).status == 200
        assert wrong.logged() == [("error", OFF), ("error", -OFF)]
