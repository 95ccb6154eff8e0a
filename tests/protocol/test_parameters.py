"""Request parameters: empty is absent, unknown is ignored, repeated is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.parameters import MAX_VALUE_LENGTH, read
from tests.clauses import clause
from tests.protocol.making import refused, result_of


@clause("RFC 6749", "3.1")
def test_an_empty_value_counts_as_absent() -> None:
    form = read([("scope", ""), ("state", "x"), ("resource", "")])
    assert form.get("scope") is None
    assert form.get("state") == "x"
    assert form.resources == ()
    with refused(Reason.PARAMETER_MISSING) as caught:
        form.require("scope")
    assert "scope" in caught.value.sentence


@clause("RFC 6749", "3.1")
def test_an_unknown_name_is_ignored() -> None:
    read([("utm_source", "x"), ("", "y")]).refuse_repeated()


@pytest.mark.parametrize(
    ("pairs", "repeated"),
    [
        ([("a", "1"), ("a", "2")], ("a",)),
        ([("a", "1"), ("a", "1")], ("a",)),
        ([("a", "1"), ("a", "1"), ("a", "1")], ("a", "a")),
        ([("a", "1"), ("A", "1")], ()),
        ([("a", ""), ("a", "1")], ()),
        ([("a", "1"), ("a", "")], ()),
        ([("resource", "x"), ("resource", "x")], ()),
    ],
)
@clause("RFC 6749", "3.2")
def test_a_repeated_one_is_refused_by_name(
    pairs: list[tuple[str, str]], repeated: tuple[str, ...]
) -> None:
    form = read(pairs)
    assert form.repeated == repeated
    if not repeated:
        form.refuse_repeated()
        return
    with refused(Reason.REQUEST_REPEATED) as caught:
        form.refuse_repeated()
    assert caught.value.code == "invalid_request"
    assert " a " in caught.value.sentence


@clause("RFC 8707", "2")
def test_resource_alone_may_repeat_and_keeps_its_order() -> None:
    assert read([("resource", "b"), ("resource", "a")]).resources == ("b", "a")


@clause("RFC 6749", "3.1")
def test_a_value_may_be_long_but_not_endless() -> None:
    assert read([("state", "x" * MAX_VALUE_LENGTH)]).get("state")
    for name in ("state", "resource", "unknown"):
        with refused(Reason.PARAMETER_TOO_LONG) as caught:
            read([(name, "x" * (MAX_VALUE_LENGTH + 1))])
        assert name in caught.value.sentence


@pytest.mark.parametrize("bad", ["\x00", "a\x00b", "\ud800", "x\udfff"])
@clause("RFC 6749", "appendix B")
def test_what_is_not_text_is_refused_before_any_database_sees_it(bad: str) -> None:
    for pair in (("client_id", bad), (bad, "x"), ("resource", bad)):
        with refused(Reason.REQUEST_MALFORMED) as caught:
            read([pair])
        assert caught.value.sentence.isprintable()


@clause("RFC 6749", "appendix B")
def test_every_language_is_text() -> None:
    for value in ("pässword", "書籍", "\U0001f642", "\ue000", "\uffff", "a\nb"):
        assert read([("client_secret", value)]).get("client_secret") == value


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=12))
@clause("RFC 6749", "3.1")
def test_any_pairs_are_read_or_clearly_refused(pairs: list[tuple[str, str]]) -> None:
    form = result_of(lambda: read(pairs))
    if isinstance(form, Refusal):
        assert form.reason is Reason.REQUEST_MALFORMED
        return
    assert all(form.values.values())
    counted = len(form.values) + len(form.resources) + len(form.repeated)
    assert counted == sum(1 for _, value in pairs if value)
