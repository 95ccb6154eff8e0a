"""Which spellings of an address are one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authgate.security.addresses import fold_email, network_of
from tests.clauses import clause


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ana@Example.COM", "ana@example.com"),
        (" ana@example.com\t", "ana@example.com"),
        ("STRASSE@example.com", "straße@example.com"),
        ("jose\u0301@example.com", "jos\u00e9@example.com"),
    ],
)
def test_spellings_of_one_address(one: str, other: str) -> None:
    assert fold_email(one) == fold_email(other)


@clause("RFC 6532", "3.1")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.na@example.com", "ana@example.com"),
        ("ana+x@example.com", "ana@example.com"),
        ("\uff41na@example.com", "ana@example.com"),  # NFKC would make these two one
        ("\u0131@example.com", "i@example.com"),
    ],
)
def test_different_mailboxes_stay_different(one: str, other: str) -> None:
    assert fold_email(one) != fold_email(other)


@given(st.text())
def test_folding_twice_changes_nothing_and_nothing_raises(text: str) -> None:
    assert fold_email(fold_email(text)) == fold_email(text)
    network_of(text)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("testclient", "testclient"),
        ("", ""),
        ("not:an:address", "not:an:address"),
    ],
)
def test_addresses_that_count_as_themselves(address: str, network: str) -> None:
    assert network_of(address) == network


def test_ipv6_counts_by_its_64_bit_network() -> None:
    first = network_of("2001:db8:1:2:3:4:5:6")
    assert network_of("2001:db8:1:2:ffff::1") == first
    assert network_of("2001:0db8:0001:0002::") == first
    assert network_of("2001:db8:1:3::1") != first
    assert network_of("fe80::1%eth0") == network_of("fe80::2%eth1")
