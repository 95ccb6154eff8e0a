"""The API's users, identities, sessions and authorized applications."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from tests.standins.workos_answers import Problem, json_object, listed, not_found
from tests.standins.workos_environment import Environment
from tests.standins.workos_state import Consent, User

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


class Users:
    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.state = environment.state

    def routes(self) -> list[web.RouteDef]:
        users = "/user_management/users"
        return [
            web.get(users, self.list),
            web.post(users, self.create),
            web.get(users + "/external_id/{external_id}", self.by_external_id),
            web.get(users + "/{id}", self.get),
            web.put(users + "/{id}", self.update),
            web.delete(users + "/{id}", self.delete),
            web.get(users + "/{id}/identities", self.identities),
            web.get(users + "/{id}/sessions", self.sessions),
            web.post("/user_management/sessions/revoke", self.revoke),
            web.get(users + "/{id}/authorized_applications", self.authorized),
            web.delete(users + "/{id}/authorized_applications/{application}", self.withdraw),
        ]

    async def list(self, request: web.Request) -> web.Response:
        email = request.query.get("email")
        wanted = email.strip().casefold() if email is not None else None
        rows = [
            user.body()
            for user in self.state.users.values()
            if wanted is None or user.email.casefold() == wanted
        ]
        return listed(request, rows)

    async def create(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        email = body.get("email")
        if not isinstance(email, str) or not email:
            errors = [{"code": "email_required", "field": "email"}]
            raise Problem(422, "invalid_request_parameters", "Validation failed.", errors=errors)
        code = None
        if not valid_email(email):
            code = "invalid_email"
        elif self.environment.user_by_email(email) is not None:
            code = "email_not_available"
        elif self._taken(body.get("external_id"), None):
            code = "external_id_already_used"
        if code is not None:
            errors = [{"code": code, "message": code.replace("_", " ")}]
            raise Problem(400, "user_creation_error", "Could not create user.", errors=errors)
        check_metadata(body.get("metadata"))
        user = self.environment.add_user(email, email_verified=bool(body.get("email_verified")))
        self._fill(user, body)
        return web.json_response(user.body(), status=201)

    async def get(self, request: web.Request) -> web.Response:
        return web.json_response(self._user(request).body())

    async def by_external_id(self, request: web.Request) -> web.Response:
        external_id = request.match_info["external_id"]
        user = self.environment.user_by_external_id(external_id)
        if user is None:
            raise not_found("User", external_id)
        return web.json_response(user.body())

    async def update(self, request: web.Request) -> web.Response:
        user, body = self._user(request), await json_object(request)
        if self._taken(body.get("external_id"), user):
            raise Problem(400, "external_id_already_used", "That external_id is somebody else's.")
        if "email" in body:
            self._check_email(str(body["email"]), user)
        locale = body.get("locale")
        if locale is not None and not LOCALE.fullmatch(str(locale)):
            raise Problem(400, "invalid_locale", "The locale is invalid.")
        check_metadata(body.get("metadata"))
        if "email" in body:
            user.email = str(body["email"]).strip()
        user.email_verified = bool(body.get("email_verified", user.email_verified))
        self._fill(user, body)
        user.updated = self.environment.now()
        self.environment.emit("user.updated", user.body())
        return web.json_response(user.body())

    async def delete(self, request: web.Request) -> web.Response:
        self.environment.delete_user(self._user(request))
        return web.Response(status=204)

    async def identities(self, request: web.Request) -> web.Response:
        """A bare array, with its own spelling of GitHub."""
        return web.json_response(self._user(request).identities)

    async def sessions(self, request: web.Request) -> web.Response:
        """The active ones."""
        user = self._user(request)
        mine = [one for one in self.state.sessions.values() if one.user_id == user.id]
        return listed(request, [one.body() for one in mine if one.ended is None])

    async def revoke(self, request: web.Request) -> web.Response:
        session_id = (await json_object(request)).get("session_id")
        session = self.state.sessions.get(str(session_id))
        if session is None:
            raise Problem(400, "session_not_found", f"Session not found: '{session_id}'.")
        self.environment.end_session(session)
        return web.json_response(session.body())

    async def authorized(self, request: web.Request) -> web.Response:
        user = self._user(request)
        mine = [one for one in self.state.consents.values() if one.user_id == user.id]
        return listed(request, [self._consent(one) for one in mine if not one.ended])

    async def withdraw(self, request: web.Request) -> web.Response:
        """By the id of the row, of the application, or its client id; refresh ends with it."""
        user, wanted = self._user(request), request.match_info["application"]
        mine = [
            one
            for one in self.state.consents.values()
            if one.user_id == user.id and not one.ended and wanted in self._names(one)
        ]
        if not mine:
            raise not_found("Authorized application", wanted)
        for consent in mine:
            consent.ended = True
        return web.Response(status=204)

    def _names(self, consent: Consent) -> tuple[str, ...]:
        application = self.state.applications.get(consent.client_id)
        own = application.id if application is not None else consent.client_id
        return consent.id, consent.client_id, own

    def _consent(self, consent: Consent) -> dict[str, Any]:
        application = self.state.applications[consent.client_id]
        return {
            "object": "authorized_connect_application",
            "id": consent.id,
            "granted_scopes": consent.scopes,
            "oauth_resource": consent.resource,
            "application": application.body(),
        }

    def _user(self, request: web.Request) -> User:
        user = self.state.users.get(request.match_info["id"])
        if user is None:
            raise not_found("User", request.match_info["id"])
        return user

    def _taken(self, external_id: Any, user: User | None) -> bool:
        if external_id is None:
            return False
        owner = self.environment.user_by_external_id(str(external_id))
        return owner is not None and owner is not user

    def _check_email(self, email: str, user: User) -> None:
        if not valid_email(email):
            raise Problem(400, "invalid_email", "The e-mail address is invalid.")
        owner = self.environment.user_by_email(email)
        if owner is not None and owner is not user:
            raise Problem(400, "email_not_available", "That e-mail address is somebody else's.")
        if owner is None and user.email_locked:
            raise Problem(400, "email_change_not_allowed", "The organization owns the address.")

    @staticmethod
    def _fill(user: User, body: dict[str, Any]) -> None:
        """What is given is set, null clears; metadata is merged, a null takes its key away."""
        for name in ("first_name", "last_name", "name", "external_id", "locale", "password"):
            if name in body:
                setattr(user, name, body[name])
        if body.get("metadata") is not None:
            merged = user.metadata | body["metadata"]
            user.metadata = {key: value for key, value in merged.items() if value is not None}


def valid_email(email: str) -> bool:
    return EMAIL.fullmatch(email.strip()) is not None


def check_metadata(metadata: Any) -> None:
    """At most 50 keys of 40 characters, values text of at most 600."""
    if metadata is None:
        return
    good = isinstance(metadata, dict) and len(metadata) <= 50
    good = good and all(
        len(key) <= 40 and (value is None or (isinstance(value, str) and len(value) <= 600))
        for key, value in metadata.items()
    )
    if not good:
        raise Problem(400, "invalid_metadata", "The metadata is invalid.")
