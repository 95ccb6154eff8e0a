"""The rules of a rollout that the table does not show (the table: tests/gateway)."""

from __future__ import annotations

import itertools

import pytest

from authgate.protocol.rollout import (
    NOT_OURS,
    Anonymous,
    Kind,
    Mode,
    Passes,
    Rules,
    Worth,
    rule,
)

ALL = list(itertools.product(Mode, Kind, Worth))


@pytest.mark.parametrize(("mode", "kind", "worth"), ALL)
def test_what_we_issued_never_goes_on_and_nobody_is_somebody_without_proof(
    mode: Mode, kind: Kind, worth: Worth
) -> None:
    ruling = rule(mode, kind, worth)
    assert not ruling.onward or kind in NOT_OURS
    assert not ruling.known or worth is Worth.GOOD
    assert not {Kind.OURS, Kind.API_KEY, Kind.NONE} & NOT_OURS


@pytest.mark.parametrize(("kind", "worth"), list(itertools.product(Kind, Worth)))
def test_each_mode_lets_at_most_those_pass_that_the_one_before_did(
    kind: Kind, worth: Worth
) -> None:
    order = [Passes.YES, Passes.LISTED, Passes.JUDGED, Passes.NO]
    passes = [order.index(rule(mode, kind, worth).passes) for mode in Mode]
    assert passes == sorted(passes)
    assert passes[:2] == [0, 0]  # off and observe refuse nobody


def test_required_takes_our_tokens_alone() -> None:
    passing = [(k, w) for k, w in itertools.product(Kind, Worth) if _passes(k, w)]
    assert passing == [(Kind.OURS, Worth.GOOD)]


def _passes(kind: Kind, worth: Worth) -> bool:
    return rule(Mode.REQUIRED, kind, worth).passes is not Passes.NO


def test_the_default_is_the_strictest() -> None:
    assert Rules().mode is Mode.REQUIRED
    assert not Rules().anonymous.anything
    assert not Rules().judged_there


@pytest.mark.parametrize(
    ("kind", "until"),
    [
        (Kind.SUPABASE, 10),
        (Kind.API_KEY, 20),
        (Kind.EXISTING_KEY, 20),
        (Kind.OURS, None),
        (Kind.NONE, None),
        (Kind.UNKNOWN, None),
    ],
)
def test_a_cut_off_is_the_first_moment_of_refusal(kind: Kind, until: int | None) -> None:
    rules = Rules(supabase_until=10, api_keys_until=20)
    assert rules.until(kind) == until
    if until is None:
        assert not rules.is_over(kind, 1 << 40)
    else:
        assert not rules.is_over(kind, until - 1)
        assert rules.is_over(kind, until)
    assert not Rules().is_over(kind, 1 << 40)


TABLE = Anonymous(tools=("search*",), methods=("resources/*",))


@pytest.mark.parametrize(
    ("method", "tool"),
    [
        ("tools/call", "search"),
        ("tools/call", "search_all"),
        ("tools/list", None),
        ("resources/read", "file:///x"),
        ("initialize", None),
        ("notifications/initialized", None),
        ("server/discover", None),
        ("ping", None),
    ],
)
def test_what_anybody_may_call(method: str, tool: object) -> None:
    assert TABLE.allows(method, tool)
    assert not Anonymous().allows(method, tool)


@pytest.mark.parametrize(
    ("method", "tool"),
    [
        ("tools/call", "delete"),
        ("tools/call", None),
        ("tools/call", 7),
        ("tools/call", ["search"]),
        ("prompts/get", "search"),
        ("tools/CALL", "search"),
        ("logging/setLevel", None),
        (None, "search"),
    ],
)
def test_what_not(method: str | None, tool: object) -> None:
    assert not TABLE.allows(method, tool)


def test_no_pattern_for_methods_opens_a_tool() -> None:
    assert not Anonymous(methods=("*",)).allows("tools/call", "add")
    assert Anonymous(methods=("*",)).allows("tools/list", None)
    assert not Anonymous(methods=("ping",)).allows("tools/list", None)
