"""The error page: any refusal as a page. The sentence is the table's; only headings are from here.

Also used outside this room: `endpoints.authorize` answers with it, and `app` for addresses that do
not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from authgate.pages import render
from authgate.pages.site import PublicUrl
from authgate.protocol import redirect_uris
from authgate.protocol.errors import Reason, Refusal
from authgate.steps.authorize import Faulty
from authgate.web.answers import Answer, refusal_headers

_HEADINGS = {
    Reason.INTERACTION_EXPIRED: "Please start again",
    Reason.INTERACTION_ANSWERED: "Nothing left to do here",
    Reason.INTERACTION_UNKNOWN: "Please start again",
    Reason.BROWSER_MISMATCH: "Not in this browser",
    Reason.CHALLENGE_UNKNOWN: "Please start again",
    Reason.CHALLENGE_ANSWERED: "Nothing left to do here",
    Reason.SOCIAL_UNKNOWN: "Please start again",
    Reason.SOCIAL_USED: "Please try again",
    Reason.SOCIAL_RETRY: "Please try again",
    Reason.SOCIAL_CANCELLED: "You are not signed in",
    Reason.SOCIAL_FAILED: "You are not signed in",
    Reason.SOCIAL_NO_ACCOUNT: "You are not signed in",
    Reason.SOCIAL_ANONYMOUS: "You are not signed in",
    Reason.SOCIAL_EMAIL_UNVERIFIED: "You are not signed in",
    Reason.SOCIAL_WRONG_PROVIDER: "You are not signed in",
    Reason.SIGN_IN_OVERTAKEN: "You are not signed in",
    Reason.FACTOR_MISSING: "You are not signed in",
    Reason.FACTOR_UNSUPPORTED: "You are not signed in",
    Reason.PROVIDER_NOT_OFFERED: "Not offered here",
    Reason.FORM_TOKEN: "This form cannot be used",
    Reason.LOGIN_MALFORMED: "Please start again",
    Reason.LOGIN_EXPIRED_THERE: "Please start again",
    Reason.LOGIN_COMPLETED_BEFORE: "Nothing left to do here",
    Reason.LOGIN_EMAIL_MISSING: "This account cannot continue",
    Reason.LOGIN_EMAIL_TAKEN: "This account cannot continue",
    Reason.LOGIN_EMAIL_CHANGE: "This account cannot continue",
    Reason.LOGIN_EMAIL_INVALID: "This account cannot continue",
    Reason.LOGIN_PERSON_GONE: "You are not signed in",
    Reason.LOGIN_THROTTLED: "Back in a moment",
    Reason.LOGIN_UNAVAILABLE: "Back in a moment",
    Reason.CLIENT_UNKNOWN: "This application is not registered",
    Reason.CLIENT_MISSING: "The application did not say who it is",
    Reason.REDIRECT_URI_MISSING: "The application did not say where to return",
    Reason.REDIRECT_URI_UNREGISTERED: "This return address is not registered",
    Reason.NOT_FOUND: "Page not found",
    Reason.METHOD_NOT_ALLOWED: "That does not work here",
    Reason.REQUEST_TOO_LARGE: "That was too large",
    Reason.STORE_UNAVAILABLE: "Back in a moment",
    Reason.SIGN_IN_UNAVAILABLE: "Back in a moment",
    Reason.THROTTLED: "Too many requests",
}
_OUR_FAULT = "Something went wrong"
_THEIR_FAULT = "This request cannot go on"


@dataclass(frozen=True, slots=True)
class Onward:
    """A link that an error page may offer. `away`: it leaves this site."""

    href: str
    text: str
    away: bool = False


def writer(issuer: str) -> Callable[[Refusal], Answer]:
    """What an `Endpoint` writes its refusals with, at this public URL."""
    url = PublicUrl.of(issuer)

    def refuse(refusal: Refusal) -> Answer:
        return refusal_page(refusal, url)

    return refuse


def refusal_page(
    refusal: Refusal, url: PublicUrl, onward: Onward | None = None, status: int | None = None
) -> Answer:
    """The page of a refusal, with the status of the table unless another is given."""
    status = status or refusal.face.status
    heading = _HEADINGS.get(refusal.reason, _OUR_FAULT if status >= 500 else _THEIR_FAULT)
    return render.page(
        url,
        status,
        "error.html",
        {
            "heading": heading,
            "sentence": refusal.sentence,
            "hint": refusal.hint,
            "code": refusal.code,
            "onward": onward,
            "about_cookies": refusal.reason is Reason.BROWSER_MISMATCH,
        },
        refusal_headers(refusal),
    )


def faulty_answer(faulty: Faulty, issuer: str) -> Answer:
    """The page of a request that cannot be put before a person, though its way back is proven.

    A page with a link and not a redirect: a client that anybody registered could otherwise use us
    to send people wherever it likes (RFC 9700 section 4.11.2). The client still learns what was
    wrong, with its state, when the person follows the link.
    """
    return refusal_page(faulty.refusal, PublicUrl.of(issuer), _way_back(faulty), status=400)


def _way_back(faulty: Faulty) -> Onward | None:
    # Registration refuses these schemes; a link is not the place to rely on that alone.
    if faulty.redirect_uri.partition(":")[0].lower() in redirect_uris.NEVER:
        return None
    host = redirect_uris.shown_host(faulty.redirect_uri)
    return Onward(faulty.answer_url, f"Return to {host}", away=True)
