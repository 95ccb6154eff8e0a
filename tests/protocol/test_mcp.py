"""Headers that repeat the body must say what it says; nothing else of a message is judged."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authgate.protocol.errors import Reason
from authgate.protocol.mcp import Call, Routing, check_agreement, read_call
from tests.clauses import clause
from tests.protocol.making import refused

VERSION = "io.modelcontextprotocol/protocolVersion"


def message(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


def encoded(name: str) -> str:
    return f"=?base64?{b64encode(name.encode()).decode()}?="


@pytest.mark.parametrize(
    ("sent", "routing"),
    [
        (message("tools/call", name="add"), Routing(method="tools/call", name="add")),
        (message("tools/call", name="größe"), Routing(name=encoded("größe"))),
        (message("tools/call", name="=?base64?eA==?="), Routing(name=encoded("=?base64?eA==?="))),
        (message("resources/read", uri="a://b"), Routing(name="a://b")),
        (message("prompts/get", name="p"), Routing(method="prompts/get", name="p")),
        (message("tools/list", _meta={VERSION: "2026-07-28"}), Routing(version="2026-07-28")),
        # what is only on one side is for the server to judge
        (message("tools/list"), Routing(version="2026-07-28", method="tools/list")),
        (message("tools/call"), Routing(name="add")),
        (message("completion/complete", name="x"), Routing(name="y")),
        (message("tools/call", name="add"), Routing()),
        ({"jsonrpc": "2.0", "id": 1, "result": {}}, Routing(version="2025-11-25")),
        ([message("tools/call", name="a")], Routing(version="2025-03-26")),
        ("text", Routing()),
    ],
)
def test_what_agrees(sent: object, routing: Routing) -> None:
    check_agreement(routing, read_call(sent))


@clause("MCP 2026-07-28", "basic/transports/streamable-http#server-validation")
@pytest.mark.parametrize(
    ("sent", "routing", "header"),
    [
        (message("tools/call", name="add"), Routing(method="tools/list"), "Mcp-Method"),
        (message("tools/call", name="add"), Routing(method="TOOLS/CALL"), "Mcp-Method"),
        (message("tools/call", name="drop"), Routing(method="tools/call", name="add"), "Mcp-Name"),
        (message("tools/call", name=["add"]), Routing(name="add"), "Mcp-Name"),
        (message("resources/read", uri="a://b", name="c"), Routing(name="c"), "Mcp-Name"),
        (message("tools/call", name="x"), Routing(name="=?base64?%%%?="), "Mcp-Name"),
        (message("tools/call", name="x"), Routing(name="=?base64?/w==?="), "Mcp-Name"),
        (message("tools/call", name="x"), Routing(name="=?BASE64?eA==?="), "Mcp-Name"),
        (message("a", _meta={VERSION: "2026-07-28"}), Routing(version="2025-11-25"), "Version"),
        (message("a", _meta={VERSION: 1}), Routing(version="1"), "Version"),
        ([message("tools/call", name="a")], Routing(method="tools/call"), "Mcp-Method"),
        ({"jsonrpc": "2.0", "id": 1, "result": {}}, Routing(method="tools/call"), "Mcp-Method"),
    ],
)
def test_what_does_not(sent: object, routing: Routing, header: str) -> None:
    with refused(Reason.MCP_HEADER_MISMATCH) as caught:
        check_agreement(routing, read_call(sent))
    assert header in caught.value.sentence


@pytest.mark.parametrize("found", [1, "one", "", 0])
def test_the_id_to_answer_with(found: object) -> None:
    assert read_call({"id": found}).request_id == found


@pytest.mark.parametrize("found", [None, True, 1.5, [1], {}])
def test_what_is_no_id(found: object) -> None:
    assert read_call({"id": found}).request_id is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
SHAPED = st.fixed_dictionaries(
    {}, optional={"id": JSON, "method": JSON | st.just("tools/call"), "params": JSON}
)


@given(JSON | SHAPED)
def test_whatever_comes_is_read(sent: object) -> None:
    call = read_call(sent)
    assert isinstance(call, Call)
    assert call.method is None or isinstance(call.method, str)


@pytest.mark.parametrize(
    ("version", "stateless"),
    [
        ("2026-07-28", True),
        ("2027-01-01", True),
        ("2025-11-25", False),
        ("DRAFT-2026-v1", False),
        ("9", False),
        (None, False),
    ],
)
def test_which_era_a_version_is_of(version: str | None, stateless: bool) -> None:
    assert Routing(version=version).stateless is stateless
    assert Routing(version=version).needs_body is stateless


def test_what_the_body_is_read_for() -> None:
    assert Routing(method="x").needs_body
    assert Routing(name="x").needs_body
    assert not Routing().needs_body
