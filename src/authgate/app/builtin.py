"""authgate issues the tokens itself: the OAuth endpoints, the pages, the tools, the guard."""

from __future__ import annotations

from functools import partial

from authgate.app.issuing import Ground, Issuing
from authgate.app.jobs import reading_keys
from authgate.endpoints import authorize, introspect, register, revoke, token, well_known
from authgate.gateway.guard import Guard
from authgate.gateway.standing import ByGrant
from authgate.pages import errors as error_pages
from authgate.pages import routes as page_routes
from authgate.pages.site import PublicUrl
from authgate.protocol.errors import Refusal
from authgate.protocol.tokens import Challenger
from authgate.steps.authorize import Faulty
from authgate.steps.parts import IssuingParts, Parts
from authgate.tools import catalogue
from authgate.tools import routes as tool_routes
from authgate.web.answers import Answer
from authgate.web.request import App


def builtin(ground: Ground) -> Issuing:
    """Everything that issuing here takes."""
    place, policy = ground.place, ground.parts.policy
    parts = IssuingParts.of(ground.parts, ground.core.issuer)
    tools = tool_routes(catalogue.toolbox(parts), ground.origins)
    return Issuing(
        routes={
            **place.within(_endpoints(ground, parts)),
            **place.within(page_routes(parts, ground.cookies)),
            **place.within(tools),
            **well_known.routes(policy, parts.issuer, place, ground.core.mcp_path),
        },
        guard=Guard(
            issuer=parts.issuer,
            standings=ByGrant(parts.store),
            resource=policy.default_resource,
            scopes=policy.scopes,
            challenger=Challenger(place.resource_metadata_url(ground.core.mcp_path), policy.scopes),
            origins=ground.origins,
            clock=parts.clock,
            rollout=ground.rollout,
            body_limit=ground.body_limit,
            first=ground.tools.first,
        ),
        lazy=tuple(tools.values()),
        jobs=(partial(reading_keys, ground.core),),
    )


def _endpoints(ground: Ground, parts: IssuingParts) -> dict[str, App]:
    """The OAuth endpoints.

    The aliases at the root are where clients look that found no metadata (their fallback of the
    2025-03-26 specification).
    """
    pages = _error_pages(parts)
    authorization = authorize.endpoint(parts, ground.cookies, ground.place.prefix, pages)
    registration, tokens = register.endpoint(parts), token.endpoint(parts)
    return {
        "/oauth/authorize": authorization,
        "/oauth/register": registration,
        "/oauth/token": tokens,
        "/oauth/revoke": revoke.endpoint(parts),
        "/oauth/introspect": introspect.endpoint(parts),
        "/authorize": authorization,
        "/register": registration,
        "/token": tokens,
    }


def _error_pages(parts: Parts) -> authorize.ErrorPages:
    """How the authorization endpoint says no: a page, and never a 401, which is for programs."""
    url = PublicUrl.of(parts.policy.issuer)

    def refuse(refusal: Refusal) -> Answer:
        status = 400 if refusal.face.status == 401 else None
        return error_pages.refusal_page(refusal, url, status=status)

    def show_faulty(faulty: Faulty) -> Answer:
        return error_pages.faulty_answer(faulty, parts.policy.issuer)

    return authorize.ErrorPages(refuse, show_faulty)
