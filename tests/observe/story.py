"""A whole story at a running authgate with a Supabase project, and every secret that was in it.

Sign-ins by password and by GitHub, the exchange, a refresh, a call of the MCP server, a revocation,
and what goes wrong on the way. Whoever reads the log or the spans afterwards looks for the secrets.
"""

from __future__ import annotations

import re
import uuid
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from tests.endpoints.gate import REDIRECT, Pkce, answer_of, hidden
from tests.endpoints.project import ANA, PASSWORD
from tests.pages.abroad import OCTO, abroad

WRONG = "quite another long password"
LINK = re.compile(r'href="([^"]*/oauth/start/github[^"]*)"')
# What names or proves somebody, wherever it stands in an answer or in an address.
TELLING = {
    *("code", "state", "request", "handle", "csrf", "tx", "code_challenge", "code_verifier"),
    *("access_token", "refresh_token", "id_token", "client_secret", "challenge_id"),
}
MCP = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


class Story:
    """`secrets` by what they are. `answers` are all that came back from us."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.secrets: dict[str, str] = {}
        self.answers: list[httpx2.Response] = []
        self._note("password", PASSWORD)
        self._note("wrong password", WRONG)
        self._note("e-mail", ANA)
        self._note("e-mail of GitHub", OCTO.email)

    def http(self) -> httpx2.AsyncClient:
        async def seen(answer: httpx2.Response) -> None:
            self.answers.append(answer)
            for name, value in answer.cookies.items():
                self._note(f"cookie {name}", value)
            for address in (str(answer.request.url), answer.headers.get("location", "")):
                for name, values in parse_qs(urlsplit(address).query).items():
                    if name in TELLING:
                        self._note(name, values[0])

        return httpx2.AsyncClient(
            base_url=self.url, trust_env=False, timeout=30, event_hooks={"response": [seen]}
        )

    async def tell(self) -> None:
        """All of it, in a second or two."""
        async with self.http() as http:
            client = await self._register(http)
        first = await self._by_password(client)
        await self._by_github(client)
        async with self.http() as http:
            refreshed = await self._token(
                http, client, grant_type="refresh_token", refresh_token=first["refresh_token"]
            )
            tokens = refreshed.json()
            self._note("refreshed access token", tokens["access_token"])
            self._note("successor", tokens["refresh_token"])
            await self._call(http, tokens["access_token"])
            await self._wrongly(http, client, tokens)
            form = {"token": tokens["refresh_token"], "client_id": client}
            revoked = await http.post("/oauth/revoke", data=form)
            assert revoked.status_code == 200
            assert (await self._bearer(http, tokens["access_token"])).status_code == 401

    async def _register(self, http: httpx2.AsyncClient) -> str:
        document = {
            "redirect_uris": [REDIRECT],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
        }
        found: str = (await http.post("/oauth/register", json=document)).json()["client_id"]
        return found

    async def _sign_in_page(
        self, http: httpx2.AsyncClient, client: str, pkce: Pkce
    ) -> httpx2.Response:
        self._note("verifier", pkce.verifier)
        asked = {
            "response_type": "code",
            "client_id": client,
            "redirect_uri": REDIRECT,
            "code_challenge": pkce.challenge,
            "code_challenge_method": "S256",
            "state": uuid.uuid4().hex,
        }
        self._note("state of the client", asked["state"])
        begun = await http.get("/oauth/authorize", params=asked, headers={"sec-fetch-site": "none"})
        return await http.get(begun.headers["location"])

    async def _by_password(self, client: str) -> dict[str, Any]:
        pkce = Pkce()
        async with self.http() as http:
            page = await self._sign_in_page(http, client, pkce)
            for password in (WRONG, PASSWORD):
                form = hidden(page.text, "/oauth/sign-in")
                self._of_form(form)
                form |= {"username": ANA, "password": password}
                page = await http.post("/oauth/sign-in", data=form)
            page = await http.get(page.headers["location"])
            return await self._consented(http, client, page, pkce)

    async def _by_github(self, client: str) -> None:
        pkce = Pkce()
        async with self.http() as http:
            page = await self._sign_in_page(http, client, pkce)
            (link,) = LINK.findall(page.text)
            away = await http.get(unescape(link))
            back = await abroad(away.headers["location"])
            returned = await http.get(back, headers={"sec-fetch-site": "cross-site"})
            page = await http.get(returned.headers["location"])
            await self._consented(http, client, page, pkce)

    async def _consented(
        self, http: httpx2.AsyncClient, client: str, page: httpx2.Response, pkce: Pkce
    ) -> dict[str, Any]:
        form = hidden(page.text, "/oauth/consent")
        self._of_form(form)
        given = await http.post("/oauth/consent", data={**form, "decision": "approve"})
        code = answer_of(given.headers["location"])["code"]
        exchange = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
        wrong = await self._token(http, client, **exchange, code_verifier=Pkce().verifier)
        assert wrong.status_code == 400
        answer = await self._token(http, client, **exchange, code_verifier=pkce.verifier)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        self._note(f"access token {len(self.secrets)}", tokens["access_token"])
        self._note(f"refresh token {len(self.secrets)}", tokens["refresh_token"])
        return tokens

    async def _wrongly(self, http: httpx2.AsyncClient, client: str, tokens: dict[str, Any]) -> None:
        token = tokens["access_token"]
        await http.post("/mcp?access_token=" + token, json=MCP)
        await self._bearer(http, token[:-4] + "AAAA")
        await http.get("/oauth/authorize", params={"client_id": client, "state": PASSWORD})
        await http.get("/oauth/continue", params={"request": token[:40]})
        await http.get("/oauth/callback", params={"code": token[:40], "state": token[-40:]})
        await self._token(http, client, grant_type=tokens["refresh_token"])
        await self._token(http, client, grant_type="refresh_token", refresh_token=token)
        basic = (tokens["refresh_token"], PASSWORD)
        await http.post("/oauth/token", data={"grant_type": "refresh_token"}, auth=basic)
        await http.post("/oauth/register", json={"redirect_uris": [PASSWORD, token]})

    async def _call(self, http: httpx2.AsyncClient, token: str) -> None:
        assert (await self._bearer(http, token)).status_code == 200

    async def _bearer(self, http: httpx2.AsyncClient, token: str) -> httpx2.Response:
        headers = {
            "authorization": f"Bearer {token}",
            "accept": "application/json, text/event-stream",
        }
        return await http.post("/mcp", json=MCP, headers=headers)

    async def _token(self, http: httpx2.AsyncClient, client: str, **form: str) -> httpx2.Response:
        return await http.post("/oauth/token", data={**form, "client_id": client})

    def _of_form(self, form: dict[str, str]) -> None:
        for name, value in form.items():
            self._note(f"field {name} {len(self.secrets)}", value)

    def _note(self, name: str, value: str) -> None:
        if len(value) >= 12:  # what is shorter is a word, and no secret
            self.secrets[f"{name} ({len(self.secrets)})"] = value

    def leaked(self, text: str) -> dict[str, str]:
        """The secrets that stand in `text`, also by a half, and of a token any of its parts."""
        return {
            name: value
            for name, value in self.secrets.items()
            for part in (value, *(each for each in value.split(".") if len(each) > 30))
            if part in text or (len(part) > 30 and part[: len(part) // 2] in text)
        }
