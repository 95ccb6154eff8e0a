"""A body with two readings is nobody's call: what is judged is what the upstream reads."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authgate.gateway import one_reading
from authgate.protocol.errors import Refusal

JSON = [(b"content-type", b"application/json")]
HEAD = '{"jsonrpc":"2.0","id":1,'
CALL = HEAD + '"method":"tools/call","params":{"name":"add"}}'


async def why(body: bytes | str, headers: Any = JSON) -> str:
    """The reason for which a body is refused; empty if it is not."""
    try:
        await one_reading.calls(headers, body.encode() if isinstance(body, str) else body)
    except Refusal as refusal:
        return refusal.reason.value
    return ""


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (CALL, [("tools/call", "add", 1)]),
        (f"  [{CALL},\n{CALL}]\n", [("tools/call", "add", 1)] * 2),
        (CALL.replace("add", "\\u0061\\u0064d"), [("tools/call", "add", 1)]),
        (CALL.replace('"method"', '"\\u006dethod"'), [("tools/call", "add", 1)]),
        (CALL.replace("add", "größe 5,%"), [("tools/call", "größe 5,%", 1)]),
        ('{"jsonrpc":"2.0","id":1,"result":{"Name":1,"name":2}}', [(None, None, 1)]),
        (
            '{"jsonrpc":"2.0","method":"tools/list","params":{"Name":1}}',
            [("tools/list", None, None)],
        ),
        (HEAD + '"method":"x/y","params":[1,2]}', [("x/y", None, 1)]),
        ("[]", []),
    ],
)
async def test_what_is_read(body: str, read: list[Any]) -> None:
    calls = await one_reading.calls(JSON, body.encode())
    assert [(call.method, call.name, call.request_id) for call in calls] == read


@pytest.mark.parametrize(
    "body",
    [
        # a member that comes twice, in any spelling and anywhere
        HEAD + '"method":"ping","method":"tools/call","params":{"name":"add"}}',
        HEAD + '"method":"tools/call","params":{"name":"add"},"params":{"name":"rm"}}',
        HEAD + '"method":"tools/call","params":{"name":"add","name":"rm"}}',
        HEAD + '"method":"tools/call","params":{"name":"add","n\\u0061me":"rm"}}',
        HEAD + '"method":"ping","\\u006dethod":"tools/call","params":{"name":"rm"}}',
        HEAD + '"method":"x","params":{"a":{"b":1,"b":2}}}',
        f"[{CALL},{HEAD}" + '"method":"ping","method":"tools/call","params":{"name":"rm"}}]',
        # names that some readers take for ours
        HEAD + '"method":"ping","Method":"tools/call","params":{"name":"rm"}}',
        HEAD + '"METHOD":"tools/call","params":{"name":"rm"}}',
        HEAD + '"method":"tools/call","params":{"name":"add","Name":"rm"}}',
        HEAD + '"method":"tools/call","params":{"name":"add"},"PARAMS":{"name":"rm"}}',
        HEAD + '"method":"tools/call","params":{"name":"add"},"param\u017f":{"name":"rm"}}',
        HEAD + '"method":"ping"," method":"tools/call","params":{"name":"rm"}}',
        HEAD + '"method":"ping","method\\u0000x":"tools/call","params":{"name":"rm"}}',
        HEAD + '"method":"tools/call","params":{"name":"add","name\\u0000":"rm"}}',
        # values that end early, or are cleaned up, for some
        HEAD + '"method":"tools/call\\u0000","params":{"name":"rm"}}',
        HEAD + '"method":"tools/call","params":{"name":"rm\\u0000free"}}',
        HEAD + '"method":"tools/call","params":{"name":"rm\\ud800"}}',
        HEAD + '"method":"tools/call ","params":{"name":"rm"}}',
        HEAD + '"method":"Tools/Call","params":{"name":"rm"}}',
        HEAD + '"method":"TOOLS/LIST"}',
        HEAD + '"method":"tools\uff0fcall","params":{"name":"rm"}}',
        HEAD + '"method":"tools/call","\uff50arams":{"name":"rm"}}',
        HEAD + '"method":"tools/call","params":{"name":"rm "}}',
        HEAD + '"method":"tools/call","params":{"name":"\u2003rm"}}',
        HEAD + '"method":"tools/call","params":{"name":"\uff52m"}}',
        HEAD + '"method":"tools/call","params":{"name":"r\u200bm"}}',
        HEAD + '"method":"tools/call","params":{"name":"gro\u0308\u00dfe"}}',
        HEAD + '"method":["tools/call"],"params":{"name":"rm"}}',
        HEAD + '"method":null,"params":{"name":"rm"}}',
        # no proper tool
        HEAD + '"method":"tools/call","params":["rm"]}',
        HEAD + '"method":"tools/call","params":{"name":["rm"]}}',
        HEAD + '"method":"tools/call","params":{}}',
        HEAD + '"method":"tools/call"}',
        HEAD + '"method":"tools/call","params":{"name":"' + "x" * 1025 + '"}}',
        # no message
        f"[[{CALL}]]",
        f"[{CALL},1]",
        '"a string"',
        "null",
    ],
)
async def test_two_readings_are_none(body: str) -> None:
    assert await why(body) == "mcp_ambiguous"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b"\xef\xbb\xbf" + CALL.encode(),
        f"{CALL}\n{CALL}".encode(),
        f"{CALL[:-1]},}}".encode(),
        f"/* */{CALL}".encode(),
        CALL.replace('"add"', "NaN").encode(),
        CALL.replace('"add"', "-Infinity").encode(),
        CALL.replace("add", "a\ndd").encode(),
        b'{"method":' + b"[" * 200_000,
        b'{"a":' + b"9" * 10_000 + b"}",
    ],
)
async def test_what_is_no_json(body: bytes) -> None:
    assert await why(body) == "mcp_body_malformed"


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-32", "utf-16-be"])
async def test_only_utf_8_is_read(coding: str) -> None:
    assert await why(CALL.encode(coding))
    assert await why(CALL.replace("add", "größe").encode("latin-1")) == "mcp_ambiguous"


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ([], True),
        ([(b"content-type", b"application/json; charset=utf-8")], True),
        ([(b"content-type", b'Application/JSON;charset="UTF-8"')], True),
        ([(b"content-type", b"application/json; version=1")], True),
        ([(b"content-type", b"text/plain"), (b"content-encoding", b"identity")], True),
        # Node's raw-body would decode +AHIAbQ- to rm
        ([(b"content-type", b"application/json; charset=utf-7")], False),
        ([(b"content-type", b"application/json; charset=utf-8; charset=utf-7")], False),
        ([(b"content-type", b"application/json; charset*=utf-7''utf-7")], False),
        ([(b"content-type", b'application/json; x="; charset=utf-8')], False),
        ([(b"content-type", b"application/json; charset=us-ascii")], False),
        ([(b"content-type", b"application/json"), (b"content-type", b"text/plain")], False),
        ([(b"content-type", b"application/json"), (b"content_type", b"text/plain")], False),
        ([(b"content_type", b"application/json")], False),
        ([(b"content-encoding", b"gzip")], False),
        ([(b"content-encoding", b"identity"), (b"content-encoding", b"br")], False),
        ([(b"content_encoding", b"gzip")], False),
    ],
)
async def test_a_body_is_what_its_headers_say(headers: Any, passes: bool) -> None:
    assert (await why(CALL, headers) == "") is passes


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["method", "params", "name", "id", "Name", "x"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    ),
    st.sampled_from(["tools/call", "tools/list", "ping"]),
    st.text(max_size=4),
)
async def test_what_another_parser_reads_is_what_is_judged(
    inside: Any, method: str, tool: str
) -> None:
    """Written by one library, read by a second, judged by ours: the same, or refused."""
    params = {"name": tool, "arguments": inside}
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    if await why(body):
        hidden = any(unicodedata.category(letter) in ("Cc", "Cf") for letter in tool)
        assert hidden or tool != unicodedata.normalize("NFKC", tool).strip()
        assert method == "tools/call"
        return
    [call] = await one_reading.calls(JSON, body)
    read = json.loads(body)
    assert call.method == read["method"]
    assert call.name == (read["params"]["name"] if method == "tools/call" else None)


async def test_a_large_body_is_read_too() -> None:
    arguments = [{"n": number} for number in range(20_000)]
    body = json.dumps({"method": "tools/call", "params": {"name": "add", "arguments": arguments}})
    assert len(body) > one_reading.BY_THE_WAY
    [call] = await one_reading.calls(JSON, body.encode())
    assert call.name == "add"
    assert await why(body[:-1] + ',"method":"ping"}') == "mcp_ambiguous"


async def test_the_only_call_in_a_body() -> None:
    call = await one_reading.only_call(JSON, CALL.encode())
    assert call is not None
    assert call.name == "add"
    for body in (f"[{CALL}]", "[]", "x", CALL.replace('"id"', '"Method"')):
        assert await one_reading.only_call(JSON, body.encode()) is None
