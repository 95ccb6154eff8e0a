"""The rollout's parts, and the rules in force made from the settings and the config file."""

from __future__ import annotations

from collections.abc import Callable

from authgate.app.core import Core, now
from authgate.app.home import Home, supabase_tokens
from authgate.app.live import mode_of
from authgate.gateway.credentials import Credentials
from authgate.gateway.legacy import Legacy
from authgate.gateway.rollout import Rollout
from authgate.gateway.usage import Usage
from authgate.protocol import elsewhere
from authgate.protocol.rollout import Anonymous, Rules
from authgate.settings import LiveSettings, Settings


def rollout_of(core: Core, home: Home) -> Rollout:
    """All that takes, with the strictest rules until others are put in force."""
    settings, usage = core.settings, Usage(core.store, now)
    # AuthKit's are ours also where we issue, and ours also where it does: the other's tokens may
    # still be out there after a change of the issuer.
    ours = frozenset(filter(None, (settings.public, settings.workos_authkit_domain)))
    supabase = supabase_tokens(home)
    scopes = elsewhere.SCOPES if settings.issuer == "authkit" else settings.scopes
    return Rollout(
        Credentials(ours, supabase.policy.issuer if supabase else None),
        Legacy(core.store, supabase, scopes, usage.used),
        usage,
        core.store,
    )


def applying(rollout: Rollout, settings: Settings) -> Callable[[LiveSettings], None]:
    """Puts what the config file says in force, from the next request on."""

    def apply(live: LiveSettings) -> None:
        rollout.rules = rules_of(settings, live)

    return apply


def rules_of(settings: Settings, live: LiveSettings) -> Rules:
    """What is in force. The built-in example and a program on its standard input see nothing of
    what a request brought, so there nobody judges it but we."""
    return Rules(
        mode=mode_of(settings, live),
        supabase_until=live.supabase_tokens_until,
        api_keys_until=live.api_keys_until,
        announced_at=live.changed_at,
        anonymous=Anonymous(live.anonymous_tools, live.anonymous_methods),
        upstream=settings.upstream is not None,
        pass_unknown=live.pass_unknown,
    )
