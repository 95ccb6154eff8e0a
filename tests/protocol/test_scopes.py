"""Scopes: read as RFC 6749 writes them, narrowed and never widened."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.scopes import MAX_LENGTH, grantable, is_token, narrowed, parse
from tests.clauses import clause
from tests.protocol.making import refused, result_of

OFFERED = ("mcp:use", "mcp:admin")
TOKENS = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"\\'), min_size=1
)


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (None, None),
        ("", None),
        (" ", None),
        ("mcp:use", ("mcp:use",)),
        ("b a b", ("b", "a")),
        ("  a   b  ", ("a", "b")),
        ("!#[]~", ("!#[]~",)),
    ],
)
@clause("RFC 6749", "3.3")
def test_a_list_is_read_in_its_order_each_name_once(
    value: str | None, names: tuple[str, ...] | None
) -> None:
    assert parse(value) == names


@pytest.mark.parametrize(
    "value",
    ['a"b', "a\\b", "a\tb", "a\nb", "ü", "a\u00a0b", "a\x7f", "\x00", "x" * (MAX_LENGTH + 1)],
)
@clause("RFC 6749", "3.3")
def test_characters_outside_the_grammar_are_invalid_scope(value: str) -> None:
    with refused(Reason.SCOPE_MALFORMED) as caught:
        parse(value)
    assert caught.value.code == "invalid_scope"


@clause("RFC 6749", "3.3")
def test_a_list_may_be_long_but_not_endless() -> None:
    assert parse("x" * MAX_LENGTH) == ("x" * MAX_LENGTH,)


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        (None, ("mcp:use", "mcp:admin")),
        ((), ("mcp:use", "mcp:admin")),
        (("mcp:use",), ("mcp:use",)),
        (("mcp:admin", "mcp:use"), ("mcp:use", "mcp:admin")),
        (("mcp:use", "openid", "email"), ("mcp:use",)),
        (("openid", "email", "profile"), ("mcp:use", "mcp:admin")),  # Windsurf
        (("mcp:use", "offline_access"), ("mcp:use", "offline_access")),
        (("offline_access",), ("mcp:use", "mcp:admin", "offline_access")),
        (("MCP:USE",), ("mcp:use", "mcp:admin")),
    ],
)
@clause("RFC 6749", "3.3")
def test_unknown_names_are_left_out_and_offline_access_is_for_everyone(
    asked: tuple[str, ...] | None, granted: tuple[str, ...]
) -> None:
    assert grantable(asked, OFFERED) == granted


@clause("MCP authorization", "Refresh Tokens")
def test_an_operator_who_lists_offline_access_gives_it_only_to_those_who_ask() -> None:
    offered = ("mcp:use", "offline_access")
    assert grantable(None, offered) == ("mcp:use",)
    assert grantable(("mcp:use", "offline_access"), offered) == ("mcp:use", "offline_access")


@clause("RFC 6749", "6")
def test_a_refresh_may_narrow_in_our_order() -> None:
    granted = ("mcp:use", "mcp:admin", "offline_access")
    assert narrowed(None, granted) == granted
    assert narrowed(("mcp:admin", "mcp:use"), granted) == ("mcp:use", "mcp:admin")
    assert narrowed(("offline_access",), granted) == ("offline_access",)


@pytest.mark.parametrize("name", ["mcp:admin", "mcp", "mcp:use ", "offline_access", "MCP:USE", ""])
@clause("RFC 6749", "6")
def test_a_refresh_may_not_widen(name: str) -> None:
    with refused(Reason.SCOPE_BEYOND_GRANT) as caught:
        narrowed(("mcp:use", name), ("mcp:use",))
    assert caught.value.code == "invalid_scope"


@given(st.text(max_size=200))
@clause("RFC 6749", "3.3")
def test_any_text_is_a_list_or_a_clear_refusal(text: str) -> None:
    names = result_of(lambda: parse(text))
    if isinstance(names, Refusal):
        assert names.reason is Reason.SCOPE_MALFORMED
        return
    assert names is None or all(is_token(name) for name in names)
    assert parse(" ".join(names or ())) == names


@given(st.lists(TOKENS), st.lists(TOKENS, min_size=1, unique=True))
@clause("RFC 6749", "3.3")
def test_what_is_granted_is_offered(asked: list[str], offered: list[str]) -> None:
    given_scopes = grantable(asked, offered)
    assert set(given_scopes) <= {*offered, "offline_access"}
    assert len(set(given_scopes)) == len(given_scopes)
    assert narrowed(given_scopes, given_scopes) == given_scopes
