"""The authorization endpoint's rules: what may be asked, and where the answer goes."""

from __future__ import annotations

from itertools import permutations
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from authgate.protocol import redirect_uris
from authgate.protocol.authorize import (
    MAX_STATE,
    Plan,
    answer_url,
    check_state,
    failure,
    judge,
    prove_redirect,
    redirect_at_once,
    success,
)
from authgate.protocol.errors import Reason, Refusal, Shown
from authgate.protocol.parameters import Parameters
from authgate.protocol.redirect_uris import Verdict
from tests.clauses import clause
from tests.protocol.making import (
    CHALLENGE,
    ISSUER,
    OTHER_RESOURCE,
    POLICY,
    REDIRECT,
    RESOURCE,
    a_client,
    asked,
    refused,
    result_of,
)

GOOD: dict[str, str | None] = {
    "response_type": "code",
    "client_id": "client_app",
    "redirect_uri": REDIRECT,
    "state": "xyz",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


def judged(*pairs: tuple[str, str], **changes: str | None) -> Plan:
    return judge(asked(*pairs, **{**GOOD, **changes}), a_client(), REDIRECT, POLICY)


# --- first round: nothing is redirected -----------------------------------------------------------


@clause("RFC 6749", "4.1.2.1")
def test_the_redirect_uri_is_proven_before_anything_else() -> None:
    assert prove_redirect(asked(**GOOD), a_client()) == REDIRECT
    loopback = a_client(redirect_uris=("http://127.0.0.1/cb",))
    uri = "http://127.0.0.1:5000/cb"
    assert prove_redirect(asked(redirect_uri=uri), loopback) == uri


@pytest.mark.parametrize(
    ("changes", "known", "reason"),
    [
        ({"client_id": None}, False, Reason.CLIENT_MISSING),
        ({"client_id": ""}, False, Reason.CLIENT_MISSING),
        ({"client_id": "who"}, False, Reason.CLIENT_UNKNOWN),
        ({"redirect_uri": None}, True, Reason.REDIRECT_URI_MISSING),
        ({"redirect_uri": ""}, True, Reason.REDIRECT_URI_MISSING),
        ({"redirect_uri": REDIRECT + "/"}, True, Reason.REDIRECT_URI_UNREGISTERED),
        ({"redirect_uri": "https://evil.example/cb"}, True, Reason.REDIRECT_URI_UNREGISTERED),
        ({"redirect_uri": "javascript:alert(1)"}, True, Reason.REDIRECT_URI_UNREGISTERED),
        ({"redirect_uri": REDIRECT + "\r\nX: y"}, True, Reason.REDIRECT_URI_UNREGISTERED),
    ],
)
@clause("RFC 6749", "4.1.2.1")
def test_an_unknown_client_or_address_is_told_here(
    changes: dict[str, str | None], known: bool, reason: Reason
) -> None:
    with refused(reason) as caught:
        prove_redirect(asked(**{**GOOD, **changes}), a_client() if known else None)
    assert caught.value.face.shown is Shown.HERE


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
@clause("RFC 6749", "3.1")
def test_a_repeated_client_or_address_is_no_proof(name: str) -> None:
    request = asked((name, "https://evil.example/cb"), **GOOD)
    with refused(Reason.REQUEST_REPEATED):
        prove_redirect(request, a_client())


@clause("OAuth 2.1", "2.3.1")
def test_the_only_registered_address_is_not_taken_for_granted() -> None:
    with refused(Reason.REDIRECT_URI_MISSING):
        prove_redirect(asked(client_id="client_app"), a_client())


@pytest.mark.parametrize(
    "state", ["x", " ", "a b+c%2B&=#?/\\\"'<>", "~" * MAX_STATE, "%00", "{}", "0"]
)
@clause("RFC 6749", "appendix A.5")
def test_a_printable_state_is_taken_as_it_is(state: str) -> None:
    assert check_state(asked(state=state)) == state


@pytest.mark.parametrize(
    "state", ["ü", "a\nb", "a\r\nSet-Cookie: x", "\t", "\x7f", "x" * (MAX_STATE + 1), "a\u202e"]
)
@clause("RFC 6749", "appendix A.5")
def test_a_state_that_cannot_be_echoed_is_told_here(state: str) -> None:
    with refused(Reason.STATE_MALFORMED) as caught:
        check_state(asked(state=state))
    assert caught.value.face.shown is Shown.HERE


@clause("RFC 6749", "3.1")
def test_two_states_are_told_here_and_none_is_fine() -> None:
    with refused(Reason.REQUEST_REPEATED):
        check_state(asked(("state", "a"), ("state", "b")))
    assert check_state(asked()) is None
    assert check_state(asked(state="")) is None


# --- second round: may travel to the proven address -----------------------------------------------


@clause("OAuth 2.1", "4.1.1")
def test_a_plain_request_gets_the_defaults() -> None:
    assert judged() == Plan(
        client_id="client_app",
        redirect_uri=REDIRECT,
        state="xyz",
        code_challenge=CHALLENGE,
        scopes=("mcp:use", "mcp:admin"),
        resource=RESOURCE,
        prompt=(),
    )


@pytest.mark.parametrize(
    ("changes", "reason", "code"),
    [
        ({"response_type": None}, Reason.PARAMETER_MISSING, "invalid_request"),
        ({"response_type": "token"}, Reason.RESPONSE_TYPE, "unsupported_response_type"),
        ({"response_type": "code token"}, Reason.RESPONSE_TYPE, "unsupported_response_type"),
        ({"response_type": "CODE"}, Reason.RESPONSE_TYPE, "unsupported_response_type"),
        ({"response_mode": "fragment"}, Reason.RESPONSE_MODE, "invalid_request"),
        ({"response_mode": "form_post"}, Reason.RESPONSE_MODE, "invalid_request"),
        ({"request": "eyJ"}, Reason.REQUEST_OBJECT, "request_not_supported"),
        ({"request_uri": "https://x"}, Reason.REQUEST_OBJECT, "request_not_supported"),
        ({"code_challenge": None}, Reason.PKCE_MISSING, "invalid_request"),
        ({"code_challenge_method": None}, Reason.PKCE_METHOD, "invalid_request"),
        ({"code_challenge_method": "plain"}, Reason.PKCE_METHOD, "invalid_request"),
        ({"code_challenge": "short"}, Reason.PKCE_CHALLENGE_MALFORMED, "invalid_request"),
        ({"scope": 'a"b'}, Reason.SCOPE_MALFORMED, "invalid_scope"),
        ({"resource": "https://evil.example"}, Reason.RESOURCE_UNKNOWN, "invalid_target"),
        ({"prompt": "none"}, Reason.INTERACTION_REQUIRED, "interaction_required"),
        ({"prompt": "login none"}, Reason.INTERACTION_REQUIRED, "interaction_required"),
    ],
)
@clause("RFC 6749", "4.1.2.1")
def test_what_is_wrong_after_that_may_be_redirected(
    changes: dict[str, str | None], reason: Reason, code: str
) -> None:
    with refused(reason) as caught:
        judged(**changes)
    assert caught.value.code == code
    assert caught.value.face.shown is Shown.REDIRECT


@pytest.mark.parametrize(
    "name", ["response_type", "code_challenge", "scope", "nonce", "response_mode", "prompt"]
)
@clause("RFC 6749", "3.1")
def test_a_repeated_parameter_is_an_invalid_request(name: str) -> None:
    with refused(Reason.REQUEST_REPEATED):
        judged((name, "x"), (name, "x"), **{name: None})


@clause("RFC 8707", "2")
def test_a_repeated_resource_is_an_invalid_target() -> None:
    with refused(Reason.RESOURCE_REPEATED):
        judged(("resource", RESOURCE), ("resource", OTHER_RESOURCE))


@pytest.mark.parametrize(
    ("changes", "member", "value"),
    [
        ({"scope": ""}, "scopes", ("mcp:use", "mcp:admin")),  # ChatGPT
        ({"scope": "mcp:use"}, "scopes", ("mcp:use",)),
        ({"scope": "openid profile mcp:use"}, "scopes", ("mcp:use",)),
        ({"scope": "mcp:use offline_access"}, "scopes", ("mcp:use", "offline_access")),
        ({"resource": RESOURCE + "/"}, "resource", RESOURCE),
        ({"resource": OTHER_RESOURCE}, "resource", OTHER_RESOURCE),
        ({"resource": ""}, "resource", RESOURCE),
        ({"prompt": "consent"}, "prompt", ("consent",)),
        ({"prompt": "login consent"}, "prompt", ("login", "consent")),
        ({"response_mode": "query"}, "state", "xyz"),
        ({"state": None}, "state", None),
        ({"nonce": "n", "utm": "x", "code_verifier": "y"}, "state", "xyz"),
    ],
)
@clause("RFC 6749", "3.1")
def test_what_real_clients_add_does_no_harm(
    changes: dict[str, str | None], member: str, value: object
) -> None:
    assert getattr(judged(**changes), member) == value


@given(
    st.dictionaries(st.sampled_from([*GOOD, "scope", "resource", "prompt", "request"]), st.text())
)
@clause("RFC 6749", "4.1.2.1")
def test_any_values_are_judged_or_refused(changes: dict[str, str]) -> None:
    values = {name: value for name, value in {**GOOD, **changes}.items() if value}
    resources = tuple(value for name, value in values.items() if name == "resource")
    request = Parameters(values, resources)
    plan = result_of(lambda: judge(request, a_client(), REDIRECT, POLICY))
    if isinstance(plan, Refusal):
        location = failure(REDIRECT, plan, state="s", issuer=ISSUER)
        assert location.isascii()
        assert location.isprintable()
    else:
        assert set(plan.scopes) <= {*POLICY.scopes, "offline_access"}
        assert plan.resource in POLICY.resources


@pytest.mark.parametrize(
    ("uri", "at_once"),
    [
        ("http://localhost:5/cb", True),
        ("http://127.0.0.1/cb", True),
        (REDIRECT, False),
        ("cursor://x", False),
    ],
)
@clause("RFC 9700", "4.11.2")
def test_only_the_own_machine_gets_an_error_before_anybody_signed_in(
    uri: str, at_once: bool
) -> None:
    assert redirect_at_once(uri) is at_once


# --- the answer -----------------------------------------------------------------------------------


@clause("RFC 6749", "4.1.2")
def test_a_code_travels_with_state_and_issuer() -> None:
    url = success(REDIRECT, code="c0de", state="a b", issuer=ISSUER)
    assert url == f"{REDIRECT}?code=c0de&state=a+b&iss=https%3A%2F%2Fauth.example.com"


@clause("RFC 9207", "2")
def test_an_error_carries_the_issuer_too() -> None:
    url = failure(REDIRECT, Refusal(Reason.ACCESS_DENIED), state="xyz", issuer=ISSUER)
    assert dict(parse_qsl(urlsplit(url).query)) == {
        "error": "access_denied",
        "error_description": "The person denied the request.",
        "state": "xyz",
        "iss": ISSUER,
    }


@clause("RFC 6749", "4.1.2")
def test_no_state_is_invented() -> None:
    for url in (
        success(REDIRECT, code="c", state=None, issuer=ISSUER),
        failure(REDIRECT, Refusal(Reason.ACCESS_DENIED), state=None, issuer=ISSUER),
    ):
        assert "state" not in dict(parse_qsl(urlsplit(url).query))


SAMPLE = {"code": "c", "iss": ISSUER}
TAIL = "code=c&iss=https%3A%2F%2Fauth.example.com"


@pytest.mark.parametrize(
    ("registered", "expected"),
    [
        ("https://a.example", f"https://a.example?{TAIL}"),
        ("https://a.example/cb?", f"https://a.example/cb?{TAIL}"),
        ("https://a.example/cb?x=1", f"https://a.example/cb?x=1&{TAIL}"),
        ("https://a.example/cb?x=%2f+%20&y", f"https://a.example/cb?x=%2f+%20&y&{TAIL}"),
        ("https://a.example/cb?x=1&x=2", f"https://a.example/cb?x=1&x=2&{TAIL}"),
        ("https://a.example/cb?a&&b=?/", f"https://a.example/cb?a&&b=?/&{TAIL}"),
        ("https://a.example/cb?codes=1&xiss=2", f"https://a.example/cb?codes=1&xiss=2&{TAIL}"),
        ("https://a.example/cb?iss=https://evil", f"https://a.example/cb?{TAIL}"),
        ("https://a.example/cb?iss=x&k=1&iss=y", f"https://a.example/cb?k=1&{TAIL}"),
        ("https://a.example/cb?code=x&state=y&k", f"https://a.example/cb?k&{TAIL}"),
        ("https://a.example/cb?error=x&error_description=y", f"https://a.example/cb?{TAIL}"),
        ("https://a.example/cb?iss", f"https://a.example/cb?{TAIL}"),
        ("https://a.example/cb?%69ss=https://evil", f"https://a.example/cb?{TAIL}"),
        ("https://a.example/cb?c%6Fde=x&%73%74ate=y", f"https://a.example/cb?{TAIL}"),
        ("cursor://x/cb?k=1", f"cursor://x/cb?k=1&{TAIL}"),
        ("com.example.app:/cb", f"com.example.app:/cb?{TAIL}"),
    ],
)
@clause("RFC 6749", "3.1.2")
def test_the_registered_query_is_kept_byte_for_byte_but_for_our_names(
    registered: str, expected: str
) -> None:
    assert answer_url(registered, SAMPLE) == expected


@clause("RFC 9207", "2.4")
def test_the_issuer_comes_once_in_whatever_order_the_registered_query_has() -> None:
    for members in permutations(("iss=x", "%69%73%73=y", "code=z", "state=s", "k=1")):
        url = success(
            "https://a.example/cb?" + "&".join(members), code="c", state="t", issuer=ISSUER
        )
        found = parse_qsl(urlsplit(url).query)
        assert [value for name, value in found if name == "iss"] == [ISSUER]
        assert [value for name, value in found if name == "code"] == ["c"]
        assert [value for name, value in found if name == "state"] == ["t"]
        assert ("k", "1") in found


REGISTERED = st.builds(
    lambda base, members: base + ("?" + "&".join(members) if members is not None else ""),
    st.sampled_from(["https://a.example/cb", "http://localhost:5", "cursor://x/cb", "cursor:/y"]),
    st.none()
    | st.lists(
        st.sampled_from(
            [
                *("iss=x", "%69ss", "is%73=y", "code", "c%6fde=z", "state=", "%73tate=s", "k=1"),
                *("", "=", "=iss", "k=%26iss=x", "error=e", "a?b", "k=iss", "iss%3Dx", "+iss=q"),
            ]
        ),
        max_size=6,
    ),
)
PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1)


@given(REGISTERED, PRINTABLE, st.text(min_size=1))
@example("https://a.example/?%69%73%73=x&iss", "a+b c%20", "c")
@clause("RFC 6749", "4.1.2")
def test_any_acceptable_uri_gets_each_answer_exactly_once(uri: str, state: str, code: str) -> None:
    assert redirect_uris.judge(uri, ("cursor",)).verdict is Verdict.ACCEPT
    url = success(uri, code=code, state=state, issuer=ISSUER)
    assert url.isascii()
    assert url.startswith(uri.partition("?")[0] + "?")
    assert "#" not in url
    found = parse_qsl(url.partition("?")[2], keep_blank_values=True)
    for name, value in (("code", code), ("state", state), ("iss", ISSUER)):
        assert [v for n, v in found if n == name] == [value]
