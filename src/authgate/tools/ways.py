"""The ways in which oauth_authenticate signs a person in: one function each, all of one shape.

Never here: the answer to the challenge, which is the same after each of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.parameters import Parameters
from authgate.protocol.records import AuthorizationRequest, PendingFactor, Person
from authgate.steps import factor, hand_over, providers, sign_in, social
from authgate.steps.factor import FactorDue
from authgate.steps.parts import Parts

PASSWORD, PROVIDER = "password_in_tool", "provider"


@dataclass(frozen=True, slots=True)
class Proved:
    """Who was signed in, when, and how the audit trail is to tell it."""

    person: Person
    at: int
    via: str


Way = Callable[[Parts, AuthorizationRequest, Parameters, str], Awaitable[Proved | FactorDue]]


async def by_password(
    parts: Parts, request: AuthorizationRequest, asked: Parameters, address: str
) -> Proved | FactorDue:
    """With `username` and `password`."""
    username, password = asked.require("username"), asked.require("password")
    outcome = await sign_in.with_password(parts, request, username, password, address)
    if isinstance(outcome, FactorDue):
        return outcome
    return Proved(outcome, parts.clock(), PASSWORD)


async def by_provider(
    parts: Parts, request: AuthorizationRequest, asked: Parameters, address: str
) -> Proved | FactorDue:
    """With `provider` and the `oauth_code` that our page showed."""
    provider, code = asked.require("provider"), asked.require("oauth_code")
    found = await hand_over.with_code(parts, request, provider, code, address)
    if isinstance(found, FactorDue):
        return found
    assert not isinstance(found.vouched, PendingFactor)  # or a factor would be due
    return Proved(found.vouched, found.authenticated_at, PROVIDER)


async def by_factor(
    parts: Parts, request: AuthorizationRequest, asked: Parameters, address: str
) -> Proved | FactorDue:
    """With the `mfa_code` that is due. It goes with its first factor: where tools take no
    passwords they take no codes that follow one, but those that follow a provider."""
    first = factor.first_of(parts, request)
    if first is None or first.provider is None:
        refuse_unless_taken(parts)
    if request.factor is None:
        raise Refusal(
            Reason.TOOL_SIGN_IN_UNCLEAR, why="no second factor is due for this challenge_id"
        )
    person = await factor.answer_factor(parts, request, asked.require("mfa_code"), address)
    via = PASSWORD if first is None or first.provider is None else PROVIDER
    return Proved(person, parts.clock(), via)


def refuse_unless_offered(parts: Parts, provider: str) -> None:
    """No such provider, or not at this moment."""
    if provider not in social.offered(parts):
        shown = providers.PROVIDERS.get(provider, provider)
        raise Refusal(Reason.PROVIDER_NOT_OFFERED, provider=shown)


def refuse_unless_taken(parts: Parts) -> None:
    """Tools take no passwords here, or nobody does."""
    if not parts.policy.tool_passwords:
        raise Refusal(Reason.TOOL_PASSWORDS_OFF)
    if not parts.passwords.ways.password:
        raise Refusal(Reason.SIGN_IN_NOT_OFFERED)
