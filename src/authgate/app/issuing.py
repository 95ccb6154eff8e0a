"""What depends on who issues the tokens: `builtin` and `authkit` each make one `Issuing`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from authgate.app.core import Core
from authgate.app.home import Home
from authgate.endpoints.well_known import Place
from authgate.gateway.guard import Guard
from authgate.gateway.rollout import Rollout
from authgate.gateway.tool_scopes import ToolRules
from authgate.security.session import Cookies
from authgate.steps.parts import Parts
from authgate.web.origins import OriginRule
from authgate.web.request import BODY_LIMIT, App

Job = Callable[[], Coroutine[Any, Any, None]]


class Closable(Protocol):
    """Something that started on demand and must be stopped."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Ground:
    """What stands whoever issues."""

    core: Core
    home: Home
    parts: Parts
    place: Place
    origins: OriginRule
    cookies: Cookies
    rollout: Rollout
    tools: ToolRules

    @property
    def body_limit(self) -> int:
        """Of what stands behind the guard, in bytes."""
        settings = self.core.settings
        theirs = settings.upstream or settings.upstream_command
        return settings.upstream_body_limit if theirs else BODY_LIMIT


@dataclass(frozen=True, slots=True)
class Issuing:
    """What one way of issuing brings.

    `routes` are complete paths, `jobs` run beside the requests for as long as the process lives
    (or until they end), `lazy` is closed at the end.
    """

    routes: dict[str, App]
    guard: Guard
    lazy: tuple[Closable, ...]
    jobs: tuple[Job, ...]
