"""AuthKit's clients: registration (RFC 7591), client id metadata documents, authentication."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp
from aiohttp import web

from tests.standins.workos_answers import OAuthProblem
from tests.standins.workos_environment import Environment
from tests.standins.workos_state import Application, new_id

METHODS = ("none", "client_secret_post", "client_secret_basic")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
MOST_DOCUMENT = 10_240


class Clients:
    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.state = environment.state

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/oauth2/register", self.register)]

    async def register(self, request: web.Request) -> web.Response:
        if not self.environment.dcr_enabled:
            error = "dynamic_client_registration_disabled"
            text = "Dynamic client registration is disabled for this environment."
            raise OAuthProblem(error, text)
        try:
            body = json.loads(await request.text())
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise OAuthProblem("invalid_client_metadata", "The body must be a JSON object.")
        uris, method = _metadata(body)
        made = self.environment.add_application(
            str(body.get("client_name") or "Unnamed client"),
            uris,
            auth_method=method,
            dynamic=True,
            metadata=body,
        )
        answer: dict[str, Any] = {
            "client_id": made.client_id,
            "client_id_issued_at": int(made.created),
            "client_name": made.name,
            "redirect_uris": uris,
            "grant_types": body.get("grant_types", ["authorization_code", "refresh_token"]),
            "response_types": body.get("response_types", ["code"]),
            "token_endpoint_auth_method": method,
        }
        echoed = ("scope", "client_uri", "logo_uri", "tos_uri", "policy_uri", "contacts")
        answer |= {name: body[name] for name in echoed if name in body}
        if method != "none":
            name, value = new_id("secret"), secrets.token_urlsafe(32)
            made.secrets[name] = value
            answer |= {"client_secret": value, "client_secret_expires_at": 0}
        return web.json_response(answer, status=201)

    async def find(self, client_id: str) -> Application | None:
        """A client that is known, or that a document at its id tells of."""
        known = self.state.applications.get(client_id)
        if known is not None and not known.document:
            return known
        if not self.environment.cimd_enabled or not _is_document(client_id):
            return None
        document = self.environment.documents.get(client_id) or await _fetch(client_id)
        if document is None or document.get("client_id") != client_id:
            return None
        try:
            uris, method = _metadata({"token_endpoint_auth_method": "none", **document})
        except OAuthProblem:
            return None
        if method != "none":
            return None
        if known is not None:
            known.redirect_uris = uris
            return known
        name = str(document.get("client_name") or client_id)
        return self.environment.add_application(name, uris, client_id=client_id, document=True)

    async def authenticated(self, request: web.Request, form: dict[str, str]) -> Application:
        """The client of a token request: by its secret, or public and only named."""
        given, secret = form.get("client_id"), form.get("client_secret")
        kind, _, value = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "basic":
            if secret is not None:
                raise OAuthProblem("invalid_request", "The client authenticates twice.")
            given, secret = _basic(value)
        application = self.state.applications.get(given or "")
        if application is None:
            raise OAuthProblem("invalid_client", "Unknown client.", status=401)
        if application.public and secret is None:
            return application
        known = application.secrets.values()
        if secret is None or not any(
            hmac.compare_digest(one.encode(), secret.encode()) for one in known
        ):
            raise OAuthProblem("invalid_client", "Client authentication failed.", status=401)
        return application


def _metadata(body: dict[str, Any]) -> tuple[list[str], str]:
    """Redirect URIs and method of a registration; the method of RFC 7591 where none is named."""
    uris = body.get("redirect_uris")
    if not isinstance(uris, list) or not uris or len(uris) > 50:
        raise OAuthProblem("invalid_redirect_uri", "redirect_uris is required.")
    if not all(isinstance(uri, str) and _is_redirect(uri) for uri in uris):
        raise OAuthProblem("invalid_redirect_uri", "A redirect URI is invalid.")
    method = body.get("token_endpoint_auth_method", "client_secret_basic")
    if method not in METHODS:
        raise OAuthProblem("invalid_client_metadata", "Unsupported token_endpoint_auth_method.")
    grants = body.get("grant_types", ["authorization_code"])
    if not isinstance(grants, list) or "authorization_code" not in grants:
        raise OAuthProblem("invalid_client_metadata", "grant_types needs authorization_code.")
    return uris, method


def _is_redirect(uri: str) -> bool:
    parts = urlsplit(uri)
    if parts.fragment or not parts.scheme:
        return False
    if parts.scheme == "http":
        return parts.hostname in LOOPBACK
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme not in ("javascript", "data", "file")


def _is_document(client_id: str) -> bool:
    """https, as WorkOS has it; plain http only on loopback, since a stage has no certificate."""
    parts = urlsplit(client_id)
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    return secure and parts.path not in ("", "/") and not parts.fragment


async def _fetch(url: str) -> dict[str, Any] | None:
    timeout = aiohttp.ClientTimeout(total=5)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.get(url, allow_redirects=False, headers={"Accept": "application/json"}) as answer,
        ):
            if answer.status != 200:
                return None
            text = await answer.content.read(MOST_DOCUMENT + 1)
            document = json.loads(text) if len(text) <= MOST_DOCUMENT else None
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def _basic(value: str) -> tuple[str, str]:
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise OAuthProblem(
            "invalid_client", "The Authorization header is broken.", status=401
        ) from None
    return unquote(name), unquote(secret)
