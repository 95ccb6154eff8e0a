"""The guide's promise as one story: existing tokens keep working, OAuth comes beside them, nothing
goes down (Migration Notes: backward compatibility, gradual rollout, zero downtime).

An MCP server that checks Supabase tokens and its own keys itself, as it does today; two callers who
never stop calling it with the official client; and an operator who goes from `off` to `required`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import Context, MCPServer

from authgate.web.answers import json_answer
from authgate.web.request import Receive, Scope, Send
from tests.endpoints.project import ANA, PASSWORD, quick
from tests.gateway.live_proxy import ACCEPT, token_of
from tests.gateway.proxying import WITHIN, until
from tests.live import LiveServer, Person
from tests.standins.supabase import SupabaseStandin
from tests.web.serving import serving

CRON_KEY = "the-key-of-the-nightly-job"


def server() -> Any:
    """The operator's MCP server, from before."""
    made: MCPServer[Any] = MCPServer("notes", log_level="CRITICAL")

    @made.tool()
    async def whoami(ctx: Context[Any, Any]) -> str:
        request: Any = ctx.request_context.request
        return str(request.scope["who"])

    return made


def checking(app: Any, standin: SupabaseStandin) -> Callable[..., Any]:
    """Its own check: Supabase tokens, its keys, and now whom authgate says it is."""

    def who(headers: dict[bytes, bytes]) -> str | None:
        scheme, _, token = headers.get(b"authorization", b"").decode().partition(" ")
        claims = standin.signer.read(token, time.time()) if scheme == "Bearer" else None
        if claims is not None:
            return f"supabase {claims['sub']}"
        if headers.get(b"x-api-key") == CRON_KEY.encode():
            return "key cron"
        told = headers.get(b"x-authgate-subject")
        return f"authgate {told.decode()}" if told else None

    async def checked(scope: Scope, receive: Receive, send: Send) -> None:
        found = who(dict(scope["headers"]))
        if found is None:
            challenge = (b"www-authenticate", b'Bearer realm="notes"')
            await json_answer(401, {"error": "no"}, [challenge]).send(send)
            return
        await app({**scope, "who": found}, receive, send)

    return checked


@dataclass
class Caller:
    """Somebody who never stops, in one session; `heard` is what the server took them for."""

    name: str
    heard: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)

    async def call_on(self, url: str, headers: dict[str, str]) -> None:
        """Until cancelled, or until it is refused."""
        try:
            async with (
                httpx2.AsyncClient(headers=headers, timeout=WITHIN, trust_env=False) as http,
                Client(streamable_http_client(url, http_client=http), mode="legacy") as client,
            ):
                while True:
                    result = await client.call_tool("whoami", {})
                    content: Any = result.content[0]
                    self.heard.append(content.text)
                    await asyncio.sleep(0.02)
        except Exception as error:
            self.trouble.append(repr(error))

    async def goes_on(self, calls: int = 10) -> None:
        """Some more calls have been answered, and none was not."""
        goal = len(self.heard) + calls
        await until(lambda: len(self.heard) >= goal or bool(self.trouble))
        assert not self.trouble, (self.name, self.trouble)


class Operator:
    """Has the file, and looks at what a fresh call is told."""

    def __init__(self, gate: LiveServer) -> None:
        self.gate = gate

    def put(self, text: str) -> None:
        new = self.gate.folder / "authgate.new"
        new.write_text(text)
        new.replace(self.gate.folder / "authgate.toml")

    async def mode(self, mode: str, rest: str = "") -> None:
        """Change it, and wait until it is in force."""
        said = f'"mode": "{mode}"'
        before = self.gate.logs().count(said)
        self.put(f'rollout = "{mode}"\n{rest}')
        await until(lambda: self.gate.logs().count(said) > before)

    async def ask(self, **headers: str) -> httpx2.Response:
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        async with httpx2.AsyncClient(timeout=WITHIN, trust_env=False) as http:
            return await http.post(self.gate.mcp_url, json=call, headers=ACCEPT | headers)

    async def report(self) -> dict[str, Any]:
        done = await asyncio.to_thread(self.gate.cli, "rollout", "--json")
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@asynccontextmanager
async def before(standin: SupabaseStandin) -> AsyncIterator[str]:
    """The MCP server as it was, and its address."""
    made = server()
    app = made.streamable_http_app()
    async with made.session_manager.run(), serving(checking(app, standin)) as port:
        yield f"http://127.0.0.1:{port}/mcp"


async def test_nothing_goes_down(tmp_path: Path) -> None:
    async with SupabaseStandin(quick(algorithm="ES256")) as standin, before(standin) as upstream:
        ana = standin.state.add_user(ANA, PASSWORD)
        (tmp_path / "authgate.toml").write_text('rollout = "off"\n')
        env = {
            "AUTHGATE_UPSTREAM": upstream,
            "AUTHGATE_UPSTREAM_IDENTITY": "headers",
            "SUPABASE_URL": standin.url,
            "SUPABASE_PUBLISHABLE_KEY": standin.gate.publishable,
        }
        gate = LiveServer(env=env, people=(), folder=tmp_path)
        try:
            await asyncio.to_thread(gate.start)
            await story(gate, standin.access_token(ana), ana.id)
        finally:
            await asyncio.to_thread(gate.close)


async def story(gate: LiveServer, token: str, sub: str) -> None:
    operator = Operator(gate)
    app, cron = Caller("app"), Caller("cron")
    supabase, key = {"authorization": f"Bearer {token}"}, {"x-api-key": CRON_KEY}
    tasks = [
        asyncio.create_task(app.call_on(gate.mcp_url, supabase)),
        asyncio.create_task(cron.call_on(gate.mcp_url, key)),
    ]

    async def both_go_on() -> None:
        await asyncio.gather(app.goes_on(), cron.goes_on())

    # off: as if nobody stood there, the server's own refusal included
    await both_go_on()
    own = await operator.ask()
    assert own.headers["www-authenticate"] == 'Bearer realm="notes"'
    assert (await operator.report())["calls"] == 0

    # observe: nothing is different, and the operator sees who calls
    await operator.mode("observe")
    await both_go_on()
    assert (await operator.ask()).headers["www-authenticate"] == 'Bearer realm="notes"'
    added = ("api-keys", "add", "cron", "--existing-stdin")
    await asyncio.to_thread(gate.cli, *added, stdin=CRON_KEY)
    await both_go_on()

    # optional: people sign in beside them
    await operator.mode("optional")
    await both_go_on()
    assert "resource_metadata=" in (await operator.ask()).headers["www-authenticate"]
    access = await asyncio.to_thread(token_of, gate, Person(ANA, PASSWORD))
    oauth = Caller("oauth")
    bearer = {"authorization": f"Bearer {access}"}
    tasks.append(asyncio.create_task(oauth.call_on(gate.mcp_url, bearer)))
    await asyncio.gather(both_go_on(), oauth.goes_on())
    await operator.mode("optional", "[legacy]\nsupabase_tokens_until = 2099-01-01\n")
    await asyncio.gather(both_go_on(), oauth.goes_on())
    assert (await operator.ask(**supabase)).headers["sunset"] == "Fri, 02 Jan 2099 00:00:00 GMT"
    await until_counted(operator, {"supabase": "", "existing_key": "cron"})

    # the cut-off date has come for one of them, and only for that one
    assert not app.trouble
    await operator.mode("optional", "[legacy]\nsupabase_tokens_until = 2020-01-01\n")
    await until(lambda: bool(app.trouble))
    told = (await operator.ask(**supabase)).json()["error_description"]
    assert told == "Supabase access tokens have not been accepted here since 2020-01-02 00:00 UTC."
    await asyncio.gather(cron.goes_on(), oauth.goes_on())

    # required: one way in
    await operator.mode("required")
    await until(lambda: bool(cron.trouble))
    assert (await operator.ask(**key)).status_code == 401
    await oauth.goes_on()

    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert set(app.heard) == {f"supabase {sub}"}
    assert set(cron.heard) == {"key cron"}
    assert set(oauth.heard) == {f"authgate {sub}"}
    assert "Traceback" not in gate.logs()
    assert access not in gate.logs()
    assert token not in gate.logs()


async def until_counted(operator: Operator, wanted: dict[str, str]) -> None:
    """The report has these kinds with their clients, and says whom it would hit."""
    ends = time.monotonic() + WITHIN
    while True:
        report = await operator.report()
        found = {row["kind"]: row for row in report["usage"]}
        if all(kind in found and found[kind]["client"] == wanted[kind] for kind in wanted):
            break
        assert time.monotonic() < ends, report
    assert (report["mode"], report["mode_from"]) == ("optional", "authgate.toml")
    assert all(found[kind]["required_would_refuse"] == found[kind]["calls"] for kind in wanted)
    assert 0 < report["required_would_refuse"] < report["calls"]
    assert found["ours"]["required_would_refuse"] == 0
