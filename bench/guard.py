"""What the guard costs a call, measured in a process of its own: `python -m bench.guard ROUNDS`.

`Guard.admit` on a real token of a real grant in SQLite: with tokens it sees for the first time (the
signature is verified), then with one it knows (a look into memory). Both read the grant's row, as
every call does.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from authgate.app import now
from authgate.gateway.credentials import Credentials
from authgate.gateway.guard import Guard
from authgate.gateway.legacy import Legacy
from authgate.gateway.rollout import Rollout
from authgate.gateway.standing import ByGrant
from authgate.gateway.usage import Usage
from authgate.protocol.records import Grant
from authgate.protocol.tokens import Challenger
from authgate.settings import Settings
from authgate.web.origins import OriginRule
from authgate.web.request import Message, Request
from bench.product import Product

FRESH = 500
REPEATS = 5000


async def measure(rounds: int) -> dict[str, float]:
    """Medians in µs of CPU per call: other processes may come in between, and often do."""
    with TemporaryDirectory(prefix="authgate-bench-") as folder:
        settings = Settings(_env_file=None, AUTHGATE_DATA_DIR=Path(folder))
        product = await Product.open(settings)
        guard, grant = _guard(product), await product.grant()
        first, known = [], []
        for _ in range(rounds):
            fresh = [_request(product, grant) for _ in range(FRESH)]
            first.append(await _time(guard, fresh))
            known.append(await _time(guard, [fresh[0]] * REPEATS))
        await product.core.close()
    signature = median(_signature() for _ in range(rounds))
    return {"first_us": median(first), "known_us": median(known), "signature_us": signature}


def _guard(product: Product) -> Guard:
    policy, store = product.core.policy, product.core.store
    usage = Usage(store, now)
    legacy = Legacy(store, None, policy.scopes, usage.used)
    credentials = Credentials(frozenset({policy.issuer}))
    return Guard(
        issuer=product.core.issuer,
        standings=ByGrant(store),
        resource=policy.default_resource,
        scopes=policy.scopes,
        challenger=Challenger(policy.issuer + "/.well-known/x", policy.scopes),
        origins=OriginRule(frozenset()),
        clock=now,
        rollout=Rollout(credentials, legacy, usage, store),
        body_limit=65_536,
        first=lambda: None,
    )


def _request(product: Product, grant: Grant) -> Request:
    token = product.core.issuer.mint(grant, grant.scopes, now()).value
    headers = [
        (b"host", b"localhost:8000"),
        (b"accept", b"application/json, text/event-stream"),
        (b"content-type", b"application/json"),
        (b"mcp-protocol-version", b"2026-07-28"),
        (b"authorization", b"Bearer " + token.encode()),
        (b"content-length", b"120"),
    ]
    return Request({"type": "http", "method": "POST", "query_string": b"", "headers": headers})


async def _time(guard: Guard, requests: list[Request]) -> float:
    begun = time.process_time()
    for request in requests:
        await guard.admit(request, _nothing)
    return (time.process_time() - begun) / len(requests) * 1e6


def _signature() -> float:
    """One ES256 verification and no more: no guard can do without, and machines differ in it."""
    signed, kind = b"x" * 450, ec.ECDSA(hashes.SHA256())
    private = ec.generate_private_key(ec.SECP256R1())
    key, signature = private.public_key(), private.sign(signed, kind)
    begun = time.process_time()
    for _ in range(FRESH):
        key.verify(signature, signed, kind)
    return (time.process_time() - begun) / FRESH * 1e6


async def _nothing() -> Message:
    """A guard that asks for the body of a call with a token would be measured wrongly."""
    raise AssertionError


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(int(sys.argv[1])))))
