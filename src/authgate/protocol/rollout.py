"""How OAuth is switched on beside what was there: who passes in which mode, and as whom.

Two promises hold in every mode: what we issued never goes to the upstream, and nobody is somebody
without proof. Two more keep what exists alive: `off` and `observe` refuse nobody, and a credential
that is not ours goes on unchanged, to be judged where it is judged today, until `required`.
`docs/rollout.md` has the same table, and one test reads both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from authgate.protocol.patterns import matches


class Mode(StrEnum):
    """How far a rollout has come."""

    OFF = "off"
    OBSERVE = "observe"
    OPTIONAL = "optional"
    REQUIRED = "required"


class Kind(StrEnum):
    """What came as a credential, told without proof. The values are those of the usage counts."""

    NONE = "none"
    OURS = "ours"  # what our issuer gave out; also expired, forged, or for another resource
    SUPABASE = "supabase"
    API_KEY = "api_key"  # made here, so nobody else can judge it
    EXISTING_KEY = "existing_key"  # the upstream's own; only its digest was entered here
    UNKNOWN = "unknown"

    __hash__ = str.__hash__  # an enum's own is Python, and every call looks a kind up


class Worth(StrEnum):
    """What a credential is worth; `OVER` is after its cut-off date, and not looked at any more."""

    GOOD = "good"
    BAD = "bad"
    OVER = "over"


class Passes(StrEnum):
    """May the call go on?"""

    YES = "yes"
    LISTED = "listed"  # where the operator's table of anonymous calls has it
    JUDGED = "judged"  # where the upstream judges credentials itself
    NO = "no"


class Recorded(StrEnum):
    """How a call is counted."""

    NOT = "not"
    CALL = "call"
    REFUSAL = "refusal"  # one that `required` would refuse


@dataclass(frozen=True, slots=True)
class Ruling:
    """One cell of the table. `known`: the caller is who the credential proves, else nobody.

    `onward`: the credential goes on to the upstream.
    """

    passes: Passes
    known: bool = False
    onward: bool = False
    recorded: Recorded = Recorded.REFUSAL


NOT_OURS = frozenset({Kind.SUPABASE, Kind.EXISTING_KEY, Kind.UNKNOWN})
LEGACY = frozenset({Kind.SUPABASE, Kind.API_KEY, Kind.EXISTING_KEY})


@cache
def rule(mode: Mode, kind: Kind, worth: Worth) -> Ruling:
    """The table. No and unknown credentials have no worth of their own: `BAD` stands for it."""
    good = worth is Worth.GOOD
    recorded = Recorded.CALL if kind is Kind.OURS and good else Recorded.REFUSAL
    onward = kind in NOT_OURS
    match mode:
        case Mode.OFF:
            return Ruling(Passes.YES, onward=onward, recorded=Recorded.NOT)
        case Mode.OBSERVE:
            return Ruling(Passes.YES, good, onward, recorded)
        case Mode.OPTIONAL:
            return Ruling(_optional(kind, worth), good, onward, recorded)
        case Mode.REQUIRED:
            passes = Passes.YES if kind is Kind.OURS and good else Passes.NO
            return Ruling(passes, passes is Passes.YES, False, recorded)


def _optional(kind: Kind, worth: Worth) -> Passes:
    """A bad token of ours is refused although nobody at all may pass: its client has to refresh.

    A bad credential of somebody else's is that one's to refuse, in its own words; but not a key
    that the operator revoked here, and none whose time is over.
    """
    if worth is Worth.GOOD:
        return Passes.YES
    if kind is Kind.NONE:
        return Passes.LISTED
    judged_elsewhere = kind in (Kind.SUPABASE, Kind.UNKNOWN) and worth is Worth.BAD
    return Passes.JUDGED if judged_elsewhere else Passes.NO


# What a client needs around its calls: to begin, to be told what there is, to stop.
_AROUND = frozenset(
    {
        "initialize",
        "notifications/cancelled",
        "notifications/initialized",
        "ping",
        "server/discover",
    }
)
_CALL, _LIST = "tools/call", "tools/list"


@dataclass(frozen=True, slots=True)
class Anonymous:
    """What may be called without a credential in `optional`: patterns. Nothing, by default."""

    tools: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()

    @property
    def anything(self) -> bool:
        """Is there anything at all?"""
        return bool(self.tools or self.methods)

    def allows(self, method: str | None, tool: object) -> bool:
        """May a message with this method be sent by nobody? `tool` is the one it calls.

        A call is decided by its tool alone, so that no pattern for methods opens every tool.
        """
        if method is None or not self.anything:
            return False
        if method == _CALL:
            return isinstance(tool, str) and _any(self.tools, tool)
        return (
            method in _AROUND
            or (method == _LIST and bool(self.tools))
            or _any(self.methods, method)
        )


def _any(patterns: Iterable[str], name: str) -> bool:
    return any(matches(pattern, name) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator decided, as it is in force. Times in seconds since the epoch.

    `supabase_until` and `api_keys_until` are the first moment at which they are refused, and
    `announced_at` is when that was said. `upstream`: whether what stands behind sees what a request
    brought, as only a server over HTTP does; `pass_unknown`: whether it judges credentials itself.
    """

    mode: Mode = Mode.REQUIRED
    supabase_until: int | None = None
    api_keys_until: int | None = None
    announced_at: int = 0
    anonymous: Anonymous = Anonymous()
    upstream: bool = False
    pass_unknown: bool = True

    @property
    def judged_there(self) -> bool:
        """Are credentials that are not ours judged behind the gateway?"""
        return self.upstream and self.pass_unknown

    def until(self, kind: Kind) -> int | None:
        """The cut-off of a kind of credential, if it has one."""
        match kind:
            case Kind.SUPABASE:
                return self.supabase_until
            case Kind.API_KEY | Kind.EXISTING_KEY:
                return self.api_keys_until
            case _:
                return None

    def is_over(self, kind: Kind, now: int) -> bool:
        """Is the time of a kind of credential over?"""
        until = self.until(kind)
        return until is not None and now >= until
