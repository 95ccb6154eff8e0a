"""Supabase's own access tokens: a person's passes, and nothing else does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from authgate.directories.contract import Refused, SignedIn, Unavailable
from tests.clauses import clause
from tests.directories.supabase_house import EMAIL, PASSWORD, House, opened_house, quick
from tests.standins.supabase_state import User


@pytest.fixture(params=["HS256", "ES256"])
async def project(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    async with opened_house(quick(algorithm=request.param)) as house:
        house.state.add_user(EMAIL, PASSWORD)
        yield house


@pytest.fixture
async def asymmetric() -> AsyncIterator[House]:
    async with opened_house(quick(algorithm="ES256")) as house:
        house.state.add_user(EMAIL, PASSWORD)
        yield house


def ana(house: House) -> User:
    user = house.state.user_by_email(EMAIL)
    assert user is not None
    return user


async def verify(house: House, token: str) -> object:
    return await house.directory.verify_access_token(token)


async def test_a_persons_token_is_that_person(project: House) -> None:
    outcome = await verify(project, project.standin.access_token(ana(project)))
    assert isinstance(outcome, SignedIn)
    person = outcome.person
    assert (person.sub, person.display) == (ana(project).id, EMAIL)
    assert (person.methods, person.assurance) == (("pwd",), 1)
    strong = project.standin.access_token(ana(project), aal="aal2")
    outcome = await verify(project, strong)
    assert isinstance(outcome, SignedIn)
    assert outcome.person.assurance == 2


async def test_single_sign_on_people_have_tokens_too(project: House) -> None:
    user = project.state.add_user("sso@example.com", None, sso=True)
    outcome = await verify(project, project.standin.access_token(user, "sso/saml"))
    assert isinstance(outcome, SignedIn)
    assert outcome.person.methods == ("sso/saml",)


@clause("RFC 8725", "3.8")
@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.supabase.co/auth/v1"},
        {"iss": None},
        {"aud": "anon"},
        {"aud": ["authenticated", "other"]},
        {"aud": None},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"exp": "4000000000"},
        {"nbf": 4_000_000_000},
        {"role": "service_role"},
        {"role": "anon"},
        {"role": None},
        {"sub": None},
        {"sub": "not-a-uuid"},
        {"is_anonymous": True},
        {"is_anonymous": "false"},
        {"aal": "aal3"},
        {"aal": None},
    ],
    ids=str,
)
async def test_each_claim_counts_and_costs_no_request(
    project: House, claims: dict[str, object]
) -> None:
    assert await verify(project, project.standin.access_token(ana(project), **claims)) == Refused()
    assert project.standin.gate.seen == []


async def test_an_api_key_is_never_taken_nor_sent_on(project: House) -> None:
    gate = project.standin.gate
    for key in (gate.anon, gate.service_role, gate.publishable, gate.secret, "", "x", "a.b.c"):
        assert await verify(project, key) == Refused()
    for odd in ("\ud800", "x" * 20_000, "é.é.é", "..", "e30.e30."):
        assert await verify(project, odd) == Refused()
    assert gate.seen == []


async def test_the_aal_that_is_demanded_is_demanded_here_too(project: House) -> None:
    directory = project.another(require_aal2=True)
    weak = project.standin.access_token(ana(project))
    assert await directory.verify_access_token(weak) == Refused()
    strong = project.standin.access_token(ana(project), aal="aal2")
    assert isinstance(await directory.verify_access_token(strong), SignedIn)
    await directory.close()


async def test_a_live_question_sees_what_a_signature_cannot() -> None:
    async with opened_house() as house:
        user = house.state.add_user(EMAIL, PASSWORD)
        token = house.standin.access_token(user)
        await asyncio.gather(*(verify(house, token) for _ in range(20)))
        assert house.standin.calls("/user") == 1
        user.banned_until = time.time() + 60
        house.clocks.forward(31)
        assert await verify(house, token) == Refused()
        user.banned_until = None
        house.clocks.forward(31)
        assert isinstance(await verify(house, token), SignedIn)
        house.state.sessions.clear()
        house.clocks.forward(31)
        assert await verify(house, token) == Refused()
        forged = token[:-6] + ("AAAAAA" if not token.endswith("AAAAAA") else "BBBBBB")
        assert await verify(house, forged) == Refused()
        house.clocks.forward(31)
        for how in ({"status": 503}, {"cut": True}, {"status": 401, "body": b'{"message":"key"}'}):
            house.standin.clear()
            house.standin.fault("/user", **how)
            assert isinstance(await verify(house, token), Unavailable)


@clause("RFC 8725", "3.1")
async def test_forged_tokens_are_refused(asymmetric: House) -> None:
    house = asymmetric
    good = house.standin.access_token(ana(house))
    assert isinstance(await verify(house, good), SignedIn)
    claims = house.standin.signer.read(good, time.time())
    assert claims is not None
    kid = house.standin.signer.jwks()["keys"][0]["kid"]
    other = ECKey.generate_key("P-256", private=True)
    rsa = RSAKey.generate_key(2048, private=True)
    shared = OctKey.import_key(str(house.standin.signer.jwks()["keys"][0]))
    for header, key in (
        ({"alg": "ES256", "kid": kid}, other),
        ({"alg": "ES256"}, other),
        ({"alg": "RS256", "kid": kid}, rsa),
        ({"alg": "ES256", "kid": kid, "jwk": other.as_dict(private=False)}, other),
        ({"alg": "HS512", "kid": kid}, shared),
    ):
        algorithms = ["ES256", "RS256", "HS512"]
        forged = jwt.encode(header, claims, key, algorithms=algorithms)
        assert await verify(house, forged) == Refused()
    head, body, signature = good.split(".")
    for forged in (
        f"{head}.{body}.",
        f"{head}.{body}.{'A' * 86}",
        f"eyJhbGciOiJub25lIn0.{body}.",
        f"{head}.{body}.{signature}.x",
    ):
        assert await verify(house, forged) == Refused()
    assert house.standin.calls("/user") == 0


async def test_a_rotated_key_is_seen_and_made_up_ones_cost_little(asymmetric: House) -> None:
    house, signer = asymmetric, asymmetric.standin.signer
    tokens = [house.standin.access_token(ana(house)) for _ in range(30)]
    outcomes = await asyncio.gather(*(verify(house, token) for token in tokens))
    assert all(isinstance(outcome, SignedIn) for outcome in outcomes)
    assert house.standin.calls("jwks.json") == 1
    claims = signer.read(tokens[0], time.time())
    assert claims is not None
    stranger = ECKey.generate_key("P-256", private=True)
    for n in range(50):
        forged = jwt.encode({"alg": "ES256", "kid": f"k{n}"}, claims, stranger)
        assert await verify(house, forged) == Refused()
    assert house.standin.calls("jwks.json") == 1
    signer.rotate()
    fresh = house.standin.access_token(ana(house))
    house.clocks.forward(11)
    assert isinstance(await verify(house, fresh), SignedIn)
    assert isinstance(await verify(house, tokens[0]), SignedIn)
    assert house.standin.calls("jwks.json") == 2


async def test_an_outage_locks_nobody_out_whose_key_is_known(asymmetric: House) -> None:
    house = asymmetric
    token = house.standin.access_token(ana(house))
    house.standin.fault("jwks.json", status=503)
    assert isinstance(await verify(house, token), Unavailable)
    house.standin.clear()
    house.clocks.forward(11)
    assert isinstance(await verify(house, token), SignedIn)
    house.standin.fault("jwks.json", status=503)
    house.clocks.forward(700)
    assert isinstance(await verify(house, token), SignedIn)
    house.standin.signer.rotate()
    fresh = house.standin.access_token(ana(house))
    house.clocks.forward(11)
    assert isinstance(await verify(house, fresh), Unavailable)  # it may well be good
    house.clocks.forward(2900)
    late = house.standin.access_token(ana(house), exp=int(time.time()) + 9000)
    assert isinstance(await verify(house, late), Unavailable)


async def test_only_public_signing_keys_with_a_name_come_in(asymmetric: House) -> None:
    import json

    from authgate.directories.supabase.keys import ProjectKeys

    house = asymmetric
    rsa = RSAKey.generate_key(2048).as_dict(private=False)
    odd = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "a"},
        {**rsa, "kid": "b", "use": "enc"},
        {"kty": "EC", "kid": "c", "crv": "P-256", "x": "!", "y": "!"},
        {"kty": "EC", "kid": "d"},
        {**rsa, "kid": 7},
        "x",
        {**rsa, "kid": "good"},
    ]
    house.standin.fault("jwks.json", status=200, body=json.dumps({"keys": odd}).encode())
    keys = ProjectKeys(house.directory._api)
    assert isinstance(await keys.find("good"), RSAKey)
    assert [await keys.find(kid) for kid in "abcd7x"] == [None] * 6
    await keys.close()
