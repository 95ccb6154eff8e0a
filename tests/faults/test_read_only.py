"""A database that may be read and not written: a restored backup, a wrong owner."""

from __future__ import annotations

import asyncio
import os

from tests.faults.people import Visitor, told_to_come_back
from tests.faults.places import database, minting, one_server
from tests.faults.traffic import Traffic

# Root writes what is read-only, unless this one power is taken from it.
WITHOUT_POWER = ["setpriv", "--bounding-set=-dac_override"] if os.geteuid() == 0 else []


async def test_who_holds_a_token_goes_on_and_nothing_is_spent() -> None:
    with one_server(prefix=WITHOUT_POWER) as server:
        file = database(server)
        async with minting(server) as mint:
            traffic = await Traffic.prepared(mint, [server.port], clients=4, codes=30)
            async with traffic.running():
                await asyncio.sleep(0.5)
        server.stop()
        before, file_mode = sorted(file.parent.glob("authgate.db*")), file.stat().st_mode
        assert [one.name for one in before] == ["authgate.db"]
        file.chmod(0o400)
        await asyncio.to_thread(server.restart)

        chains = [chain for chain in traffic.chains if chain.access]
        visitor = Visitor(server)
        for chain in chains[:3]:
            bearer = {"authorization": f"Bearer {chain.access[-1]}"}
            refused = await visitor.http.post(
                "/oauth/token",
                data={
                    "grant_type": "refresh_token",
                    "client_id": chain.form["client_id"],
                    "refresh_token": chain.refresh[-1],
                },
            )
            assert told_to_come_back(refused), refused.text
            called = await visitor.http.post("/mcp", headers=bearer, json={})
            assert called.status_code not in (401, 503), called.text
        assert told_to_come_back(await visitor.register())
        assert told_to_come_back(await visitor.begin(chains[0].form["client_id"]), page=True)

        for one in file.parent.glob("authgate.db*"):  # SQLite gives -wal and -shm the same rights
            one.chmod(file_mode)
        assert (await visitor.register()).status_code == 201  # without a restart
        await visitor.close()
        async with minting(server) as mint:
            traffic.mint = mint
            verdict = await traffic.verify()
        verdict.assert_kept()
        assert "Traceback" not in server.logs()
