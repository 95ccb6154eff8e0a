"""An authgate that AuthKit issues for, in its own process, with a stand-in as the AuthKit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.live import ALICE, BOB, LiveServer, Person
from tests.standins.running import running_workos
from tests.standins.workos import WorkOSStandIn

__all__ = ["AuthKitServer", "authkit_server"]

CLOCK = Path(__file__).with_name("moved_clock")
DOCUMENT = "https://app.example.com/oauth/client.json"
"""The address of a client's own metadata document, which is its client id."""


class AuthKitServer(LiveServer):
    """Both ends of Standalone Connect, set up for each other as `docs/workos.md` says.

    Its clock and AuthKit's are moved on together by `later`.
    """

    def __init__(
        self, workos: WorkOSStandIn, env: Mapping[str, str], people: Sequence[Person]
    ) -> None:
        issued = {
            "AUTHGATE_ISSUER": "authkit",
            "WORKOS_AUTHKIT_DOMAIN": workos.authkit_url,
            "WORKOS_API_KEY": workos.api_key,
            "WORKOS_API_URL": workos.api_url,
            "PYTHONPATH": str(CLOCK),
        }
        super().__init__(env=issued | dict(env), people=people)
        self.workos = workos
        self._ahead = self.folder / "clock-ahead"
        self._ahead.write_text("0")
        self._env["TEST_CLOCK_AHEAD"] = str(self._ahead)

    def _launch(self) -> None:
        # What an operator enters in the dashboard; the port is known only now.
        self.workos.login_uri = f"{self.url}/oauth/login"
        self.workos.resources = [self.mcp_url]
        super()._launch()

    def later(self, seconds: float) -> None:
        """Both clocks, as if so much time had passed."""
        self.workos.clock.move(seconds)
        # Replaced and not rewritten: the server never reads half a number.
        new = self._ahead.with_suffix(".new")
        new.write_text(str(self.workos.clock.shift))
        new.replace(self._ahead)

    def as_at_first(self) -> None:
        """Knobs that a test turned are back; people and clients stay."""
        knobs: dict[str, Any] = {
            "sub_mode": "external",
            "client_id_claim": True,
            "resource_mode": "registered",
            "resources": [self.mcp_url],
            "default_resource": None,
            "dcr_enabled": True,
            "cimd_enabled": True,
            "documents": {},
        }
        for name, value in knobs.items():
            setattr(self.workos, name, value)
        self.workos.mend()

    def told(self) -> list[str]:
        """Whom AuthKit was told of and took, in order: their addresses."""
        state = self.workos.state
        flows = [flow for flow in state.flows.values() if flow.completed and flow.user_id]
        return [state.users[flow.user_id or ""].email for flow in flows]


@contextmanager
def authkit_server(people: Sequence[Person] = (ALICE, BOB), **env: str) -> Iterator[AuthKitServer]:
    """Both, for as long as the block lasts."""
    with running_workos() as workos:
        client_id = {"WORKOS_CLIENT_ID": workos.client_id}
        with AuthKitServer(workos, client_id | env, people) as running:
            yield running
            running.assert_quiet()
