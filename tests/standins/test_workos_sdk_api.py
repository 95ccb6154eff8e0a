"""The real SDK at the stand-in's API: users, Connect, resources, events, webhooks, failures."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from workos import (
    AsyncWorkOSClient,
    BadRequestError,
    NotFoundError,
    ServerError,
    UnprocessableEntityError,
    WorkOSError,
)
from workos._errors import (
    ConflictError,
)
from workos.common.models import SessionRevoked, UserDeleted
from workos.connect.models import UserConsentOption, UserConsentOptionChoice, UserObject

from tests.standins.workos import WorkOSStandIn
from tests.standins.workos_browser import Browser
from tests.standins.workos_house import (
    OCTO,
    RETURN,
    VERIFIER,
    client_of,
    furnished,
    sign_in,
)
from tests.standins.workos_tokens import s256


@pytest.fixture
async def workos() -> AsyncIterator[WorkOSStandIn]:
    async with WorkOSStandIn(redirect_uris=[RETURN], people=[OCTO]) as standin:
        yield standin


@pytest.fixture
async def sdk(workos: WorkOSStandIn) -> AsyncIterator[AsyncWorkOSClient]:
    async with client_of(workos) as client:
        yield client


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


async def test_what_a_person_allowed_is_listed_and_withdrawn() -> None:
    async with furnished() as house, client_of(house.workos) as sdk:
        await house.tokens()
        users = sdk.user_management
        user = await users.get_user_by_external_id("uuid-1")
        (allowed,) = (await users.list_user_authorized_applications(user.id)).data
        assert (allowed.application.client_id, allowed.application.name) == (
            house.client_id,
            "probe",
        )
        assert "offline_access" in allowed.granted_scopes
        await users.delete_user_authorized_application(allowed.id, user.id)
        assert (await users.list_user_authorized_applications(user.id)).data == []
        with pytest.raises(NotFoundError):
            await users.delete_user_authorized_application(allowed.id, user.id)


async def test_an_application_by_the_way_that_works(sdk: AsyncWorkOSClient) -> None:
    """`create_oauth_application` cannot be sent with redirect URIs (10.6.0): a body can."""
    plain = await sdk.connect.create_oauth_application(name="Plain", is_first_party=True)
    assert (plain.name, plain.redirect_uris) == ("Plain", [])


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
    assert shown == {RETURN, "https://app.example.test/cb"} == set(workos.redirect_uris)


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
