"""What a client is told of its own tokens."""

from __future__ import annotations

import pytest

from authgate.protocol.introspection import facts, is_active, may_tell
from tests.clauses import clause
from tests.protocol.making import NOW, a_client, a_grant, a_refresh_token, proven


@clause("RFC 7662", "2.2")
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, True),
        ({"revoked_at": NOW}, False),
        ({"expires_at": NOW}, False),
        ({"expires_at": NOW + 1}, True),
    ],
)
def test_only_a_live_grant_is_told_of(changes: dict[str, int], told: bool) -> None:
    assert may_tell(a_grant(**changes), proven(), NOW) is told


@clause("RFC 7662", "2.2")
def test_another_client_is_told_nothing() -> None:
    assert not may_tell(a_grant(), proven(a_client(client_id="client_other")), NOW)


@clause("RFC 7662", "2.2")
def test_a_used_or_expired_refresh_token_is_not_active() -> None:
    token = a_refresh_token()
    assert is_active(token, token.expires_at - 1)
    assert not is_active(token, token.expires_at)
    assert not is_active(a_refresh_token(superseded_at=NOW), NOW)


@clause("RFC 7662", "2.2")
def test_the_facts_name_person_client_audience_and_scope() -> None:
    grant = a_grant()
    told = facts(grant, "https://auth.example")
    assert told["active"] is True
    assert told["sub"] == grant.person.sub
    assert (told["aud"], told["client_id"]) == (grant.resource, grant.client_id)


@clause("RFC 7662", "2.1")
def test_a_resource_server_is_told_of_access_tokens_alone() -> None:
    vouched = proven(a_client(client_id="client_weather", self_registered=False))
    assert may_tell(a_grant(), vouched, NOW, access=True)
    assert not may_tell(a_grant(), vouched, NOW)
    assert not may_tell(a_grant(revoked_at=NOW), vouched, NOW, access=True)
    stranger = proven(a_client(client_id="client_other"))
    assert not may_tell(a_grant(), stranger, NOW, access=True)
