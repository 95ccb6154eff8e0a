"""User Management in the browser: /authorize, the page of the fake GitHub or Google, logout.

A client or redirect URI that is unknown is told to the person; only then does anything redirect.
"""

from __future__ import annotations

import html
import re
import secrets

from aiohttp import web

from tests.standins.workos_answers import PageProblem, page, with_query
from tests.standins.workos_environment import Environment
from tests.standins.workos_state import Attempt, new_id

CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
PROVIDERS = {
    "GitHubOAuth": "GitHub",
    "GoogleOAuth": "Google",
    "AppleOAuth": "Apple",
    "MicrosoftOAuth": "Microsoft",
    "authkit": "AuthKit",
}
COOKIE = "wos-authkit-session"


class Login:
    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.state = environment.state

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/user_management/authorize", self.authorize),
            web.get("/standin/provider", self.provider_page),
            web.get("/standin/callback", self.callback),
            web.get("/user_management/sessions/logout", self.logout),
        ]

    async def authorize(self, request: web.Request) -> web.Response:
        query = request.query
        if query.get("client_id") != self.environment.client_id:
            raise PageProblem("invalid_client_id", "There is no such client in this environment.")
        redirect_uri = query.get("redirect_uri", "")
        if redirect_uri not in self.environment.redirect_uris:
            raise PageProblem("invalid_redirect_uri", f"{redirect_uri} is not a redirect URI here.")
        if query.get("response_type") != "code":
            raise PageProblem("unsupported_response_type", "response_type must be code.")
        challenge = query.get("code_challenge")
        if challenge is not None and (
            query.get("code_challenge_method") != "S256" or not CHALLENGE.fullmatch(challenge)
        ):
            raise PageProblem("invalid_request", "The code challenge must be one of S256.")
        state = query.get("state")
        selectors = [
            name for name in ("provider", "connection_id", "organization_id") if query.get(name)
        ]
        if len(selectors) != 1:
            error = "ambiguous_connection_selector" if selectors else "invalid_connection_selector"
            raise _away(redirect_uri, error, state)
        provider = query.get("provider", "")
        if selectors != ["provider"]:
            raise _away(redirect_uri, "connection_invalid", state)
        if provider not in PROVIDERS:
            raise _away(redirect_uri, "invalid_connection_selector", state)
        name = secrets.token_urlsafe(16)
        self.state.attempts[name] = Attempt(
            self.environment.now(), redirect_uri, state, challenge, provider
        )
        raise web.HTTPFound(with_query("/standin/provider", {"attempt": name}))

    async def provider_page(self, request: web.Request) -> web.Response:
        """Who are you at the provider? One link a person; the hosted page offers everybody."""
        name = request.query.get("attempt", "")
        attempt = self.state.attempts.get(name)
        if attempt is None:
            raise PageProblem("invalid_state", "This sign-in is not known.")
        hosted = attempt.provider == "authkit"
        links = "".join(
            f'<li><a href="{_link(name, str(at))}">{html.escape(person.name)}</a></li>'
            for at, person in enumerate(self.environment.people)
            if hosted or person.provider == attempt.provider
        )
        title = f"Sign in with {PROVIDERS[attempt.provider]} (stand-in)"
        return page(
            title, f'<ul>{links}</ul><p><a id="cancel" href="{_link(name, "")}">Cancel</a></p>'
        )

    async def callback(self, request: web.Request) -> web.Response:
        """Back from the provider: a code for our client, or the refusal."""
        attempt = self.state.attempts.pop(request.query.get("attempt", ""), None)
        if attempt is None:
            raise PageProblem("invalid_state", "This sign-in is over, or was never begun.")
        picked = request.query.get("person", "")
        if not picked.isdecimal() or int(picked) >= len(self.environment.people):
            raise _away(attempt.redirect_uri, "access_denied", attempt.state)
        attempt.person = self.environment.people[int(picked)]
        attempt.method = attempt.person.provider
        attempt.user_id = self.environment.account_of(attempt.person).id
        code = new_id("code")
        attempt.began = self.environment.now()
        self.state.login_codes[code] = attempt
        raise web.HTTPFound(
            with_query(attempt.redirect_uri, {"code": code, "state": attempt.state})
        )

    async def logout(self, request: web.Request) -> web.Response:
        """A browser navigation: the session ends, and AuthKit's own with it."""
        session = self.state.sessions.get(request.query.get("session_id", ""))
        if session is None:
            raise PageProblem("session_not_found", "There is no such session.", status=404)
        self.environment.end_session(session)
        return_to = request.query.get("return_to")
        if return_to is None:
            answer = page("Signed out", "<p>You are signed out.</p>")
        elif return_to in self.environment.logout_uris:
            answer = web.Response(status=302, headers={"Location": return_to})
        else:
            raise PageProblem("invalid_return_to", f"{return_to} is not a logout URI here.")
        answer.del_cookie(COOKIE)
        return answer


def _link(attempt: str, person: str) -> str:
    return html.escape(with_query("/standin/callback", {"attempt": attempt, "person": person}))


def _away(redirect_uri: str, error: str, state: str | None) -> web.HTTPFound:
    text = error.replace("_", " ").capitalize() + "."
    query = {"error": error, "error_description": text, "state": state}
    return web.HTTPFound(with_query(redirect_uri, query))
