"""One authgate for all examples that have theirs elsewhere, and the places they will be at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from authgate.observe import log
from tests.adapters.programs import Place
from tests.clients.by_hand import Hands
from tests.live import LiveServer, attach_logs

# Which resource each example is, below its own origin.
PATHS = {
    "fastmcp_remote.py": "/api/mcp",
    "mcp_sdk_server.py": "/mcp",
    "starlette_app.py": "/mcp",
    "fastapi_app.py": "",
    "another.py": "/mcp",  # nobody: what tokens of another audience are for
}


@pytest.fixture(scope="session")
def places() -> Iterator[dict[str, Place]]:
    """Where the examples will be, known before the authgate that has to know them starts."""
    found = {name: Place(path) for name, path in PATHS.items()}
    yield found
    for place in found.values():
        place.close()


@pytest.fixture(scope="session")
def authgate(places: dict[str, Place]) -> Iterator[LiveServer]:
    resources = " ".join(place.resource for place in places.values())
    env = {"AUTHGATE_RESOURCES": resources, "AUTHGATE_SCOPES": "mcp:use weather:write"}
    with LiveServer(env=env) as running:
        yield running
        running.assert_quiet()


@pytest.fixture
def hands(authgate: LiveServer) -> Iterator[Hands]:
    with Hands(authgate) as ready:
        yield ready


@pytest.fixture(autouse=True)
def _log_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard made in this process hands the log to it; other tests have their own."""
    monkeypatch.setattr(log, "_log", log._log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> object:
    """A failing test shows what the server said."""
    report = yield
    attach_logs(item, report)
    return report
