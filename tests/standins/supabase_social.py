"""The stand-in's GitHub and Google: /authorize, a page to pick a person, /callback.

Errors come back in the query and in the fragment; a redirect URL that is not allowed is silently
replaced by the Site URL; parameters that /authorize does not know go on to the provider.
"""

from __future__ import annotations

import html
import ipaddress
import re
import uuid
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from tests.standins.supabase_answers import Problem
from tests.standins.supabase_state import Flow, ProviderPerson, State, User

NAMES = {"github": "GitHub", "google": "Google"}
CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}")
OWN = ("provider", "redirect_to", "scopes", "code_challenge", "code_challenge_method")


class Social:
    def __init__(self, state: State) -> None:
        self.state = state

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/authorize", self.authorize),
            web.get("/standin/{provider}", self.page),
            web.get("/callback", self.callback),
            web.post("/callback", self.callback),
        ]

    async def authorize(self, request: web.Request) -> web.Response:
        query, options = request.query, self.state.options
        provider = query.get("provider", "")
        if provider not in options.providers:
            raise Problem(400, "validation_failed", "Unsupported provider")
        challenge = query.get("code_challenge", "")
        method = query.get("code_challenge_method", "").lower()
        if not CHALLENGE.fullmatch(challenge) or method not in ("s256", "plain"):
            raise Problem(400, "validation_failed", "PKCE flow requires a challenge and method")
        asked = query.get("redirect_to", "") or request.headers.get("Referer", "")
        redirect_to = asked if self.allowed(asked) else options.site_url
        name = str(uuid.uuid4())
        self.state.flows[name] = Flow(provider, redirect_to, challenge, method, self.state.now())
        passed = {key: value for key, value in query.items() if key not in OWN}
        onward = {"state": name, "redirect_to": asked, **passed}
        raise web.HTTPFound(f"{options.prefix}/standin/{provider}?{urlencode(onward)}")

    async def page(self, request: web.Request) -> web.Response:
        """Who are you at the provider?"""
        provider, state = request.match_info["provider"], request.query.get("state", "")
        links = [
            f'<li><a href="{html.escape(self._back(state, code=person.id))}">'
            f"{html.escape(person.name or person.email)}</a></li>"
            for person in self.state.provider_people.get(provider, [])
        ]
        cancel = html.escape(self._back(state, error="access_denied"))
        title = f"Sign in to {NAMES.get(provider, provider)} (stand-in)"
        text = (
            f"<!doctype html><title>{title}</title><h1>{title}</h1><ul>{''.join(links)}</ul>"
            f'<p><a id="cancel" href="{cancel}">Cancel</a></p>'
        )
        return web.Response(text=text, content_type="text/html")

    async def callback(self, request: web.Request) -> web.Response:
        flow = self.state.flows.get(request.query.get("state", ""))
        if flow is None or flow.code is not None:
            site = self.state.options.site_url
            raise self._away(site, "invalid_request", "bad_oauth_state", "OAuth state not found")
        if "error" in request.query:
            raise self._away(flow.redirect_to, request.query["error"], "access_denied", "Denied")
        people = self.state.provider_people[flow.provider]
        person = next((one for one in people if one.id == request.query.get("code")), None)
        if person is None:
            raise self._away(flow.redirect_to, "server_error", "unexpected_failure", "Exchange")
        try:
            flow.user = self.join(flow.provider, person)
        except Problem as problem:
            error = "server_error" if problem.status >= 500 else "access_denied"
            raise self._away(flow.redirect_to, error, problem.code, problem.message) from None
        flow.code = str(uuid.uuid4())
        raise web.HTTPFound(_with(flow.redirect_to, {"code": flow.code}))

    def join(self, provider: str, person: ProviderPerson) -> User:
        """Whose account this is, by the rules of automatic linking."""
        state, options = self.state, self.state.options
        known = self._by_identity(provider, person.id)
        if known is not None and known.email:
            if state.banned(known):
                raise Problem(403, "user_banned")
            return known
        same = state.user_by_email(person.email)
        if same is not None and (person.verified or options.autoconfirm):
            others = [u for u in state.users.values() if u is not same and not u.email]
            if any(person.email in [i["email"] for i in u.identities] for u in others):
                raise Problem(500, "unexpected_failure", "Multiple accounts with the same email")
            if state.banned(same):
                raise Problem(403, "user_banned")
            state.add_identity(same, provider, person.id, person.email, person.verified)
            same.app_metadata["providers"].append(provider)
            return same
        if options.disable_signup:
            raise Problem(422, "signup_disabled", "Signups not allowed for this instance")
        return self._sign_up(provider, person)

    def allowed(self, url: str) -> bool:
        """Same host as the Site URL (any port on loopback), a loopback IP, or on the list."""
        parts, site = urlsplit(url), urlsplit(self.state.options.site_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return False
        if parts.hostname == site.hostname and (
            parts.port == site.port or parts.hostname == "localhost"
        ):
            return True
        try:
            if ipaddress.ip_address(parts.hostname).is_loopback:
                return True
        except ValueError:
            pass
        return any(_glob(pattern).fullmatch(url) for pattern in self.state.options.allow_list)

    def _sign_up(self, provider: str, person: ProviderPerson) -> User:
        confirmed = person.verified or self.state.options.autoconfirm
        user = self.state.add_user("", None, confirmed=confirmed)
        self.state.add_identity(user, provider, person.id, person.email, person.verified)
        user.app_metadata = {"provider": provider, "providers": [provider]}
        if not confirmed:  # the attempt leaves a row without an address
            raise Problem(422, "provider_email_needs_verification")
        user.email = person.email.lower()
        return user

    def _by_identity(self, provider: str, sub: str) -> User | None:
        for user in self.state.users.values():
            if any(one["provider"] == provider and one["id"] == sub for one in user.identities):
                return user
        return None

    def _back(self, state: str, **query: str) -> str:
        return f"{self.state.options.prefix}/callback?{urlencode({**query, 'state': state})}"

    @staticmethod
    def _away(url: str, error: str, code: str, text: str) -> web.HTTPFound:
        query = {"error": error, "error_code": code, "error_description": text}
        return web.HTTPFound(f"{_with(url, query)}#{urlencode({**query, 'sb': ''})}")


def _with(url: str, query: dict[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"


def _glob(pattern: str) -> re.Pattern[str]:
    """`*` and `?` stop at the separators `.` and `/`, `**` at nothing."""
    parts = re.split(r"(\*\*|\*|\?)", pattern)
    shapes = {"**": ".*", "*": "[^./]*", "?": "[^./]"}
    return re.compile("".join(shapes.get(part, re.escape(part)) for part in parts))
