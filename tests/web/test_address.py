"""Whose address a request comes from; what strangers write about it is worth nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from authgate.web import address

PROXIES = address.networks(("10.0.0.0/8", "127.0.0.1", "2001:db8::/32"))
VISITOR = "198.51.100.7"


def seen(peer: str | None, *forwarded: str) -> str:
    headers = [(b"x-forwarded-for", value.encode("latin-1", "replace")) for value in forwarded]
    scope = {"client": (peer, 1) if peer is not None else None, "headers": headers}
    return address.caller(scope, PROXIES)


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        (VISITOR, [], VISITOR),
        (VISITOR, ["203.0.113.9"], VISITOR),
        ("127.0.0.2", ["203.0.113.9"], "127.0.0.2"),  # loopback, but not the proxy
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", [VISITOR], VISITOR),
        ("::ffff:10.1.2.3", [VISITOR], VISITOR),
        ("10.1.2.3", [f" {VISITOR} "], VISITOR),
        # The nearest that is no proxy of ours: what stands before it was written by its sender.
        ("10.1.2.3", [f"203.0.113.9, {VISITOR}"], VISITOR),
        ("10.1.2.3", [f"203.0.113.9, {VISITOR}, 10.9.9.9"], VISITOR),
        ("10.1.2.3", ["203.0.113.9", VISITOR], VISITOR),
        ("10.1.2.3", [f"10.0.0.1, {VISITOR}, 2001:db8::1, 127.0.0.1"], VISITOR),
        # Nothing but proxies: the farthest of them.
        ("10.1.2.3", ["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
        # A word that is no address ends what can be believed.
        ("10.1.2.3", ["unknown"], "10.1.2.3"),
        ("10.1.2.3", [""], "10.1.2.3"),
        ("10.1.2.3", [f"{VISITOR}, _hidden"], "10.1.2.3"),
        ("10.1.2.3", [f"{VISITOR}:443"], "10.1.2.3"),
        ("10.1.2.3", [f"{VISITOR}, nonsense, 10.0.0.9"], "10.0.0.9"),
        ("10.1.2.3", ["2001:db9::7"], "2001:db9::7"),
        (None, [VISITOR], "unknown"),  # a Unix socket has no address
    ],
)
def test_the_nearest_that_is_no_proxy(peer: str | None, forwarded: list[str], caller: str) -> None:
    assert seen(peer, *forwarded) == caller


@given(lies=some.lists(some.text(max_size=20), max_size=4))
def test_no_word_of_a_callers_changes_where_a_proxy_saw_them(lies: list[str]) -> None:
    """What is left of what the proxy added is whatever the caller sent."""
    assert seen("10.1.2.3", *lies, VISITOR) == VISITOR
    assert seen("10.1.2.3", ", ".join([*lies, VISITOR])) == VISITOR
    assert seen("198.51.100.9", *lies) == "198.51.100.9"
