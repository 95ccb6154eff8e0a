"""`authgate people disconnect`, `link` and `unlink`: what somebody has here, and who they are.

For people of every directory: those of the embedded one by their address, all others by their
`sub`. Hung onto the other commands in `people`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from authgate.cli.common import confirm, print_json, with_core
from authgate.cli.options import AsJson, EnvFile, Yes

if TYPE_CHECKING:
    from authgate.app import Core
    from authgate.directories.by_hand import Somebody
    from authgate.protocol.records import Link

Person = Annotated[
    str,
    typer.Argument(
        metavar="EMAIL|SUB",
        show_default=False,
        help="The e-mail address (embedded directory), or the sub (every directory).",
    ),
]
WorkOSId = Annotated[
    str,
    typer.Argument(metavar="WORKOS_ID", show_default=False, help="The WorkOS user: user_…"),
]


def disconnect(
    person: Person, yes: Yes = False, as_json: AsJson = False, env_file: EnvFile = None
) -> None:
    """End a person's connections and browser sessions; they may sign in again at once.

    \b
    Examples:
      authgate people disconnect ada@example.com
      authgate people disconnect 8f14e45f-ceea-467f-a0e6-2d5b1b7c9f11 --yes
    """

    async def work(core: Core) -> tuple[Somebody, int]:
        from authgate.app import now
        from authgate.directories.by_hand import disconnect, find_somebody

        somebody = await find_somebody(core.store, person)
        confirm(f"End every connection and session of {somebody.shown}?", yes=yes)
        return somebody, await disconnect(core.store, somebody.sub, now())

    somebody, ended = with_core(env_file, work)
    if as_json:
        print_json({"sub": somebody.sub, "email": somebody.email, "ended": ended})
        return
    typer.echo(
        f"Disconnected {somebody.shown}: {connections(ended)} ended, and every browser session."
    )


def link(
    workos_id: WorkOSId,
    person: Person,
    yes: Yes = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Say by hand which person a WorkOS user is: whoever signs in as that user is this person.

    \b
    Examples:
      authgate people link user_01H7ZGXFP5C6BBQY6Z7277ZCT0 8f14e45f-ceea-467f-a0e6-2d5b1b7c9f11
    """

    async def work(core: Core) -> tuple[Link, Somebody]:
        from authgate.app import now
        from authgate.directories.by_hand import find_somebody, link_by_hand

        somebody = await find_somebody(core.store, person)
        confirm(f"Let {workos_id} be {somebody.shown}, with all that is theirs?", yes=yes)
        return await link_by_hand(core.store, workos_id, somebody.sub, now()), somebody

    made, somebody = with_core(env_file, work)
    if as_json:
        print_json(_facts(made, somebody))
    else:
        typer.echo(f"{made.workos_id} is {somebody.shown}, by the rule: {made.how}.")


def unlink(
    workos_id: WorkOSId, yes: Yes = False, as_json: AsJson = False, env_file: EnvFile = None
) -> None:
    """Forget which person a WorkOS user is. What was connected stays, until it is ended.

    \b
    Examples:
      authgate people unlink user_01H7ZGXFP5C6BBQY6Z7277ZCT0
    """

    async def work(core: Core) -> tuple[Link, Somebody]:
        from authgate.app import now
        from authgate.directories.by_hand import Somebody, unlink_by_hand

        confirm(f"Forget who {workos_id} is?", yes=yes)
        gone = await unlink_by_hand(core.store, workos_id, now())
        account = await core.store.account(gone.sub)
        return gone, Somebody(gone.sub, account.email if account else None)

    gone, somebody = with_core(env_file, work)
    if as_json:
        print_json(_facts(gone, somebody))
        return
    typer.echo(
        f"{gone.workos_id} is {somebody.shown} no more. Connections stay; to end them: "
        f"authgate people disconnect {gone.sub}"
    )


def connections(count: int) -> str:
    """So many connections, in words."""
    return "1 connection" if count == 1 else f"{count} connections"


def _facts(link: Link, somebody: Somebody) -> dict[str, object]:
    """A link for programs, both ends of it: these names stay."""
    return {
        "workos_id": link.workos_id,
        "sub": link.sub,
        "email": somebody.email,
        "how": link.how,
        "linked_at": link.linked_at,
    }
