"""The refresh grant: bound to its client, never wider, and a repeat told from a replay."""

from __future__ import annotations

import pytest

from authgate.protocol.errors import Reason
from authgate.protocol.records import AuthenticatedClient, Grant, RefreshToken, Rotation
from authgate.protocol.refresh_token import Refresh, judge, judge_repeat, read
from tests.clauses import clause
from tests.protocol.making import (
    NOW,
    OTHER_RESOURCE,
    RESOURCE,
    a_client,
    a_grant,
    a_refresh_token,
    asked,
    proven,
    refused,
)

PLAIN = Refresh("refresh", None, ())
STRANGER = proven(a_client(client_id="client_other"))


def use(
    token: RefreshToken | None = None,
    grant: Grant | None = None,
    refresh: Refresh = PLAIN,
    client: AuthenticatedClient | None = None,
    now: int = NOW,
) -> tuple[Grant, tuple[str, ...]]:
    found = (token or a_refresh_token(), grant or a_grant())
    return judge(found, client or proven(), refresh, now=now)


@clause("RFC 6749", "6")
def test_the_parameters_of_a_refresh_are_read() -> None:
    form = asked(refresh_token="r", scope="mcp:use  mcp:admin", resource=RESOURCE)
    assert read(form) == Refresh("r", ("mcp:use", "mcp:admin"), (RESOURCE,))
    assert read(asked(refresh_token="r", scope="")) == Refresh("r", None, ())
    with refused(Reason.PARAMETER_MISSING):
        read(asked())
    with refused(Reason.SCOPE_MALFORMED):
        read(asked(refresh_token="r", scope="a\tb"))
    assert "'r'" not in repr(read(asked(refresh_token="r")))


@clause("RFC 6749", "6")
def test_without_a_scope_the_token_is_as_wide_as_the_grant() -> None:
    assert use() == (a_grant(), ("mcp:use", "mcp:admin"))


@clause("RFC 6749", "6")
def test_a_narrower_scope_leaves_the_grant_as_wide_as_it_was() -> None:
    grant, scopes = use(refresh=Refresh("r", ("mcp:admin",), ()))
    assert scopes == ("mcp:admin",)
    assert grant.scopes == ("mcp:use", "mcp:admin")


@clause("RFC 6749", "5.2")
def test_an_unknown_token_and_a_strangers_get_one_and_the_same_answer() -> None:
    with refused(Reason.REFRESH_UNKNOWN) as unknown:
        judge(None, proven(), PLAIN, now=NOW)
    with refused(Reason.REFRESH_FOREIGN) as foreign:
        use(client=STRANGER)
    assert unknown.value.face == foreign.value.face
    assert unknown.value.code == "invalid_grant"


@pytest.mark.parametrize(
    ("token", "grant", "refresh", "reason", "code"),
    [
        ({}, {"revoked_at": NOW}, {}, Reason.GRANT_ENDED, "invalid_grant"),
        ({"expires_at": NOW}, {}, {}, Reason.REFRESH_EXPIRED, "invalid_grant"),
        ({}, {}, {"resources": (OTHER_RESOURCE,)}, Reason.RESOURCE_BEYOND_GRANT, "invalid_target"),
        ({}, {}, {"resources": (RESOURCE,) * 2}, Reason.RESOURCE_REPEATED, "invalid_target"),
        ({}, {}, {"scopes": ("mcp:root",)}, Reason.SCOPE_BEYOND_GRANT, "invalid_scope"),
        ({}, {}, {"scopes": ("offline_access",)}, Reason.SCOPE_BEYOND_GRANT, "invalid_scope"),
        # the earlier one is told
        ({"expires_at": 0}, {"revoked_at": 1}, {"scopes": ("x",)}, Reason.GRANT_ENDED, None),
        ({"expires_at": 0}, {}, {"scopes": ("x",)}, Reason.REFRESH_EXPIRED, None),
        ({}, {}, {"scopes": ("x",), "resources": ("y",)}, Reason.RESOURCE_BEYOND_GRANT, None),
    ],
)
@clause("RFC 6749", "5.2")
def test_what_is_wrong_is_told_in_order(
    token: dict[str, object],
    grant: dict[str, object],
    refresh: dict[str, object],
    reason: Reason,
    code: str | None,
) -> None:
    wanted = Refresh(**{"token": "r", "scopes": None, "resources": (), **refresh})
    with refused(reason) as caught:
        use(a_refresh_token(**token), a_grant(**grant), wanted)
    assert code is None or caught.value.code == code
    with refused(Reason.REFRESH_FOREIGN):
        use(a_refresh_token(**token), a_grant(**grant), wanted, STRANGER)


@clause("OAuth 2.1", "4.3.1")
def test_a_superseded_token_passes_so_that_the_store_can_tell_repeat_from_replay() -> None:
    used = a_refresh_token(superseded_at=NOW - 5)
    assert use(used)
    assert use(used, now=used.expires_at + 5)
    with refused(Reason.GRANT_ENDED):
        use(used, a_grant(revoked_at=NOW))


@pytest.mark.parametrize(
    ("unused", "later", "grace", "verdict"),
    [
        (True, 0, 60, Rotation.REPEATED),
        (True, 59, 60, Rotation.REPEATED),
        (True, 60, 60, Rotation.REPEATED),
        (True, 61, 60, Rotation.REPLAYED),
        (True, 10**6, 60, Rotation.REPLAYED),
        (True, -3, 60, Rotation.REPEATED),  # a clock that was set back
        (True, 0, 0, Rotation.REPEATED),
        (True, 1, 0, Rotation.REPLAYED),
        (False, 0, 60, Rotation.REPLAYED),
        (False, 61, 60, Rotation.REPLAYED),
    ],
)
@clause("OAuth 2.1", "4.3.1")
def test_a_repeat_is_one_inside_the_window_while_the_successor_is_unused(
    unused: bool, later: int, grace: int, verdict: Rotation
) -> None:
    judged = judge_repeat(superseded_at=NOW, successor_unused=unused, now=NOW + later, grace=grace)
    assert judged is verdict
