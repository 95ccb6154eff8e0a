"""The throttles of this process, alone or with the limit store of all nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authgate.app.core import Core
from authgate.security.limits import LimitPolicy, Throttles

if TYPE_CHECKING:
    from authgate.security.shared_limits import SharedLimits


def throttles_of(core: Core) -> Throttles:
    """Made from the settings; nothing is connected yet."""
    settings = core.settings
    policy = LimitPolicy(
        sign_in_account=settings.limit_account,
        sign_in_address=settings.limit_address,
        factor=settings.limit_factor,
        registration=settings.limit_registration,
        authorization=settings.limit_authorization,
        client_secret=settings.limit_client,
    )
    return Throttles(policy, shared=shared_of(core))


def shared_of(core: Core) -> SharedLimits | None:
    """The limit store of AUTHGATE_LIMITS_URL. Its keys are digests under a key of the vault's that
    all nodes have; the newest alone, so nodes that disagree about that one count apart meanwhile.
    """
    url = core.settings.limits_url
    if url is None:
        return None
    from authgate.security.shared_limits import SharedLimits

    return SharedLimits(url.get_secret_value(), core.vault.mac("limits", b"names of counters"))
