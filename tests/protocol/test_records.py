"""Records: frozen, and silent about what a log must not hold. Policy and digests beside them."""

from __future__ import annotations

import dataclasses
import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authgate.protocol import policy, reasons, records
from authgate.protocol.digests import digest, same_digest
from authgate.protocol.reasons import Reason
from authgate.protocol.records import Account, SigningKey
from tests.clauses import clause
from tests.protocol.making import POLICY, RESOURCE

RECORDS = [
    kind
    for module in (records, policy, reasons)
    for _, kind in inspect.getmembers(module, dataclasses.is_dataclass)
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_every_record_is_frozen_and_introduces_itself(record: type) -> None:
    assert record.__dataclass_params__.frozen
    assert record.__slots__ is not None
    assert inspect.getdoc(record)


@clause("ASVS", "16.2.5")
def test_no_record_shows_a_secret() -> None:
    assert "h4sh" not in repr(Account("ag_1", "a@b.c", "a@b.c", "h4sh"))
    assert "s3aled" not in repr(SigningKey("k", "ES256", {}, "s3aled"))


def test_the_first_resource_is_the_default() -> None:
    assert POLICY.default_resource == RESOURCE


def test_reasons_are_named_as_they_are_written() -> None:
    assert all(reason.value == reason.name.lower() for reason in Reason)


@given(st.text(), st.text())
@clause("RFC 6819", "5.1.4.1.3")
def test_a_digest_recognises_its_own_secret_only(secret: str, other: str) -> None:
    kept = digest(secret)
    assert len(kept) == 64
    assert same_digest(secret, kept)
    assert same_digest(other, kept) is (other == secret)
    assert not same_digest(kept, kept)


def test_half_a_surrogate_pair_is_a_secret_like_any_other() -> None:
    assert same_digest("\ud800", digest("\ud800"))
    assert not same_digest("x", digest("\ud800"))
