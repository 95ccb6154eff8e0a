"""The real SDK against the WorkOS stand-in: every call of the product's, and its neighbours."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from workos import (
    AsyncWorkOSClient,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    ServerError,
    UnprocessableEntityError,
    WorkOSError,
)
from workos._errors import (
    AuthenticationFlowError,
    ConflictError,
    EmailVerificationRequiredError,
    MfaChallengeError,
    MfaEnrollmentError,
    OrganizationSelectionRequiredError,
    SsoRequiredError,
)
from workos.common.models import SessionRevoked, UserDeleted
from workos.connect.models import UserConsentOption, UserConsentOptionChoice, UserObject

from tests.standins.supabase_state import totp
from tests.standins.workos import Person, WorkOSStandIn
from tests.standins.workos_browser import Browser
from tests.standins.workos_tokens import s256

CALLBACK = "http://127.0.0.1:9/oauth/callback"
OCTO = Person("1001", "octo@example.com", first_name="Octo")
VERIFIER = "v" * 43


@pytest.fixture
async def workos() -> AsyncIterator[WorkOSStandIn]:
    async with WorkOSStandIn(redirect_uris=[CALLBACK], people=[OCTO]) as standin:
        yield standin


@pytest.fixture
async def sdk(workos: WorkOSStandIn) -> AsyncIterator[AsyncWorkOSClient]:
    async with client_of(workos) as client:
        yield client


def client_of(workos: WorkOSStandIn, **how: Any) -> AsyncWorkOSClient:
    settings = {"api_key": workos.api_key, "client_id": workos.client_id, "max_retries": 0} | how
    return AsyncWorkOSClient(base_url=workos.api_url, **settings)


async def at_provider(
    sdk: AsyncWorkOSClient, name: str, provider: str = "GitHubOAuth", **query: Any
) -> dict[str, str]:
    """Go to the provider's page, pick somebody, and read what comes back to our callback."""
    query = {"code_challenge": s256(VERIFIER), "code_challenge_method": "S256", **query}
    url = sdk.user_management.get_authorization_url(
        redirect_uri=CALLBACK, provider=provider, **query
    )
    async with Browser() as browser:
        await browser.open(url, until=CALLBACK)
        return (await browser.pick(name)).answer


async def sign_in(sdk: AsyncWorkOSClient, name: str, provider: str = "GitHubOAuth") -> Any:
    code = (await at_provider(sdk, name, provider))["code"]
    return await sdk.user_management.authenticate_with_code(code=code, code_verifier=VERIFIER)


# --- signing in ---------------------------------------------------------------------------------


async def test_a_code_with_pkce_gives_a_session(
    workos: WorkOSStandIn, sdk: AsyncWorkOSClient
) -> None:
    users = sdk.user_management
    asked = await users.get_authorization_url_with_pkce(
        redirect_uri=CALLBACK, provider="GitHubOAuth"
    )
    async with Browser() as browser:
        await browser.open(asked["url"], until=CALLBACK)
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


# --- users --------------------------------------------------------------------------------------


async def test_users_are_made_found_changed_and_removed(sdk: AsyncWorkOSClient) -> None:
    users = sdk.user_management
    made = await users.create_user(
        email="bo@example.com", first_name="Bo", external_id="b-1", metadata={"tier": "one"}
    )
    assert (made.email_verified, made.external_id, made.metadata) == (False, "b-1", {"tier": "one"})
    assert (await users.get_user(made.id)).id == made.id
    assert (await users.get_user_by_external_id("b-1")).id == made.id
    assert [one.id for one in (await users.list_users(email="BO@example.com")).data] == [made.id]
    assert (await users.list_users(email="other@example.com")).data == []
    changed = await users.update_user(made.id, external_id="b-2", metadata={"seat": "two"})
    assert (changed.external_id, changed.first_name) == ("b-2", "Bo")
    assert changed.metadata == {"tier": "one", "seat": "two"}
    assert (await users.update_user(made.id, external_id=None)).external_id is None
    await users.delete_user(made.id)
    for gone in (
        users.get_user(made.id),
        users.get_user_by_external_id("b-2"),
        users.delete_user(made.id),
        users.get_user_identities(made.id),
        users.list_sessions(made.id),
    ):
        with pytest.raises(NotFoundError) as refused:
            await gone
        assert refused.value.code == "entity_not_found"


async def test_users_come_in_pages(workos: WorkOSStandIn, sdk: AsyncWorkOSClient) -> None:
    for number in range(25):
        workos.add_user(f"user{number}@example.com")
    first = await sdk.user_management.list_users()
    assert len(first.data) == 10
    assert first.data[0].email == "user24@example.com"  # newest first
    page = await sdk.user_management.list_users(limit=20)
    everybody = [user.email async for user in page.auto_paging_iter()]
    assert len(set(everybody)) == len(everybody) == 25
    with pytest.raises(UnprocessableEntityError):
        await sdk.user_management.list_users(limit=101)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"external_id": "taken"}, "external_id_already_used"),
        ({"email": "taken@example.com"}, "email_not_available"),
        ({"email": "nonsense"}, "invalid_email"),
        ({"email": "other@example.com"}, "email_change_not_allowed"),
        ({"metadata": {"k" * 41: "v"}}, "invalid_metadata"),
        ({"metadata": {"k": "v" * 601}}, "invalid_metadata"),
        ({"locale": "not a locale"}, "invalid_locale"),
    ],
)
async def test_changes_that_are_refused(
    workos: WorkOSStandIn, sdk: AsyncWorkOSClient, change: dict[str, Any], code: str
) -> None:
    workos.add_user("taken@example.com", external_id="taken")
    user = workos.add_user("bo@example.com", email_locked=True)
    with pytest.raises(BadRequestError) as refused:
        await sdk.user_management.update_user(user.id, **change)
    assert refused.value.code == code
    assert user.email == "bo@example.com"


async def test_a_user_cannot_be_made_twice(sdk: AsyncWorkOSClient) -> None:
    await sdk.user_management.create_user(email="bo@example.com")
    with pytest.raises(BadRequestError) as refused:
        await sdk.user_management.create_user(email="BO@example.com")
    assert refused.value.code == "user_creation_error"
    assert json.loads(refused.value.raw_body or "")["errors"][0]["code"] == "email_not_available"


# --- Connect ------------------------------------------------------------------------------------


async def begin(workos: WorkOSStandIn) -> str:
    """An authorization that waits at the Login URI: its external_auth_id."""
    workos.login_uri = "http://127.0.0.1:9/oauth/login"
    application = workos.add_application("An app", ["http://127.0.0.1:9/cb"])
    query = {
        "client_id": application.client_id,
        "redirect_uri": "http://127.0.0.1:9/cb",
        "response_type": "code",
        "code_challenge": s256(VERIFIER),
        "code_challenge_method": "S256",
    }
    async with Browser() as browser:
        url = aiohttp.client.URL(workos.authkit_url + "/oauth2/authorize").with_query(query)
        await browser.open(str(url), until=workos.login_uri)
        return browser.answer["external_auth_id"]


async def test_a_sign_in_is_completed_once(workos: WorkOSStandIn, sdk: AsyncWorkOSClient) -> None:
    name, complete = await begin(workos), sdk.connect.complete_oauth2
    person = UserObject(
        id="uuid-1", email="ana@example.com", first_name="Ana", metadata={"tenant": "t1"}
    )
    option = UserConsentOption(
        claim="urn:example:tenant",
        type="enum",
        label="Workspace",
        choices=[UserConsentOptionChoice(value="t1", label="Team 1")],
    )
    done = await complete(external_auth_id=name, user=person, user_consent_options=[option])
    assert done.redirect_uri.startswith(workos.authkit_url + "/oauth2/authorize/complete?state=")
    user = await sdk.user_management.get_user_by_external_id("uuid-1")
    assert (user.email_verified, user.metadata) == (True, {"tenant": "t1"})
    with pytest.raises(BadRequestError) as refused:
        await complete(
            external_auth_id=name, user=UserObject(id="uuid-1", email="changed@example.com")
        )
    assert refused.value.code == "external_auth_session_already_completed"
    assert (await sdk.user_management.get_user(user.id)).email == "ana@example.com"


async def test_a_refusal_over_the_address_leaves_the_sign_in_usable(
    workos: WorkOSStandIn, sdk: AsyncWorkOSClient
) -> None:
    workos.add_user("taken@example.com")
    workos.add_user("locked@example.com", external_id="uuid-2", email_locked=True)
    name, complete = await begin(workos), sdk.connect.complete_oauth2
    for user, code in (
        (UserObject(id="uuid-1", email="nonsense"), "invalid_email"),
        (UserObject(id="uuid-1", email="taken@example.com"), "email_not_available"),
        (UserObject(id="uuid-2", email="moved@example.com"), "email_change_not_allowed"),
    ):
        with pytest.raises(BadRequestError) as refused:
            await complete(external_auth_id=name, user=user)
        assert refused.value.code == code
    good = UserObject(id="uuid-1", email="ana@example.com")
    assert (await complete(external_auth_id=name, user=good)).redirect_uri


async def test_unknown_expired_and_misshapen_completions(
    workos: WorkOSStandIn, sdk: AsyncWorkOSClient
) -> None:
    name, complete = await begin(workos), sdk.connect.complete_oauth2
    good = UserObject(id="uuid-1", email="ana@example.com")
    with pytest.raises(UnprocessableEntityError) as misshapen:
        await complete(external_auth_id=name, user=UserObject(id="", email=""))
    assert misshapen.value.code == "invalid_request_parameters"
    option = UserConsentOption(claim="sub", type="enum", label="x", choices=[])
    with pytest.raises(BadRequestError) as reserved:
        await complete(external_auth_id=name, user=good, user_consent_options=[option])
    assert (reserved.value.code, reserved.value.error) == (None, "Bad Request")
    workos.clock.move(301)
    for unknown in ("ext_auth_unknown", name):
        with pytest.raises(NotFoundError) as refused:
            await complete(external_auth_id=unknown, user=good)
        assert refused.value.code is None
    assert not workos.state.users


async def test_applications_and_their_secrets(
    workos: WorkOSStandIn, sdk: AsyncWorkOSClient
) -> None:
    connect = sdk.connect
    made = await connect.create_application(
        body={
            "application_type": "oauth",
            "name": "Back office",
            "is_first_party": True,
            "redirect_uris": [{"uri": "https://app.example.test/cb", "default": True}],
        }
    )
    workos.add_application("Registered", ["http://localhost/cb"], dynamic=True)
    names = [one.name for one in (await connect.list_applications()).data]
    assert names == ["Back office"]
    both = await connect.list_applications(registration_types=["dynamic", "authenticated"])
    assert {(one.name, one.was_dynamically_registered) for one in both.data} == {
        ("Back office", False),
        ("Registered", True),
    }
    assert (await connect.get_application(made.client_id)).id == made.id
    assert (await connect.update_application(made.id, name="Office")).name == "Office"
    secret = await connect.create_application_client_secret(made.id)
    listed = await connect.list_application_client_secrets(made.id)
    assert [one.secret_hint for one in listed] == [secret.secret[-4:]]
    await connect.delete_client_secret(secret.id)
    assert await connect.list_application_client_secrets(made.id) == []
    await connect.delete_application(made.id)
    with pytest.raises(NotFoundError):
        await connect.get_application(made.id)


async def test_resource_indicators_and_redirect_uris(
    workos: WorkOSStandIn, sdk: AsyncWorkOSClient
) -> None:
    users = sdk.user_management
    made = await users.create_authkit_oauth_resource(
        uri="https://mcp.example.test/mcp", default=True
    )
    assert workos.resources == ["https://mcp.example.test/mcp"]
    listed = (await users.list_authkit_oauth_resources()).data
    assert [(one.id, one.uri, one.default) for one in listed] == [(made.id, made.uri, True)]
    with pytest.raises(ConflictError):
        await users.create_authkit_oauth_resource(uri=made.uri)
    await users.delete_authkit_oauth_resource(made.id)
    assert (workos.resources, workos.default_resource) == ([], None)
    with pytest.raises(NotFoundError):
        await users.delete_authkit_oauth_resource(made.id)
    await users.create_redirect_uri(uri="https://app.example.test/cb")
    shown = {one.uri for one in (await users.list_redirect_uris()).data}
    assert shown == {CALLBACK, "https://app.example.test/cb"} == set(workos.redirect_uris)


# --- events and failures ------------------------------------------------------------------------


async def test_events_are_told_in_order(workos: WorkOSStandIn, sdk: AsyncWorkOSClient) -> None:
    answer = await sign_in(sdk, "Octo")
    await sdk.user_management.delete_user(answer.user.id)
    wanted = ["user.created", "session.created", "session.revoked", "user.deleted"]
    page = await sdk.events.list_events(events=wanted)
    assert [event.event for event in page.data] == wanted
    revoked, deleted = page.data[2], page.data[3]
    assert isinstance(revoked, SessionRevoked)
    assert isinstance(deleted, UserDeleted)
    assert (revoked.data.user_id, deleted.data.id) == (answer.user.id, answer.user.id)
    later = await sdk.events.list_events(events=wanted, after=revoked.id)
    assert [event.event for event in later.data] == ["user.deleted"]


async def test_webhooks_pass_the_verification_of_the_sdk(
    workos: WorkOSStandIn, sdk: AsyncWorkOSClient
) -> None:
    user = workos.add_user("ana@example.com", external_id="uuid-1")
    body, headers = workos.webhooks.make("user.deleted", user.body(), event_id="event_1")
    given = {"event_body": body, "secret": workos.webhook_secret}
    event = sdk.webhooks.verify_event(event_signature=headers["WorkOS-Signature"], **given)
    assert isinstance(event, UserDeleted)
    assert (event.id, event.data.external_id) == ("event_1", "uuid-1")
    for wrong in ({"bad_signature": True}, {"secret": "other"}, {"at": time.time() - 181}):
        _, headers = workos.webhooks.make("user.deleted", user.body(), event_id="event_1", **wrong)
        with pytest.raises(ValueError, match=r"Timestamp|Signature"):
            sdk.webhooks.verify_event(event_signature=headers["WorkOS-Signature"], **given)


async def test_failures_come_as_the_sdk_knows_them(
    workos: WorkOSStandIn, sdk: AsyncWorkOSClient
) -> None:
    users = sdk.user_management
    workos.fail("GET /user_management/users", status=503)
    with pytest.raises(ServerError):
        await users.list_users()
    workos.fail("/user_management/users*", garbage=True, times=2)
    # A trap of the SDK's: a broken answer with 200 is an empty page, or None, and no error.
    assert (await users.list_users()).data == []
    assert await users.get_user("user_x") is None
    workos.fail("/user_management/users/*", cut=True)
    with pytest.raises(WorkOSError):
        await users.get_user("user_x")
    workos.fail("/user_management/users", delay=5)
    with pytest.raises(WorkOSError):
        await users.list_users(request_options={"timeout": 0.1})
    assert (await users.list_users()).data == []
    async with client_of(workos, max_retries=1) as patient:
        workos.fail("/user_management/users", status=429, headers={"Retry-After": "0"})
        assert (await patient.user_management.list_users()).data == []
