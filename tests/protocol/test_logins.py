"""What may come in from AuthKit, whom we name to it, and where its answer may lead."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authgate.protocol import logins, parameters
from authgate.protocol.errors import Reason
from tests.clauses import clause
from tests.protocol.making import PERSON, refused

ORIGIN = "https://tenant.authkit.app"


def asked(*values: str) -> parameters.Parameters:
    return parameters.read([("external_auth_id", value) for value in values])


@pytest.mark.parametrize(
    "name", ["01J8ZK4Q9W2M", "ext_auth_01HXYZ", "a", "x" * 512, "~!$&()*+,-./:;=?@_#%[]"]
)
def test_a_name_is_opaque(name: str) -> None:
    assert logins.external_name(asked(name)) == name


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "missing"),
        ([""], "missing"),
        (["x" * 513], "longer than 512"),
        (["a b"], "characters"),
        (["a\tb"], "characters"),
        (["a\x7f"], "characters"),
        (["ext_\u00fc"], "characters"),
        (["<script>\u202e"], "characters"),
        (['a"b'], "characters"),
        (["a\\b"], "characters"),
    ],
)
def test_what_is_no_name(values: list[str], words: str) -> None:
    with refused(Reason.LOGIN_MALFORMED) as caught:
        logins.external_name(asked(*values))
    assert words in caught.value.sentence


def test_two_names_are_none() -> None:
    with refused(Reason.REQUEST_REPEATED):
        logins.external_name(asked("a", "b"))


@pytest.mark.parametrize(
    "shown", ["ada@example.org", "Ada@Example.org", '"a@b"@example.org', "ada@localhost"]
)
def test_an_address_is_told(shown: str) -> None:
    assert logins.email_of(replace(PERSON, display=shown)) == shown


@pytest.mark.parametrize(
    "shown", ["", "@", "a@", "@b", "49170123", "ag_9x", "a b@example.org", "a@example.org\n"]
)
def test_what_is_no_address_is_told_to_nobody(shown: str) -> None:
    assert logins.email_of(replace(PERSON, display=shown)) is None


@pytest.mark.parametrize(
    "url",
    [
        ORIGIN,
        f"{ORIGIN}/",
        f"{ORIGIN}/oauth2/authorize/complete?state=a.b-c_d~e",
        f"{ORIGIN}?x",
        f"{ORIGIN}#x",
        f"{ORIGIN}:443/x",
        "HTTPS://Tenant.AuthKit.App/x",
        f"{ORIGIN}//evil.example",
        f"{ORIGIN}/@evil.example",
        f"{ORIGIN}?u=https://evil.example/@",
    ],
)
def test_where_the_answer_may_lead(url: str) -> None:
    assert logins.leads_to(url, ORIGIN)


@clause("RFC 9700", "4.11")
@pytest.mark.parametrize(
    "url",
    [
        "",
        "/oauth2/continue",
        "//tenant.authkit.app/x",
        "https:/tenant.authkit.app/x",
        "https:tenant.authkit.app/x",
        "http://tenant.authkit.app/x",
        "https://tenant.authkit.app:8443/x",
        "https://tenant.authkit.app:0443x/x",
        "https://tenant.authkit.app:99999/x",
        "https://tenant.authkit.app.evil.example/x",
        "https://evil.example/tenant.authkit.app",
        "https://tenant.authkit.app@evil.example/x",
        "https://evil.example@tenant.authkit.app/x",
        "https://user:pass@tenant.authkit.app/x",
        "https://@tenant.authkit.app/x",
        "https://evil.example\\@tenant.authkit.app/x",
        "https://tenant.authkit.app\\.evil.example/x",
        "https:\\\\tenant.authkit.app/x",
        "https://evil.example#@tenant.authkit.app/x",
        "https://evil.example?@tenant.authkit.app/x",
        " https://tenant.authkit.app/x",
        "https://tenant.authkit.app/x y",
        "https://tenant.authkit.app/x\r\nset-cookie: a=b",
        "https://tenant.auth\tkit.app/x",
        "https://tenant.authkit.app%2f.evil.example/x",
        "https://tenant%2eauthkit.app/x",
        "https://tenant.authk\u0131t.app/x",
        "https://tenant.authkit.app\u3002evil.example/x",
        "https://tenant.authkit.app./x",
        "https://[tenant.authkit.app/x",
        "javascript://tenant.authkit.app/%0aalert(1)",
        "data:text/html,x",
        f"{ORIGIN}/" + "x" * 8192,
    ],
)
def test_where_it_may_not_lead(url: str) -> None:
    assert not logins.leads_to(url, ORIGIN)


def test_a_port_is_part_of_it() -> None:
    assert logins.leads_to("http://127.0.0.1:8123/x", "http://127.0.0.1:8123")
    assert not logins.leads_to("http://127.0.0.1:8124/x", "http://127.0.0.1:8123")
    assert not logins.leads_to("http://localhost:8123/x", "http://127.0.0.1:8123")


@given(st.text(max_size=60))
def test_no_text_leads_there_that_does_not_begin_with_it(text: str) -> None:
    if logins.leads_to(text, ORIGIN):
        assert text.lower().startswith(ORIGIN)


@given(st.text(max_size=60))
def test_nothing_put_behind_the_host_leads_elsewhere(text: str) -> None:
    if logins.leads_to(ORIGIN + text, ORIGIN):
        assert text == "" or text[0] in "/?#" or text.startswith(":")


def test_our_own_endings_have_a_name_that_no_event_has() -> None:
    assert logins.ended_by_us("session_01") == "ended by us: session_01"
    assert " " in logins.ended_by_us("x")  # identifiers of events have no blanks
