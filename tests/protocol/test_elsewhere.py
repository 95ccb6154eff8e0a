"""What is asked of an issuer elsewhere, judged as far as it can be from here."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from authgate.protocol import parameters
from authgate.protocol.elsewhere import MAX_URL, SCOPES, authorization_url, token_form
from authgate.protocol.errors import Reason
from authgate.protocol.parameters import Parameters
from authgate.protocol.policy import Policy
from tests.clauses import clause
from tests.protocol.making import CHALLENGE, OTHER_RESOURCE, RESOURCE, VERIFIER, refused

ENDPOINT = "https://t.authkit.app/oauth2/authorize"
POLICY = Policy("https://auth.example.com", (RESOURCE, OTHER_RESOURCE), ("mcp:use",))


def asked(**given: Any) -> Parameters:
    question = {
        "client_id": "client_1",
        "redirect_uri": "http://127.0.0.1:3000/cb",
        "state": "s",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **given,
    }
    return parameters.read([(n, v) for n, v in question.items() if v is not None])


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


@clause("OAuth 2.1", "4.1.1")
def test_what_a_client_writes_arrives_as_it_was_meant() -> None:
    state = "a&b=c#d %e+f?\u007e"
    uri = "https://app.example/cb?x=1&y=%20"
    query = query_of(authorization_url(ENDPOINT, asked(state=state, redirect_uri=uri), POLICY))
    assert (query["state"], query["redirect_uri"]) == (state, uri)
    assert query["scope"].split() == list(SCOPES)
    assert query["resource"] == RESOURCE


def test_nothing_else_travels() -> None:
    url = authorization_url(ENDPOINT, asked(prompt="none", nonce="n", password="p"), POLICY)
    assert not {"prompt", "nonce", "password"} & query_of(url).keys()


def test_a_further_resource_of_ours() -> None:
    url = authorization_url(ENDPOINT, asked(resource=OTHER_RESOURCE), POLICY)
    assert query_of(url)["resource"] == OTHER_RESOURCE


def test_an_endpoint_with_a_query_keeps_it() -> None:
    url = authorization_url(ENDPOINT + "?tenant=1", asked(), POLICY)
    assert query_of(url)["tenant"] == "1"


def test_the_longest_url_fits_a_parameter_again() -> None:
    assert len(authorization_url(ENDPOINT, asked(state="s" * 4096), POLICY)) <= MAX_URL
    assert MAX_URL * 4 / 3 + 200 < parameters.MAX_VALUE_LENGTH
    long = asked(state="s" * 4096, redirect_uri="https://a.example/" + "x" * 1500)
    with refused(Reason.REQUEST_MALFORMED):
        authorization_url(ENDPOINT, long, POLICY)


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ({}, {"resource": RESOURCE}),
        ({"resource": OTHER_RESOURCE}, {"resource": OTHER_RESOURCE}),
        ({"scope": "openid"}, {"resource": RESOURCE}),
        ({"client_secret": "x"}, {"resource": RESOURCE, "client_secret": "x"}),
    ],
)
def test_a_codes_form(given: dict[str, str], form: dict[str, str]) -> None:
    code = {
        "grant_type": "authorization_code",
        "client_id": "client_1",
        "code": "c",
        "redirect_uri": "http://127.0.0.1:3000/cb",
        "code_verifier": VERIFIER,
    }
    made = token_form(parameters.read([*code.items(), *given.items()]), POLICY.resources)
    assert made == {**code, **form}


def test_a_refresh_tokens_form_names_a_resource_only_if_asked() -> None:
    refresh = {"grant_type": "refresh_token", "client_id": "client_1", "refresh_token": "r"}

    def made(**more: str) -> dict[str, str]:
        given = parameters.read([*refresh.items(), *more.items()])
        return token_form(given, POLICY.resources)

    assert made() == refresh
    assert made(resource=RESOURCE + "/") == {**refresh, "resource": RESOURCE}
    assert made(scope=" openid  email ", code="c") == {**refresh, "scope": "openid email"}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, Reason.GRANT_TYPE_MISSING),
        ({"grant_type": "client_credentials"}, Reason.GRANT_TYPE_UNKNOWN),
        ({"grant_type": "refresh_token"}, Reason.CLIENT_MISSING),
        ({"grant_type": "refresh_token", "client_id": "c"}, Reason.PARAMETER_MISSING),
        ({"grant_type": "authorization_code", "client_id": "c"}, Reason.PARAMETER_MISSING),
        ({"grant_type": "refresh_token", "client_id": "\n"}, Reason.REQUEST_MALFORMED),
    ],
)
def test_forms_that_are_none(given: dict[str, str], reason: Reason) -> None:
    with refused(reason):
        token_form(parameters.read(given.items()), POLICY.resources)


def test_a_repeated_parameter_is_no_parameter() -> None:
    twice = parameters.read([("client_id", "a"), ("client_id", "b")])
    for judge in (
        lambda: authorization_url(ENDPOINT, twice, POLICY),
        lambda: token_form(twice, POLICY.resources),
    ):
        with refused(Reason.REQUEST_REPEATED):
            judge()
