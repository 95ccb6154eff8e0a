"""The answer to tools/list on its way back: changed where it is the list, else as it came."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authgate.gateway import tool_lists
from authgate.gateway.tool_lists import ListAnswer
from authgate.web.answers import AnswerCut

TOOLS = [{"name": "add", "inputSchema": {"maximum": 2**70, "x": 1.0}}, {"name": "rm"}, {"no": 1}]
RESULT = {"tools": TOOLS, "nextCursor": "c+/=1", "ttlMs": 5, "cacheScope": "public"}
LIST = {"jsonrpc": "2.0", "id": 7, "result": RESULT}
KEPT = {**LIST, "result": {**RESULT, "tools": TOOLS[:1], "cacheScope": "private"}}
JSON, SSE = b"application/json", b"text/event-stream; charset=utf-8"


def only_add(tool: Any) -> Any:
    return tool if tool.get("name") == "add" else None


class Client:
    """What arrives."""

    def __init__(self, *, resumed: bool = False, change: Any = only_add) -> None:
        self.messages: list[Any] = []
        private = change is only_add
        self.answer = ListAnswer(self.take, change, private=private, resumed=resumed, request_id=7)

    async def take(self, message: Any) -> None:
        self.messages.append(message)

    async def start(self, kind: bytes, *more: tuple[bytes, bytes], status: int = 200) -> None:
        headers = [(b"content-type", kind), *more]
        await self.answer({"type": "http.response.start", "status": status, "headers": headers})

    async def part(self, body: bytes, *, more: bool = True) -> None:
        await self.answer({"type": "http.response.body", "body": body, "more_body": more})

    @property
    def status(self) -> int:
        return self.messages[0]["status"]

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])


def raw(message: Any = LIST) -> bytes:
    return json.dumps(message).encode()


async def test_a_document_is_changed_and_nothing_else_of_it() -> None:
    client = Client()
    await client.start(JSON, (b"content-length", b"999"), (b"etag", b'"x"'), (b"x-own", b"1"))
    whole = raw()
    await client.part(whole[:20])
    await client.part(whole[20:])
    assert not client.messages
    await client.part(b"", more=False)
    assert json.loads(client.body) == KEPT
    assert str(2**70).encode() in client.body
    assert client.headers == {
        b"content-type": JSON,
        b"x-own": b"1",
        b"content-length": str(len(client.body)).encode(),
    }


@pytest.mark.parametrize(
    "body",
    [
        raw({"jsonrpc": "2.0", "id": 7, "error": {"code": -32600, "message": "tools"}}),
        raw({"jsonrpc": "2.0", "id": 7, "result": {"tools": {}}}),
        raw({"jsonrpc": "2.0", "id": 7, "result": []}),
        raw([1, None]),
        b'{"tools": not JSON',
        b"",
    ],
)
async def test_what_is_no_list_passes_as_it_came(body: bytes) -> None:
    client = Client()
    await client.start(JSON, (b"content-length", str(len(body)).encode()))
    await client.part(body, more=False)
    assert client.body == body
    assert client.headers[b"content-length"] == str(len(body)).encode()


@pytest.mark.parametrize("kind", [b"text/plain", b"application/vnd.x+json", b""])
async def test_a_list_is_one_whatever_it_is_called(kind: bytes) -> None:
    client = Client()
    await client.start(kind)
    await client.part(raw(), more=False)
    assert json.loads(client.body) == KEPT


async def test_the_list_within_a_batch() -> None:
    other = {"jsonrpc": "2.0", "id": 8, "result": {"content": []}}
    client = Client()
    await client.start(JSON)
    await client.part(raw([other, LIST]), more=False)
    assert json.loads(client.body) == [other, KEPT]


@pytest.mark.parametrize(("kind", "status"), [(JSON, 400), (SSE, 500), (JSON, 202)])
async def test_other_answers_pass_at_once(kind: bytes, status: int) -> None:
    client = Client()
    await client.start(kind, status=status)
    await client.part(raw())
    assert client.status == status
    assert client.body == raw()


@pytest.mark.parametrize("headers", [((b"content-encoding", b"gzip"),), ()])
async def test_a_list_that_cannot_be_opened_is_not_shown(
    headers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool_lists, "LIMIT", 100)
    client = Client()
    await client.start(JSON, *headers)
    await client.part(raw())
    await client.part(b"more", more=False)
    assert client.status == 502
    told = json.loads(client.body)
    assert (told["id"], told["error"]["data"]["error"]) == (7, "upstream_error")
    assert b"rm" not in client.body


# --- streams --------------------------------------------------------------------------------------

PING = b": keep-alive\n\n"
PROGRESS = b'event: message\r\nid: 3\r\ndata: {"method":"notifications/x",\r\ndata: "p":1}\r\n\r\n'


def event(message: Any = LIST, end: bytes = b"\n") -> bytes:
    return b"id: 4" + end + b"data: " + raw(message) + end + end


async def test_events_pass_when_they_are_whole_and_only_the_list_is_changed() -> None:
    client = Client()
    await client.start(SSE, (b"content-length", b"5"))
    assert client.headers == {b"content-type": SSE}
    await client.part(PING + PROGRESS)
    assert client.body == PING + PROGRESS
    whole = event()
    await client.part(whole[:40])
    assert client.body == PING + PROGRESS
    await client.part(whole[40:])
    changed = client.body.removeprefix(PING + PROGRESS)
    assert changed.startswith(b"id: 4\ndata: {")
    assert changed.endswith(b"}\n\n")
    assert json.loads(changed.partition(b"data: ")[2]) == KEPT
    await client.part(PING, more=False)
    assert client.body.endswith(PING)
    assert client.messages[-1]["more_body"] is False


@given(st.sampled_from([b"\n", b"\r", b"\r\n"]), st.data())
async def test_however_a_stream_is_cut_into_parts(end: bytes, data: st.DataObject) -> None:
    whole = (PING + PROGRESS).replace(b"\r\n", b"\n").replace(b"\n", end)
    stream = whole + event(end=end) + whole + event({**LIST, "id": "x"}, end)[: -len(end)]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=12)))
    client = Client()
    await client.start(SSE)
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        await client.part(stream[start:stop], more=stop < len(stream))
    lines = client.body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    told = [json.loads(line[6:]) for line in lines if line.startswith(b"data: {") and b"}" in line]
    assert [one["result"] for one in told] == [KEPT["result"]] * 2
    assert b'"rm"' not in client.body
    assert client.body.startswith(whole[:-1])  # a line's end may be split among two events
    assert client.body.count(b"keep-alive") == 2


async def test_an_event_without_an_end_is_changed_too() -> None:
    client = Client()
    await client.start(SSE)
    await client.part(event().rstrip(b"\n"), more=False)
    assert b'"rm"' not in client.body
    assert b'"add"' in client.body


async def test_an_event_that_is_too_large_cuts_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_lists, "LIMIT", 100)
    client = Client()
    await client.start(SSE)
    with pytest.raises(AnswerCut):
        await client.part(event()[:200])
    assert b"rm" not in client.body


async def test_a_resumed_stream_passes_what_cannot_be_the_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tool_lists, "LIMIT", 1000)
    client = Client(resumed=True)
    await client.start(SSE)
    large = b'data: {"result":{"content":"' + b"x" * 5000 + b'"}}\n\n'
    for at in range(0, len(large), 777):
        await client.part(large[at : at + 777])
    assert client.body == large
    await client.part(event())
    assert b'"rm"' not in client.body.removeprefix(large)
    assert b'"add"' in client.body
    for kind, headers in ((JSON, ()), (SSE, ((b"content-encoding", b"gzip"),))):
        other = Client(resumed=True)
        await other.start(kind, *headers)
        await other.part(b"anything")
        assert other.body == b"anything"


async def test_a_list_for_everybody_stays_for_everybody() -> None:
    client = Client(change=lambda tool: {**tool, "seen": True})
    await client.start(JSON)
    await client.part(raw(), more=False)
    result = json.loads(client.body)["result"]
    assert result["cacheScope"] == "public"
    assert [tool["seen"] for tool in result["tools"]] == [True] * 3
