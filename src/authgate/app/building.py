"""Steps, faces and guard put together: settings -> the whole application of one process."""

from __future__ import annotations

from authgate.app.application import App, Application
from authgate.app.core import MCP_PATH, Core, build_core, now
from authgate.app.home import home_of
from authgate.endpoints import (
    authorize,
    health,
    introspect,
    register,
    revoke,
    token,
    well_known,
)
from authgate.gateway.guard import Guard, Guarded
from authgate.pages import errors as error_pages
from authgate.pages import routes as page_routes
from authgate.pages.site import PublicUrl
from authgate.protocol.errors import Refusal
from authgate.protocol.tokens import Challenger
from authgate.security.limits import LimitPolicy, Throttles
from authgate.security.session import Cookies
from authgate.settings import Settings
from authgate.steps.authorize import Faulty
from authgate.steps.parts import Parts
from authgate.tools import routes as tool_routes
from authgate.web.answers import Answer
from authgate.web.mcp_app import LazyMcpApp
from authgate.web.origins import OriginRule


def build(settings: Settings) -> Application:
    """The whole application of one process."""
    core = build_core(settings)
    home = home_of(core)
    parts = Parts(
        policy=core.policy,
        store=core.store,
        issuer=core.issuer,
        passwords=home.directory,
        social=home.directory,
        vault=core.vault,
        throttles=Throttles(
            LimitPolicy(
                sign_in_account=settings.limit_account,
                sign_in_address=settings.limit_address,
                factor=settings.limit_factor,
                registration=settings.limit_registration,
                authorization=settings.limit_authorization,
                client_secret=settings.limit_client,
            )
        ),
        clock=now,
    )
    place = well_known.Place.of(settings.public)
    origins = OriginRule(frozenset((place.origin, *settings.allowed_origins)))
    example = LazyMcpApp(_example)
    tools = tool_routes(parts, origins)
    guarded = Guarded(example, _guard(core, place, origins))
    table = _routes(parts, place)
    table |= {place.prefix + path: app for path, app in tools.items()}
    table[place.prefix + MCP_PATH] = guarded
    return Application(core, home, table, (example, *tools.values()))


def _example() -> object:
    from authgate.gateway.example import server  # the MCP SDK behind it costs half a second

    return server()


def _guard(core: Core, place: well_known.Place, origins: OriginRule) -> Guard:
    return Guard(
        issuer=core.issuer,
        store=core.store,
        resource=core.policy.default_resource,
        scopes=core.policy.scopes,
        challenger=Challenger(place.resource_metadata_url(MCP_PATH), core.policy.scopes),
        origins=origins,
        clock=now,
    )


def _routes(parts: Parts, place: well_known.Place) -> dict[str, App]:
    """Every path with its application: what is not here does not exist.

    The aliases at the root are where clients look that found no metadata (their fallback of the
    2025-03-26 specification).
    """
    cookies = Cookies.of(parts.policy.issuer)
    authorization = authorize.endpoint(parts, cookies, place.prefix, _error_pages(parts))
    registration, tokens = register.endpoint(parts), token.endpoint(parts)
    own: dict[str, App] = {
        "/oauth/authorize": authorization,
        "/oauth/register": registration,
        "/oauth/token": tokens,
        "/oauth/revoke": revoke.endpoint(parts),
        "/oauth/introspect": introspect.endpoint(parts),
        "/authorize": authorization,
        "/register": registration,
        "/token": tokens,
        "/healthz": health.endpoint(),
        "/readyz": health.readiness(parts.store),
        **page_routes(parts, cookies),
    }
    table: dict[str, App] = {place.prefix + path: app for path, app in own.items()}
    table |= well_known.routes(parts.policy, parts.issuer, place, MCP_PATH)
    return table


def _error_pages(parts: Parts) -> authorize.ErrorPages:
    """How the authorization endpoint says no: a page, and never a 401, which is for programs."""
    url = PublicUrl.of(parts.policy.issuer)

    def refuse(refusal: Refusal) -> Answer:
        status = 400 if refusal.face.status == 401 else None
        return error_pages.refusal_page(refusal, url, status=status)

    def show_faulty(faulty: Faulty) -> Answer:
        return error_pages.faulty_answer(faulty, parts.policy.issuer)

    return authorize.ErrorPages(refuse, show_faulty)
