"""The scopes per tool in force, made from the settings and the config file; and who decides on them
before what stands behind the guard.
"""

from __future__ import annotations

from collections.abc import Callable

from authgate.app.behind import Behind
from authgate.app.issuing import Ground
from authgate.gateway.rollout import Rollout
from authgate.gateway.slots import Slots
from authgate.gateway.tool_scopes import InForce, Listing, ToolGate, ToolRules
from authgate.protocol import elsewhere
from authgate.protocol.tokens import Challenger
from authgate.protocol.tool_scopes import ToolScopes
from authgate.settings import LiveSettings, Settings


def rules_of(settings: Settings, rollout: Rollout) -> ToolRules:
    """No table, until the config file was read."""
    known = elsewhere.SCOPES if settings.issuer == "authkit" else settings.scopes
    return ToolRules(known, lambda: rollout.rules.anonymous)


def applying(rules: ToolRules, settings: Settings) -> Callable[[LiveSettings], None]:
    """Puts what the config file says in force, from the next request on."""

    def apply(live: LiveSettings) -> None:
        table = ToolScopes(live.tools, live.default_scope, live.implied_scopes)
        first = live.first_scope or None
        # AuthKit is asked for all it has, whatever the table says: see `protocol.metadata`.
        if table.asks and settings.issuer != "authkit":
            first = table.first(settings.scopes, live.first_scope)
        rules.in_force = InForce(table, Listing(live.tools_list), first)

    return apply


def gate(ground: Ground, behind: Behind, challenger: Challenger) -> ToolGate:
    """Before it, with as much room for bodies that are being read as it has for calls."""
    settings = ground.core.settings
    reading = Slots(settings.upstream_limit, settings.upstream_limit_person)
    return ToolGate(behind, ground.tools, challenger, reading, ground.body_limit)
