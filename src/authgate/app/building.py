"""Everything put together: settings -> the whole application of one process."""

from __future__ import annotations

from authgate.app import tool_scopes
from authgate.app.application import Application
from authgate.app.behind import behind
from authgate.app.core import MCP_PATH, Core, build_core, now
from authgate.app.home import Home, home_of
from authgate.app.issuing import Ground, Issuing
from authgate.app.live import Live
from authgate.app.rollout import applying, rollout_of
from authgate.app.webhooks import webhook_routes
from authgate.endpoints import health, well_known
from authgate.gateway.guard import App, Guarded
from authgate.security.limits import LimitPolicy, Throttles
from authgate.security.session import Cookies
from authgate.settings import Settings
from authgate.steps.parts import Parts
from authgate.web.origins import OriginRule


def build(settings: Settings) -> Application:
    """The whole application of one process. What is not in its table does not exist."""
    core = build_core(settings)
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
    guarded = behind(core)
    gate = tool_scopes.gate(ground, guarded, issuing.guard.challenger)
    table: dict[str, App] = {
        **issuing.routes,
        **place.within(webhook_routes(ground.parts, settings.workos_webhook_secret)),
        place.prefix + "/healthz": health.endpoint(),
        place.prefix + "/readyz": health.readiness(core.store),
        place.prefix + MCP_PATH: Guarded(gate, issuing.guard),
    }
    usage = ground.rollout.usage
    lazy, jobs = (guarded, *issuing.lazy, usage), (*issuing.jobs, live.watch, usage.keep)
    return Application(core, home, table, lazy, jobs, live=live)


def _issuing(ground: Ground) -> Issuing:
    """One of the two; the other's modules are not even loaded."""
    if ground.core.settings.issuer == "authkit":
        from authgate.app.authkit import authkit

        return authkit(ground)
    from authgate.app.builtin import builtin

    return builtin(ground)


def _parts(core: Core, home: Home) -> Parts:
    settings = core.settings
    return Parts(
        policy=core.policy,
        store=core.store,
        passwords=home.directory,
        social=home.social,
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
