"""The calls to WorkOS through the real SDK: values, troubles, tries, and what leaks nowhere."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from authgate.observe import log
from authgate.workos import (
    Authenticated,
    Completed,
    Done,
    Identity,
    Kind,
    Origin,
    Trouble,
    WorkOS,
    WorkOSPolicy,
    WorkOSUser,
)
from tests.standins.supabase_state import totp
from tests.standins.workos import Person
from tests.workos.house import CALLBACK, OCTO, VERIFIER, Room, opened_room, walk

HERE = Origin("192.0.2.1", "a browser")


@pytest.fixture
async def room() -> Any:
    async with opened_room() as opened:
        yield opened


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, dict[str, object]]]:
    """Every line: level, event, fields."""
    lines: list[tuple[str, str, dict[str, object]]] = []
    for level in ("debug", "info", "warning", "error"):

        def note(event: str, level: str = level, **fields: object) -> None:
            lines.append((level, event, fields))

        monkeypatch.setattr(log, level, note)
    return lines


async def signed_in(room: Room) -> Authenticated:
    outcome = await room.workos.authenticate_code(await room.code(), VERIFIER, HERE)
    assert isinstance(outcome, Authenticated)
    return outcome


async def test_a_code_is_a_user_and_a_session(room: Room) -> None:
    outcome = await signed_in(room)
    user = outcome.user
    assert (user.email, user.email_verified, user.name) == ("octo@example.com", True, "Octo")
    assert user.id.startswith("user_")
    assert user.updated_at is not None
    assert (outcome.method, outcome.impersonated) == ("GitHubOAuth", False)
    assert [outcome.session_id] == list(room.standin.state.sessions)
    (call,) = room.standin.called("/user_management/authenticate")
    sent = json.loads(call.body)
    assert sent["ip_address"] == "192.0.2.1"
    assert sent["client_secret"] == room.standin.api_key
    assert await room.workos.user(user.id) == user
    assert await room.workos.identities(user.id) == (Identity("github", "1001"),)


async def test_the_url_has_our_state_and_our_challenge(room: Room) -> None:
    url = await room.workos.authorization_url("GitHubOAuth", CALLBACK, "a state", "c" * 43)
    assert url.startswith(f"{room.standin.api_url}/user_management/authorize?")
    assert "state=a+state" in url
    assert f"code_challenge={'c' * 43}&" in url
    assert "code_challenge_method=S256" in url
    assert room.standin.calls == []
    answer = await walk(url, "Octo")
    assert answer["state"] == "a state"


async def test_codes_and_verifiers_are_single_and_matched(room: Room) -> None:
    code = await room.code()
    wrong = await room.workos.authenticate_code(code, "w" * 43, HERE)
    assert isinstance(wrong, Trouble)
    assert (wrong.kind, wrong.code, wrong.status) == (Kind.REFUSED, "invalid_grant", 400)
    assert wrong.request_id.startswith("req_")
    again = await room.workos.authenticate_code(code, VERIFIER, HERE)
    assert isinstance(again, Trouble)
    assert again.code == "invalid_grant"


async def test_users_are_found_by_what_they_are_called(room: Room) -> None:
    user = (await signed_in(room)).user
    assert await room.workos.users_by_email("Octo@Example.com") == (user,)
    assert await room.workos.users_by_email("nobody@example.com") == ()
    known = await room.workos.set_external_id(user.id, "a-supabase-id")
    assert isinstance(known, WorkOSUser)
    assert (known.id, known.external_id) == (user.id, "a-supabase-id")
    assert await room.workos.user_by_external_id("a-supabase-id") == known
    unknown = await room.workos.user_by_external_id("nobody")
    assert isinstance(unknown, Trouble)
    assert (unknown.kind, unknown.code) == (Kind.NOT_FOUND, "entity_not_found")


async def test_sessions_are_listed_and_end(room: Room) -> None:
    one = await signed_in(room)
    two = await signed_in(room)
    found = await room.workos.sessions(one.user.id)
    assert not isinstance(found, Trouble)
    assert {session.id for session in found if session.active} == {one.session_id, two.session_id}
    assert one.session_id is not None
    assert await room.workos.revoke_session(one.session_id) == Done()
    unknown = await room.workos.revoke_session("session_nobodys")
    assert isinstance(unknown, Trouble)
    assert unknown.kind is Kind.REFUSED
    assert room.standin.state.sessions[one.session_id].ended is not None


async def test_long_lists_come_whole(room: Room) -> None:
    user = (await signed_in(room)).user
    for _ in range(120):
        room.standin.open_session(room.standin.state.users[user.id], "oauth", None)
    found = await room.workos.sessions(user.id)
    assert not isinstance(found, Trouble)
    assert len({session.id for session in found}) == 121
    assert await room.workos.oauth_resources() == ()
    assert await room.workos.applications(user.id) == ()


async def test_authkit_is_told_once(room: Room) -> None:
    refused = await room.workos.complete("nobodys", "an-id", "ana@example.com", "Ana")
    assert isinstance(refused, Trouble)
    assert refused.kind is Kind.NOT_FOUND
    (call,) = room.standin.called("/authkit/oauth2/complete")
    assert json.loads(call.body) == {
        "external_auth_id": "nobodys",
        "user": {"id": "an-id", "email": "ana@example.com", "name": "Ana"},
    }
    room.standin.fail("/authkit/oauth2/complete", body={"redirect_uri": "https://x.example/on"})
    done = await room.workos.complete("an-id-of-theirs", "an-id", "ana@example.com")
    assert done == Completed("https://x.example/on")
    assert "x.example" not in repr(done)


# --- steps in between -----------------------------------------------------------------------------


async def stopped(room: Room, code: str) -> Trouble:
    outcome = await room.workos.authenticate_code(await room.code(), VERIFIER, HERE)
    assert isinstance(outcome, Trouble)
    assert (outcome.kind, outcome.code) == (Kind.REFUSED, code)
    assert outcome.step_up is not None
    assert outcome.step_up.token not in repr(outcome)
    return outcome


async def test_an_address_to_be_verified() -> None:
    person = Person("1001", OCTO.email, first_name="Octo", email_verification_required=True)
    async with opened_room(person) as room:
        step = (await stopped(room, "email_verification_required")).step_up
        assert step is not None
        assert step.email == OCTO.email
        wrong = await room.workos.authenticate_email_code(step.token, "000000", HERE)
        assert isinstance(wrong, Trouble)
        assert wrong.code == "invalid_one_time_code"
        code = room.standin.state.mails[OCTO.email]
        done = await room.workos.authenticate_email_code(step.token, code, HERE)
        assert isinstance(done, Authenticated)


async def test_a_choice_of_organizations() -> None:
    person = Person("1001", OCTO.email, first_name="Octo", organization_selection_required=True)
    async with opened_room(person) as room:
        step = (await stopped(room, "organization_selection_required")).step_up
        assert step is not None
        assert [one.name for one in step.organizations] == ["First Org", "Second Org"]
        chosen = step.organizations[0].id
        done = await room.workos.authenticate_organization(step.token, chosen, HERE)
        assert isinstance(done, Authenticated)


async def test_an_authenticator() -> None:
    person = Person("1001", OCTO.email, first_name="Octo", mfa_challenge=True)
    async with opened_room(person) as room:
        step = (await stopped(room, "mfa_challenge")).step_up
        assert step is not None
        assert step.email == OCTO.email
        ((factor,), (known,)) = step.factors, room.standin.state.factors.values()
        assert (factor.id, factor.kind) == (known.id, "totp")
        challenge = await room.workos.challenge_factor(factor.id)
        assert isinstance(challenge, str)
        shown = totp(known.secret, room.standin.now())
        done = await room.workos.authenticate_totp(step.token, challenge, shown, HERE)
        assert isinstance(done, Authenticated)


# --- troubles -------------------------------------------------------------------------------------


async def test_a_wrong_key_is_told_apart(room: Room, logged: list[Any]) -> None:
    room.standin.api_key = "sk_test_another"
    outcome = await room.workos.user("user_1")
    assert isinstance(outcome, Trouble)
    assert (outcome.kind, outcome.status) == (Kind.KEY_REFUSED, 401)
    (fields,) = [fields for _, event, fields in logged if event == "workos.key_refused"]
    assert fields["workos_request_id"] == outcome.request_id
    assert "WORKOS_API_KEY" in str(fields["fix"])


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ({"status": 500}, Kind.UNAVAILABLE, None),
        ({"status": 503, "body": "<html>", "times": 2}, Kind.UNAVAILABLE, None),
        ({"cut": True, "times": 2}, Kind.UNAVAILABLE, None),
        ({"status": 404, "body": "<html>"}, Kind.UNEXPECTED, None),
        ({"status": 404, "body": {"message": "no Route matched"}}, Kind.NOT_FOUND, None),
        ({"status": 404, "body": ["not", "an object"]}, Kind.UNEXPECTED, None),
        ({"status": 401, "body": "Unauthorized"}, Kind.UNEXPECTED, None),
        ({"status": 302, "body": "", "headers": {"Location": "/x"}}, Kind.UNEXPECTED, None),
        ({"garbage": True}, Kind.UNEXPECTED, None),
        ({"body": []}, Kind.UNEXPECTED, None),
        ({"body": {"id": "user_1", "email": "x@example.com"}}, Kind.UNEXPECTED, None),
        ({"status": 403, "body": {"code": "some_code"}}, Kind.REFUSED, "some_code"),
        ({"status": 400, "body": {"error": "Bad Request"}}, Kind.REFUSED, None),
        ({"status": 422, "body": {"code": 5, "error": "a_code"}}, Kind.REFUSED, "a_code"),
        ({"status": 409, "body": {"code": "x" * 200}}, Kind.REFUSED, None),
        ({"status": 204}, Kind.UNEXPECTED, None),
    ],
)
async def test_every_fault_has_its_kind(
    room: Room, fault: dict[str, Any], kind: Kind, code: str | None
) -> None:
    room.standin.fail("/user_management/users/user_1", **{"times": 2, **fault})
    outcome = await room.workos.user("user_1")
    assert isinstance(outcome, Trouble)
    assert (outcome.kind, outcome.code) == (kind, code)
    asked = len(room.standin.called("/user_management/users/user_1"))
    assert asked == (2 if kind is Kind.UNAVAILABLE else 1)


@pytest.mark.parametrize(("said", "seconds"), [("7", 7), ("86400", 3600), ("soon", None)])
async def test_a_limit_is_not_waited_for(room: Room, said: str, seconds: int | None) -> None:
    """The SDK's own retry would sleep here, up to a minute, with somebody before the page."""
    headers = {"Retry-After": said}
    room.standin.fail("/user_management/users/*", status=429, headers=headers, times=9)
    outcome = await room.workos.user("user_1")
    assert isinstance(outcome, Trouble)
    assert (outcome.kind, outcome.retry_after) == (Kind.LIMITED, seconds)
    assert len(room.standin.calls) == 1
    assert room.slept == []


async def test_a_lost_answer_is_asked_for_once_more(room: Room) -> None:
    user = (await signed_in(room)).user
    room.standin.fail(f"/user_management/users/{user.id}", cut=True)
    assert await room.workos.user(user.id) == user
    room.standin.fail(f"/user_management/users/{user.id}", status=502)
    assert await room.workos.user(user.id) == user
    assert room.slept == [0.2, 0.2]


async def test_what_is_single_use_is_sent_once(room: Room) -> None:
    """The answer is lost after the code was spent: asked again, it would look like a replay."""
    for fault in ({"cut": True, "after": True}, {"status": 500, "after": True}):
        code = await room.code()
        room.standin.gate.calls.clear()
        room.standin.fail("/user_management/authenticate", **fault)
        outcome = await room.workos.authenticate_code(code, VERIFIER, HERE)
        assert isinstance(outcome, Trouble)
        assert outcome.kind is Kind.UNAVAILABLE
        assert len(room.standin.called("/user_management/authenticate")) == 1
    room.standin.gate.calls.clear()
    room.standin.fail("/authkit/oauth2/complete", cut=True)
    assert isinstance(await room.workos.complete("x", "y", "z@example.com"), Trouble)
    assert len(room.standin.called("/authkit/oauth2/complete")) == 1


async def test_nobody_there_is_asked_twice_even_for_what_is_single_use(room: Room) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    nowhere = WorkOS(WorkOSPolicy("sk_test_1", "client_1", "http://127.0.0.1:9"), sleep)
    outcome = await nowhere.authenticate_code("c", VERIFIER, HERE)
    assert isinstance(outcome, Trouble)
    assert outcome.kind is Kind.UNAVAILABLE
    assert slept == [0.2]
    await nowhere.close()


async def test_a_slow_answer_ends_in_time(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole exchange, and not each read of it, has an end."""
    monkeypatch.setattr("authgate.workos.asking.FIRST_TRY", 0.2)
    room.standin.fail("/user_management/authenticate", delay=5)
    async with asyncio.timeout(3):
        outcome = await room.workos.authenticate_code("c", VERIFIER, HERE)
    assert isinstance(outcome, Trouble)
    assert outcome.kind is Kind.UNAVAILABLE


@asynccontextmanager
async def telling(pieces: int, piece: bytes, pause: float) -> AsyncIterator[WorkOS]:
    """Before a server whose answer is that long, or comes that slowly: every read is quick."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        answering.append(task)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (pieces * len(piece)))
        try:
            for _ in range(pieces):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    answering: list[asyncio.Task[Any]] = []
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    workos = WorkOS(WorkOSPolicy("sk_test_1", "client_1", f"http://127.0.0.1:{port}"))
    try:
        yield workos
    finally:
        await workos.close()
        server.close()
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)
        await asyncio.sleep(0)  # for the sockets to close


async def test_an_answer_that_trickles_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authgate.workos.asking.FIRST_TRY", 0.3)
    async with telling(100, b" ", 0.05) as workos, asyncio.timeout(3):
        outcome = await workos.authenticate_code("c", VERIFIER, HERE)
    assert isinstance(outcome, Trouble)
    assert outcome.kind is Kind.UNAVAILABLE


@pytest.mark.parametrize(("pieces", "kind"), [(15, Kind.UNEXPECTED), (20, Kind.UNAVAILABLE)])
async def test_an_answer_without_end_is_not_read(pieces: int, kind: Kind) -> None:
    """Of a mebibyte the rest is left where it is; what is shorter is read, and is no JSON."""
    async with telling(pieces, b"x" * 65_536, 0) as workos:
        outcome = await workos.authenticate_code("c", VERIFIER, HERE)
    assert isinstance(outcome, Trouble)
    assert outcome.kind is kind


async def test_a_user_without_a_picture_can_sign_in(room: Room) -> None:
    """The SDK's model wants each of twelve fields; the code would be spent for nothing."""
    least = {"id": "user_1", "email": "ana@example.com", "email_verified": True}
    body = {"user": least, "access_token": "not a token", "refresh_token": "x"}
    room.standin.fail("/user_management/authenticate", body=body)
    outcome = await room.workos.authenticate_code("c", VERIFIER, HERE)
    assert outcome == Authenticated(WorkOSUser("user_1", "ana@example.com", True), "", None)


async def test_an_operator_in_somebodys_place_is_seen(room: Room) -> None:
    least = {"id": "user_1", "email": "ana@example.com", "email_verified": True}
    body = {"user": least, "access_token": "x", "refresh_token": "x"}
    body["impersonator"] = {"email": "staff@example.com", "reason": "a look"}
    room.standin.fail("/user_management/authenticate", body=body)
    outcome = await room.workos.authenticate_code("c", VERIFIER, HERE)
    assert isinstance(outcome, Authenticated)
    assert outcome.impersonated


async def test_an_id_that_is_none_asks_nobody(room: Room, logged: list[Any]) -> None:
    """It would be another path: the SDK will not send it."""
    for odd in ("..", ".", ""):
        outcome = await room.workos.user(odd)
        assert isinstance(outcome, Trouble)
        assert outcome.kind is Kind.UNEXPECTED
    assert room.standin.calls == []
    await room.workos.user("../organizations?x=#y")
    assert [call.path for call in room.standin.calls] == [
        "/user_management/users/../organizations?x=#y"
    ]


# --- what leaks nowhere ---------------------------------------------------------------------------


async def test_the_environment_has_no_say(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK reads these names by itself, and HTTP libraries theirs; settings are the operator's
    one place, `.env` included."""
    for name, value in {
        "WORKOS_API_KEY": "sk_test_of_the_environment",
        "WORKOS_CLIENT_ID": "client_of_the_environment",
        "WORKOS_BASE_URL": "http://127.0.0.1:1",
        "WORKOS_REQUEST_TIMEOUT": "no number",
        "WORKOS_ISSUER": "https://elsewhere.example",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "http_proxy": "http://127.0.0.1:1",
        "ALL_PROXY": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    assert await room.workos.users_by_email("nobody@example.com") == ()
    nobody = WorkOS(WorkOSPolicy("sk_test_1", None, "https://api.example"))
    assert "client_id" not in await nobody.authorization_url("authkit", CALLBACK, "s", "c")
    await nobody.close()


async def test_a_redirect_does_not_carry_the_key_away(room: Room) -> None:
    away = {"Location": f"{room.standin.authkit_url}/oauth2/jwks"}
    room.standin.fail("/user_management/users/user_1", status=307, body="", headers=away)
    assert isinstance(await room.workos.user("user_1"), Trouble)
    assert [call.origin for call in room.standin.calls] == ["api"]


async def test_no_cookie_is_kept(room: Room) -> None:
    sets = {"Set-Cookie": "a=b; Path=/"}
    room.standin.fail("/user_management/users/*", status=403, headers=sets)
    for _ in range(2):
        await room.workos.user("user_1")
    assert all("cookie" not in call.headers for call in room.standin.calls)


async def test_no_secret_is_logged(room: Room, logged: list[Any]) -> None:
    code = await room.code()
    await room.workos.authenticate_code(code, VERIFIER, HERE)
    await room.workos.authenticate_code(code, VERIFIER, HERE)
    await room.workos.authenticate_email_code("a pending token", "123456", HERE)
    await room.workos.users_by_email("octo@example.com")
    room.standin.fail("/user_management/*", status=500, body={"message": room.standin.api_key})
    await room.workos.users_by_email("octo@example.com")
    text = str(logged) + repr(room.workos.policy)
    for secret in (room.standin.api_key, code, VERIFIER, "a pending token", "123456", "octo@"):
        assert secret not in text
    calls = [fields for level, event, fields in logged if event == "workos.call"]
    assert [fields["call"] for fields in calls[:2]] == ["authenticate_code"] * 2
    assert all(str(fields["workos_request_id"]).startswith("req_") for fields in calls)


async def test_after_the_end_nobody_is_asked(room: Room) -> None:
    await room.workos.user("user_1")
    await room.workos.close()
    outcome = await room.workos.user("user_1")
    assert isinstance(outcome, Trouble)
    assert outcome.kind is Kind.UNAVAILABLE
    assert len(room.standin.calls) == 1


async def test_many_at_once_make_one_client(room: Room) -> None:
    many = [room.workos.users_by_email(f"{at}@example.com") for at in range(30)]
    assert await asyncio.gather(*many) == [()] * 30


def test_the_sdk_is_imported_at_the_first_call_alone() -> None:
    program = (
        "import sys\n"
        "from authgate.workos import WorkOS, WorkOSPolicy\n"
        "WorkOS(WorkOSPolicy('sk_test_1', 'client_1'))\n"
        "assert not {'workos', 'httpx2'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, env=dict(os.environ))
