"""What a call's credential is worth while OAuth is being switched on: found out, then ruled on.

`Rollout.rules` is what is in force. It is replaced as a whole while requests run; each request
takes it once, so that none is judged half by one mode and half by another. Neighbours:
`credentials` tells what came, `legacy` knows what was there before, `protocol.rollout` has the
table, `guard` asks all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from authgate.gateway.caller import STRICT, Caller, Passage, nobody
from authgate.gateway.credentials import Credentials, Presented
from authgate.gateway.legacy import Legacy, over
from authgate.gateway.usage import Usage
from authgate.protocol.digests import digest
from authgate.protocol.errors import Refusal
from authgate.protocol.records import ApiKey
from authgate.protocol.rollout import NOT_OURS, Kind, Mode, Recorded, Rules, Worth
from authgate.store.contract import Store, StoreUnavailable


@dataclass(frozen=True, slots=True)
class Found:
    """What became of looking at a credential: the caller it proves, or why it proves nobody."""

    worth: Worth
    caller: Caller
    refusal: Refusal | None = None

    @classmethod
    def refused(cls, kind: Kind, refusal: Refusal, worth: Worth = Worth.BAD) -> Found:
        return cls(worth, nobody(kind), refusal)


@dataclass(slots=True)
class Rollout:
    """The parts, and the rules in force."""

    credentials: Credentials
    legacy: Legacy
    usage: Usage
    store: Store
    rules: Rules = field(default_factory=Rules)

    async def presented(self, shown: Presented, rules: Rules) -> tuple[Presented, ApiKey | None]:
        """`shown`, with what only the store can tell: a refresh token of ours, a key it knows.

        Not asked in `required`, where neither is of any use: strangers could have us read there.
        """
        # What we issued stays here even if the store has to be waited for.
        for value in shown.may_be_refresh_tokens:
            if await self.store.refresh_token(digest(value)):
                shown = shown.without(value)
        if shown.kind is not Kind.UNKNOWN or not shown.value or rules.mode is Mode.OFF:
            return shown, None
        try:
            key = await self.legacy.find_key(shown.value)
        except StoreUnavailable:
            return shown, None  # whoever judges it today still does
        return (replace(shown, kind=Kind.EXISTING_KEY) if key else shown), key

    async def look(self, presented: Presented, key: ApiKey | None, rules: Rules, now: int) -> Found:
        """What a credential that is not our issuer's is worth."""
        kind = presented.kind
        if rules.is_over(kind, now):
            return Found.refused(kind, over(kind, rules), Worth.OVER)
        try:
            return Found(Worth.GOOD, await self.legacy.caller(presented, key, now))
        except Refusal as refusal:
            return Found.refused(kind, refusal)

    def count(self, recorded: Recorded, found: Found) -> None:
        """Count a call; not one that trouble of ours ended, which says nothing about its caller."""
        if recorded is Recorded.NOT:
            return
        refusal = found.refusal
        if refusal is not None and refusal.face.status >= 500:
            return
        caller = found.caller
        client = caller.client_id if caller.kind is Kind.OURS else caller.display
        if caller.kind is Kind.SUPABASE:
            client = ""  # the token names a person and no client, and people are not counted
        self.usage.count(caller.kind, client, refused=recorded is Recorded.REFUSAL)


def passage(rules: Rules, presented: Presented, caller: Caller) -> Passage:
    """How a call goes on that passes."""
    if rules.mode is Mode.REQUIRED:
        return STRICT
    refuses = rules.mode is Mode.OPTIONAL
    judged_here = refuses and presented.kind not in NOT_OURS
    # Whom a token claims to speak for names a session where the upstream judges the token itself:
    # the same person's sessions then outlive a change of the mode.
    mine = caller.sub or ("" if judged_here else presented.claimed)
    return Passage(
        judged_here=judged_here,
        own=presented.own if judged_here else (*presented.own, *presented.whence),
        sessions=(mine, "") if mine else ("",),
        any_session=not refuses,
        scoped=refuses and (judged_here or not rules.judged_there),
        bounded=refuses,
    )


def preflight(rules: Rules, presented: Presented) -> Passage:
    """How a browser's question goes on that the upstream is to answer, as it does today."""
    return Passage(
        False,
        (*presented.own, *presented.whence),
        ("",),
        any_session=True,
        scoped=False,
        bounded=rules.mode is Mode.OPTIONAL,
    )
