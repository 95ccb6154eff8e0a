"""A log that cannot be written: lines are lost, and nothing else."""

from __future__ import annotations

from pathlib import Path

from tests.faults.people import Visitor
from tests.faults.places import UNBRAKED
from tests.live import ALICE, LiveServer


class Mute(LiveServer):
    """Writes its log to a device that is always full; there is nothing to read back."""

    def logs(self) -> str:
        return ""


async def test_refusals_are_answered_as_ever(tmp_path: Path) -> None:
    (tmp_path / "server.log").symlink_to("/dev/full")
    with Mute(folder=tmp_path, people=(ALICE,), env=UNBRAKED | {"LOG_LEVEL": "DEBUG"}) as server:
        visitor = Visitor(server)
        client = (await visitor.register()).json()
        for _ in range(300):  # more than a buffer holds
            refused = await visitor.http.post("/oauth/token", data={"grant_type": "made-up"})
            assert refused.status_code in (400, 401), refused.text
        page = await visitor.sign_in_page(client["client_id"])
        assert (await visitor.sign_in(page)).status_code == 303
        await visitor.close()
