"""Away to a provider and back: `/oauth/start/...` and `/oauth/callback`.

The way back is a GET that another site sends the browser to, so it counts only in the browser that
was sent away, and the one thing it completes is the sign-in: consent follows on a page of ours. For
a tool's challenge not even a session begins here; its consent is `hand_over`'s.
"""

from __future__ import annotations

from authgate.observe import log
from authgate.pages import errors, sign_in, visit
from authgate.pages.site import Site
from authgate.pages.visit import Visit
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.records import PendingFactor
from authgate.security.digests import digest, new_secret
from authgate.steps import consent, factor, hand_over, providers, social
from authgate.web.answers import Answer, see_other
from authgate.web.request import Request


async def depart(site: Site, provider: str, request: Request) -> Answer:
    """`GET /oauth/start/{provider}?request=…` or `?challenge=…`: to the provider."""
    visit.refuse_unless_seen(request)
    asked = request.query()
    asked.refuse_repeated()
    visitor = await visit.load(site, request)
    challenge = asked.get("challenge")
    if challenge is None:
        return await _depart_from_page(site, request, visitor, provider, visit.handle_of(asked))
    open_challenge = await consent.load_challenge(site.parts, challenge)
    browser = visitor.browser or new_secret()
    url = await social.start(
        site.parts, open_challenge, challenge, provider, digest(browser), visitor.address
    )
    # Set again even if known: the cookie's life starts anew with each use.
    return see_other(url, [(b"set-cookie", site.cookies.set_browser(browser).encode("ascii"))])


async def _depart_from_page(
    site: Site, request: Request, visitor: Visit, provider: str, handle: str
) -> Answer:
    interaction = await visit.interaction(site, visitor, handle)
    sign_in.refuse_unless_open(interaction)
    if interaction.step in sign_in.SIGNED_IN:  # through another tab
        return see_other(site.continue_link(handle))
    asking = interaction.request
    assert asking.browser_digest is not None  # a browser's request has one
    try:
        url = await social.start(
            site.parts, asking, handle, provider, asking.browser_digest, visitor.address
        )
    except Refusal as refusal:
        onward = errors.Onward(site.continue_link(handle), "Back to the sign-in page")
        return _refused(site, request, refusal, onward)
    return see_other(url)


async def come_back(site: Site, request: Request) -> Answer:
    """`GET /oauth/callback`: the return from any provider, told apart by its transaction."""
    visit.refuse_unless_seen(request)
    asked = request.query()
    asked.refuse_repeated()
    name = asked.get("tx") or asked.get("state")
    visitor = await visit.load(site, request)
    browser = digest(visitor.browser) if visitor.browser else None
    returned = await social.find(site.parts, name, browser)
    assert name is not None  # or nothing would have been found
    try:
        vouched = await social.finish(site.parts, returned, asked.values, visitor.address)
        if returned.transaction.kind == "tool":
            await hand_over.vouch(site.parts, returned, vouched, visitor.address)
            return see_other(site.url.link(f"/oauth/hand-over?tx={name}"))
        if isinstance(vouched, PendingFactor):
            now = site.parts.clock()
            await factor.keep(site.parts, returned.request, vouched, visitor.address, now)
            return await sign_in.half_way(site, visitor, returned.handle)
        return await sign_in.admit(site, visitor, vouched, returned.handle)
    except Refusal as refusal:
        return _refused(site, request, refusal, _again(site, returned))


def _again(site: Site, returned: social.Returned) -> errors.Onward:
    """Where to try again: the same request's page as it is now, or the same challenge's start."""
    if returned.transaction.kind != "tool":
        return errors.Onward(site.continue_link(returned.handle), "Back to the sign-in page")
    provider = returned.transaction.provider
    path = f"/oauth/start/{provider}?challenge={returned.handle}"
    return errors.Onward(site.url.link(path), f"Try again with {providers.PROVIDERS[provider]}")


def _refused(site: Site, request: Request, refusal: Refusal, onward: errors.Onward) -> Answer:
    """The page, with a way on where there is one."""
    if refusal.reason in (Reason.INTERACTION_ANSWERED, Reason.INTERACTION_EXPIRED):
        raise refusal
    log.refused(request.scope, refusal)
    return errors.refusal_page(refusal, site.url, onward)
