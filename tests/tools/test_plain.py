"""The plain POST: shapes, statuses and headers, and nothing a caller sends makes it stumble."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from authgate.security.limits import LimitPolicy
from authgate.steps.parts import Parts
from authgate.store.contract import StoreUnavailable
from authgate.tools import ToolsEndpoint
from authgate.tools.catalogue import TOOLS, toolbox
from tests.tools.asking import JSON_TYPE, Heard, ask, post, scope_of
from tests.tools.flow import REDIRECT, challenged, signing_in
from tests.tools.serving import EMAIL, ISSUER, PASSWORD, parts_in

REGISTER = {
    "method": "oauth_register_client",
    "params": {"client_data": {"redirect_uris": [REDIRECT]}},
}


def error_of(heard: Heard) -> dict[str, Any]:
    """The error of an answer, whose form is checked here for every test."""
    assert heard.header("content-type") == "application/json"
    document = heard.json()
    assert document.keys() == {"error"}
    error: dict[str, Any] = document["error"]
    assert {"code", "message", "hint"} <= error.keys() <= {"code", "message", "hint", "retry_after"}
    assert all(error[name] for name in ("code", "message", "hint"))
    return error


async def test_a_result(endpoint: ToolsEndpoint) -> None:
    heard = await post(endpoint, REGISTER)
    assert heard.status == 200
    assert heard.json()["result"]["client_id"].startswith("client_")
    assert heard.header("cache-control") == "no-store"
    assert heard.header("access-control-allow-origin") == "*"
    assert heard.header("access-control-allow-credentials") is None


async def test_params_may_be_left_out(endpoint: ToolsEndpoint) -> None:
    error = error_of(await post(endpoint, {"method": "oauth_register_client"}))
    assert error["message"] == "The parameter client_data is missing."


@pytest.mark.parametrize("body", [{}, {"method": None}, {"method": "nope"}, {"method": 5}])
async def test_an_unknown_method_lists_the_four(endpoint: ToolsEndpoint, body: object) -> None:
    heard = await post(endpoint, body)
    assert heard.status == 400
    assert all(tool in error_of(heard)["hint"] for tool in TOOLS)


async def test_a_refusal_has_its_own_status(endpoint: ToolsEndpoint, parts: Parts) -> None:
    _, challenge_id = await challenged(parts)
    given = signing_in(challenge_id, password="wrong")
    heard = await post(endpoint, {"method": "oauth_authenticate", "params": given})
    assert heard.status == 401
    assert error_of(heard)["code"] == "access_denied"
    assert b"wrong" not in heard.body
    heard = await post(endpoint, {"method": "oauth_token", "params": {"client_id": "client_x"}})
    assert heard.status == 401
    assert error_of(heard)["code"] == "invalid_client"
    assert heard.header("www-authenticate") is None


async def test_a_throttle_says_when_to_come_back(tmp_path: Path) -> None:
    async with parts_in(tmp_path, limits=LimitPolicy(registration="1/minute")) as parts:
        endpoint = ToolsEndpoint(toolbox(parts), lambda _: True)
        assert (await post(endpoint, REGISTER)).status == 200
        heard = await post(endpoint, REGISTER)
        assert heard.status == 429
        assert 1 <= int(heard.header("retry-after") or 0) <= 60
        assert error_of(heard)["retry_after"] == int(heard.header("retry-after") or 0)
        elsewhere = await post(endpoint, REGISTER, **{"authgate.address": "198.51.100.9"})
        assert elsewhere.status == 200


async def test_an_unreachable_store_is_503(
    endpoint: ToolsEndpoint, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: object) -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(type(parts.store), "register_client", gone)
    heard = await post(endpoint, REGISTER)
    assert (heard.status, heard.header("retry-after")) == (503, "5")
    assert error_of(heard)["code"] == "temporarily_unavailable"


async def test_a_bug_is_500_without_detail(
    endpoint: ToolsEndpoint, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(type(parts.store), "register_client", broken)
    heard = await post(endpoint, REGISTER)
    assert heard.status == 500
    assert b"secret detail" not in heard.body
    assert heard.header("x-request-id")


# --- the form of the request ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "given_type",
    [None, b"text/plain", b"application/x-www-form-urlencoded", b"application/jsonx", b"", b"\xff"],
)
async def test_another_content_type(endpoint: ToolsEndpoint, given_type: bytes | None) -> None:
    headers = [] if given_type is None else [(b"content-type", given_type)]
    heard = await ask(endpoint, scope_of(headers=headers), json.dumps(REGISTER).encode())
    assert heard.status == 400
    assert error_of(heard)["hint"] == "Set Content-Type: application/json."
    assert heard.header("access-control-allow-origin") == "*"


@pytest.mark.parametrize("given_type", [b"application/json; charset=utf-8", b"Application/JSON"])
async def test_the_content_type_in_other_words(endpoint: ToolsEndpoint, given_type: bytes) -> None:
    scope = scope_of(headers=[(b"content-type", given_type)])
    assert (await ask(endpoint, scope, json.dumps(REGISTER).encode())).status == 200


async def test_a_repeated_content_type(endpoint: ToolsEndpoint) -> None:
    assert (await post(endpoint, REGISTER, JSON_TYPE)).status == 400


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nonsense", b"[]", b'[{"jsonrpc": "2.0"}]', b'"text"', b"5", b"null", b"\xff{}",
     b'{"method": "\\ud800"}', b"[" * 60_000, b'{"a":' * 9000, b"NaN", b"\xef\xbb\xbf{}"],
)  # fmt: skip
async def test_what_is_no_json_object(endpoint: ToolsEndpoint, body: bytes) -> None:
    heard = await ask(endpoint, scope_of(headers=[JSON_TYPE]), body)
    assert heard.status == 400
    error_of(heard)


async def test_a_body_over_64_kib(endpoint: ToolsEndpoint) -> None:
    big = json.dumps({**REGISTER, "more": "a" * 70_000}).encode()
    for scope, chunks in (
        (scope_of(headers=[JSON_TYPE, (b"content-length", b"%d" % len(big))]), [big]),
        (scope_of(headers=[JSON_TYPE]), [big]),
        (scope_of(headers=[JSON_TYPE]), [big[:40_000], big[40_000:]]),
    ):
        heard = await ask(endpoint, scope, *chunks)
        assert heard.status == 413
        assert "65536" in error_of(heard)["message"]


async def test_a_body_in_pieces(endpoint: ToolsEndpoint) -> None:
    body = json.dumps(REGISTER).encode()
    heard = await ask(endpoint, scope_of(headers=[JSON_TYPE]), body[:10], b"", body[10:])
    assert heard.status == 200


async def test_a_caller_that_went_away_gets_no_answer(endpoint: ToolsEndpoint) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        pytest.fail(f"answered {message}")

    await endpoint(scope_of(headers=[JSON_TYPE]), receive, send)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PUT", "PATCH", "TRACE"])
async def test_other_methods_are_405(endpoint: ToolsEndpoint, method: str) -> None:
    heard = await ask(endpoint, scope_of(method))
    assert heard.status == 405
    assert heard.header("allow") == "POST, OPTIONS"
    assert heard.header("location") is None


# --- browsers ------------------------------------------------------------------------------------


async def test_preflight(endpoint: ToolsEndpoint) -> None:
    asked = [
        (b"origin", b"https://evil.example"),
        (b"access-control-request-method", b"POST"),
        (b"access-control-request-headers", b"content-type"),
    ]
    heard = await ask(endpoint, scope_of("OPTIONS", asked))
    assert heard.status == 204
    assert heard.header("access-control-allow-origin") == "*"
    assert "Content-Type" in (heard.header("access-control-allow-headers") or "")
    assert heard.header("access-control-allow-credentials") is None


@pytest.mark.parametrize("body", [REGISTER, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}])
@pytest.mark.parametrize(
    "origin", [b"https://evil.example", b"null", b"http://localhost:8000.evil"]
)
async def test_a_foreign_page_is_refused(
    endpoint: ToolsEndpoint, origin: bytes, body: object
) -> None:
    heard = await post(endpoint, body, (b"origin", origin))
    assert heard.status == 403
    assert "AUTHGATE_ALLOWED_ORIGINS" in error_of(heard)["hint"]
    assert heard.header("access-control-allow-origin") == "*"  # so that the page can read why


async def test_our_own_page_may_call(endpoint: ToolsEndpoint) -> None:
    assert (await post(endpoint, REGISTER, (b"origin", ISSUER.encode()))).status == 200
    twice = [(b"origin", ISSUER.encode()), (b"origin", b"https://evil.example")]
    assert (await post(endpoint, REGISTER, *twice)).status == 400


# --- whatever comes ------------------------------------------------------------------------------

_texts = st.one_of(
    st.text(max_size=40),
    st.sampled_from([REDIRECT, "S256", "authorization_code", EMAIL, PASSWORD, "a" * 9000, "\x00"]),
)
_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=8,
)
_names = st.sampled_from(
    [argument.name for tool in TOOLS.values() for argument in tool.takes]
    + ["redirect_uris", "client_name", "jwks", "contacts", "scope", "grant_types"]
)
_params = st.dictionaries(_names, _values, max_size=6)
_calls = st.fixed_dictionaries(
    {
        "method": st.one_of(st.sampled_from(list(TOOLS)), _values),
        "params": st.one_of(_params, st.fixed_dictionaries({"client_data": _params}), _values),
    }
)


def test_whatever_comes_gets_a_clear_answer(tmp_path: Path) -> None:
    """Never a 5xx, never a redirect, always a result or an error of the one form."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        limits = LimitPolicy(registration="100000/second", sign_in_address="100000/second")
        parts = runner.run(stack.enter_async_context(parts_in(tmp_path, limits=limits)))
        endpoint = ToolsEndpoint(toolbox(parts), lambda _: False)

        def check(heard: Heard) -> None:
            if heard.status == 200:
                assert heard.json().keys() == {"result"}
            else:
                assert 400 <= heard.status < 500
                error_of(heard)

        @settings(
            max_examples=250,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow],
        )
        @given(_calls)
        @example({"method": "oauth_authenticate", "params": {"provider": "\u202e\r\nx"}})
        @example({"method": "oauth_authorize", "params": {"client_id": "\x00", "redirect_uri": ""}})
        def calls(call: dict[str, Any]) -> None:
            check(runner.run(post(endpoint, call)))

        @settings(max_examples=100, deadline=None, derandomize=True)
        @given(st.binary(max_size=200), st.binary(max_size=30))
        def bytes_(body: bytes, content_type: bytes) -> None:
            for header in (JSON_TYPE, (b"content-type", content_type)):
                check(runner.run(ask(endpoint, scope_of(headers=[header]), body)))

        try:
            calls()
            bytes_()
        finally:
            runner.run(stack.aclose())
