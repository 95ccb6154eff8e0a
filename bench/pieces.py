"""Where a code exchange spends its time, piece by piece: `python -m bench.pieces`.

Each piece of the product is called by itself, warm and in a row, and the best of many rounds is
taken: the cost without neighbours. Under load every piece costs more (cold caches, the writer
thread takes turns with the event loop), so the sum is a lower bound and the shares are the message.
HTTP itself is not here; the discovery document's CPU time under load is about what it costs.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from authgate.app import now
from authgate.protocol import authorization_code
from authgate.protocol.records import AuditEvent, Grant, RefreshToken
from authgate.security.digests import digest, new_secret
from authgate.settings import Settings
from authgate.steps.client_authentication import authenticate
from authgate.store import sqlite_steps
from authgate.store.sqlite_file import connect
from authgate.web.answers import json_answer
from authgate.web.request import Request
from bench import messages
from bench.product import ADDRESS, Product

TIMES, ROUNDS, REDEEMED = 200, 40, 256


async def measure() -> list[tuple[str, float]]:
    """The pieces in their order, each with its µs."""
    with TemporaryDirectory(prefix="authgate-bench-") as folder:
        settings = Settings(_env_file=None, AUTHGATE_DATA_DIR=Path(folder))
        product = await Product.open(settings)
        found = await _reading(product)
        grant = await product.grant()
        found += _answering(product, grant)
        found += await _writing(product, grant, settings.sqlite_path)
        await product.core.close()
    return found


async def _reading(product: Product) -> list[tuple[str, float]]:
    parts = product.parts
    ((client_id, value),) = await product.codes(1)
    request = _request(client_id, value)
    form = request.form()
    client = await authenticate(parts, None, form, ADDRESS)
    code = await parts.store.code(digest(value))

    def judge() -> None:
        exchange = authorization_code.read(form)
        authorization_code.judge(code, client, exchange, now=now(), verifier_attempts=5)

    return [
        ("parse the form", _best(request.form)),
        (
            "read and prove the client",
            _best(lambda: _at_once(authenticate(parts, None, form, ADDRESS))),
        ),
        ("read the code", _best(lambda: _at_once(parts.store.code(digest(value))))),
        ("the rules, PKCE among them", _best(judge)),
    ]


def _answering(product: Product, grant: Grant) -> list[tuple[str, float]]:
    issuer = product.core.issuer
    answer = {"access_token": "x" * 500, "refresh_token": "x" * 43, "scope": "mcp:use"}
    return [
        ("sign the access token (ES256)", _best(lambda: issuer.mint(grant, grant.scopes, now()))),
        ("two random secrets, one digest", _best(lambda: (new_secret(), digest(new_secret())))),
        ("write the JSON", _best(lambda: json_answer(200, answer))),
    ]


async def _writing(product: Product, grant: Grant, path: Path) -> list[tuple[str, float]]:
    """The writer's statements in one transaction, and what its COMMIT costs whoever comes alone."""
    codes = [value for _, value in await product.codes(REDEEMED)]
    db = connect(path, 5.0)
    cursor = db.cursor()
    cursor.execute("BEGIN IMMEDIATE")
    begun = time.perf_counter()
    for value in codes:
        _redeem(cursor, value, grant)
    statements = (time.perf_counter() - begun) / REDEEMED * 1e6
    cursor.execute("ROLLBACK")

    def commit() -> None:
        cursor.execute("BEGIN IMMEDIATE")
        sqlite_steps.record(cursor, _audit())
        cursor.execute("COMMIT")

    alone = _best(commit, times=20, rounds=10)
    db.close()
    return [
        ("the writer's five statements", statements),
        ("a commit to the disk (shared by those who come together)", alone),
    ]


def _redeem(cursor: Any, value: str, grant: Grant) -> None:
    found = cursor.execute("SELECT grant_id FROM codes WHERE code_digest = ?", (digest(value),))
    fresh = Grant(
        grant_id=found.fetchone()[0],
        client_id=grant.client_id,
        person=grant.person,
        scopes=grant.scopes,
        resource=grant.resource,
        authenticated_at=now(),
        created_at=now(),
        last_used_at=now(),
        expires_at=now() + 3600,
    )
    token = RefreshToken(digest(new_secret()), fresh.grant_id, now(), now() + 3600)
    sqlite_steps.redeem_code(cursor, digest(value), fresh, token, now(), _audit(), 5)


def _audit() -> AuditEvent:
    return AuditEvent(now(), "token.issued", "done", "ag_bench", "client_bench", ADDRESS)


def _request(client_id: str, code: str) -> Request:
    head, body = messages.exchange("/oauth/token", 8000, client_id, code).split(b"\r\n\r\n", 1)
    body = body.replace(b"127.0.0.1%3A8000", b"localhost%3A8000")
    pairs = [line.partition(b": ") for line in head.split(b"\r\n")[1:]]
    return Request({"headers": [(name, value) for name, _, value in pairs]}, body)


def _at_once(step: Coroutine[Any, Any, object]) -> object:
    """Run a step that never waits: reads of this store do not."""
    try:
        step.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("the step waited")


def _best(call: Callable[[], object], times: int = TIMES, rounds: int = ROUNDS) -> float:
    best = float("inf")
    for _ in range(rounds):
        begun = time.perf_counter()
        for _ in range(times):
            call()
        best = min(best, (time.perf_counter() - begun) / times)
    return best * 1e6


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure())))
