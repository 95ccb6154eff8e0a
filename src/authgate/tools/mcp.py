"""The tools as an MCP server on the official SDK. Imports it at the top: import this when needed.

On the SDK's low-level server and not on `MCPServer`: that one checks arguments with pydantic and
answers a wrong one with pydantic's text, which repeats the value (a password, say) into the model's
transcript, and it would word errors that have their one table here. The protocol, both eras of it,
is the SDK's either way.

A refusal is a tool result with `isError`, whose text is the JSON of the plain face: {"error":
{"code", "message", "hint"}}. It carries no `structuredContent`, because that must match the tool's
output schema: version 1 of the TypeScript SDK checks it on errors too, and would throw its own
error in place of ours; and a schema that allowed either would make every generated type's
`client_id` optional. Clients of every SDK find the text in `content[0]`.
"""

from __future__ import annotations

import secrets
from typing import Any

import orjson
from mcp.server.lowlevel.server import Server
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp.types import Tool as ListedTool
from pydantic import TypeAdapter

from authgate import __version__
from authgate.observe import about, log
from authgate.protocol.errors import Reason, Refusal
from authgate.store.contract import StoreUnavailable
from authgate.tools.arguments import schema
from authgate.tools.contract import Tool, Toolbox
from authgate.tools.plain import error_of
from authgate.web.request import Request

# Each call makes something new (a client, a challenge, a code, a token) and takes nothing away
# that its caller does not hold; all of it happens on this server.
_EFFECTS = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)


def server(toolbox: Toolbox) -> Server[Any]:
    """The tools' server, ready for `web.mcp_app.LazyMcpApp`."""
    listed = ListToolsResult(tools=[_listed(tool) for tool in toolbox.tools.values()])

    async def list_tools(ctx: Any, params: PaginatedRequestParams | None) -> ListToolsResult:
        return listed

    async def call_tool(ctx: Any, params: CallToolRequestParams) -> CallToolResult:
        scope = ctx.request.scope
        try:
            address = Request(scope).address
            return _result(await toolbox.call(params.name, params.arguments, address))
        except Refusal as refusal:
            log.refused(scope, refusal)
            return _refused(refusal)
        except StoreUnavailable as trouble:
            log.trouble("store.unavailable", scope, trouble)
            return _refused(Refusal(Reason.STORE_UNAVAILABLE, retry_after=5))
        except Exception as trouble:  # the last line, as in web.endpoint
            request_id = about.request_id() or secrets.token_hex(8)
            log.fault("request.failed", scope, trouble, request_id)
            return _refused(Refusal(Reason.INTERNAL), request_id=request_id)

    return Server(
        "authgate",
        title="authgate sign-in",
        version=__version__,
        instructions=toolbox.instructions,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _listed(tool: Tool) -> ListedTool:
    return ListedTool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=schema(tool.takes),
        output_schema=TypeAdapter(tool.gives).json_schema(),
        annotations=_EFFECTS,
    )


def _result(answer: Any) -> CallToolResult:
    """The answer as structured content, and as text for clients that know no other (MCP tools)."""
    return CallToolResult(content=[_text(answer)], structured_content=answer)


def _refused(refusal: Refusal, **more: str) -> CallToolResult:
    error = {**error_of(refusal), **more}
    return CallToolResult(content=[_text({"error": error})], is_error=True)


def _text(answer: object) -> TextContent:
    return TextContent(type="text", text=orjson.dumps(answer).decode())
