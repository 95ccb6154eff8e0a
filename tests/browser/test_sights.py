"""Every page as it looks: narrow and wide, light and dark, and as a screen reader gets it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from selenium.webdriver.common.by import By

from authgate.issuers.logins import Snag
from tests.browser.conftest import Served
from tests.browser.sights import Sights
from tests.pages.house import LIN, LOOPBACK_URI
from tests.told_logins import ToldLogins

WIDTHS = (1280, 320)
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
    sights.sign_in(LIN)
    yield shown("Enter your code", "factor")
    sights.enter("000000")
    yield shown("Error: That code", "factor-wrong")
    sights.chrome.find_element(By.NAME, "another").click()
    sights.await_title("Sign in")
    sights.sign_in()
    yield shown("Allow", "consent-loopback")
    sights.open(web, scope="mcp:use files:write offline_access")
    yield shown("Allow", "consent-web")
    sights.open(odd)
    yield shown("Allow", "consent-long")
    sights.open(app)
    yield shown("Allow", "consent-app")
    sights.chrome.get(sights.url + served.challenge(odd))
    yield shown("Allow", "hand-over")
    sights.chrome.find_element(By.CSS_SELECTOR, "[value=approve]").click()
    yield shown("Your code", "handed-over")
    sights.chrome.get(sights.url + served.challenge(here))
    sights.await_title("Allow")
    sights.chrome.find_element(By.CSS_SELECTOR, "[value=deny]").click()
    yield shown("Denied", "hand-over-denied")
    served.elsewhere.says_no = True
    sights.chrome.get(sights.url + served.challenge(here))
    yield shown("Error", "error-provider")
    served.elsewhere.says_no = False
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


def visit_logins(sights: Sights, logins: ToldLogins) -> Iterator[str]:
    """The pages that are others where an issuer elsewhere sends people to sign in."""

    def shown(title: str, name: str) -> str:
        sights.await_title(title)
        return name

    sights.login()
    yield shown("Sign in", "login-sign-in")
    sights.sign_in(LIN)
    yield shown("Enter your code", "login-factor")
    sights.login()
    sights.await_title("Sign in")
    logins.onward = sights.url + "/oauth/signed-out"
    logins.snag(Snag.EMAIL_TAKEN)
    sights.sign_in()
    yield shown("Error: This account cannot continue", "login-email-taken")
    sights.chrome.find_element(By.LINK_TEXT, "Back to signing in").click()
    yield shown("Continue as", "login-continue")
    logins.snag(Snag.COMPLETED_BEFORE)
    sights.chrome.find_element(By.CSS_SELECTOR, ".button-primary").click()
    yield shown("Error: Nothing left", "login-completed-before")
    sights.chrome.get(sights.url + "/oauth/login")
    yield shown("Error: Please start again", "login-malformed")
    sights.chrome.get(sights.url + "/oauth/sign-out")
    yield shown("Sign out?", "login-sign-out")
    sights.chrome.find_element(By.CSS_SELECTOR, "main button").click()
    yield shown("Signed out", "login-signed-out")


def faults(sights: Sights, scheme: Literal["light", "dark"]) -> Iterator[str]:
    """What is wrong with the present page, narrow or wide, at normal and at double text size."""
    for width in WIDTHS:
        sights.look(scheme, width)
        yield from sights.violations()
        for size in ("100%", "200%"):
            sights.chrome.execute_script(
                "document.documentElement.style.fontSize = arguments[0]", size
            )
            needed, window = sights.width_needed()
            if needed > window:
                yield f"{needed} px wide in a window of {window} px with text at {size}"
        sights.chrome.execute_script("document.documentElement.style.fontSize = ''")
    for height, selector in ((44, ".button, input:not([type=hidden])"), (24, "button, a")):
        for target in sights.chrome.find_elements(By.CSS_SELECTOR, selector):
            if target.size["height"] < height:
                yield f"{target.text!r} is lower than {height} px"
    for message in sights.console():
        if not any(expected in message for expected in EXPECTED_IN_CONSOLE):
            yield message


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_holds_in_every_look(
    sights: Sights, served: Served, scheme: Literal["light", "dark"]
) -> None:
    """No axe-core finding, nothing to scroll sideways, large targets, a silent console."""
    wrong: list[str] = []
    for name in visit_all(sights, served):
        wrong += [f"{name}: {fault}" for fault in faults(sights, scheme)]
        for width in WIDTHS:
            sights.look(scheme, width)
            sights.shoot(f"{name}-{scheme}-{width}")
    assert wrong == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_of_a_login_holds_in_every_look(
    login_sights: Sights, served_logins: Served, scheme: Literal["light", "dark"]
) -> None:
    """The same with the longest names there are: of the issuer's host and of the person."""
    assert served_logins.logins is not None
    served_logins.logins.host = "a-long-host-name." * 5 + "authkit.example"
    wrong: list[str] = []
    for name in visit_logins(login_sights, served_logins.logins):
        wrong += [f"{name}: {fault}" for fault in faults(login_sights, scheme)]
        for width in WIDTHS:
            login_sights.look(scheme, width)
            login_sights.shoot(f"{name}-{scheme}-{width}")
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
