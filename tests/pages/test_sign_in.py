from __future__ import annotations

from tests.pages.house import ADA, PASSWORD, Browser, House, client


async def test_the_whole_journey(house: House, browser: Browser) -> None:
    asking = await house.register(client())
    page = await browser.start(asking)
    assert page.status == 200
    assert page.title == "Sign in – localhost:8000"
    page = await browser.sign_in(page)
    assert page.title == "Allow access? – localhost:8000"
    assert ADA in page.text
    answer = await browser.decide(page, "approve")
    assert answer.location.startswith("https://client.example/callback?code=")
    assert answer.answer["state"] == "a state / with+marks"
    assert answer.answer["iss"] == "http://localhost:8000"
