"""A kept session of Supabase's in two workers: one of them refreshes it, and both go on."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from tests.live import LiveServer, Person
from tests.standins.running import running
from tests.standins.supabase_state import Options
from tests.trust.walk import Walk

EVE = Person("eve@example.com", "a password of nobody else")
KEPT = "People's sessions at Supabase are kept"
REFRESH = "/token?grant_type=refresh_token"
AT_ONCE = 16


def test_two_workers_never_use_one_refresh_token_at_once() -> None:
    options = Options(known_takes=0, unknown_takes=0, rate_limited=False, access_lasts=20)
    with running(options) as project:
        project.state.add_user(EVE.email, EVE.password)
        settings = {
            "SUPABASE_URL": project.url,
            "SUPABASE_PUBLISHABLE_KEY": project.gate.publishable,
            "AUTHGATE_SUPABASE_KEEP_SESSION": "true",
        }
        with LiveServer(env=settings, people=(), workers=2) as server:
            with closing(Walk(server.url, EVE)) as walk:
                held = [_connected(walk) for _ in range(AT_ONCE)]
                _restart(server)
                options.access_lasts = 3600
                project.fault(REFRESH, delay=0.5)  # time enough for the others to come
                with ThreadPoolExecutor(AT_ONCE) as pool:
                    answers = list(pool.map(lambda one: _refresh(server.url, *one), held))
            server.assert_quiet()
    assert answers == [200] * AT_ONCE
    assert project.calls(REFRESH) == 1
    (session,) = project.state.sessions.values()
    assert len(session.refresh) == 2


def _restart(server: LiveServer) -> None:
    """Nobody remembers anything of her then. Both workers are there when both have told so."""
    before = server.logs().count(KEPT)
    server.restart()
    until = time.monotonic() + 20
    while server.logs().count(KEPT) < before + 2:
        assert time.monotonic() < until, server.logs()
        time.sleep(0.05)


def _connected(walk: Walk) -> tuple[dict[str, Any], dict[str, Any]]:
    client = walk.register()
    return client, walk.tokens(client)


def _refresh(url: str, client: dict[str, Any], tokens: dict[str, Any]) -> int:
    """From a connection of its own: the kernel gives each to one of the workers."""
    with closing(Walk(url, EVE)) as walk:
        return walk.refresh(client, tokens["refresh_token"]).status_code
