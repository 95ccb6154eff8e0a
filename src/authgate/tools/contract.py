"""What the faces of the tools work with, whoever issues the tokens: four tools and a way to call.

Neighbours: `catalogue` has the tools of an authgate that issues itself, `elsewhere` those of one
before another issuer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from authgate.protocol.errors import Reason, Refusal
from authgate.tools.arguments import Argument, Given, mapping

Run = Callable[[Given, str], Awaitable[Any]]
"""Takes the arguments as they came and the caller's address; raises `Refusal`."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as clients see it."""

    name: str
    title: str
    description: str
    takes: tuple[Argument, ...]
    gives: type


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools by name, the function behind each, and what a model is told of all together."""

    tools: Mapping[str, Tool]
    runs: Mapping[str, Run]
    instructions: str

    async def call(self, name: object, given: object, address: str) -> Mapping[str, object]:
        """Call the tool `name`; raises `Refusal`, for an unknown name too."""
        run = self.runs.get(name) if isinstance(name, str) else None
        if run is None:
            shown = name if isinstance(name, str) else "that (its name is not a string)"
            raise Refusal(Reason.TOOL_UNKNOWN, name=shown, known=", ".join(self.tools))
        answer: Mapping[str, object] = await run(mapping(given), address)
        return answer
