"""The API's smaller collections: resource indicators, redirect URIs, events, the session keys."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from tests.standins.workos_answers import Problem, json_object, listed, not_found
from tests.standins.workos_environment import Environment
from tests.standins.workos_state import new_id, stamp


class Resources:
    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.state = environment.state

    def routes(self) -> list[web.RouteDef]:
        resources = "/user_management/authkit_oauth_resources"
        return [
            web.get(resources, self.list),
            web.post(resources, self.create),
            web.delete(resources + "/{id}", self.delete),
            web.get("/user_management/redirect_uris", self.redirect_uris),
            web.post("/user_management/redirect_uris", self.add_redirect_uri),
            web.get("/events", self.events),
            web.get("/sso/jwks/{client_id}", self.jwks),
        ]

    async def list(self, request: web.Request) -> web.Response:
        return listed(request, [self._resource(uri) for uri in self.environment.resources])

    async def create(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        uri = body.get("uri")
        if not isinstance(uri, str) or "://" not in uri:
            errors = [{"code": "invalid_uri", "field": "uri"}]
            raise Problem(422, "invalid_request_parameters", "Validation failed.", errors=errors)
        if uri in self.environment.resources:
            raise Problem(409, "duplicate_resource", "That resource is already registered.")
        self.environment.resources.append(uri)
        if body.get("default"):
            self.environment.default_resource = uri
        return web.json_response(self._resource(uri), status=201)

    async def delete(self, request: web.Request) -> web.Response:
        """The consents that were given at it go too."""
        wanted = request.match_info["id"]
        for uri in self.environment.resources:
            if self._resource(uri)["id"] == wanted:
                break
        else:
            raise not_found("AuthKit OAuth resource", wanted)
        self.environment.resources.remove(uri)
        if self.environment.default_resource == uri:
            self.environment.default_resource = None
        for consent in self.state.consents.values():
            if consent.resource == uri:
                consent.ended = True
        return web.Response(status=204)

    def _resource(self, uri: str) -> dict[str, Any]:
        name = self.state.resource_ids.setdefault(uri, new_id("authkit_oauth_resource"))
        default = uri == self.environment.default_resource
        return self._row("authkit_oauth_resource", name, uri, default)

    async def redirect_uris(self, request: web.Request) -> web.Response:
        rows = [self._redirect_uri(uri) for uri in self.environment.redirect_uris]
        return listed(request, rows)

    async def add_redirect_uri(self, request: web.Request) -> web.Response:
        uri = (await json_object(request)).get("uri")
        if not isinstance(uri, str) or "://" not in uri:
            raise Problem(422, "invalid_request_parameters", "Validation failed.", errors=[])
        self.environment.redirect_uris.append(uri)
        return web.json_response(self._redirect_uri(uri), status=201)

    def _redirect_uri(self, uri: str) -> dict[str, Any]:
        name = self.state.resource_ids.setdefault("redirect " + uri, new_id("ruri"))
        default = uri == self.environment.redirect_uris[0]
        return self._row("redirect_uri", name, uri, default)

    def _row(self, kind: str, name: str, uri: str, default: bool) -> dict[str, Any]:
        now = stamp(self.environment.now())
        row = {"object": kind, "id": name, "uri": uri, "default": default}
        return row | {"created_at": now, "updated_at": now}

    async def events(self, request: web.Request) -> web.Response:
        """Oldest first, only the types asked for."""
        wanted = set(",".join(request.query.getall("events", [])).split(",")) - {""}
        if not wanted:
            raise Problem(400, "invalid_request_parameters", "events is required.")
        rows = [one for one in self.state.events.values() if one["event"] in wanted]
        return listed(request, rows, "asc")

    async def jwks(self, request: web.Request) -> web.Response:
        if request.match_info["client_id"] != self.environment.client_id:
            raise not_found("Client", request.match_info["client_id"])
        return web.json_response(self.environment.session_keys.jwks(certificates=True))
