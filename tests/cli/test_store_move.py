"""A server is stopped, its store copied, and started on PostgreSQL: nobody connected notices."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest

from authgate.cli.demo_visitor import Visitor
from tests import postgres
from tests.cli.conftest import PASSWORD, Operator
from tests.cli.serving import CALLBACK, HandClient, Server, running
from tests.live import reserved_port

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


def authorize(server: Server, client: HandClient) -> str:
    query = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": CALLBACK,
        "code_challenge": "c" * 43,
        "code_challenge_method": "S256",
    }
    return f"{server.url}/oauth/authorize?{urlencode(query)}"


def with_key(server: Server, key: str) -> int:
    headers = {"x-api-key": key, "accept": "application/json, text/event-stream"}
    url = server.url + "/mcp"
    return httpx2.post(url, json=CALL, headers=headers, trust_env=False, timeout=30).status_code


def signs_in(visitor: Visitor, url: str) -> bool:
    return "code" in parse_qs(urlsplit(visitor.follow(url)).query)


def test_a_move_to_postgresql(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = operator.add()
    key = operator.run("api-keys", "add", "reports", "--json").json["key"]
    operator.env["AUTHGATE_ROLLOUT"] = "optional"
    schema = postgres.new_schema()
    with reserved_port() as held, Visitor("ada@example.com", PASSWORD) as visitor:
        port = ("--port", str(held.getsockname()[1]))
        with running(operator, *port) as server:
            client, idle = HandClient(server), HandClient(server)
            client.sign_in()
            client.refresh()
            idle.sign_in()
            assert client.call() not in {401, 403}
            assert with_key(server, key) not in {401, 403}
            assert signs_in(visitor, authorize(server, client))
            refused = operator.run("store", "copy", "--to", postgres.shared().url)
            assert refused.code == 1
            assert "is in use. Stop the server" in refused.err
        copied = operator.run(
            *("store", "copy", "--to", postgres.shared().url, "--to-schema", schema, "--json")
        )
        assert copied.code == 0, copied.err
        assert copied.json["secret_key"] == "opens"

        moved = {
            "AUTHGATE_DATABASE_URL": postgres.shared().url,
            "AUTHGATE_DATABASE_SCHEMA": schema,
        }
        operator.env |= moved
        for name, value in moved.items():
            monkeypatch.setenv(name, value)
        old = operator.folder / "data" / "authgate.db"
        old.rename(old.with_name("put-away.db"))
        with running(operator, *port) as server:
            assert client.call() not in {401, 403}  # the old access token
            assert with_key(server, key) not in {401, 403}
            assert with_key(server, key + "x") == 401
            client.refresh()  # the old refresh token
            idle.refresh()
            assert client.call() not in {401, 403}
            visitor.password = "not the password at all"  # so the old session answers
            assert signs_in(visitor, authorize(server, client))
            assert client.kid == idle.kid
        assert not old.exists()
        (person,) = operator.run("people", "list", "--json").json
        assert person["sub"] == ada

        # and back
        back = operator.run("store", "copy", "--to", f"sqlite:///{old}")
        assert back.code == 0, back.err
        for name in moved:
            monkeypatch.delenv(name)
            del operator.env[name]
        with running(operator, *port) as server:
            assert client.call() not in {401, 403}
            idle.refresh()
