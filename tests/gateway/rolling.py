"""A gate whose rollout a test moves: a Supabase project behind it, a recording upstream before it.

The file is the operator's `authgate.toml`; everything else is what `authgate serve` runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from authgate.app import now
from authgate.protocol.digests import digest
from authgate.protocol.records import ApiKey, AuditEvent, UsageRow
from tests.endpoints.conftest import OpenGate
from tests.endpoints.project import Project, opened_project
from tests.standins.upstream import RawUpstream, Script, plain

CALL = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "add"}}
MADE, EXISTING = "agk_" + "m" * 43, "the upstream's own key of before, 8Xq2".replace(" ", "-")


class Rolling:
    """`project` has the people, `upstream` has seen what went on."""

    def __init__(self, project: Project, upstream: RawUpstream, file: Path) -> None:
        self.project = project
        self.gate = project.gate
        self.upstream = upstream
        self.file = file
        self.base = httpx2.ASGITransport(app=self.gate.app, client=("192.0.2.7", 50000))

    def put(self, mode: str, rest: str = "") -> None:
        """The operator changes the file; the watch has seen it."""
        self.file.write_text(f'rollout = "{mode}"\n{rest}')
        self.gate.app.live.look_again()
        self.gate.app.live.look()
        assert self.gate.app.live.mode.value == mode

    async def call(
        self, headers: Any = None, method: str = "POST", query: str = "", **more: Any
    ) -> httpx2.Response:
        """One request; `seen` is what of it went on."""
        if method == "POST" and "content" not in more:
            more.setdefault("json", CALL)
        async with self.gate.http() as http:
            return await http.request(method, "/mcp" + query, headers=headers, **more)

    @property
    def seen(self) -> Any:
        """The one request that went on since the last look; None if none did."""
        seen, self.upstream.seen = self.upstream.seen, []
        assert len(seen) < 2
        return seen[0] if seen else None

    async def key(self, value: str = MADE, name: str = "reports", **more: Any) -> ApiKey:
        """An API key in the store."""
        key = ApiKey(
            **{
                "key_digest": digest(value),
                "key_id": f"key_{name}",
                "name": name,
                "sub": f"robot:{name}",
                "scopes": ("mcp:use",),
                "created_at": now(),
                **more,
            }
        )
        await self.gate.core.store.add_api_key(key, AuditEvent(now(), "api_key.add", "done"))
        return key

    def supabase_token(self, **claims: Any) -> str:
        return self.project.standin.access_token(self.project.ana, **claims)

    async def counted(self) -> list[UsageRow]:
        """All counts so far, without their day."""
        await self.usage.flush()
        return list(await self.gate.core.store.usage(0))

    @property
    def usage(self) -> Any:
        return self.gate.app.table["/mcp"]._guard.rollout.usage


@asynccontextmanager
async def rolling(
    open_gate: OpenGate, folder: Path, script: Script = plain, **environment: str
) -> AsyncIterator[Rolling]:
    """Begins in `off`."""
    file = folder / "authgate.toml"
    file.write_text('rollout = "off"\n')
    async with RawUpstream(script) as upstream:
        settings = {
            "AUTHGATE_CONFIG_FILE": str(file),
            "AUTHGATE_UPSTREAM": upstream.url,
            "AUTHGATE_UPSTREAM_IDENTITY": "headers",
            **environment,
        }
        async with opened_project(open_gate, **settings) as project:
            yield Rolling(project, upstream, file)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}
