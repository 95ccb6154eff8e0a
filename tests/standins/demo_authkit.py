"""`make demo-authkit`: a stand-in as AuthKit issues the tokens, and `authgate demo` walks there.

    python -m tests.standins.demo_authkit [--once]

The product knows nothing of the stand-ins: it gets their addresses and keys in its environment, and
both are set up for it as their dashboards would be. The last walk stays up on a terminal.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.live import reserved_port
from tests.standins.demo import with_authenticator
from tests.standins.running import running, running_workos
from tests.standins.supabase_state import Options
from tests.standins.workos import WorkOSStandIn

FOREIGN = ("AUTHGATE_", "SUPABASE_", "WORKOS_")


@contextmanager
def workos_for(port: int) -> Iterator[WorkOSStandIn]:
    """A WorkOS environment set up for an authgate at this port."""
    home = f"http://localhost:{port}"
    with running_workos(login_uri=f"{home}/oauth/login", resources=[f"{home}/mcp"]) as workos:
        print("In WorkOS's dashboard, which a stand-in plays:", flush=True)
        print(f"    AuthKit domain       {workos.authkit_url}")
        print(f"    Login URI            {workos.login_uri}")
        print(f"    Resource indicator   {workos.resources[0]}", flush=True)
        yield workos


def settings_of(workos: WorkOSStandIn) -> dict[str, str]:
    """What an operator copies from that dashboard."""
    return {
        "AUTHGATE_ISSUER": "authkit",
        "WORKOS_AUTHKIT_DOMAIN": workos.authkit_url,
        "WORKOS_API_KEY": workos.api_key,
        "WORKOS_API_URL": workos.api_url,
    }


def walk(port: int, arguments: list[str], settings: Mapping[str, str], types: str = "") -> int:
    """`authgate demo` with these settings and no others; its exit code."""
    own = {name: text for name, text in os.environ.items() if not name.startswith(FOREIGN)}
    command = [sys.executable, "-m", "authgate", "demo", "--authkit", "--port", str(port)]
    # Empty, so that no .env of the working folder comes in between.
    command += ["--env-file", os.devnull, *arguments]
    done = subprocess.run(command, input=types or None, text=True, env=own | settings, check=False)
    return done.returncode


def main(arguments: list[str]) -> int:
    """Two walks; the first that fails ends it."""
    with reserved_port() as held:
        port: int = held.getsockname()[1]
        with workos_for(port) as workos, running(Options(algorithm="ES256")) as supabase:
            tess = with_authenticator(supabase)
            print("\n=== Tess, of a Supabase project, with an authenticator ===", flush=True)
            project = {
                "SUPABASE_URL": supabase.url,
                "SUPABASE_PUBLISHABLE_KEY": supabase.gate.publishable,
                "SUPABASE_SECRET_KEY": supabase.gate.secret,
            }
            who = ["--as", tess.email, *tess.how, "--once"]
            code = walk(port, who, settings_of(workos) | project, tess.types)
            if code == 0:
                print("\n=== Somebody of authgate's own people ===", flush=True)
                code = walk(port, arguments, settings_of(workos))
            return code


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(0)
