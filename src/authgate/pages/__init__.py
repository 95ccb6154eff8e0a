"""The pages a person sees: sign-in, code, consent, sign-out, errors. They need no script at all.

Every page belongs to one authorization request, named by its handle, in one browser, named by its
cookie. No page sends a person to another page: each returns to the dispatcher (`dispatch`), which
asks the stored state what comes next. Never here: a rule of OAuth, a decision about a request, a
cookie's format. Neighbours: `steps` decide and commit, `security.session` makes cookies and form
tokens, `web` reads requests and writes answers, `endpoints.authorize` sends browsers here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from authgate.pages import (
    consent,
    dispatch,
    errors,
    factor,
    hand_over,
    login,
    sign_in,
    sign_out,
    social,
    static,
)
from authgate.pages.site import PublicUrl, Site
from authgate.security.session import Cookies
from authgate.steps.parts import LoginParts, Parts
from authgate.steps.providers import PROVIDERS
from authgate.web.endpoint import Endpoint, Handler

__all__ = ["login_routes", "routes"]

Page = Callable[..., Endpoint]


def routes(parts: Parts, cookies: Cookies) -> dict[str, Endpoint]:
    """The paths of all pages, below the public URL's own path, and what answers there."""
    site = Site(parts, cookies, PublicUrl.of(parts.policy.issuer))
    page = _page(site)
    return _of_every_sign_in(site) | {
        "/oauth/hand-over": page(
            get=partial(hand_over.show, site), post=partial(hand_over.submit, site)
        ),
        "/oauth/consent": page(post=partial(consent.submit, site)),
    }


def login_routes(parts: LoginParts, cookies: Cookies) -> dict[str, Endpoint]:
    """The same where an issuer elsewhere has us sign in its people: consent is asked there."""
    site = Site(parts, cookies, PublicUrl.of(parts.policy.issuer), parts)
    page = _page(site)
    return _of_every_sign_in(site) | {
        "/oauth/login": page(get=partial(login.begin, site), post=partial(login.submit, site)),
    }


def _page(site: Site) -> Page:
    refuse = errors.writer(site.parts.policy.issuer)

    def page(*, get: Handler | None = None, post: Handler | None = None) -> Endpoint:
        return Endpoint(get=get, post=post, refuse=refuse)

    return page


def _of_every_sign_in(site: Site) -> dict[str, Endpoint]:
    page = _page(site)
    return {
        "/oauth/continue": page(get=partial(dispatch.proceed, site)),
        "/oauth/sign-in": page(post=partial(sign_in.submit, site)),
        "/oauth/factor": page(post=partial(factor.submit, site)),
        "/oauth/callback": page(get=partial(social.come_back, site)),
        **{
            f"/oauth/start/{provider}": page(get=partial(social.depart, site, provider))
            for provider in PROVIDERS
        },
        "/oauth/sign-out": page(
            get=partial(sign_out.ask, site), post=partial(sign_out.submit, site)
        ),
        "/oauth/signed-out": page(get=partial(sign_out.done, site)),
        **{asset.path: page(get=partial(static.serve, asset)) for asset in static.assets()},
    }
