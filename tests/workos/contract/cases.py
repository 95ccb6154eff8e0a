"""The WorkOS environments that the read-only contract runs against.

The stand-in always; a real one where AUTHGATE_TEST_WORKOS_API_KEY and …_CLIENT_ID name it, and with
…_AUTHKIT_DOMAIN its AuthKit too (…_API_URL is for one that is not at api.workos.com). Nothing is
made, changed or spent there, so that a production key does no harm; and what holds there as well
as here, the stand-in may be trusted in.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from workos import AsyncWorkOSClient

from authgate.fetch import Fetch
from authgate.issuers.authkit import AuthkitIssuer, AuthkitPolicy
from authgate.workos import WorkOS, WorkOSPolicy
from authgate.workos.judging import AuthKit, Wanted
from tests.standins.workos import WorkOSStandIn

PREFIX = "AUTHGATE_TEST_WORKOS_"
NEEDED = ("API_KEY", "CLIENT_ID")
AUTHKIT = "AUTHKIT_DOMAIN"
API = "https://api.workos.com"
RESOURCE = "https://authgate-contract.example.com/mcp"

Facts = Mapping[str, str]


@dataclass(frozen=True)
class Tenant:
    """An environment of WorkOS's: our room and our issuer before it, and the bare SDK beside.

    Where no AuthKit domain is named, it is "" and the issuer is not for use.
    """

    policy: WorkOSPolicy
    domain: str
    workos: WorkOS
    sdk: AsyncWorkOSClient
    issuer: AuthkitIssuer
    fetch: Fetch

    @property
    def wanted(self) -> Wanted:
        """What a server with this environment would want of it, for doctor's look."""
        ours = AuthKit(self.domain, RESOURCE, "https://authgate-contract.example.com/oauth/login")
        policy = self.policy
        return Wanted(policy.api_url, policy.api_key, policy.client_id, authkit=ours)


@asynccontextmanager
async def tenant(facts: Facts) -> AsyncIterator[Tenant]:
    """The environment of these facts, real or not: they are all that tells the two apart."""
    domain = facts.get(AUTHKIT, "").rstrip("/")
    domain = domain if "://" in domain or not domain else f"https://{domain}"
    url = facts.get("API_URL") or API
    policy = WorkOSPolicy(facts["API_KEY"], facts["CLIENT_ID"], url)
    workos, fetch = WorkOS(policy), Fetch()
    async with AsyncWorkOSClient(
        api_key=policy.api_key, client_id=policy.client_id, base_url=url, max_retries=1
    ) as sdk:
        try:
            issuer = AuthkitIssuer(AuthkitPolicy(domain), fetch)
            yield Tenant(policy, domain, workos, sdk, issuer, fetch)
        finally:
            await workos.close()
            await fetch.close()


@asynccontextmanager
async def stand_in() -> AsyncIterator[Tenant]:
    async with WorkOSStandIn(resources=["https://mcp.example.com/mcp"]) as standin:
        standin.add_user("ana@example.com")
        facts = {
            "API_KEY": standin.api_key,
            "CLIENT_ID": standin.client_id,
            "AUTHKIT_DOMAIN": standin.authkit_url,
            "API_URL": standin.api_url,
        }
        async with tenant(facts) as opened:
            yield opened


Cases = dict[str, Callable[[], AbstractAsyncContextManager[Tenant]]]


def cases(environment: Mapping[str, str], needed: tuple[str, ...] = NEEDED) -> Cases:
    """The stand-in, and the real one if all that is needed of it is named."""
    facts = {
        name.removeprefix(PREFIX): value.strip()
        for name, value in environment.items()
        if name.startswith(PREFIX)
    }
    found: Cases = {"stand-in": stand_in}
    if all(facts.get(name) for name in needed):
        found["real"] = partial(tenant, facts)
    return found


CASES = cases(os.environ)
AUTHKIT_CASES = cases(os.environ, (*NEEDED, AUTHKIT))
