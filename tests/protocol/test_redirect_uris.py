"""Redirect URIs: which may be registered, and which match what was registered."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from authgate.protocol import redirect_uris
from authgate.protocol.redirect_uris import (
    MAX_LENGTH,
    NEVER,
    Verdict,
    consent_host,
    is_loopback,
    is_private_use,
    judge,
    matches,
    shown_host,
)
from tests.clauses import clause

LISTED = ("cursor", "com.example.app")

ACCEPTED = (
    # callbacks of real clients, as they come
    "https://claude.ai/api/mcp/auth_callback",
    "https://claude.com/api/mcp/auth_callback",
    "https://chatgpt.com/connector/oauth/abc123_DEF-456",
    "https://chatgpt.com/connector_platform_oauth_redirect",
    "https://vscode.dev/redirect",
    "https://insiders.vscode.dev/redirect",
    "http://127.0.0.1/",
    "http://127.0.0.1:33418/",
    "https://www.cursor.com/agents/mcp/oauth/callback",
    "http://localhost:8787/callback",
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "https://global.consent.azure-apim.net/redirect/some-connector-5f1c",
    "http://localhost/callback",
    "http://127.0.0.1/callback",
    "http://[::1]:3334/oauth/callback",
    "https://raycast.com/redirect?packageName=Extension",
    # other good ones
    "https://xn--bcher-kva.example/cb",
    "https://app.example:8443/cb?tenant=a&b=%20",
    "https://app.example/cb;v=1/@me",
    "https://app.example",
    "https://app.example/a..b/.well-known/...",
    "https://[2001:db8::1]/cb",
    "https://192.0.2.7/cb",
    "https://192.0.2.7.example/cb",
    "http://127.0.0.2:9/cb",
    "http://127.255.255.254/cb",
    "com.example.app:/oauth",
    "Cursor://x/y",
    "HTTPS://app.example/cb",
    "https://app.example/" + "a" * (MAX_LENGTH - 20),
)

REFUSED = {
    # fragments, wildcards, user information, dot segments
    "https://app.example/cb#": "fragment",
    "https://app.example/cb#x": "fragment",
    "https://*.example/cb": "wildcard",
    "https://app.example/*": "wildcard",
    "http://localhost:*/cb": "wildcard",
    "https://user@app.example/cb": "user information",
    "https://user:pass@app.example/cb": "user information",
    "http://localhost@evil.example/cb": "user information",
    "http://127.0.0.1:80@evil.example/cb": "user information",
    "https://@app.example/": "user information",
    "cursor://user@host/": "user information",
    "https://app.example/a/../cb": "dot segment",
    "https://app.example/..": "dot segment",
    "https://app.example/./cb": "dot segment",
    "https://app.example/%2e%2E/cb": "dot segment",
    "https://app.example/.%2e/cb": "dot segment",
    "https://app.example/cb/%2e%2e%2fsteal": "dot segment",
    "https://app.example/cb%2f..%2fsteal": "dot segment",
    "https://app.example/cb/..%5csteal": "dot segment",
    "https://app.example/cb/..;/steal": "dot segment",
    "https://app.example/cb/..?x": "dot segment",
    "cursor://x/../y": "dot segment",
    "cursor:..": "dot segment",
    # schemes that run or read something here
    "javascript:alert(1)": "never allowed",
    "JaVaScRiPt:alert(1)": "never allowed",
    "javascript://app.example/%0aalert(1)": "never allowed",
    "data:text/html,hi": "never allowed",
    "DATA:text/html;base64,x": "never allowed",
    "file:///etc/passwd": "never allowed",
    "vbscript:x": "never allowed",
    "blob:https://app.example/1": "never allowed",
    "view-source:https://app.example": "never allowed",
    "intent://x": "never allowed",
    "ftp://app.example/cb": "never allowed",
    " javascript:alert(1)": "not an absolute URI",
    "\tjavascript:alert(1)": "not an absolute URI",
    "java\nscript:alert(1)": "not an absolute URI",
    "java\x00script:alert(1)": "not an absolute URI",
    "%6aavascript:alert(1)": "not an absolute URI",
    "\uff4aavascript:alert(1)": "not an absolute URI",
    "java\u017fcript:alert(1)": "not an absolute URI",
    # plain http elsewhere
    "http://app.example/cb": "plain http",
    "HTTP://app.example/cb": "plain http",
    "http://127.0.0.1.evil.example/cb": "plain http",
    "http://localhost.evil.example/cb": "plain http",
    "http://localhost.evil:80/cb": "plain http",
    "http://127-0-0-1.example/": "plain http",
    "http://128.0.0.1/": "plain http",
    "http://0.0.0.0/cb": "plain http",
    "http://[::]/cb": "plain http",
    "http://[::ffff:127.0.0.1]/cb": "plain http",
    "http://LOCALHOST/cb": "plain http",
    "http://192.168.0.1/cb": "plain http",
    # hosts that say something else than they seem to
    "http://127.1/cb": "host or port",
    "http://2130706433/cb": "host or port",
    "http://0x7f000001/cb": "host or port",
    "https://0x7f.1/cb": "host or port",
    "https://0177.0.0.1/cb": "host or port",
    "https://127.0.0.01/cb": "host or port",
    "https://256.1.1.1/cb": "host or port",
    "https://app.1/cb": "host or port",
    "https://[::1/cb": "host or port",
    "https://[.]/cb": "host or port",
    "https://[:::]/cb": "host or port",
    "https://[1]/cb": "host or port",
    "https://app.example:/cb": "host or port",
    "https://app.example:0/cb": "host or port",
    "https://app.example:65536/cb": "host or port",
    "https://app.example:999999/cb": "host or port",
    "https://app.example:8a/cb": "host or port",
    "https://app.example./cb": "host or port",
    "https://-app.example/cb": "host or port",
    "https://app%2eexample/cb": "host or port",
    "https://app..example/cb": "host or port",
    # not a URI, or none with a host
    "": "not an absolute URI",
    "/cb": "not an absolute URI",
    "app.example/cb": "not an absolute URI",
    "//app.example/cb": "not an absolute URI",
    "https:": "not an absolute URI",
    "https://": "no host",
    "https:///cb": "no host",
    "https:/app.example/cb": "no host",
    "https:app.example": "no host",
    "https://?x": "no host",
    "https://app.example\\@evil.example/": "characters",
    "https://app.example/a b": "characters",
    "https://app.example/a\r\nSet-Cookie:x": "characters",
    "https://app.example/\u202ecb": "characters",
    "https://bücher.example/cb": "characters",
    "https://app.example/%zz": "characters",
    "https://app.example/%": "characters",
    'https://app.example/"><script>': "characters",
    "https://app.example/cb\n": "characters",
    "https://app.example/" + "a" * MAX_LENGTH: "longer than",
}


@pytest.mark.parametrize("uri", ACCEPTED)
@clause("RFC 7591", "2")
def test_what_real_clients_register_is_accepted(uri: str) -> None:
    assert judge(uri, LISTED).verdict is Verdict.ACCEPT


@pytest.mark.parametrize(("uri", "why"), REFUSED.items())
@clause("OAuth 2.1", "2.3.1")
def test_what_could_lead_elsewhere_is_refused_with_its_reason(uri: str, why: str) -> None:
    judgement = judge(uri, LISTED)
    assert judgement.verdict is Verdict.REFUSE
    assert why in judgement.why


@pytest.mark.parametrize(
    "uri", ["vscode://app/cb", "com.evil:/cb", "myapp:cb", "x-cursor://y", "cursor2://y"]
)
@clause("RFC 8252", "7.1")
def test_an_unlisted_private_use_scheme_costs_only_its_own_uri(uri: str) -> None:
    assert judge(uri, LISTED).verdict is Verdict.LEAVE_OUT


@pytest.mark.parametrize("scheme", sorted(NEVER))
@clause("RFC 9700", "2.1")
def test_no_listing_allows_a_scheme_that_runs_or_reads_something_here(scheme: str) -> None:
    for spelled in (scheme, scheme.upper(), scheme.title()):
        assert judge(f"{spelled}://x/y", (scheme, spelled)).verdict is Verdict.REFUSE


_SCHEMES = st.sampled_from([*sorted(NEVER), "http", "https", "cursor", "HtTpS", "x", ""])
_PIECES = st.sampled_from(
    [
        *("//", "/", "?", "#", "@", ":", "*", "..", ".", "%2e", "%2F", "%5c", "\\", " ", "\t"),
        *(
            "\r\n",
            "\x00",
            "\u202e",
            "ü",
            "localhost",
            "127.0.0.1",
            "[::1]",
            "evil.example",
            "[",
            "]",
        ),
        *(":80", ":0", ":99999", "a=b", "iss=x", ";", "%00", "%", "127.1", "0x7f", "\ud800"),
    ]
)
URIS = st.one_of(
    st.text(max_size=80),
    st.builds(lambda s, p: f"{s}:{''.join(p)}", _SCHEMES, st.lists(_PIECES, max_size=10)),
    st.builds(
        lambda s, h, p: f"{s}://{h}{''.join(p)}",
        _SCHEMES,
        st.sampled_from(["localhost", "127.0.0.1", "[::1]", "app.example", "127.9.9.9"]),
        st.lists(_PIECES, max_size=8),
    ),
)


@given(URIS)
@example("https://[.]/")
@example("https://[::ffff:0:0]:1/")
@clause("RFC 3986", "3")
def test_judging_never_fails_and_what_it_accepts_is_harmless(uri: str) -> None:
    judgement = judge(uri, LISTED)
    assert judgement.verdict is Verdict.ACCEPT or judgement.why
    if judgement.verdict is not Verdict.ACCEPT:
        return
    assert uri.isascii()
    assert uri.isprintable()
    assert not set(uri) & set('#*\\ "<>^`{|}')
    parts = urlsplit(uri)  # would raise for a host that is none
    assert parts.scheme not in NEVER
    assert parts.scheme in ("https", "http", *LISTED)
    assert parts.username is None
    if parts.scheme in ("http", "https"):
        assert parts.hostname
        assert parts.port is None or 0 < parts.port < 65536
    if parts.scheme == "http":
        assert re.fullmatch(r"localhost|::1|127\.\d+\.\d+\.\d+", parts.hostname or "")
    assert not {".", ".."} & set(unquote(parts.path).replace("\\", "/").split("/"))


@given(URIS, st.lists(URIS, max_size=4))
@clause("RFC 9700", "2.1")
def test_matching_never_fails_and_only_a_loopback_port_may_differ(
    uri: str, registered: list[str]
) -> None:
    assert matches(uri, [*registered, uri]) is (len(uri) <= MAX_LENGTH)
    if not matches(uri, registered):
        return
    portless = {_without_port(known) for known in registered}
    assert uri in registered or _without_port(uri) in portless


def _without_port(uri: str) -> str:
    return re.sub(r"^(http://(?:localhost|127[0-9.]+|\[::1\])):\d+(?=$|[/?])", r"\1", uri)


@given(URIS)
@clause("MCP best practices", "Confused Deputy Problem")
def test_naming_a_destination_never_fails(uri: str) -> None:
    assert isinstance(is_loopback(uri), bool)
    assert isinstance(is_private_use(uri), bool)
    assert isinstance(shown_host(uri), str)
    assert isinstance(consent_host(uri), str)


# registered, asked, does it match
PAIRS = (
    # any other string is another address (RFC 9700 section 2.1)
    ("https://app.example/cb", "https://app.example/cb", True),
    ("https://app.example/cb", "https://app.example/cb/", False),
    ("https://app.example/cb", "https://app.example/CB", False),
    ("https://app.example/cb", "https://APP.example/cb", False),
    ("https://app.example/cb", "HTTPS://app.example/cb", False),
    ("https://app.example/cb", "https://app.example:443/cb", False),
    ("https://app.example/cb", "https://app.example/cb?x=1", False),
    ("https://app.example/cb?x=1", "https://app.example/cb", False),
    ("https://app.example/cb", "https://app.example/cb/../steal", False),
    ("https://app.example/cb", "https://app.example/%63b", False),
    ("https://app.example/cb", "http://app.example/cb", False),
    ("https://app.example/cb", "https://app.example/cb#x", False),
    ("https://app.example/cb", "https://user@app.example/cb", False),
    ("https://app.example/cb", "https://app.example.evil.example/cb", False),
    ("https://app.example/cb", " https://app.example/cb", False),
    # the port of a loopback address, and nothing else of it (RFC 8252 section 7.3)
    ("http://127.0.0.1/cb", "http://127.0.0.1:50123/cb", True),
    ("http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb", True),
    ("http://127.0.0.1:50123/cb", "http://127.0.0.1/cb", True),
    ("http://localhost/callback", "http://localhost:51234/callback", True),
    ("http://localhost:8787/callback", "http://localhost:9999/callback", True),
    ("http://[::1]/cb", "http://[::1]:4000/cb", True),
    ("http://127.0.0.1:33418/", "http://127.0.0.1:41000/", True),
    ("http://127.0.0.1/", "http://127.0.0.1:41000/", True),
    ("http://127.0.0.1", "http://127.0.0.1:41000", True),
    ("http://127.0.0.9/cb", "http://127.0.0.9:1/cb", True),
    ("http://localhost/cb?x=1", "http://localhost:1/cb?x=1", True),
    ("http://localhost?x=1", "http://localhost:1?x=1", True),
    ("http://127.0.0.1/", "http://127.0.0.1", False),
    ("http://127.0.0.1/cb", "http://127.0.0.1:50123/cb/", False),
    ("http://127.0.0.1/cb", "http://127.0.0.1:50123/other", False),
    ("http://127.0.0.1/cb", "http://127.0.0.1:50123/cb?x=1", False),
    ("http://127.0.0.1/cb?x=1", "http://127.0.0.1:5/cb?x=2", False),
    ("http://127.0.0.1/cb", "http://localhost:50123/cb", False),
    ("http://localhost/cb", "http://127.0.0.1:50123/cb", False),
    ("http://localhost/cb", "http://[::1]:50123/cb", False),
    ("http://[::1]/cb", "http://[0:0:0:0:0:0:0:1]:5/cb", False),
    ("http://127.0.0.1/cb", "http://127.0.0.2:50123/cb", False),
    ("http://127.0.0.1/cb", "http://127.1:50123/cb", False),
    ("http://127.0.0.1/cb", "http://127.0.0.01:5/cb", False),
    ("http://127.0.0.1/cb", "http://2130706433:5/cb", False),
    ("http://127.0.0.1/cb", "https://127.0.0.1:50123/cb", False),
    ("https://127.0.0.1/cb", "https://127.0.0.1:50123/cb", False),
    ("https://localhost:1/cb", "https://localhost:2/cb", False),
    ("http://localhost/cb", "http://LOCALHOST:5/cb", False),
    ("http://localhost/cb", "HTTP://localhost:5/cb", False),
    ("http://localhost/cb", "http://localhost.:5/cb", False),
    ("http://localhost/cb", "http://localhost.evil.example/cb", False),
    ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb", False),
    ("http://localhost/cb", "http://localhost@evil.example/cb", False),
    ("http://localhost/cb", "http://localhost:5@evil.example/cb", False),
    ("http://localhost/cb", "http://x@localhost:5/cb", False),
    ("http://localhost/cb", "http://localhost:0/cb", False),
    ("http://localhost/cb", "http://localhost:65536/cb", False),
    ("http://localhost/cb", "http://localhost:/cb", False),
    ("http://localhost/cb", "http://localhost:5x/cb", False),
    ("http://localhost/cb", "http://localhost:5/cb#x", False),
    ("http://localhost/cb", "http://localhost:5/cb\n", False),
    ("http://localhost/cb", "http://localhost:5/x/../cb", False),
    ("http://localhost/cb", "http://localhost:\u0661/cb", False),
    # other people's schemes
    ("cursor://a/cb", "cursor://a/cb", True),
    ("cursor://a/cb", "Cursor://a/cb", False),
    ("cursor://a:1/cb", "cursor://a:2/cb", False),
)


@pytest.mark.parametrize(("registered", "asked", "expected"), PAIRS)
@clause("RFC 8252", "7.3")
def test_strings_match_and_so_does_another_loopback_port(
    registered: str, asked: str, expected: bool
) -> None:
    assert matches(asked, (registered,)) is expected
    assert matches(asked, ("https://first.example/", registered)) is expected


@clause("RFC 9700", "2.1")
def test_nothing_matches_where_nothing_is_registered_or_the_string_is_endless() -> None:
    assert not matches("https://app.example/cb", ())
    longest = "http://localhost/" + "a" * (MAX_LENGTH - 17)
    assert matches(longest, (longest,))
    assert not matches(longest + "a", (longest + "a",))


@pytest.mark.parametrize(
    ("uri", "loopback"),
    [
        ("http://127.0.0.1:9/cb", True),
        ("http://localhost/cb", True),
        ("http://[::1]/cb", True),
        ("http://127.200.0.1/", True),
        # spelled otherwise, it is the same machine, and the person is asked as often
        ("HTTP://127.0.0.1:9/cb", True),
        ("https://localhost/cb", True),
        ("https://LOCALHOST:8443/cb", True),
        ("https://127.0.0.1", True),
        ("https://[::1]:8443/cb", True),
        ("https://[0:0:0:0:0:0:0:1]/cb", True),
        ("https://[::ffff:127.0.0.1]/cb", True),
        ("https://app.localhost/cb", True),
        ("https://localhost.example/cb", False),
        ("https://notlocalhost/cb", False),
        ("https://127.0.0.1.example/cb", False),
        ("https://app.example/?http://localhost/", False),
        ("https://[2001:db8::1]/", False),
        ("cursor://localhost/cb", False),
        ("https://[::1", False),
        ("https://[x]/", False),
    ],
)
@clause("RFC 8252", "8.6")
def test_the_own_machine_is_recognised_in_every_spelling_that_can_be_registered(
    uri: str, loopback: bool
) -> None:
    assert is_loopback(uri) is loopback


@pytest.mark.parametrize(
    ("uri", "shown", "remembered"),
    [
        ("https://App.Example:8443/cb?x", "app.example:8443", "app.example:8443"),
        ("https://app.example?x=/y", "app.example", "app.example"),
        ("http://127.0.0.1:5/cb", "127.0.0.1:5", "127.0.0.1"),
        ("http://localhost:5", "localhost:5", "localhost"),
        ("http://[::1]:5/cb", "[::1]:5", "[::1]"),
        ("Cursor://anysphere.cursor-mcp/cb", "cursor:", "cursor:"),
        ("com.example.app:/cb", "com.example.app:", "com.example.app:"),
    ],
)
@clause("MCP best practices", "Confused Deputy Problem")
def test_the_destination_is_named_as_the_person_will_see_it(
    uri: str, shown: str, remembered: str
) -> None:
    assert shown_host(uri) == shown
    assert is_private_use(uri) is shown.endswith(":")
    assert consent_host(uri) == remembered


def test_the_longest_uri_is_judged_at_once() -> None:
    """No pattern here runs away: the worst inputs of the length limit take no time."""
    for filler in ("a", "a-", "a.", "1.", "%2e", "/.", "[", ":1"):
        body = (filler * MAX_LENGTH)[: MAX_LENGTH - 20]
        for uri in (f"https://{body}!", f"http://127.0.0.1/{body}\n", f"x:{body}\x00"):
            assert isinstance(redirect_uris.judge(uri, ()).verdict, Verdict)
            assert not redirect_uris.matches(uri, ("http://127.0.0.1/",))
