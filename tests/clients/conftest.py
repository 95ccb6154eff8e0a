"""The servers that real clients speak to, one of each for the whole run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.authkit import AuthKitServer, authkit_server
from tests.clients.by_hand import Hands
from tests.live import ALICE, LiveServer, attach_logs


@pytest.fixture(scope="session")
def server() -> Iterator[LiveServer]:
    """An authgate with nothing set but where it is."""
    with LiveServer() as running:
        yield running
        running.assert_quiet()


@pytest.fixture(scope="session")
def hasty() -> Iterator[LiveServer]:
    """One whose access tokens live two seconds, so that clients must refresh."""
    with LiveServer(env={"AUTHGATE_ACCESS_TOKEN_TTL": "2"}) as running:
        yield running
        running.assert_quiet()


@pytest.fixture(scope="session", params=["by-name", "under-a-path"])
def elsewhere(request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    """One called `localhost`, as a newcomer's is, and one whose issuer has a path."""
    place = {"host": "localhost"} if request.param == "by-name" else {"path": "/tenant/a"}
    with LiveServer(**place, people=(ALICE,)) as running:
        yield running
        running.assert_quiet()


@pytest.fixture(scope="session")
def authkit_house() -> Iterator[AuthKitServer]:
    """One that AuthKit issues for."""
    with authkit_server() as running:
        yield running


@pytest.fixture
def authkit(authkit_house: AuthKitServer) -> Iterator[AuthKitServer]:
    """The same, with AuthKit's dashboard as it should be whatever the test before did to it."""
    authkit_house.as_at_first()
    yield authkit_house
    authkit_house.as_at_first()


@pytest.fixture
def hands(server: LiveServer) -> Iterator[Hands]:
    """A client by hand at `server`."""
    with Hands(server) as ready:
        yield ready


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> object:
    """A failing test shows what the server said."""
    report = yield
    attach_logs(item, report)
    return report
