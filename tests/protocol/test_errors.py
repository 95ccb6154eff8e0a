"""The one table between reasons and the outside, and what of a refusal may leave the house."""

from __future__ import annotations

import re
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authgate.protocol.errors import Reason, Refusal, Shown, printable
from authgate.protocol.faces import FACES
from tests.clauses import clause

# Every code a client may ever see, with the specification it comes from.
CODES = {
    # RFC 6749 sections 4.1.2.1 and 5.2
    *("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client"),
    *("unsupported_grant_type", "invalid_scope", "access_denied", "unsupported_response_type"),
    *("server_error", "temporarily_unavailable"),
    # RFC 7591 section 3.2.2
    *("invalid_client_metadata", "invalid_redirect_uri"),
    *("invalid_software_statement", "unapproved_software_statement"),
    # RFC 6750 section 3.1
    *("invalid_token", "insufficient_scope"),
    # RFC 8707 section 2, RFC 7009 section 2.2.1, RFC 8628 section 3.5
    *("invalid_target", "slow_down"),
    # OpenID Connect Core section 3.1.2.6
    *("interaction_required", "request_not_supported"),
    # ours, where no specification has one: a 401 without credentials, 404, an upstream's failure
    *("unauthorized", "not_found", "upstream_error"),
}
# What RFC 6749 section 4.1.2.1, RFC 8707 and OpenID Connect let travel to a redirect URI.
REDIRECTABLE = {
    *("invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type"),
    *("invalid_scope", "server_error", "temporarily_unavailable", "invalid_target"),
    *("interaction_required", "request_not_supported"),
}
DESCRIPTION = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]+")
FIELDS = sorted(
    {
        name
        for face in FACES.values()
        for text in (face.sentence, face.hint)
        for _, name, _, _ in Formatter().parse(text)
        if name
    }
    - {"retry_after"}
)
REASONS = pytest.mark.parametrize("reason", list(Reason), ids=lambda reason: reason.value)


@REASONS
@clause("RFC 6749", "5.2")
def test_every_reason_has_a_face_with_a_known_code_and_a_way_on(reason: Reason) -> None:
    face = FACES[reason]
    assert face.code in CODES
    assert 400 <= face.status < 600
    assert face.sentence.endswith(".")
    assert face.hint.endswith(".")
    assert face.hint != face.sentence


HOSTILE = '"\\\r\n\x00\x7f\u202eü{x}{0}%s<script>' + "x" * 500


@REASONS
@clause("RFC 6749", "5.2")
def test_sentence_and_hint_keep_to_the_allowed_characters_whatever_is_in_them(
    reason: Reason,
) -> None:
    refusal = Refusal(reason, retry_after=7, **dict.fromkeys(FIELDS, HOSTILE))
    for text in (refusal.sentence, refusal.hint):
        assert DESCRIPTION.fullmatch(text)
        assert len(text) < 800


@REASONS
@clause("RFC 6749", "4.1.2.1")
def test_only_what_the_specification_knows_there_travels_to_a_redirect_uri(
    reason: Reason,
) -> None:
    face = FACES[reason]
    if face.shown is Shown.REDIRECT:
        assert face.code in REDIRECTABLE
        assert not reason.value.startswith(("client_", "redirect_uri_", "registration_", "token_"))


@pytest.mark.parametrize(
    "reason",
    [
        *(Reason.CLIENT_MISSING, Reason.CLIENT_UNKNOWN, Reason.REDIRECT_URI_MISSING),
        *(Reason.REDIRECT_URI_UNREGISTERED, Reason.STATE_MALFORMED, Reason.SIGN_IN_WRONG),
        *(Reason.FORM_TOKEN, Reason.BROWSER_MISMATCH, Reason.INTERACTION_UNKNOWN),
    ],
)
@clause("RFC 6749", "4.1.2.1")
def test_what_is_unproven_is_only_ever_told_here(reason: Reason) -> None:
    assert FACES[reason].shown is Shown.HERE


STATUSES = {
    "invalid_client": {401},
    "invalid_grant": {400},
    "invalid_scope": {400},
    "invalid_target": {400},
    "unauthorized_client": {400},
    "unsupported_grant_type": {400},
    "unsupported_response_type": {400},
    "invalid_client_metadata": {400},
    "invalid_redirect_uri": {400},
    "invalid_software_statement": {400},
    "unapproved_software_statement": {400},
    "invalid_token": {401},
    "insufficient_scope": {403},
    "slow_down": {429},
    "temporarily_unavailable": {503},
    "server_error": {500, 502},
    "unauthorized": {401},
}


@REASONS
@clause("RFC 6749", "5.2")
def test_a_code_has_the_status_clients_act_on(reason: Reason) -> None:
    face = FACES[reason]
    assert face.status in STATUSES.get(face.code, {face.status})


@clause("RFC 6749", "5.2")
def test_what_makes_clients_throw_their_tokens_away_is_never_our_own_trouble() -> None:
    for reason in (Reason.STORE_UNAVAILABLE, Reason.SIGN_IN_UNAVAILABLE, Reason.INTERNAL):
        assert FACES[reason].status >= 500
        assert FACES[reason].code in ("temporarily_unavailable", "server_error")


def test_the_guides_troubles_are_told_apart_in_its_words() -> None:
    def said(part: str) -> set[str]:
        return {reason.value for reason in Reason if part in FACES[reason].sentence}

    assert said("Invalid client") == {
        reason.value for reason in Reason if FACES[reason].code == "invalid_client"
    }
    assert said("PKCE verification failed") == {
        *("pkce_verifier_missing", "pkce_verifier_malformed", "pkce_failed"),
    }


@pytest.mark.parametrize(
    ("word", "reasons"),
    [
        ("PKCE", (Reason.PKCE_MISSING, Reason.PKCE_METHOD, Reason.PKCE_CHALLENGE_MALFORMED)),
        ("S256", (Reason.PKCE_METHOD, Reason.PKCE_CHALLENGE_MALFORMED)),
        ("redirect URI", (Reason.REDIRECT_URI_MISSING, Reason.REDIRECT_URI_UNREGISTERED)),
        ("client", (Reason.CLIENT_UNKNOWN, Reason.CLIENT_MISSING, Reason.CLIENT_SECRET_WRONG)),
        ("state", (Reason.STATE_MISSING, Reason.STATE_MALFORMED)),
        ("scope", (Reason.SCOPE_MALFORMED, Reason.SCOPE_BEYOND_GRANT, Reason.SCOPE_INSUFFICIENT)),
        ("resource", (Reason.RESOURCE_UNKNOWN, Reason.RESOURCE_REPEATED)),
    ],
)
def test_a_refusal_names_what_was_wrong(word: str, reasons: tuple[Reason, ...]) -> None:
    for reason in reasons:
        assert word in FACES[reason].sentence


@clause("ASVS", "6.3.8")
def test_a_wrong_sign_in_never_says_which_of_the_two_was_wrong() -> None:
    sentence = FACES[Reason.SIGN_IN_WRONG].sentence
    assert "e-mail" in sentence
    assert "password" in sentence


@REASONS
def test_a_field_that_is_missing_fails_where_the_refusal_is_made(reason: Reason) -> None:
    face = FACES[reason]
    wanted = {
        name for text in (face.sentence, face.hint) for _, name, _, _ in Formatter().parse(text)
    } - {None}
    if not wanted:
        assert Refusal(reason).sentence == face.sentence
        return
    with pytest.raises(KeyError):
        Refusal(reason)


def test_a_refusal_carries_what_the_answer_needs() -> None:
    refusal = Refusal(Reason.THROTTLED, retry_after=12, www_authenticate="Basic x")
    assert refusal.hint == "Wait 12 seconds, then try again."
    assert (refusal.retry_after, refusal.www_authenticate) == (12, "Basic x")
    assert refusal.code == "slow_down"
    assert str(refusal) == "throttled"


@given(st.text())
@clause("RFC 6749", "5.2")
def test_any_text_becomes_printable_and_stays_short(text: str) -> None:
    shown = printable(text)
    assert shown == "" or DESCRIPTION.fullmatch(shown)
    assert len(shown) <= 123
    if DESCRIPTION.fullmatch(text) and len(text) <= 120:
        assert shown == text
