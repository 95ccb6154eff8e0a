"""The code grant: the order of checks is what keeps strangers from ending a grant."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest

from authgate.protocol.authorization_code import Exchange, judge, read
from authgate.protocol.errors import Reason
from authgate.protocol.records import AuthenticatedClient, Code
from tests.clauses import clause
from tests.protocol.making import (
    NOW,
    OTHER_RESOURCE,
    REDIRECT,
    RESOURCE,
    VERIFIER,
    a_client,
    a_code,
    asked,
    proven,
    refused,
)

RIGHT = Exchange("the-code", REDIRECT, VERIFIER, ())
WRONG_VERIFIER = "w" * 43
STRANGER = proven(a_client(client_id="client_other"))


def redeem(
    code: Code | None,
    exchange: Exchange = RIGHT,
    client: AuthenticatedClient | None = None,
    now: int = NOW,
) -> Code:
    return judge(code, client or proven(), exchange, now=now, verifier_attempts=5)


@clause("RFC 6749", "4.1.3")
def test_the_parameters_of_an_exchange_are_read() -> None:
    form = asked(code="the-code", redirect_uri=REDIRECT, code_verifier=VERIFIER, resource=RESOURCE)
    assert read(form) == Exchange("the-code", REDIRECT, VERIFIER, (RESOURCE,))
    assert read(asked(code="c", code_verifier=VERIFIER)).redirect_uri is None


@clause("RFC 6749", "5.2")
def test_a_missing_code_or_verifier_is_named() -> None:
    with refused(Reason.PARAMETER_MISSING) as caught:
        read(asked(code_verifier=VERIFIER))
    assert caught.value.code == "invalid_request"
    with refused(Reason.PKCE_VERIFIER_MISSING):
        read(asked(code="the-code"))
    with refused(Reason.PKCE_VERIFIER_MALFORMED):
        read(asked(code="the-code", code_verifier="short"))


@pytest.mark.parametrize("uri", [REDIRECT, None])
@pytest.mark.parametrize("resource", [(), (RESOURCE,), (RESOURCE + "/",)])
@clause("OAuth 2.1", "10.2")
def test_redirect_uri_and_resource_are_optional_and_compared_when_sent(
    uri: str | None, resource: tuple[str, ...]
) -> None:
    assert redeem(a_code(), Exchange("c", uri, VERIFIER, resource)) == a_code()


# From the first to the last: of two things wrong at once the earlier one is told.
ORDER: list[tuple[Reason, dict[str, object], dict[str, object]]] = [
    (Reason.CODE_SPENT, {"failures": 5}, {}),
    (Reason.CODE_REDIRECT_URI, {}, {"redirect_uri": REDIRECT + "/"}),
    (Reason.PKCE_FAILED, {}, {"verifier": WRONG_VERIFIER}),
    (Reason.RESOURCE_BEYOND_GRANT, {}, {"resources": (OTHER_RESOURCE,)}),
    (Reason.CODE_EXPIRED, {"expires_at": NOW}, {}),
]


@pytest.mark.parametrize("wrong", ORDER, ids=lambda item: item[0].value)
@clause("RFC 6749", "5.2")
def test_each_thing_wrong_is_refused(
    wrong: tuple[Reason, dict[str, object], dict[str, object]],
) -> None:
    reason, of_code, of_exchange = wrong
    with refused(reason) as caught:
        redeem(a_code(**of_code), replace(RIGHT, **of_exchange))
    wanted = "invalid_target" if reason is Reason.RESOURCE_BEYOND_GRANT else "invalid_grant"
    assert caught.value.code == wanted
    assert caught.value.face.status == 400


@clause("RFC 9700", "2.1.1")
def test_of_several_things_wrong_the_first_in_order_is_told() -> None:
    for first, second in combinations(ORDER, 2):
        code = a_code(**{**first[1], **second[1]})
        exchange = replace(RIGHT, **{**first[2], **second[2]})
        with refused(first[0]):
            redeem(code, exchange)
        with refused(Reason.CODE_FOREIGN):
            redeem(code, exchange, STRANGER)


@clause("RFC 6749", "4.1.3")
def test_a_stranger_and_an_unknown_code_get_one_and_the_same_answer() -> None:
    with refused(Reason.CODE_UNKNOWN) as unknown:
        redeem(None)
    with refused(Reason.CODE_FOREIGN) as foreign:
        redeem(a_code(), client=STRANGER)
    assert unknown.value.face == foreign.value.face


@clause("RFC 6749", "4.1.2")
def test_a_code_lives_until_its_last_second() -> None:
    redeem(a_code(), now=NOW + 59)
    for later in (NOW + 60, NOW + 61, NOW + 10**6):
        with refused(Reason.CODE_EXPIRED):
            redeem(a_code(), now=later)


@clause("OAuth 2.1", "4.1.3")
def test_a_redeemed_code_passes_so_that_the_store_can_call_it_a_replay() -> None:
    used = a_code(redeemed_at=NOW)
    assert redeem(used) is used
    assert redeem(used, now=NOW + 10**6) is used  # however late the replay comes
    # but only when everything else was right
    for reason, exchange in (
        (Reason.PKCE_FAILED, replace(RIGHT, verifier=WRONG_VERIFIER)),
        (Reason.CODE_REDIRECT_URI, replace(RIGHT, redirect_uri="https://evil.example")),
        (Reason.RESOURCE_BEYOND_GRANT, replace(RIGHT, resources=(OTHER_RESOURCE,))),
    ):
        with refused(reason):
            redeem(used, exchange)
    with refused(Reason.CODE_FOREIGN):
        redeem(used, client=STRANGER)


@pytest.mark.parametrize(("failures", "spent"), [(0, False), (4, False), (5, True), (9, True)])
@clause("RFC 7636", "4.6")
def test_a_wrong_verifier_may_be_tried_five_times(failures: int, spent: bool) -> None:
    if not spent:
        redeem(a_code(failures=failures))
        return
    with refused(Reason.CODE_SPENT):
        redeem(a_code(failures=failures))


@clause("RFC 6749", "3.1.2.3")
def test_a_loopback_port_is_not_free_any_more_at_the_token_endpoint() -> None:
    code = a_code(redirect_uri="http://127.0.0.1:5000/cb")
    redeem(code, replace(RIGHT, redirect_uri="http://127.0.0.1:5000/cb"))
    with refused(Reason.CODE_REDIRECT_URI):
        redeem(code, replace(RIGHT, redirect_uri="http://127.0.0.1:5001/cb"))


@clause("ASVS", "16.2.5")
def test_neither_code_nor_verifier_shows_in_a_log() -> None:
    assert "the-code" not in repr(RIGHT)
    assert VERIFIER not in repr(RIGHT)
