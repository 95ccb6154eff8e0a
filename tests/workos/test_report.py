"""A look at a WorkOS environment: what is set up wrongly is told apart, with its remedy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from authgate.fetch import Call, Fetch
from authgate.observe import log
from authgate.observe.findings import Finding, Report
from authgate.workos import WorkOS, WorkOSPolicy
from authgate.workos.judging import AuthKit, Document, Seen, Wanted
from authgate.workos.judging_authkit import authkit
from authgate.workos.report import report
from tests.standins.workos import WorkOSStandIn

PUBLIC = "https://gate.example"
RESOURCE, LOGIN, CALLBACK = (PUBLIC + path for path in ("/mcp", "/oauth/login", "/oauth/callback"))
NOWHERE = "http://127.0.0.1:1"


@dataclass
class Look:
    """An environment in order, and what the settings of somebody who has it say."""

    standin: WorkOSStandIn
    wanted: Wanted

    async def findings(self, **wanted: Any) -> dict[str, Finding]:
        """By check; AuthKit's own as `domain=` and its like."""
        assert self.wanted.authkit is not None
        ours = {name: wanted.pop(name) for name in list(wanted) if hasattr(AuthKit, name)}
        asked = replace(self.wanted, authkit=replace(self.wanted.authkit, **ours))
        found = (await look(replace(asked, **wanted))).findings
        assert len({one.check for one in found}) == len(found)
        return {one.check: one for one in found}

    async def wrong(self, **wanted: Any) -> dict[str, Finding]:
        found = await self.findings(**wanted)
        return {name: one for name, one in found.items() if one.level in ("problem", "warning")}


async def look(wanted: Wanted, **how: bool) -> Report:
    fetch = Fetch()
    workos = WorkOS(WorkOSPolicy(wanted.api_key, wanted.client_id, wanted.api_url), _no_pause)
    try:
        return await report(workos, fetch, wanted, **how)
    finally:
        await workos.close()
        await fetch.close()


async def _no_pause(seconds: float) -> None:
    """The second try comes at once."""


@asynccontextmanager
async def environment(**knobs: Any) -> AsyncIterator[Look]:
    async with WorkOSStandIn(**knobs) as standin:
        authkit = AuthKit(standin.authkit_url, RESOURCE, LOGIN)
        wanted = Wanted(standin.api_url, standin.api_key, standin.client_id, CALLBACK, authkit)
        yield Look(standin, wanted)


@pytest.fixture
async def order() -> AsyncIterator[Look]:
    knobs = {"resources": [RESOURCE], "default_resource": RESOURCE, "redirect_uris": [CALLBACK]}
    async with environment(**knobs) as found:
        yield found


async def test_an_environment_in_order(order: Look) -> None:
    found = await order.findings()
    assert {name: one.level for name, one in found.items()} == {
        "api_key": "ok",
        "client_id": "ok",
        "redirect_uri": "ok",
        "providers": "note",
        "authkit_domain": "ok",
        "jwks": "ok",
        "dcr": "ok",
        "cimd": "ok",
        "resource": "ok",
        "login_uri": "note",
    }
    assert "a staging environment" in found["api_key"].said
    assert LOGIN in found["login_uri"].fix


async def test_nothing_is_registered_changed_or_signed_in_by_a_look(order: Look) -> None:
    await order.findings()
    state = order.standin.state
    assert not any((state.users, state.sessions, state.applications, state.flows))
    assert order.standin.resources == [RESOURCE]
    assert order.standin.redirect_uris == [CALLBACK]
    posts = [call.path for call in order.standin.calls if call.method != "GET"]
    assert posts == ["/user_management/authenticate"]


async def test_only_what_is_used_is_looked_at(order: Look) -> None:
    bare = replace(order.wanted, client_id=None, redirect_uri=None, authkit=None)
    assert [one.check for one in (await look(bare)).findings] == ["api_key"]
    assert not order.standin.called("/user_management/authenticate")


# --- key and client id ----------------------------------------------------------------------------


async def test_a_refused_key_is_that_and_nothing_else(order: Look) -> None:
    wrong = await order.wrong(api_key="sk_test_of_somebody_else")
    assert list(wrong) == ["api_key"]
    assert wrong["api_key"].level == "problem"
    assert "refuses WORKOS_API_KEY" in wrong["api_key"].said
    assert "API Keys" in wrong["api_key"].where


async def test_a_client_id_that_nobody_knows(order: Look) -> None:
    wrong = await order.wrong(client_id="client_01NOBODY")
    assert list(wrong) == ["client_id"]
    assert "knows no client client_01NOBODY" in wrong["client_id"].said


async def test_a_client_id_of_another_environment(order: Look) -> None:
    """Its keys are published, as those of every environment, but it is not the key's."""
    order.standin.fail("/sso/jwks/*", status=200, body={"keys": []})
    wrong = await order.wrong(client_id="client_01ELSEWHERE")
    assert list(wrong) == ["client_id"]
    assert "not of the environment that WORKOS_API_KEY is of" in wrong["client_id"].said


async def test_a_client_id_that_cannot_be_judged_is_not_called_wrong(order: Look) -> None:
    order.standin.fail("/user_management/authenticate", status=503, times=9)
    found = await order.findings()
    assert found["client_id"].level == "note"


async def test_a_key_that_may_read_nothing(order: Look) -> None:
    order.standin.fail("GET /user_management/*", status=403, times=9)
    found = await order.findings()
    assert "lets it read nothing (HTTP 403)" in found["api_key"].said
    assert found["resource"].level == "note"
    assert RESOURCE in found["resource"].fix


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"status": 500}, "does not answer"),
        ({"cut": True}, "does not answer"),
        ({"garbage": True}, "is not WorkOS's API"),
        ({"status": 404, "body": "<h1>Not here</h1>"}, "is not WorkOS's API"),
        ({"status": 429}, "takes no more calls"),
    ],
)
async def test_trouble_with_the_api_is_told_apart(
    order: Look, fault: dict[str, Any], said: str
) -> None:
    order.standin.fail("/user_management/*", times=99, **fault)
    found = await order.findings()
    assert said in found["api"].said
    assert "api_key" not in found
    assert found["authkit_domain"].level == "ok"


async def test_an_api_that_is_nowhere(order: Look) -> None:
    wrong = await order.wrong(api_url=NOWHERE)
    assert f"does not answer at {NOWHERE}" in wrong["api"].said


# --- the redirect URI -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entered", "said"),
    [
        ([], f"The redirect URI {CALLBACK} is not registered."),
        ([CALLBACK + "/"], f"{CALLBACK}/ is, which differs in a slash at the end."),
        (["https://a.example/cb", "https://b.example/cb"], "registered: https://b.example/cb, h"),
    ],
)
async def test_a_redirect_uri_that_is_missing(order: Look, entered: list[str], said: str) -> None:
    order.standin.redirect_uris = entered
    wrong = await order.wrong()
    assert list(wrong) == ["redirect_uri"]
    assert wrong["redirect_uri"].level == "problem"
    assert said in wrong["redirect_uri"].said
    assert wrong["redirect_uri"].fix == f"Enter {CALLBACK}, exactly so."
    assert "Redirects" in wrong["redirect_uri"].where


async def test_a_pattern_and_the_second_page_of_the_list_count(order: Look) -> None:
    others = [f"https://else.example/{number}" for number in range(150)]
    order.standin.redirect_uris = ["https://*.example/oauth/callback", *others]
    assert not await order.wrong()


async def test_redirect_uris_that_cannot_be_read_are_no_problem(order: Look) -> None:
    """An API without that list: whoever reads the note knows what to enter."""
    order.standin.fail("/user_management/redirect_uris", status=404, times=9)
    found = await order.findings()
    assert found["redirect_uri"].level == "note"
    assert CALLBACK in found["redirect_uri"].fix


async def test_production_wants_https() -> None:
    async with environment(api_key="sk_live_x", resources=["http://localhost:8000/mcp"]) as found:
        found.standin.redirect_uris = ["http://localhost:8000/oauth/callback"]
        wrong = await found.wrong(
            redirect_uri="http://localhost:8000/oauth/callback",
            resource="http://localhost:8000/mcp",
            login_url="http://localhost:8000/oauth/login",
        )
        assert set(wrong) == {"redirect_uri_scheme", "login_uri_scheme"}
        said = (await found.findings())["api_key"].said
        assert "a production environment" in said


# --- AuthKit --------------------------------------------------------------------------------------


async def test_a_domain_where_nobody_is(order: Look) -> None:
    wrong = await order.wrong(domain=NOWHERE)
    assert list(wrong) == ["authkit_domain"]
    assert f"Nothing answers at {NOWHERE}" in wrong["authkit_domain"].said
    assert "Domains" in wrong["authkit_domain"].where


async def test_the_api_is_no_authkit_domain(order: Look) -> None:
    """The common wrong turn."""
    wrong = await order.wrong(domain=order.standin.api_url)
    assert list(wrong) == ["authkit_domain"]
    assert "There is no AuthKit at" in wrong["authkit_domain"].said


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"status": 503}, "is in trouble (HTTP 503)"),
        ({"status": 301, "body": ""}, "only sends on to another address"),
        ({"garbage": True}, "There is no AuthKit at"),
        ({"body": {"issuer": "https://own.example"}}, "calls itself https://own.example"),
        ({"body": {"issuer": None}}, "There is no AuthKit at"),
        ({"body": ["nothing"]}, "There is no AuthKit at"),
        ({"change": {"token_endpoint": "https://else.example/t"}}, "no token_endpoint of its own"),
        ({"change": {"authorization_endpoint": None}}, "no authorization_endpoint of its own"),
        ({"change": {"code_challenge_methods_supported": ["plain"]}}, "no PKCE with S256"),
    ],
)
async def test_a_domain_that_answers_wrongly(order: Look, fault: dict[str, Any], said: str) -> None:
    if "change" in fault:
        fault = {"body": await metadata(order) | fault["change"]}
    order.standin.fail("/.well-known/oauth-authorization-server", **fault)
    wrong = await order.wrong()
    assert list(wrong) == ["authkit_domain"]
    assert said in wrong["authkit_domain"].said


async def metadata(order: Look) -> dict[str, Any]:
    fetch = Fetch()
    url = order.standin.authkit_url + "/.well-known/oauth-authorization-server"
    found = (await fetch.json(Call("GET", url))).body
    await fetch.close()
    assert isinstance(found, dict)
    return found


async def test_a_server_that_watches_the_domain_itself_leaves_it_out(order: Look) -> None:
    found = await look(replace(order.wanted, client_id=None), documents=False)
    checks = [one.check for one in found.findings]
    assert checks == ["api_key", "redirect_uri", "providers", "resource", "login_uri"]
    assert {call.origin for call in order.standin.calls} == {"api"}


async def test_the_issuer_to_set_is_given(order: Look) -> None:
    body = {"issuer": "https://own.example"}
    order.standin.fail("/.well-known/oauth-authorization-server", body=body)
    wrong = await order.wrong()
    assert wrong["authkit_domain"].fix == "Set WORKOS_AUTHKIT_DOMAIN=https://own.example"


@pytest.mark.parametrize(
    "fault", [{"status": 404}, {"body": {"keys": []}}, {"body": {"keys": "many"}}, {"cut": True}]
)
async def test_keys_that_cannot_be_read(order: Look, fault: dict[str, Any]) -> None:
    order.standin.fail("/oauth2/jwks", times=9, **fault)
    wrong = await order.wrong()
    assert list(wrong) == ["jwks"]
    assert "No signing key can be read" in wrong["jwks"].said


@pytest.mark.parametrize(
    ("dcr", "cimd", "levels"),
    [
        (True, False, {"cimd": "warning"}),
        (False, True, {"dcr": "warning"}),
        (False, False, {"dcr": "problem", "cimd": "warning"}),
    ],
)
async def test_the_switches_for_clients_are_told_apart(
    order: Look, dcr: bool, cimd: bool, levels: dict[str, str]
) -> None:
    order.standin.dcr_enabled, order.standin.cimd_enabled = dcr, cimd
    wrong = await order.wrong()
    assert {name: one.level for name, one in wrong.items()} == levels
    assert all("Connect, Configuration" in one.where for one in wrong.values())
    names = {"dcr": "Dynamic Client Registration", "cimd": "Client ID Metadata Document"}
    assert all(names[name] in one.fix for name, one in wrong.items())


@pytest.mark.parametrize(
    ("registered", "said"),
    [
        ([], "every call is refused"),
        ([RESOURCE + "/"], f"{RESOURCE}/ is, which differs in a slash at the end"),
        ([PUBLIC], f"{PUBLIC} is, which differs in the path"),
        (["https://else.example/mcp"], "registered: https://else.example/mcp."),
    ],
)
async def test_a_resource_indicator_that_is_missing(
    order: Look, registered: list[str], said: str
) -> None:
    order.standin.resources = registered
    wrong = await order.wrong()
    assert list(wrong) == ["resource"]
    assert wrong["resource"].level == "problem"
    assert said in wrong["resource"].said
    assert wrong["resource"].fix == f"Enter {RESOURCE}, exactly so."


async def test_without_an_indicator_the_client_id_may_be_the_audience(order: Look) -> None:
    order.standin.resources = []
    wrong = await order.wrong(client_id_audience=True)
    assert {name: one.level for name, one in wrong.items()} == {"resource": "warning"}


@pytest.mark.parametrize(
    ("default", "said"), [(None, "none is the default"), ("https://b.example/", "https://b.exam")]
)
async def test_who_names_no_resource_is_told(order: Look, default: str | None, said: str) -> None:
    order.standin.resources = [RESOURCE, "https://b.example/"]
    order.standin.default_resource = default
    found = await order.findings()
    assert found["default_resource"].level == "note"
    assert said in found["default_resource"].said


@pytest.mark.parametrize(
    ("key", "domain", "told"),
    [
        ("sk_live_x", "https://own-9-staging.authkit.app", True),
        ("sk_test_x", "https://own-9-staging.authkit.app", False),
        ("sk_live_x", "https://own-9.authkit.app", False),
        ("sk_live_x", "https://login.example", False),
    ],
)
def test_two_environments_are_told_by_their_names(key: str, domain: str, told: bool) -> None:
    """Nothing else that can be read ties a key to a domain."""
    ours = AuthKit(domain, RESOURCE, LOGIN)
    silent = Seen((), (), metadata=Document(None, {}))
    found = {one.check: one for one in authkit(silent, Wanted("", key, authkit=ours), ours)}
    assert ("environment" in found) is told
    assert not told or found["environment"].level == "warning"


# --- telling --------------------------------------------------------------------------------------


async def test_no_key_is_in_a_report(order: Look) -> None:
    order.standin.resources = order.standin.redirect_uris = []
    for key in (order.standin.api_key, "sk_test_of_somebody_else"):
        found = await look(replace(order.wanted, api_key=key))
        assert key not in repr(found) + repr(order.wanted)


def test_a_report_is_told_to_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[tuple[str, str, dict[str, object]]] = []
    for name in ("info", "warning"):
        monkeypatch.setattr(
            log, name, lambda event, level=name, **more: lines.append((level, event, more))
        )
    Report.of(
        [
            Finding("a", "ok", "Well."),
            Finding("b", "note", "Not seen.", "Look."),
            Finding("c", "warning", "Some cannot.", "Mend it.", "There"),
            Finding("d", "problem", "Nobody can."),
        ]
    ).tell("workos")
    assert lines == [
        ("info", "workos.note", {"check": "b", "detail": "Not seen.", "fix": "Look."}),
        (
            "warning",
            "workos.warning",
            {"check": "c", "detail": "Some cannot.", "fix": "Mend it. (There)"},
        ),
        ("warning", "workos.problem", {"check": "d", "detail": "Nobody can."}),
    ]
