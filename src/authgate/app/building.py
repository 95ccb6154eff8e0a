"""Everything put together: settings -> the whole application of one process."""

from __future__ import annotations

from functools import partial

from authgate.app import tool_scopes
from authgate.app.application import Application, Beside
from authgate.app.behind import Behind, behind
from authgate.app.core import MCP_PATH, Core, build_core, now
from authgate.app.gauges import looking
from authgate.app.home import Home, home_of
from authgate.app.issuing import Ground, Issuing, Job
from authgate.app.jobs import Clock
from authgate.app.live import Live
from authgate.app.rollout import applying, rollout_of
from authgate.app.services import Services, looks_of
from authgate.app.shared import SharedPath
from authgate.app.throttling import throttles_of
from authgate.app.watched import watched_directory, watched_store
from authgate.app.webhooks import webhook_routes
from authgate.endpoints import health, well_known
from authgate.endpoints.health import Readiness
from authgate.gateway.guarded import Guarded
from authgate.security.session import Cookies
from authgate.settings import Settings
from authgate.steps.parts import Parts
from authgate.tools.endpoint import ToolsEndpoint
from authgate.web.origins import OriginRule
from authgate.web.request import App


def build(
    settings: Settings, inside: Behind | None = None, mcp_path: str = MCP_PATH
) -> Application:
    """The whole application of one process. What is not in its table does not exist.

    `inside` is the MCP server where it is in this very process (`adapters.embedded`), at `mcp_path`
    below the public URL.
    """
    core = build_core(settings, mcp_path)
    ground = _ground(core, home_of(core))
    live = Live(settings)
    live.apply(applying(ground.rollout, settings))
    live.apply(tool_scopes.applying(ground.tools, settings))
    issuing = _issuing(ground)
    guarded = behind(core) if inside is None else inside
    services, clock = Services(looks_of(core, ground.home)), Clock(core)
    readiness = Readiness(
        core.store,
        lambda: core.keys.readable,
        lambda: {"clock": clock.said, **services.report()},
    )
    usage, throttles = ground.rollout.usage, ground.parts.throttles
    looks: Job = partial(looking, core, throttles)
    beside = Beside(
        lazy=(guarded, *issuing.lazy, usage, throttles),
        jobs=(
            *(*issuing.jobs, live.watch, usage.keep),
            *(services.keep, throttles.look, looks, clock.watch),
        ),
        live=live,
        readiness=readiness,
    )
    return Application(core, ground.home, _table(ground, issuing, guarded, readiness), beside)


def _ground(core: Core, home: Home) -> Ground:
    """What both issuers stand on."""
    settings = core.settings
    place = well_known.Place.of(settings.public)
    rollout = rollout_of(core, home)
    return Ground(
        core,
        home,
        _parts(core, home),
        place,
        OriginRule(frozenset((place.origin, *settings.allowed_origins))),
        Cookies.of(settings.public),
        rollout,
        tool_scopes.rules_of(settings, rollout),
    )


def _table(
    ground: Ground, issuing: Issuing, guarded: Behind, readiness: Readiness
) -> dict[str, App]:
    """Every path there is, with what answers at it."""
    settings, place = ground.core.settings, ground.place
    table: dict[str, App] = {
        **issuing.routes,
        **place.within(webhook_routes(ground.parts, settings.workos_webhook_secret)),
        place.prefix + "/healthz": health.endpoint(),
        place.prefix + "/readyz": health.readiness(readiness),
    }
    gate = tool_scopes.gate(ground, guarded, issuing.guard.challenger)
    mcp, server = place.prefix + ground.core.mcp_path, Guarded(gate, issuing.guard)
    table[mcp] = _at_path(table.get(mcp), server, mcp)
    return table


def _at_path(there: App | None, server: App, path: str) -> App:
    """The server at its path, which it may have in common with the sign-in tools alone."""
    if there is None:
        return server
    if isinstance(there, ToolsEndpoint):
        return SharedPath(there, server)
    raise ValueError(f"{path} is a path of authgate's own; put the MCP server at another one.")


def _issuing(ground: Ground) -> Issuing:
    """One of the two; the other's modules are not even loaded."""
    if ground.core.settings.issuer == "authkit":
        from authgate.app.authkit import authkit

        return authkit(ground)
    from authgate.app.builtin import builtin

    return builtin(ground)


def _parts(core: Core, home: Home) -> Parts:
    return Parts(
        policy=core.policy,
        store=watched_store(core.store),
        passwords=watched_directory(home.directory),
        social=watched_directory(home.social),
        vault=core.vault,
        throttles=throttles_of(core),
        clock=now,
    )
