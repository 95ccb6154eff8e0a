"""Registered or nearly: what people enter, and how it differs from what was meant."""

from __future__ import annotations

import pytest

from authgate.workos.near import near_miss, registered

MCP = "https://mcp.example/mcp"
BACK = "http://localhost:8000/oauth/callback"


@pytest.mark.parametrize(
    ("uri", "entry"),
    [
        (MCP, MCP),
        (BACK, "http://localhost:*/oauth/callback"),
        ("https://a.mcp.example/mcp", "https://*.mcp.example/mcp"),
        ("https://pr-7-x.mcp.example/mcp", "https://pr-*-x.mcp.example/mcp"),
        (MCP, "https://mcp.example/*"),
    ],
)
def test_it_is_there_exactly_or_by_a_pattern(uri: str, entry: str) -> None:
    assert registered(uri, ["https://else.example/", entry])


@pytest.mark.parametrize(
    ("uri", "entry"),
    [
        (MCP, MCP + "/"),
        (MCP, "https://mcp.example"),
        (MCP, "https://mcp.example/m"),
        ("https://a.b.mcp.example/mcp", "https://*.mcp.example/mcp"),
        ("https://mcp.example/a/b", "https://mcp.example/*"),
        ("https://mcpXexample/mcp", "https://mcp.example/*"),
        (BACK, "http://localhost:*/callback"),
        ("http://localhost/oauth/callback", "http://localhost:*/oauth/callback"),
        ("https://a.example/mcp.evil", "https://*/mcp"),
    ],
)
def test_it_is_not_there(uri: str, entry: str) -> None:
    assert not registered(uri, [entry])


@pytest.mark.parametrize(
    ("uri", "entry", "words"),
    [
        (MCP, MCP + "/", "in a slash at the end"),
        (MCP, "https://MCP.example/mcp", "in capital letters"),
        (MCP, " " + MCP, "in blanks around it"),
        (MCP, "http://mcp.example/mcp", "in http and https"),
        (BACK, "http://127.0.0.1:8000/oauth/callback", "in localhost and 127.0.0.1"),
        (BACK, "http://localhost:3000/oauth/callback", "in the port"),
        (BACK, "http://localhost:8000/callback", "in the path"),
        (MCP, "https://mcp.example", "in the path"),
    ],
)
def test_what_was_meant_is_named_with_the_difference(uri: str, entry: str, words: str) -> None:
    others = ["https://else.example/mcp", entry]
    assert near_miss(uri, others) == (entry, words)


@pytest.mark.parametrize("entries", [[], ["https://else.example/mcp"], ["nonsense", "", "://"]])
def test_what_is_not_near_is_not_taken_for_it(entries: list[str]) -> None:
    assert near_miss(MCP, entries) is None


def test_the_likelier_slip_is_named() -> None:
    assert near_miss(MCP, ["https://mcp.example/other", MCP + "/"]) == (
        MCP + "/",
        "in a slash at the end",
    )
