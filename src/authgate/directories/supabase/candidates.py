"""People of the project for a sign-in elsewhere: by id, or as candidates by their address.

Supabase has no look-up by address or by a provider's id. Its list can be filtered, by a LIKE over
addresses and over names that people write themselves: what it finds is compared again, exactly. The
list leaves identities out, so each candidate is asked for. All of it needs the secret key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from authgate.directories.contract import Unavailable
from authgate.directories.linking import Known
from authgate.directories.supabase.api import Reply, Said, SupabaseApi
from authgate.directories.supabase.errors import RETRY_OUTAGE, key_refused, unexpected
from authgate.directories.supabase.people import Member, is_uuid, read_member
from authgate.directories.supabase.policy import SupabasePolicy
from authgate.directories.supabase.project import Project, ProjectSettings
from authgate.protocol.records import Person
from authgate.security.addresses import MAX_EMAIL, same_address

PAGE = 50
MOST_PAGES = 4
MOST_CANDIDATES = 5


class Candidates:
    """`learn` is told of everybody who is signed in. `clock` in seconds since the epoch."""

    def __init__(
        self,
        api: SupabaseApi,
        policy: SupabasePolicy,
        settings: ProjectSettings,
        clock: Callable[[], float],
        learn: Callable[[Person], None],
    ) -> None:
        self._api = api
        self._policy = policy
        self._settings = settings
        self._clock = clock
        self._learn = learn

    async def known(self, sub: str) -> Known | Unavailable | None:
        """As promised by `People`."""
        if not is_uuid(sub):
            return None
        project = await self._settings.project()
        if isinstance(project, Unavailable):
            return project
        reply = await self._api.admin_user(sub)
        if isinstance(reply, Said) and reply.status == 404 and reply.code == "user_not_found":
            return None
        member = read_member(reply.body) if isinstance(reply, Said) and reply.ok else None
        if member is None or member.sub != sub or not isinstance(reply, Said):
            return _trouble(reply)
        return self._known(member, reply.body, project)

    async def with_address(self, email: str) -> tuple[Known, ...] | Unavailable:
        """As promised by `People`. Bounded: past two hundred hits, whoever is there is not seen."""
        wanted = email.strip()
        if not 0 < len(wanted) <= MAX_EMAIL or not wanted.isprintable():
            return ()
        subs: list[str] = []
        for page in range(1, MOST_PAGES + 1):
            reply = await self._api.admin_users(wanted.lower(), page, PAGE)
            listed = reply.body.get("users") if isinstance(reply, Said) and reply.ok else None
            if not isinstance(listed, list):
                return _trouble(reply)
            subs += [one["id"] for one in listed if _has_address(one, wanted)]
            if len(listed) < PAGE:
                break
        return await self._all_known(subs[:MOST_CANDIDATES])

    def signed_in(self, person: Person) -> None:
        """As promised by `People`."""
        self._learn(person)

    async def _all_known(self, subs: list[str]) -> tuple[Known, ...] | Unavailable:
        found: list[Known] = []
        for sub in subs:
            one = await self.known(sub)
            if isinstance(one, Unavailable):
                return one
            if one is not None:
                found.append(one)
        return tuple(found)

    def _known(self, member: Member, body: Mapping[str, Any], project: Project) -> Known:
        email = body.get("email")
        return Known(
            person=member.person(()),
            email=email if isinstance(email, str) else "",
            # Not even where the operator lets Supabase join accounts in such a project: whoever
            # registered with somebody's address first would wait here for that somebody.
            address_proven=bool(body.get("email_confirmed_at")) and not project.autoconfirm,
            accounts=frozenset(_accounts(body.get("identities"))),
            shut_out=member.shut_out(self._clock()),
            anonymous=member.anonymous,
            needs_factor=bool(member.factors) or self._policy.require_aal2,
        )


def _has_address(listed: object, wanted: str) -> bool:
    if not isinstance(listed, dict) or not isinstance(listed.get("id"), str):
        return False
    email = listed.get("email")
    return (
        isinstance(email, str)
        and same_address(email, wanted)
        and listed.get("is_sso_user", False) in (False, None)
    )


def _accounts(value: object) -> list[tuple[str, str]]:
    """`id` is the provider's own id of the account, `identity_id` Supabase's of the row."""
    found = []
    for one in value if isinstance(value, list) else []:
        data = one.get("identity_data") if isinstance(one, dict) else None
        if not isinstance(data, dict) or data.get("email_verified") is not True:
            continue
        provider, own = one.get("provider"), one.get("id")
        if isinstance(provider, str) and isinstance(own, str) and provider and own:
            found.append((provider, own))
    return found


def _trouble(reply: Reply) -> Unavailable:
    if not isinstance(reply, Said):
        return Unavailable(RETRY_OUTAGE)
    if reply.status in (401, 403):
        return key_refused("candidates")
    return unexpected(reply, "candidates")
