"""Cookies and form tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authgate.security.session import Cookies, check_form_token, form_token, read_cookie
from tests.clauses import clause
from tests.security.making import OTHER_SECRET, SECRET, make_vault

HTTPS = Cookies.of("https://auth.example.com/base")
HTTP = Cookies.of("http://localhost:8000")
# Of the form that `new_secret` makes; fixed, as they are part of the names of tests.
A, B = "5YC1SPIoUt8pGW8KLhdHqiAENjykmP71cr5PM8SfXOw", "TiOdHNBO7mi6Fl_KQaieNmKbe4-SlgBwLkxJ90KUspg"


@clause("RFC 6265bis", "4.1.3.2")
def test_https_cookies_are_bound_to_the_host_by_the_browser() -> None:
    """`__Host-` holds only with Secure, Path=/ and without Domain."""
    for value in (HTTPS.set_browser(A), HTTPS.set_session(A)):
        parts = value.split("; ")
        assert parts[0].startswith("__Host-authgate-")
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(parts)
        assert "domain" not in value.lower()


@clause("ASVS 5.0", "3.3.1")
def test_plain_http_cookies_have_plain_names_and_are_still_http_only() -> None:
    value = HTTP.set_session(A)
    assert value.startswith(f"authgate-session={A}; Max-Age=43200; ")
    assert "HttpOnly" in value
    assert "SameSite=Lax" in value
    assert "Secure" not in value
    assert "Max-Age=2592000" in HTTP.set_browser(A)


def test_clearing_keeps_the_attributes_that_make_it_the_same_cookie() -> None:
    assert HTTPS.clear_session().startswith("__Host-authgate-session=; Max-Age=0; Path=/")
    assert "Secure" in HTTPS.clear_session()
    assert HTTP.clear_session().startswith("authgate-session=; Max-Age=0; Path=/")


@pytest.mark.parametrize("value", ["a; Domain=evil", "x\r\nSet-Cookie: y=z", "short", A + "x"])
def test_only_our_own_kind_of_value_is_ever_set(value: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        HTTPS.set_session(value)


def test_both_cookies_are_found_among_those_of_others() -> None:
    header = f'theme="dark; x"; =; ;; bad;authgate-browser = {A} ; authgate-session={B}; é=1'
    assert HTTP.read(header).browser == A
    assert HTTP.read(header).session == B
    assert HTTPS.read(header).session is None  # a plain-named cookie counts nothing on https


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "authgate-session",
        "authgate-session=",
        f'authgate-session="{A}"',
        f"authgate-session={A}x",
        f"authgate-session={A[:-1]}é",
        f"Authgate-Session={A}",
        f"authgate-session={A}; authgate-session={B}",
        f"authgate-session={A}; authgate-session={A}",
        f"authgate-session={A}; x={'y' * 20000}",
    ],
)
def test_malformed_and_doubled_cookies_are_absent(header: str | None) -> None:
    """Of two cookies with one name nobody can say which the server set: neither counts."""
    assert read_cookie(header, "authgate-session") is None


@given(st.text())
def test_no_cookie_header_raises(header: str) -> None:
    HTTP.read(header)
    HTTP.read(header + f"; authgate-session={A}; " + header)


# --- form tokens -----------------------------------------------------------------------------

GOOD = {"form": "consent", "browser": A, "session": B, "request": "r1"}


@clause("RFC 9700", "4.7.1")
def test_a_form_token_is_good_for_its_own_form_only() -> None:
    vault = make_vault()
    token = form_token(vault, **GOOD)
    assert check_form_token(vault, token, **GOOD)
    for other in (
        {"form": "sign_in"},
        {"browser": B},
        {"session": A},
        {"session": None},
        {"request": "r2"},
        {"request": ""},
    ):
        assert not check_form_token(vault, token, **{**GOOD, **other})


def test_no_session_and_an_empty_one_are_two_things() -> None:
    vault = make_vault()
    none = form_token(vault, form="f", browser=A, session=None, request="r")
    assert not check_form_token(vault, none, form="f", browser=A, session="", request="r")
    # and the parts cannot be shifted into one another
    shifted = form_token(vault, form="f", browser=A + "r", session=None, request="")
    assert not check_form_token(vault, shifted, form="f", browser=A, session=None, request="r")


def test_a_form_opened_before_the_secret_was_replaced_can_still_be_sent() -> None:
    token = form_token(make_vault(OTHER_SECRET), **GOOD)
    newest = form_token(make_vault(SECRET), **GOOD)
    assert check_form_token(make_vault(SECRET, OTHER_SECRET), newest, **GOOD)
    assert check_form_token(make_vault(SECRET, OTHER_SECRET), token, **GOOD)
    assert not check_form_token(make_vault(SECRET), token, **GOOD)


@given(st.text())
def test_no_made_up_token_passes_or_raises(token: str) -> None:
    assert not check_form_token(make_vault(), token, **GOOD)


def test_lone_surrogates_in_a_request_handle_do_not_raise() -> None:
    assert not check_form_token(
        make_vault(), "\ud800", form="f", browser="\udfff", session=None, request="\ud800"
    )
