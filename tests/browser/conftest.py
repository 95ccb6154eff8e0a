"""A real Chromium and a real server on loopback. A missing browser is a failure, never a skip."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import AF_INET, SOCK_STREAM, socket
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import uvicorn
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from authgate.protocol import parameters
from authgate.steps.authorize import Asker, Opened, open_request
from authgate.web.listener import DeadlineProtocol
from authgate.web.request import Receive, Scope, Send
from tests.browser.sights import Sights
from tests.elsewhere import Elsewhere
from tests.pages import house as making
from tests.pages.house import House
from tests.second_factor import SecondFactor
from tests.told_logins import ToldLogins

FLAGS = """--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run
--disable-background-networking --disable-component-update --disable-sync --disable-dev-shm-usage
--hide-scrollbars --window-size=1280,900"""


class Served:
    """The house behind uvicorn, in a thread with a loop of its own.

    With `logins` it is an issuer's elsewhere sign-in page, and else an issuer itself.
    """

    def __init__(self, database: Path, logins: ToldLogins | None = None) -> None:
        self.logins = logins
        self._socket = socket(AF_INET, SOCK_STREAM)
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://localhost:{self._socket.getsockname()[1]}"
        self._database = database
        self._names = itertools.count(1)
        self.posts: list[dict[bytes, bytes]] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        plain = await making.build(self._database, issuer=self.url)
        owing: Any = SecondFactor(plain.parts.passwords, {making.LIN})
        self.elsewhere: Any = Elsewhere(owing)
        parts = replace(plain.parts, passwords=self.elsewhere, social=self.elsewhere)
        if self.logins is None:
            self.house: House = making.mount(parts, plain.clock)
        else:
            self.house = making.mount_logins(parts, plain.clock, self.logins)
        config = uvicorn.Config(
            self._note_posts,
            http=DeadlineProtocol,
            interface="asgi3",
            ws="none",
            lifespan="off",
            log_config=None,
            proxy_headers=False,
        )
        self._server = uvicorn.Server(config)
        self._ready.set()
        await self._server.serve([self._socket])
        await self.house.parts.store.close()

    async def _note_posts(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The house, with a note of the headers of each post."""
        if scope["type"] == "http" and scope["method"] == "POST":
            self.posts.append(dict(scope["headers"]))
        await self.house(scope, receive, send)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(20)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        self._socket.close()

    def register(self, **changes: object) -> making.Client:
        """Register a client in the served house."""
        asking = making.client(f"client-{next(self._names)}", **changes)
        return asyncio.run_coroutine_threadsafe(self.house.register(asking), self.loop).result(10)

    def challenge(self, asking: making.Client) -> str:
        """The path that a tool of this client would give its person to open."""
        query = urlsplit(making.ask_path(asking)).query
        asked = parameters.read(parse_qsl(query))
        opening = open_request(self.house.parts, asked, Asker("tool"))
        opened = asyncio.run_coroutine_threadsafe(opening, self.loop).result(10)
        assert isinstance(opened, Opened)
        return f"/oauth/start/github?challenge={opened.handle}"


class Arrivals(ThreadingHTTPServer):
    """The client's end: a loopback server that notes what is asked of it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Arrival)
        self.paths: list[str] = []
        self.headers_seen: list[dict[str, str]] = []

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/callback"


class _Arrival(BaseHTTPRequestHandler):
    server: Arrivals

    def do_GET(self) -> None:
        if self.path.startswith("/callback"):
            self.server.paths.append(self.path)
            self.server.headers_seen.append(dict(self.headers))
        body = b"<!doctype html><title>Connected</title><p>You can close this page."
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    server = Served(tmp_path_factory.mktemp("served") / "authgate.sqlite3")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def served_logins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    server = Served(tmp_path_factory.mktemp("served") / "authgate.sqlite3", ToldLogins())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def arrivals() -> Iterator[Arrivals]:
    server = Arrivals()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join(10)
    server.server_close()


@contextmanager
def chromium(folder: Path, *, javascript: bool = True) -> Iterator[Chrome]:
    """A fresh headless Chromium with a profile of its own."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert binary, "the browser tests need Debian's chromium: run `make test`"
    assert driver, "the browser tests need Debian's chromium-driver: run `make test`"
    options = ChromeOptions()
    options.binary_location = binary
    for flag in [*FLAGS.split(), f"--user-data-dir={folder}"]:
        options.add_argument(flag)
    if not javascript:
        options.add_experimental_option(
            "prefs", {"profile.managed_default_content_settings.javascript": 2}
        )
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = Chrome(options, ChromeService(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


@pytest.fixture(scope="session")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="session")
def chrome_without_javascript(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile"), javascript=False) as driver:
        yield driver


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("screenshots")


@pytest.fixture
def sights(chrome: Chrome, served: Served, screenshots: Path) -> Sights:
    """A browser that nobody is signed in with, on a wide light screen."""
    sights = Sights(chrome, served.url, screenshots)
    sights.forget_everything()
    sights.look("light", 1280, 900)
    return sights


@pytest.fixture
def login_sights(chrome: Chrome, served_logins: Served, screenshots: Path) -> Sights:
    """The same where an issuer elsewhere sends people to sign in."""
    sights = Sights(chrome, served_logins.url, screenshots)
    sights.forget_everything()
    sights.look("light", 1280, 900)
    return sights
