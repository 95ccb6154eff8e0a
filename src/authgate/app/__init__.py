"""The only place that builds: settings -> policies and parts -> route table.

`app` alone knows concrete names. Everything it makes gets contracts and small frozen policies,
never `Settings`. `core` is what lies below HTTP, `home` the directory that the settings chose,
`throttling` the limits, `issuing` with `builtin` and `authkit` the issuer, `behind` the MCP server.
`building` puts all of it into one table of routes, `application` is the ASGI callable with the life
of the process. Beside the requests: `jobs` (by the time of `steady`), `services` (whom we need, and
whether they answer), `live` (what may change meanwhile). `observing` decides who keeps metrics and
traces, `watched` is what is put between the parts for them, `gauges` what is looked at. Neighbours:
`cli` calls `build` and serves what it returns.
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
