"""GitHub and Google through Supabase: the hand-off, the way back, and whom not to let in."""

from __future__ import annotations

import asyncio
import re
import time
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest

from authgate.directories.contract import (
    Explain,
    NeedsFactor,
    Refused,
    SignedIn,
    SignIn,
    SocialStart,
    Unavailable,
    Ways,
)
from tests.clauses import clause
from tests.directories.supabase_house import (
    CALLBACK,
    EMAIL,
    PASSWORD,
    VISITOR,
    House,
    opened_house,
    quick,
)
from tests.standins.supabase_state import ProviderPerson

OCTO = ProviderPerson("1001", "octo@example.com", name="Octo")
TX = "transaction-1"


async def start(house: House, provider: str = "github", tx: str = TX) -> SocialStart:
    begun = await house.directory.start_social(provider, CALLBACK, tx)
    assert isinstance(begun, SocialStart)
    return begun


async def walk(house: House, url: str, pick: str = "Octo") -> dict[str, str]:
    """As the browser: to the provider's page, a click, and back to the callback's query."""
    async with aiohttp.ClientSession() as browser:
        async with browser.get(url) as page:
            links = dict(re.findall(r'href="([^"]+)">(\w+)', await page.text()))
        link = next(url for url, name in links.items() if name == pick).replace("&amp;", "&")
        async with browser.get(house.standin.url + link, allow_redirects=False) as back:
            location = back.headers["Location"]
    assert location.startswith(CALLBACK)
    return dict(parse_qsl(urlsplit(location).query))


async def finish(
    house: House, begun: SocialStart, answer: dict[str, str], provider: str = "github"
) -> SignIn:
    return await house.directory.finish_social(provider, begun.sealed, answer, VISITOR)


async def whole(house: House, provider: str = "github", pick: str = "Octo") -> SignIn:
    begun = await start(house, provider)
    return await finish(house, begun, await walk(house, begun.url, pick), provider)


@pytest.fixture(autouse=True)
def _octo(house: House) -> None:
    house.state.provider_people["github"].append(OCTO)


async def test_a_person_comes_back_from_github(house: House) -> None:
    begun = await start(house)
    answer = await walk(house, begun.url)
    assert answer["tx"] == TX
    outcome = await finish(house, begun, answer)
    assert isinstance(outcome, SignedIn)
    assert outcome.person.display == OCTO.email
    assert outcome.person.methods == ("github",)
    assert outcome.person.sub in house.state.users
    await house.directory.farewells.close()
    assert not house.state.sessions


async def test_a_verified_address_joins_the_person_there_is(house: House) -> None:
    google = ProviderPerson("2", EMAIL, name="Ana")
    house.state.provider_people["google"].append(google)
    outcome = await whole(house, "google", "Ana")
    assert isinstance(outcome, SignedIn)
    user = house.state.user_by_email(EMAIL)
    assert user is not None
    assert outcome.person.sub == user.id


@clause("RFC 7636", "4.2")
async def test_the_hand_off_says_no_more_than_it_must(house: House) -> None:
    begun = await start(house)
    url = urlsplit(begun.url)
    query = dict(parse_qsl(url.query))
    assert begun.url.startswith(house.standin.auth_url + "/authorize?")
    assert set(query) == {"provider", "redirect_to", "code_challenge", "code_challenge_method"}
    assert query["redirect_to"] == f"{CALLBACK}?tx={TX}"
    assert query["code_challenge_method"] == "s256"
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", query["code_challenge"])
    assert begun.sealed not in repr(begun)
    assert house.policy.publishable_key not in begun.url
    again = await start(house)
    assert dict(parse_qsl(urlsplit(again.url).query))["code_challenge"] != query["code_challenge"]


async def test_a_transactions_name_cannot_add_parameters(house: House) -> None:
    begun = await start(house, tx="a&state=b#c")
    query = dict(parse_qsl(urlsplit(begun.url).query))
    assert query["redirect_to"] == f"{CALLBACK}?tx=a%26state%3Db%23c"
    assert "state" not in query


async def test_a_code_belongs_to_its_own_start(house: House) -> None:
    mine, other = await start(house), await start(house)
    answer = await walk(house, mine.url)
    assert await finish(house, other, answer) == Refused(Explain.SOCIAL_RETRY)
    assert await finish(house, mine, answer, "google") == Refused()
    made_up = SocialStart("", house.vault.seal("{}", "supabase factor"))
    assert await finish(house, made_up, answer) == Refused()
    assert isinstance(await finish(house, mine, answer), SignedIn)
    assert await finish(house, mine, answer) == Refused(Explain.SOCIAL_RETRY)  # once


async def test_a_sign_in_that_was_too_slow_may_be_tried_again(house: House) -> None:
    begun = await start(house)
    answer = await walk(house, begun.url)
    house.state.shift += 301
    assert await finish(house, begun, answer) == Refused(Explain.SOCIAL_RETRY)
    house.clocks.forward(601)
    assert await finish(house, begun, answer) == Refused(Explain.SOCIAL_RETRY)


async def test_somebody_who_turned_back(house: House) -> None:
    assert await whole(house, pick="Cancel") == Refused(Explain.SOCIAL_CANCELLED)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({}, Refused(Explain.SOCIAL_RETRY)),
        ({"code": ""}, Refused(Explain.SOCIAL_RETRY)),
        ({"code": "x" * 600}, Refused(Explain.SOCIAL_RETRY)),
        ({"code": "\ud800"}, Refused(Explain.SOCIAL_RETRY)),
        ({"code": "unknown"}, Refused(Explain.SOCIAL_RETRY)),
        ({"error": "access_denied"}, Refused(Explain.SOCIAL_CANCELLED)),
        (
            {"error": "access_denied", "error_code": "provider_email_needs_verification"},
            Refused(Explain.SOCIAL_EMAIL_UNVERIFIED),
        ),
        (
            {"error": "access_denied", "error_code": "signup_disabled"},
            Refused(Explain.SOCIAL_NO_ACCOUNT),
        ),
        ({"error": "access_denied", "error_code": "user_banned"}, Refused()),
        ({"error": "invalid_request", "error_code": "bad_oauth_state"}, Refused("social_retry")),
        ({"error_code": "flow_state_expired"}, Refused(Explain.SOCIAL_RETRY)),
        (
            {"error": "server_error", "error_code": "unexpected_failure"},
            Refused(Explain.SOCIAL_FAILED),
        ),
        ({"error": "server_error", "code": "x"}, Refused(Explain.SOCIAL_FAILED)),
        ({"error": "<script>", "error_description": "secret-4711"}, Refused("social_failed")),
        ({"error_code": "over_request_rate_limit"}, Unavailable(60)),
    ],
    ids=str,
)
async def test_every_error_that_comes_back_has_its_reaction(
    house: House, answer: dict[str, str], expected: SignIn, logged: list[str]
) -> None:
    assert await finish(house, await start(house), answer) == expected
    assert "secret-4711" not in "".join(logged)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, b'{"message":"Invalid API key"}', Unavailable(60)),
        (429, b'{"code":"over_request_rate_limit"}', Unavailable(30)),
        (500, b"oops", Unavailable(5)),
        (200, b"{}", Unavailable(60)),
        (400, b'{"code":"new_code"}', Unavailable(60)),
    ],
)
async def test_a_fault_at_the_exchange_is_not_repeated(
    house: House, status: int, body: bytes, expected: SignIn
) -> None:
    begun = await start(house)
    answer = await walk(house, begun.url)
    house.standin.fault("grant_type=pkce", status=status, body=body)
    assert await finish(house, begun, answer) == expected
    assert house.standin.calls("grant_type=pkce") == 1


async def test_an_unverified_address_at_the_provider(house: House, logged: list[str]) -> None:
    thief = ProviderPerson("666", EMAIL, False, "Thief")
    house.state.provider_people["github"].append(thief)
    assert await whole(house, pick="Thief") == Refused(Explain.SOCIAL_EMAIL_UNVERIFIED)
    # Even where Supabase lets it pass, as it does when it confirms every address by itself.
    for user in [one for one in house.state.users.values() if not one.email]:
        house.state.remove(user)
    house.standin.options.autoconfirm = True
    begun = await start(house)  # with settings of up to five minutes ago
    answer = await walk(house, begun.url, "Thief")
    assert "code" in answer
    assert await finish(house, begun, answer) == Refused(Explain.SOCIAL_EMAIL_UNVERIFIED)
    await house.directory.farewells.close()
    assert not house.state.sessions


async def test_two_people_with_one_address_are_told_kindly(house: House, logged: list[str]) -> None:
    people = house.state.provider_people["github"]
    people += [ProviderPerson("666", EMAIL, False, "Thief"), ProviderPerson("7", EMAIL, name="Ana")]
    await whole(house, pick="Thief")
    assert await whole(house, pick="Ana") == Refused(Explain.SOCIAL_FAILED)


@clause("ASVS 5.0", "6.8.1")
async def test_autoconfirm_shuts_social_sign_in_unless_overridden() -> None:
    async with opened_house(quick(autoconfirm=True)) as house:
        house.state.provider_people["github"].append(OCTO)
        assert await house.directory.start_social("github", CALLBACK, TX) == Refused()
        assert await house.directory.finish_social("github", "s", {"code": "c"}, VISITOR) == (
            Refused()
        )
        assert house.directory.ways == Ways(password=True)
        bold = house.another(allow_autoconfirm_social=True)
        assert isinstance(await bold.start_social("github", CALLBACK, TX), SocialStart)
        assert bold.ways.providers == ("github", "google")
        await bold.close()


async def test_the_wrong_provider_and_nobody_at_all(house: House, logged: list[str]) -> None:
    import json

    for user, expected in (
        (house.state.add_user("a@example.com", PASSWORD), Explain.SOCIAL_WRONG_PROVIDER),
        (house.state.add_user("", anonymous=True), Explain.ANONYMOUS),
    ):
        body = house.standin.session_body(house.state.open_session(user, "oauth"))
        house.standin.clear()
        house.standin.fault("grant_type=pkce", status=200, body=json.dumps(body).encode())
        assert await finish(house, await start(house), {"code": "c"}) == Refused(expected)
    await house.directory.farewells.close()
    assert not house.state.sessions


async def test_the_second_factor_is_due_after_github_too(house: House) -> None:
    assert isinstance(await whole(house), SignedIn)
    user = house.state.user_by_email(OCTO.email)
    assert user is not None
    factor = house.state.add_factor(user)
    needs = await whole(house)
    assert isinstance(needs, NeedsFactor)
    outcome = await house.directory.answer_factor(needs.sealed, factor.code(), VISITOR)
    assert isinstance(outcome, SignedIn)
    assert outcome.person.methods == ("github", "otp", "mfa")
    user.banned_until = time.time() + 60
    assert await whole(house) == Refused()


async def test_the_ways_follow_the_project(house: House) -> None:
    directory, options = house.directory, house.standin.options
    assert directory.ways == Ways(password=True)  # not heard of yet, and now being asked
    await asyncio.sleep(0.05)
    assert directory.ways == Ways(password=True, providers=("github", "google"))
    options.providers, options.email = ("google",), False
    assert directory.ways.providers == ("github", "google")
    house.clocks.forward(301)
    assert directory.ways.providers == ("github", "google")  # nobody waits for the news
    await asyncio.sleep(0.05)
    assert directory.ways == Ways(password=False, providers=("google",))
    assert await directory.start_social("github", CALLBACK, TX) == Refused()
    asked = house.standin.calls("/settings")
    for provider in ("", "../x", "apple", "azure", "email"):
        assert await directory.start_social(provider, CALLBACK, TX) == Refused()
    assert house.standin.calls("/settings") == asked


async def test_an_outage_offers_nothing_new_and_refuses_nobody(house: House) -> None:
    house.standin.fault("/settings", cut=True)
    assert await house.directory.start_social("github", CALLBACK, TX) == Unavailable(5)
    house.standin.clear()
    house.clocks.forward(6)
    asked = house.standin.calls("/settings")
    begun = await asyncio.gather(*(start(house) for _ in range(20)))
    assert len({one.sealed for one in begun}) == 20
    assert house.standin.calls("/settings") == asked + 1


@clause("ASVS", "6.8.1")
@pytest.mark.parametrize("autoconfirm", [False, True])
async def test_an_address_counts_as_proven_only_where_the_project_asks_its_owner(
    autoconfirm: bool,
) -> None:
    async with opened_house(quick(autoconfirm=autoconfirm)) as house:
        assert not house.directory.confirms_addresses  # nothing was heard yet
        await house.directory.report(CALLBACK)
        assert house.directory.confirms_addresses is not autoconfirm
