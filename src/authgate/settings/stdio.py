"""The settings of a stdio program to stand before."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field, PositiveInt
from pydantic_settings import BaseSettings

from authgate.settings.values import Words

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_OURS = ("AUTHGATE_", "SUPABASE_", "WORKOS_")


def _command(value: str) -> str:
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ValueError(f"write it as in a shell: {str(error).lower()}") from None
    if not words or not words[0]:
        raise ValueError("write a program and its arguments: npx -y some-mcp-server")
    return value


def _variables(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError("write names of variables, separated by spaces: API_TOKEN HTTPS_PROXY")
        if name.startswith(_OURS):
            raise ValueError(f"leave out {name}: what is authgate's own is no program's to know")
    return names


class StdioSettings(BaseSettings):
    """The program behind the guard, and what it may take."""

    upstream_command: Annotated[str, AfterValidator(_command)] | None = Field(
        None,
        validation_alias="AUTHGATE_UPSTREAM_COMMAND",
        description="Command of your stdio MCP server, which then answers at /mcp, one program a "
        "session; no shell reads it.",
    )
    upstream_env: Annotated[Words, AfterValidator(_variables)] = Field(
        (),
        validation_alias="AUTHGATE_UPSTREAM_ENV",
        description="Variables of the environment that its programs get besides PATH, HOME, LANG "
        "and the like, separated by spaces.",
    )
    upstream_processes: PositiveInt = Field(
        32,
        validation_alias="AUTHGATE_UPSTREAM_PROCESSES",
        description="Its programs that may run at once.",
        le=10_000,
    )
    upstream_processes_person: PositiveInt = Field(
        4,
        validation_alias="AUTHGATE_UPSTREAM_PROCESSES_PERSON",
        description="The same for one person.",
        le=10_000,
    )
    upstream_idle: PositiveInt = Field(
        1800,
        validation_alias="AUTHGATE_UPSTREAM_IDLE",
        description="Seconds after which a program is ended that nobody waits for.",
        le=604_800,
    )
    upstream_memory: PositiveInt = Field(
        512,
        validation_alias="AUTHGATE_UPSTREAM_MEMORY",
        description="MiB that a program may use with all that it starts (where there is a /proc).",
        le=1 << 20,
    )

    @property
    def upstream_words(self) -> tuple[str, ...]:
        """The command, as the system takes it."""
        return tuple(shlex.split(self.upstream_command or ""))


def problems(settings: StdioSettings, *, upstream: str | None, identity: str) -> Iterator[str]:
    """What cannot be together; `identity` is what the upstream is told of callers."""
    if settings.upstream_command is None:
        return
    if upstream is not None:
        yield (
            "AUTHGATE_UPSTREAM_COMMAND: AUTHGATE_UPSTREAM is set too, and there is one server "
            "behind the gate; unset one of them."
        )
    if identity == "jwt":
        yield (
            "AUTHGATE_UPSTREAM_IDENTITY: a program over stdio gets no headers, and a token would "
            "expire while it runs; write headers, which sets AUTHGATE_SUBJECT and AUTHGATE_CLIENT "
            "in its environment, or none."
        )
