from __future__ import annotations

import re

from authgate.pages import static
from tests.pages.conftest import Build
from tests.pages.house import Browser


async def test_what_a_page_names_is_there_and_may_be_kept_for_ever(browser: Browser) -> None:
    page = await browser.get("/oauth/signed-out")
    paths = set(re.findall(r'"(/oauth/static/[^"]+)"', page.html))
    assert len(paths) == 2
    kinds = set()
    for path in paths:
        asset = await browser.get(path)
        assert asset.status == 200
        assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert asset.headers["x-content-type-options"] == "nosniff"
        assert asset.set_cookies == []
        kinds.add(asset.headers["content-type"])
    assert kinds == {"text/css; charset=utf-8", "image/svg+xml"}


async def test_below_a_path_everything_stays_below_it(build: Build) -> None:
    house = await build(issuer="https://auth.example/base")
    browser = house.browser()
    page = await browser.get("/base/oauth/signed-out")
    assert page.title.endswith("auth.example")
    for path in re.findall(r'(?:href|src|action)="([^"]+)"', page.html):
        assert path.startswith("/base/oauth/static/")
        assert (await browser.get(path)).status == 200


async def test_nothing_else_is_served(browser: Browser) -> None:
    for name in ("authgate.css", "../render.py", "..%2frender.py", "authgate.0000000000000000.css"):
        assert (await browser.get(f"/oauth/static/{name}")).status == 404


def test_a_changed_file_changes_its_name() -> None:
    sheet = static.stylesheet()
    assert re.fullmatch(r"/oauth/static/authgate\.[0-9a-f]{16}\.css", sheet.path)


def test_the_stylesheet_loads_nothing_from_elsewhere() -> None:
    text = static.stylesheet().body.decode()
    assert "url(" not in text
    assert "@import" not in text
