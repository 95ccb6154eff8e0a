"""Sign-ins at the stand-in's GitHub and Google, by a browser of the tests."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from authgate.steps.parts import Parts
from tests.directories.supabase_house import House as Project
from tests.pages.house import Browser, Page
from tests.standins.supabase_state import ProviderPerson

CALLBACK = "/oauth/callback"
OCTO = ProviderPerson("1001", "octo@example.com", name="Octo")
GINA = ProviderPerson("2002", "gina@example.com", name="Gina")
UNSURE = ProviderPerson("1002", "unsure@example.com", verified=False, name="Unsure")


@asynccontextmanager
async def parts_of(project: Project, parts: Parts, **policy: Any) -> AsyncIterator[Parts]:
    """Our parts over a directory of this project, which knows already what the project offers."""
    project.state.provider_people["github"] += [OCTO, UNSURE]
    project.state.provider_people["google"].append(GINA)
    directory = project.another(**policy)
    await directory.report(parts.policy.issuer + CALLBACK)
    stand_in: Any = directory
    yield replace(parts, passwords=stand_in, social=stand_in)
    await directory.close()


async def abroad(url: str, pick: str = "Octo") -> str:
    """At the provider, all the way: a click on a name (or Cancel), and where that leads, with us
    the path and query alone."""
    async with aiohttp.ClientSession() as away:
        async with away.get(url) as page:
            links = re.findall(r'href="([^"]+)">(\w+)', await page.text())
            link = next(html.unescape(href) for href, name in links if name == pick)
            target = str(page.url.join(type(page.url)(link, encoded=True)))
        async with away.get(target, allow_redirects=False) as back:
            location = back.headers["Location"]
    parts = urlsplit(location)
    return f"{parts.path}?{parts.query}"


async def come_back(browser: Browser, path: str, **headers: str) -> Page:
    """The provider's redirect: a navigation that another site caused."""
    return await browser.get(path, {"sec-fetch-site": "cross-site", **headers})


def link_to(page: Page, provider: str) -> str:
    """Where the page's button for this provider leads."""
    (found,) = [href for href, text in page.links if text == f"Continue with {provider}"]
    return found


async def with_provider(
    browser: Browser, page: Page, provider: str = "GitHub", pick: str = "Octo"
) -> Page:
    """From the sign-in page through the provider to the page after our callback."""
    away = await browser.get(link_to(page, provider), {"sec-fetch-site": "same-origin"})
    answer = await come_back(browser, await abroad(away.location, pick))
    return await browser.get(answer.location) if answer.status == 303 else answer
