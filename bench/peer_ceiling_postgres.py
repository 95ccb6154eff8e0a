"""The ceiling on PostgreSQL: the bare work of `peer_ceiling`, durable, one statement a request.

The same driver and as many connections as authgate has by default. Where the database is, is in
BENCH_DATABASE_URL. Not a product either.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import orjson
from psycopg_pool import AsyncConnectionPool

from bench.peer_ceiling import Answer, Ceiling, b64

CONNECTIONS = 10
_JSON = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]

_MAKE = """
CREATE SCHEMA IF NOT EXISTS ceiling;
CREATE TABLE IF NOT EXISTS ceiling.clients (client_id text PRIMARY KEY, document text NOT NULL);
CREATE TABLE IF NOT EXISTS ceiling.codes (
    code text PRIMARY KEY, client_id text NOT NULL, redirect_uri text NOT NULL,
    challenge text NOT NULL, resource text NOT NULL, redeemed_at bigint);
CREATE TABLE IF NOT EXISTS ceiling.refresh_tokens (
    token text PRIMARY KEY, client_id text NOT NULL, resource text NOT NULL, used_at bigint)
"""
_REGISTER = "INSERT INTO ceiling.clients VALUES (%s, %s)"
_ISSUE = "INSERT INTO ceiling.codes VALUES (%s, %s, %s, %s, %s)"
_EXCHANGE = """
WITH won AS (
    UPDATE ceiling.codes SET redeemed_at = 1
    WHERE code = %s AND redeemed_at IS NULL AND client_id = %s AND redirect_uri = %s
        AND challenge = %s
    RETURNING client_id, resource)
INSERT INTO ceiling.refresh_tokens SELECT %s, client_id, resource FROM won RETURNING resource
"""
_REFRESH = """
WITH won AS (
    UPDATE ceiling.refresh_tokens SET used_at = 1
    WHERE token = %s AND used_at IS NULL AND client_id = %s
    RETURNING client_id, resource)
INSERT INTO ceiling.refresh_tokens SELECT %s, client_id, resource FROM won RETURNING resource
"""


def build(port: int) -> Callable[..., Awaitable[None]]:
    """The application."""
    return OnPostgres(f"http://127.0.0.1:{port}")


class OnPostgres(Ceiling):
    """Clients are read from memory, as a cache would have them; the rest is in the database."""

    _pool: AsyncConnectionPool

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            self._pool = AsyncConnectionPool(
                os.environ["BENCH_DATABASE_URL"],
                min_size=CONNECTIONS,
                max_size=CONNECTIONS,
                open=False,
                kwargs={"autocommit": True, "prepare_threshold": 0},
            )
            await self._pool.open(wait=True)
            async with self._pool.connection() as connection:
                await connection.execute(_MAKE, prepare=False)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self._pool.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
        body = (await receive()).get("body", b"") if scope["method"] == "POST" else b""
        status, answer, headers = await self._answer(scope, body)
        headers = [*headers, (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _answer(self, scope: Any, body: bytes) -> Answer:
        match scope["path"]:
            case "/register":
                return await self._kept_client(scope, body)
            case "/authorize":
                return await self._kept_code(scope, body)
            case "/token":
                return await self._durable_token(body)
            case _:
                return self._discovery(scope, body)

    async def _kept_client(self, scope: Any, body: bytes) -> Answer:
        answer = self._register(scope, body)
        client_id = orjson.loads(answer[1])["client_id"]
        await self._ask(_REGISTER, (client_id, answer[1].decode()))
        return answer

    async def _kept_code(self, scope: Any, body: bytes) -> Answer:
        answer = self._authorize(scope, body)
        code, kept = self._codes.popitem()
        await self._ask(_ISSUE, (code, *kept))
        return answer

    async def _durable_token(self, body: bytes) -> Answer:
        form = dict(parse_qsl(body.decode()))
        client_id, refresh = form["client_id"], secrets.token_urlsafe(32)
        if form["grant_type"] == "refresh_token":
            row = await self._ask(_REFRESH, (form["refresh_token"], client_id, refresh))
        else:
            verifier = hashlib.sha256(form["code_verifier"].encode()).digest()
            given = (form["code"], client_id, form["redirect_uri"], b64(verifier).decode(), refresh)
            row = await self._ask(_EXCHANGE, given)
        if row is None or client_id not in self._clients:
            return 400, b'{"error":"invalid_grant"}', _JSON
        return self._tokens(client_id, row[0], refresh)

    async def _ask(self, statement: str, given: tuple[str, ...]) -> Any:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(statement, given)
            return await cursor.fetchone() if cursor.description else None
