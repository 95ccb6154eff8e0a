"""What the calls read, of the stand-in and of a real environment where one is named.

The real one is given by AUTHGATE_TEST_WORKOS_API_KEY and AUTHGATE_TEST_WORKOS_CLIENT_ID (and
AUTHGATE_TEST_WORKOS_API_URL, if it is elsewhere). Nothing is made, changed or spent there, so that
a production key does no harm; and what holds there as well as here, the stand-in may be trusted in.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from authgate.workos import Kind, Origin, Trouble, WorkOS, WorkOSPolicy
from tests.workos.house import VERIFIER, opened_room

NAMES = ("API_KEY", "CLIENT_ID")
REAL = {name: os.environ.get(f"AUTHGATE_TEST_WORKOS_{name}", "") for name in NAMES}
API_URL = os.environ.get("AUTHGATE_TEST_WORKOS_API_URL", "https://api.workos.com")
NOBODY = "user_01AUTHGATETESTSASKNOBODY"


@pytest.fixture(params=["stand-in", *(["real"] if all(REAL.values()) else [])])
async def workos(request: pytest.FixtureRequest) -> AsyncIterator[WorkOS]:
    if request.param == "stand-in":
        async with opened_room() as room:
            yield room.workos
        return
    real = WorkOS(WorkOSPolicy(REAL["API_KEY"], REAL["CLIENT_ID"], API_URL))
    yield real
    await real.close()


def kind_and_code(outcome: object) -> tuple[Kind, str | None]:
    assert isinstance(outcome, Trouble)
    return outcome.kind, outcome.code


async def test_who_is_not_there_is_not_found(workos: WorkOS) -> None:
    """By WorkOS's own word: nothing else may end somebody's connections."""
    for outcome in (
        await workos.user(NOBODY),
        await workos.user_by_external_id("authgate-tests-ask-nobody"),
        await workos.identities(NOBODY),
    ):
        assert kind_and_code(outcome) == (Kind.NOT_FOUND, "entity_not_found")


async def test_nobody_has_an_address_that_cannot_be(workos: WorkOS) -> None:
    assert await workos.users_by_email("nobody@authgate-tests.example") == ()


async def test_lists_are_readable(workos: WorkOS) -> None:
    assert not isinstance(await workos.oauth_resources(), Trouble)
    assert not isinstance(await workos.redirect_uris(), Trouble)


async def test_a_code_that_never_was(workos: WorkOS) -> None:
    """The client id is right, or this would be `invalid_client`."""
    outcome = await workos.authenticate_code("01AUTHGATETESTSASKNOCODE", VERIFIER, Origin())
    assert kind_and_code(outcome) == (Kind.REFUSED, "invalid_grant")


async def test_another_key_is_told_apart(workos: WorkOS) -> None:
    policy = WorkOSPolicy("sk_test_of_nobody", workos.policy.client_id, workos.policy.api_url)
    other = WorkOS(policy)
    assert kind_and_code(await other.user(NOBODY))[0] is Kind.KEY_REFUSED
    await other.close()
