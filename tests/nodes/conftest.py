"""The fleet of those who leave it as they found it; whoever breaks one starts it for itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.nodes.fleet import Fleet
from tests.nodes.places import UNBRAKED


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    """Three nodes, Alice and Bob."""
    with Fleet(3, env=UNBRAKED) as running:
        yield running
        running.assert_quiet()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> object:
    """A failing test shows what the nodes said."""
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, Fleet):
                for number, node in enumerate(value.nodes):
                    report.sections.append((f"node {number}", node.logs()[-3000:]))
    return report
