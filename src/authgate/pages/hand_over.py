"""Consent to what a tool asked, after a sign-in at a provider, and the one-time code for it.

Whoever opened the provider's URL may have been sent it by somebody else. So the page names client,
scopes and destination and asks whether the person started this, and the code that a yes gives is
good for that one challenge alone. It is shown once, in the answer to the form and in no URL.
"""

from __future__ import annotations

from authgate.pages import render, visit, words
from authgate.pages.site import Site
from authgate.pages.visit import Visit
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.records import Person
from authgate.security.digests import digest
from authgate.steps import hand_over as steps
from authgate.steps.providers import PROVIDERS
from authgate.web.answers import Answer
from authgate.web.request import Request


async def show(site: Site, request: Request) -> Answer:
    """`GET /oauth/hand-over?tx=…`: the form. Loading it changes nothing."""
    asked = request.query()
    asked.refuse_repeated()
    visitor = await visit.load(site, request)
    name = asked.get("tx") or ""
    return _form(site, visitor, await _load(site, visitor, name), name)


async def submit(site: Site, request: Request) -> Answer:
    """`POST /oauth/hand-over`: the code, or that the request was denied."""
    fields = visit.read_form(site, request)
    name, decision = fields.get("request") or "", fields.require("decision")
    visitor = await visit.load(site, request)
    asked = await _load(site, visitor, name)
    if not visit.has_token(site, visitor, "hand-over", fields, session=False):
        raise Refusal(Reason.FORM_TOKEN)
    code = None
    if decision == "approve":
        code = await steps.approve(site.parts, asked, visitor.address)
    elif decision == "deny":
        await steps.deny(site.parts, asked, visitor.address)
    else:
        raise Refusal(Reason.REQUEST_MALFORMED, why="the decision is neither approve nor deny")
    return render.page(
        site.url,
        200,
        "handed_over.html",
        {
            "asking": words.describe(asked.client, asked.request),
            "provider": PROVIDERS[asked.transaction.provider],
            "code": code,
        },
    )


async def _load(site: Site, visitor: Visit, name: str) -> steps.Asked:
    browser = digest(visitor.browser) if visitor.browser else None
    return await steps.load(site.parts, name, browser)


def _form(site: Site, visitor: Visit, asked: steps.Asked, name: str) -> Answer:
    person = asked.vouched.display if isinstance(asked.vouched, Person) else None
    return render.page(
        site.url,
        200,
        "hand_over.html",
        {
            "asking": words.describe(asked.client, asked.request),
            "person": person,
            "provider": PROVIDERS[asked.transaction.provider],
            "handle": name,
            "answers_to": "/oauth/hand-over",
            "form_token": visit.make_token(site, visitor, "hand-over", name, session=False),
        },
    )
