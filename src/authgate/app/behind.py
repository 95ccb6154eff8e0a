"""What stands behind the guard at /mcp: the operator's server, or the built-in example.

Each is imported only where it is chosen: the SDK costs half a second, the proxy's client library a
quarter of that.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from authgate.app.core import Core, now
from authgate.observe import log
from authgate.settings import Settings
from authgate.web.mcp_app import LazyMcpApp
from authgate.web.request import Receive, Scope, Send

if TYPE_CHECKING:
    from authgate.gateway.identity import Identity


class Behind(Protocol):
    """An ASGI application with an end."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    async def close(self) -> None: ...


def behind(core: Core) -> Behind:
    """The application that the settings chose; nothing is connected yet."""
    if core.settings.upstream is not None:
        return _proxy(core, core.settings.upstream)
    if core.settings.upstream_command is not None:
        return _stdio(core.settings)
    return LazyMcpApp(_example)


def _example() -> object:
    from authgate.gateway.example import server

    return server()


def _proxy(core: Core, url: str) -> Behind:
    from authgate.gateway.proxy import Proxy, ProxyPolicy
    from authgate.gateway.sessions import Sessions
    from authgate.gateway.slots import Slots
    from authgate.gateway.upstream import Upstream

    settings = core.settings
    public = urlsplit(settings.public)
    return Proxy(
        ProxyPolicy(
            settings.upstream_body_limit, settings.upstream_timeout, public.scheme, public.netloc
        ),
        Upstream(url),
        Sessions(core.vault),
        _identity(core, settings, url),
        Slots(settings.upstream_limit, settings.upstream_limit_person),
    )


def _stdio(settings: Settings) -> Behind:
    from authgate.gateway.slots import Slots
    from authgate.gateway.stdio import StdioGateway, StdioPolicy
    from authgate.gateway.stdio_process import Launch, environment
    from authgate.gateway.stdio_programs import Limits

    if shutil.which(settings.upstream_words[0]) is None:  # it may still come: somebody deploys it
        log.warning("upstream.command_not_found", command=settings.upstream_words[0])
    return StdioGateway(
        StdioPolicy(
            settings.upstream_body_limit,
            settings.upstream_timeout,
            tells_caller=settings.upstream_identity == "headers",
        ),
        Launch(
            settings.upstream_words,
            environment(os.environ, settings.upstream_env),
            settings.upstream_body_limit,
        ),
        Limits(
            settings.upstream_processes,
            settings.upstream_processes_person,
            settings.upstream_idle,
            settings.upstream_memory << 20,
        ),
        Slots(settings.upstream_limit, settings.upstream_limit_person),
    )


def _identity(core: Core, settings: Settings, url: str) -> Identity:
    from authgate.gateway.identity import Nothing, Plain, Signed

    match settings.upstream_identity:
        case "none":
            return Nothing()
        case "headers":
            return Plain()
        case "jwt":
            return Signed(issuer=settings.public, audience=url, sign=core.keys.sign_as, clock=now)
