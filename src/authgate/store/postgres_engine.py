"""An open PostgreSQL database and the ways to ask it, for the parts of `postgres.PostgresStore`.

Every call is one round trip and one transaction of its own, READ COMMITTED, on whichever connection
is free: no state of a session is used, so a transaction pooler may stand between. No method of the
contract but opening and closing. Neighbours: `postgres_pool` and `postgres_wire` below,
`postgres_schema` for what an opening checks and makes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from authgate.store import postgres_sql, rows
from authgate.store.contract import StoreUnavailable
from authgate.store.postgres_memory import Memory
from authgate.store.postgres_pool import Pool, PostgresPolicy
from authgate.store.postgres_schema import Place, pending, prepare
from authgate.store.postgres_wire import Given, Result, Row, Statement


class Engine:
    """Opens, closes and asks; what is asked the parts know."""

    def __init__(self, policy: PostgresPolicy) -> None:
        self._policy = policy
        self._place = Place(policy)
        # By the kept text itself: the parts name their statements as they do on SQLite.
        self._statements = {
            text: Statement(self._place.in_schema(text), order)
            for text, order in postgres_sql.ORDER.items()
        }
        self._pool: Pool | None = None
        self._grants = Memory(self._row_of(postgres_sql.GRANT), rows.grant)
        self._clients = Memory(self._row_of(postgres_sql.CLIENT), rows.client)
        self._api_keys = Memory(self._row_of(postgres_sql.API_KEY), rows.api_key)
        self._bars = Memory(self._row_of(postgres_sql.BAR_OF), rows.bar, absence=True)

    async def open(self) -> None:
        if self._pool is not None:
            return
        await asyncio.to_thread(prepare, self._place)
        self._pool = Pool(self._place.connect, self._policy, prepare=self._place.may_prepare)

    async def pending(self) -> Sequence[str]:
        return await asyncio.to_thread(pending, self._place)

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()
        for memory in (self._grants, self._clients, self._api_keys, self._bars):
            memory.clear()

    def pool_stats(self) -> dict[str, int]:
        """How many connections are open, busy and idle, and how many callers wait for one."""
        return self._pool.stats() if self._pool is not None else {}

    # --- asking -------------------------------------------------------------------------------

    async def _one(self, sql: str, given: Given = ()) -> Row | None:
        """The one row, if any."""
        found = (await self._run((sql, given)))[0].rows
        return found[0] if found else None

    async def _all(self, sql: str, given: Given = ()) -> list[Row]:
        return (await self._run((sql, given)))[0].rows

    async def _changed(self, sql: str, given: Given = ()) -> int:
        """How many rows the statement changed."""
        return (await self._run((sql, given)))[0].rowcount

    async def _together(self, *statements: tuple[str, Given]) -> list[Result]:
        """Several statements as one transaction in one round trip, all of them or none.

        Each sees what was committed before itself began, and what those before it did.
        """
        return await self._run(*statements)

    async def _forgetting(
        self, forget: Callable[[], None], *statements: tuple[str, Given]
    ) -> list[Result]:
        """The same for what changes something that is remembered.

        It is forgotten when the statements have come to their end, also if their caller has gone by
        then, and if their answer was lost: they may have happened.
        """
        run = self._run(*statements)
        run.add_done_callback(lambda _: forget())
        return await asyncio.shield(run)

    def _run(self, *statements: tuple[str, Given]) -> asyncio.Future[list[Result]]:
        if self._pool is None:
            raise StoreUnavailable("the store is not open")
        known = self._statements
        return self._pool.submit(
            [((s := known[sql]), s.values(given)) for sql, given in statements]
        )

    def _row_of(self, sql: str) -> Callable[[str], asyncio.Future[list[Result]]]:
        return lambda key: self._run((sql, (key,)))

    # --- what is forgotten, so that nothing older than a change is remembered -----------------

    def _forget_grant(self, grant_id: str) -> Callable[[], None]:
        return partial(self._grants.drop, grant_id)

    def _forget_client(self, client_id: str) -> Callable[[], None]:
        def forget() -> None:
            self._clients.drop(client_id)
            self._grants.clear()

        return forget

    def _forget_person(self, sub: str) -> Callable[[], None]:
        def forget() -> None:
            self._bars.drop(sub)
            self._grants.clear()

        return forget
