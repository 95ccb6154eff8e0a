"""What goes wrong around a server, and what must hold all the while. A module is a fault.

Five promises, which `traffic.Verdict` checks for whoever was a client of the server meanwhile:

A. An answer that was given stays true: a token works, a code or an old refresh token stays spent, a
   registration is kept.
B. Nothing is spent twice: a code buys once, a refresh token has one successor.
C. A lost answer can be asked for again, or ends in `invalid_grant` (a code), never in a grant that
   died without a thief (a refresh).
D. Trouble is a 503 `temporarily_unavailable` with Retry-After, within a deadline: never another
   5xx, never a sign-in, never a 401 or `invalid_grant`, at which clients throw their tokens away.
E. It is well again by itself within ten seconds of the cause's end.

The server is a process of its own wherever that can be (`tests.live`), and the fault is real where
the machine allows it: a full file system, another process's lock, a clock that jumps, an upstream
that accepts and says nothing. Helpers: `traffic` (clients that record every answer), `wire` (the
connection under them, which hides nothing), `places` (servers and what surrounds them).

Faults that have their test elsewhere:

- many nodes: kills, a restarted, frozen, full or refusing PostgreSQL, one node cut off from it,
  wrong clocks, a lost limit store, races: `tests/nodes`;
- kill -9 in mid-exchange, SIGTERM under load: `tests/conformance/test_crash.py`;
- restart and then old tokens: `tests/trust/test_promises.py`;
- a lock, lost rights and a failing disk as the store sees them: `tests/store/test_sqlite.py`;
- a hanging, cut, huge or lying Supabase or WorkOS as one sign-in sees it: `tests/directories`;
- an MCP server behind the gateway that dies, hangs or never ends: `tests/gateway/test_proxy*.py`;
- keys that rotate, made-up key names, a JWKS that fails, as the issuer sees them: `tests/issuers`.
"""
