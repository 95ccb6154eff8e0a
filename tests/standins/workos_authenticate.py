"""`POST /user_management/authenticate`: every grant, and the further steps."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from tests.standins.supabase_state import totp
from tests.standins.workos_answers import OAuthProblem, Problem, json_or_form
from tests.standins.workos_environment import Environment
from tests.standins.workos_factors import Factors
from tests.standins.workos_state import (
    CODE_LASTS,
    PENDING_LASTS,
    Attempt,
    Person,
    Session,
    User,
    new_id,
)
from tests.standins.workos_tokens import s256

GRANT = "urn:workos:oauth:grant-type:"
MOST_TRIES = 5


class Authenticate:
    def __init__(self, environment: Environment, factors: Factors) -> None:
        self.environment = environment
        self.factors = factors
        self.state = environment.state

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/user_management/authenticate", self.authenticate)]

    async def authenticate(self, request: web.Request) -> web.Response:
        body = await json_or_form(request)
        grants: dict[str, Callable[[dict[str, Any]], Attempt]] = {
            "authorization_code": self._code,
            "password": self._password,
            GRANT + "email-verification:code": self._email_verification,
            GRANT + "organization-selection": self._organization_selection,
            GRANT + "mfa-totp": self._totp,
        }
        grant = body.get("grant_type")
        if grant not in (*grants, "refresh_token"):
            raise OAuthProblem("invalid_request", f"Unsupported grant_type: {grant}.")
        self._client(body)
        if grant == "refresh_token":
            return web.json_response(self._refresh(body))
        attempt = grants[str(grant)](body)
        user = self.state.users.get(attempt.user_id or "")
        if user is None:
            raise OAuthProblem("invalid_grant", "The user is gone.")
        self._further(attempt, user)
        method = "password" if attempt.method == "Password" else "oauth"
        session = self.environment.open_session(user, method, attempt.organization_id)
        session.user_agent, session.ip_address = body.get("user_agent"), body.get("ip_address")
        return web.json_response(self._signed_in(session, user, attempt))

    def _client(self, body: dict[str, Any]) -> None:
        """The secret is the API key; without one, only a code with its verifier is good."""
        if body.get("client_id") != self.environment.client_id:
            raise OAuthProblem("invalid_client", "Invalid client ID.")
        secret = body.get("client_secret")
        if secret is not None and not hmac.compare_digest(
            str(secret).encode(), self.environment.api_key.encode()
        ):
            raise OAuthProblem("invalid_client", "Invalid client secret.")
        proves = body.get("grant_type") == "refresh_token" or body.get("code_verifier")
        if secret is None and not proves:
            raise OAuthProblem("invalid_request", "client_secret or code_verifier is required.")

    def _code(self, body: dict[str, Any]) -> Attempt:
        """Any failed exchange uses the code up."""
        attempt = self.state.login_codes.pop(_text(body, "code"), None)
        if attempt is None:
            raise OAuthProblem("invalid_grant", "The code is invalid or was already used.")
        if self.environment.now() - attempt.began > CODE_LASTS:
            raise OAuthProblem("invalid_grant", "The code has expired.")
        verifier = body.get("code_verifier")
        if attempt.challenge is None and verifier is not None:
            raise Problem(400, "code_challenge_not_found", "There was no code challenge.")
        if attempt.challenge is not None and s256(str(verifier or "")) != attempt.challenge:
            raise OAuthProblem("invalid_grant", "The code verifier does not match.")
        return attempt

    def _password(self, body: dict[str, Any]) -> Attempt:
        email, password = _text(body, "email"), _text(body, "password")
        user = self.environment.user_by_email(email)
        if user is None or user.password is None or user.password != password:
            raise Problem(400, "invalid_credentials", "Invalid credentials.")
        attempt = Attempt(self.environment.now(), "", None, None, "", user_id=user.id)
        attempt.method = "Password"
        return attempt

    def _refresh(self, body: dict[str, Any]) -> dict[str, Any]:
        token = _text(body, "refresh_token")
        found = [one for one in self.state.sessions.values() if one.refresh == token]
        if not found:
            raise OAuthProblem("invalid_grant", "The refresh token is invalid or already used.")
        session = found[0]
        user = self.state.users.get(session.user_id)
        if session.ended is not None or user is None:
            raise OAuthProblem("invalid_grant", "Session has already ended.")
        wanted = body.get("organization_id")
        if wanted is not None:
            if wanted not in self.state.organizations:
                raise OAuthProblem("organization_not_found", "There is no such organization.")
            session.organization_id = str(wanted)
        return self._signed_in(session, user, None)

    def _signed_in(self, session: Session, user: User, attempt: Attempt | None) -> dict[str, Any]:
        session.refresh = secrets.token_urlsafe(24)
        body: dict[str, Any] = {
            "user": user.body(),
            "organization_id": session.organization_id,
            "access_token": self.environment.session_token(session),
            "refresh_token": session.refresh,
        }
        if attempt is not None:
            body["authentication_method"] = attempt.method
            if self.environment.provider_tokens and attempt.person is not None:
                body["oauth_tokens"] = {
                    "provider": attempt.method,
                    "access_token": "gho_" + secrets.token_hex(18),
                    "refresh_token": "ghr_" + secrets.token_hex(18),
                    "expires_at": int(self.environment.now()) + 3600,
                    "scopes": ["user:email"],
                }
        return body

    # --- further steps ----------------------------------------------------------------------

    def _further(self, attempt: Attempt, user: User) -> None:
        """What is still asked of this person, one after the other; each with 403."""
        person = attempt.person
        if person is not None and person.sso_required and "sso" not in attempt.done:
            raise OAuthProblem(
                "sso_required",
                "User must authenticate using one of the matching connections.",
                status=self.environment.sso_required_status,
                connection_ids=["conn_01STANDIN"],
                email=person.email,
                pending_authentication_token=self.environment.wait_for(attempt),
            )
        if "email" not in attempt.done and self._wants_verification(person, user):
            raise self._mail(attempt, user)
        if person is None:
            return
        shown: dict[str, Any] = {"user": user.body()}
        if person.mfa_enrollment and "mfa" not in attempt.done:
            text = "The user must enroll in MFA to finish authenticating."
            raise self._step("mfa_enrollment", text, attempt, **shown)
        if person.mfa_challenge and "mfa" not in attempt.done:
            factors = [one for one in self.state.factors.values() if one.user_id == user.id]
            factors = factors or [self.factors.add(user)]
            shown["authentication_factors"] = [{"id": one.id, "type": "totp"} for one in factors]
            text = "The user must complete an MFA challenge to finish authenticating."
            raise self._step("mfa_challenge", text, attempt, **shown)
        if person.organization_selection_required and attempt.organization_id is None:
            names = self.state.organizations.items()
            shown["organizations"] = [{"id": one, "name": name} for one, name in names]
            text = "The user must choose an organization to finish their authentication."
            raise self._step("organization_selection_required", text, attempt, **shown)

    def _wants_verification(self, person: Person | None, user: User) -> bool:
        if person is None:  # a password
            return not user.email_verified
        # Not linked: an unverified address that found somebody.
        return person.email_verification_required or not self.environment.linked(user, person)

    def _step(self, code: str, text: str, attempt: Attempt, **more: Any) -> Problem:
        token = self.environment.wait_for(attempt)
        return Problem(403, code, text, pending_authentication_token=token, **more)

    def _mail(self, attempt: Attempt, user: User) -> Problem:
        attempt.verification_code = f"{secrets.randbelow(1_000_000):06}"
        attempt.tries = 0
        attempt.began = self.environment.now()
        self.state.mails[user.email] = attempt.verification_code
        return self._step(
            "email_verification_required",
            "Email ownership must be verified before authentication.",
            attempt,
            email_verification_id=new_id("email_verification"),
            email=user.email,
        )

    def _pending(self, body: dict[str, Any]) -> tuple[str, Attempt]:
        token = _text(body, "pending_authentication_token")
        attempt = self.state.pending.get(token)
        if attempt is None or self.environment.now() - attempt.began > PENDING_LASTS:
            code = "invalid_pending_authentication_token"
            raise Problem(400, code, "The pending authentication token is invalid or has expired.")
        return token, attempt

    def _email_verification(self, body: dict[str, Any]) -> Attempt:
        given = _text(body, "code")
        token, attempt = self._pending(body)
        if "email" in attempt.done:
            raise Problem(400, "one_time_code_previously_used", "The code was already used.")
        if attempt.tries >= MOST_TRIES:
            raise Problem(400, "one_time_code_too_many_attempts", "Too many wrong codes.")
        if not attempt.verification_code or given != attempt.verification_code:
            attempt.tries += 1
            raise Problem(400, "invalid_one_time_code", "The code is wrong.")
        del self.state.pending[token]
        attempt.done.add("email")
        attempt.began = self.environment.now()
        user = self.state.users.get(attempt.user_id or "")
        if user is not None:
            user.email_verified = True
            if attempt.person is not None:
                self.environment.link(user, attempt.person)
        return attempt

    def _organization_selection(self, body: dict[str, Any]) -> Attempt:
        wanted = _text(body, "organization_id")
        token, attempt = self._pending(body)
        if wanted not in self.state.organizations:
            raise Problem(400, "invalid_organization_id", "The organization is not one of theirs.")
        del self.state.pending[token]
        attempt.organization_id = wanted
        return attempt

    def _totp(self, body: dict[str, Any]) -> Attempt:
        given, name = _text(body, "code"), _text(body, "authentication_challenge_id")
        token, attempt = self._pending(body)
        factor = self.factors.challenged(name)
        if factor is None or factor.user_id != attempt.user_id:
            raise OAuthProblem("invalid_request", "There is no such challenge.")
        now = self.environment.now()
        if factor.challenges[name] < now:
            raise Problem(400, "one_time_code_expired", "The challenge has expired.")
        if attempt.tries >= MOST_TRIES:
            raise Problem(400, "one_time_code_too_many_attempts", "Too many wrong codes.")
        if given not in [totp(factor.secret, time.time(), step) for step in (-1, 0, 1)]:
            attempt.tries += 1
            raise Problem(400, "invalid_one_time_code", "The code is wrong.")
        del factor.challenges[name]
        del self.state.pending[token]
        attempt.done.add("mfa")
        attempt.began = now
        return attempt


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise OAuthProblem("invalid_request", f"{name} is required.")
    return value
