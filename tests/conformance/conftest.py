"""Suites and crashes run against servers of their own; a failing test shows what they said."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live import LiveServer, attach_logs

OTHER_RESOURCE = "https://other.example/mcp"


@pytest.fixture(scope="session")
def server() -> Iterator[LiveServer]:
    """An authgate with a second resource, so that a suite can get a token for elsewhere."""
    with LiveServer(env={"AUTHGATE_RESOURCES": OTHER_RESOURCE}) as running:
        yield running
        running.assert_quiet()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> object:
    """A failing test shows what the server said."""
    report = yield
    attach_logs(item, report)
    return report
