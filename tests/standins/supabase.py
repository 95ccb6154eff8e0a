"""A Supabase project's Auth over HTTP, as tests and the demo need it.

Shapes, status codes, limits and times are those seen on a running Supabase Auth v2.196 with the
gateway that hosted projects have in front. Passwords are compared as they are: this is a stage.

    async with SupabaseStandin() as supabase:
        ana = supabase.state.add_user("ana@example.com", "a long enough password")

As a program: python -m tests.standins.supabase --port 54321
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import hashlib
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.standins.supabase_admin import Admin
from tests.standins.supabase_answers import Problem, json_body, problems
from tests.standins.supabase_factors import Factors
from tests.standins.supabase_gate import Fault, Gate
from tests.standins.supabase_social import Social
from tests.standins.supabase_state import (
    Options,
    ProviderPerson,
    Session,
    State,
    User,
    new_refresh,
)
from tests.standins.supabase_tokens import Signer, access_claims

FLOW_LASTS = 300


class SupabaseStandin:
    """One project. `port` 0 takes a free one; `url` is the project's, `auth_url` Auth's."""

    def __init__(self, options: Options | None = None, port: int = 0) -> None:
        self.options = options or Options()
        self.state = State(self.options)
        self.signer = Signer(self.options.algorithm)
        self.gate = Gate(self.options, self.signer)
        self.port = port
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def auth_url(self) -> str:
        return self.url + self.options.prefix

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[*self.gate.middlewares(), problems])
        app.add_routes(
            [
                web.route(route.method, self.options.prefix + route.path, route.handler)
                for route in self._routes()
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def fault(self, where: str, **how: Any) -> Fault:
        """Make requests to `where` go wrong (see `Fault`); `clear` mends everything."""
        fault = Fault(where, **how)
        self.gate.faults.append(fault)
        return fault

    def clear(self) -> None:
        self.gate.faults.clear()

    def calls(self, part: str) -> int:
        """How many requests there were whose path and query contain `part`."""
        return sum(part in seen.path for seen in self.gate.seen)

    def access_token(self, user: User, method: str = "password", **claims: Any) -> str:
        """An access token of a fresh session, as an app of the project would have it."""
        return self._access_token(self.state.open_session(user, method), **claims)

    def _routes(self) -> list[web.RouteDef]:
        return [
            web.get("/health", self.health),
            web.get("/settings", self.settings),
            web.get("/.well-known/jwks.json", self.jwks),
            web.post("/token", self.token),
            web.post("/signup", self.signup),
            web.get("/user", self.user),
            web.put("/user", self.change_user),
            web.post("/logout", self.logout),
            *Factors(self.state, self.gate, self.session_of, self.session_body).routes(),
            *Social(self.state).routes(),
            *Admin(self.state, self.gate).routes(),
        ]

    async def health(self, request: web.Request) -> web.Response:
        text = "GoTrue is a user registration and authentication API"
        return web.json_response({"version": "v2.196.0", "name": "GoTrue", "description": text})

    async def settings(self, request: web.Request) -> web.Response:
        on = {name: name in self.options.providers for name in ("github", "google", "apple")}
        return web.json_response(
            {
                "external": {
                    **on,
                    "email": self.options.email,
                    "phone": False,
                    "anonymous_users": self.options.anonymous,
                },
                "disable_signup": self.options.disable_signup,
                "mailer_autoconfirm": self.options.autoconfirm,
                "phone_autoconfirm": False,
                "sms_provider": "twilio",
                "saml_enabled": False,
                "passkeys_enabled": False,
            }
        )

    async def jwks(self, request: web.Request) -> web.Response:
        headers = {"Cache-Control": "public, max-age=600"}
        return web.json_response(self.signer.jwks(), headers=headers)

    async def token(self, request: web.Request) -> web.Response:
        if self.state.over_limit(self.gate.address(request)):
            raise Problem(429, "over_request_rate_limit", "Request rate limit reached")
        body = await json_body(request)
        match request.query.get("grant_type"):
            case "password":
                session = await self._password(request, body)
            case "pkce":
                session = self._pkce(body)
                extra = {"provider_token": "gho_" + new_refresh()}
                return web.json_response(self.session_body(session) | extra)
            case "refresh_token":
                session = self._refresh(body)
            case _:
                raise Problem(400, "invalid_credentials", "unsupported_grant_type")
        return web.json_response(self.session_body(session))

    async def signup(self, request: web.Request) -> web.Response:
        body = await json_body(request)
        if self.options.disable_signup:
            raise Problem(422, "signup_disabled", "Signups not allowed for this instance")
        if not body.get("email"):
            if not self.options.anonymous:
                raise Problem(422, "anonymous_provider_disabled")
            anonymous = self.state.add_user("", anonymous=True)
            session = self.state.open_session(anonymous, "anonymous")
            return web.json_response(self.session_body(session))
        if self.state.user_by_email(body["email"]) and self.options.autoconfirm:
            raise Problem(422, "user_already_exists")
        confirmed = self.options.autoconfirm
        user = self.state.add_user(body["email"], body.get("password"), confirmed=confirmed)
        user.user_metadata = body.get("data", {})
        if not confirmed:
            return web.json_response(user.body())
        return web.json_response(self.session_body(self.state.open_session(user, "password")))

    async def user(self, request: web.Request) -> web.Response:
        return web.json_response(self.session_of(request).user.body())

    async def change_user(self, request: web.Request) -> web.Response:
        user, body = self.session_of(request).user, await json_body(request)
        user.user_metadata |= body.get("data", {})
        if "password" in body:
            user.password = body["password"]
            self.state.end_sessions(user, but=self.session_of(request))
        return web.json_response(user.body())

    async def logout(self, request: web.Request) -> web.Response:
        mine, scope = self.session_of(request), request.query.get("scope", "global")
        for session in list(self.state.sessions.values()):
            this = session is mine
            ends = {"local": this, "others": not this, "global": True}.get(scope, False)
            if session.user is mine.user and ends:
                del self.state.sessions[session.id]
        return web.Response(status=204)

    def session_of(self, request: web.Request) -> Session:
        """The live session of the bearer: a check of everything, as the real one does."""
        bearer = self.gate.bearer(request)
        if bearer is None:
            raise Problem(401, "no_authorization", "This endpoint requires a Bearer token")
        if isinstance(bearer, str) or "sub" not in bearer:
            raise Problem(403, "bad_jwt", "invalid claim: missing sub claim")
        user = self.state.users.get(bearer["sub"])
        if user is None or user.deleted:
            raise Problem(403, "user_not_found", "User from sub claim in JWT does not exist")
        session = self.state.sessions.get(bearer["session_id"])
        if session is None:
            raise Problem(403, "session_not_found", "Session from session_id claim does not exist")
        if self.state.banned(user):
            raise Problem(403, "user_banned", "User is banned")
        return session

    def session_body(self, session: Session) -> dict[str, Any]:
        if not session.refresh:
            session.refresh.append(new_refresh())
        access_token = self._access_token(session)
        self.state.issued += [access_token, session.refresh[-1]]
        return {
            "access_token": access_token,
            "token_type": "bearer",
            "expires_in": self.options.access_lasts,
            "expires_at": int(self.state.now()) + self.options.access_lasts,
            "refresh_token": session.refresh[-1],
            "user": session.user.body(),
        }

    def _access_token(self, session: Session, **claims: Any) -> str:
        now, lasts = self.state.now(), self.options.access_lasts
        made = access_claims(session, self.auth_url, now, lasts) | claims
        return self.signer.sign({name: value for name, value in made.items() if value is not None})

    async def _password(self, request: web.Request, body: dict[str, Any]) -> Session:
        if not self.options.email:
            raise Problem(422, "email_provider_disabled", "Email logins are disabled")
        bearer = self.gate.bearer(request)
        admin = isinstance(bearer, dict) and bearer.get("role") == "service_role"
        meta = body.get("gotrue_meta_security") or {}
        if self.options.captcha and not admin and not meta.get("captcha_token"):
            raise Problem(400, "captcha_failed", "captcha verification process failed")
        email, password = str(body.get("email") or ""), str(body.get("password"))
        if not email:
            raise Problem(400, "validation_failed", "missing email or phone")
        user = self.state.user_by_email(email)
        if user is None or user.password is None:
            await asyncio.sleep(self.options.unknown_takes)
            raise Problem(400, "invalid_credentials", "Invalid login credentials")
        if self.state.banned(user):
            raise Problem(400, "user_banned", "User is banned")
        await asyncio.sleep(self.options.known_takes)
        if user.password != password:
            raise Problem(400, "invalid_credentials", "Invalid login credentials")
        if not user.confirmed:
            raise Problem(400, "email_not_confirmed", "Email not confirmed")
        return self.state.open_session(user, "password")

    def _pkce(self, body: dict[str, Any]) -> Session:
        code = body.get("auth_code")
        found = [one for one in self.state.flows.items() if code and one[1].code == code]
        if not found:
            raise Problem(404, "flow_state_not_found", "invalid flow state, no valid flow state")
        name, flow = found[0]
        if self.state.now() - flow.began > FLOW_LASTS:
            raise Problem(422, "flow_state_expired", "invalid flow state, flow state has expired")
        verifier = str(body.get("code_verifier"))
        if flow.method == "s256":
            digest = hashlib.sha256(verifier.encode()).digest()
            verifier = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if verifier != flow.challenge:
            raise Problem(400, "bad_code_verifier", "code challenge does not match")
        del self.state.flows[name]
        assert flow.user is not None
        return self.state.open_session(flow.user, "oauth")

    def _refresh(self, body: dict[str, Any]) -> Session:
        """In the real one's order: the token, the ban, the session's time, the reuse."""
        token = body.get("refresh_token")
        if not isinstance(token, str) or not token:
            raise Problem(400, "validation_failed", "Refresh token is not valid")
        sessions = self.state.sessions.values()
        session = next((one for one in sessions if token in one.refresh), None)
        if session is None:
            raise Problem(400, "refresh_token_not_found", "Invalid Refresh Token")
        if self.state.banned(session.user):
            raise Problem(400, "user_banned", "User is banned")
        if self.state.over(session):
            raise Problem(400, "session_expired", "Invalid Refresh Token: Session Expired")
        now, active = self.state.now(), session.active
        if active is not None and session.parents.get(active) == token:
            return session  # its answer got lost, so it is given once more
        if token in session.used and now > session.used[token] + self.options.reuse_interval:
            # All of them are void. The session stays: its access tokens are good to their end.
            session.used |= {one: now for one in session.refresh if one not in session.used}
            raise Problem(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used")
        session.swap(token, now)
        return session


def _people(standin: SupabaseStandin) -> list[str]:
    """Somebody of every kind, and a line about each."""
    state, password = standin.state, "correct horse battery staple"
    state.add_user("ana@example.com", password)
    two = state.add_factor(state.add_user("totp@example.com", password))
    state.provider_people["github"].append(ProviderPerson("1001", "octo@example.com", name="Octo"))
    state.provider_people["google"].append(ProviderPerson("2002", "gigi@example.com", name="Gigi"))
    return [
        f"ana@example.com  {password}",
        f"totp@example.com  {password}  authenticator secret {two.secret}",
        "octo@example.com at GitHub, gigi@example.com at Google",
    ]


async def _serve(port: int, options: Options) -> None:
    async with SupabaseStandin(options, port) as standin:
        lines = [
            f"SUPABASE_URL={standin.url}",
            f"SUPABASE_PUBLISHABLE_KEY={standin.gate.publishable}",
            f"SUPABASE_SECRET_KEY={standin.gate.secret}",
            *_people(standin),
        ]
        print("\n".join(lines), flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Serve a project with a few people until interrupted."""
    parser = argparse.ArgumentParser(description="A stand-in for a Supabase project's Auth")
    parser.add_argument("--port", type=int, default=54321)
    parser.add_argument("--algorithm", choices=("HS256", "ES256"), default="ES256")
    asked = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(asked.port, Options(algorithm=asked.algorithm)))


if __name__ == "__main__":
    main()
