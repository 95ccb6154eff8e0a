"""AuthKit issues the tokens: we sign its people in, guard the resource and ask it for clients.

There is no registration, authorization or token endpoint here, and no consent: those are AuthKit's
own (Standalone Connect). Imported only where it is chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from authgate.app.checkup import workos_wanted
from authgate.app.issuing import Ground, Issuing, Job
from authgate.app.jobs import reading_keys
from authgate.app.webhooks import remembering
from authgate.endpoints import well_known
from authgate.fetch import Fetch
from authgate.gateway.guard import Guard
from authgate.gateway.standing_elsewhere import ByPerson
from authgate.issuers.authkit import AuthkitIssuer, AuthkitPolicy
from authgate.issuers.authkit.completion import AuthKitLogins, CompletionPolicy
from authgate.observe import log
from authgate.pages import login_routes
from authgate.protocol.tokens import Challenger
from authgate.settings import Settings
from authgate.steps.parts import ElsewhereParts, LoginParts
from authgate.tools import elsewhere
from authgate.tools import routes as tool_routes
from authgate.web.request import App
from authgate.workos import WorkOS, WorkOSPolicy
from authgate.workos.report import report

MAX_BYTES = 262_144  # of any answer of the AuthKit domain; its largest is a set of keys


@dataclass(frozen=True, slots=True)
class _Services:
    """What is asked of AuthKit and of WorkOS, with the connections to both."""

    fetch: Fetch
    issuer: AuthkitIssuer
    workos: WorkOS
    logins: AuthKitLogins


def authkit(ground: Ground) -> Issuing:
    """Everything that takes, and nothing that AuthKit does itself."""
    place, parts, core = ground.place, ground.parts, ground.core
    made = _services(ground)
    standings = ByPerson(parts.store, (parts.passwords, parts.social), parts.policy, parts.clock)
    tools = tool_routes(elsewhere.toolbox(ElsewhereParts.of(parts, made.issuer)), ground.origins)
    routes: dict[str, App] = {
        **place.within(login_routes(LoginParts.of(parts, made.logins), ground.cookies)),
        **place.within(tools),
        **well_known.routes_elsewhere(parts.policy, made.issuer, place, ground.core.mcp_path),
    }
    jobs: list[Job] = [made.issuer.watch, partial(_looked_at, core.settings, made)]
    if _signs(core.settings):
        routes |= well_known.own_keys(core.issuer, place)
        jobs.append(partial(reading_keys, core))
    return Issuing(
        routes=routes,
        guard=Guard(
            issuer=made.issuer,
            standings=standings,
            resource=parts.policy.default_resource,
            scopes=(),  # AuthKit grants none of ours; what it does grant says nothing of the MCP
            challenger=Challenger(place.resource_metadata_url(ground.core.mcp_path), ()),
            origins=ground.origins,
            clock=parts.clock,
            rollout=ground.rollout,
            body_limit=ground.body_limit,
            first=ground.tools.first,
        ),
        lazy=(*tools.values(), standings, made.logins, made.workos, made.fetch),
        jobs=tuple(jobs),
    )


def _services(ground: Ground) -> _Services:
    settings, parts = ground.core.settings, ground.parts
    domain, key = settings.workos_authkit_domain, settings.workos_api_key
    assert domain is not None  # the settings were checked to hold both
    assert key is not None
    fetch = Fetch("authkit", max_bytes=MAX_BYTES)
    audience = settings.workos_client_id if settings.accept_client_id_audience else None
    workos = WorkOS(
        WorkOSPolicy(key.get_secret_value(), settings.workos_client_id, settings.workos_api_url),
        before_ending=remembering(parts.store, parts.clock),
    )
    policy = CompletionPolicy(domain, settings.link_verified_email)
    return _Services(
        fetch,
        AuthkitIssuer(AuthkitPolicy(domain, audience), fetch),
        workos,
        AuthKitLogins(workos, parts.store, policy, parts.clock),
    )


def _signs(settings: Settings) -> bool:
    """Do keys of our own sign anything? Only who the caller is, for an upstream that asks it."""
    return settings.upstream is not None and settings.upstream_identity == "jwt"


async def _looked_at(settings: Settings, made: _Services) -> None:
    """Tell the operator's log what is set up wrongly at WorkOS; AuthKit's own documents are
    watched by the issuer."""
    try:
        found = await report(made.workos, made.fetch, workos_wanted(settings), documents=False)
    except Exception as trouble:  # a look must never cost more than the look
        log.warning("workos.report_failed", error=type(trouble).__name__)
        return
    found.tell("workos")
