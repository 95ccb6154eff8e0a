"""What WorkOS tells us unasked: believed by its signature, acted on, and harmless when repeated."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest

from authgate.app import now
from authgate.protocol.logins import ended_by_us
from authgate.protocol.records import Link, Person, Session
from authgate.security.digests import digest, new_secret
from authgate.steps.parts import audited
from authgate.store.contract import StoreUnavailable
from tests.clauses import clause
from tests.endpoints.authkit import AuthKitHouse, Walker
from tests.endpoints.conftest import OpenGate
from tests.endpoints.gate import EMAIL, Gate, Pkce
from tests.standins.workos import Person as Octo
from tests.standins.workos import WorkOSStandIn
from tests.standins.workos_state import stamp
from tests.standins.workos_webhooks import signature

SECRET = "a-webhook-secret-of-tests"
USER, SESSION = "user_01ALICE", "session_01ALICE"
OTHER = "ag_" + "x" * 22  # somebody else, by the form of ours


@dataclass
class House:
    """A gate with Alice in it, and what WorkOS would send it."""

    gate: Gate
    sub: str

    @property
    def store(self) -> Any:
        return self.gate.core.store

    async def post(self, body: bytes, header: str | None) -> Any:
        headers = {"content-type": "application/json"}
        if header is not None:
            headers["workos-signature"] = header
        async with self.gate.http() as http:
            return await http.post("/webhooks/workos", content=body, headers=headers)

    async def send(self, event: dict[str, Any], at: float | None = None) -> int:
        body = json.dumps(event).encode()
        answer = await self.post(body, signature(SECRET, body, at or time.time()))
        return int(answer.status_code)

    async def link(self, workos_id: str = USER, linked_at: int | None = None) -> None:
        link = Link(workos_id, self.sub, "completed", linked_at or now() - 60)
        await self.store.link(link, audited(now(), "person.linked"))

    async def session(self, created_at: int | None = None) -> str:
        """A browser session of Alice's; the digest it has."""
        begun = now() if created_at is None else created_at
        person = Person(self.sub, "embedded", EMAIL, ("pwd",))
        session = Session(digest(new_secret()), person, begun, begun + 3600)
        await self.store.open_session(session, audited(now(), "person.sign_in"))
        return session.session_digest

    async def is_open(self, session_digest: str) -> bool:
        return await self.store.session(session_digest, now()) is not None

    async def barred(self) -> bool:
        return await self.store.bar_of(self.sub) is not None


@pytest.fixture
async def house(open_gate: OpenGate) -> House:
    gate = await open_gate(WORKOS_WEBHOOK_SECRET=SECRET)
    account = await gate.core.store.account_by_email(EMAIL)
    assert account is not None
    return House(gate, account.sub)


def deleted(
    event_id: str = "event_1", happened: float | None = None, **data: Any
) -> dict[str, Any]:
    return {
        "object": "event",
        "id": event_id,
        "event": "user.deleted",
        "data": {"object": "user", "id": USER, "email": EMAIL, "external_id": None, **data},
        "created_at": stamp(time.time() if happened is None else happened),
    }


def revoked(
    event_id: str = "event_2", happened: float | None = None, **data: Any
) -> dict[str, Any]:
    return {
        "object": "event",
        "id": event_id,
        "event": "session.revoked",
        "data": {"object": "session", "id": SESSION, "user_id": USER, "status": "revoked", **data},
        "created_at": stamp(time.time() if happened is None else happened),
    }


# --- whether it was WorkOS ------------------------------------------------------------------------


async def test_without_a_secret_there_is_no_such_address(gate: Gate) -> None:
    async with gate.http() as http:
        assert (await http.post("/webhooks/workos", json={})).status_code == 404


@clause("ASVS", "4.1.5")
@pytest.mark.parametrize(
    "make",
    [
        lambda body, t: None,
        lambda body, t: "",
        lambda body, t: "nonsense",
        lambda body, t: signature(SECRET, body, t).split(",")[0],
        lambda body, t: signature(SECRET, body, t).split(", ")[1],
        lambda body, t: signature("another secret", body, t),
        lambda body, t: signature(SECRET, body, t, bad=True),
        lambda body, t: signature(SECRET, body + b" ", t),
        lambda body, t: signature(SECRET, body, t).replace("t=", "t=1"),
        lambda body, t: signature(SECRET, body, t).replace("v1=", "v0="),
        lambda body, t: "t=" + "9" * 5000 + ", v1=" + "0" * 64,
        lambda body, t: f"t={int(t)}, v1=" + signature(SECRET, body, t)[-64:],  # seconds
        # what was overheard, sent again later, and a clock that is ahead
        lambda body, t: signature(SECRET, body, t - 182),
        lambda body, t: signature(SECRET, body, t + 182),
    ],
    ids=[
        "none", "empty", "nonsense", "no signature", "no time", "another secret", "bad",
        "another body", "another time", "another version", "huge", "seconds", "old", "ahead",
    ],
)  # fmt: skip
async def test_what_workos_did_not_just_sign_is_never_acted_on(
    house: House, make: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    await house.link()
    body = json.dumps(deleted()).encode()
    answer = await house.post(body, make(body, time.time()))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert "WORKOS_WEBHOOK_SECRET" in answer.json()["hint"]
    assert not await house.barred()
    assert await house.store.link_of(USER) is not None
    assert not await house.store.saw("event_1")
    logged = capsys.readouterr()
    assert "webhook.refused" in logged.out + logged.err
    assert SECRET not in logged.out + logged.err


@pytest.mark.parametrize("away", [-178, 178])
async def test_within_three_minutes_it_counts(house: House, away: int) -> None:
    await house.link()
    assert await house.send(deleted(), time.time() + away) == 200
    assert await house.barred()


async def test_the_header_may_have_its_parts_with_or_without_a_blank(house: House) -> None:
    await house.link()
    body = json.dumps(deleted()).encode()
    header = signature(SECRET, body, time.time()).replace(", ", ",")
    assert (await house.post(body, header)).status_code == 200
    assert await house.barred()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"x"',
        b"nonsense",
        b"\xff\xfe",
        b"[" * 30_000,
        b'{"id":"e","event":"user.deleted"}',
        b'{"id":7,"event":"user.deleted","data":{}}',
        b'{"id":"e","event":"user.deleted","data":[]}',
        json.dumps(deleted("x" * 256)).encode(),
        json.dumps(deleted("a\x00b")).encode(),
    ],
)
async def test_a_signed_body_that_is_no_event(house: House, body: bytes) -> None:
    answer = await house.post(body, signature(SECRET, body, time.time()))
    assert answer.status_code == 400


async def test_a_body_beyond_the_limit(house: House) -> None:
    body = json.dumps(deleted(note="x" * 70_000)).encode()
    assert (await house.post(body, signature(SECRET, body, time.time()))).status_code == 413
    assert not await house.barred()


async def test_other_methods(house: House) -> None:
    async with house.gate.http() as http:
        assert (await http.get("/webhooks/workos")).status_code == 405


@pytest.mark.parametrize("name", ["user.created", "user.updated", "session.created", "made.up", ""])
async def test_events_that_are_nothing_to_us_are_taken_and_change_nothing(
    house: House, name: str
) -> None:
    await house.link()
    session = await house.session()
    status = await house.send({**deleted(), "event": name})
    assert status == (200 if name else 400)
    assert await house.is_open(session)
    assert not await house.barred()


# --- user.deleted ---------------------------------------------------------------------------------


async def test_a_deleted_user_loses_everything_here(house: House) -> None:
    client = await house.gate.register()
    tokens = await house.gate.tokens(client)
    await house.link()
    session = await house.session()
    assert await house.send(deleted()) == 200
    assert (await house.gate.call(tokens["access_token"])).status_code == 401
    refused = await house.gate.refresh(client, tokens["refresh_token"])
    assert refused.json()["error"] == "invalid_grant"
    assert not await house.is_open(session)
    assert await house.barred()
    assert await house.store.link_of(USER) is None
    events = [event.event for event in await house.store.audit_events()]
    assert events[:2] == ["person.unlinked", "person.barred"]


async def test_without_a_link_the_event_names_the_person_by_our_own_id(house: House) -> None:
    session = await house.session()
    assert await house.send(deleted(external_id=house.sub)) == 200
    assert await house.barred()
    assert not await house.is_open(session)


@pytest.mark.parametrize(
    "external_id",
    [None, "", "an id with blanks", "x" * 256, 7, ["x"], "customer-42", "user_01ELSE"],
)
async def test_a_user_of_somebody_elses_is_nobody_here(house: House, external_id: Any) -> None:
    """And leaves nothing: many applications may share an environment of WorkOS's."""
    session = await house.session()
    assert await house.send(deleted(external_id=external_id)) == 200
    assert await house.is_open(session)
    assert "person.barred" not in [event.event for event in await house.store.audit_events()]
    for named in (USER, external_id):
        assert not isinstance(named, str) or await house.store.bar_of(named) is None


@pytest.mark.parametrize("external_id", [None, "customer-42"])
async def test_one_of_workoss_own_people_goes_by_its_own_id(
    open_gate: OpenGate, external_id: str | None
) -> None:
    """Whatever another application of that environment calls them."""
    gate = await open_gate(
        WORKOS_WEBHOOK_SECRET=SECRET,
        WORKOS_API_KEY="sk_test_nobody",
        WORKOS_CLIENT_ID="client_nobody",
        WORKOS_API_URL="http://127.0.0.1:9",
    )
    house, begun, cookie = House(gate, USER), now(), new_secret()
    session = Session(digest(cookie), Person(USER, "workos", EMAIL), begun, begun + 3600)
    await house.store.open_session(session, audited(begun, "person.sign_in"))
    assert await house.send(deleted(external_id=external_id)) == 200
    assert not await house.is_open(session.session_digest)
    assert await house.barred()


async def test_a_user_who_is_linked_anew_since_keeps_what_is_new(house: House) -> None:
    """The event is late: the person came back meanwhile, as another WorkOS user."""
    happened = time.time() - 3600
    await house.link(USER, int(happened) - 86_400)
    await house.link("user_02ALICE", int(happened) + 600)
    client = await house.gate.register()
    tokens = await house.gate.tokens(client)
    session = await house.session()
    assert await house.send(deleted(happened=happened, external_id=house.sub)) == 200
    assert (await house.gate.call(tokens["access_token"])).status_code == 200
    assert await house.is_open(session)
    assert not await house.barred()
    assert [link.workos_id for link in await house.store.links_to(house.sub)] == ["user_02ALICE"]
    # and the same once more, by somebody who lost the first answer, after the link is gone
    assert await house.send(deleted("event_9", happened, external_id=house.sub)) == 200
    assert not await house.barred()


async def test_whom_the_link_and_the_event_name_differently_both_go(house: House) -> None:
    """The id was changed at WorkOS: that user was the one before, and is the other now."""
    await house.link()
    assert await house.send(deleted(external_id=OTHER)) == 200
    assert await house.barred()
    assert await house.store.bar_of(OTHER) is not None
    assert await house.store.bar_of(USER) is None


async def test_another_workos_user_from_before_protects_nobody(house: House) -> None:
    await house.link(USER)
    await house.link("user_02ALICE", now() - 9_000)
    assert await house.send(deleted()) == 200
    assert await house.barred()


async def test_who_comes_back_is_not_sent_away_by_a_repetition(house: House) -> None:
    await house.link()
    event = deleted()
    assert await house.send(event) == 200
    session = await house.session(now() + 1)  # signed in anew: the bar is lifted
    assert await house.send(event) == 200
    assert await house.is_open(session)
    assert not await house.barred()


async def test_an_event_without_a_time_happens_now(house: House) -> None:
    await house.link()
    event = deleted()
    del event["created_at"]
    assert await house.send(event) == 200
    assert await house.barred()


async def test_forty_deliveries_at_once(house: House) -> None:
    await house.link()
    assert set(await asyncio.gather(*(house.send(deleted()) for _ in range(40)))) == {200}
    assert await house.barred()
    assert await house.store.link_of(USER) is None


# --- session.revoked ------------------------------------------------------------------------------


async def test_a_revoked_session_closes_ours(house: House) -> None:
    await house.link()
    session = await house.session()
    client = await house.gate.register()
    tokens = await house.gate.tokens(client)
    assert await house.send(revoked()) == 200
    assert not await house.is_open(session)
    # Applications stay connected, and the person may sign in again.
    assert (await house.gate.call(tokens["access_token"])).status_code == 200
    assert not await house.barred()


async def test_a_late_event_leaves_a_later_session_alone(house: House) -> None:
    await house.link()
    earlier, later = await house.session(now() - 7200), await house.session()
    assert await house.send(revoked(happened=time.time() - 3600)) == 200
    assert (await house.is_open(earlier), await house.is_open(later)) == (False, True)


async def test_what_we_ended_ourselves_closes_nothing(house: House) -> None:
    """Signing out in one browser ends the sessions there; the others here stay."""
    await house.link()
    session = await house.session()
    await house.store.first_sight(ended_by_us(SESSION), now())
    assert await house.send(revoked()) == 200
    assert await house.is_open(session)
    assert await house.send(revoked("event_3", id="session_02")) == 200
    assert not await house.is_open(session)


@pytest.mark.parametrize("user_id", ["user_unknown", None, 7, ""])
async def test_a_session_of_nobody_here(house: House, user_id: Any) -> None:
    await house.link()
    session = await house.session()
    assert await house.send(revoked(user_id=user_id)) == 200
    assert await house.is_open(session)


async def test_our_own_farewell_to_workos_signs_nobody_out(open_gate: OpenGate) -> None:
    """A sign-in with GitHub through WorkOS ends its session there at once, and WorkOS tells us."""
    callback = "http://localhost:8000/oauth/callback"
    octo = Octo("1001", "octo@example.com", first_name="Octo")
    async with WorkOSStandIn(redirect_uris=[callback], people=[octo]) as workos:
        gate = await open_gate(
            WORKOS_WEBHOOK_SECRET=SECRET,
            WORKOS_API_KEY=workos.api_key,
            WORKOS_CLIENT_ID=workos.client_id,
            WORKOS_API_URL=workos.api_url,
        )
        client, house = await gate.register(), House(gate, "")
        async with Walker(AuthKitHouse(gate, workos, {})) as browser:
            question = urlencode(gate.question(client, Pkce()))
            await browser.open(f"{gate.url}/oauth/authorize?{question}")
            await browser.follow("GitHub")
            await browser.follow("Octo")
            assert browser.title.startswith("Allow access?"), browser.text
            await gate.app.home.social.farewells.close()
            (event,) = [e for e in workos.state.events.values() if e["event"] == "session.revoked"]
            assert await house.send(event) == 200
            await browser.open(f"{gate.url}/oauth/sign-out")
            assert "octo@example.com" in browser.text
            # Somebody else's doing is another matter: these people are WorkOS's own, by its own id.
            user = workos.user_by_email("octo@example.com")
            assert user is not None
            assert await house.send(revoked(user_id=user.id)) == 200
            await browser.open(f"{gate.url}/oauth/sign-out")
            assert browser.title.startswith("Signed out")
            assert await house.send(deleted(id=user.id)) == 200
            assert await gate.core.store.bar_of(user.id) is not None
        await gate.stop()


# --- trouble in between ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", ["saw", "link_of", "links_to", "end_grants_of", "unlink", "first_sight"]
)
async def test_a_delivery_that_met_an_outage_is_not_lost(
    house: House, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WorkOS tells it again, and it is done then."""
    await house.link()
    session = await house.session()

    async def unreachable(*_: object) -> None:
        raise StoreUnavailable("locked")

    with monkeypatch.context() as outage:
        outage.setattr(house.store, method, unreachable)
        assert await house.send(deleted()) == 503
    assert await house.send(deleted()) == 200
    assert await house.barred()
    assert not await house.is_open(session)
    assert await house.store.link_of(USER) is None
    assert await house.store.saw("event_1")


async def test_the_event_of_a_session_that_met_an_outage_is_not_lost(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.link()
    session = await house.session()

    async def unreachable(*_: object) -> None:
        raise StoreUnavailable("locked")

    with monkeypatch.context() as outage:
        outage.setattr(house.store, "close_sessions_of", unreachable)
        assert await house.send(revoked()) == 503
    assert await house.is_open(session)
    assert await house.send(revoked()) == 200
    assert not await house.is_open(session)
