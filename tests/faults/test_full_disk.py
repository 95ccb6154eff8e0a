"""A full disk under a server on SQLite: what only reads goes on, what writes is told to come back,
and when there is space again everything goes on as if nothing had been."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.disks import WAYS, Disk
from tests.faults.people import Visitor, told_to_come_back
from tests.faults.places import minting, one_server
from tests.faults.traffic import Traffic


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__.lower())
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    return request.param(folder)


def whole(file: Path) -> bool:
    with closing(sqlite3.connect(file)) as db:
        return db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_reads_go_on_and_nothing_is_spent_in_vain(disk: Disk) -> None:
    disk.run(_under_traffic(disk))


async def _under_traffic(disk: Disk) -> None:
    with one_server(env={"AUTHGATE_DATA_DIR": str(disk.folder)}) as server:
        file = disk.folder / "authgate.db"
        async with minting(server, file) as mint:
            traffic = await Traffic.prepared(mint, [server.port], clients=6, codes=60)
            async with traffic.running():
                await asyncio.sleep(0.7)
                with traffic.cause():
                    disk.fill(server)
                    await asyncio.sleep(2.5)
                    disk.free(server)
                await asyncio.sleep(1)
            verdict = await traffic.verify()
        verdict.assert_kept()
        assert set(verdict.during("call")) <= {200}
        for kind in ("register", "exchange", "refresh"):
            assert set(verdict.during(kind)) <= {200, 201, 503}
        writes = sum(
            (verdict.during(kind) for kind in ("register", "exchange", "refresh")), Counter()
        )
        assert writes[503] > 20, writes
        assert "Traceback" not in server.logs()
        server.stop()
        assert whole(file)


def test_people_and_programs_are_told_in_their_own_ways(disk: Disk) -> None:
    disk.run(_at_the_door(disk))


async def _at_the_door(disk: Disk) -> None:
    with one_server(env={"AUTHGATE_DATA_DIR": str(disk.folder)}) as server:
        file = disk.folder / "authgate.db"
        visitor = Visitor(server)
        client_id = (await visitor.register()).json()["client_id"]
        page = await visitor.sign_in_page(client_id)
        challenge = await visitor.challenge(client_id)
        for _ in range(2):
            disk.fill(server)
            assert told_to_come_back(await visitor.begin(client_id), page=True)
            assert told_to_come_back(await visitor.sign_in(page), page=True)
            assert told_to_come_back(await visitor.authenticate(challenge))
            assert told_to_come_back(await visitor.register())
            # What only reads goes on: the page itself is one row, and documents are none.
            assert (await visitor.http.get(page.url)).status_code == 200
            for path in ("/.well-known/oauth-authorization-server", "/healthz"):
                assert (await visitor.http.get(path)).status_code == 200
        disk.free(server)
        assert (await visitor.sign_in(page)).status_code == 303
        assert (await visitor.authenticate(challenge)).status_code == 200
        assert (await visitor.register()).status_code == 201
        await visitor.close()
        assert "Traceback" not in server.logs()
        server.stop()
        assert whole(file)
