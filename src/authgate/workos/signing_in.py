"""The calls of a sign-in at WorkOS: the hand-off, the code, and the steps that may follow.

All of them but the hand-off spend something, so each is made once. Never here: what is asked of a
person in between (`directories.workos`).
"""

from __future__ import annotations

from dataclasses import dataclass

from authgate.workos import reading
from authgate.workos.asking import Asking
from authgate.workos.values import Authenticated, Trouble


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a sign-in comes from, for WorkOS's own log and its protection against robots."""

    address: str | None = None
    user_agent: str | None = None


class SigningIn:
    """This part of `WorkOS`, which has the rest."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._ask = asking.ask

    async def authorization_url(
        self, provider: str, redirect_uri: str, state: str, code_challenge: str
    ) -> str:
        """Where a browser signs in. `provider` as WorkOS spells it; the challenge is S256's.

        No request is made. The SDK's builder with PKCE would make state and verifier of its own.
        """
        sdk = await self._asking.sdk()
        return sdk.user_management.get_authorization_url(
            provider=provider,
            redirect_uri=redirect_uri,
            state=state,
            code_challenge=code_challenge,
            code_challenge_method="S256",
        )

    async def authenticate_code(
        self, code: str, verifier: str, origin: Origin
    ) -> Authenticated | Trouble:
        """The sign-in behind the code that came back. Once."""
        return await self._ask(
            "authenticate_code",
            reading.authenticated,
            lambda sdk, options: sdk.user_management.authenticate_with_code(
                code=code,
                code_verifier=verifier,
                ip_address=origin.address,
                user_agent=origin.user_agent,
                request_options=options,
            ),
            twice=False,
        )

    async def authenticate_email_code(
        self, token: str, code: str, origin: Origin
    ) -> Authenticated | Trouble:
        """Go on after `email_verification_required`, with the code of the message.

        Here and below, `token` is `StepUp.token`.
        """
        return await self._ask(
            "authenticate_email_code",
            reading.authenticated,
            lambda sdk, options: sdk.user_management.authenticate_with_email_verification(
                code=code,
                pending_authentication_token=token,
                ip_address=origin.address,
                user_agent=origin.user_agent,
                request_options=options,
            ),
            twice=False,
        )

    async def authenticate_organization(
        self, token: str, organization_id: str, origin: Origin
    ) -> Authenticated | Trouble:
        """Go on after `organization_selection_required`."""
        return await self._ask(
            "authenticate_organization",
            reading.authenticated,
            lambda sdk, options: sdk.user_management.authenticate_with_organization_selection(
                pending_authentication_token=token,
                organization_id=organization_id,
                ip_address=origin.address,
                user_agent=origin.user_agent,
                request_options=options,
            ),
            twice=False,
        )

    async def challenge_factor(self, factor_id: str) -> str | Trouble:
        """Open a challenge of an authenticator; returns its id. (A phone's sends a message.)"""
        return await self._ask(
            "challenge_factor",
            reading.challenge,
            lambda sdk, options: sdk.multi_factor_auth.challenge_factor(
                factor_id, request_options=options
            ),
            twice=True,
        )

    async def authenticate_totp(
        self, token: str, challenge_id: str, code: str, origin: Origin
    ) -> Authenticated | Trouble:
        """Go on after `mfa_challenge`, with the code of an authenticator."""
        return await self._ask(
            "authenticate_totp",
            reading.authenticated,
            lambda sdk, options: sdk.user_management.authenticate_with_totp(
                code=code,
                pending_authentication_token=token,
                authentication_challenge_id=challenge_id,
                ip_address=origin.address,
                user_agent=origin.user_agent,
                request_options=options,
            ),
            twice=False,
        )
