"""Every page as it looks: narrow and wide, light and dark, and as a screen reader gets it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from selenium.webdriver.common.by import By

from tests.browser.conftest import Served
from tests.browser.sights import Sights
from tests.pages.house import LOOPBACK_URI

LOOKS: list[tuple[Literal["light", "dark"], int]] = [
    ("light", 1280),
    ("light", 320),
    ("dark", 1280),
    ("dark", 320),
]
EXPECTED_IN_CONSOLE = ("the server responded with a status of 4",)
LONG = "An application whose name is as long as a name may be " + "w" * 66


def visit_all(sights: Sights, served: Served) -> Iterator[str]:
    """Go through all pages; yields the name of each when it stands."""
    here = served.register(
        name="Claude Code",
        redirect_uris=(LOOPBACK_URI,),
        metadata={"client_uri": "https://claude.example/code"},
    )
    web = served.register(name="Notes", metadata={"client_uri": "https://client.example"})
    odd = served.register(
        name=LONG,
        redirect_uris=("https://" + "long-host-name." * 12 + "example/callback",),
        metadata={"client_uri": "https://" + "a" * 60 + ".example"},
    )
    app = served.register(name="Cursor", redirect_uris=("cursor://anysphere/callback",))

    def shown(title: str, name: str) -> str:
        sights.await_title(title)
        return name

    sights.open(here)
    yield shown("Sign in", "sign-in")
    sights.sign_in(password="wrong")
    yield shown("Error: That", "sign-in-wrong")
    sights.sign_in()
    yield shown("Allow", "consent-loopback")
    sights.open(web, scope="mcp:use files:write offline_access")
    yield shown("Allow", "consent-web")
    sights.open(odd)
    yield shown("Allow", "consent-long")
    sights.open(app)
    yield shown("Allow", "consent-app")
    sights.open(web, response_type="token")
    yield shown("Error", "error-faulty")
    sights.open(web, client_id="nobody")
    yield shown("Error", "error-unknown-client")
    sights.chrome.get(sights.url + "/oauth/continue?request=x")
    yield shown("Error", "error-unknown-request")
    sights.chrome.get(sights.url + "/nothing")
    yield shown("Error: Page not found", "error-404")
    sights.chrome.get(sights.url + "/oauth/sign-out")
    yield shown("Sign out?", "sign-out")
    sights.chrome.find_element(By.CSS_SELECTOR, "main button").click()
    yield shown("Signed out", "signed-out")


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_every_page_holds_in_every_look(
    sights: Sights, served: Served, scheme: Literal["light", "dark"], width: int
) -> None:
    """No axe-core violation, nothing to scroll sideways, nothing the browser complains about."""
    sights.look(scheme, width)
    wrong: list[str] = []
    for name in visit_all(sights, served):
        sights.shoot(f"{name}-{scheme}-{width}")
        wrong += [f"{name}: {violation}" for violation in sights.violations()]
        needed, window = sights.width_needed()
        if needed > window:
            wrong.append(f"{name}: {needed} px wide in a window of {window} px")
        wrong += [
            f"{name}: {message}"
            for message in sights.console()
            if not any(expected in message for expected in EXPECTED_IN_CONSOLE)
        ]
    assert wrong == []


def colours(sights: Sights) -> tuple[str, str]:
    background, text = sights.chrome.execute_script(
        "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]"
    )
    return str(background), str(text)


def test_light_and_dark_differ(sights: Sights) -> None:
    sights.chrome.get(sights.url + "/oauth/signed-out")
    light = colours(sights)
    sights.look("dark", 1280)
    assert colours(sights)[0] == light[0].replace("243, 245, 246", "15, 21, 20")
    assert colours(sights)[1] != light[1]


def emulate(sights: Sights, name: str, value: str) -> None:
    sights.chrome.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": name, "value": value}]}
    )


def test_nothing_moves_for_people_who_asked_for_that(sights: Sights, served: Served) -> None:
    emulate(sights, "prefers-reduced-motion", "reduce")
    sights.open(served.register())
    sights.await_title("Sign in")
    button = sights.chrome.find_element(By.TAG_NAME, "button")
    assert button.value_of_css_property("transition-duration") in ("0s", "1e-05s")


def test_buttons_keep_their_borders_in_forced_colours(sights: Sights, served: Served) -> None:
    emulate(sights, "forced-colors", "active")
    sights.open(served.register())
    sights.await_title("Sign in")
    button = sights.chrome.find_element(By.TAG_NAME, "button")
    assert button.value_of_css_property("border-top-style") == "solid"
    assert not button.value_of_css_property("border-top-color").endswith(", 0)")
    sights.shoot("sign-in-forced-colours")


def test_what_has_the_focus_can_be_seen(sights: Sights, served: Served) -> None:
    sights.open(served.register())
    sights.await_title("Sign in")
    field = sights.chrome.find_element(By.ID, "username")
    assert field.value_of_css_property("outline-style") == "solid"
    assert field.value_of_css_property("outline-width") == "3px"


def test_targets_are_large_enough_for_a_finger(sights: Sights, served: Served) -> None:
    sights.look("light", 320)
    for _ in visit_all(sights, served):
        for target in sights.chrome.find_elements(
            By.CSS_SELECTOR, ".button, input:not([type=hidden])"
        ):
            assert target.size["height"] >= 44, target.text
        for target in sights.chrome.find_elements(By.CSS_SELECTOR, "button, a"):
            assert target.size["height"] >= 24, target.text


def test_at_twice_the_text_size_nothing_is_lost(sights: Sights, served: Served) -> None:
    sights.look("light", 320)
    double: Callable[[], object] = lambda: sights.chrome.execute_script(  # noqa: E731
        "document.documentElement.style.fontSize = '200%'"
    )
    for name in visit_all(sights, served):
        double()
        needed, window = sights.width_needed()
        assert needed <= window, name
