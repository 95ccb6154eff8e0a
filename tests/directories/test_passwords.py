"""Hashing: parameters, one cost for every answer, two at once, a bounded line."""

from __future__ import annotations

import asyncio
import re
import threading
import time

import pytest
from argon2 import extract_parameters
from argon2.low_level import Type

from authgate.directories import passwords as module
from authgate.directories.passwords import Busy, Passwords
from tests.clauses import clause
from tests.directories.counting import CountingPasswords, cheap


@clause("ASVS 5.0", "11.4.2")
def test_the_parameters_are_no_weaker_than_owasp_asks() -> None:
    """Argon2id with at least 19 MiB and two passes (OWASP Password Storage Cheat Sheet)."""
    assert module.MEMORY_KIB >= 19 * 1024
    assert module.TIME_COST >= 2
    assert re.match(r"\$argon2id\$v=19\$m=65536,t=3,p=1\$", Passwords()._dummy)


async def test_a_password_is_right_or_wrong() -> None:
    passwords = cheap()
    stored = await passwords.hash("correct horse battery")
    assert stored.startswith("$argon2id$")
    assert stored != await passwords.hash("correct horse battery")
    assert (await passwords.verify("correct horse battery", stored)).right
    for wrong in ("correct horse batterx", "", "Correct horse battery", "x" * 2000, "\ud800", "\0"):
        assert not (await passwords.verify(wrong, stored)).right
    for damaged in ("", "plain text", "$argon2id$v=19$m=8,t=1,p=1$$", "$2b$12$abc"):
        assert not (await passwords.verify("correct horse battery", damaged)).right


@clause("RFC 8265", "4.2.2")
async def test_two_keyboards_may_send_one_letter_differently() -> None:
    passwords = cheap()
    stored = await passwords.hash("caf\u00e9 au lait, merci")
    assert (await passwords.verify("cafe\u0301 au lait, merci", stored)).right
    assert not (await passwords.verify("cafe au lait, merci", stored)).right


async def test_blanks_of_a_password_count() -> None:
    passwords = cheap()
    stored = await passwords.hash("  two blanks  ")
    assert not (await passwords.verify("two blanks", stored)).right


def test_the_dummy_costs_what_a_real_hash_costs() -> None:
    """The cost of a verification is in the hash, so the dummy must carry our parameters."""
    dummy = extract_parameters(Passwords()._dummy)
    assert dummy.type is Type.ID
    assert (dummy.time_cost, dummy.memory_cost, dummy.parallelism) == (3, 65536, 1)
    assert (dummy.salt_len, dummy.hash_len) == (16, 32)


async def test_every_verification_is_one_hash() -> None:
    passwords = CountingPasswords()
    stored = await passwords.hash("correct horse battery")
    for password, given in (
        ("correct horse battery", stored),
        ("wrong", stored),
        ("wrong", None),
        ("x" * 5000, stored),
        ("", None),
    ):
        before = passwords.verifications
        await passwords.verify(password, given)
        assert passwords.verifications == before + 1


async def test_old_parameters_are_noticed() -> None:
    old = await Passwords(time_cost=1, memory_kib=8).hash("correct horse battery")
    now = Passwords(time_cost=2, memory_kib=16)
    verdict = await now.verify("correct horse battery", old)
    assert verdict.right
    assert verdict.outdated
    assert not (await now.verify("wrong", old)).outdated
    fresh = await now.hash("correct horse battery")
    assert not (await now.verify("correct horse battery", fresh)).outdated


class _Slow(Passwords):
    """Every verification waits until it is let go; counts how many run at once."""

    def __init__(self, line: int) -> None:
        super().__init__(time_cost=1, memory_kib=8, line=line)
        self.gate = threading.Event()
        self.running = 0
        self.most = 0
        self.ran = 0
        self._count = threading.Lock()

    def _verify_now(self, password: bytes, stored: str) -> module.Verdict:
        with self._count:
            self.running += 1
            self.ran += 1
            self.most = max(self.most, self.running)
        self.gate.wait(10)
        with self._count:
            self.running -= 1
        return super()._verify_now(password, stored)


async def test_two_at_once_a_bounded_line_and_the_loop_goes_on() -> None:
    passwords = _Slow(line=3)
    tasks = [asyncio.create_task(passwords.verify("x", None)) for _ in range(8)]
    await asyncio.sleep(0.05)
    assert [task.done() for task in tasks] == [False] * 5 + [True] * 3
    for task in tasks[5:]:
        with pytest.raises(Busy):
            task.result()
    started = time.monotonic()
    await asyncio.sleep(0)
    assert time.monotonic() - started < 0.5  # the loop is free while two threads hash
    passwords.gate.set()
    await asyncio.gather(*tasks[:5])
    assert passwords.most == 2
    assert not (await passwords.verify("x", None)).right  # the line is open again


async def test_callers_who_go_away_do_not_pile_up_hashes() -> None:
    passwords = _Slow(line=2)
    for _ in range(20):
        crowd = [asyncio.create_task(passwords.verify("x", None)) for _ in range(10)]
        await asyncio.sleep(0)
        for task in crowd:
            task.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
    passwords.gate.set()
    for _ in range(100):
        if passwords._accepted == 0:
            break
        await asyncio.sleep(0.02)
    assert passwords._accepted == 0
    assert passwords.ran <= 4
    passwords.close()
