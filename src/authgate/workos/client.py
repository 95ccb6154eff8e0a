"""The calls that authgate makes to WorkOS: one method each, none of which raises.

Each returns a value of `values`, or the `Trouble` that stood in its way. Those that spend something
(a code, an external_auth_id) are made once; the others again, once, where an answer got lost. The
calls of a sign-in are `signing_in`'s. Never here: what a refusal means to a person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from authgate.workos import reading
from authgate.workos.asking import Asking, Sleep, WorkOSPolicy
from authgate.workos.signing_in import SigningIn
from authgate.workos.values import (
    Application,
    Completed,
    Done,
    Identity,
    OAuthResource,
    Session,
    Trouble,
    WorkOSUser,
)

if TYPE_CHECKING:
    from workos import AsyncWorkOSClient, RequestOptions

MOST_PAGES = 5
PAGE = 100

Value = TypeVar("Value")
BeforeEnding = Callable[[str], Awaitable[None]]
"""Takes the id of a session; raises nothing."""


class WorkOS(SigningIn):
    """One environment of WorkOS. For one event loop, from the first call to `close`.

    `before_ending` is told the id of each session before it is ended: WorkOS tells a webhook of it,
    perhaps sooner than it answers, and whoever hears that has to know that it was us.
    """

    def __init__(
        self,
        policy: WorkOSPolicy,
        sleep: Sleep = asyncio.sleep,
        before_ending: BeforeEnding | None = None,
    ) -> None:
        super().__init__(Asking(policy, sleep))
        self.policy = policy
        self._before_ending = before_ending

    async def close(self) -> None:
        """End the connections; later calls fail."""
        await self._asking.close()

    # --- AuthKit, whose sign-in page we are (Standalone Connect) -----------------------------

    async def complete(
        self, external_auth_id: str, user_id: str, email: str, name: str | None = None
    ) -> Completed | Trouble:
        """Tell AuthKit who signed in. `user_id` is our own id: WorkOS's `external_id` from now on.

        A second time is refused, so it is not made twice.
        """

        async def call(sdk: AsyncWorkOSClient, options: RequestOptions) -> object:
            from workos.connect.models import UserObject

            person = UserObject(id=user_id, email=email, name=name)
            return await sdk.connect.complete_oauth2(
                external_auth_id=external_auth_id, user=person, request_options=options
            )

        return await self._ask("complete", reading.completed, call, twice=False)

    async def applications(self, user_id: str) -> tuple[Application, ...] | Trouble:
        """What a user allowed at AuthKit; at most 500."""
        return await self._pages(
            "applications",
            reading.applications,
            lambda sdk, options, after: sdk.user_management.list_user_authorized_applications(
                user_id, limit=PAGE, after=after, request_options=options
            ),
        )

    async def disconnect(self, application_id: str, user_id: str) -> Done | Trouble:
        """Forget that a user allowed an application something: next time it has to ask."""
        return await self._ask(
            "disconnect",
            reading.done,
            lambda sdk, options: sdk.user_management.delete_user_authorized_application(
                application_id, user_id, request_options=options
            ),
            twice=True,
        )

    async def oauth_resources(self) -> tuple[OAuthResource, ...] | Trouble:
        """The resource indicators registered with AuthKit; at most 500."""
        return await self._pages(
            "oauth_resources",
            reading.oauth_resources,
            lambda sdk, options, after: sdk.user_management.list_authkit_oauth_resources(
                limit=PAGE, after=after, request_options=options
            ),
        )

    # --- the environment ---------------------------------------------------------------------

    async def redirect_uris(self) -> tuple[str, ...] | Trouble:
        """The redirect URIs of the environment, patterns with a `*` among them; at most 500."""
        return await self._pages(
            "redirect_uris",
            reading.redirect_uris,
            lambda sdk, options, after: sdk.user_management.list_redirect_uris(
                limit=PAGE, after=after, request_options=options
            ),
        )

    # --- users -------------------------------------------------------------------------------

    async def user(self, user_id: str) -> WorkOSUser | Trouble:
        """The user with this id of WorkOS's."""
        return await self._ask(
            "user",
            reading.user,
            lambda sdk, options: sdk.user_management.get_user(user_id, request_options=options),
            twice=True,
        )

    async def user_by_external_id(self, external_id: str) -> WorkOSUser | Trouble:
        """The user whom the application calls by this id."""
        return await self._ask(
            "user_by_external_id",
            reading.user,
            lambda sdk, options: sdk.user_management.get_user_by_external_id(
                external_id, request_options=options
            ),
            twice=True,
        )

    async def users_by_email(self, email: str) -> tuple[WorkOSUser, ...] | Trouble:
        """The users with this address. The filter is WorkOS's, so compare what came."""
        return await self._ask(
            "users_by_email",
            reading.users,
            lambda sdk, options: sdk.user_management.list_users(
                email=email, request_options=options
            ),
            twice=True,
        )

    async def set_external_id(self, user_id: str, external_id: str) -> WorkOSUser | Trouble:
        """Have a user called by this id from now on."""
        return await self._ask(
            "set_external_id",
            reading.user,
            lambda sdk, options: sdk.user_management.update_user(
                user_id, external_id=external_id, request_options=options
            ),
            twice=True,
        )

    async def identities(self, user_id: str) -> tuple[Identity, ...] | Trouble:
        """A user's accounts at providers."""
        return await self._ask(
            "identities",
            reading.identities,
            lambda sdk, options: sdk.user_management.get_user_identities(
                user_id, request_options=options
            ),
            twice=True,
        )

    async def sessions(self, user_id: str) -> tuple[Session, ...] | Trouble:
        """A user's sessions at WorkOS, the ended among them; at most 500."""
        return await self._pages(
            "sessions",
            reading.sessions,
            lambda sdk, options, after: sdk.user_management.list_sessions(
                user_id, limit=PAGE, after=after, request_options=options
            ),
        )

    async def revoke_session(self, session_id: str) -> Done | Trouble:
        """End a session."""
        if self._before_ending is not None:
            await self._before_ending(session_id)
        return await self._ask(
            "revoke_session",
            reading.done,
            lambda sdk, options: sdk.user_management.revoke_session(
                session_id=session_id, request_options=options
            ),
            twice=True,
        )

    async def _pages(
        self,
        name: str,
        read: Callable[[Any], tuple[Value, ...]],
        call: Callable[[AsyncWorkOSClient, RequestOptions, str | None], Awaitable[object]],
    ) -> tuple[Value, ...] | Trouble:
        """All pages of a list together, up to a bound."""
        found: tuple[Value, ...] = ()
        cursor: str | None = None
        for _ in range(MOST_PAGES):

            def ask(
                sdk: AsyncWorkOSClient, options: RequestOptions, at: str | None = cursor
            ) -> Awaitable[object]:
                return call(sdk, options, at)

            page = await self._ask(
                name, lambda body: (read(body), reading.after(body)), ask, twice=True
            )
            if isinstance(page, Trouble):
                return page
            found, cursor = found + page[0], page[1]
            if cursor is None:
                break
        return found
