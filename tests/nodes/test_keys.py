"""Signing keys change on one node, and no node refuses a good token or trusts a bad one.

A key is published before it signs, so that every node has read it by then: each looks every five
seconds. A revoked key is refused by all of them within one such look.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time

from authgate.app.jobs import KEYS_EVERY
from tests.faults.traffic import Mint
from tests.faults.wire import Reply
from tests.nodes.fleet import Fleet
from tests.nodes.places import Hammer, Line, Tokens, lines, minting

ASIDE = 1.5  # seconds, for reading them and for a busy machine


def kid_of(token: str) -> str:
    head = token.split(".", maxsplit=1)[0]
    return str(json.loads(base64.urlsafe_b64decode(head + "=="))["kid"])


async def published(line: Line) -> list[str]:
    """The key names that this node publishes, newest first; there is always one."""
    reply = await line.wire.get("/.well-known/jwks.json")
    assert reply.status == 200
    kids = [key["kid"] for key in reply.json()["keys"]]
    assert kids
    return kids


async def all_publish(at: list[Line], kids: set[str]) -> float:
    """Seconds until every node publishes these and no other."""
    began = time.monotonic()
    while [set(await published(line)) for line in at] != [kids] * len(at):
        assert time.monotonic() - began < KEYS_EVERY + ASIDE
        await asyncio.sleep(0.05)
    return time.monotonic() - began


def signs_at_once(fleet: Fleet, kid: str) -> None:
    """Ten minutes have passed: what was published is due."""
    assert fleet.cluster is not None
    passed = "UPDATE authgate.signing_keys SET signs_from = created_at WHERE kid = '{}'"
    fleet.cluster.run(passed.format(kid))


async def test_a_rotation_and_a_revocation_made_on_one_node(fleet: Fleet) -> None:
    async with minting(fleet) as mint:
        with lines(fleet) as at, lines(fleet) as hammering, lines(fleet) as watching:
            old = await at[0].tokens(mint)
            before = await published(at[0])
            good = Hammer(lambda line: line.call(old.access), hammering)
            keys = Hammer(lambda line: line.wire.get("/.well-known/jwks.json"), watching)
            async with good.falling(), keys.falling():
                made = await asyncio.to_thread(fleet.nodes[0].cli, "keys", "rotate", "--json")
                kid = json.loads(made.stdout)["kid"]
                await all_publish(at, {*before, kid})
                signs_at_once(fleet, kid)
                newer = await signed_by(at, mint, kid)
                # During the overlap every node believes the old and the new.
                for tokens in (old, *newer):
                    assert [(await line.call(tokens.access)).status for line in at] == [200] * 3
            assert good.statuses() == {200}
            assert min(len(told) for told in good.told.values()) > 50
            assert all(reply.json()["keys"] for told in keys.told.values() for _, _, reply in told)
            assert keys.statuses() == {200}

            await revoked(fleet, at, kid, newer[0])
            # The old key is believed until its last token has expired; what the new one signed was
            # refused, and a refresh mends it: the grant is as good as before.
            assert [(await line.call(old.access)).status for line in at] == [200] * 3
            renewed = await at[1].refresh(newer[0])
            assert renewed.status == 200
            assert kid_of(renewed.json()["access_token"]) not in {kid, *before}
            # One that has not looked since then knows the name no less: it looks at once.
            token = renewed.json()["access_token"]
            assert [(await line.call(token)).status for line in at] == [200] * 3


async def signed_by(at: list[Line], mint: Mint, kid: str) -> list[Tokens]:
    """A token from each node, signed by this key; within one look of each."""
    ends, found = time.monotonic() + KEYS_EVERY + ASIDE, []
    for line in at:
        while True:
            tokens = await line.tokens(mint)
            if kid_of(tokens.access) == kid:
                found.append(tokens)
                break
            assert time.monotonic() < ends, (line.port, kid)
            await asyncio.sleep(0.1)
    return found


async def revoked(fleet: Fleet, at: list[Line], kid: str, tokens: Tokens) -> None:
    """Revoke the key on the last node, and see every node refuse its token in time, for good."""
    with lines(fleet) as hammering:
        bad = Hammer(lambda line: line.call(tokens.access), hammering)
        async with bad.falling():
            await asyncio.to_thread(fleet.nodes[2].cli, "keys", "revoke", "--yes", "--", kid)
            done = time.monotonic()
            ends = done + KEYS_EVERY + ASIDE
            while kid in {k for line in at for k in await published(line)}:
                assert time.monotonic() < ends
                await asyncio.sleep(0.05)
            gone = time.monotonic()
            await asyncio.sleep(0.5)
        assert bad.statuses(since=gone) == {401}
        assert bad.statuses() == {200, 401}
        answers: list[Reply] = [told[-1][2] for told in bad.told.values()]
        assert all("invalid_token" in reply.headers["www-authenticate"] for reply in answers)
