"""`authgate clients …`: which programs registered, adding a resource server, removing one.

Names and URLs were chosen by strangers: they are shown as text, never as markup, and control
characters never reach the terminal. A running server refuses a removed client, and every token it
was given, from the next request on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from authgate.cli.common import USAGE, confirm, fail, moment, print_json, print_table, with_core
from authgate.cli.options import AsJson, EnvFile, Yes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authgate.app import Core
    from authgate.protocol.records import Client, Grant

commands = typer.Typer(help="List, show, add and remove registered clients.", no_args_is_help=True)

ClientId = Annotated[
    str, typer.Argument(metavar="CLIENT_ID", help="The client's identifier.", show_default=False)
]
PAGE = 1000
MAX_NAME = 100


@commands.command("add")
def add(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What you call it.", show_default=False)
    ],
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Make credentials for an MCP server elsewhere, which asks here whether tokens still count.

    It may ask about every access token that it is sent (/oauth/introspect), and nothing else: it
    cannot sign anybody in. The secret is shown once.

    \b
    Examples:
      authgate clients add weather
      authgate clients add weather --json
    """
    if not (name.isprintable() and 0 < len(name.strip()) <= MAX_NAME):
        fail(f"NAME is 1 to {MAX_NAME} characters that can be printed.", USAGE)

    async def work(core: Core) -> tuple[Client, str]:
        from authgate.app import now
        from authgate.protocol.records import AuditEvent
        from authgate.security.digests import digest, new_identifier, new_secret

        secret = new_secret()
        client = _resource_server(new_identifier("client_"), name.strip(), digest(secret), now())
        audit = AuditEvent(
            at=now(),
            event="client.add",
            outcome="done",
            actor="operator",
            client_id=client.client_id,
        )
        await core.store.register_client(client, audit)
        return client, secret

    client, secret = with_core(env_file, work)
    if as_json:
        print_json(_facts(client) | {"client_secret": secret})
    else:
        typer.echo(f"Added {_name(client)}. The secret is shown now and never again:")
        typer.echo(f"client id      {client.client_id}")
        typer.echo(f"client secret  {secret}")


def _resource_server(client_id: str, name: str, secret_digest: str, now: int) -> Client:
    """A client that an operator vouches for, without any way to get a token."""
    from authgate.protocol.records import Client

    return Client(
        client_id=client_id,
        redirect_uris=(),
        auth_method="client_secret_basic",
        grant_types=(),
        response_types=(),
        scopes=(),
        application_type="web",
        name=name,
        metadata={},
        issued_at=now,
        secret_digest=secret_digest,
        self_registered=False,
    )


@commands.command("list")
def list_(as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """List every registered client.

    \b
    Examples:
      authgate clients list
      authgate clients list --json
    """
    clients = with_core(env_file, _all)
    if as_json:
        print_json([_facts(client) for client in clients])
    elif not clients:
        typer.echo("No client has registered yet.")
    else:
        rows = [
            (c.client_id, _name(c), " ".join(c.redirect_uris), moment(c.issued_at), _last(c))
            for c in clients
        ]
        print_table(("client id", "name", "redirect URIs", "registered", "last used"), rows)


@commands.command("show")
def show(client_id: ClientId, as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """Show one client, what it registered, and who lets it in now.

    \b
    Example:
      authgate clients show CLIENT_ID
    """

    async def work(core: Core) -> tuple[Client, Sequence[Grant]]:
        from authgate.app import now

        client = await _find(core, client_id)
        return client, await core.store.grants(client_id=client_id, live_at=now())

    client, grants = with_core(env_file, work)
    facts = _facts(client) | {"metadata": dict(client.metadata), "grants": _grant_facts(grants)}
    if as_json:
        print_json(facts)
        return
    facts |= {
        "issued_at": moment(client.issued_at),
        "last_used_at": _last(client),
        "metadata": ", ".join(f"{key}={value}" for key, value in client.metadata.items()) or "–",
        "grants": "\n".join(f"{g.person.display}: {' '.join(g.scopes)}" for g in grants) or "none",
    }
    print_table(("", ""), [(name, _cell(value)) for name, value in facts.items()])


@commands.command("remove")
def remove(
    client_id: ClientId, yes: Yes = False, as_json: AsJson = False, env_file: EnvFile = None
) -> None:
    """Remove a client and end every token it was given. It may register again as a new one.

    \b
    Example:
      authgate clients remove CLIENT_ID --yes
    """

    async def work(core: Core) -> Client:
        from authgate.app import now
        from authgate.protocol.records import AuditEvent

        client = await _find(core, client_id)
        confirm(f"Remove {_name(client)} ({client_id}) and end all its tokens?", yes=yes)
        audit = AuditEvent(
            at=now(),
            event="client.remove",
            outcome="done",
            actor="operator",
            client_id=client_id,
        )
        if not await core.store.remove_client(client_id, now(), audit):
            _not_found(client_id)
        return client

    client = with_core(env_file, work)
    if as_json:
        print_json(_facts(client))
    else:
        typer.echo(f"Removed {_name(client)} ({client.client_id}).")


async def _all(core: Core) -> list[Client]:
    found: list[Client] = []
    while True:
        after = found[-1].client_id if found else ""
        page = await core.store.clients(limit=PAGE, after=after)
        found += page
        if len(page) < PAGE:
            return found


async def _find(core: Core, client_id: str) -> Client:
    client = await core.store.client(client_id) if client_id.isprintable() else None
    if client is None:
        _not_found(client_id)
    return client


def _not_found(client_id: str) -> NoReturn:
    fail(f"There is no client {client_id!r}. See: authgate clients list")


def _facts(client: Client) -> dict[str, object]:
    """A client for programs: these names stay. Secrets are not kept readable, so none is here."""
    return {
        "client_id": client.client_id,
        "client_name": client.name,
        "redirect_uris": list(client.redirect_uris),
        "token_endpoint_auth_method": client.auth_method,
        "grant_types": list(client.grant_types),
        "response_types": list(client.response_types),
        "scope": " ".join(client.scopes),
        "application_type": client.application_type,
        "self_registered": client.self_registered,
        "issued_at": client.issued_at,
        "last_used_at": client.last_used_at,
    }


def _grant_facts(grants: Sequence[Grant]) -> list[dict[str, object]]:
    return [
        {
            "grant_id": grant.grant_id,
            "sub": grant.person.sub,
            "person": grant.person.display,
            "scope": " ".join(grant.scopes),
            "resource": grant.resource,
            "created_at": grant.created_at,
            "last_used_at": grant.last_used_at,
            "expires_at": grant.expires_at,
        }
        for grant in grants
    ]


def _cell(value: object) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def _name(client: Client) -> str:
    return client.name or "(no name)"


def _last(client: Client) -> str:
    return moment(client.last_used_at) if client.last_used_at else "never"
