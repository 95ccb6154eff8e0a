"""The AuthKit domain as machines see it: metadata, keys, tokens, introspection, userinfo."""

from __future__ import annotations

import secrets
from typing import Any

from aiohttp import web

from tests.standins.workos_answers import OAuthProblem, form_of
from tests.standins.workos_clients import METHODS, Clients
from tests.standins.workos_environment import ACCESS_TTL, Environment
from tests.standins.workos_state import (
    CODE_LASTS,
    SCOPES,
    Application,
    Consent,
    Refresh,
    User,
    new_id,
)
from tests.standins.workos_tokens import s256


class AuthKitTokens:
    def __init__(self, environment: Environment, clients: Clients) -> None:
        self.environment = environment
        self.state = environment.state
        self.clients = clients

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/.well-known/oauth-authorization-server", self.metadata),
            web.get("/.well-known/openid-configuration", self.openid),
            web.get("/oauth2/jwks", self.jwks),
            web.post("/oauth2/token", self.token),
            web.post("/oauth2/introspection", self.introspection),
            web.get("/oauth2/userinfo", self.userinfo),
            web.post("/oauth2/userinfo", self.userinfo),
        ]

    # --- documents --------------------------------------------------------------------------

    async def metadata(self, request: web.Request) -> web.Response:
        """As served live in September 2026, `registration_endpoint` and CIMD as switched."""
        url, body = self.environment.authkit_url, self._common()
        if self.environment.dcr_enabled:
            body["registration_endpoint"] = f"{url}/oauth2/register"
        if self.environment.cimd_enabled:
            body["client_id_metadata_document_supported"] = True
        return web.json_response(body | {"code_challenge_methods_supported": ["S256"]})

    async def openid(self, request: web.Request) -> web.Response:
        """Another document, without PKCE, registration and CIMD: a client must not rest on it."""
        body = self._common() | {
            "userinfo_endpoint": f"{self.environment.authkit_url}/oauth2/userinfo",
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return web.json_response(body)

    def _common(self) -> dict[str, Any]:
        url = self.environment.authkit_url
        device = "urn:ietf:params:oauth:grant-type:device_code"
        return {
            "issuer": url,
            "authorization_endpoint": f"{url}/oauth2/authorize",
            "token_endpoint": f"{url}/oauth2/token",
            "jwks_uri": f"{url}/oauth2/jwks",
            "introspection_endpoint": f"{url}/oauth2/introspection",
            "device_authorization_endpoint": f"{url}/oauth2/device_authorization",
            "grant_types_supported": ["authorization_code", "refresh_token", device],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "scopes_supported": list(SCOPES),
            "token_endpoint_auth_methods_supported": list(METHODS),
        }

    async def jwks(self, request: web.Request) -> web.Response:
        return web.json_response(self.environment.authkit_keys.jwks())

    # --- tokens -----------------------------------------------------------------------------

    async def token(self, request: web.Request) -> web.Response:
        form = await form_of(request)
        grant = form.get("grant_type")
        if grant not in ("authorization_code", "refresh_token"):
            raise OAuthProblem("unsupported_grant_type", f"Unsupported grant type: {grant}.")
        application = await self.clients.authenticated(request, form)
        made = self._code(application, form) if grant != "refresh_token" else None
        if made is None:
            made = self._refresh(application, form)
        headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
        return web.json_response(made, headers=headers)

    def _code(self, application: Application, form: dict[str, str]) -> dict[str, Any]:
        """Good once, for whom it was made, with the verifier; any failed try uses it up."""
        code = self.state.codes.get(form.get("code", ""))
        if code is None or code.used:
            raise OAuthProblem("invalid_grant", "The code is invalid or was already used.")
        code.used = True
        flow = code.flow
        if self.environment.now() - code.made > CODE_LASTS:
            raise OAuthProblem("invalid_grant", "The code has expired.")
        if flow.client_id != application.client_id:
            raise OAuthProblem("invalid_grant", "The code was issued to another client.")
        if form.get("redirect_uri") != flow.redirect_uri:
            raise OAuthProblem("invalid_grant", "redirect_uri does not match.")
        verifier = form.get("code_verifier")
        if (flow.challenge is None) != (verifier is None) or (
            flow.challenge is not None and s256(str(verifier)) != flow.challenge
        ):
            raise OAuthProblem("invalid_grant", "The code verifier does not match.")
        resource = form.get("resource", flow.resource)
        if flow.resource is not None and resource != flow.resource:
            raise OAuthProblem("invalid_target", "resource is not that of the authorization.")
        consent = self._consent(code.consent_id)
        audience = self._audience(resource)
        return self._tokens(application, consent, flow.scopes, audience, nonce=flow.nonce)

    def _refresh(self, application: Application, form: dict[str, str]) -> dict[str, Any]:
        """The old token is used up; narrower scopes are for the new access token only."""
        found = self.state.refresh.get(form.get("refresh_token", ""))
        if found is None or found.used:
            raise OAuthProblem("invalid_grant", "The refresh token is invalid or already used.")
        consent = self._consent(found.consent_id)
        if consent.client_id != application.client_id:
            raise OAuthProblem("invalid_grant", "The refresh token is another client's.")
        scopes = form["scope"].split() if "scope" in form else found.scopes
        if not set(scopes) <= set(found.scopes):
            raise OAuthProblem("invalid_scope", "The scope is more than was granted.")
        found.used = True
        return self._tokens(application, consent, scopes, found.audience, granted=found.scopes)

    def _consent(self, name: str) -> Consent:
        consent = self.state.consents.get(name)
        if consent is None or consent.ended or consent.user_id not in self.state.users:
            raise OAuthProblem("invalid_grant", "The access was withdrawn.")
        return consent

    def _audience(self, resource: str | None) -> str:
        environment = self.environment
        if environment.resource_mode == "none":
            return environment.client_id
        resource = resource or environment.default_resource
        if resource in environment.resources:
            return str(resource)
        if environment.resource_mode == "strict" and resource is not None:
            raise OAuthProblem("invalid_target", "The requested resource is not registered.")
        return environment.client_id

    def _tokens(
        self,
        application: Application,
        consent: Consent,
        scopes: list[str],
        audience: str,
        *,
        granted: list[str] | None = None,
        nonce: str | None = None,
    ) -> dict[str, Any]:
        user = self.state.users[consent.user_id]
        body: dict[str, Any] = {
            "access_token": self.access_token(user, application, consent, scopes, audience),
            "expires_in": ACCESS_TTL,
            "token_type": "bearer",
        }
        if "openid" in scopes:
            body["id_token"] = self._id_token(user, application, scopes, nonce)
        granted = granted or scopes
        if "offline_access" in granted:
            token = secrets.token_urlsafe(24)
            now = self.environment.now()
            self.state.refresh[token] = Refresh(consent.id, granted, audience, now)
            body["refresh_token"] = token
        return body

    def access_token(
        self,
        user: User,
        application: Application,
        consent: Consent,
        scopes: list[str],
        audience: str,
    ) -> str:
        now = int(self.environment.now())
        claims: dict[str, Any] = {
            **consent.claims,
            "iss": self.environment.authkit_url,
            "aud": audience,
            "sub": self._sub(user),
            "sid": consent.id,
            "jti": new_id("jti"),
            "scope": " ".join(scopes),
            "iat": now,
            "exp": now + ACCESS_TTL,
        }
        if self.environment.client_id_claim:
            claims["client_id"] = application.client_id
        return self.environment.authkit_keys.sign(claims)

    def _sub(self, user: User) -> str:
        if self.environment.sub_mode == "user" or user.external_id is None:
            return user.id
        return user.external_id

    def _id_token(
        self, user: User, application: Application, scopes: list[str], nonce: str | None
    ) -> str:
        now = int(self.environment.now())
        claims: dict[str, Any] = {
            "iss": self.environment.authkit_url,
            "aud": application.client_id,
            "iat": now,
            "exp": now + ACCESS_TTL,
            **self._about(user, scopes),
        }
        if nonce is not None:
            claims["nonce"] = nonce
        return self.environment.authkit_keys.sign(claims)

    def _about(self, user: User, scopes: list[str]) -> dict[str, Any]:
        body = user.body()
        shown: dict[str, Any] = {"sub": self._sub(user)}
        if "profile" in scopes:
            names = {"name": "name", "given_name": "first_name", "family_name": "last_name"}
            shown |= {claim: body[name] for claim, name in names.items() if body[name]}
        if "email" in scopes:
            shown |= {"email": user.email, "email_verified": user.email_verified}
        return shown

    # --- questions about tokens -------------------------------------------------------------

    async def introspection(self, request: web.Request) -> web.Response:
        """For clients with a secret: their own tokens; a first-party one sees everybody's."""
        form = await form_of(request)
        application = await self.clients.authenticated(request, form)
        if application.public:
            raise OAuthProblem("invalid_client", "Client authentication is required.", status=401)
        token = form.get("token", "")
        shown = self._about_access(token) or self._about_refresh(token)
        mine = shown is not None and shown.get("client_id") == application.client_id
        if shown is None or not (mine or application.first_party):
            return web.json_response({"active": False})
        return web.json_response({"active": True, **shown})

    def _about_access(self, token: str) -> dict[str, Any] | None:
        claims = self.environment.authkit_keys.read(token, self.environment.now())
        consent = self.state.consents.get(str((claims or {}).get("sid")))
        if claims is None or consent is None or consent.ended:
            return None
        kept = ("iss", "sub", "iat", "exp", "sid", "jti", "aud", "scope", "org_id")
        shown = {name: claims[name] for name in kept if name in claims}
        return {"token_type": "access_token", "client_id": consent.client_id, **shown}

    def _about_refresh(self, token: str) -> dict[str, Any] | None:
        found = self.state.refresh.get(token)
        consent = self.state.consents.get(found.consent_id) if found is not None else None
        if found is None or found.used or consent is None or consent.ended:
            return None
        user = self.state.users.get(consent.user_id)
        if user is None:
            return None
        return {
            "token_type": "refresh_token",
            "client_id": consent.client_id,
            "iss": self.environment.authkit_url,
            "sub": self._sub(user),
            "iat": int(found.made),
            "sid": consent.id,
        }

    async def userinfo(self, request: web.Request) -> web.Response:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        claims = self.environment.authkit_keys.read(token, self.environment.now())
        consent = self.state.consents.get(str((claims or {}).get("sid")))
        if kind.lower() != "bearer" or claims is None or consent is None:
            raise OAuthProblem("unauthorized", "Unauthorized.", status=401)
        user = self.state.users.get(consent.user_id)
        if user is None:
            raise OAuthProblem("unauthorized", "Unauthorized.", status=401)
        return web.json_response(self._about(user, str(claims["scope"]).split()))
