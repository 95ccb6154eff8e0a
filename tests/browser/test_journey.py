"""The whole way through real pages in a real browser, by keyboard alone."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By

from tests.browser.conftest import Arrivals, Served
from tests.browser.sights import Sights
from tests.pages.house import ADA, GRACE, LIN, PASSWORD
from tests.second_factor import CODE


def arrived(arrivals: Arrivals) -> dict[str, str]:
    """What the client got: one answer."""
    (path,) = arrivals.paths
    return {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}


def test_by_keyboard_from_question_to_code(
    sights: Sights, served: Served, arrivals: Arrivals
) -> None:
    asking = served.register(redirect_uris=(arrivals.uri,))
    sights.open(asking)
    sights.await_title("Sign in")
    assert sights.focused == "username"  # typing can begin
    sights.press(ADA, Keys.TAB)
    assert sights.focused == "password"
    sights.press("wrong", Keys.ENTER)

    sights.await_title("Error: ")
    assert sights.focused == "password"  # what is to be typed again
    assert sights.chrome.find_element(By.ID, "username").get_attribute("value") == ADA
    sights.press(PASSWORD, Keys.TAB)
    assert sights.focused == "Sign in"
    sights.press(Keys.ENTER)

    sights.await_title("Allow access?")
    assert sights.focused == ""  # an Enter too many allows nothing
    sights.press(Keys.ENTER)
    order = []
    for _ in range(3):
        sights.press(Keys.TAB)
        order.append(sights.focused)
    assert order == ["Not you? Use another account", "Deny", "Allow access"]
    sights.press(Keys.ENTER)

    # Chromium follows the redirect to another origin: a form-action would have stopped it.
    sights.await_title("Connected")
    answer = arrived(arrivals)
    assert set(answer) == {"code", "state", "iss"}
    assert answer["state"] == "a state / with+marks"
    assert "Referer" not in arrivals.headers_seen[0]


def test_the_code_by_keyboard_from_question_to_answer(
    sights: Sights, served: Served, arrivals: Arrivals
) -> None:
    sights.open(served.register(redirect_uris=(arrivals.uri,)))
    sights.await_title("Sign in")
    sights.sign_in(LIN)
    sights.await_title("Enter your code")
    assert sights.focused == "code"  # typing can begin
    sights.press("000000", Keys.ENTER)
    sights.await_title("Error: That code is not right.")
    assert sights.focused == "code"
    assert sights.chrome.find_element(By.ID, "code").get_attribute("value") == ""
    sights.press(Keys.ENTER)  # an empty code is not sent
    assert "That code is not right." in sights.text
    sights.press(Keys.TAB)
    assert sights.focused == "Continue"
    sights.press(Keys.TAB)
    assert sights.focused == "Use another account"
    sights.chrome.find_element(By.ID, "code").send_keys(CODE)
    sights.press(Keys.TAB, Keys.ENTER)
    sights.await_title("Allow access?")
    assert LIN in sights.text
    sights.press(Keys.TAB, Keys.TAB, Keys.TAB, Keys.ENTER)
    sights.await_title("Connected")
    assert set(arrived(arrivals)) == {"code", "state", "iss"}


def test_a_provider_by_keyboard(sights: Sights, served: Served, arrivals: Arrivals) -> None:
    sights.open(served.register(redirect_uris=(arrivals.uri,)))
    sights.await_title("Sign in")
    order = []
    for _ in range(4):
        sights.press(Keys.TAB)
        order.append(sights.focused)
    assert order == ["password", "Sign in", "Continue with GitHub", "Continue with Google"]
    sights.press(Keys.ENTER)
    sights.await_title("Allow access?")
    assert "octo@example.org" in sights.chrome.page_source
    sights.press(Keys.TAB, Keys.TAB, Keys.TAB, Keys.ENTER)
    sights.await_title("Connected")
    assert arrived(arrivals)["code"]


def test_a_tools_code_by_keyboard(sights: Sights, served: Served) -> None:
    """One click or one Tab finds the code; nothing but the two answers takes the focus before."""
    sights.chrome.get(sights.url + served.challenge(served.register()))
    sights.await_title("Allow access?")
    assert sights.focused == ""
    sights.press(Keys.TAB, Keys.TAB)
    assert sights.focused == "Allow access"
    sights.press(Keys.ENTER)
    sights.await_title("Your code")
    sights.press(Keys.TAB)
    code = sights.chrome.find_element(By.CSS_SELECTOR, ".one-time code")
    assert sights.focused == code.text
    assert len(code.text) == 32
    code.click()
    assert sights.chrome.execute_script("return getSelection().toString()") == code.text


def test_denying_and_changing_the_account(
    sights: Sights, served: Served, arrivals: Arrivals
) -> None:
    sights.open(served.register(redirect_uris=(arrivals.uri,)))
    sights.await_title("Sign in")
    sights.sign_in(ADA)
    sights.await_title("Allow access?")
    sights.press(Keys.TAB, Keys.ENTER)  # not you?
    sights.await_title("Sign in")
    sights.sign_in(GRACE)
    sights.await_title("Allow access?")
    assert GRACE in sights.text
    sights.press(Keys.TAB, Keys.TAB, Keys.ENTER)
    sights.await_title("Connected")
    assert arrived(arrivals)["error"] == "access_denied"


def test_going_back_after_the_answer_cannot_answer_again(
    sights: Sights, served: Served, arrivals: Arrivals
) -> None:
    sights.open(served.register(redirect_uris=(arrivals.uri,)))
    sights.await_title("Sign in")
    sights.sign_in()
    sights.await_title("Allow access?")
    sights.press(Keys.TAB, Keys.TAB, Keys.TAB, Keys.ENTER)
    sights.await_title("Connected")
    sights.chrome.back()  # Chromium may show the page it kept, as it was
    sights.await_title("Allow access?")
    sights.chrome.find_element(By.CSS_SELECTOR, "button[value=approve]").click()
    sights.await_title("Error: Nothing left to do")
    assert len(arrivals.paths) == 1


def test_a_faulty_request_is_a_page_whose_link_leads_back(sights: Sights, served: Served) -> None:
    asking = served.register()
    sights.open(asking, code_challenge=None)
    sights.await_title("Error: ")
    link = sights.chrome.find_element(By.TAG_NAME, "a")
    assert link.text == "Return to client.example"
    assert link.get_attribute("href").startswith("https://client.example/callback?error=")


def test_no_page_can_be_framed(sights: Sights, served: Served, arrivals: Arrivals) -> None:
    sights.chrome.get(f"http://127.0.0.1:{arrivals.server_address[1]}/")
    sights.chrome.execute_script(
        "const f = document.createElement('iframe'); f.id = 'f'; f.src = arguments[0];"
        "document.body.append(f)",
        served.url + "/oauth/signed-out",
    )
    sights.chrome.switch_to.frame("f")
    try:
        assert "signed out" not in sights.text
    finally:
        sights.chrome.switch_to.default_content()


def test_what_chromium_says_of_our_own_forms(sights: Sights, served: Served) -> None:
    """`visit` lets `Origin: null` pass because of this: our pages' no-referrer policy causes it."""
    sights.open(served.register())
    sights.await_title("Sign in")
    sights.sign_in()
    sights.await_title("Allow access?")
    sent = served.posts[-1]
    assert sent[b"sec-fetch-site"] == b"same-origin"
    assert sent[b"origin"] == b"null"


def test_another_site_cannot_post_our_forms(
    sights: Sights, served: Served, arrivals: Arrivals
) -> None:
    """Even with a token it has somehow learnt: 127.0.0.1 and localhost are two sites."""
    sights.open(served.register(redirect_uris=(arrivals.uri,)))
    sights.await_title("Sign in")
    sights.sign_in()
    sights.await_title("Allow access?")
    fields = {
        field.get_attribute("name"): field.get_attribute("value")
        for field in sights.chrome.find_elements(By.CSS_SELECTOR, "form.decision input")
    }
    sights.chrome.get(f"http://127.0.0.1:{arrivals.server_address[1]}/")
    sights.chrome.execute_script(
        "const f = document.createElement('form'); f.method = 'post'; f.action = arguments[0];"
        "for (const [name, value] of Object.entries(arguments[1])) {"
        "  const i = document.createElement('input'); i.name = name; i.value = value; f.append(i) }"
        "document.body.append(f); f.submit()",
        served.url + "/oauth/consent",
        {**fields, "decision": "approve"},
    )
    sights.await_title("Error: This form cannot be used")
    assert served.posts[-1][b"sec-fetch-site"] == b"cross-site"
    assert arrivals.paths == []


def test_without_javascript_everything_works(
    chrome_without_javascript: Chrome, served: Served, arrivals: Arrivals, sights: Sights
) -> None:
    plain = Sights(chrome_without_javascript, served.url, sights.screenshots)
    plain.chrome.get("data:text/html,<title>off</title><script>document.title='on'</script>")
    assert plain.chrome.title == "off"
    plain.open(served.register(redirect_uris=(arrivals.uri,)))
    plain.await_title("Sign in")
    plain.sign_in(password="wrong")
    plain.await_title("Error: ")
    plain.sign_in()
    plain.await_title("Allow access?")
    plain.chrome.find_element(By.CSS_SELECTOR, "button[value=approve]").click()
    plain.await_title("Connected")
    assert "code" in arrived(arrivals)


def test_a_login_by_keyboard(
    login_sights: Sights, served_logins: Served, arrivals: Arrivals
) -> None:
    """Signing in answers at once; the next time it takes a deliberate press, after the question."""
    logins = served_logins.logins
    assert logins is not None
    logins.onward, told = arrivals.uri, len(logins.told)
    login_sights.login("first")
    login_sights.await_title("Sign in")
    assert login_sights.focused == "username"
    login_sights.press(ADA, Keys.TAB, PASSWORD, Keys.ENTER)
    login_sights.await_title("Connected")

    login_sights.login("second")
    login_sights.await_title(f"Continue as {ADA}?")
    assert login_sights.focused == ""
    login_sights.press(Keys.ENTER)  # one too many answers nothing
    order = []
    for _ in range(2):
        login_sights.press(Keys.TAB)
        order.append(login_sights.focused)
    assert order == ["Continue", "Not you? Use another account"]
    assert len(logins.told) == told + 1
    login_sights.press(Keys.ENTER)
    login_sights.await_title("Sign in")
    login_sights.sign_in(GRACE)
    login_sights.await_title("Connected")
    assert [(name, who.email) for name, who in logins.told[told:]] == [
        ("first", ADA),
        ("second", GRACE),
    ]

    login_sights.login("third")
    login_sights.await_title(f"Continue as {GRACE}?")
    login_sights.press(Keys.TAB, Keys.ENTER)
    login_sights.await_title("Connected")
    assert logins.told[-1][1].email == GRACE
    assert all("Referer" not in headers for headers in arrivals.headers_seen)


def test_another_site_cannot_answer_a_login(
    login_sights: Sights, served_logins: Served, arrivals: Arrivals
) -> None:
    """It can send a browser here, and post what it has learnt: neither tells anybody anything."""
    logins = served_logins.logins
    assert logins is not None
    logins.onward = arrivals.uri
    login_sights.login("mine")
    login_sights.await_title("Sign in")
    login_sights.sign_in()
    login_sights.await_title("Connected")
    told = len(logins.told)
    elsewhere = f"http://127.0.0.1:{arrivals.server_address[1]}/"
    login_sights.chrome.get(elsewhere)
    login_sights.chrome.execute_script(
        "location = arguments[0]", served_logins.url + "/oauth/login?external_auth_id=theirs"
    )
    login_sights.await_title("Continue as")
    fields = {
        field.get_attribute("name"): field.get_attribute("value")
        for field in login_sights.chrome.find_elements(By.CSS_SELECTOR, "[action$=login] input")
    }
    login_sights.chrome.get(elsewhere)
    login_sights.chrome.execute_script(
        "const f = document.createElement('form'); f.method = 'post'; f.action = arguments[0];"
        "for (const [name, value] of Object.entries(arguments[1])) {"
        "  const i = document.createElement('input'); i.name = name; i.value = value; f.append(i) }"
        "document.body.append(f); f.submit()",
        served_logins.url + "/oauth/login",
        fields,
    )
    login_sights.await_title("Error: This form cannot be used")
    assert len(logins.told) == told
