"""What the official suite asks of a server: `PORT=… python -m tests.standins.suite_upstream`.

Names and behaviour of its tools, resources and prompts are the suite's (each scenario's description
says them). It is on the official SDK, whose eras and sessions are what the suite is to see.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import (
    AudioContent,
    Completion,
    ElicitRequest,
    ElicitRequestFormParams,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    InputRequiredResult,
    SamplingMessage,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from pydantic import BaseModel, Field

Ctx = Context[Any, Any]
DESCRIPTION = "What the official suite asks for under this name."
PNG = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
        "1f15c4890000000a49444154789c6300010000050001"
        "0d0a2db40000000049454e44ae426082"
    )
).decode()
WAV = base64.b64encode(
    b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0@\x1f\0\0\x80>\0\0\2\0\x10\0data\0\0\0\0"
)


class Answered(BaseModel):
    """What a person is asked for."""

    response: str = Field(description="The answer")


class Defaults(BaseModel):
    """A form that is filled already (SEP-1034)."""

    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: str = Field("active", json_schema_extra={"enum": ["active", "inactive", "pending"]})
    verified: bool = True


class Choices(BaseModel):
    """Every way to offer a choice (SEP-1330)."""

    untitledSingle: str = Field(json_schema_extra={"enum": ["option1", "option2", "option3"]})
    titledSingle: str = Field(
        json_schema_extra={
            "oneOf": [{"const": f"value{n}", "title": f"Option {n}"} for n in (1, 2, 3)]
        }
    )
    legacyEnum: str = Field(
        json_schema_extra={
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        }
    )
    untitledMulti: list[str] = Field(
        json_schema_extra={"items": {"type": "string", "enum": ["option1", "option2", "option3"]}}
    )
    titledMulti: list[str] = Field(
        json_schema_extra={
            "items": {"anyOf": [{"const": f"v{n}", "title": f"Choice {n}"} for n in (1, 2, 3)]}
        }
    )


def embedded(uri: str, text: str, mime: str = "text/plain") -> EmbeddedResource:
    return EmbeddedResource(
        type="resource", resource=TextResourceContents(uri=uri, mime_type=mime, text=text)
    )


def asked(message: str, name: str, kind: str = "string") -> ElicitRequest:
    """A question to the person, for one field."""
    schema = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def contents(made: MCPServer[Any]) -> None:
    """Tools that answer at once, with every kind of content."""

    @made.tool(description=DESCRIPTION)
    def test_simple_text() -> str:
        return "This is a simple text response for testing."

    @made.tool(description=DESCRIPTION)
    def test_image_content() -> list[ImageContent]:
        return [ImageContent(type="image", data=PNG, mime_type="image/png")]

    @made.tool(description=DESCRIPTION)
    def test_audio_content() -> list[AudioContent]:
        return [AudioContent(type="audio", data=WAV, mime_type="audio/wav")]

    @made.tool(description=DESCRIPTION)
    def test_embedded_resource() -> list[EmbeddedResource]:
        return [embedded("test://embedded-resource", "This is an embedded resource content.")]

    @made.tool(description=DESCRIPTION)
    def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
        return [
            TextContent(type="text", text="Multiple content types test:"),
            ImageContent(type="image", data=PNG, mime_type="image/png"),
            embedded("test://mixed-content-resource", '{"test":"data"}', "application/json"),
        ]

    @made.tool(description=DESCRIPTION)
    def test_error_handling() -> str:
        raise RuntimeError("This tool intentionally returns an error for testing")

    @made.tool(description=DESCRIPTION)
    def with_a_header(
        region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})],
    ) -> str:
        """A parameter that clients repeat in `Mcp-Param-Region`, and the server compares."""
        return region


def conversations(made: MCPServer[Any]) -> None:
    """Tools that say something on the way, or break their stream off."""

    @made.tool(description=DESCRIPTION)
    async def test_tool_with_logging(ctx: Ctx) -> str:
        for line in ("started", "processing data", "completed"):
            await ctx.session.send_log_message("info", f"Tool {line}")
            await asyncio.sleep(0.02)
        return "done"

    @made.tool(description=DESCRIPTION)
    async def test_tool_with_progress(ctx: Ctx) -> str:
        for done in (0, 50, 100):
            await ctx.report_progress(done, 100, f"{done} of 100")
            await asyncio.sleep(0.02)
        return "done"

    @made.tool(description=DESCRIPTION)
    async def test_reconnection(ctx: Ctx) -> str:
        await ctx.close_sse_stream()
        await asyncio.sleep(0.1)
        return "done"


def questions(made: MCPServer[Any]) -> None:
    """Tools that ask the client, its model or its person (2025-11-25 and before)."""

    @made.tool(description=DESCRIPTION)
    async def test_sampling(prompt: str, ctx: Ctx) -> str:
        message = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
        answer: Any = await ctx.session.create_message([message], max_tokens=100)
        return f"LLM response: {answer.content.text}"

    async def elicited(ctx: Ctx, message: str, form: type[BaseModel]) -> str:
        answer: Any = await ctx.elicit(message, form)
        content = answer.data.model_dump_json() if answer.action == "accept" else "{}"
        return f"action={answer.action}, content={content}"

    @made.tool(description=DESCRIPTION)
    async def test_elicitation(message: str, ctx: Ctx) -> str:
        return await elicited(ctx, message, Answered)

    @made.tool(description=DESCRIPTION)
    async def test_elicitation_sep1034_defaults(ctx: Ctx) -> str:
        return await elicited(ctx, "Please review", Defaults)

    @made.tool(description=DESCRIPTION)
    async def test_elicitation_sep1330_enums(ctx: Ctx) -> str:
        return await elicited(ctx, "Please choose", Choices)


def rounds(made: MCPServer[Any]) -> None:
    """Tools that need more than one round (2026-07-28)."""

    @made.tool(description=DESCRIPTION)
    async def test_input_required_result_elicitation(ctx: Ctx) -> str | InputRequiredResult:
        if not ctx.input_responses:
            return InputRequiredResult(
                input_requests={"user_name": asked("What is your name?", "name")}
            )
        return "Hello!"

    @made.tool(description=DESCRIPTION)
    async def test_input_required_result_request_state(ctx: Ctx) -> str | InputRequiredResult:
        if not ctx.input_responses:
            return InputRequiredResult(
                input_requests={"confirm": asked("Please confirm", "ok", "boolean")},
                request_state="one",
            )
        return f"state-ok: {ctx.request_state}"

    @made.tool(description=DESCRIPTION)
    async def test_input_required_result_tampered_state(ctx: Ctx) -> str | InputRequiredResult:
        if not ctx.input_responses:
            return InputRequiredResult(
                input_requests={"confirm": asked("Please confirm", "ok", "boolean")},
                request_state="sealed by the SDK",
            )
        return "done"

    @made.tool(description=DESCRIPTION)
    async def test_input_required_result_multi_round(ctx: Ctx) -> str | InputRequiredResult:
        match ctx.request_state:
            case None:
                step = asked("Step 1: What is your name?", "name")
                return InputRequiredResult(input_requests={"step1": step}, request_state="1")
            case "1":
                step = asked("Step 2: What is your favorite color?", "color")
                return InputRequiredResult(input_requests={"step2": step}, request_state="2")
        return "done"


def documents(made: MCPServer[Any]) -> None:
    """Resources, prompts, completion."""

    @made.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        return "This is the content of the static text resource."

    @made.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        return base64.b64decode(PNG)

    @made.resource("test://template/{id}/data", mime_type="application/json")
    def templated(id: str) -> str:
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})

    @made.resource("test://watched-resource", mime_type="text/plain")
    def watched() -> str:
        return "Watched resource content"

    @made.prompt(description=DESCRIPTION)
    def test_simple_prompt() -> list[UserMessage]:
        return [UserMessage("This is a simple prompt for testing.")]

    @made.prompt(description=DESCRIPTION)
    def test_prompt_with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
        return [UserMessage(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'")]

    @made.prompt(description=DESCRIPTION)
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:
        content = embedded(resourceUri, "Embedded resource content for testing.")
        return [UserMessage(content), UserMessage("Please process the embedded resource above.")]

    @made.prompt(description=DESCRIPTION)
    def test_prompt_with_image() -> list[UserMessage]:
        picture = ImageContent(type="image", data=PNG, mime_type="image/png")
        return [UserMessage(picture), UserMessage("Please analyze the image above.")]

    @made.completion()
    async def complete(_ref: Any, _argument: Any, _context: Any) -> Completion:
        return Completion(values=["paris", "park"], total=2, has_more=False)


def subscriptions(made: MCPServer[Any]) -> None:
    """What the SDK has no decorator for (2025-11-25 and before)."""

    async def taken(_context: Any, _params: Any) -> EmptyResult:
        return EmptyResult()

    server = made._lowlevel_server
    server.add_request_handler("logging/setLevel", SetLevelRequestParams, taken)
    server.add_request_handler("resources/subscribe", SubscribeRequestParams, taken)
    server.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, taken)


def application() -> Any:
    """All of it as an ASGI application, its streams resumable."""
    from tests.standins.mcp_upstream import Events

    made: MCPServer[Any] = MCPServer("suite", log_level="CRITICAL")
    for part in (contents, conversations, questions, rounds, documents, subscriptions):
        part(made)
    return made.streamable_http_app(event_store=Events(), retry_interval=100)


if __name__ == "__main__":
    import uvicorn

    # h11, because the other one gives headers with the blanks behind them, which the suite minds.
    uvicorn.run(
        application(),
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        log_level="critical",
        http="h11",
    )
