"""A whole server on PostgreSQL: a person, a client and an operator, and PostgreSQL going away."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.by_hand import CALLBACK, Hands
from tests.live import LiveServer, ServerFailed
from tests.postgres import Cluster, new_schema


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as own:
        own.run("ALTER ROLE authgate PASSWORD 'n0t-in-a-log'")
        yield own


def _env(cluster: Cluster, schema: str) -> dict[str, str]:
    url = cluster.url.replace("authgate@", "authgate:n0t-in-a-log@")
    return {"AUTHGATE_DATABASE_URL": url, "AUTHGATE_DATABASE_SCHEMA": schema}


def _status(hands: Hands, path: str) -> int:
    return hands.http.get(path).status_code


def _until(hands: Hands, path: str, status: int) -> None:
    deadline = time.monotonic() + 15
    while (got := _status(hands, path)) != status:
        assert time.monotonic() < deadline, got
        time.sleep(0.1)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_client_from_registration_to_revocation(cluster: Cluster, workers: int) -> None:
    with LiveServer(env=_env(cluster, new_schema()), workers=workers) as server:
        with Hands(server) as hands:
            client_id = hands.registered()["client_id"]
            tokens = hands.tokens(client_id)
            assert hands.whoami(tokens["access_token"])["client_id"] == client_id
            refreshed = hands.refresh(client_id, tokens["refresh_token"]).json()
            assert hands.knock(refreshed["access_token"]).status_code == 200
            code, verifier = hands.code(client_id)
            first = hands.exchange(client_id, code, verifier, redirect_uri=CALLBACK)
            again = hands.exchange(client_id, code, verifier, redirect_uri=CALLBACK)
            assert (first.status_code, again.json()["error"]) == (200, "invalid_grant")
            assert _status(hands, "/readyz") == 200
            end = {"token": refreshed["refresh_token"], "client_id": client_id}
            assert hands.http.post("/oauth/revoke", data=end).status_code == 200
            time.sleep(1 if workers > 1 else 0)
            assert hands.knock(refreshed["access_token"]).status_code == 401
        people = json.loads(server.cli("people", "list", "--json").stdout)
        assert len(people) == 2
        assert "PostgreSQL at 127.0.0.1" in server.logs()
        assert "n0t-in-a-log" not in server.logs()
        server.assert_quiet()


def test_postgresql_restarts_under_it(cluster: Cluster) -> None:
    with LiveServer(env=_env(cluster, new_schema())) as server, Hands(server) as hands:
        client_id = hands.registered()["client_id"]
        tokens = hands.tokens(client_id)
        cluster.stop("immediate")
        refused = hands.refresh(client_id, tokens["refresh_token"])
        assert refused.status_code == 503
        assert refused.json()["error"] == "temporarily_unavailable"
        assert int(refused.headers["Retry-After"]) > 0
        assert _status(hands, "/readyz") == 503
        assert _status(hands, "/healthz") == 200
        cluster.start()
        _until(hands, "/readyz", 200)
        assert hands.refresh(client_id, tokens["refresh_token"]).status_code == 200
        assert "n0t-in-a-log" not in server.logs()


def test_migrate_looks_makes_and_finds_nothing_to_do(cluster: Cluster, tmp_path: Path) -> None:
    env = {**_env(cluster, new_schema()), "AUTHGATE_PUBLIC_URL": "http://localhost"}
    server = LiveServer(env=env, folder=tmp_path)
    looked = server.cli("migrate", "--check", check=False)
    assert looked.returncode == 1
    assert "would run: 0001, 0002" in looked.stdout
    pending = json.loads(server.cli("migrate", "--check", "--json", check=False).stdout)["pending"]
    assert pending[0] == "0001"
    made = server.cli("migrate")
    assert "PostgreSQL at 127.0.0.1" in made.stdout
    assert "n0t-in-a-log" not in made.stdout + made.stderr
    after = server.cli("migrate", "--check", "--json")
    assert json.loads(after.stdout)["pending"] == []


def test_nobody_there_is_one_sentence_and_no_traceback(tmp_path: Path) -> None:
    url = "postgresql://authgate:n0t-in-a-log@127.0.0.1:1/authgate"
    env = {"AUTHGATE_DATABASE_URL": url, "AUTHGATE_PUBLIC_URL": "http://localhost"}
    server = LiveServer(env=env, folder=tmp_path)
    for command in (("migrate",), ("migrate", "--check"), ("people", "list")):
        done = server.cli(*command, check=False)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "PostgreSQL at 127.0.0.1:1/authgate cannot be reached" in done.stderr
        assert "n0t-in-a-log" not in done.stderr + done.stdout
    with pytest.raises(ServerFailed):
        server.start()
    server.close()
