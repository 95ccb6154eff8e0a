"""Events: whose they are is proved by the signature, before a byte of them is read."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from authgate.workos import Event, NotGenuine, verify_webhook

SECRET, NOW = "a secret of an endpoint", 1_800_000_000.0
TOLD = {
    "object": "event",
    "id": "event_1",
    "event": "user.deleted",
    "data": {"id": "user_1", "external_id": None},
    "created_at": "2026-11-23T10:00:00.000Z",
}
BODY = json.dumps(TOLD).encode()


def signature(body: bytes = BODY, at: float = NOW, secret: str = SECRET) -> str:
    return hmac.new(
        secret.encode(), f"{int(at * 1000)}.".encode() + body, hashlib.sha256
    ).hexdigest()


def header(at: float = NOW, joint: str = ", ") -> str:
    return f"t={int(at * 1000)}{joint}v1={signature(at=at)}"


@pytest.mark.parametrize("joint", [", ", ",", " ,  "])
def test_a_genuine_event(joint: str) -> None:
    event = verify_webhook(BODY, header(joint=joint), SECRET, NOW)
    assert event == Event("event_1", "user.deleted", TOLD["data"], "2026-11-23T10:00:00.000Z")
    assert "user_1" not in repr(event)


def test_while_a_secret_is_changed_one_right_signature_is_enough() -> None:
    told = f"t={int(NOW * 1000)}, v1={signature(secret='the old one')}, v1={signature()}"
    assert isinstance(verify_webhook(BODY, told, SECRET, NOW), Event)


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (None, "no signature"),
        ("", "no signature"),
        ("t=1, v1=" + "0" * 600, "no signature"),
        ("nonsense", "signature malformed"),
        (f"v1={signature()}", "signature malformed"),
        (f"t={int(NOW * 1000)}", "signature malformed"),
        (f"t=-5, v1={signature()}", "signature malformed"),
        (f"t=1e9, v1={signature()}", "signature malformed"),
        (f"t={int(NOW * 1000)}, v1={signature().upper()}", "signature malformed"),
        (f"t={int(NOW * 1000)}, v1={signature(secret='another')}", "signature wrong"),
        (f"t={int(NOW * 1000)}, v1={signature(body=BODY + b' ')}", "signature wrong"),
        (f"t={int(NOW * 1000) + 1}, v1={signature()}", "signature wrong"),
    ],
)
def test_anything_else_is_none(sent: str | None, why: str) -> None:
    assert verify_webhook(BODY, sent, SECRET, NOW) == NotGenuine(why)


@pytest.mark.parametrize(("age", "good"), [(180, True), (181, False), (-180, True), (-181, False)])
def test_three_minutes_either_way(age: int, good: bool) -> None:
    outcome = verify_webhook(BODY, header(NOW - age), SECRET, NOW)
    assert isinstance(outcome, Event) is good


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"id":1,"event":"x","data":{}}', b'{"id":"e","event":"x"}', b"\xff"],
)
def test_signed_and_still_no_event(body: bytes) -> None:
    told = f"t={int(NOW * 1000)}, v1={signature(body)}"
    assert isinstance(verify_webhook(body, told, SECRET, NOW), NotGenuine)
