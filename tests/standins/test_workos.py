"""The WorkOS stand-in as a whole: both ways to run it, its gate, its faults, its webhooks."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import re
import sys
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web

from tests.standins.running import running_workos
from tests.standins.workos import Person, WorkOSStandIn
from tests.standins.workos_browser import Browser
from tests.standins.workos_state import MOST, Bounded
from tests.standins.workos_tokens import s256
from tests.standins.workos_webhooks import signature

CALLBACK = "http://127.0.0.1:9/oauth/callback"


@pytest.fixture
async def workos() -> AsyncIterator[WorkOSStandIn]:
    async with WorkOSStandIn(redirect_uris=[CALLBACK]) as standin:
        standin.people.append(Person("1001", "octo@example.com", first_name="Octo"))
        standin.people.append(Person("2002", "gigi@example.com", "GoogleOAuth", first_name="Gigi"))
        yield standin


@pytest.fixture
async def web_client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


# --- two ways to run ----------------------------------------------------------------------------


def test_it_runs_on_a_thread_beside_a_plain_test() -> None:
    with running_workos(login_uri="http://127.0.0.1:9/login", sticky=True) as workos:
        assert (workos.login_uri, workos.sticky) == ("http://127.0.0.1:9/login", True)
        assert workos.api_url != workos.authkit_url
        port = workos.ports["authkit"]
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as link:
            link.request("GET", "/.well-known/oauth-authorization-server")
            assert json.load(link.getresponse())["issuer"] == workos.authkit_url
        assert [call.origin for call in workos.calls] == ["authkit"]


def test_a_knob_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match=r"dcr_enable$"):
        WorkOSStandIn(dcr_enable=False)


async def test_it_runs_as_a_program() -> None:
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.standins.workos", "--login-uri", "http://127.0.0.1:9/login"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert program.stdout is not None
    try:
        lines = [await asyncio.wait_for(program.stdout.readline(), 20) for _ in range(4)]
    finally:
        program.terminate()
        await program.communicate()
    names = [line.split(b"=")[0].decode() for line in lines]
    assert names == [
        "WORKOS_API_URL",
        "WORKOS_AUTHKIT_DOMAIN",
        "WORKOS_API_KEY",
        "WORKOS_CLIENT_ID",
    ]
    assert re.fullmatch(rb"WORKOS_API_URL=http://127\.0\.0\.1:[0-9]+\n", lines[0])


# --- the gate -----------------------------------------------------------------------------------


async def test_every_answer_has_a_request_id(
    workos: WorkOSStandIn, web_client: aiohttp.ClientSession
) -> None:
    for url, status in (
        (workos.api_url + "/user_management/users", 401),
        (workos.api_url + f"/sso/jwks/{workos.client_id}", 200),
        (workos.api_url + "/nowhere", 401),
        (workos.authkit_url + "/nowhere", 404),
        (workos.authkit_url + "/oauth2/jwks", 200),
        (workos.authkit_url + "/oauth2/authorize", 400),
    ):
        async with web_client.get(url) as answer:
            assert (answer.status, answer.headers["x-request-id"][:4]) == (status, "req_")


async def test_calls_are_remembered_with_their_bodies(
    workos: WorkOSStandIn, web_client: aiohttp.ClientSession
) -> None:
    async with web_client.post(
        workos.authkit_url + "/oauth2/token?q=1", data={"code": "c"}
    ) as answer:
        assert answer.status == 400
    (call,) = workos.called("POST /oauth2/token")
    assert (call.origin, call.method, call.path, call.query) == (
        "authkit",
        "POST",
        "/oauth2/token",
        "q=1",
    )
    assert call.body == "code=c"
    assert call.headers["content-type"] == "application/x-www-form-urlencoded"
    assert workos.called("/oauth2/token") == [call]
    assert workos.called("GET /oauth2/token") == []


async def test_the_error_shapes(workos: WorkOSStandIn, web_client: aiohttp.ClientSession) -> None:
    url = workos.api_url + "/user_management/"
    key = {"Authorization": f"Bearer {workos.api_key}"}
    async with web_client.get(url + "users", headers={"Authorization": "Bearer sk_no"}) as answer:
        assert await answer.json() == {"message": "Unauthorized"}
    async with web_client.get(url + "users/user_x", headers=key) as answer:
        assert (await answer.json())["code"] == "entity_not_found"
    for how in ({"json": {}}, {"data": b"{"}, {"json": {"grant_type": "nonsense"}}):
        async with web_client.post(url + "authenticate", **how) as answer:
            assert (answer.status, (await answer.json())["error"]) == (400, "invalid_request")
    form = {"grant_type": "authorization_code", "code": "x", "client_id": workos.client_id}
    form["client_secret"] = workos.api_key
    async with web_client.post(url + "authenticate", data=form) as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "invalid_grant")


# --- faults -------------------------------------------------------------------------------------


async def test_faults_come_on_demand_and_as_often_as_said(
    workos: WorkOSStandIn, web_client: aiohttp.ClientSession
) -> None:
    url = workos.authkit_url + "/oauth2/jwks"

    async def get() -> tuple[int, str]:
        async with web_client.get(url) as answer:
            return answer.status, await answer.text()

    workos.fail("GET /oauth2/jwks", status=503, times=2)
    workos.fail("POST /oauth2/jwks", status=500)
    workos.fail("/oauth2/token", status=500)
    assert [(await get())[0] for _ in range(3)] == [503, 503, 200]
    workos.fail("/oauth2/*", garbage=True)
    assert (await get())[1] == '{"half": "a docu'
    workos.fail("/oauth2/jwks", body={"keys": []})
    assert await get() == (200, '{"keys": []}')
    workos.fail("/oauth2/jwks", status=502, body="<h1>no</h1>")
    assert await get() == (502, "<h1>no</h1>")
    workos.fail("/oauth2/jwks", delay=0.2)
    began = time.monotonic()
    assert (await get())[0] == 200
    assert time.monotonic() - began > 0.19
    # aiohttp tries an idempotent request that was cut once more by itself.
    workos.fail("/oauth2/jwks", cut=True, times=10)
    with pytest.raises(aiohttp.ClientError):
        await get()
    workos.mend()
    assert (await get())[0] == 200


async def test_an_answer_can_be_lost_after_the_call_was_done(
    workos: WorkOSStandIn, web_client: aiohttp.ClientSession
) -> None:
    workos.fail("POST /user_management/users", after=True, cut=True)
    key = {"Authorization": f"Bearer {workos.api_key}"}
    body = {"email": "ana@example.com"}
    with pytest.raises(aiohttp.ClientError):
        await web_client.post(workos.api_url + "/user_management/users", headers=key, json=body)
    assert workos.user_by_email("ana@example.com") is not None


# --- User Management's pages --------------------------------------------------------------------


def authorize_url(workos: WorkOSStandIn, **changed: str | None) -> str:
    query = {
        "client_id": workos.client_id,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "provider": "GitHubOAuth",
        "state": "s",
        "code_challenge": s256("v" * 43),
        "code_challenge_method": "S256",
        **changed,
    }
    given = {name: value for name, value in query.items() if value is not None}
    return f"{workos.api_url}/user_management/authorize?{urlencode(given)}"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"client_id": "client_other"}, "invalid_client_id"),
        ({"redirect_uri": "https://evil.example.test/"}, "invalid_redirect_uri"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
    ],
)
async def test_nothing_redirects_before_client_and_redirect_are_known(
    workos: WorkOSStandIn, changed: dict[str, str], error: str
) -> None:
    async with Browser() as browser:
        await browser.open(authorize_url(workos, **changed), until="http://nowhere.example.test")
        assert (browser.status, f"<p id=error>{error}</p>" in browser.text) == (400, True)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"provider": None}, "invalid_connection_selector"),
        ({"provider": "NonsenseOAuth"}, "invalid_connection_selector"),
        ({"organization_id": "org_1"}, "ambiguous_connection_selector"),
        ({"provider": None, "connection_id": "conn_1"}, "connection_invalid"),
    ],
)
async def test_what_comes_back_to_the_callback(
    workos: WorkOSStandIn, changed: dict[str, str | None], error: str
) -> None:
    async with Browser() as browser:
        await browser.open(authorize_url(workos, **changed), until=CALLBACK)
        assert (browser.answer["error"], browser.answer["state"]) == (error, "s")
        assert browser.answer["error_description"]


async def test_the_provider_shows_its_own_people_and_a_way_out(workos: WorkOSStandIn) -> None:
    async with Browser() as browser:
        for provider, names in (
            ("GitHubOAuth", ["Octo"]),
            ("GoogleOAuth", ["Gigi"]),
            ("authkit", ["Octo", "Gigi"]),
        ):
            await browser.open(authorize_url(workos, provider=provider), until=CALLBACK)
            assert re.findall(r"<li><a [^>]+>(\w+)</a>", browser.text) == names
        await browser.pick("Cancel")
        assert (browser.answer["error"], browser.answer["state"]) == ("access_denied", "s")
        await browser.open(authorize_url(workos))
        page, text = browser.url, browser.text
        await browser.pick("Octo")
        assert browser.answer["code"].startswith("code_")
        browser.url, browser.text = page, text
        await browser.pick("Octo")  # the back button
        assert (browser.status, "invalid_state" in browser.text) == (400, True)


# --- webhooks -----------------------------------------------------------------------------------


async def test_webhooks_are_delivered_signed(workos: WorkOSStandIn) -> None:
    came: list[tuple[bytes, Any]] = []

    async def receive(request: web.Request) -> web.Response:
        came.append((await request.read(), request.headers))
        return web.Response(status=202, text="thanks")

    app = web.Application()
    app.router.add_post("/webhooks/workos", receive)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/workos"
    user = workos.add_user("ana@example.com")
    try:
        sent = await workos.send_webhook(url, "user.deleted", user.body(), event_id="event_1")
        await workos.send_webhook(url, "user.deleted", user.body(), bad_signature=True)
        await workos.send_webhook(url, "user.deleted", user.body(), at=1_000.5)
    finally:
        await runner.cleanup()
    assert sent == (202, "thanks")
    body, headers = came[0]
    event = json.loads(body)
    assert (event["id"], event["event"], event["data"]["id"]) == (
        "event_1",
        "user.deleted",
        user.id,
    )
    header = headers["WorkOS-Signature"]
    at = int(re.fullmatch(r"t=(\d{13}), v1=[0-9a-f]{64}", header)[1])  # type: ignore[index]
    assert header == signature(workos.webhook_secret, body, at / 1000)
    body, headers = came[1]
    at = int(headers["WorkOS-Signature"].split(",")[0][2:])
    assert headers["WorkOS-Signature"] != signature(workos.webhook_secret, body, at / 1000)
    assert came[2][1]["WorkOS-Signature"].startswith("t=1000500, v1=")


def test_what_is_remembered_is_bounded() -> None:
    kept: Bounded[int] = Bounded()
    for number in range(MOST + 10):
        kept[str(number)] = number
    assert (len(kept), next(iter(kept))) == (MOST, "10")
