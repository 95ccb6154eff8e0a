"""What is asked of AuthKit for a client: to be registered, and for tokens.

What came in goes on as it is; what comes back is checked member by member, and its errors become
ours, with AuthKit's own words in them. Nothing of either is logged. Never here: what a client may
ask (`protocol.elsewhere`).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from urllib.parse import quote_plus

from authgate.fetch import Answer, Call, Fetch, FetchFailed, Kind
from authgate.protocol.errors import Reason, Refusal

MAX_TEXT = 16_384
MAX_LIST = 100
RETRY_UNSAID = 5
MAX_RETRY_AFTER = 60

_Check = Callable[[object], bool]


async def register(fetch: Fetch, endpoint: str, document: object) -> dict[str, object]:
    """The client information response (RFC 7591 section 3.2.1); raises `Refusal`."""
    answer = await _asked(fetch, Call("POST", endpoint, json=document))
    if answer.status not in (200, 201):
        raise _registration_refused(answer)
    return _checked(answer, _CLIENT, required="client_id")


async def token(fetch: Fetch, endpoint: str, form: Mapping[str, str]) -> dict[str, object]:
    """The token response (RFC 6749 section 5.1); raises `Refusal`.

    Which of its two ways to present a secret a client was registered for, AuthKit knows and we do
    not. The header is what RFC 7591 section 2 gives a client that names none, so that comes first;
    a client that is refused in one way has spent nothing, and may try the other.
    """
    secret = form.get("client_secret")
    if secret is None:
        return _tokens(await _asked(fetch, Call("POST", endpoint, form=form)), form)
    rest = {n: v for n, v in form.items() if n not in ("client_id", "client_secret")}
    header = {"Authorization": _basic(form.get("client_id", ""), secret)}
    answer = await _asked(fetch, Call("POST", endpoint, header, form=rest))
    if answer.status in (400, 401) and _said(answer, "error") == "invalid_client":
        answer = await _asked(fetch, Call("POST", endpoint, form=form))
    return _tokens(answer, form)


def _tokens(answer: Answer, form: Mapping[str, str]) -> dict[str, object]:
    if answer.status != 200:
        raise _token_refused(answer, form)
    checked = _checked(answer, _TOKENS, required="access_token")
    kind = checked.get("token_type")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise Refusal(Reason.ISSUER_ANSWER)
    return checked


async def _asked(fetch: Fetch, call: Call) -> Answer:
    """The answer, whatever it says; raises `Refusal` if there is none that says anything."""
    try:
        answer = await fetch.json(call)
    except FetchFailed as failed:
        over = (failed.status or 0) >= 500 or failed.status == 429
        if failed.kind in (Kind.TIMEOUT, Kind.UNREACHABLE) or over:
            raise Refusal(Reason.ISSUER_UNAVAILABLE, retry_after=RETRY_UNSAID) from None
        raise Refusal(Reason.ISSUER_ANSWER) from None
    if answer.status == 429 or answer.status >= 500:
        raise Refusal(Reason.ISSUER_UNAVAILABLE, retry_after=_retry_after(answer))
    if not isinstance(answer.body, dict):
        raise Refusal(Reason.ISSUER_ANSWER)
    return answer


def _registration_refused(answer: Answer) -> Refusal:
    match _said(answer, "error"):
        case "dynamic_client_registration_disabled":
            return Refusal(Reason.ISSUER_REGISTRATION_OFF)
        case "invalid_redirect_uri":
            return Refusal(Reason.ISSUER_REDIRECT_URI, said=_words(answer))
        case _ if 400 <= answer.status < 500:
            return Refusal(Reason.ISSUER_REGISTRATION, said=_words(answer))
        case _:
            return Refusal(Reason.ISSUER_ANSWER)


_TOKEN_REASONS = {
    "invalid_client": Reason.ISSUER_CLIENT,
    "invalid_grant": Reason.ISSUER_GRANT,
    "invalid_scope": Reason.ISSUER_SCOPE,
    "unauthorized_client": Reason.ISSUER_GRANT_TYPE,
    "unsupported_grant_type": Reason.ISSUER_GRANT_TYPE,
}


def _token_refused(answer: Answer, form: Mapping[str, str]) -> Refusal:
    error = _said(answer, "error")
    if not 400 <= answer.status < 500:
        return Refusal(Reason.ISSUER_ANSWER)
    if error == "invalid_target":
        resource = form.get("resource", "the resource of this server")
        return Refusal(Reason.ISSUER_TARGET, said=_words(answer), resource=resource)
    return Refusal(_TOKEN_REASONS.get(error, Reason.ISSUER_REQUEST), said=_words(answer))


def _said(answer: Answer, *names: str) -> str:
    """The first of these members that is a text; both of WorkOS's error shapes are flat objects."""
    body = answer.body if isinstance(answer.body, dict) else {}
    values = (body.get(name) for name in names)
    return next((value for value in values if isinstance(value, str) and value), "")


def _words(answer: Answer) -> str:
    """AuthKit's own words, to be put before a full stop."""
    said = _said(answer, "error_description", "message", "error", "code")
    return said.strip().rstrip(".") or "nothing more"


def _retry_after(answer: Answer) -> int:
    text = answer.headers.get("retry-after", "")
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else RETRY_UNSAID
    return min(max(seconds, 1), MAX_RETRY_AFTER)


def _basic(client_id: str, secret: str) -> str:
    """RFC 6749 section 2.3.1: each half form-encoded before they are put together."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return "Basic " + b64encode(pair.encode("ascii")).decode("ascii")


# --- what an answer may hold ----------------------------------------------------------------------


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT and "\0" not in value


def _is_token(value: object) -> bool:
    """Visible ASCII: it goes into a header (RFC 6749 appendix A.12)."""
    return isinstance(value, str) and _is_text(value) and value.isascii() and value.isprintable()


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and len(value) <= MAX_LIST and all(map(_is_text, value))


_TOKENS: Mapping[str, _Check] = {
    "access_token": _is_token,
    "token_type": _is_text,
    "expires_in": _is_count,
    "refresh_token": _is_token,
    "scope": _is_text,
    "id_token": _is_token,
}
_CLIENT: Mapping[str, _Check] = {
    "client_id": _is_text,
    "client_id_issued_at": _is_count,
    "client_secret": _is_token,
    "client_secret_expires_at": _is_count,
    "redirect_uris": _is_texts,
    "token_endpoint_auth_method": _is_text,
    "grant_types": _is_texts,
    "response_types": _is_texts,
    "application_type": _is_text,
    "scope": _is_text,
    "client_name": _is_text,
    "client_uri": _is_text,
    "logo_uri": _is_text,
    "tos_uri": _is_text,
    "policy_uri": _is_text,
    "software_id": _is_text,
    "software_version": _is_text,
    "contacts": _is_texts,
}


def _checked(answer: Answer, members: Mapping[str, _Check], *, required: str) -> dict[str, object]:
    """The members that we know and that hold what they should; without `required`: a refusal.

    A member that is missing, null or odd is left out rather than the whole answer refused: only the
    one that everything hangs on must be there.
    """
    body = answer.body
    assert isinstance(body, dict)
    kept = {name: body[name] for name, fits in members.items() if fits(body.get(name))}
    if required not in kept:
        raise Refusal(Reason.ISSUER_ANSWER)
    return kept
