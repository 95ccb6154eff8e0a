"""What is asked of AuthKit for a client: sent as it came, and nothing odd comes back."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from authgate.fetch import Call, FetchFailed, Kind
from authgate.issuers.authkit import AuthkitIssuer
from authgate.protocol.errors import Reason, Refusal
from tests.clauses import clause
from tests.issuers.abroad import Clock, Key, Net, issuer_at, metadata

REGISTER, TOKEN = "/oauth2/register", "/oauth2/token"
METADATA = "/.well-known/oauth-authorization-server"
CODE = {
    "grant_type": "authorization_code",
    "client_id": "client_APP",
    "code": "c0de",
    "redirect_uri": "http://localhost:3000/cb",
    "code_verifier": "v" * 43,
}
GOOD = {"access_token": "a.b.c", "token_type": "bearer", "expires_in": 300}


@pytest.fixture(scope="module")
def key() -> Key:
    return Key("key_1")


@pytest.fixture
def net(key: Key) -> Net:
    return Net(key)


@pytest.fixture
def issuer(net: Net) -> AuthkitIssuer:
    return issuer_at(net, Clock())


def sent(net: Net, path: str) -> list[Call]:
    return [call for call in net.calls if call.url.endswith(path)]


async def refusal(asking: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await asking
    return caught.value


# --- registration ---------------------------------------------------------------------------------


@clause("RFC 7591", "3.2.1")
async def test_a_registration_goes_on_as_it_came(issuer: AuthkitIssuer, net: Net) -> None:
    document = {"redirect_uris": ["http://localhost:3000/cb"], "anything": {"else": 1}}
    net.say(REGISTER, {"client_id": "client_1", **document, "scope": "openid"}, 201)
    answer = await issuer.register(document)
    assert answer == {
        "client_id": "client_1",
        "redirect_uris": ["http://localhost:3000/cb"],
        "scope": "openid",
    }
    (call,) = sent(net, REGISTER)
    assert call.json == document
    assert "Authorization" not in call.headers


async def test_odd_members_are_left_out(issuer: AuthkitIssuer, net: Net) -> None:
    odd: dict[str, Any] = {
        "client_id": "client_1",
        "client_id_issued_at": "yesterday",
        "redirect_uris": "one",
        "grant_types": [1],
        "client_name": "x" * 20_000,
        "contacts": ["a"] * 101,
        "client_secret": None,
        "logo_uri": "",
        "registration_access_token": "t",
        "client_secret_expires_at": True,
    }
    net.say(REGISTER, odd, 201)
    assert await issuer.register({}) == {"client_id": "client_1"}


@pytest.mark.parametrize("body", [{}, {"client_id": ""}, {"client_id": 5}, [], "x", None])
async def test_a_registration_without_a_client_id_is_none(
    issuer: AuthkitIssuer, net: Net, body: Any
) -> None:
    net.say(REGISTER, body, 201)
    assert (await refusal(issuer.register({}))).reason is Reason.ISSUER_ANSWER


async def test_registration_that_is_off_says_which_switch(issuer: AuthkitIssuer, net: Net) -> None:
    said = {"error": "dynamic_client_registration_disabled", "error_description": "No."}
    net.say(REGISTER, said, 400)
    by_answer = await refusal(issuer.register({}))
    net.say(METADATA, metadata(registration_endpoint=...))
    await issuer.report()
    by_metadata = await refusal(issuer.register({}))
    for refused in (by_answer, by_metadata):
        assert refused.reason is Reason.ISSUER_REGISTRATION_OFF
        assert "Connect, Configuration, Dynamic Client Registration" in refused.hint
    assert len(sent(net, REGISTER)) == 1


async def test_a_switch_that_was_just_turned_is_seen(net: Net) -> None:
    clock = Clock()
    issuer = issuer_at(net, clock)
    net.say(METADATA, metadata(registration_endpoint=...))
    assert (await refusal(issuer.register({}))).reason is Reason.ISSUER_REGISTRATION_OFF
    net.say(METADATA, metadata())
    net.say(REGISTER, {"client_id": "client_1"}, 201)
    clock.now += 10
    assert await issuer.register({})


@pytest.mark.parametrize(
    ("body", "reason", "code"),
    [
        (
            {"error": "invalid_redirect_uri", "error_description": "No http."},
            Reason.ISSUER_REDIRECT_URI,
            "invalid_redirect_uri",
        ),
        (
            {"error": "invalid_client_metadata", "error_description": "Bad name."},
            Reason.ISSUER_REGISTRATION,
            "invalid_client_metadata",
        ),
        (
            {"code": "invalid_request_parameters", "message": "Validation failed."},
            Reason.ISSUER_REGISTRATION,
            "invalid_client_metadata",
        ),
        ({}, Reason.ISSUER_REGISTRATION, "invalid_client_metadata"),
    ],
)
async def test_a_refused_registration_in_our_form(
    issuer: AuthkitIssuer, net: Net, body: dict[str, Any], reason: Reason, code: str
) -> None:
    net.say(REGISTER, body, 400)
    refused = await refusal(issuer.register({}))
    assert (refused.reason, refused.code) == (reason, code)
    words = body.get("error_description") or body.get("message")
    if words:
        assert words in refused.sentence
    assert ".." not in refused.sentence


# --- tokens ---------------------------------------------------------------------------------------


@clause("RFC 6749", "4.1.3")
async def test_a_code_goes_out_as_a_form_and_tokens_come_back(
    issuer: AuthkitIssuer, net: Net
) -> None:
    more = {"refresh_token": "r", "scope": "openid", "id_token": "i.d.t", "surprise": 1}
    net.say(TOKEN, {**GOOD, **more})
    assert await issuer.token(CODE) == {
        **GOOD,
        "refresh_token": "r",
        "scope": "openid",
        "id_token": "i.d.t",
    }
    (call,) = sent(net, TOKEN)
    assert (call.method, call.form, call.json) == ("POST", CODE, None)
    assert not call.headers


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "a.b.c",
        None,
        {**GOOD, "access_token": ""},
        {**GOOD, "access_token": "a b\r\nX: y"},
        {**GOOD, "access_token": "é"},
        {**GOOD, "access_token": "x" * 20_000},
        {**GOOD, "access_token": ["a"]},
        {**GOOD, "token_type": "DPoP"},
        {"access_token": "a.b.c"},
    ],
)
async def test_an_answer_that_is_no_token_response(
    issuer: AuthkitIssuer, net: Net, body: Any
) -> None:
    net.say(TOKEN, body)
    refused = await refusal(issuer.token(CODE))
    assert refused.reason is Reason.ISSUER_ANSWER
    assert refused.face.status == 502


@clause("RFC 6749", "5.2")
@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        ("invalid_grant", 400, Reason.ISSUER_GRANT),
        ("invalid_client", 401, Reason.ISSUER_CLIENT),
        ("invalid_scope", 400, Reason.ISSUER_SCOPE),
        ("invalid_target", 400, Reason.ISSUER_TARGET),
        ("unauthorized_client", 400, Reason.ISSUER_GRANT_TYPE),
        ("unsupported_grant_type", 400, Reason.ISSUER_GRANT_TYPE),
        ("invalid_request", 400, Reason.ISSUER_REQUEST),
        ("something_new", 418, Reason.ISSUER_REQUEST),
    ],
)
async def test_errors_keep_their_code_and_words(
    issuer: AuthkitIssuer, net: Net, error: str, status: int, reason: Reason
) -> None:
    net.say(TOKEN, {"error": error, "error_description": 'The "thing" is wrong.'}, status)
    refused = await refusal(issuer.token({**CODE, "resource": "https://mcp.example.test/mcp"}))
    assert refused.reason is reason
    if reason not in (Reason.ISSUER_REQUEST, Reason.ISSUER_GRANT_TYPE):
        assert refused.code == error
    assert "The ?thing? is wrong" in refused.sentence
    assert refused.hint
    if reason is Reason.ISSUER_TARGET:
        assert "https://mcp.example.test/mcp" in refused.hint


@pytest.mark.parametrize("error", [None, 5, ["x"], "", "x" * 5000, "\x1b[2J\n"])
async def test_words_that_are_none_break_nothing(
    issuer: AuthkitIssuer, net: Net, error: Any
) -> None:
    net.say(TOKEN, {"error": error}, 400)
    refused = await refusal(issuer.token(CODE))
    assert refused.reason is Reason.ISSUER_REQUEST
    assert refused.sentence.isprintable()
    assert len(refused.sentence) < 300


async def test_a_secret_goes_in_the_header_first(issuer: AuthkitIssuer, net: Net) -> None:
    net.say(TOKEN, GOOD)
    await issuer.token({**CODE, "client_secret": "s%c:ret"})
    (call,) = sent(net, TOKEN)
    scheme, _, pair = call.headers["Authorization"].partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(pair).decode() == "client_APP:s%25c%3Aret"
    assert call.form is not None
    assert not {"client_id", "client_secret"} & call.form.keys()
    assert "s%c:ret" not in repr(call)


async def test_and_in_the_form_where_that_is_refused(issuer: AuthkitIssuer, net: Net) -> None:
    net.say(TOKEN, {"error": "invalid_client"}, 401)
    refused = await refusal(issuer.token({**CODE, "client_secret": "s3cret"}))
    assert refused.reason is Reason.ISSUER_CLIENT
    first, second = sent(net, TOKEN)
    assert "Authorization" in first.headers
    assert "Authorization" not in second.headers
    assert second.form is not None
    assert second.form["client_secret"] == "s3cret"


async def test_only_a_refused_client_is_tried_twice(issuer: AuthkitIssuer, net: Net) -> None:
    net.say(TOKEN, {"error": "invalid_grant"}, 400)
    await refusal(issuer.token({**CODE, "client_secret": "s3cret"}))
    assert len(sent(net, TOKEN)) == 1


# --- trouble --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [REGISTER, TOKEN])
@pytest.mark.parametrize(
    ("failed", "reason"),
    [
        (FetchFailed(Kind.TIMEOUT), Reason.ISSUER_UNAVAILABLE),
        (FetchFailed(Kind.UNREACHABLE), Reason.ISSUER_UNAVAILABLE),
        (FetchFailed(Kind.NOT_JSON, status=502), Reason.ISSUER_UNAVAILABLE),
        (FetchFailed(Kind.NOT_JSON, status=429), Reason.ISSUER_UNAVAILABLE),
        (FetchFailed(Kind.NOT_JSON, status=200), Reason.ISSUER_ANSWER),
        (FetchFailed(Kind.TOO_LARGE, status=200), Reason.ISSUER_ANSWER),
    ],
)
async def test_no_answer(
    issuer: AuthkitIssuer, net: Net, path: str, failed: FetchFailed, reason: Reason
) -> None:
    net.fail(path, failed)
    asking = issuer.register({}) if path == REGISTER else issuer.token(CODE)
    refused = await refusal(asking)
    assert refused.reason is reason
    assert len(sent(net, path)) == 1  # a code is spent by a call whose answer got lost


@pytest.mark.parametrize(
    ("said", "wait"), [("7", 7), ("900", 60), ("0", 1), ("Wed", 5), ("", 5), ("-1", 5)]
)
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_trouble_there_says_when_to_come_back(
    issuer: AuthkitIssuer, net: Net, status: int, said: str, wait: int
) -> None:
    net.say(TOKEN, {"error": "slow_down"}, status, retry_after=said)
    refused = await refusal(issuer.token(CODE))
    assert (refused.reason, refused.retry_after) == (Reason.ISSUER_UNAVAILABLE, wait)


@pytest.mark.parametrize("status", [201, 204, 302, 304])
async def test_a_redirect_is_no_answer(issuer: AuthkitIssuer, net: Net, status: int) -> None:
    net.say(TOKEN, GOOD, status)
    assert (await refusal(issuer.token(CODE))).reason is Reason.ISSUER_ANSWER
