"""What crosses the gateway: nothing that only we may say, nothing of one connection, all else."""

from __future__ import annotations

import pytest

from authgate.gateway import headers
from authgate.protocol.errors import Reason
from tests.clauses import clause
from tests.protocol.making import refused

Raw = tuple[bytes, bytes]


def passing(*raw: Raw) -> list[tuple[str, str]]:
    return headers.read(raw).passing


@pytest.mark.parametrize(
    "name",
    [
        "accept",
        "accept-encoding",
        "content-type",
        "last-event-id",
        "mcp-param-region",
        "user-agent",
        "traceparent",
        "x-api-version",
        "x_custom",
    ],
)
def test_what_passes_as_it_came(name: str) -> None:
    assert passing((name.encode(), b" a, b;c=\xc3\xbc")) == [(name, " a, b;c=ü")]


def test_repeated_ones_stay_repeated_and_in_order() -> None:
    assert passing((b"x-a", b"1"), (b"x-b", b"2"), (b"x-a", b"3")) == [
        ("x-a", "1"),
        ("x-b", "2"),
        ("x-a", "3"),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "proxy-authorization",
        "host",
        "x-authgate-subject",
        "x-authgate-whatever-comes-later",
        "x-authgate-token",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-user",
        "x-real-ip",
        "x-original-url",
        "x-rewrite-url",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "origin",
        "sec-fetch-site",
        "mcp-session-id",
        "transfer-encoding",
        "content-length",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "keep-alive",
        "proxy-connection",
    ],
)
def test_what_does_not_nor_its_twin(name: str) -> None:
    value = b"1" if name == "content-length" else b"x"
    assert passing((name.encode(), value)) == []
    assert passing((name.replace("-", "_").encode(), value)) == []
    assert passing((name.replace("-", "_", 1).encode(), value)) == []


@pytest.mark.parametrize("name", ["mcp_method", "mcp_name", "mcp_protocol_version", "cookie_"])
def test_a_twin_is_no_way_around_a_check(name: str) -> None:
    expected = [(name, "x")] if name == "cookie_" else []
    assert passing((name.encode(), b"x")) == expected
    assert not headers.read([(name.encode(), b"x")]).routing.needs_body


@clause("RFC 9110", "7.6.1")
def test_what_connection_names_stays() -> None:
    assert passing(
        (b"connection", b"close, X-Trace"),
        (b"x-trace", b"1"),
        (b"x-other", b"2"),
        (b"connection", b"x-more"),
        (b"x-more", b"3"),
    ) == [("x-other", "2")]


@pytest.mark.parametrize(
    ("sent", "left"),
    [
        (b"a=1; __Host-authgate-session=x; b=2", [("cookie", "a=1; b=2")]),
        (b"authgate-browser=x", []),
        (b"authgate-session=x;;", []),
        (b"sticky=authgate", [("cookie", "sticky=authgate")]),
    ],
)
def test_cookies_but_ours(sent: bytes, left: list[tuple[str, str]]) -> None:
    assert passing((b"cookie", sent)) == left


@pytest.mark.parametrize(
    "name", [b"mcp-method", b"mcp-name", b"mcp-protocol-version", b"mcp-session-id"]
)
def test_two_copies_are_two_requests(name: bytes) -> None:
    with refused(Reason.REQUEST_MALFORMED):
        headers.read([(name, b"a"), (name, b"a")])


@pytest.mark.parametrize("value", [b"1, 2", b"-1", b"0x10", b""])
def test_a_length_is_a_number(value: bytes) -> None:
    with refused(Reason.REQUEST_MALFORMED):
        headers.read([(b"content-length", value)])


def test_a_value_that_is_not_utf_8() -> None:
    with refused(Reason.REQUEST_MALFORMED):
        headers.read([(b"x-a", b"\xff")])


def test_what_is_read_of_them() -> None:
    read = headers.read(
        [
            (b"mcp-protocol-version", b"2026-07-28"),
            (b"mcp-method", b"tools/call"),
            (b"mcp-name", b"add"),
            (b"mcp-session-id", b"s.1"),
            (b"content-length", b"12"),
        ]
    )
    assert (read.routing.version, read.routing.method, read.routing.name) == (
        "2026-07-28",
        "tools/call",
        "add",
    )
    assert (read.session, read.length) == (b"s.1", 12)
    assert [name for name, _ in read.passing] == ["mcp-protocol-version", "mcp-method", "mcp-name"]


def test_what_comes_back() -> None:
    kept = headers.to_client(
        [
            (b"Content-Type", b"application/json"),
            (b"Content-Encoding", b"gzip"),
            (b"WWW-Authenticate", b"Basic"),
            (b"X-Accel-Buffering", b"no"),
            (b"Connection", b"keep-alive, X-Hop"),
            (b"X-Hop", b"1"),
            (b"Keep-Alive", b"timeout=5"),
            (b"Date", b"today"),
            (b"Mcp-Session-Id", b"raw"),
            (b"Strict-Transport-Security", b"max-age=1"),
            (b"Alt-Svc", b"h3"),
            (b"Clear-Site-Data", b"*"),
            (b"X-Accel-Redirect", b"/etc/secret"),
            (b"X-Sendfile", b"/etc/secret"),
            (b"X-LIGHTTPD-send-file", b"/etc/secret"),
            (b"Set-Cookie", b"__Host-authgate-session=stolen"),
            (b"Set-Cookie", b"=authgate-session=stolen; Path=/"),
            (b"Set-Cookie", b" =authgate-session=stolen"),
            (b"Set-Cookie", b"sticky=1; Path=/"),
            (b"Set-Cookie", b"where=authgate"),
            (b"Content-Length", b"3"),
        ],
        has_body=True,
    )
    assert kept == [
        (b"content-type", b"application/json"),
        (b"content-encoding", b"gzip"),
        (b"www-authenticate", b"Basic"),
        (b"x-accel-buffering", b"no"),
        (b"set-cookie", b"sticky=1; Path=/"),
        (b"set-cookie", b"where=authgate"),
        (b"content-length", b"3"),
    ]


@clause("RFC 9112", "6.3")
@pytest.mark.parametrize(
    ("raw", "has_body"),
    [
        ([(b"content-length", b"3"), (b"transfer-encoding", b"chunked")], True),
        ([(b"content-length", b"3"), (b"content-length", b"4")], True),
        ([(b"content-length", b"+3")], True),
        ([(b"content-length", b"3")], False),
    ],
)
def test_a_length_that_is_not_the_only_word(raw: list[Raw], has_body: bool) -> None:
    assert headers.to_client(raw, has_body=has_body) == []
