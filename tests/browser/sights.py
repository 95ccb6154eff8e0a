"""What a test does with the browser, in a person's words."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.clients.node_env import package_file
from tests.pages.house import ADA, PASSWORD, Client, ask_path


@cache
def _axe() -> str:
    return package_file("axe-core/axe.min.js").read_text()


@dataclass
class Sights:
    """One browser at one authgate."""

    chrome: Chrome
    url: str
    screenshots: Path

    def forget_everything(self) -> None:
        self.chrome.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.chrome.get("about:blank")
        self.console()

    def look(self, scheme: Literal["light", "dark"], width: int, height: int = 800) -> None:
        """Screen size and colours."""
        self.chrome.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
        )
        self.chrome.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def open(self, asking: Client, **changes: str | None) -> None:
        self.chrome.get(self.url + ask_path(asking, **changes))

    def login(self, name: str = "ext_auth_01") -> None:
        """Come from an issuer elsewhere that asks who this is."""
        self.chrome.get(f"{self.url}/oauth/login?external_auth_id={name}")

    def sign_in(self, who: str = ADA, password: str = PASSWORD) -> None:
        self.chrome.find_element(By.ID, "username").clear()
        self.chrome.find_element(By.ID, "username").send_keys(who)
        self.chrome.find_element(By.ID, "password").send_keys(password + Keys.ENTER)

    def enter(self, code: str) -> None:
        self.chrome.find_element(By.ID, "code").send_keys(code + Keys.ENTER)

    def press(self, *keys: str) -> None:
        """Keys to whatever has the focus."""
        actions = ActionChains(self.chrome, duration=0)
        for key in keys:
            actions.send_keys(key)
        actions.perform()

    @property
    def focused(self) -> str:
        """The focused element, as a person would name it."""
        return str(
            self.chrome.execute_script(
                "const e = document.activeElement;"
                "return e === document.body ? '' : (e.id || e.innerText || e.tagName).trim()"
            )
        )

    def await_title(self, beginning: str) -> None:
        WebDriverWait(self.chrome, 10, 0.02).until(
            lambda chrome: chrome.title.startswith(beginning),
            f"the title is {self.chrome.title!r}",
        )

    @property
    def text(self) -> str:
        return self.chrome.find_element(By.TAG_NAME, "body").text

    def width_needed(self) -> tuple[int, int]:
        """How wide the page is, and how wide the window."""
        wide, window = self.chrome.execute_script(
            "return [document.documentElement.scrollWidth, window.innerWidth]"
        )
        return int(wide), int(window)

    def violations(self) -> list[str]:
        """What axe-core finds wrong with the page, in all of its rules but the experimental."""
        if not self.chrome.execute_script("return 'axe' in window"):
            self.chrome.execute_script(_axe())
        found: dict[str, Any] = self.chrome.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run(document, {resultTypes: ['violations', 'incomplete']})"
            ".then(done, error => done({error: String(error)}))"
        )
        assert "error" not in found, found
        return [
            f"{kind} {rule['id']}: {rule['help']}: "
            + "; ".join(json.dumps(node["html"]) for node in rule["nodes"])
            for kind in ("violations", "incomplete")
            for rule in found[kind]
        ]

    def console(self) -> list[str]:
        """What the browser complained about since the last call."""
        return [str(entry["message"]) for entry in self.chrome.get_log("browser")]

    def shoot(self, name: str) -> Path:
        """A picture of the whole page."""
        metrics = self.chrome.execute_cdp_cmd("Page.getLayoutMetrics", {})
        size = metrics["cssContentSize"]
        picture = self.chrome.execute_cdp_cmd(
            "Page.captureScreenshot",
            {
                "format": "png",
                "captureBeyondViewport": True,
                "clip": {
                    "x": 0,
                    "y": 0,
                    "width": size["width"],
                    "height": size["height"],
                    "scale": 1,
                },
            },
        )
        path = self.screenshots / f"{name}.png"
        path.write_bytes(b64decode(picture["data"]))
        return path
