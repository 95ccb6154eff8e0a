"""Connect at the API: the completion of a Standalone sign-in, and OAuth applications."""

from __future__ import annotations

import secrets
from typing import Any

from aiohttp import web

from tests.standins.workos_answers import Problem, json_object, listed, not_found
from tests.standins.workos_environment import Environment
from tests.standins.workos_state import FLOW_LASTS, Application, Flow, Session, User, new_id, stamp
from tests.standins.workos_users import check_metadata, valid_email

RESERVED = ("iss", "sub", "aud", "exp", "iat", "nbf", "jti", "sid", "scope", "client_id", "org_id")


class Connect:
    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.state = environment.state

    def routes(self) -> list[web.RouteDef]:
        applications = "/connect/applications"
        return [
            web.post("/authkit/oauth2/complete", self.complete),
            web.get(applications, self.list),
            web.post(applications, self.create),
            web.get(applications + "/{id}", self.get),
            web.put(applications + "/{id}", self.update),
            web.delete(applications + "/{id}", self.delete),
            web.get(applications + "/{id}/client_secrets", self.list_secrets),
            web.post(applications + "/{id}/client_secrets", self.create_secret),
            web.delete("/connect/client_secrets/{id}", self.delete_secret),
        ]

    # --- Standalone Connect -----------------------------------------------------------------

    async def complete(self, request: web.Request) -> web.Response:
        """In this order: shape, e-mail, session, already done, whose e-mail, upsert, URL.

        A refusal over the e-mail leaves the session usable.
        """
        body = await json_object(request)
        person, options = _shape(body)
        if not valid_email(person["email"]):
            raise Problem(400, "invalid_email", "The e-mail address is invalid.")
        flow = self.state.flows.get(body["external_auth_id"])
        if flow is None or self.environment.now() - flow.began > FLOW_LASTS:
            raise Problem(404, None, "External auth session not found or expired.")
        if flow.completed:
            code = "external_auth_session_already_completed"
            raise Problem(400, code, "This external auth session was already completed.")
        user = self._upsert(person)
        session = self.environment.open_session(user, "external_auth", None)
        return web.json_response({"redirect_uri": self.finish(flow, session, options)})

    def finish(self, flow: Flow, session: Session, options: list[dict[str, Any]]) -> str:
        """The person of this flow is known; the URL that the browser goes on at."""
        flow.user_id, flow.session_id = session.user_id, session.id
        flow.options, flow.completed = options, True
        flow.returned = secrets.token_urlsafe(24)
        return f"{self.environment.authkit_url}/oauth2/authorize/complete?state={flow.returned}"

    def _upsert(self, person: dict[str, Any]) -> User:
        user = self.environment.user_by_external_id(person["id"])
        owner = self.environment.user_by_email(person["email"])
        if owner is not None and owner is not user:
            raise Problem(400, "email_not_available", "That e-mail address is somebody else's.")
        if user is None:
            user = self.environment.add_user(person["email"], external_id=person["id"])
        if owner is None and user.email_locked:
            raise Problem(400, "email_change_not_allowed", "The organization owns the address.")
        user.email, user.email_verified = person["email"].strip(), True
        for name in ("first_name", "last_name", "name"):
            if person.get(name) is not None:
                setattr(user, name, person[name])
        user.metadata |= person.get("metadata") or {}
        user.updated = self.environment.now()
        self.environment.emit("user.updated", user.body())
        return user

    # --- applications -----------------------------------------------------------------------

    async def list(self, request: web.Request) -> web.Response:
        """Those made by hand; `registration_types` has to name `dynamic` for the others."""
        asked = request.query.getall("registration_types", ["authenticated"])
        types = {one for value in asked for one in value.split(",")}
        rows = [
            one.body()
            for one in self.state.applications.values()
            if ("dynamic" if one.dynamic else "authenticated") in types and not one.document
        ]
        return listed(request, rows)

    async def create(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        if body.get("application_type") != "oauth" or not isinstance(body.get("name"), str):
            raise Problem(422, "invalid_request_parameters", "Validation failed.", errors=[])
        made = self.environment.add_application(
            body["name"],
            _uris(body),
            auth_method="client_secret_post",
            first_party=bool(body.get("is_first_party")),
            description=body.get("description"),
        )
        return web.json_response(made.body(), status=201)

    async def get(self, request: web.Request) -> web.Response:
        return web.json_response(self._application(request).body())

    async def update(self, request: web.Request) -> web.Response:
        application, body = self._application(request), await json_object(request)
        application.name = str(body.get("name", application.name))
        application.description = body.get("description", application.description)
        if body.get("redirect_uris") is not None:
            application.redirect_uris = _uris(body)
        return web.json_response(application.body())

    async def delete(self, request: web.Request) -> web.Response:
        application = self._application(request)
        del self.state.applications[application.client_id]
        for consent in list(self.state.consents.values()):
            if consent.client_id == application.client_id:
                consent.ended = True
        return web.Response(status=204)

    async def list_secrets(self, request: web.Request) -> web.Response:
        application = self._application(request)
        rows = [self._secret(*one) for one in application.secrets.items()]
        return web.json_response(rows)

    async def create_secret(self, request: web.Request) -> web.Response:
        application = self._application(request)
        name, value = new_id("secret"), secrets.token_urlsafe(32)
        application.secrets[name] = value
        for old in list(application.secrets)[:-10]:
            del application.secrets[old]
        return web.json_response(self._secret(name, value) | {"secret": value}, status=201)

    async def delete_secret(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        for application in self.state.applications.values():
            if application.secrets.pop(name, None) is not None:
                return web.Response(status=204)
        raise not_found("Client secret", name)

    def _secret(self, name: str, value: str) -> dict[str, Any]:
        now = stamp(self.environment.now())
        return {
            "object": "connect_application_secret",
            "id": name,
            "secret_hint": value[-4:],
            "last_used_at": None,
            "created_at": now,
            "updated_at": now,
        }

    def _application(self, request: web.Request) -> Application:
        wanted = request.match_info["id"]
        for application in self.state.applications.values():
            if wanted in (application.id, application.client_id):
                return application
        raise not_found("Connect application", wanted)


def _uris(body: dict[str, Any]) -> list[str]:
    return [str(one["uri"]) for one in body.get("redirect_uris") or []]


def _shape(body: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The person and the consent options of a completion call; 422 for a wrong shape."""
    person, options = body.get("user"), body.get("user_consent_options") or []
    errors = []
    if not isinstance(body.get("external_auth_id"), str) or not body["external_auth_id"]:
        errors.append({"code": "required", "field": "external_auth_id"})
    if not isinstance(person, dict):
        errors.append({"code": "required", "field": "user"})
        person = {}
    errors += [
        {"code": "required", "field": f"user.{name}"}
        for name in ("id", "email")
        if not isinstance(person.get(name), str) or not person[name]
    ]
    if not isinstance(options, list) or not all(isinstance(one, dict) for one in options):
        errors.append({"code": "invalid", "field": "user_consent_options"})
        options = []
    if errors:
        raise Problem(422, "invalid_request_parameters", "Validation failed.", errors=errors)
    check_metadata(person.get("metadata"))
    for option in options:
        if option.get("claim") in RESERVED:
            text = f'Claim "{option["claim"]}" is reserved and cannot be used.'
            raise Problem(400, None, text, error="Bad Request")
    return person, options
