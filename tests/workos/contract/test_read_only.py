"""What WorkOS answers to questions that change nothing there: what the stand-in says, it says too.

Each test is something that authgate rests on. Against a real environment: see `cases`.
"""

from __future__ import annotations

import json
import secrets

import pytest

from authgate.issuers.authkit.completion import AuthKitLogins, CompletionPolicy
from authgate.issuers.logins import NotCompleted, Snag, Vouched
from authgate.protocol.errors import Reason, Refusal
from authgate.workos import Kind, OAuthResource, Origin, Trouble, WorkOS, WorkOSPolicy
from authgate.workos.report import report
from tests.workos.contract.cases import AUTHKIT, NEEDED, PREFIX, Tenant, cases

# Shaped as WorkOS's own, and never issued.
NOBODY = "01AUTHG8C0NTRACTN0B0DY0000"
HERE = Origin("192.0.2.1", "authgate's contract tests")
SCOPES = {"openid", "profile", "email", "offline_access"}


# --- the AuthKit domain ---------------------------------------------------------------------------


async def test_the_metadata_is_believed_and_offers_what_clients_need(authkit: Tenant) -> None:
    metadata = await authkit.issuer.metadata()
    assert metadata.authorization_endpoint == f"{authkit.domain}/oauth2/authorize"
    assert metadata.token_endpoint == f"{authkit.domain}/oauth2/token"
    assert metadata.registration_endpoint in (None, f"{authkit.domain}/oauth2/register")
    assert set(json.loads(metadata.body)["scopes_supported"]) == SCOPES


async def test_the_keys_are_there_and_of_our_one_algorithm(authkit: Tenant) -> None:
    await authkit.issuer.refresh_keys()
    assert (await authkit.issuer.report()).problems == ()


async def test_an_invented_code_is_refused_in_words_that_we_read(authkit: Tenant) -> None:
    form = {
        "grant_type": "authorization_code",
        "client_id": f"client_{NOBODY}",
        "code": NOBODY,
        "redirect_uri": "http://127.0.0.1:9/callback",
        "code_verifier": "v" * 43,
    }
    with pytest.raises(Refusal) as refused:
        await authkit.issuer.token(form)
    assert refused.value.reason in (Reason.ISSUER_CLIENT, Reason.ISSUER_GRANT)


# --- the API --------------------------------------------------------------------------------------


async def test_the_resource_indicators_can_be_read(tenant: Tenant) -> None:
    found = await tenant.workos.oauth_resources()
    assert isinstance(found, tuple), found
    assert all(isinstance(one, OAuthResource) and "://" in one.uri for one in found)


async def test_the_redirect_uris_can_be_read(tenant: Tenant) -> None:
    assert isinstance(await tenant.workos.redirect_uris(), tuple)


async def test_users_can_be_listed_and_looked_for(tenant: Tenant) -> None:
    page = await tenant.sdk.user_management.list_users(limit=1)
    assert len(page.data) <= 1
    assert all(user.id.startswith("user_") for user in page.data)
    address = f"authgate-contract-{secrets.token_hex(8)}@example.com"
    assert await tenant.workos.users_by_email(address) == ()


async def test_whoever_is_not_there_is_not_found(tenant: Tenant) -> None:
    """Upon this word of WorkOS's, and no other, a person's connections end."""
    for found in (
        await tenant.workos.user(f"user_{NOBODY}"),
        await tenant.workos.user_by_external_id(f"authgate-contract-{secrets.token_hex(8)}"),
        await tenant.workos.identities(f"user_{NOBODY}"),
    ):
        assert isinstance(found, Trouble)
        assert (found.kind, found.code) == (Kind.NOT_FOUND, "entity_not_found")


async def test_the_keys_of_user_management_can_be_read(tenant: Tenant) -> None:
    assert tenant.policy.client_id is not None
    keys = await tenant.sdk.user_management.get_jwks(tenant.policy.client_id)
    assert [key.alg for key in keys.keys] == ["RS256"] * len(keys.keys) != []


async def test_a_sign_in_that_authkit_does_not_know_is_expired(authkit: Tenant) -> None:
    person = Vouched(f"authgate-contract-{NOBODY}", "nobody@example.com", confirmed=False)
    outcome = await authkit.workos.complete(NOBODY, person.sub, person.email)
    assert isinstance(outcome, Trouble)
    assert (outcome.kind, outcome.status) == (Kind.NOT_FOUND, 404)
    # Without a store: nobody is linked where nobody was completed.
    policy = CompletionPolicy(authkit.domain)
    logins = AuthKitLogins(authkit.workos, None, policy, lambda: 0)  # type: ignore[arg-type]
    assert await logins.complete(NOBODY, person) == NotCompleted(Snag.EXPIRED)


async def test_a_wrong_code_is_an_invalid_grant(tenant: Tenant) -> None:
    """The client id is right, or this would be `invalid_client`."""
    outcome = await tenant.workos.authenticate_code(NOBODY, "v" * 43, HERE)
    assert isinstance(outcome, Trouble)
    assert (outcome.kind, outcome.code) == (Kind.REFUSED, "invalid_grant")


async def test_a_wrong_key_is_told_from_everything_else(tenant: Tenant) -> None:
    policy = WorkOSPolicy(f"sk_test_{NOBODY}", tenant.policy.client_id, tenant.policy.api_url)
    stranger = WorkOS(policy)
    try:
        outcome = await stranger.oauth_resources()
    finally:
        await stranger.close()
    assert isinstance(outcome, Trouble)
    assert outcome.kind is Kind.KEY_REFUSED


async def test_doctor_finds_its_way(authkit: Tenant) -> None:
    """What depends on the operator's own entries may be well or not; what is read must be read."""
    found = {
        one.check: one.level
        for one in (await report(authkit.workos, authkit.fetch, authkit.wanted)).findings
    }
    read = ("api_key", "client_id", "authkit_domain", "jwks")
    assert {name: found.get(name) for name in read} == dict.fromkeys(read, "ok")
    assert {"dcr", "cimd", "resource", "login_uri"} <= set(found)


# --- which environments ---------------------------------------------------------------------------


def test_a_real_environment_joins_only_when_all_of_it_is_named() -> None:
    for needed in (NEEDED, (*NEEDED, AUTHKIT)):
        whole = {PREFIX + name: "x" for name in needed}
        assert set(cases({}, needed)) == {"stand-in"}
        assert set(cases(whole, needed)) == {"stand-in", "real"}
        for name in whole:
            assert set(cases(whole | {name: " "}, needed)) == {"stand-in"}
