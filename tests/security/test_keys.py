"""The key ring: life of a key, and what a token's header may and may not do."""

from __future__ import annotations

import asyncio
import contextlib
import json
from base64 import urlsafe_b64encode
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from joserfc.jws import JWSRegistry

from authgate.protocol.errors import Reason, Refusal
from authgate.security.compact import b64encode, decode_segment
from authgate.security.key_material import KeyUnusable, generate
from authgate.security.keys import KeyRing, key_states
from authgate.security.vault import SealedValueUnreadable, Vault
from authgate.store.sqlite import SqliteStore
from tests.clauses import clause
from tests.security.making import NOW, OTHER_SECRET, SECRET, loaded_ring, make_vault, opened_store
from tests.security.test_key_material import PRIVATE_MEMBERS, pem_of

CLAIMS = {"iss": "x", "sub": "y"}


def token_of(ring: KeyRing, now: int = NOW) -> str:
    return ring.sign(orjson.dumps(CLAIMS), now)


def kids(ring: KeyRing) -> list[str]:
    return [key["kid"] for key in json.loads(ring.jwks())["keys"]]


def kid_of(token: str) -> str:
    return str(json.loads(decode_segment(token.partition(".")[0].encode()))["kid"])


def refusal(ring: KeyRing, token: str) -> Reason:
    with pytest.raises(Refusal) as caught:
        ring.verify(token)
    return caught.value.reason


# --- life ------------------------------------------------------------------------------------


@clause("RFC 9068", "2.1")
async def test_the_first_key_is_made_and_signs(store: SqliteStore) -> None:
    ring = await loaded_ring(store)
    token = token_of(ring)
    header = json.loads(decode_segment(token.partition(".")[0].encode()))
    assert header == {"typ": "at+jwt", "kid": kids(ring)[0], "alg": "ES256"}
    assert ring.verify(token) == CLAIMS


async def test_anybody_with_the_published_key_can_verify(store: SqliteStore) -> None:
    """The reading side is a library that knows nothing of us."""
    for algorithm, kind in (("ES256", ECKey), ("RS256", RSAKey)):
        ring = KeyRing(store, make_vault(), algorithm=algorithm)
        await ring.load(NOW)
        if algorithm == "RS256":
            await ring.rotate(NOW, at_once=True)
            await ring.refresh(NOW)
        published = json.loads(ring.jwks())["keys"][0]
        decoded = jwt.decode(
            token_of(ring),
            kind.import_key(published),
            registry=JWSRegistry(algorithms=[algorithm]),
        )
        assert decoded.claims == CLAIMS


async def test_workers_that_start_at_once_share_one_first_key(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as one, opened_store(tmp_path) as other:
        rings = [KeyRing(store, make_vault()) for store in (one, other, one, other)]
        await asyncio.gather(*(ring.load(NOW) for ring in rings))
        assert len({ring.jwks() for ring in rings}) == 1
        assert rings[0].verify(token_of(rings[3])) == CLAIMS


async def test_a_rotated_key_is_published_at_once_and_signs_after_the_lead(
    store: SqliteStore,
) -> None:
    ring = await loaded_ring(store, access_ttl=3600)
    [old] = kids(ring)
    new = (await ring.rotate(NOW)).kid
    assert await ring.refresh(NOW) is True
    assert kids(ring) == [new, old]
    assert kid_of(token_of(ring, NOW + 599)) == old
    last = token_of(ring, NOW + 599)
    # no reading between: a worker knows the new key long before it signs
    assert kid_of(token_of(ring, NOW + 600)) == new
    retires_at = NOW + 600 + 3600 + 60
    assert await ring.refresh(retires_at - 1) is False
    assert ring.verify(last) == CLAIMS
    assert await ring.refresh(retires_at) is True
    assert kids(ring) == [new]
    assert refusal(ring, last) is Reason.TOKEN_KEY_UNKNOWN


async def test_an_imported_key_signs_at_once_and_decides_the_algorithm(
    store: SqliteStore,
) -> None:
    ring = await loaded_ring(store)
    before = token_of(ring)
    record = await ring.import_pem(pem_of(generate("RS256")), NOW)
    await ring.refresh(NOW)
    assert record.algorithm == "RS256"
    assert kid_of(token_of(ring)) == record.kid
    assert ring.verify(before) == CLAIMS
    [first, _] = await store.signing_keys()
    assert first.retires_at == NOW + 3600 + 60


async def test_the_same_key_is_not_imported_twice(store: SqliteStore) -> None:
    ring = await loaded_ring(store)
    pem = pem_of(generate("ES256"))
    await ring.import_pem(pem, NOW)
    with pytest.raises(KeyUnusable, match="already"):
        await ring.import_pem(pem, NOW + 5)


async def test_of_two_keys_made_in_one_second_the_later_made_signs(store: SqliteStore) -> None:
    ring = await loaded_ring(store)
    await ring.rotate(NOW)
    imported = await ring.import_pem(pem_of(generate("ES256")), NOW)
    await ring.refresh(NOW)
    for at in (NOW, NOW + 600, NOW + 10_000):
        assert kid_of(token_of(ring, at)) == imported.kid


async def test_a_key_can_be_imported_before_the_first_start(store: SqliteStore) -> None:
    imported = await KeyRing(store, make_vault()).import_pem(pem_of(generate("ES256")), NOW)
    ring = await loaded_ring(store)
    assert kids(ring) == [imported.kid]


async def test_rotations_are_in_the_audit_trail(store: SqliteStore) -> None:
    ring = await loaded_ring(store)
    record = await ring.rotate(NOW)
    [event] = await store.audit_events(limit=1)
    assert (event.event, event.actor) == ("keys.rotate", "operator")
    assert event.detail["kid"] == record.kid


# --- on schedule, and in an emergency ----------------------------------------------------------

DAYS = 30
DUE = NOW + DAYS * 86_400


async def test_a_key_is_followed_when_it_is_old_enough_and_overlaps(store: SqliteStore) -> None:
    ring = await loaded_ring(store, access_ttl=3600)
    [old] = kids(ring)
    assert await ring.rotate_when_due(DUE - 1, DAYS) is None
    assert await ring.rotate_when_due(DUE, 0) is None
    made = await ring.rotate_when_due(DUE, DAYS)
    assert made is not None
    await ring.refresh(DUE)
    assert kids(ring) == [made.kid, old]
    last = token_of(ring, DUE + 599)
    assert kid_of(last) == old
    assert kid_of(token_of(ring, DUE + 600)) == made.kid
    retires_at = DUE + 600 + 3600 + 60
    await ring.refresh(retires_at - 1)
    assert ring.verify(last) == CLAIMS
    await ring.refresh(retires_at)
    assert kids(ring) == [made.kid]
    assert await ring.rotate_when_due(DUE + 1, DAYS) is None  # the new one is young
    [event] = [e for e in await store.audit_events() if e.event == "keys.rotate"]
    assert (event.actor, event.at, event.detail["kid"]) == ("schedule", DUE, made.kid)


async def test_of_processes_that_see_it_due_at_once_one_makes_the_key(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as one, opened_store(tmp_path) as other:
        rings = [KeyRing(store, make_vault()) for store in (one, other) * 10]
        await asyncio.gather(*(ring.load(NOW) for ring in rings))
        for turn in (1, 2, 3):
            at = NOW + turn * (DAYS * 86_400 + 60)
            made = await asyncio.gather(*(ring.rotate_when_due(at, DAYS) for ring in rings))
            assert len([key for key in made if key]) == 1
            assert len(await one.signing_keys()) == 1 + turn
            await asyncio.gather(*(ring.refresh(at) for ring in rings))
            assert len({ring.jwks() for ring in rings}) == 1


async def test_a_schedule_keeps_the_algorithm_of_an_imported_key(store: SqliteStore) -> None:
    ring = await loaded_ring(store)
    imported = await ring.import_pem(pem_of(generate("RS256")), NOW)
    made = await ring.rotate_when_due(DUE + 60, DAYS)
    assert made is not None
    assert made.algorithm == imported.algorithm == "RS256"


async def test_revoking_the_key_that_signs_puts_another_in_its_place(store: SqliteStore) -> None:
    ring = await loaded_ring(store)
    leaked = token_of(ring)
    [kid] = kids(ring)
    made = await ring.revoke(kid, NOW + 5)
    assert made is not None
    assert await ring.refresh(NOW + 5) is True
    assert kids(ring) == [made.kid]
    assert refusal(ring, leaked) is Reason.TOKEN_KEY_UNKNOWN
    assert kid_of(token_of(ring, NOW + 5)) == made.kid
    assert ring.verify(token_of(ring, NOW + 5)) == CLAIMS
    (event,) = [e for e in await store.audit_events() if e.event == "keys.revoke"]
    assert event.detail == {"kid": kid, "replacement": made.kid}
    for gone in (kid, "nobody"):
        with pytest.raises(KeyUnusable, match="keys list"):
            await ring.revoke(gone, NOW + 6)


@pytest.mark.parametrize("which", ["signing", "next", "retiring"])
async def test_revoking_one_key_leaves_the_tokens_of_the_others(
    store: SqliteStore, which: str
) -> None:
    ring = await loaded_ring(store)
    tokens = {"retiring": token_of(ring)}
    await ring.rotate(NOW)
    await ring.refresh(NOW)
    tokens["signing"] = token_of(ring, NOW + 600)
    await ring.rotate(NOW + 700)
    states = {state: key.kid for key, state in key_states(await store.signing_keys(), NOW + 700)}
    made = await ring.revoke(states[which], NOW + 700)
    assert (made is None) == (which == "retiring")
    await ring.refresh(NOW + 700)
    for state, token in tokens.items():
        if state == which:
            assert refusal(ring, token) is Reason.TOKEN_KEY_UNKNOWN
        else:
            assert ring.verify(token) == CLAIMS
    # Now, and when the one that was next would have begun: what signs outlives its tokens.
    for at in (NOW + 700, NOW + 1301):
        signed = token_of(ring, at)
        await ring.refresh(at + 3600)
        assert ring.verify(signed) == CLAIMS
    assert states[which] not in kids(ring)


async def test_es256_and_rs256_stand_side_by_side_and_the_newest_signs(store: SqliteStore) -> None:
    ring = await loaded_ring(store)
    tokens = [token_of(ring)]
    for algorithm in ("RS256", "ES256"):
        await ring.import_pem(pem_of(generate(algorithm)), NOW)
        await ring.refresh(NOW)
        tokens.append(token_of(ring))
        assert kid_of(tokens[-1]) == kids(ring)[0]
    published = json.loads(ring.jwks())["keys"]
    assert [key["alg"] for key in published] == ["ES256", "RS256", "ES256"]
    assert len({kid_of(token) for token in tokens}) == 3
    for token in tokens:
        assert ring.verify(token) == CLAIMS


async def test_a_key_sealed_under_the_secret_before_is_opened(store: SqliteStore) -> None:
    """`new,old`: what was sealed is read, what is sealed anew needs the new one alone."""
    token = token_of(await loaded_ring(store))
    both = KeyRing(store, Vault([OTHER_SECRET, SECRET]))
    await both.load(NOW + 5)
    assert both.verify(token) == CLAIMS
    assert kid_of(token_of(both, NOW + 5)) == kid_of(token)
    await both.rotate(NOW + 5)
    at = NOW + 605
    await both.refresh(at)
    alone = KeyRing(store, make_vault(OTHER_SECRET))
    await alone.load(at)  # the old key is published still, and not unsealed any more
    assert alone.verify(token) == CLAIMS
    assert both.verify(token_of(alone, at)) == CLAIMS


async def test_a_clock_set_back_does_not_leave_us_without_a_key(store: SqliteStore) -> None:
    ring = await loaded_ring(store)
    assert ring.verify(token_of(ring, NOW - 3600)) == CLAIMS
    await ring.refresh(NOW - 3600)
    assert ring.verify(token_of(ring, NOW - 3600)) == CLAIMS


async def test_a_lost_secret_is_a_clear_sentence_and_can_be_mended(store: SqliteStore) -> None:
    before = token_of(await loaded_ring(store))
    ring = KeyRing(store, make_vault(OTHER_SECRET))
    with pytest.raises(SealedValueUnreadable, match="AUTHGATE_SECRET_KEY"):
        await ring.load(NOW + 5)
    await ring.rotate(NOW + 6, at_once=True)
    await ring.load(NOW + 6)
    assert ring.verify(token_of(ring, NOW + 6)) == CLAIMS
    assert len(kids(ring)) == 1  # whoever has the key we cannot open any more has nothing
    with pytest.raises(Refusal):
        ring.verify(before)


async def test_a_leaked_key_is_worth_nothing_once_it_is_replaced(store: SqliteStore) -> None:
    """Keys on their way out already, and one that is published but not signing yet, included."""
    ring = await loaded_ring(store)
    leaked = token_of(ring)
    await ring.rotate(NOW)
    await ring.rotate(NOW + 5, at_once=True)
    assert await ring.refresh(NOW + 6) is True
    assert len(kids(ring)) == 1
    with pytest.raises(Refusal):
        ring.verify(leaked)
    assert ring.verify(token_of(ring, NOW + 6)) == CLAIMS


async def test_a_key_of_another_secret_does_not_hurt_a_running_ring(store: SqliteStore) -> None:
    """Until it has to sign: there are minutes to mend it, with every node still serving."""
    ring, others = await loaded_ring(store), KeyRing(store, make_vault(OTHER_SECRET))
    made = await others.rotate(NOW)
    with pytest.raises(SealedValueUnreadable):
        await ring.refresh(NOW)
    assert ring.readable
    assert kids(ring)[0] == made.kid  # published, or what others sign with it would be refused
    assert ring.verify(token_of(ring)) == CLAIMS
    with pytest.raises(SealedValueUnreadable):
        await ring.refresh(made.signs_from)
    assert not ring.readable
    assert ring.verify(token_of(ring, made.signs_from)) == CLAIMS  # in use, and stays in use


async def test_a_revocation_is_seen_beside_a_key_that_cannot_be_opened(store: SqliteStore) -> None:
    ring = await loaded_ring(store)
    leaked = token_of(ring)
    (kid,) = kids(ring)
    others = KeyRing(store, make_vault(OTHER_SECRET))
    await others.rotate(NOW)
    with pytest.raises(SealedValueUnreadable):
        await ring.refresh(NOW)
    await others.revoke(kid, NOW + 1)
    with pytest.raises(SealedValueUnreadable):
        await ring.refresh(NOW + 2)
    assert not ring.readable
    assert kid not in kids(ring)
    with pytest.raises(Refusal):
        ring.verify(leaked)


async def test_key_objects_and_the_document_are_made_once(store: SqliteStore) -> None:
    ring = await loaded_ring(store)
    objects = (ring.jwks(), ring.signer(NOW), *ring._verifiers.values())
    version = ring.version
    assert await ring.refresh(NOW + 1) is False
    again = (ring.jwks(), ring.signer(NOW), *ring._verifiers.values())
    assert all(one is other for one, other in zip(objects, again, strict=True))
    assert ring.version == version
    await ring.rotate(NOW)
    assert await ring.refresh(NOW) is True
    assert ring.version == version + 1
    assert ring._verifiers[objects[1].kid] is objects[2]


async def test_states_for_the_operator(store: SqliteStore) -> None:
    ring = await loaded_ring(store)
    await ring.rotate(NOW)

    async def states(at: int) -> list[str]:
        return [state for _, state in key_states(await store.signing_keys(), at)]

    assert await states(NOW) == ["signing", "next"]
    assert await states(NOW + 600) == ["retiring", "signing"]
    assert await states(NOW + 600 + 3660) == ["retired", "signing"]
    assert key_states([], NOW) == []


def test_an_unknown_algorithm_or_an_unloaded_ring_is_said_at_once() -> None:
    with pytest.raises(KeyUnusable, match="RS256"):
        KeyRing(object(), make_vault(), algorithm="none")
    with pytest.raises(RuntimeError, match="loaded"):
        KeyRing(object(), make_vault()).jwks()


@clause("RFC 7517", "9.2")
async def test_no_private_member_is_ever_published(store: SqliteStore) -> None:
    ring = await loaded_ring(store)
    await ring.import_pem(pem_of(generate("RS256")), NOW)
    await ring.rotate(NOW)
    await ring.refresh(NOW)
    keys = json.loads(ring.jwks())["keys"]
    assert len(keys) == 3
    for key in keys:
        assert not PRIVATE_MEMBERS & set(key)
        assert key["use"] == "sig"
        assert key["alg"] in {"ES256", "RS256"}
        kind = ECKey if key["kty"] == "EC" else RSAKey
        assert not kind.import_key(key).is_private


# --- headers that lie ------------------------------------------------------------------------


def forged(header: object, signature: bytes = b"x" * 64) -> str:
    return ".".join(
        urlsafe_b64encode(part).rstrip(b"=").decode()
        for part in (orjson.dumps(header), orjson.dumps(CLAIMS), signature)
    )


def signed_with(ring: KeyRing, head: bytes, body: bytes) -> str:
    """A token that our own key really signed, whatever its header and payload say."""
    signing_input = b64encode(head) + b"." + b64encode(body)
    signature = ring.signer(NOW).sign(signing_input)
    return (signing_input + b"." + b64encode(signature)).decode()


@clause("RFC 8725", "3.1")
async def test_no_header_chooses_its_own_algorithm_or_key(store: SqliteStore) -> None:
    ring = await loaded_ring(store)
    [kid] = kids(ring)
    [public] = json.loads(ring.jwks())["keys"]
    stranger = ECKey.generate_key("P-256")
    good = {"typ": "at+jwt", "kid": kid, "alg": "ES256"}
    pem = ECKey.import_key(public).as_pem(private=False)
    by_hmac = jwt.encode(
        {"typ": "at+jwt", "kid": kid, "alg": "HS256"}, CLAIMS, OctKey.import_key(_hidden(pem))
    )
    by_stranger = jwt.encode(good, CLAIMS, stranger)
    tokens = [by_hmac, by_stranger]
    for change in (
        {"alg": "none"},
        {"alg": "None"},
        {"alg": "HS256"},
        {"alg": "RS256"},
        {"alg": "ES384"},
        {"alg": ["ES256"]},
        {"alg": {}},
        {"alg": None},
        {"kid": "unknown"},
        {"kid": "../../etc/passwd"},
        {"kid": [kid]},
        {"kid": None},
        {"kid": 1},
    ):
        tokens += [forged({**good, **change}), forged({**good, **change}, b"")]
        tokens.append(signed_with(ring, orjson.dumps({**good, **change}), b"{}"))
    for name in ("jwk", "jku", "x5u", "x5c", "crit"):
        header = {**good, name: stranger.as_dict(private=False) if name == "jwk" else ["b64"]}
        tokens.append(signed_with(ring, orjson.dumps(header), b"{}"))
    for token in tokens:
        assert refusal(ring, token) in {Reason.TOKEN_SIGNATURE, Reason.TOKEN_KEY_UNKNOWN}


def _hidden(pem: bytes) -> bytes:
    """joserfc refuses PEM as an HMAC key; an attacker's own program does not."""
    return pem.replace(b"-----BEGIN PUBLIC KEY-----", b"")


@clause("RFC 9068", "4")
async def test_another_kind_of_token_is_refused_even_if_we_signed_it(store: SqliteStore) -> None:
    ring = await loaded_ring(store)
    good = {"kid": kids(ring)[0], "alg": "ES256"}
    for kind in ({}, {"typ": "JWT"}, {"typ": "logout+jwt"}, {"typ": 1}, {"typ": None}):
        token = signed_with(ring, orjson.dumps({**good, **kind}), orjson.dumps(CLAIMS))
        assert refusal(ring, token) is Reason.TOKEN_TYPE


async def test_the_same_header_in_another_order_is_still_ours(store: SqliteStore) -> None:
    """A release may write its header differently; tokens of the one before must stay good."""
    ring = await loaded_ring(store)
    header = {"alg": "ES256", "kid": kids(ring)[0], "typ": "application/at+JWT", "x": 1}
    assert ring.verify(signed_with(ring, orjson.dumps(header), b'{"a":1}')) == {"a": 1}


@clause("RFC 7515", "5.2")
async def test_a_token_has_one_spelling(store: SqliteStore) -> None:
    """Python's base64 would step over foreign characters and unused bits."""
    ring = await loaded_ring(store)
    token = token_of(ring)
    head, body, signature = token.split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = alphabet[alphabet.index(signature[-1]) ^ 1]  # differs in a bit that carries nothing
    for other in (
        f"{head}.{body}.{signature[:-1]}{twin}",
        f"{head}.{body}.{signature}=",
        f"{head}.{body}.{signature}==",
        f"{head}.{body}.!{signature}",
        f"{head}.{body}.{signature}\n",
        f" {token}",
        f"{head}=.{body}.{signature}",
        f"{head}.{body}.{signature}.",
        f"{head}.{body}",
        f"{head}..{signature}",
        f"..{signature}",
        f"{head}.{body}.{signature.replace('-', '+').replace('_', '/')}+",
        "..",
        "",
        "é" + token,
        "\ud800",
        token + "A" * 9000,
    ):
        assert refusal(ring, other) in {Reason.TOKEN_MALFORMED, Reason.TOKEN_SIGNATURE}


async def test_every_changed_character_is_noticed(store: SqliteStore) -> None:
    ring = await loaded_ring(store)
    token = token_of(ring)
    for at, character in enumerate(token):
        other = "A" if character != "A" else "B"
        changed = token[:at] + other + token[at + 1 :]
        assert refusal(ring, changed).name.startswith("TOKEN_")


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
async def test_nothing_but_a_refusal_comes_out(ring: KeyRing, data: st.DataObject) -> None:
    """Random text, random segments, and any JSON whatever under our own signature."""
    json_values = st.recursive(
        st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
    raw = st.one_of(st.binary(max_size=60), json_values.map(lambda v: json.dumps(v).encode()))
    header = st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "b64", "x"]),
        json_values | st.sampled_from(["ES256", "at+jwt", kids(ring)[0]]),
    ).map(lambda v: json.dumps(v).encode())
    token = data.draw(
        st.one_of(
            st.text(max_size=80),
            st.lists(raw.map(lambda b: b64encode(b).decode()), min_size=2, max_size=4).map(
                ".".join
            ),
            st.tuples(header | raw, raw).map(lambda parts: signed_with(ring, *parts)),
        )
    )
    with contextlib.suppress(Refusal):
        assert isinstance(ring.verify(token), dict)


@pytest.fixture
async def ring(store: SqliteStore) -> KeyRing:
    return await loaded_ring(store)
