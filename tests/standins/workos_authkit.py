"""The AuthKit domain as browsers see it: /oauth2/authorize, the way back, the consent page."""

from __future__ import annotations

import html
import secrets
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from tests.standins.workos_answers import PageProblem, form_of, page, with_query
from tests.standins.workos_clients import Clients
from tests.standins.workos_connect import Connect
from tests.standins.workos_environment import Environment
from tests.standins.workos_login import CHALLENGE, COOKIE
from tests.standins.workos_state import (
    FLOW_LASTS,
    SCOPES,
    Application,
    Code,
    Consent,
    Flow,
    User,
    new_id,
)

HANDSHAKE = "wos-handshake"


class AuthKit:
    def __init__(self, environment: Environment, clients: Clients, connect: Connect) -> None:
        self.environment = environment
        self.state = environment.state
        self.clients = clients
        self.connect = connect

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/oauth2/authorize", self.authorize),
            web.get("/oauth2/authorize/complete", self.returned),
            web.post("/oauth2/authorize/consent", self.decided),
            web.get("/standin/login", self.hosted),
            web.get("/standin/login/as", self.hosted_as),
        ]

    async def authorize(self, request: web.Request) -> web.Response:
        query = request.query
        if any(len(query.getall(name)) > 1 for name in query):
            raise PageProblem("invalid_request", "A parameter is repeated.")
        application = await self.clients.find(query.get("client_id", ""))
        if application is None:
            raise PageProblem("invalid_client", "There is no such client.")
        redirect_uri = self._redirect_uri(application, query.get("redirect_uri"))
        state = query.get("state")
        error = self._wrong(application, query)
        if error is not None:
            raise _away(redirect_uri, *error, state)
        flow = Flow(
            new_id("ext_auth"),
            self.environment.now(),
            application.client_id,
            redirect_uri,
            state,
            query.get("scope", "openid profile email").split(),
            query.get("code_challenge"),
            query.get("resource"),
            query.get("nonce"),
            request.cookies.get(HANDSHAKE) or secrets.token_urlsafe(16),
        )
        self.state.flows[flow.id] = flow
        answer = web.Response(status=302, headers={"Location": self._onward(request, flow)})
        answer.set_cookie(
            HANDSHAKE, flow.handshake, max_age=FLOW_LASTS, httponly=True, samesite="Lax"
        )
        return answer

    def _onward(self, request: web.Request, flow: Flow) -> str:
        """To the Login URI; past it, where AuthKit still knows the browser and `sticky` is on.

        The person is then whoever was here last, whatever our own session says: the trap.
        """
        known = self.state.browsers.get(request.cookies.get(COOKIE, ""), "")
        session = self.state.sessions.get(known)
        if self.environment.sticky and session is not None and session.ended is None:
            return self.connect.finish(flow, session, [])
        if self.environment.login_uri is not None:
            return with_query(self.environment.login_uri, {"external_auth_id": flow.id})
        return with_query("/standin/login", {"flow": flow.id})

    def _redirect_uri(self, application: Application, asked: str | None) -> str:
        if asked is None and len(application.redirect_uris) == 1:
            return application.redirect_uris[0]
        if asked is not None and any(self._meets(asked, one) for one in application.redirect_uris):
            return asked
        raise PageProblem("invalid_redirect_uri", f"{asked} is not a redirect URI of this client.")

    def _meets(self, asked: str, registered: str) -> bool:
        """Exactly; on loopback with any port where the environment allows it (RFC 8252, 7.3)."""
        if asked == registered:
            return True
        one, other = urlsplit(asked), urlsplit(registered)
        loopback = ("127.0.0.1", "localhost", "::1")
        return (
            self.environment.loopback_any_port
            and one.scheme == "http"
            and one.hostname in loopback
            and one._replace(netloc="") == other._replace(netloc="")
            and one.hostname == other.hostname
        )

    def _wrong(self, application: Application, query: Any) -> tuple[str, str] | None:
        """What is told to the client: it and its redirect URI are known by now."""
        if query.get("response_type") != "code":
            return "unsupported_response_type", "response_type must be code."
        challenge = query.get("code_challenge")
        if challenge is None and application.public:
            return "invalid_request", "code_challenge is required."
        if challenge is not None and query.get("code_challenge_method") != "S256":
            return "invalid_request", "code_challenge_method must be S256."
        if challenge is not None and not CHALLENGE.fullmatch(challenge):
            return "invalid_request", "code_challenge is malformed."
        unknown = sorted(set(query.get("scope", "").split()) - set(SCOPES))
        if unknown:
            return "invalid_scope", f"The requested scope is invalid: {' '.join(unknown)}."
        resource = query.get("resource")
        strict = self.environment.resource_mode == "strict"
        if strict and resource is not None and resource not in self.environment.resources:
            return "invalid_target", "The requested resource is not registered."
        return None

    # --- without a Login URI: AuthKit's own page --------------------------------------------

    async def hosted(self, request: web.Request) -> web.Response:
        flow = self._flow(request.query.get("flow", ""))
        links = "".join(
            f'<li><a href="{_as(flow.id, at)}">{html.escape(person.name)}</a></li>'
            for at, person in enumerate(self.environment.people)
        )
        return page("Sign in with AuthKit (stand-in)", f"<ul>{links}</ul>")

    async def hosted_as(self, request: web.Request) -> web.Response:
        flow = self._flow(request.query.get("flow", ""))
        picked = request.query.get("person", "")
        if not picked.isdecimal() or int(picked) >= len(self.environment.people) or flow.completed:
            raise PageProblem("invalid_request", "There is nobody of that number.")
        person = self.environment.people[int(picked)]
        user = self.environment.account_of(person)
        if not self.environment.linked(user, person):
            raise PageProblem("email_verification_required", "Prove that the mailbox is yours.")
        session = self.environment.open_session(user, "oauth", None)
        raise web.HTTPFound(self.connect.finish(flow, session, []))

    def _flow(self, name: str) -> Flow:
        flow = self.state.flows.get(name)
        if flow is None or self.environment.now() - flow.began > FLOW_LASTS:
            raise PageProblem("invalid_state", "This sign-in is not known, or has expired.")
        return flow

    # --- back from the Login URI ------------------------------------------------------------

    async def returned(self, request: web.Request) -> web.Response:
        """The URL that `complete` gave: only in the browser that began, only before a decision."""
        flow, user = self._back(request, request.query.get("state", ""))
        name = secrets.token_urlsafe(16)
        self.state.browsers[name] = flow.session_id
        answer = self._consent_page(flow, user)
        answer.set_cookie(COOKIE, name, httponly=True, samesite="Lax")
        return answer

    def _back(self, request: web.Request, returned: str) -> tuple[Flow, User]:
        found = [one for one in self.state.flows.values() if returned and one.returned == returned]
        if not found or self.environment.now() - found[0].began > FLOW_LASTS:
            raise PageProblem("invalid_state", "This sign-in is not known, or has expired.")
        flow = found[0]
        if request.cookies.get(HANDSHAKE) != flow.handshake:
            raise PageProblem("invalid_state", "This sign-in was begun in another browser.")
        user = self.state.users.get(flow.user_id or "")
        if flow.decided or user is None or flow.client_id not in self.state.applications:
            raise PageProblem("invalid_state", "This sign-in is over.")
        return flow, user

    def _consent_page(self, flow: Flow, user: User) -> web.Response:
        name = html.escape(self.state.applications[flow.client_id].name)
        scopes = "".join(f"<li>{html.escape(scope)}</li>" for scope in flow.scopes)
        options = "".join(_select(option) for option in flow.options)
        returned = html.escape(flow.returned)
        return page(
            f"{name} wants access",
            f"<p>Signed in as <b id=who>{html.escape(user.email)}</b></p><ul>{scopes}</ul>"
            '<form method="post" action="/oauth2/authorize/consent">'
            f'<input type="hidden" name="state" value="{returned}">{options}'
            '<button name="decision" value="approve">Allow access</button>'
            '<button name="decision" value="deny">Cancel</button></form>',
        )

    async def decided(self, request: web.Request) -> web.Response:
        form = await form_of(request)
        flow, user = self._back(request, form.get("state", ""))
        flow.decided = True
        if form.get("decision") != "approve":
            text = "The user denied the request."
            raise _away(flow.redirect_uri, "access_denied", text, flow.state)
        claims = _chosen(flow.options, form)
        consent = self._consent(flow, user, claims)
        code = secrets.token_urlsafe(24)
        self.state.codes[code] = Code(flow, consent.id, self.environment.now())
        raise web.HTTPFound(with_query(flow.redirect_uri, {"code": code, "state": flow.state}))

    def _consent(self, flow: Flow, user: User, claims: dict[str, str]) -> Consent:
        """One a person, client and resource: a later one renews it, under the same id."""
        for consent in self.state.consents.values():
            same = (consent.user_id, consent.client_id, consent.resource)
            if same == (user.id, flow.client_id, flow.resource) and not consent.ended:
                consent.scopes, consent.claims = flow.scopes, claims
                return consent
        made = Consent(
            new_id("app_consent"),
            user.id,
            flow.client_id,
            flow.scopes,
            flow.resource,
            claims,
            self.environment.now(),
        )
        self.state.consents[made.id] = made
        return made


def _choices(option: dict[str, Any]) -> list[dict[str, str]]:
    """Flat, or in groups."""
    flat: list[dict[str, str]] = []
    for choice in option.get("choices", []):
        flat += choice["choices"] if "group" in choice else [choice]
    return flat


def _select(option: dict[str, Any]) -> str:
    claim = html.escape(option["claim"])
    rows = "".join(
        f'<option value="{html.escape(one["value"])}">{html.escape(one["label"])}</option>'
        for one in _choices(option)
    )
    return f'<label>{html.escape(option["label"])}<select name="{claim}">{rows}</select></label>'


def _chosen(options: list[dict[str, Any]], form: dict[str, str]) -> dict[str, str]:
    """The value of each claim; the first choice, as a browser's select has it, if none came."""
    claims = {}
    for option in options:
        values = [one["value"] for one in _choices(option)]
        given = form.get(option["claim"], values[0] if values else "")
        if given not in values:
            raise PageProblem("invalid_request", "That choice was not offered.")
        claims[option["claim"]] = given
    return claims


def _as(flow: str, at: int) -> str:
    return html.escape(with_query("/standin/login/as", {"flow": flow, "person": str(at)}))


def _away(redirect_uri: str, error: str, text: str, state: str | None) -> web.HTTPFound:
    query = {"error": error, "error_description": text, "state": state}
    return web.HTTPFound(with_query(redirect_uri, query))
