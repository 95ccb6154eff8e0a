"""The API's authenticators: enrolled for a user, challenged, answered at /authenticate."""

from __future__ import annotations

import secrets
from base64 import b32encode
from typing import Any

from aiohttp import web

from tests.standins.workos_answers import Problem, json_object, not_found
from tests.standins.workos_environment import Environment
from tests.standins.workos_state import Factor, User, new_id, stamp

CHALLENGE_LASTS = 600


class Factors:
    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.state = environment.state

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/user_management/users/{id}/auth_factors", self.list),
            web.post("/user_management/users/{id}/auth_factors", self.enroll),
            web.post("/auth/factors/{id}/challenge", self.challenge),
        ]

    def challenged(self, challenge: str) -> Factor | None:
        """The authenticator that a challenge is for."""
        found = (one for one in self.state.factors.values() if challenge in one.challenges)
        return next(found, None)

    def add(self, user: User, secret: str = "") -> Factor:
        """An authenticator; what it shows is `totp(factor.secret, time.time())`."""
        secret = secret or b32encode(secrets.token_bytes(20)).decode()
        factor = Factor(new_id("auth_factor"), user.id, secret, self.environment.now())
        self.state.factors[factor.id] = factor
        return factor

    async def list(self, request: web.Request) -> web.Response:
        user = self._user(request)
        mine = [one for one in self.state.factors.values() if one.user_id == user.id]
        rows = [self._factor_body(one, user, secret=False) for one in mine]
        metadata = {"before": None, "after": None}
        return web.json_response({"object": "list", "data": rows, "list_metadata": metadata})

    async def enroll(self, request: web.Request) -> web.Response:
        user, body = self._user(request), await json_object(request)
        if body.get("type") != "totp":
            raise Problem(422, "invalid_request_parameters", "Only totp.", errors=[])
        factor = self.add(user, str(body.get("totp_secret") or ""))
        made = {
            "authentication_factor": self._factor_body(factor, user, secret=True),
            "authentication_challenge": self._new_challenge(factor),
        }
        return web.json_response(made, status=201)

    async def challenge(self, request: web.Request) -> web.Response:
        factor = self.state.factors.get(request.match_info["id"])
        if factor is None:
            raise not_found("Authentication factor", request.match_info["id"])
        return web.json_response(self._new_challenge(factor), status=201)

    def _new_challenge(self, factor: Factor) -> dict[str, Any]:
        name, now = new_id("auth_challenge"), self.environment.now()
        factor.challenges[name] = now + CHALLENGE_LASTS
        for old in list(factor.challenges)[:-10]:
            del factor.challenges[old]
        return {
            "object": "authentication_challenge",
            "id": name,
            "created_at": stamp(now),
            "updated_at": stamp(now),
            "expires_at": stamp(now + CHALLENGE_LASTS),
            "authentication_factor_id": factor.id,
        }

    def _user(self, request: web.Request) -> User:
        user = self.state.users.get(request.match_info["id"])
        if user is None:
            raise not_found("User", request.match_info["id"])
        return user

    @staticmethod
    def _factor_body(factor: Factor, user: User, *, secret: bool) -> dict[str, Any]:
        shown: dict[str, Any] = {"issuer": "WorkOS stand-in", "user": user.email}
        if secret:
            shown |= {
                "secret": factor.secret,
                "qr_code": "data:image/png;base64,",
                "uri": f"otpauth://totp/standin:{user.email}?secret={factor.secret}&issuer=standin",
            }
        return {
            "object": "authentication_factor",
            "id": factor.id,
            "type": "totp",
            "user_id": user.id,
            "created_at": stamp(factor.created),
            "updated_at": stamp(factor.created),
            "totp": shown,
        }
