"""Which scopes a tool takes, and who has enough of them."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authgate.protocol.patterns import matches
from authgate.protocol.tool_scopes import ToolScopes, step_up
from tests.clauses import clause

TABLE = {
    "files_*": ("files:write",),
    "files_list": ("files:read",),
    "files_list_*": ("files:read",),
    "*_delete": ("files:write", "admin"),
    "whoami": (),
    "*": ("mcp:use",),
}


@pytest.mark.parametrize(
    ("tool", "scopes"),
    [
        ("files_put", ("files:write",)),
        ("files_list", ("files:read",)),
        ("files_list_all", ("files:read",)),
        ("files_delete", ("files:write", "admin")),
        ("whoami", ()),
        ("whoami2", ("mcp:use",)),
        ("Files_put", ("mcp:use",)),  # case counts, as it does for the server
        ("", ("mcp:use",)),
        ("files_" + "x" * 5000, ("files:write",)),
    ],
)
def test_the_most_particular_pattern_decides(tool: str, scopes: tuple[str, ...]) -> None:
    assert ToolScopes(TABLE).taken_by(tool) == scopes


def test_of_two_that_are_equally_particular_both_count() -> None:
    table = ToolScopes({"a*": ("one",), "*a": ("two",), "*": ("three",)})
    assert set(table.taken_by("aba")) == {"one", "two"}
    assert table.taken_by("ab") == ("one",)


@given(st.permutations(list(TABLE.items())), st.sampled_from(["files_x", "a_delete", "files_list"]))
def test_the_order_of_the_file_means_nothing(
    items: list[tuple[str, tuple[str]]], tool: str
) -> None:
    assert ToolScopes(dict(items)).taken_by(tool) == ToolScopes(TABLE).taken_by(tool)


_NAMES = st.text("ab_", max_size=6)
_TABLES = st.dictionaries(
    st.text("ab_*", min_size=1, max_size=5),
    st.lists(st.sampled_from(["x", "y", "z"]), max_size=2, unique=True).map(tuple),
    max_size=8,
)


@given(_TABLES, _NAMES)
def test_whatever_decides_matches_and_nothing_more_particular_does(
    tools: dict[str, tuple[str, ...]], tool: str
) -> None:
    def particular(pattern: str) -> tuple[bool, int]:
        return "*" not in pattern, len(pattern.replace("*", ""))

    fit = [pattern for pattern in tools if matches(pattern, tool)]
    best = max(map(particular, fit), default=None)
    wanted = {name for pattern in fit if particular(pattern) == best for name in tools[pattern]}
    found = ToolScopes(tools, ("the default",)).written_for(tool)
    assert (found is None) == (not fit)
    assert set(found or ()) == wanted


def test_unknown_tools_fall_to_the_default() -> None:
    table = ToolScopes({"files_*": ("files:read",), "free": ()}, ("mcp:use", "extra"))
    assert table.taken_by("other") == ("mcp:use", "extra")
    assert table.written_for("other") is None
    assert table.taken_by("free") == table.written_for("free") == ()


@clause("MCP authorization", "Step-Up Authorization Flow")
def test_a_broader_scope_stands_for_narrower_ones_where_the_table_says_so() -> None:
    table = ToolScopes(implied={"admin": ("files", "mail"), "files": ("files:read",), "odd": ()})
    needed = ("files:read", "mail", "files")
    assert table.lacking(needed, ("admin",)) == ()
    assert table.lacking(needed, ("files",)) == ("mail",)
    assert table.lacking(needed, ("odd", "mcp:use")) == needed
    # and never by the look of a name, nor upwards
    assert ToolScopes().lacking(("files:read",), ("files", "files:*", "*")) == ("files:read",)
    assert table.lacking(("admin",), ("files", "mail")) == ("admin",)


def test_scopes_that_stand_for_each_other_end() -> None:
    table = ToolScopes(implied={"a": ("b",), "b": ("c",), "c": ("a",), "d": ("d",)})
    assert table.lacking(("a", "b", "c"), ("b",)) == ()
    assert table.lacking(("a",), ("d",)) == ("a",)


def test_does_anything_take_anything() -> None:
    assert not ToolScopes().asks
    assert not ToolScopes({"a": (), "b*": ()}).asks
    assert ToolScopes({"a": ("x",)}).asks
    assert ToolScopes(default=("x",)).asks


OFFERED = ("files:read", "mcp:use", "files:write", "admin")


@pytest.mark.parametrize(
    ("tools", "default", "implied", "chosen", "first"),
    [
        # what no pattern asks for, and what stands for nothing that one does
        ({"f*": ("files:write",)}, (), {}, (), ("files:read", "mcp:use", "admin")),
        ({"f*": ("files:write",)}, (), {"admin": ("files:write",)}, (), ("files:read", "mcp:use")),
        (
            {"f*": ("files:write",)},
            ("files:write",),
            {"admin": ("files:write",)},
            (),
            ("files:write", "files:read", "mcp:use"),
        ),
        # chosen by the operator
        ({"f*": ("files:write",)}, (), {}, ("files:write", "mcp:use"), ("files:write", "mcp:use")),
        # nothing is left: the first on offer
        ({"a": OFFERED}, (), {}, (), ("files:read",)),
        ({"a": OFFERED}, ("mcp:use",), {}, (), ("mcp:use",)),
    ],
)
@clause("MCP 2026-07-28 authorization", "Scope Selection Strategy")
def test_what_a_client_is_told_to_ask_for_first(
    tools: dict[str, tuple[str, ...]],
    default: tuple[str, ...],
    implied: dict[str, tuple[str, ...]],
    chosen: tuple[str, ...],
    first: tuple[str, ...],
) -> None:
    assert ToolScopes(tools, default, implied).first(OFFERED, chosen) == first


@clause("MCP 2025-11-25 authorization", "Runtime Insufficient Scope Errors")
@clause("MCP 2026-07-28 authorization", "Runtime Insufficient Scope Errors")
def test_a_step_up_names_all_that_is_needed_and_what_there_was() -> None:
    known = ("mcp:use", "files:read", "files:write")
    found = step_up(("mcp:use", "offline_access", "gone"), ("files:read", "files:write"), known)
    assert found == ("mcp:use", "files:read", "files:write")
    assert step_up(("files:write",), ("files:write", "mcp:use"), known) == (
        "files:write",
        "mcp:use",
    )
    # where the issuer gives refresh tokens for it, it must not get lost
    assert step_up(("offline_access",), ("email",), ("email", "offline_access")) == (
        "offline_access",
        "email",
    )


def test_a_thousand_patterns_and_names_that_nobody_has_cost_little() -> None:
    """Bounded, whatever a caller sends; and only what can be a name is remembered."""
    tools = {f"{'a*' * (1 + n % 9)}{n}": (f"s{n % 7}",) for n in range(1000)}
    table = ToolScopes(tools)
    rng = random.Random(7)
    begun = time.perf_counter()
    for _ in range(50):
        table.taken_by("a" * rng.randrange(1, 100_000))
    assert time.perf_counter() - begun < 5
    assert table._remembered.cache_info().currsize <= 50
    before = table._remembered.cache_info().currsize
    table.taken_by("b" * 5000)
    assert table._remembered.cache_info().currsize == before
