"""One call of a program that several clients of one person share.

Its id at the program is a number of ours; everything that carries it goes through here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, cast

from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp_types import INTERNAL_ERROR, RequestId

from authgate.gateway import jsonrpc
from authgate.protocol.errors import Refusal

HELD, HELD_SIZE = 256, 1 << 20  # notifications of a call that are not taken, and their bytes

Tell = Callable[[str, dict[str, Any]], Awaitable[None]]


class Call:
    """One request on its way; `original` is its id at the client, `number` at the program."""

    def __init__(self, original: RequestId, number: int, token: RequestId | None) -> None:
        self.original = original
        self.number = number
        self.token = token
        self.outcome: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._news: deque[tuple[str, dict[str, Any], int]] = deque()
        self._held = 0
        self._wake = asyncio.Event()
        self.outcome.add_done_callback(lambda _: self._wake.set())

    def notify(self, method: str, params: dict[str, Any], size: int) -> None:
        """Have something told. Whoever does not take it loses the oldest: the program's other
        calls, of the same person's other clients, must not wait for him."""
        self._news.append((method, params, size))
        self._held += size
        while len(self._news) > HELD or self._held > HELD_SIZE:
            self._held -= self._news.popleft()[2]
        self._wake.set()

    def settle(self, outcome: dict[str, Any] | MCPError) -> None:
        """This is how it ended."""
        if self.outcome.done():
            return
        if isinstance(outcome, MCPError):
            self.outcome.set_exception(outcome)
            self.outcome.exception()  # heard, also if nobody asks any more
        else:
            self.outcome.set_result(outcome)

    async def followed(self, tell: Tell, within: float) -> dict[str, Any]:
        """The result, after all that was told on the way; raises `MCPError`.

        `within` seconds there must be a first sign of life, or it raises `TimeoutError`.
        """
        async with asyncio.timeout(within) as limit:
            while True:
                await self._wake.wait()
                limit.reschedule(None)
                self._wake.clear()
                while self._news:
                    method, params, size = self._news.popleft()
                    self._held -= size
                    await tell(method, params)
                if self.outcome.done():
                    return self.outcome.result()


def error_of(refusal: Refusal) -> MCPError:
    said = jsonrpc.error_of(refusal)
    return MCPError(code=said["code"], message=said["message"], data=said["data"])


def program_error(error: object) -> MCPError:
    """A program's error, as it is."""
    if isinstance(error, dict) and isinstance(error.get("code"), int):
        return MCPError(
            code=error["code"], message=str(error.get("message")), data=error.get("data")
        )
    return MCPError(code=INTERNAL_ERROR, message="The answer was no JSON-RPC answer.")


def take_token(params: dict[str, Any], number: int) -> RequestId | None:
    """The client's progress token, with `number` in its place."""
    meta = params.get("_meta")
    if not isinstance(meta, dict) or "progressToken" not in meta:
        return None
    params["_meta"] = {**meta, "progressToken": number}
    return cast(RequestId, meta["progressToken"])


def as_client_knows(said: dict[str, Any], call: Call) -> dict[str, Any]:
    """Params or a result with the client's own id in the place of ours."""
    meta = said.get("_meta")
    if isinstance(meta, dict) and SUBSCRIPTION_ID_META_KEY in meta:
        return {**said, "_meta": {**meta, SUBSCRIPTION_ID_META_KEY: call.original}}
    return said


def number_of(named: object) -> int:
    """One of our numbers; SDKs have sent them back as strings."""
    if isinstance(named, str) and named.isascii() and named.isdigit():
        return int(named[:18])
    return named if isinstance(named, int) and not isinstance(named, bool) else -1
