"""Signing in at WorkOS: the hand-off, the way back, the steps in between, and who is refused."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from authgate.directories.contract import (
    Explain,
    Gone,
    NeedsFactor,
    Refused,
    SignedIn,
    StillGood,
    Unavailable,
    Ways,
)
from authgate.protocol.records import Person as Ours
from tests.clauses import clause
from tests.directories.workos_house import (
    CALLBACK,
    GINA,
    OCTO,
    TX,
    VISITOR,
    House,
    opened_house,
)
from tests.standins.supabase_state import totp
from tests.workos.house import walk


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Without Supabase: the people are WorkOS's own."""
    async with opened_house(tmp_path) as opened:
        yield opened


def person_of(house: House, *methods: str, email: str = OCTO.email) -> Ours:
    return Ours(house.user(email).id, "workos", email, methods)


# --- there and back -------------------------------------------------------------------------------


def test_what_it_has_and_has_not(house: House) -> None:
    assert house.directory.ways == Ways(False, ("github", "google", "authkit"))
    assert (house.directory.name, house.directory.can_recheck) == ("workos", True)


async def test_no_password_is_taken_or_sent(house: House) -> None:
    outcome = await house.directory.sign_in_with_password("ana@example.com", "a password", VISITOR)
    assert outcome == Refused(Explain.PASSWORDS_OFF)
    assert house.standin.calls == []


@clause("RFC 7636", "4.2")
async def test_the_way_there(house: House) -> None:
    begun = await house.start()
    asked = {name: one for name, (one,) in parse_qs(urlsplit(begun.url).query).items()}
    assert begun.url.startswith(f"{house.standin.api_url}/user_management/authorize?")
    assert asked["redirect_uri"] == CALLBACK  # to the letter, as it must be registered there
    assert (asked["state"], asked["provider"]) == (TX, "GitHubOAuth")
    assert (asked["code_challenge_method"], len(asked["code_challenge"])) == ("S256", 43)
    assert asked["client_id"] == house.standin.client_id
    assert house.standin.api_key not in begun.url
    assert begun.sealed not in repr(begun)
    another = await house.start()
    assert parse_qs(urlsplit(another.url).query)["code_challenge"] != [asked["code_challenge"]]


@pytest.mark.parametrize(("provider", "pick", "email"), [
    ("github", "Octo", OCTO.email), ("google", "Gina", GINA.email),
    ("authkit", "Octo", OCTO.email), ("authkit", "Gina", GINA.email),
])  # fmt: skip
async def test_there_and_back(house: House, provider: str, pick: str, email: str) -> None:
    assert await house.sign_in(pick, provider) == SignedIn(person_of(house, provider, email=email))
    assert await house.sessions_left() == 0
    assert house.directory.farewells.failures == 0
    (call,) = house.standin.called("/user_management/authenticate")
    assert '"ip_address":"192.0.2.1"' in call.body


async def test_the_transaction_comes_back_as_state(house: House) -> None:
    begun = await house.start()
    assert (await walk(begun.url, "Octo"))["state"] == TX


async def test_a_provider_that_is_not_offered(tmp_path: Path) -> None:
    async with opened_house(tmp_path, providers=("google",)) as house:
        for provider in ("github", "authkit", "gitlab", ""):
            assert await house.directory.start_social(provider, CALLBACK, TX) == Refused()
            answer = {"code": "x"}
            assert await house.directory.finish_social(provider, "x", answer, VISITOR) == Refused()
        assert house.standin.calls == []


@clause("RFC 9700", "4.4")
async def test_what_was_begun_with_one_provider_does_not_end_with_another(house: House) -> None:
    begun = await house.start("github")
    answer = await walk(begun.url, "Octo")
    assert await house.finish(begun, answer, "google") == Refused()
    assert not house.standin.called("/user_management/authenticate")


async def test_another_sign_in_than_was_asked_for(house: House) -> None:
    """The code of a Google sign-in, brought to the return of one with GitHub."""
    google, github = await house.start("google"), await house.start("github")
    answer = await walk(google.url, "Gina")
    assert await house.finish(github, answer) == Refused(Explain.SOCIAL_RETRY)  # PKCE
    least = {"id": "user_1", "email": "x@example.com", "email_verified": True}
    for method in ("GoogleOAuth", "Password", None):
        body = {"user": least, "access_token": "x", "authentication_method": method}
        house.standin.fail("/user_management/authenticate", body=body)
        outcome = await house.finish(await house.start("github"), {"code": "c"})
        assert outcome == Refused(Explain.SOCIAL_WRONG_PROVIDER)


async def test_staff_in_somebodys_place_is_not_that_person(house: House) -> None:
    least = {"id": "user_1", "email": "x@example.com", "email_verified": True}
    body = {"user": least, "access_token": "x", "impersonator": {"email": "staff@example.com"}}
    body["authentication_method"] = "Impersonation"
    house.standin.fail("/user_management/authenticate", body=body)
    outcome = await house.finish(await house.start("authkit"), {"code": "c"}, "authkit")
    assert outcome == Refused(Explain.SOCIAL_FAILED)


@pytest.mark.parametrize(
    "method", ["Password", "MagicAuth", "Passkey", "SSO", "MicrosoftOAuth", None]
)
async def test_at_the_hosted_page_any_way_is_one(house: House, method: str | None) -> None:
    user = house.standin.add_user(OCTO.email)
    body = {"user": user.body(), "access_token": "x", "authentication_method": method}
    house.standin.fail("/user_management/authenticate", body=body)
    outcome = await house.finish(await house.start("authkit"), {"code": "c"}, "authkit")
    assert outcome == SignedIn(person_of(house, "authkit"))


@clause("RFC 6749", "4.1.2")
async def test_a_code_counts_once(house: House) -> None:
    begun = await house.start()
    answer = await walk(begun.url, "Octo")
    assert isinstance(await house.finish(begun, answer), SignedIn)
    assert await house.finish(begun, answer) == Refused(Explain.SOCIAL_RETRY)


async def test_a_stranger_s_or_an_old_state(house: House) -> None:
    begun = await house.start()
    answer = await walk(begun.url, "Octo")
    assert await house.finish(replace(begun, sealed="made up"), answer) == Refused()
    house.clocks.forward(601)
    assert await house.finish(begun, answer) == Refused(Explain.SOCIAL_RETRY)


@pytest.mark.parametrize("code", [None, "", "x" * 513, "with\nnewline", "ünïcode"])
async def test_a_code_that_is_none_is_not_sent(house: House, code: str | None) -> None:
    answer = {} if code is None else {"code": code}
    assert await house.finish(await house.start(), answer) == Refused(Explain.SOCIAL_RETRY)
    assert house.standin.calls == []


@pytest.mark.parametrize(
    ("error", "explain"),
    [
        ("access_denied", Explain.SOCIAL_CANCELLED),
        ("sign_up_not_allowed", Explain.SOCIAL_NO_ACCOUNT),
        ("server_error", Explain.SOCIAL_FAILED),
        ("oauth_failed", Explain.SOCIAL_FAILED),
        ("invalid_connection_selector", Explain.SOCIAL_FAILED),
        ("connection_unlinked", Explain.SOCIAL_FAILED),
        ("<script>", Explain.SOCIAL_FAILED),
    ],
)
async def test_turned_away(house: House, logged: list[str], error: str, explain: Explain) -> None:
    text = "Whatever <b>they</b> say"
    answer = {"error": error, "error_description": text, "state": TX, "code": "x"}
    assert await house.finish(await house.start(), answer) == Refused(explain)
    assert house.standin.calls == []  # also with a code beside it
    assert text not in str(logged)
    assert "<script>" not in str(logged)


async def test_cancelled_at_the_provider(house: House) -> None:
    assert await house.sign_in("Cancel") == Refused(Explain.SOCIAL_CANCELLED)


async def test_a_provider_that_is_not_set_up_is_the_operators(
    house: House, logged: list[str]
) -> None:
    await house.finish(await house.start(), {"error": "connection_invalid"})
    assert any("workos.set_up" in line and "dashboard" in line for line in logged)


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({"status": 500}, Unavailable(5)),
        ({"status": 503, "headers": {"Retry-After": "9"}}, Unavailable(9)),
        ({"status": 429, "headers": {"Retry-After": "11"}}, Unavailable(11)),
        ({"status": 429}, Unavailable(30)),
        ({"cut": True}, Unavailable(5)),
        ({"garbage": True}, Unavailable(60)),
        ({"status": 401, "body": {"message": "Unauthorized"}}, Unavailable(60)),
        ({"status": 400, "body": {"error": "invalid_client"}}, Unavailable(60)),
        ({"status": 400, "body": {"error": "never_heard_of"}}, Unavailable(60)),
        ({"status": 400, "body": {"error": "invalid_grant"}}, Refused(Explain.SOCIAL_RETRY)),
        ({"status": 400, "body": {"error": "access_denied"}}, Refused(Explain.SOCIAL_CANCELLED)),
        ({"status": 400, "body": {"error": "sso_required"}}, Refused(Explain.SOCIAL_NOT_ALLOWED)),
        ({"status": 403, "body": {"code": "radar_challenge"}}, Refused(Explain.SOCIAL_FAILED)),
        (
            {"status": 403, "body": {"code": "authentication_method_not_allowed"}},
            Refused(Explain.SOCIAL_NOT_ALLOWED),
        ),
        ({"status": 400, "body": {"error": "sign_up_not_allowed"}},
         Refused(Explain.SOCIAL_NO_ACCOUNT)),
    ],
)  # fmt: skip
async def test_what_can_go_wrong_at_the_end(
    house: House, fault: dict[str, Any], outcome: object
) -> None:
    house.standin.fail("/user_management/authenticate", **fault)
    assert await house.sign_in() == outcome


@pytest.mark.parametrize("knob", ["api_key", "client_id"])
async def test_a_wrong_key_or_client_id_is_nobodys_fault_who_signs_in(
    house: House, logged: list[str], knob: str
) -> None:
    begun = await house.start()
    answer = await walk(begun.url, "Octo")
    setattr(house.standin, knob, "another")
    assert await house.finish(begun, answer) == Unavailable(60)
    assert any("WORKOS_CLIENT_ID" in line for line in logged)


# --- the steps in between -------------------------------------------------------------------------


async def asked(house: House, kind: str) -> NeedsFactor:
    outcome = await house.sign_in()
    assert isinstance(outcome, NeedsFactor)
    assert (outcome.kind, outcome.account) == (kind, OCTO.email)
    assert outcome.sealed not in repr(outcome)
    return outcome


async def test_an_address_to_be_verified(tmp_path: Path) -> None:
    octo = replace(OCTO, email_verification_required=True)
    async with opened_house(tmp_path, octo) as house:
        due = await asked(house, "email")
        assert due.hint == "@example.com"
        code = house.standin.state.mails[OCTO.email]
        wrong = "000000" if code != "000000" else "111111"
        for answer in (wrong, "", "no digits"):
            outcome = await house.directory.answer_factor(due.sealed, answer, VISITOR)
            assert outcome == Refused(Explain.CODE_WRONG)
        spaced = f" {code[:3]} {code[3:]} "
        done = await house.directory.answer_factor(due.sealed, spaced, VISITOR)
        assert done == SignedIn(person_of(house, "github"))
        assert await house.sessions_left() == 0
        again = await house.directory.answer_factor(due.sealed, code, VISITOR)
        assert again == Refused(Explain.SIGN_IN_EXPIRED)


async def test_too_many_wrong_codes_there(tmp_path: Path) -> None:
    octo = replace(OCTO, email_verification_required=True)
    async with opened_house(tmp_path, octo) as house:
        due = await asked(house, "email")
        code = house.standin.state.mails[OCTO.email]
        wrong = "000000" if code != "000000" else "111111"
        outcomes = [
            await house.directory.answer_factor(due.sealed, wrong, VISITOR) for _ in "123456"
        ]
        assert outcomes[-1] == Refused(Explain.SIGN_IN_EXPIRED)


async def test_a_state_that_is_made_up_old_or_of_the_other_kind(tmp_path: Path) -> None:
    octo = replace(OCTO, email_verification_required=True)
    async with opened_house(tmp_path, octo) as house:
        due, begun = await asked(house, "email"), await house.start()
        for sealed in ("made up", begun.sealed):
            assert await house.directory.answer_factor(sealed, "123456", VISITOR) == Refused()
        assert await house.finish(replace(begun, sealed=due.sealed), {"code": "c"}) == Refused()
        house.clocks.forward(301)
        code = house.standin.state.mails[OCTO.email]
        late = await house.directory.answer_factor(due.sealed, code, VISITOR)
        assert late == Refused(Explain.SIGN_IN_EXPIRED)


async def test_an_authenticator(tmp_path: Path) -> None:
    async with opened_house(tmp_path, replace(OCTO, mfa_challenge=True)) as house:
        due = await asked(house, "totp")
        (factor,) = house.standin.state.factors.values()
        right = totp(factor.secret, time.time())
        wrong = "000000" if right != "000000" else "111111"
        outcome = await house.directory.answer_factor(due.sealed, wrong, VISITOR)
        assert outcome == Refused(Explain.CODE_WRONG)
        done = await house.directory.answer_factor(
            due.sealed, totp(factor.secret, time.time()), VISITOR
        )
        expected = replace(person_of(house, "github", "otp", "mfa"), assurance=2)
        assert done == SignedIn(expected)
        assert await house.sessions_left() == 0


async def test_the_second_of_two_authenticators_is_as_good(tmp_path: Path) -> None:
    async with opened_house(tmp_path, replace(OCTO, mfa_challenge=True)) as house:
        await house.sign_in()  # makes the user
        house.standin.factors.add(house.user())
        due = await asked(house, "totp")
        *_, factor = house.standin.state.factors.values()
        code = totp(factor.secret, time.time())
        done = await house.directory.answer_factor(due.sealed, code, VISITOR)
        assert isinstance(done, SignedIn)


async def test_a_factor_of_a_kind_that_a_page_cannot_ask_for(tmp_path: Path) -> None:
    async with opened_house(tmp_path) as house:
        body = {"code": "mfa_challenge", "pending_authentication_token": "p"}
        body |= {"authentication_factors": [{"id": "auth_factor_1", "type": "sms"}]}
        house.standin.fail("/user_management/authenticate", status=403, body=body)
        assert await house.sign_in() == Refused(Explain.FACTOR_UNSUPPORTED)


@pytest.mark.parametrize(
    ("asks", "explain"),
    [
        ("mfa_enrollment", Explain.FACTOR_MISSING),
        ("sso_required", Explain.SOCIAL_NOT_ALLOWED),
    ],
)
async def test_what_cannot_be_done_here_is_said(
    tmp_path: Path, asks: str, explain: Explain
) -> None:
    async with opened_house(tmp_path, replace(OCTO, **{asks: True})) as house:
        assert await house.sign_in() == Refused(explain)
        house.standin.sso_required_status = 400
        assert await house.sign_in() == Refused(explain)


async def test_one_of_several_organizations(tmp_path: Path) -> None:
    octo = replace(OCTO, organization_selection_required=True)
    async with opened_house(tmp_path, octo) as house:
        assert await house.sign_in() == SignedIn(person_of(house, "github"))
        assert await house.sessions_left() == 0


async def test_an_organization_with_rules_of_its_own(tmp_path: Path) -> None:
    """Not tried with the next one: that the first was asked for is the person's affair there."""
    octo = replace(OCTO, organization_selection_required=True)
    async with opened_house(tmp_path, octo) as house:
        begun = await house.start()
        answer = await walk(begun.url, "Octo")
        # The code comes first, the choice second: that one is refused.
        body = {"code": "sso_required", "connection_ids": ["conn_1"]}
        real = house.workos.authenticate_organization

        async def refused(*given: Any) -> Any:
            house.standin.fail("/user_management/authenticate", status=403, body=body)
            return await real(*given)

        house.workos.authenticate_organization = refused  # type: ignore[method-assign]
        assert await house.finish(begun, answer) == Refused(Explain.SOCIAL_NOT_ALLOWED)


async def test_an_address_and_then_an_organization(tmp_path: Path) -> None:
    octo = replace(OCTO, email_verification_required=True, organization_selection_required=True)
    async with opened_house(tmp_path, octo) as house:
        due = await asked(house, "email")
        code = house.standin.state.mails[OCTO.email]
        done = await house.directory.answer_factor(due.sealed, code, VISITOR)
        assert done == SignedIn(person_of(house, "github"))


async def test_an_address_and_then_an_authenticator_takes_two_sign_ins(tmp_path: Path) -> None:
    octo = replace(OCTO, email_verification_required=True, mfa_challenge=True)
    async with opened_house(tmp_path, octo) as house:
        due = await asked(house, "email")
        code = house.standin.state.mails[OCTO.email]
        outcome = await house.directory.answer_factor(due.sealed, code, VISITOR)
        assert outcome == Refused(Explain.SIGN_IN_EXPIRED)
        house.standin.people[:] = [replace(octo, email_verification_required=False)]
        await asked(house, "totp")


# --- whether they are still good ------------------------------------------------------------------


@clause("ASVS 5.0", "7.4.2")
async def test_who_was_deleted_there_is_gone(house: House) -> None:
    signed_in = await house.sign_in()
    assert isinstance(signed_in, SignedIn)
    sub = signed_in.person.sub
    house.standin.delete_user(house.user())
    # The sign-in counts for a minute, so that an outage right after it breaks nothing.
    assert isinstance(await house.directory.recheck(sub), StillGood)
    house.clocks.forward(61)
    assert await house.directory.recheck(sub) == Gone()


async def test_a_recheck_is_asked_once_a_minute(house: House) -> None:
    house.standin.add_user("ana@example.com")
    sub = house.user("ana@example.com").id
    good = StillGood(Ours(sub, "workos", "ana@example.com"))
    assert [await house.directory.recheck(sub) for _ in range(3)] == [good] * 3
    assert len(house.standin.calls) == 1
    house.clocks.forward(61)
    assert await house.directory.recheck(sub) == good
    assert len(house.standin.calls) == 2


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500, "times": 2},
        {"status": 404, "body": "<html>not here</html>"},
        {"status": 404, "body": {"message": "no Route matched with those values"}},
        {"status": 401, "body": {"message": "Unauthorized"}},
        {"status": 403, "body": {"code": "forbidden"}},
        {"status": 429},
        {"cut": True, "times": 2},
    ],
)
async def test_trouble_ends_nobody(house: House, fault: dict[str, Any]) -> None:
    user = house.standin.add_user("ana@example.com")
    house.standin.fail("/user_management/users/*", **fault)
    assert isinstance(await house.directory.recheck(user.id), Unavailable)
    house.clocks.forward(6)
    assert isinstance(await house.directory.recheck(user.id), StillGood)


async def test_an_address_is_shown_once_it_is_verified(house: House) -> None:
    user = house.standin.add_user("ana@example.com", email_verified=False)
    outcome = await house.directory.recheck(user.id)
    assert outcome == StillGood(Ours(user.id, "workos", user.id))


# --- what stays behind ----------------------------------------------------------------------------


async def test_a_session_that_cannot_be_ended_is_counted(house: House) -> None:
    house.standin.fail("/user_management/sessions/revoke", status=500, times=2)
    assert isinstance(await house.sign_in(), SignedIn)
    assert await house.sessions_left() == 1
    assert house.directory.farewells.failures == 1


async def test_nothing_secret_is_logged(tmp_path: Path, logged: list[str]) -> None:
    octo = replace(OCTO, email_verification_required=True)
    async with opened_house(tmp_path, octo) as house:
        begun = await house.start()
        answer = await walk(begun.url, "Octo")
        due = await house.finish(begun, answer)
        assert isinstance(due, NeedsFactor)
        code = house.standin.state.mails[OCTO.email]
        done = await house.directory.answer_factor(due.sealed, code, VISITOR)
        told = str(logged) + repr(begun) + repr(due) + repr(done)
        for secret in (answer["code"], begun.sealed, due.sealed, code, house.standin.api_key):
            assert secret not in told
        assert OCTO.email not in str(logged)
