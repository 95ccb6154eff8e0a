"""How long rows stay after they can decide nothing any more, in seconds; once for every engine.

`contract.Store.sweep` promises these periods and says why; the engines' sweeps apply them.
"""

from __future__ import annotations

_HOUR = 3_600
_DAY = 24 * _HOUR

# Anybody may open them: they are kept just long enough to tell a latecomer what happened.
REQUEST = 600
SESSION = _HOUR
UNSPENT_CODE = _HOUR
REDEEMED_CODE = 30 * _DAY
ENDED_GRANT = 30 * _DAY
UNUSED_CLIENT = _DAY
USED_CLIENT = 90 * _DAY
EVENT = 7 * _DAY
KEPT_SESSION = 90 * _DAY
USAGE_DAYS = 90
