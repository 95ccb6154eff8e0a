"""`authgate clients …`; what it does to a running server is in test_serve."""

from __future__ import annotations

import asyncio
import re

import pytest

from authgate.app import build_core
from authgate.protocol.records import AuditEvent, Client
from authgate.settings import load
from tests.cli.conftest import Operator

FACTS = {
    "client_id",
    "client_name",
    "redirect_uris",
    "token_endpoint_auth_method",
    "grant_types",
    "response_types",
    "scope",
    "application_type",
    "self_registered",
    "issued_at",
    "last_used_at",
}


def client(client_id: str, name: str | None = "Some client") -> Client:
    return Client(
        client_id=client_id,
        redirect_uris=("https://client.example/callback", "http://localhost/callback"),
        auth_method="client_secret_post",
        grant_types=("authorization_code", "refresh_token"),
        response_types=("code",),
        scopes=("mcp:use",),
        application_type="native",
        name=name,
        metadata={"client_uri": "https://client.example"},
        issued_at=1_700_000_000,
        secret_digest="d1ge57" * 10 + "abcd",
    )


def register(*clients: Client) -> None:
    """Put clients where the registration endpoint would."""

    async def work() -> None:
        core = build_core(load())
        await core.store.open()
        for one in clients:
            await core.store.register_client(one, AuditEvent(0, "client.register", "done"))
        await core.close()

    asyncio.run(work())


def test_a_clients_end(operator: Operator) -> None:
    register(client("client_b"), client("client_a", None))
    listed = operator.run("clients", "list", "--json").json
    assert [one["client_id"] for one in listed] == ["client_a", "client_b"]
    assert all(set(one) == FACTS for one in listed)
    shown = operator.run("clients", "show", "client_b", "--json").json
    assert set(shown) == FACTS | {"metadata", "grants"}
    assert shown["metadata"] == {"client_uri": "https://client.example"}
    assert shown["grants"] == []

    removed = operator.run("clients", "remove", "client_b", "--yes", "--json").json
    assert removed == listed[1]
    assert [one["client_id"] for one in operator.run("clients", "list", "--json").json] == [
        "client_a"
    ]


def test_for_people(operator: Operator) -> None:
    assert operator.run("clients", "list").out == "No client has registered yet.\n"
    register(client("client_a"), client("client_b", None))
    out = operator.run("clients", "list").out
    for words in ("client_a", "Some client", "(no name)", "https://client.example/callback"):
        assert words in out
    shown = operator.run("clients", "show", "client_a").out
    assert "client_secret_post" in shown
    assert "https://client.example" in shown
    assert operator.run("clients", "remove", "client_a", "--yes").out == (
        "Removed Some client (client_a).\n"
    )


def test_digests_of_secrets_are_not_shown(operator: Operator) -> None:
    register(client("client_a"))
    for more in ((), ("--json",)):
        assert "d1ge57" not in operator.run("clients", "show", "client_a", *more).out


def test_names_are_text_and_no_markup(operator: Operator) -> None:
    register(client("client_a", "[red]a[/red] [link=https://evil.example]b[/link]"))
    out = operator.run("clients", "list").out
    assert "[red]a[/red]" in re.sub(r"\s+", " ", out)
    assert "\x1b" not in out


@pytest.mark.parametrize("command", ["show", "remove"])
@pytest.mark.parametrize("client_id", ["client_x", "", "a\x1b[31mb"])
def test_no_such_client(operator: Operator, command: str, client_id: str) -> None:
    more = ["--yes"] if command == "remove" else []
    done = operator.run("clients", command, client_id, *more)
    assert (done.code, done.out) == (1, "")
    assert "authgate clients list" in done.err
    assert "\x1b" not in done.err


def test_removing_without_a_terminal_needs_yes(operator: Operator) -> None:
    register(client("client_a"))
    done = operator.run("clients", "remove", "client_a")
    assert (done.code, done.out) == (2, "")
    assert len(operator.run("clients", "list", "--json").json) == 1


def test_a_resource_server_gets_a_secret_once_and_no_way_to_tokens(operator: Operator) -> None:
    done = operator.run("clients", "add", "  weather  ", "--json")
    assert done.code == 0
    made = done.json
    assert made.keys() == FACTS | {"client_secret"}
    assert (made["client_name"], made["self_registered"]) == ("weather", False)
    assert (made["redirect_uris"], made["grant_types"], made["scope"]) == ([], [], "")
    assert made["token_endpoint_auth_method"] == "client_secret_basic"
    shown = operator.run("clients", "show", made["client_id"], "--json")
    assert made["client_secret"] not in shown.out
    said = operator.run("clients", "add", "another").out
    assert re.search(r"^client id +client_[\w-]+$", said, re.MULTILINE)
    assert re.search(r"^client secret +[\w-]{40,}$", said, re.MULTILINE)


@pytest.mark.parametrize("name", ["", " ", "a\x1b[2J", "n" * 101])
def test_a_resource_server_has_a_name_that_can_be_shown(operator: Operator, name: str) -> None:
    assert operator.run("clients", "add", name).code == 2
    assert operator.run("clients", "list", "--json").json == []
