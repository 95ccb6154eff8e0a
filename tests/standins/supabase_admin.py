"""The stand-in's admin API, for `service_role` alone: people made, read, changed, removed."""

from __future__ import annotations

import math
import re
import uuid
from typing import Any

from aiohttp import web

from tests.standins.supabase_answers import Problem, json_body
from tests.standins.supabase_gate import Gate
from tests.standins.supabase_state import State, User

UNITS = {"s": 1, "m": 60, "h": 3600}


def _hit(text: str | None, user: User) -> bool:
    """`email LIKE '%text%' OR full_name ILIKE '%text%'`: `%` and `_` in it are wildcards."""
    if not text:
        return True
    pattern = "".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in text)
    name = str(user.user_metadata.get("full_name", ""))
    return bool(
        re.search(pattern, user.email, re.DOTALL) or re.search(pattern, name, re.DOTALL | re.I)
    )


class Admin:
    def __init__(self, state: State, gate: Gate) -> None:
        self.state = state
        self.gate = gate

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/admin/users", self.everybody),
            web.post("/admin/users", self.add),
            web.get("/admin/users/{id}", self.one),
            web.put("/admin/users/{id}", self.change),
            web.delete("/admin/users/{id}", self.remove),
        ]

    async def everybody(self, request: web.Request) -> web.Response:
        self._may(request)
        page, size = (int(request.query.get(k, d)) for k, d in (("page", "1"), ("per_page", "50")))
        found = [one for one in self.state.users.values() if _hit(request.query.get("filter"), one)]
        bodies = [{**user.body(), "identities": None} for user in found]
        return web.json_response(
            {"users": bodies[(page - 1) * size : page * size], "aud": "authenticated"},
            headers={
                "X-Total-Count": str(len(found)),
                "Link": f'</admin/users?page={math.ceil(len(found) / size)}>; rel="last"',
            },
        )

    async def add(self, request: web.Request) -> web.Response:
        self._may(request)
        body = await json_body(request)
        email = str(body.get("email", ""))
        if self.state.user_by_email(email):
            raise Problem(422, "email_exists")
        confirmed = bool(body.get("email_confirm"))
        user = self.state.add_user(email, body.get("password"), confirmed=confirmed)
        self._ban(user, body)
        user.user_metadata = body.get("user_metadata", {})
        return web.json_response(user.body())

    async def one(self, request: web.Request) -> web.Response:
        return web.json_response(self._user(request).body())

    async def change(self, request: web.Request) -> web.Response:
        user, body = self._user(request), await json_body(request)
        user.email = str(body.get("email", user.email)).lower()
        if "password" in body:
            user.password = body["password"]
            self.state.end_sessions(user)
        user.confirmed = user.confirmed or bool(body.get("email_confirm"))
        self._ban(user, body)
        return web.json_response(user.body())

    async def remove(self, request: web.Request) -> web.Response:
        user, body = self._user(request), await json_body(request)
        if body.get("should_soft_delete"):
            user.deleted, user.email, user.password = True, uuid.uuid4().hex, None
            self.state.end_sessions(user)
        else:
            self.state.remove(user)
        return web.json_response({})

    def _ban(self, user: User, body: dict[str, Any]) -> None:
        duration = body.get("ban_duration")
        if duration == "none":
            user.banned_until = None
        elif duration:
            user.banned_until = self.state.now() + float(duration[:-1]) * UNITS[duration[-1]]

    def _user(self, request: web.Request) -> User:
        self._may(request)
        text = request.match_info["id"]
        try:
            uuid.UUID(text)
        except ValueError:
            raise Problem(404, "validation_failed", "user_id must be an UUID") from None
        user = self.state.users.get(text)
        if user is None:
            raise Problem(404, "user_not_found", "User not found")
        return user

    def _may(self, request: web.Request) -> None:
        bearer = self.gate.bearer(request)
        if bearer is None:
            raise Problem(401, "no_authorization", "This endpoint requires a Bearer token")
        if isinstance(bearer, str):
            raise Problem(403, "bad_jwt", "invalid JWT")
        if bearer.get("role") not in ("service_role", "supabase_admin"):
            raise Problem(403, "not_admin", "User not allowed")
