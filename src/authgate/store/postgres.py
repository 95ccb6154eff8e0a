"""The store on PostgreSQL: the whole contract, for any number of nodes.

`postgres_engine` connects and asks; the parts know what. Sign-ins at a provider are in
`postgres_social`, people whom another service knows too in `postgres_people`, a rollout in
`postgres_rollout`, signing keys and the trail in `postgres_keys`, the life of tokens in
`postgres_steps`, and the rest in `postgres_upkeep`. SQLAlchemy is nowhere on this path. Never here:
SQL text (`postgres_sql`), the mapping of rows (`rows`), a rule of OAuth.
"""

from __future__ import annotations

from authgate.protocol.records import Client, Grant
from authgate.store import postgres_sql as sql
from authgate.store.contract import StoreUnavailable
from authgate.store.postgres_keys import KeysAndTrail
from authgate.store.postgres_people import PeopleElsewhere
from authgate.store.postgres_rollout import Rollout
from authgate.store.postgres_social import Social
from authgate.store.postgres_steps import Steps
from authgate.store.postgres_sweep import Sweep
from authgate.store.postgres_upkeep import Upkeep


class PostgresStore(Steps, Upkeep, Sweep, Social, PeopleElsewhere, Rollout, KeysAndTrail):
    """See `contract.Store` for what each method promises."""

    async def ping(self) -> None:
        # Asked of every node again and again: nothing is written, or they would all wait for one
        # row. A server that cannot write says so itself (a standby, read-only by setting), and a
        # full disk takes it down.
        writable, revision = await self._together((sql.WRITABLE, ()), (sql.REVISION, ()))
        if writable.rows != [("off",)] or not revision.rows:
            raise StoreUnavailable("the database is read-only now")

    async def clock(self) -> float | None:
        found = await self._one(sql.CLOCK)
        return int(found[0]) / 1000 if found is not None else None

    async def client(self, client_id: str) -> Client | None:
        return await self._clients.get(client_id)

    async def grant(self, grant_id: str) -> Grant | None:
        return await self._grants.get(grant_id)
