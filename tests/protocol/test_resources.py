"""Resources: the spellings of real clients, and no token for anything that was not asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authgate.protocol.errors import Reason
from authgate.protocol.resources import MAX_LENGTH, canonical, choose, stay_within
from tests.clauses import clause
from tests.protocol.making import OTHER_RESOURCE, RESOURCE, refused

KNOWN = (RESOURCE, OTHER_RESOURCE)

SAME = (
    RESOURCE,
    "https://auth.example.com/mcp/",  # claude.ai adds a slash
    "https://auth.example.com/mcp?session=1",  # ChatGPT appends a query
    "https://auth.example.com/mcp/?a=b&c",
    "https://AUTH.Example.COM/mcp",
    "HTTPS://auth.example.com/mcp",
    "https://auth.example.com:443/mcp",
)
NOT_OURS = (
    "https://auth.example.com",
    "https://auth.example.com/",
    "https://auth.example.com/MCP",
    "https://auth.example.com/mcp//",
    "https://auth.example.com/mcp/x",
    "https://auth.example.com/x/../mcp",
    "https://auth.example.com/mc%70",
    "https://auth.example.com:8443/mcp",
    "https://auth.example.com:80/mcp",
    "http://auth.example.com/mcp",
    "https://evil.example/mcp",
    "https://auth.example.com.evil.example/mcp",
    "https://auth.example.com@evil.example/mcp",
    "https://user@auth.example.com/mcp",
    "https://auth.example.com/mcp#frag",
    "https://auth.example.com/mcp?x#frag",
    "https://auth.example.com/mcp#",
    "https://auth.example.com /mcp",
    "https://auth.example.com/mcp\n",
    "//auth.example.com/mcp",
    "auth.example.com/mcp",
    "urn:mcp",
    "https://",
    "mcp",
    "null",
    "https://auth.example.com/" + "a" * MAX_LENGTH,
)


@pytest.mark.parametrize("asked", SAME)
@clause("RFC 8707", "2")
def test_spellings_of_one_resource_are_forgiven_and_ours_is_issued(asked: str) -> None:
    assert choose((asked,), KNOWN) == RESOURCE
    assert stay_within((asked,), RESOURCE) == RESOURCE


@pytest.mark.parametrize("asked", NOT_OURS)
@clause("RFC 8707", "2")
def test_anything_else_is_an_invalid_target(asked: str) -> None:
    with refused(Reason.RESOURCE_UNKNOWN) as caught:
        choose((asked,), KNOWN)
    assert caught.value.code == "invalid_target"
    assert RESOURCE in caught.value.hint
    with refused(Reason.RESOURCE_BEYOND_GRANT) as caught:
        stay_within((asked,), RESOURCE)
    assert caught.value.code == "invalid_target"


@pytest.mark.parametrize(
    ("asked", "ours", "same"),
    [
        ("https://h.example", "https://h.example", True),
        ("https://h.example/", "https://h.example", True),
        ("https://h.example", "https://h.example/", True),
        ("https://h.example/?x", "https://h.example", True),
        ("http://localhost:8000/mcp/", "http://localhost:8000/mcp", True),
        ("http://localhost:80/mcp", "http://localhost/mcp", True),
        ("http://127.0.0.1:8000/mcp", "http://localhost:8000/mcp", False),
        ("http://[::1]:8000/mcp/", "http://[::1]:8000/mcp", True),
        ("http://[::1]:8001/mcp", "http://[::1]:8000/mcp", False),
        # a query that belongs to our identifier is part of its name
        ("https://h.example/mcp?t=a", "https://h.example/mcp?t=a", True),
        ("https://H.example/mcp/?t=a", "https://h.example/mcp?t=a", True),
        ("https://h.example/mcp?t=b", "https://h.example/mcp?t=a", False),
        ("https://h.example/mcp", "https://h.example/mcp?t=a", False),
    ],
)
@clause("RFC 8707", "2")
def test_what_counts_as_the_same_identifier(asked: str, ours: str, same: bool) -> None:
    if same:
        assert choose((asked,), (ours,)) == ours
        assert stay_within((asked,), ours) == ours
        return
    with refused(Reason.RESOURCE_UNKNOWN):
        choose((asked,), (ours,))
    with refused(Reason.RESOURCE_BEYOND_GRANT):
        stay_within((asked,), ours)


@clause("RFC 8707", "2")
def test_of_two_alike_the_very_one_asked_for_is_chosen() -> None:
    tenants = ("https://h.example/mcp?t=a", "https://h.example/mcp?t=b")
    slashes = ("https://h.example/mcp", "https://h.example/mcp/")
    for known in (tenants, slashes):
        for identifier in known:
            assert choose((identifier,), known) == identifier
    with refused(Reason.RESOURCE_BEYOND_GRANT):
        stay_within((tenants[1],), tenants[0])


@clause("RFC 8707", "2")
def test_without_a_resource_the_default_or_the_granted_one_counts() -> None:
    assert choose((), KNOWN) == RESOURCE
    assert stay_within((), OTHER_RESOURCE) == OTHER_RESOURCE


@pytest.mark.parametrize("asked", [(RESOURCE, RESOURCE), (RESOURCE, OTHER_RESOURCE), ("x", "y")])
@clause("RFC 8707", "2")
def test_a_token_is_for_one_resource(asked: tuple[str, ...]) -> None:
    with refused(Reason.RESOURCE_REPEATED) as caught:
        choose(asked, KNOWN)
    assert caught.value.code == "invalid_target"
    with refused(Reason.RESOURCE_REPEATED):
        stay_within(asked, RESOURCE)


@clause("RFC 8707", "2.2")
def test_a_resource_of_ours_that_was_not_granted_is_refused() -> None:
    with refused(Reason.RESOURCE_BEYOND_GRANT):
        stay_within((OTHER_RESOURCE,), RESOURCE)


@given(
    st.one_of(st.text(), st.from_regex(r"https?://[^/]{0,9}(:\d{0,6})?(/[^?]{0,9})?(\?.{0,9})?"))
)
@clause("RFC 8707", "2")
def test_no_spelling_fails_and_none_names_two_hosts(asked: str) -> None:
    plain = canonical(asked)
    if plain is None:
        return
    assert "#" not in asked
    assert "@" not in plain.split("/")[2]
    assert plain.startswith(("https://", "http://"))
    assert choose((asked,), (asked, RESOURCE)) == asked


@clause("RFC 8707", "2")
def test_an_identifier_may_be_long_but_not_endless() -> None:
    longest = RESOURCE + "?" + "a" * (MAX_LENGTH - len(RESOURCE) - 1)
    assert len(longest) == MAX_LENGTH
    assert canonical(longest) == RESOURCE
    assert canonical(longest + "a") is None
