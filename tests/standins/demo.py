"""`make demo-supabase`: the stand-in as the project, and `authgate demo` for each of its people.

    python -m tests.standins.demo [--once]

The product knows nothing of the stand-in: it gets a project's URL and keys in its environment, like
any other. The last walk stays up on a terminal, as `authgate demo` does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.standins.running import running
from tests.standins.supabase import SupabaseStandin
from tests.standins.supabase_social import Social
from tests.standins.supabase_state import Options, ProviderPerson

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Walk:
    """One person's walk: what is said above it, what they type, and how the command is told."""

    title: str
    email: str
    types: str = field(default="", repr=False)
    how: tuple[str, ...] = ("--password-stdin",)


def with_password(standin: SupabaseStandin) -> Walk:
    ana = standin.state.add_user("ana@example.com", PASSWORD)
    return Walk("Ana, who has a password at Supabase", ana.email, f"{PASSWORD}\n")


def with_authenticator(standin: SupabaseStandin) -> Walk:
    tess = standin.state.add_user("tess@example.com", PASSWORD)
    code = standin.state.add_factor(tess).code()
    title = "Tess, who has an authenticator beside the password"
    return Walk(title, tess.email, f"{PASSWORD}\n{code}\n")


def with_github(standin: SupabaseStandin) -> Walk:
    gil = ProviderPerson("1001", "gil@example.com")
    standin.state.provider_people["github"].append(gil)
    Social(standin.state).join("github", gil)
    title = "Gil, who signed up at Supabase with GitHub and has no password"
    return Walk(title, gil.email, how=("--with", "github"))


# Ana is last: she stays.
PEOPLE: tuple[Callable[[SupabaseStandin], Walk], ...] = (
    with_authenticator,
    with_github,
    with_password,
)


def main(arguments: list[str]) -> int:
    """Walk for everybody; the first that fails ends it."""
    with running(Options(algorithm="ES256")) as standin:
        project = {
            "SUPABASE_URL": standin.url,
            "SUPABASE_PUBLISHABLE_KEY": standin.gate.publishable,
            "SUPABASE_SECRET_KEY": standin.gate.secret,
        }
        foreign = ("AUTHGATE_", "SUPABASE_", "WORKOS_")
        own = {name: text for name, text in os.environ.items() if not name.startswith(foreign)}
        print(f"A stand-in for a Supabase project answers at {standin.url}", flush=True)
        for number, person in enumerate(PEOPLE, 1):
            walk = person(standin)
            print(f"\n=== {walk.title} ===", flush=True)
            command = [sys.executable, "-m", "authgate", "demo", "--as", walk.email, *walk.how]
            # Empty, so that no .env of the working folder comes in between.
            command += ["--env-file", os.devnull, *arguments]
            last = number == len(PEOPLE)
            done = subprocess.run(
                command if last else [*command, "--once"],
                input=walk.types,
                text=True,
                env=own | project,
                check=False,
            )
            if done.returncode != 0:
                return done.returncode
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(0)
