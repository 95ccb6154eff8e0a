"""Everything put together: settings -> the whole application of one process."""

from __future__ import annotations

from functools import partial

from authgate.app import tool_scopes
from authgate.app.application import Application, Beside
from authgate.app.behind import Behind, behind
from authgate.app.core import MCP_PATH, Core, build_core, now
from authgate.app.home import Home, home_of
from authgate.app.issuing import Ground, Issuing, Job
from authgate.app.jobs import Clock
from authgate.app.live import Live
from authgate.app.observing import watched_directory, watched_store, watching
from authgate.app.rollout import applying, rollout_of
from authgate.app.services import Services, looks_of
from authgate.app.shared import SharedPath
from authgate.app.throttling import throttles_of
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
    home = home_of(core)
    place = well_known.Place.of(settings.public)
    rollout = rollout_of(core, home)
    ground = Ground(
        core,
        home,
        _parts(core, home),
        place,
        OriginRule(frozenset((place.origin, *settings.allowed_origins))),
        Cookies.of(settings.public),
        rollout,
        tool_scopes.rules_of(settings, rollout),
    )
    live = Live(settings)
    live.apply(applying(ground.rollout, settings))
    live.apply(tool_scopes.applying(ground.tools, settings))
    issuing = _issuing(ground)
    services = Services(looks_of(core, home))
    clock = Clock(core)
    readiness = Readiness(
        core.store,
        lambda: core.keys.readable,
        lambda: {"clock": clock.said, **services.report()},
    )
    guarded = behind(core) if inside is None else inside
    gate = tool_scopes.gate(ground, guarded, issuing.guard.challenger)
    table: dict[str, App] = {
        **issuing.routes,
        **place.within(webhook_routes(ground.parts, settings.workos_webhook_secret)),
        place.prefix + "/healthz": health.endpoint(),
        place.prefix + "/readyz": health.readiness(readiness),
    }
    mcp, server = place.prefix + mcp_path, Guarded(gate, issuing.guard)
    table[mcp] = _beside(table.get(mcp), server, mcp)
    usage = ground.rollout.usage
    throttles = ground.parts.throttles
    lazy = (guarded, *issuing.lazy, usage, throttles)
    looks: Job = partial(watching, core, throttles)
    jobs: tuple[Job, ...] = (
        *issuing.jobs,
        live.watch,
        usage.keep,
        services.keep,
        throttles.look,
        looks,
        clock.watch,
    )
    return Application(core, home, table, Beside(lazy, jobs, live, readiness))


def _beside(there: App | None, server: App, path: str) -> App:
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
