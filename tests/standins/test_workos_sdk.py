"""The real SDK signs people in at the WorkOS stand-in: every grant and every further step."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from workos import (
    AsyncWorkOSClient,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
)
from workos._errors import (
    AuthenticationFlowError,
    EmailVerificationRequiredError,
    MfaChallengeError,
    MfaEnrollmentError,
    OrganizationSelectionRequiredError,
    SsoRequiredError,
)
from workos.connect.models import UserObject

from tests.standins.supabase_state import totp
from tests.standins.workos import Person, WorkOSStandIn
from tests.standins.workos_browser import Browser
from tests.standins.workos_house import OCTO, RETURN, VERIFIER, at_provider, client_of, sign_in


@pytest.fixture
async def workos() -> AsyncIterator[WorkOSStandIn]:
    async with WorkOSStandIn(redirect_uris=[RETURN], people=[OCTO]) as standin:
        yield standin


@pytest.fixture
async def sdk(workos: WorkOSStandIn) -> AsyncIterator[AsyncWorkOSClient]:
    async with client_of(workos) as client:
        yield client


# --- signing in ---------------------------------------------------------------------------------


async def test_a_code_with_pkce_gives_a_session(
    workos: WorkOSStandIn, sdk: AsyncWorkOSClient
) -> None:
    users = sdk.user_management
    asked = await users.get_authorization_url_with_pkce(redirect_uri=RETURN, provider="GitHubOAuth")
    async with Browser() as browser:
        await browser.open(asked["url"], until=RETURN)
        back = (await browser.pick("Octo")).answer
    assert back["state"] == asked["state"]
    answer = await users.authenticate_with_code_pkce(
        code=back["code"], code_verifier=asked["code_verifier"]
    )
    assert (answer.user.email, answer.user.first_name) == ("octo@example.com", "Octo")
    assert (answer.authentication_method, answer.oauth_tokens) == ("GitHubOAuth", None)
    keys = await users.get_jwks(workos.client_id)
    assert [key.kid for key in keys.keys] == [workos.session_keys.keys[-1].kid]
    async with aiohttp.ClientSession() as http, http.get(users.get_jwks_url()) as reply:
        published = KeySet.import_key_set(await reply.json())
    claims = jwt.decode(answer.access_token, published, algorithms=["RS256"]).claims
    assert claims["sub"] == answer.user.id
    assert claims["exp"] - claims["iat"] == 300
    assert "aud" not in claims
    assert claims["sid"] in workos.state.sessions


async def test_a_code_is_good_once_for_its_verifier(sdk: AsyncWorkOSClient) -> None:
    users = sdk.user_management
    code = (await at_provider(sdk, "Octo"))["code"]
    for verifier in ("w" * 43, VERIFIER):  # a wrong one uses it up
        with pytest.raises(BadRequestError) as refused:
            await users.authenticate_with_code(code=code, code_verifier=verifier)
        assert refused.value.error == "invalid_grant"
    code = (await at_provider(sdk, "Octo"))["code"]
    with pytest.raises(BadRequestError):
        await users.authenticate_with_code(code=code)  # the secret does not replace it


async def test_a_code_is_good_for_minutes_only(
    workos: WorkOSStandIn, sdk: AsyncWorkOSClient
) -> None:
    code = (await at_provider(sdk, "Octo"))["code"]
    workos.clock.move(301)
    with pytest.raises(BadRequestError) as refused:
        await sdk.user_management.authenticate_with_code(code=code, code_verifier=VERIFIER)
    assert refused.value.error == "invalid_grant"


async def test_the_secret_or_the_verifier(workos: WorkOSStandIn, sdk: AsyncWorkOSClient) -> None:
    code = (await at_provider(sdk, "Octo", code_challenge=None, code_challenge_method=None))["code"]
    answer = await sdk.user_management.authenticate_with_code(code=code)
    assert answer.user.email == "octo@example.com"
    public = client_of(workos, api_key=None, is_public=True)
    async with public:
        code = (await at_provider(sdk, "Octo"))["code"]
        answer = await public.user_management.authenticate_with_code_pkce(
            code=code, code_verifier=VERIFIER
        )
        assert answer.user.email == "octo@example.com"
        with pytest.raises(BadRequestError) as refused:
            await public.user_management.authenticate_with_code(code="x")
        assert refused.value.error == "invalid_request"


@pytest.mark.parametrize("wrong", [{"api_key": "sk_test_wrong"}, {"client_id": "client_wrong"}])
async def test_a_wrong_key_or_client_is_named(workos: WorkOSStandIn, wrong: dict[str, str]) -> None:
    async with client_of(workos, **wrong) as client:
        with pytest.raises(BadRequestError) as refused:
            await client.user_management.authenticate_with_code(code="x", code_verifier=VERIFIER)
        assert refused.value.error == "invalid_client"


async def test_the_key_is_checked(workos: WorkOSStandIn) -> None:
    async with client_of(workos, api_key="sk_test_wrong") as client:
        for call in (
            client.user_management.list_users(),
            client.connect.list_applications(),
            client.connect.complete_oauth2(
                external_auth_id="x", user=UserObject(id="1", email="a@example.com")
            ),
        ):
            with pytest.raises(AuthenticationError) as refused:
                await call
            assert refused.value.request_id


async def test_a_password(workos: WorkOSStandIn, sdk: AsyncWorkOSClient) -> None:
    workos.add_user("ana@example.com", password="a long enough password")
    users = sdk.user_management
    with pytest.raises(BadRequestError) as refused:
        await users.authenticate_with_password(email="ana@example.com", password="wrong")
    assert refused.value.code == "invalid_credentials"
    answer = await users.authenticate_with_password(
        email="ANA@example.com", password="a long enough password"
    )
    assert answer.authentication_method == "Password"


async def test_refresh_tokens_rotate_until_the_session_ends(
    workos: WorkOSStandIn, sdk: AsyncWorkOSClient
) -> None:
    users, first = sdk.user_management, await sign_in(sdk, "Octo")
    second = await users.authenticate_with_refresh_token(refresh_token=first.refresh_token)
    assert second.refresh_token != first.refresh_token
    with pytest.raises(BadRequestError) as refused:
        await users.authenticate_with_refresh_token(refresh_token=first.refresh_token)
    assert refused.value.error == "invalid_grant"
    sessions = await users.list_sessions(first.user.id)
    assert [one.status for one in sessions.data] == ["active"]
    await users.revoke_session(session_id=sessions.data[0].id)
    assert (await users.list_sessions(first.user.id)).data == []
    with pytest.raises(BadRequestError) as refused:
        await users.authenticate_with_refresh_token(refresh_token=second.refresh_token)
    assert refused.value.error == "invalid_grant"
    with pytest.raises(BadRequestError):
        await users.revoke_session(session_id="session_unknown")


async def test_the_logout_url_ends_the_session(
    workos: WorkOSStandIn, sdk: AsyncWorkOSClient
) -> None:
    await sign_in(sdk, "Octo")
    session = next(iter(workos.state.sessions.values()))
    home = "http://127.0.0.1:9/home"
    async with Browser() as browser:
        urls = [sdk.user_management.get_logout_url(session_id=session.id, return_to=home)]
        await browser.open(urls[0], until=home)
        assert (browser.status, "invalid_return_to" in browser.text) == (400, True)
        workos.logout_uris.append(home)
        await browser.open(urls[0], until=home)
        assert browser.url == home
    assert session.ended is not None


async def test_provider_tokens_come_where_they_are_switched_on(
    workos: WorkOSStandIn, sdk: AsyncWorkOSClient
) -> None:
    workos.provider_tokens = True
    answer = await sign_in(sdk, "Octo")
    assert answer.oauth_tokens.provider == "GitHubOAuth"
    assert answer.oauth_tokens.access_token.startswith("gho_")


# --- whose account it is ------------------------------------------------------------------------


async def test_accounts_are_linked_by_a_verified_address_only(
    workos: WorkOSStandIn, sdk: AsyncWorkOSClient
) -> None:
    ana = workos.add_user("Ana@example.com")
    workos.people += [
        Person("1", "ana@example.com", first_name="Ana"),
        Person("2", "ana@example.com", "GoogleOAuth", first_name="Ana"),
        Person("2", "ana@example.com", email_verified=False, first_name="Thief"),
        Person("4", "new@example.com", email_verified=False, first_name="New"),
    ]
    users = sdk.user_management
    assert (await sign_in(sdk, "Ana")).user.id == ana.id
    assert (await sign_in(sdk, "Ana", "GoogleOAuth")).user.id == ana.id
    linked = await users.get_user_identities(ana.id)
    shown = [(one.provider.value, one.idp_id, one.type) for one in linked]
    assert shown == [("GithubOAuth", "1", "OAuth"), ("GoogleOAuth", "2", "OAuth")]
    with pytest.raises(EmailVerificationRequiredError):
        await sign_in(sdk, "Thief")
    assert len(await users.get_user_identities(ana.id)) == 2
    fresh = (await sign_in(sdk, "New")).user
    assert (fresh.email, fresh.email_verified) == ("new@example.com", False)
    assert (await sign_in(sdk, "New")).user.id == fresh.id  # by its link, not its address


# --- further steps ------------------------------------------------------------------------------


async def test_a_mailbox_is_proved(workos: WorkOSStandIn, sdk: AsyncWorkOSClient) -> None:
    workos.people.append(
        Person(
            "5",
            "eve@example.com",
            email_verified=False,
            first_name="Eve",
            email_verification_required=True,
        )
    )
    with pytest.raises(EmailVerificationRequiredError) as asked:
        await sign_in(sdk, "Eve")
    assert (asked.value.email, asked.value.status_code) == ("eve@example.com", 403)
    assert asked.value.email_verification_id
    token = asked.value.pending_authentication_token
    verify = sdk.user_management.authenticate_with_email_verification
    code = workos.state.mails["eve@example.com"]
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    with pytest.raises(BadRequestError) as refused:
        await verify(code=wrong, pending_authentication_token=token)
    assert refused.value.code == "invalid_one_time_code"
    answer = await verify(code=code, pending_authentication_token=token)
    assert answer.user.email_verified is True
    with pytest.raises(BadRequestError) as refused:
        await verify(code=code, pending_authentication_token=token)
    assert refused.value.code == "invalid_pending_authentication_token"


async def test_codes_for_mailboxes_run_out(workos: WorkOSStandIn, sdk: AsyncWorkOSClient) -> None:
    workos.people.append(
        Person("6", "eve@example.com", first_name="Eve", email_verification_required=True)
    )
    verify = sdk.user_management.authenticate_with_email_verification
    with pytest.raises(EmailVerificationRequiredError) as asked:
        await sign_in(sdk, "Eve")
    token = asked.value.pending_authentication_token
    said = []
    for _ in range(6):
        with pytest.raises(BadRequestError) as refused:
            await verify(code="wrong", pending_authentication_token=token)
        said.append(refused.value.code)
    assert said == ["invalid_one_time_code"] * 5 + ["one_time_code_too_many_attempts"]
    workos.clock.move(601)
    with pytest.raises(BadRequestError) as refused:
        await verify(code="wrong", pending_authentication_token=token)
    assert refused.value.code == "invalid_pending_authentication_token"


async def test_an_organization_is_chosen(workos: WorkOSStandIn, sdk: AsyncWorkOSClient) -> None:
    workos.people.append(
        Person("7", "org@example.com", first_name="Org", organization_selection_required=True)
    )
    with pytest.raises(OrganizationSelectionRequiredError) as asked:
        await sign_in(sdk, "Org")
    organizations = asked.value.organizations
    assert organizations is not None
    token = asked.value.pending_authentication_token
    choose = sdk.user_management.authenticate_with_organization_selection
    with pytest.raises(BadRequestError) as refused:
        await choose(pending_authentication_token=token, organization_id="org_other")
    assert refused.value.code == "invalid_organization_id"
    wanted = organizations[0]["id"]
    answer = await choose(pending_authentication_token=token, organization_id=wanted)
    assert answer.organization_id == wanted


async def test_a_second_factor_is_challenged(workos: WorkOSStandIn, sdk: AsyncWorkOSClient) -> None:
    workos.people.append(Person("8", "mfa@example.com", first_name="Mfa", mfa_challenge=True))
    with pytest.raises(MfaChallengeError) as asked:
        await sign_in(sdk, "Mfa")
    factors = asked.value.authentication_factors
    assert factors is not None
    challenge = await sdk.multi_factor_auth.challenge_factor(factors[0]["id"])
    token = asked.value.pending_authentication_token
    given = {
        "pending_authentication_token": token,
        "authentication_challenge_id": challenge.id,
    }
    with pytest.raises(BadRequestError) as refused:
        await sdk.user_management.authenticate_with_totp(code="000", **given)
    assert refused.value.code == "invalid_one_time_code"
    other = workos.factors.add(workos.add_user("other@example.com"))
    foreign = await sdk.multi_factor_auth.challenge_factor(other.id)
    with pytest.raises(BadRequestError) as refused:
        await sdk.user_management.authenticate_with_totp(
            code=totp(other.secret, time.time()),
            pending_authentication_token=token,
            authentication_challenge_id=foreign.id,
        )
    assert refused.value.error == "invalid_request"
    secret = workos.state.factors[factors[0]["id"]].secret
    code = totp(secret, time.time())
    answer = await sdk.user_management.authenticate_with_totp(code=code, **given)
    assert answer.user.email == "mfa@example.com"
    with pytest.raises(NotFoundError):
        await sdk.multi_factor_auth.challenge_factor("auth_factor_unknown")


async def test_a_second_factor_is_enrolled(workos: WorkOSStandIn, sdk: AsyncWorkOSClient) -> None:
    workos.people.append(Person("9", "enr@example.com", first_name="Enr", mfa_enrollment=True))
    with pytest.raises(MfaEnrollmentError) as asked:
        await sign_in(sdk, "Enr")
    user = asked.value.user
    assert user is not None
    made = await sdk.multi_factor_auth.create_user_auth_factor(user["id"], type="totp")
    enrolled = made.authentication_factor.totp
    assert enrolled is not None
    answer = await sdk.user_management.authenticate_with_totp(
        code=totp(enrolled.secret, time.time()),
        pending_authentication_token=asked.value.pending_authentication_token,
        authentication_challenge_id=made.authentication_challenge.id,
    )
    assert answer.user.id == user["id"]
    listed = await sdk.multi_factor_auth.list_user_auth_factors(user["id"])
    assert [one.id for one in listed.data] == [made.authentication_factor.id]


async def test_sso_is_required(workos: WorkOSStandIn, sdk: AsyncWorkOSClient) -> None:
    workos.people.append(Person("10", "sso@example.com", first_name="Sso", sso_required=True))
    with pytest.raises(SsoRequiredError) as asked:
        await sign_in(sdk, "Sso")
    assert asked.value.connection_ids == ["conn_01STANDIN"]
    assert asked.value.pending_authentication_token
    workos.sso_required_status = 400
    with pytest.raises(BadRequestError) as refused:
        await sign_in(sdk, "Sso")
    assert refused.value.error == "sso_required"


async def test_all_steps_come_one_after_the_other(
    workos: WorkOSStandIn, sdk: AsyncWorkOSClient
) -> None:
    flags = dict.fromkeys(("email_verification_required", "organization_selection_required"), True)
    workos.people.append(Person("11", "all@example.com", first_name="All", **flags))
    with pytest.raises(EmailVerificationRequiredError) as asked:
        await sign_in(sdk, "All")
    with pytest.raises(AuthenticationFlowError) as then:
        await sdk.user_management.authenticate_with_email_verification(
            code=workos.state.mails["all@example.com"],
            pending_authentication_token=asked.value.pending_authentication_token,
        )
    assert then.value.code == "organization_selection_required"
