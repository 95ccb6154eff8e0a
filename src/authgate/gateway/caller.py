"""Who is calling the MCP server, as the guard established it: all that anything behind it may know.

The token itself is not here, on purpose: what is not handed on cannot leak or be replayed upstream
(MCP authorization, token passthrough). Neighbours: `guard` makes both records, `example` and
proxies read them from `scope["authgate.caller"]` and `scope["authgate.passage"]`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from authgate.protocol.rollout import Kind


@dataclass(frozen=True, slots=True)
class Caller:
    """A person and the client acting for them; `expires_at` in seconds since the epoch, 0: never.

    `sub` is the person's own identifier, whoever issued the token, or the operator's name for
    whoever has an API key. It is empty for nobody: who passes without a proof (see
    `protocol.rollout`). `client_id` and `grant_id` are empty where an issuer elsewhere does not
    tell them. People with a Supabase token have all scopes: they could do everything before there
    were any, and what they may do at the upstream is judged there.
    """

    sub: str
    client_id: str
    scopes: tuple[str, ...]
    grant_id: str
    display: str
    expires_at: int
    kind: Kind = Kind.OURS

    @property
    def known(self) -> bool:
        return bool(self.sub)


def nobody(kind: Kind) -> Caller:
    """Somebody who proved nothing."""
    return Caller("", "", (), "", "", 0, kind)


@dataclass(frozen=True, slots=True)
class Passage:
    """How a request goes on behind the guard. The defaults are those of `required`.

    `judged_here`: the guard decided on it, origin and scopes included; else it would have refused
    it or left it to the upstream, and whoever decides more must not refuse it either.
    `scoped`: what the caller may do is decided here as well; also where the upstream could have
    judged a credential that we know, and does not.
    `own` are the caller's own headers for the upstream to judge. `sessions` are whose sessions the
    request may name, the first is whose it opens (None: the caller's); `any_session` lets also
    those pass that were opened before there was a gateway. `bounded`: nobody gets a part of the
    room only (`slots`); not before `optional`, where everybody may be nobody and none is refused.
    """

    judged_here: bool = True
    own: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)
    sessions: tuple[str, ...] | None = None
    any_session: bool = False
    scoped: bool = True
    bounded: bool = True


STRICT = Passage()
