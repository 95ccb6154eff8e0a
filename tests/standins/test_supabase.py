"""The stand-in against the notes on the real server: shapes, codes, limits, times."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from tests.standins.supabase import SupabaseStandin
from tests.standins.supabase_state import Options, ProviderPerson, totp

PASSWORD = "a long enough password"
NEW = {"X-Supabase-Api-Version": "2024-01-01"}
VERIFIER = "v" * 43
S256 = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


class Caller:
    """Speaks to the stand-in as the world does."""

    def __init__(self, standin: SupabaseStandin, http: aiohttp.ClientSession) -> None:
        self.standin = standin
        self.http = http

    async def __call__(
        self, method: str, path: str, key: str | None = None, json: Any = None, **headers: str
    ) -> tuple[int, Any, Any]:
        key = self.standin.gate.publishable if key is None else key
        sent = ({"apikey": key} if key else {}) | NEW
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        url = path if path.startswith("http") else self.standin.auth_url + path
        async with self.http.request(
            method, url, json=json, headers=sent, allow_redirects=False
        ) as answer:
            text = await answer.text()
            return answer.status, _json(text), answer.headers

    async def password(self, email: str, password: str = PASSWORD) -> tuple[int, Any, Any]:
        body = {"email": email, "password": password}
        return await self("POST", "/token?grant_type=password", json=body)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@pytest.fixture
async def call() -> AsyncIterator[Caller]:
    options = Options(known_takes=0, unknown_takes=0, allow_list=("https://app.example/cb**",))
    async with SupabaseStandin(options) as standin, aiohttp.ClientSession() as http:
        standin.state.add_user("ana@example.com", PASSWORD)
        yield Caller(standin, http)


async def test_errors_have_the_captured_shapes(call: Caller) -> None:
    status, body, headers = await call.password("ana@example.com", "wrong")
    assert (status, set(body)) == (400, {"code", "message"})
    assert body["code"] == headers["x-sb-error-code"] == "invalid_credentials"
    old = {"X_Supabase_Api_Version": "2020-01-01"}
    _, body, _ = await call("POST", "/token?grant_type=x", json={}, **old)
    assert (body["code"], body["error_code"], "msg" in body) == (400, "invalid_credentials", True)


async def test_each_kind_of_person_gets_the_code_of_the_notes(call: Caller) -> None:
    state = call.standin.state
    state.add_user("new@example.com", PASSWORD, confirmed=False)
    state.add_user("banned@example.com", PASSWORD, banned_until=time.time() + 60)
    state.add_user("sso@example.com", None, sso=True)
    for email, password, code in (
        ("nobody@example.com", PASSWORD, "invalid_credentials"),
        ("sso@example.com", PASSWORD, "invalid_credentials"),
        ("new@example.com", PASSWORD, "email_not_confirmed"),
        ("new@example.com", "wrong", "invalid_credentials"),
        ("banned@example.com", PASSWORD, "user_banned"),
        ("banned@example.com", "wrong", "user_banned"),
        ("", PASSWORD, "validation_failed"),
    ):
        status, body, _ = await call.password(email, password)
        assert (status, body["code"]) == (400, code), email
    status, body, _ = await call.password("ANA@example.com")
    assert status == 200
    assert set(body) >= {"access_token", "expires_in", "refresh_token", "user"}
    assert re.fullmatch(r"[a-z0-9]{12}", body["refresh_token"])
    assert body["user"]["identities"][0]["identity_data"]["email_verified"] is True


async def test_a_form_is_no_json(call: Caller) -> None:
    headers = {"apikey": call.standin.gate.publishable} | NEW
    url = call.standin.auth_url + "/token?grant_type=password"
    async with call.http.post(url, data={"email": "a"}, headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, "bad_json")


async def test_the_gateway_stands_in_front_with_a_shape_of_its_own(call: Caller) -> None:
    gate = call.standin.gate
    for key in ("", "sb_publishable_wrong", "x"):
        status, body, headers = await call("GET", "/settings", key)
        assert (status, "message" in body, "code" in body) == (401, True, False)
        assert "x-sb-error-code" not in headers
    assert (await call("GET", "/.well-known/jwks.json", ""))[0] == 200
    assert (await call("GET", "/settings", gate.anon, Authorization=f"Bearer {gate.anon}"))[
        0
    ] == 200
    browser = {"User_Agent": "Mozilla/5.0 Chrome/140"}
    assert (await call("GET", "/settings", gate.secret, **browser))[0] == 401
    odd = {"Authorization": f"Bearer {gate.publishable}"}
    assert (await call("GET", "/settings", gate.secret, **odd))[0] == 401


async def test_the_thirty_first_sign_in_at_once_is_too_many(call: Caller) -> None:
    codes = [(await call.password("ana@example.com"))[0] for _ in range(31)]
    assert codes == [200] * 30 + [429]
    status, body, headers = await call.password("ana@example.com")
    assert (status, body["code"]) == (429, "over_request_rate_limit")
    assert "Retry-After" not in headers
    call.standin.state.shift += 4  # one every two seconds
    codes = [(await call.password("ana@example.com"))[0] for _ in range(3)]
    assert codes == [200, 200, 429]


async def test_a_forwarded_address_counts_with_a_new_secret_key_only(call: Caller) -> None:
    body = {"email": "nobody@example.com", "password": "x"}
    path, gate = "/token?grant_type=password", call.standin.gate
    for n in range(40):
        address = {"Sb_Forwarded_For": f"192.0.2.{n}"}
        assert (await call("POST", path, gate.secret, body, **address))[0] == 400
    for key, last in ((gate.publishable, 429), (gate.service_role, 429)):
        for n in range(31):
            status, *_ = await call("POST", path, key, body, Sb_Forwarded_For=f"192.0.2.{n}")
        assert status == last


async def test_known_addresses_take_longer(call: Caller) -> None:
    options = call.standin.options
    assert (Options().known_takes, Options().unknown_takes) == (0.084, 0.006)
    options.known_takes, options.unknown_takes = 0.05, 0.0
    took = []
    for email in ("ana@example.com", "nobody@example.com"):
        began = time.monotonic()
        await call.password(email, "wrong")
        took.append(time.monotonic() - began)
    assert took[0] > 0.05 > took[1]


async def test_captcha_is_asked_of_everybody_but_the_secret_key(call: Caller) -> None:
    call.standin.options.captcha = True
    body = {"email": "ana@example.com", "password": PASSWORD}
    assert (await call.password("ana@example.com"))[1]["code"] == "captcha_failed"
    path = "/token?grant_type=password"
    meta = {"gotrue_meta_security": {"captcha_token": "t"}}
    assert (await call("POST", path, json=body | meta))[0] == 200
    assert (await call("POST", path, call.standin.gate.secret, body))[0] == 200


async def test_user_is_live_and_logout_has_scopes(call: Caller) -> None:
    tokens = [(await call.password("ana@example.com"))[1]["access_token"] for _ in range(4)]
    bearers = [{"Authorization": f"Bearer {token}"} for token in tokens]
    assert (await call("POST", "/logout?scope=local", **bearers[0]))[0] == 204
    alive = [(await call("GET", "/user", **bearer))[0] for bearer in bearers]
    assert alive == [403, 200, 200, 200]
    assert (await call("GET", "/user", **bearers[0]))[1]["code"] == "session_not_found"
    assert (await call("POST", "/logout", **bearers[1]))[0] == 204  # global is the default
    assert [(await call("GET", "/user", **bearer))[0] for bearer in bearers] == [403] * 4
    gate = call.standin.gate
    old = {"Authorization": f"Bearer {gate.anon}"}
    assert (await call("GET", "/user", gate.anon, **old))[1]["code"] == "bad_jwt"
    assert (await call("GET", "/user", gate.anon))[1]["code"] == "no_authorization"


REFRESH = "/token?grant_type=refresh_token"


async def refreshed(call: Caller, token: str) -> Any:
    return (await call("POST", REFRESH, json={"refresh_token": token}))[1]


async def test_refresh_tokens_rotate(call: Caller) -> None:
    begun = (await call.password("ana@example.com"))[1]
    first = begun["refresh_token"]
    second = (await refreshed(call, first))["refresh_token"]
    again = (await refreshed(call, first))["refresh_token"]
    assert again == second  # the parent of the active one
    third = (await refreshed(call, second))["refresh_token"]
    for token, code in (
        (first, "refresh_token_already_used"),
        (third, "refresh_token_already_used"),  # the newest too: all are void by now
        ("unknown", "refresh_token_not_found"),
        ("", "validation_failed"),
    ):
        assert (await refreshed(call, token))["code"] == code
    bearer = {"Authorization": f"Bearer {begun['access_token']}"}
    assert (await call("GET", "/user", **bearer))[0] == 200


async def test_a_used_token_may_be_used_again_within_the_interval(call: Caller) -> None:
    call.standin.options.reuse_interval = 10
    token = (await call.password("ana@example.com"))[1]["refresh_token"]
    for _ in range(3):
        newest = (await refreshed(call, token))["refresh_token"]
        await refreshed(call, newest)
    call.standin.state.shift += 11
    assert (await refreshed(call, token))["code"] == "refresh_token_already_used"


async def test_every_end_of_a_session_has_its_code(call: Caller) -> None:
    state, gate = call.standin.state, call.standin.gate
    ana = state.user_by_email("ana@example.com")
    assert ana is not None
    admin = f"/admin/users/{ana.id}"

    async def ends(how: Any) -> tuple[str, str]:
        begun = (await call.password("ana@example.com", ana.password or ""))[1]
        bearer = {"Authorization": f"Bearer {begun['access_token']}"}
        await how(bearer)
        live = (await call("GET", "/user", **bearer))[1]
        return (await refreshed(call, begun["refresh_token"])).get("code"), live.get("code")

    async def other_password(_: Any) -> None:
        other = (await call.password("ana@example.com"))[1]["access_token"]
        bearer = {"Authorization": f"Bearer {other}"}
        await call("PUT", "/user", json={"password": "another long one"}, **bearer)
        assert (await call("GET", "/user", **bearer))[0] == 200  # the one it was changed with

    async def out(bearer: Any) -> None:
        await call("POST", "/logout?scope=global", **bearer)

    async def change(_: Any, **body: object) -> None:
        await call("PUT", admin, gate.secret, body)

    async def remove(_: Any, **body: object) -> None:
        await call("DELETE", admin, gate.secret, body)

    async def time_passes(_: Any) -> None:
        call.standin.options.sessions_last = 600
        state.shift += 601

    async def newer(_: Any) -> None:
        call.standin.options.sessions_last = None
        call.standin.options.single_session = True
        await call.password("ana@example.com", ana.password or "")

    gone = ("refresh_token_not_found", "session_not_found")
    assert await ends(out) == gone
    assert await ends(other_password) == gone
    assert await ends(lambda b: change(b, password="a third long one")) == gone
    assert await ends(time_passes) == ("session_expired", None)
    assert await ends(newer) == ("session_expired", None)
    assert await ends(lambda b: change(b, ban_duration="24h")) == ("user_banned",) * 2
    ana.banned_until = None
    assert await ends(remove) == ("refresh_token_not_found", "user_not_found")


async def test_the_admin_api_makes_bans_and_removes(call: Caller) -> None:
    gate = call.standin.gate
    body = {"email": "Bo@example.com", "password": PASSWORD, "email_confirm": True}
    assert (await call("POST", "/admin/users", json=body))[1]["code"] == "not_admin"
    status, made, _ = await call("POST", "/admin/users", gate.secret, body)
    assert (status, made["email"]) == (200, "bo@example.com")
    assert (await call("POST", "/admin/users", gate.secret, body))[1]["code"] == "email_exists"
    path = f"/admin/users/{made['id']}"
    assert (await call("PUT", path, gate.secret, {"ban_duration": "24h"}))[1]["banned_until"]
    assert (await call.password("bo@example.com"))[1]["code"] == "user_banned"
    await call("PUT", path, gate.secret, {"ban_duration": "none"})
    assert (await call.password("bo@example.com"))[0] == 200
    listed = (await call("GET", "/admin/users?filter=bo@", gate.secret))[1]["users"]
    assert [user["identities"] for user in listed] == [None]
    await call("DELETE", path, gate.secret)
    assert (await call("GET", path, gate.secret))[:2][0] == 404
    assert (await call("GET", path, gate.secret))[1]["code"] == "user_not_found"
    assert (await call("GET", "/admin/users/x", gate.secret))[1]["code"] == "validation_failed"


async def test_a_factor_is_enrolled_challenged_and_bound_to_an_address(call: Caller) -> None:
    token = (await call.password("ana@example.com"))[1]["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    _, factor, _ = await call("POST", "/factors", json={"factor_type": "totp"}, **bearer)
    secret, path = factor["totp"]["secret"], f"/factors/{factor['id']}"
    key = call.standin.gate.secret
    here = bearer | {"Sb_Forwarded_For": "192.0.2.1"}
    there = bearer | {"Sb_Forwarded_For": "192.0.2.2"}
    _, challenge, _ = await call("POST", path + "/challenge", key, {}, **here)
    answer = {"challenge_id": challenge["id"], "code": totp(secret, time.time())}
    wrong = answer | {"code": "000000"}
    for body, headers, code in (
        (answer, there, "mfa_ip_address_mismatch"),
        (wrong, here, "mfa_verification_failed"),
    ):
        status, said, _ = await call("POST", path + "/verify", key, body, **headers)
        assert (status, said["code"]) == (422, code)
    status, session, _ = await call("POST", path + "/verify", key, answer, **here)
    assert status == 200
    assert session["user"]["factors"][0]["status"] == "verified"
    claims = call.standin.signer.read(session["access_token"], time.time())
    assert claims is not None
    assert (claims["aal"], claims["amr"][0]["method"]) == ("aal2", "totp")
    _, challenge, _ = await call("POST", path + "/challenge", key, {}, **here)
    call.standin.state.shift += 301
    late = {"challenge_id": challenge["id"], "code": "000000"}
    said = (await call("POST", path + "/verify", key, late, **here))[1]
    assert said["code"] == "mfa_challenge_expired"


def test_authenticator_codes_are_those_of_the_rfc() -> None:
    """RFC 6238 appendix B, the last six digits."""
    secret = base64.b32encode(b"12345678901234567890").decode()
    for at, code in ((59, "287082"), (1111111109, "081804"), (20000000000, "353130")):
        assert totp(secret, at) == code


async def social(call: Caller, redirect_to: str, pick: str = "octo", **extra: str) -> str:
    """Walk from /authorize to where the browser ends up."""
    query = {"provider": "github", "redirect_to": redirect_to, "code_challenge": S256}
    url = call.standin.auth_url + "/authorize"
    query |= {"code_challenge_method": "s256", **extra}
    async with call.http.get(url, params=query) as page:
        html = await page.text()
    links = re.findall(r'href="([^"]+)">(\w+)', html)
    link = next(url for url, name in links if name == pick).replace("&amp;", "&")
    status, _, headers = await call("GET", call.standin.url + link, "")
    assert status == 302
    location: str = headers["Location"]
    return location


async def test_a_social_sign_in_goes_by_a_page_and_a_code(call: Caller) -> None:
    people = call.standin.state.provider_people["github"]
    people.append(ProviderPerson("7", "octo@example.com", name="octo"))
    ended = await social(call, "https://app.example/cb?tx=1")
    assert ended.startswith("https://app.example/cb?tx=1&code=")
    code = parse_qs(urlsplit(ended).query)["code"][0]
    path = "/token?grant_type=pkce"
    wrong = {"auth_code": code, "code_verifier": "w" * 43}
    assert (await call("POST", path, json=wrong))[1]["code"] == "bad_code_verifier"
    right = {"auth_code": code, "code_verifier": VERIFIER}
    status, session, _ = await call("POST", path, json=right)
    assert status == 200
    assert session["provider_token"]
    assert session["user"]["identities"][0]["identity_data"]["email_verified"] is True
    assert (await call("POST", path, json=right))[1]["code"] == "flow_state_not_found"
    code = parse_qs(urlsplit(await social(call, "http://127.0.0.1:9/x")).query)["code"][0]
    call.standin.state.shift += 301
    late = {"auth_code": code, "code_verifier": VERIFIER}
    assert (await call("POST", path, json=late))[1]["code"] == "flow_state_expired"


async def test_the_traps_of_the_hand_off(call: Caller) -> None:
    people = call.standin.state.provider_people["github"]
    people.append(ProviderPerson("7", "octo@example.com", name="octo"))
    people.append(ProviderPerson("8", "ana@example.com", False, "thief"))
    ended = await social(call, "https://evil.example/cb")
    assert ended.startswith("http://localhost:3000/?code=")  # silently, with a good code
    ended = await social(call, "https://app.example/cb", state="mine")
    assert "error_code=bad_oauth_state" in ended
    assert ended.startswith("http://localhost:3000/?")
    ended = await social(call, "https://app.example/cb", "Cancel")
    assert "error=access_denied" in urlsplit(ended).query
    assert "error=access_denied" in urlsplit(ended).fragment
    ended = await social(call, "https://app.example/cb", "thief")
    assert "error_code=provider_email_needs_verification" in ended
    for left in [user for user in call.standin.state.users.values() if not user.email]:
        call.standin.state.remove(left)
    call.standin.options.autoconfirm = True
    ended = await social(call, "https://app.example/cb", "thief")
    assert "?code=" in ended  # the takeover that was seen
    status, body, _ = await call("GET", "/authorize?provider=gitlab", "")
    assert (status, body["code"]) == (400, "validation_failed")


async def test_the_allow_list_has_globs(call: Caller) -> None:
    from tests.standins.supabase_social import Social

    social = Social(call.standin.state)
    call.standin.options.allow_list = ("https://*.app.example/a?c", "https://x.example/**")
    for url, allowed in (
        ("https://b.app.example/abc", True),
        ("https://b.c.app.example/abc", False),
        ("https://x.example/y?tx=1", True),
        ("http://localhost:8123/cb", True),
        ("http://127.0.0.1:1/", True),
        ("http://[::1]:1/", True),
        ("javascript:alert(1)", False),
        ("https://y.example/", False),
    ):
        assert social.allowed(url) is allowed, url


@pytest.mark.parametrize("algorithm", ["HS256", "ES256"])
async def test_the_key_set_shows_public_keys_only(algorithm: str) -> None:
    options = Options(algorithm=algorithm)
    async with SupabaseStandin(options) as standin, aiohttp.ClientSession() as http:
        call = Caller(standin, http)
        status, body, headers = await call("GET", "/.well-known/jwks.json", "")
        assert (status, headers["Cache-Control"]) == (200, "public, max-age=600")
        assert len(body["keys"]) == (algorithm == "ES256")
        assert all("d" not in key and key["kty"] == "EC" for key in body["keys"])


async def test_faults_come_on_demand(call: Caller) -> None:
    standin = call.standin
    standin.fault("/settings", status=503, body=b"<h1>no</h1>", times=1)
    assert (await call("GET", "/settings"))[:2] == (503, "<h1>no</h1>")
    assert (await call("GET", "/settings"))[0] == 200
    for how in ({"cut": True}, {"half": True}):
        standin.clear()
        standin.fault("/settings", **how)
        with pytest.raises(aiohttp.ClientError):
            await call("GET", "/settings")
    standin.clear()
    standin.fault("/settings", huge=True)
    assert len((await call("GET", "/settings"))[1]["x"]) == 3_000_000


async def test_it_runs_as_a_program() -> None:
    import sys

    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.standins.supabase", "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert program.stdout is not None
    try:
        line = await asyncio.wait_for(program.stdout.readline(), 10)
    finally:
        program.terminate()
        await program.communicate()
    assert re.fullmatch(rb"SUPABASE_URL=http://127\.0\.0\.1:[0-9]+\n", line)
