"""What the traffic meets: nodes, nginx, PostgreSQL, Redis and an MCP server, with people in it."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from authgate.directories.passwords import Passwords
from authgate.protocol.records import Account, AuditEvent
from authgate.security.digests import new_identifier
from authgate.store.postgres import PostgresStore
from authgate.store.postgres_pool import PostgresPolicy
from bench.servers import Server
from bench.targets import peer
from tests.live import Person
from tests.nodes.fleet import Fleet, Node
from tests.postgres import Cluster
from tests.valkey import Valkey

POOL = 10  # connections to PostgreSQL that a node may open: the default
ROTATED_AFTER = 10
"""Seconds until a rotated key signs. The ten minutes that it has by itself are cut in the table."""
OUT_FOR = 1.5
PASSWORD = "correct horse battery staple"
DUE_A_SECOND = 2

# Rows that nothing can need any more from some moment of the run on, one after the other: what the
# traffic itself leaves behind is due later than any run is long. `due` is that moment.
_DUE = {
    "authorization_requests": (
        "request_digest, kind, client_id, redirect_uri, code_challenge, scopes, resource, prompt,"
        " cross_site, created_at, expires_at",
        "name, 'tool', 'soak', 'x', 'x', 'x', 'x', '', 0, due - 1200, due - 600",
    ),
    "sessions": (
        "session_digest, sub, directory, display, methods, assurance, created_at, expires_at",
        "name, 'soak', 'embedded', 'x', 'pwd', 1, due - 46800, due - 3600",
    ),
    "codes": (
        "code_digest, grant_id, client_id, redirect_uri, code_challenge, scopes, resource, sub,"
        " directory, display, methods, assurance, authenticated_at, issued_at, expires_at,"
        " failures, redeemed_at",
        "name, name, 'soak', 'x', 'x', 'x', 'x', 'soak', 'embedded', 'x', 'pwd', 1, 1, 1,"
        " due - 2592000, 0, due - 2592000",
    ),
    "grants": (
        "grant_id, client_id, sub, directory, display, methods, assurance, scopes, resource,"
        " authenticated_at, created_at, last_used_at, expires_at, revoked_at, revoked_reason",
        "name, 'soak', 'soak', 'embedded', 'x', 'pwd', 1, 'x', 'x', 1, 1, 1, due, due - 2595600,"
        " 'x'",
    ),
    "refresh_tokens": (
        "token_digest, grant_id, issued_at, expires_at",
        "name, name, 1, due",
    ),
    "clients": (
        "client_id, redirect_uris, auth_method, grant_types, response_types, scopes,"
        " application_type, metadata, issued_at, self_registered",
        "name, '[]', 'none', 'x', '[]', 'x', 'web', '{}', due - 86400, 1",
    ),
    "audit_events": (
        "at, event, outcome, client_id, detail",
        "due - 31536000, 'soak', 'done', name, '{}'",
    ),
}
SWEPT = {table: columns.partition(",")[0] for table, (columns, _) in _DUE.items()}
SWEPT["audit_events"] = "client_id"
"""The tables with such rows, and the column that tells them apart."""


class World:
    """Everything but the traffic, from `start` to `close`."""

    def __init__(self, nodes: int, people: int) -> None:
        self.people = [Person(f"person-{n}@example.com", PASSWORD) for n in range(people)]
        self._count = nodes
        self._stack = ExitStack()
        self.cluster: Cluster
        self.valkey: Valkey
        self.fleet: Fleet
        self.upstream: Server
        self.rotations = 0
        self._filled_at = 0
        self.restarted: list[Node] = []

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def nginx_pid(self) -> int:
        return int((self.fleet.folder / "nginx.pid").read_text())

    @property
    def nodes(self) -> list[Node]:
        return self.fleet.nodes

    def start(self) -> Self:
        self.cluster = self._stack.enter_context(Cluster())
        self.valkey = self._stack.enter_context(Valkey())
        self.upstream = self._stack.enter_context(peer("small", "small")).server
        env = {
            "AUTHGATE_LIMITS_URL": self.valkey.url,
            "AUTHGATE_UPSTREAM": f"http://127.0.0.1:{self.upstream.port}/mcp",
            "AUTHGATE_DATABASE_POOL": str(POOL),
        }
        fleet = Fleet(self._count, env=env, people=(), cluster=self.cluster)
        self.fleet = self._stack.enter_context(fleet)
        return self

    def close(self) -> None:
        self._stack.close()

    # --- before ------------------------------------------------------------------------------

    async def furnish(self, seconds: float) -> None:
        """Sign people up, and put in what will be due for sweeping in the course of the run."""
        store = PostgresStore(PostgresPolicy(self.fleet.database))
        await store.open()
        passwords = Passwords()
        try:
            hashed, now = await passwords.hash(PASSWORD), int(time.time())
            for person in self.people:
                sub = new_identifier("ag_")
                account = Account(sub, person.email, person.email, hashed, now)
                audit = AuditEvent(now, "person.add", "done", "operator")
                assert await store.add_account(account, audit)
        finally:
            passwords.close()
            await store.close()
        await asyncio.to_thread(self._fill, int(seconds))

    def _fill(self, seconds: int) -> None:
        self._filled_at = int(time.time())
        for table, (columns, values) in _DUE.items():
            self.cluster.run(
                f"INSERT INTO authgate.{table} ({columns}) SELECT {values} FROM (SELECT"
                f" 'soak-' || n AS name, {self._filled_at} + n / {DUE_A_SECOND} AS due"
                f" FROM generate_series(0, {seconds * DUE_A_SECOND - 1}) n) made"
            )

    # --- what happens in the middle ----------------------------------------------------------

    async def rotate_keys(self) -> None:
        """A new key, published at once; it signs a little later."""
        await asyncio.to_thread(self.nodes[0].cli, "keys", "rotate")
        await asyncio.to_thread(
            self.cluster.run,
            f"UPDATE authgate.signing_keys SET signs_from = {int(time.time()) + ROTATED_AFTER}"
            " WHERE created_at = (SELECT max(created_at) FROM authgate.signing_keys)",
        )
        self.rotations += 1

    async def restart(self, node: Node, renew: Any) -> None:
        """Take a node out, stop it by SIGTERM when it has drained, start it, take it in again."""
        renew()
        self.fleet.serve_by([each for each in self.nodes if each is not node])
        await asyncio.sleep(OUT_FOR)
        code = await asyncio.to_thread(node.stop)
        assert code == 0, f"a stopped node ended with {code}"
        await asyncio.to_thread(node.restart)
        self.restarted.append(node)
        renew()
        self.fleet.serve_by(self.nodes)
        await asyncio.sleep(OUT_FOR)

    # --- what it holds -----------------------------------------------------------------------

    def rows(self) -> dict[str, int]:
        """Of every table, counted; without those that were put in to be swept."""
        told = self.cluster.run(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'authgate'"
        )
        return {name: self._count_rows(name) for (name,) in told if name != "alembic_version"}

    def _count_rows(self, table: str) -> int:
        key = SWEPT.get(table)
        where = f" WHERE {key} IS NULL OR {key} NOT LIKE 'soak-%'" if key else ""
        ((count,),) = self.cluster.run(f"SELECT count(*) FROM authgate.{table}{where}")
        return int(count)

    def due_left(self) -> dict[str, int]:
        """How many rows that were put in to be swept are still there."""
        return {
            table: int(
                self.cluster.run(
                    f"SELECT count(*) FROM authgate.{table} WHERE {key} LIKE 'soak-%'"
                )[0][0]
            )
            for table, key in SWEPT.items()
        }

    def overdue(self, until: float) -> dict[str, int]:
        """How many of them are still there that were due before this moment."""
        first = max(0, int((until - self._filled_at) * DUE_A_SECOND))
        return {
            table: int(
                self.cluster.run(
                    f"SELECT count(*) FROM authgate.{table} WHERE {key} LIKE 'soak-%'"
                    f" AND substr({key}, 6)::bigint < {first}"
                )[0][0]
            )
            for table, key in SWEPT.items()
        }

    def sizes(self) -> dict[str, int]:
        """Bytes of every table with its indexes."""
        told = self.cluster.run(
            "SELECT relname, pg_total_relation_size(relid) FROM pg_stat_user_tables"
            " WHERE schemaname = 'authgate'"
        )
        return {name: int(size) for name, size in told}

    def database(self) -> dict[str, int]:
        """What PostgreSQL counts: transactions, deadlocks, write-ahead log."""
        ((commits, rollbacks, deadlocks, wal),) = self.cluster.run(
            "SELECT xact_commit, xact_rollback, deadlocks, pg_current_wal_lsn() - '0/0'"
            " FROM pg_stat_database WHERE datname = current_database()"
        )
        return {
            "commits": int(commits),
            "rollbacks": int(rollbacks),
            "deadlocks": int(deadlocks),
            "wal": int(wal),
        }

    def updates(self) -> dict[str, tuple[int, int]]:
        """Updated rows by table, and how many of them took no new entry in an index (HOT)."""
        told = self.cluster.run(
            "SELECT relname, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables"
            " WHERE schemaname = 'authgate' AND n_tup_upd > 0 ORDER BY relname"
        )
        return {name: (int(rows), int(hot)) for name, rows, hot in told}

    def connections(self) -> int:
        """Those of authgate to PostgreSQL."""
        ((count,),) = self.cluster.run(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'authgate'"
        )
        return int(count)

    def limit_keys(self) -> int:
        """Keys in Redis."""
        client = self.valkey.client()
        try:
            return int(client.dbsize())
        finally:
            client.close()
