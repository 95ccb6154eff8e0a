"""An upgrade node by node: the version before this one and this one, side by side on one schema.

The version before is a wheel (tests/nodes/previous), built before the schema's last revision. What
a rolling upgrade meets: nodes that know less than the schema holds, one of them started anew in the
middle, and clients that notice nothing of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from authgate.store.migrations import HEAD
from authgate.store.postgres import PostgresStore
from authgate.store.postgres_pool import PostgresPolicy
from tests.clients.by_hand import Hands
from tests.faults.traffic import CALLBACK, Mint, Traffic
from tests.nodes.fleet import Fleet, Node

(WHEEL,) = (Path(__file__).parent / "previous").glob("authgate-*.whl")
CLIENTS, CODES = 6, 12
# Everything comes from one address here.
ENV = {
    "AUTHGATE_LIMIT_REGISTRATION": "10000/minute",
    "AUTHGATE_LIMIT_AUTHORIZATION": "10000/minute",
    "AUTHGATE_CODE_TTL": "600",
}


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of the version before."""
    folder = tmp_path_factory.mktemp("previous")
    with zipfile.ZipFile(WHEEL) as wheel:
        wheel.extractall(folder)
    return folder


class ByPages(Mint):
    """Codes by way of the pages: before the upgrade no store of this version may be opened."""

    def __init__(self, fleet: Fleet, hands: Hands) -> None:
        super().__init__(PostgresStore(PostgresPolicy(fleet.database)), fleet.mcp_url)
        self._hands = hands

    async def codes(self, client_id: str, count: int) -> list[tuple[str, str]]:
        return [
            await asyncio.to_thread(self._hands.code, client_id, CALLBACK) for _ in range(count)
        ]


def revision(fleet: Fleet) -> str:
    """Of the schema, as it is."""
    assert fleet.cluster is not None
    ((found,),) = fleet.cluster.run("SELECT version_num FROM authgate.alembic_version")
    return str(found)


def checked(node: Node) -> tuple[int, dict[str, Any]]:
    """What `authgate migrate --check` of this version says."""
    done = node.cli("migrate", "--check", "--json", check=False)
    return done.returncode, json.loads(done.stdout)


async def replaced(fleet: Fleet, old: Node, code: Path | None = None) -> Node:
    """A new node instead of an old one, as a deployment does it: up, in, out, down."""
    new = await asyncio.to_thread(fleet.add_node, code)
    await served_by(fleet, [node for node in fleet.nodes if node is not old])
    assert await asyncio.to_thread(old.stop) == 0
    fleet.nodes.remove(old)
    return new


async def served_by(fleet: Fleet, nodes: Sequence[Node]) -> None:
    fleet.serve_by(nodes)
    await asyncio.sleep(1)  # what nginx had given to a node that is out comes to its end


async def test_an_upgrade_node_by_node_is_noticed_by_nobody(previous: Path) -> None:
    with (
        Fleet(3, codes=[previous] * 3, env=ENV, keep_alive=False) as fleet,
        Hands(fleet) as hands,
    ):
        before = revision(fleet)
        assert before != HEAD, "build the wheel before the revision"
        mint = ByPages(fleet, hands)
        traffic = await Traffic.prepared(mint, [fleet.port], clients=CLIENTS, codes=CODES)
        first, *others = fleet.nodes
        async with traffic.running():
            await asyncio.sleep(1)
            new = await replaced(fleet, first)  # this start migrates, under the others' feet
            assert revision(fleet) == HEAD
            code, said = await asyncio.to_thread(checked, new)
            assert (code, said["revision"], said["pending"]) == (0, HEAD, [])
            # A node of the version before that is started anew finds a schema it does not know.
            again = await replaced(fleet, others[0], previous)
            assert await asyncio.to_thread(answers, again)
            for old in (others[1], again):
                await replaced(fleet, old)
            await asyncio.sleep(1)
        await mint.store.open()
        try:
            verdict = await traffic.verify()
        finally:
            await mint.store.close()
        for node in fleet.nodes:
            node.assert_quiet()
    verdict.assert_kept()
    assert [str(act) for act in verdict.acts if not act.well] == []
    assert len(verdict.acts) > 500


def answers(node: Node) -> bool:
    """Whether it is ready, store and all, asked past nginx."""
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=5)
    with contextlib.closing(connection) as asked:
        asked.request("GET", "/readyz")
        return asked.getresponse().status == 200
