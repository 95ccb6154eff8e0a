"""Nothing secret leaves by a log line, an exception, a repr or an outcome."""

from __future__ import annotations

import io
import json
import logging
import re
import secrets
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import pytest

from authgate.directories import supabase
from authgate.directories.contract import NeedsFactor, SocialStart
from tests.directories.supabase_house import CALLBACK, EMAIL, VISITOR, House, opened_house
from tests.standins.supabase_state import ProviderPerson

WRONG = "wrong-" + secrets.token_hex(8)
RIGHT = "right-" + secrets.token_hex(8)


@pytest.mark.parametrize("keep", [False, True], ids=["not kept", "kept"])
async def test_a_whole_run_tells_no_secret(logged: list[str], *, keep: bool) -> None:
    """Every door, right and wrong and with faults, at the loudest level; then the harvest."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with redirect_stdout(out), redirect_stderr(out):
            async with opened_house(keep_session=keep) as house:
                told = await _live(house)
                if keep:
                    told += await _asked_again(house)
                hidden = _secrets(house)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    text = "\n".join([out.getvalue(), *told, *logged])
    assert "supabase." in text  # or nothing would have been looked at
    assert len(hidden) > 12
    assert [one for one in hidden if one in text] == []


async def _live(house: House) -> list[str]:
    """What was said on the way: the repr of every outcome and of every part."""
    told = []
    user = house.state.add_user(EMAIL, RIGHT)
    house.state.provider_people["github"].append(ProviderPerson("1", "octo@example.com"))
    directory = house.directory
    for fault in ({}, {"status": 503}, {"cut": True}, {"status": 400, "body": _echo()}):
        house.standin.clear()
        if fault:
            house.standin.fault("/token", **fault)
        for password in (RIGHT, WRONG):
            told.append(repr(await house.sign_in(password=password)))
    house.standin.clear()
    begun = await directory.start_social("github", CALLBACK, "tx")
    assert isinstance(begun, SocialStart)
    told.append(repr(begun))
    for answer in ({"code": WRONG}, {"error": WRONG, "error_description": WRONG}):
        told.append(repr(await directory.finish_social("github", begun.sealed, answer, VISITOR)))
    told.append(repr(await directory.recheck(user.id)))
    told.append(repr(await directory.verify_access_token(house.standin.access_token(user))))
    factor = house.state.add_factor(user)
    needs = await house.sign_in(password=RIGHT)
    assert isinstance(needs, NeedsFactor)
    for code in (factor.code(step=5), factor.code()):
        told.append(repr(await directory.answer_factor(needs.sealed, code, VISITOR)))
    for part in _parts(directory):
        told.append(repr(part))
    return told


async def _asked_again(house: House) -> list[str]:
    """A kept session by its access token and by a refresh, well and in trouble, and its end."""
    told = []
    user = house.state.user_by_email(EMAIL)
    assert user is not None
    user.factors.clear()
    await house.sign_in(password=RIGHT)
    echo = {"status": 400, "body": _echo()}
    for age in (61, 3601):
        for fault in ({}, {"status": 503}, {"cut": True}, echo, {"status": 200, "body": b"{}"}):
            house.standin.clear()
            for where in ("/user", "refresh_token") if fault else ():
                house.standin.fault(where, **fault)
            house.clocks.forward(age)
            told.append(repr(await house.directory.recheck(user.id)))
            told.append(repr(await house.store.kept_session(user.id)))
    house.standin.clear()
    row = await house.store.kept_session(user.id)
    assert row is not None
    told.append(row.sealed)
    session = house.state.sessions[json.loads(house.vault.open(row.sealed, "supabase session"))[3]]
    for _ in range(2):
        session.swap(session.refresh[-1], house.state.now())
    house.clocks.forward(3601)
    told.append(repr(await house.directory.recheck(user.id)))
    assert await house.store.kept_session(user.id) is None
    return [*told, repr(house.directory._kept), repr(vars(house.directory._kept))]


def _echo() -> bytes:
    """An answer that says what it was asked, as a careless proxy's debug page does."""
    return json.dumps({"code": "odd", "message": f"{WRONG} {RIGHT}"}).encode()


def _parts(directory: supabase.SupabaseDirectory) -> list[Any]:
    return [directory, directory.policy, *vars(directory).values()]


def _secrets(house: House) -> list[str]:
    """Passwords, keys, and every token that went over the wire in either direction."""
    gate = house.standin.gate
    found = {RIGHT, WRONG, gate.publishable, gate.secret, house.standin.signer.secret}
    for seen in gate.seen:
        bearer = seen.headers.get("authorization", "").removeprefix("Bearer ")
        if bearer:
            found |= {bearer, bearer.split(".")[-1]}
        found |= set(re.findall(r'"code_verifier":"([^"]+)"', seen.body))
    found |= set(house.state.issued)
    found |= {factor.secret for user in house.state.users.values() for factor in user.factors}
    return [one for one in found if one]


def test_the_policy_shows_no_key() -> None:
    policy = supabase.SupabasePolicy("https://x.supabase.co/auth/v1", "sb_pub", "sb_sec")
    assert "sb_pub" not in repr(policy)
    assert "sb_sec" not in repr(policy)
