"""Client authentication: one method, the registered one, read exactly as RFC 6749 encodes it."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authgate.protocol.clients import (
    BASIC_CHALLENGE,
    Credentials,
    authenticate,
    read_credentials,
    require_grant_type,
)
from authgate.protocol.digests import digest
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.records import AuthMethod
from tests.clauses import clause
from tests.protocol.making import (
    SECRET,
    a_client,
    a_confidential_client,
    asked,
    proven,
    refused,
    result_of,
)


def basic(text: str | bytes) -> str:
    return "Basic " + b64encode(text.encode() if isinstance(text, str) else text).decode()


@pytest.mark.parametrize(
    ("header", "client_id", "secret"),
    [
        (basic("app:secret"), "app", "secret"),
        (basic("app:a:b:c"), "app", "a:b:c"),
        (basic("app:a%3Ab"), "app", "a:b"),
        (basic("app:a+b%20c"), "app", "a b c"),
        (basic("app:a%2Bb"), "app", "a+b"),
        (basic("app:100%25"), "app", "100%"),
        (basic("app:%zz%"), "app", "%zz%"),
        (basic("app:%C3%BC"), "app", "ü"),
        (basic("app:ü"), "app", "ü"),
        (basic("my%3Aapp:s"), "my:app", "s"),
        (basic("my+app:s"), "my app", "s"),
        (basic("app:"), "app", ""),
        ("basic  " + basic("app:s")[6:] + " ", "app", "s"),
        ("BASIC " + basic("app:s")[6:], "app", "s"),
    ],
)
@clause("RFC 6749", "2.3.1")
def test_basic_is_form_decoded_on_both_sides(header: str, client_id: str, secret: str) -> None:
    read = read_credentials(header, asked())
    assert (read.client_id, read.secret) == (client_id, secret)
    assert read.method == "client_secret_basic"
    assert read.challenge == BASIC_CHALLENGE


@pytest.mark.parametrize(
    "header",
    [
        *("Basic", "Basic ", "Basic !!!", "Basic YQ", "Basic =", "Basic ü", "Basic a b"),
        *(basic("app"), basic(":secret"), basic(""), basic(b"\xff:x"), basic("app:%ff")),
        *(basic("%ff:x"), basic("%00:x"), basic("a\x00:x"), basic(b"app\xc3:x")),
    ],
)
@clause("RFC 6749", "5.2")
def test_malformed_basic_is_401_with_the_challenge(header: str) -> None:
    with refused(Reason.CLIENT_AUTH_MALFORMED) as caught:
        read_credentials(header, asked(client_id="app"))
    assert caught.value.code == "invalid_client"
    assert caught.value.face.status == 401
    assert caught.value.www_authenticate == BASIC_CHALLENGE


@clause("RFC 6749", "2.3.1")
def test_the_body_carries_the_secret_too() -> None:
    read = read_credentials(None, asked(client_id="app", client_secret="a+b"))
    assert read == Credentials("app", "client_secret_post", "a+b")
    assert read.challenge is None
    assert read_credentials(None, asked(client_id="app")) == Credentials("app", "none")


@pytest.mark.parametrize("header", ["Bearer abc", "Digest x", "Basic_x y", "x", ""])
@clause("RFC 6749", "2.3")
def test_another_scheme_is_no_client_authentication(header: str) -> None:
    assert read_credentials(header, asked(client_id="app")).method == "none"
    with refused(Reason.CLIENT_MISSING) as caught:
        read_credentials(header, asked())
    assert caught.value.code == "invalid_client"


@clause("OAuth 2.1", "2.4")
def test_two_methods_at_once_are_refused() -> None:
    for body in (
        asked(client_id="app", client_secret="secret"),
        asked(client_secret="secret"),
        asked(client_id="other"),
    ):
        with refused(Reason.CLIENT_AUTH_TWICE) as caught:
            read_credentials(basic("app:secret"), body)
        assert caught.value.code == "invalid_request"
    # the same client_id beside Basic is no second method, and none is needed
    assert read_credentials(basic("app:secret"), asked(client_id="app")).secret == "secret"


METHODS: tuple[AuthMethod, ...] = ("none", "client_secret_post", "client_secret_basic")


@pytest.mark.parametrize("registered", METHODS)
@pytest.mark.parametrize("used", METHODS)
@clause("RFC 7591", "2")
def test_a_client_must_use_the_method_it_registered(
    registered: AuthMethod, used: AuthMethod
) -> None:
    public = registered == "none"
    client = a_client() if public else a_confidential_client(registered)
    credentials = Credentials(client.client_id, used, None if used == "none" else SECRET)
    if used == registered:
        assert authenticate(credentials, client).client is client
        return
    with refused(Reason.CLIENT_AUTH_METHOD) as caught:
        authenticate(credentials, client)
    assert caught.value.code == "invalid_client"
    assert registered in caught.value.sentence
    header = BASIC_CHALLENGE if used == "client_secret_basic" else None
    assert caught.value.www_authenticate == header


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic"])
@pytest.mark.parametrize("secret", ["", None, SECRET + "x", SECRET[:-1], digest(SECRET), " "])
@clause("RFC 6749", "5.2")
def test_a_wrong_secret_is_invalid_client(method: AuthMethod, secret: str | None) -> None:
    client = a_confidential_client(method)
    with refused(Reason.CLIENT_SECRET_WRONG) as caught:
        authenticate(Credentials(client.client_id, method, secret), client)
    assert caught.value.face.status == 401
    assert "Invalid client" in caught.value.sentence
    with refused(Reason.CLIENT_SECRET_WRONG):  # registered confidential, but no secret was kept
        authenticate(Credentials("client_app", method, SECRET), a_client(auth_method=method))


@clause("RFC 6749", "5.2")
def test_an_unknown_client_is_invalid_client_so_that_it_registers_again() -> None:
    for method in METHODS:
        with refused(Reason.CLIENT_UNKNOWN) as caught:
            authenticate(Credentials("gone", method, "x"), None)
        assert caught.value.code == "invalid_client"
        assert caught.value.face.status == 401


@clause("RFC 6749", "5.2")
def test_a_grant_type_that_was_not_registered_is_unauthorized_client() -> None:
    client = proven(a_client(grant_types=("authorization_code",)))
    require_grant_type(client, "authorization_code")
    with refused(Reason.CLIENT_GRANT_NOT_ALLOWED) as caught:
        require_grant_type(client, "refresh_token")
    assert caught.value.code == "unauthorized_client"
    assert caught.value.face.status == 400


@given(st.text(min_size=1).filter(lambda t: "\x00" not in t), st.text())
@clause("RFC 6749", "2.3.1")
def test_what_a_client_encodes_is_what_is_read(client_id: str, secret: str) -> None:
    header = basic(f"{quote_plus(client_id)}:{quote_plus(secret)}")
    assert read_credentials(header, asked()) == Credentials(
        client_id, "client_secret_basic", secret
    )


@given(st.text(max_size=60) | st.binary(max_size=40).map(basic))
@clause("RFC 6749", "5.2")
def test_any_header_is_read_or_refused(header: str) -> None:
    read = result_of(lambda: read_credentials(header, asked(client_id="app")))
    if isinstance(read, Refusal):
        assert read.reason in (Reason.CLIENT_AUTH_MALFORMED, Reason.CLIENT_AUTH_TWICE)


@clause("ASVS", "16.2.5")
def test_no_secret_shows_in_a_log() -> None:
    shown = repr(Credentials("app", "client_secret_post", "the-secret"))
    assert "the-secret" not in shown
    assert SECRET not in repr(a_confidential_client())
    assert digest(SECRET) not in repr(a_confidential_client())
