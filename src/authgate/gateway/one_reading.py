"""A body that every reader reads alike, or none at all.

Where we decide on a call that another program makes, the two must not read two different calls in
the same bytes. So whatever some reader is known to take otherwise is refused: a member that comes
twice (some take the first, some the last), names in another case (Go's JSON does not look at it),
control characters (a C string ends at the first), what some readers clean away (spaces around a
name, letters of another width), a character set other than UTF-8 (Node's servers decode UTF-7 if a
header says so), a compressed body. No client that means well sends any of it.
"""

from __future__ import annotations

import asyncio
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.mcp import Call, read_call
from authgate.protocol.tool_scopes import CALL, LIST
from authgate.web.answers import Header

MAX_NAME = 1024
BY_THE_WAY = 65_536  # bytes that are read at once; more would keep everybody else waiting

_OF_MESSAGE = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
_OF_PARAMETERS = frozenset({"name", "arguments", "_meta"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_UTF8 = re.compile(rb'[^;"]*;\s*charset="?utf-?8"?\s*')
_TYPE, _CODING = b"content-type", b"content-encoding"


async def calls(headers: Iterable[Header], body: bytes) -> list[Call]:
    """What a body asks, one after the other; raises `Refusal` for any that has two readings.

    A batch has several (until 2025-03-26). Answers of the client's are calls without a method.
    """
    _check_headers(headers)
    if len(body) > BY_THE_WAY:
        return await asyncio.to_thread(_calls, body)
    return _calls(body)


async def only_call(headers: Iterable[Header], body: bytes) -> Call | None:
    """The call in a body that every reader reads alike; None for any other, and for a batch."""
    try:
        found = await calls(headers, body)
    except Refusal:
        return None
    return found[0] if len(found) == 1 and not body.lstrip().startswith(b"[") else None


def _calls(body: bytes) -> list[Call]:
    document = _document(body)
    return [_call(message) for message in (document if isinstance(document, list) else [document])]


def _check_headers(headers: Iterable[Header]) -> None:
    types = 0
    for name, value in headers:
        plain = name.replace(b"_", b"-")
        if plain == _TYPE:
            types += 1
            told = value.lower()
            if b"charset" in told and not _UTF8.fullmatch(told):
                raise _odd("its character set is not UTF-8")
        elif plain == _CODING and value.strip().lower() != b"identity":
            raise _odd("it is compressed")
        if plain in (_TYPE, _CODING) and (plain != name or types > 1):
            raise _odd("its headers describe it twice")


def _document(body: bytes) -> Any:
    try:
        # Not `json.loads` of the bytes, which would guess at UTF-16 and UTF-32.
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise _odd("it is not UTF-8") from None
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):  # a mark of the byte order is one of them
        raise Refusal(Reason.MCP_BODY_MALFORMED) from None


def _members(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _odd("a member comes twice in it")
    return members


def _no_constant(_: str) -> object:
    raise ValueError("NaN and Infinity are no JSON")


# Made once: to make one costs as much as to read a call with it.
_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_no_constant)


def _call(message: Any) -> Call:
    if not isinstance(message, dict):
        raise _odd("it is no JSON-RPC message")
    _check_members(message, _OF_MESSAGE)
    method, parameters = message.get("method"), message.get("params")
    if "method" in message:
        _check_method(method)
    if method == CALL:
        if not isinstance(parameters, dict):
            raise _odd("the tool has no proper name")
        _check_members(parameters, _OF_PARAMETERS)
        _check_name(parameters.get("name"))
    return read_call(message)


def _check_members(members: dict[str, Any], known: frozenset[str]) -> None:
    for name in members:
        if name not in known and (_CONTROL.search(name) or _plain(name).casefold() in known):
            raise _odd("a member has an odd name")


def _check_method(method: Any) -> None:
    if not isinstance(method, str) or _CONTROL.search(method):
        raise _odd("its method is no name")
    if method not in (CALL, LIST) and _plain(method).casefold() in (CALL, LIST):
        raise _odd("its method is oddly written")


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or len(name) > MAX_NAME or _CONTROL.search(name):
        raise _odd("the tool has no proper name")
    if name != _plain(name):  # it may be another tool's for who cleans names
        raise _odd("the tool's name is oddly written")


def _plain(text: str) -> str:
    """As a reader that forgives everything would take it, but for its case."""
    if text.isascii():
        return text.strip()
    seen = (c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    return "".join(seen).strip()


def _odd(why: str) -> Refusal:
    return Refusal(Reason.MCP_AMBIGUOUS, why=why)
