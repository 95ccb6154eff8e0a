"""The settings of what authgate stands before, and what cannot be right about them together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveInt

from authgate.protocol.rollout import Mode
from authgate.settings import stdio
from authgate.settings.stdio import StdioSettings

_URL = re.compile(
    r"https?://(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?:/[^\s?#\\\"<>^`{|}]*)?(?:\?[^\s#\\\"<>^`{|}]*)?",
    re.ASCII,
)


def _upstream(value: str) -> str:
    match = _URL.fullmatch(value)
    if not match or not value.isascii() or int(match["port"] or 1) > 65535:
        raise ValueError("write the MCP server's whole address: http://127.0.0.1:9000/mcp")
    return value


class GatewaySettings(StdioSettings):
    """The MCP server behind the guard; the built-in example if none is set."""

    upstream: Annotated[str, AfterValidator(_upstream)] | None = Field(
        None,
        validation_alias="AUTHGATE_UPSTREAM",
        description="Address of your MCP server (http://127.0.0.1:9000/mcp), which then answers at "
        "/mcp; the built-in example if unset.",
    )
    upstream_identity: Literal["none", "headers", "jwt"] = Field(
        "none",
        validation_alias="AUTHGATE_UPSTREAM_IDENTITY",
        description="What it is told of the caller: none, headers, or jwt (a token made for it).",
    )
    upstream_timeout: PositiveInt = Field(
        300,
        validation_alias="AUTHGATE_UPSTREAM_TIMEOUT",
        description="Seconds within which it must begin to answer; what has begun has no limit.",
        le=86_400,
    )
    upstream_body_limit: int = Field(
        4_194_304,
        validation_alias="AUTHGATE_UPSTREAM_BODY_LIMIT",
        description="Largest request body in bytes.",
        ge=1024,
        le=1 << 30,
    )
    upstream_limit: PositiveInt = Field(
        1000,
        validation_alias="AUTHGATE_UPSTREAM_LIMIT",
        description="Calls and streams open at once in one worker; streams get three quarters.",
        le=100_000,
    )
    upstream_limit_person: PositiveInt = Field(
        100,
        validation_alias="AUTHGATE_UPSTREAM_LIMIT_PERSON",
        description="The same for one person.",
        le=100_000,
    )
    config_file: Path = Field(
        Path("authgate.toml"),
        validation_alias="AUTHGATE_CONFIG_FILE",
        description="File of what may change while the server runs; a missing one says nothing.",
    )
    rollout: Mode | None = Field(
        None,
        validation_alias="AUTHGATE_ROLLOUT",
        description="How far OAuth is switched on: off, observe, optional or required; what the "
        "config file says if unset (then it can change live), else required.",
    )
    drain: PositiveInt = Field(
        5,
        validation_alias="AUTHGATE_DRAIN",
        description="Seconds that running calls get to finish when the server is told to stop.",
        le=3600,
    )
    drain_delay: int = Field(
        0,
        validation_alias="AUTHGATE_DRAIN_DELAY",
        description="Seconds before that in which everything is still served while /readyz says "
        "draining; a load balancer needs a few.",
        ge=0,
        le=3600,
    )


def problems(settings: GatewaySettings, *, own: str) -> Iterator[str]:
    """What cannot be; `own` is the URL at which the upstream will answer."""
    if settings.upstream is not None and settings.upstream.partition("?")[0] == own:
        yield (
            "AUTHGATE_UPSTREAM: that is authgate itself; write the address of the server that it "
            "shall stand before."
        )
    nobody = settings.upstream is None and settings.upstream_command is None
    if nobody and settings.upstream_identity != "none":
        yield (
            "AUTHGATE_UPSTREAM_IDENTITY: there is nobody to tell; set AUTHGATE_UPSTREAM, or unset "
            "this."
        )
    yield from stdio.problems(
        settings, upstream=settings.upstream, identity=settings.upstream_identity
    )
