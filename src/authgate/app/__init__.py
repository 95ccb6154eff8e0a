"""The only place that builds: settings -> policies and parts -> route table.

`app` alone knows concrete names. Everything it makes gets contracts and small frozen policies,
never `Settings`. `core` is what lies below HTTP, `home` the directory that the settings chose,
`building` the routes, `application` the ASGI callable with the life of the process, `jobs` what
goes on beside it, `live` what may change meanwhile. Neighbours: `cli` calls `build` and serves what
it returns.
"""

from __future__ import annotations

from authgate.app.application import Application
from authgate.app.building import build
from authgate.app.core import MCP_PATH, Core, build_core, now
from authgate.app.home import callback_url
from authgate.app.live import mode_of

__all__ = [
    "MCP_PATH",
    "Application",
    "Core",
    "build",
    "build_core",
    "callback_url",
    "mode_of",
    "now",
]
