"""How a call to WorkOS is made, judged and told to the log; which calls there are is `client`'s.

The SDK makes them; what it does badly is worked round here and beside: its retries (up to a minute
in a sign-in, and of single-use things), its strict models (`reading`), its errors that differ by
endpoint (`exchange`), its way out (`transport`), and the environment that it reads by itself, over
the heads of our settings.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from authgate.observe import log
from authgate.observe.outbound import answered, calling
from authgate.workos import reading
from authgate.workos.exchange import Exchange, Lost, current
from authgate.workos.values import Kind, Trouble

if TYPE_CHECKING:
    from workos import AsyncWorkOSClient, RequestOptions

    from authgate.workos.transport import Transport

FIRST_TRY = 6.0
WHOLE = 10.0  # seconds for both tries together: what a person will wait for
PAUSE = 0.2

Value = TypeVar("Value")
Sleep = Callable[[float], Awaitable[object]]
Call = Callable[["AsyncWorkOSClient", "RequestOptions"], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class WorkOSPolicy:
    """What the operator decided. `api_url` is the root of the API, without a slash at the end.

    Without `client_id` (AuthKit issues, and nobody signs in through WorkOS) the authenticate calls
    and `authorization_url` are not for use.
    """

    api_key: str = field(repr=False)
    client_id: str | None = None
    api_url: str = "https://api.workos.com"


class Asking:
    """The one client of the SDK, made at first use. For one event loop."""

    def __init__(self, policy: WorkOSPolicy, sleep: Sleep) -> None:
        self._policy = policy
        self._sleep = sleep
        self._making = asyncio.Lock()
        self._made: tuple[AsyncWorkOSClient, Transport] | None = None
        self._closed = False

    async def sdk(self) -> AsyncWorkOSClient:
        """The client."""
        async with self._making:
            if self._made is None:
                self._made = await asyncio.to_thread(_make, self._policy)
            return self._made[0]

    async def ask(
        self, name: str, read: Callable[[Any], Value], call: Call, *, twice: bool
    ) -> Value | Trouble:
        """What `read` finds in the answer to a call.

        `twice`: it may be made again where its answer got lost. One that cannot have reached anyone
        is made again in any case.
        """
        began = time.monotonic()
        outcome, again = await self._once(name, read, call, FIRST_TRY)
        if again is None or not (again or twice):
            return outcome
        await self._sleep(PAUSE)
        left = max(1.0, WHOLE - (time.monotonic() - began))
        outcome, _ = await self._once(name, read, call, min(FIRST_TRY, left))
        return outcome

    async def close(self) -> None:
        """End the connections; later calls fail."""
        async with self._making:
            self._closed = True
            if self._made is not None:
                await self._made[1].close()

    async def _once(
        self, name: str, read: Callable[[Any], Value], call: Call, seconds: float
    ) -> tuple[Value | Trouble, bool | None]:
        """What came of it; and whether it could be asked again: None for no, False only where
        repeating does no harm, True in any case."""
        if self._closed:
            return Trouble(Kind.UNAVAILABLE), None
        sdk = await self.sdk()
        seen, cause, began = Exchange(), "", time.monotonic()
        token = current.set(seen)
        try:
            with calling("workos") as watched:
                try:
                    # Its own retries wait as long as a Retry-After says, and repeat anything.
                    await call(sdk, {"timeout": seconds, "max_retries": 0})
                finally:
                    watched.outcome = answered(seen.status or 0)
        except Lost as lost:
            log.warning("workos.unanswered", call=name, cause=lost.why)
            return Trouble(Kind.UNAVAILABLE), not lost.sent
        except Exception as error:
            # The SDK's word for an answer, or its trouble with a model: the answer itself is judged
            # below. Without one it was something that it would not even send.
            cause = type(error).__name__
        finally:
            current.reset(token)
        outcome = judged(seen, read)
        spent = int((time.monotonic() - began) * 1000)
        log.debug(
            "workos.call",
            call=name,
            status=seen.status,
            workos_request_id=_request_id(seen),
            code=outcome.code if isinstance(outcome, Trouble) else None,
            ms=spent,
        )
        if isinstance(outcome, Trouble):
            _tell(name, outcome, cause)
        return outcome, False if (seen.status or 0) >= 500 else None


def judged(seen: Exchange, read: Callable[[Any], Value]) -> Value | Trouble:
    """The value that an answer holds, or why it holds none."""
    status, request_id = seen.status or 0, _request_id(seen)
    if 200 <= status < 300:
        try:
            return read(seen.body)
        except reading.Odd:
            return Trouble(Kind.UNEXPECTED, None, status, request_id)
    kind = _kind(status, seen.body)
    if kind is Kind.UNEXPECTED:
        return Trouble(kind, None, seen.status, request_id)
    return Trouble(
        kind,
        reading.code(seen.body),
        status,
        request_id,
        _seconds(seen.retry_after),
        reading.step_up(seen.body),
    )


def _kind(status: int, body: object) -> Kind:
    if status >= 500:
        return Kind.UNAVAILABLE
    if status == 429:
        return Kind.LIMITED
    if not isinstance(body, dict) or status < 400:
        return (
            Kind.UNEXPECTED
        )  # an HTML page with a 404 is a wrong WORKOS_API_URL, and nobody's end
    return {401: Kind.KEY_REFUSED, 404: Kind.NOT_FOUND}.get(status, Kind.REFUSED)


def _request_id(seen: Exchange) -> str:
    return "".join(c for c in seen.request_id if c.isascii() and c.isprintable())[:100]


def _seconds(text: str | None) -> int | None:
    """Plain seconds. The other form is a date, and a clock of theirs that we do not know."""
    return min(int(text), 3600) if text and text.isascii() and text.isdigit() else None


def _tell(name: str, trouble: Trouble, cause: str) -> None:
    """A louder line where the operator has to act; a refusal is for whoever asked to explain."""
    status, request_id = trouble.status, trouble.request_id
    match trouble.kind:
        case Kind.KEY_REFUSED:
            fix = "check WORKOS_API_KEY, which belongs to one environment, as WORKOS_CLIENT_ID does"
            log.error("workos.key_refused", call=name, workos_request_id=request_id, fix=fix)
        case Kind.LIMITED:
            log.warning("workos.rate_limited", call=name, workos_request_id=request_id)
        case Kind.UNAVAILABLE:
            log.warning("workos.unanswered", call=name, status=status, workos_request_id=request_id)
        case Kind.UNEXPECTED:
            log.error(
                "workos.unexpected_answer",
                call=name,
                status=status,
                workos_request_id=request_id,
                cause=cause,
                fix="check WORKOS_API_URL",
            )
        case Kind.REFUSED | Kind.NOT_FOUND:
            pass


def _make(policy: WorkOSPolicy) -> tuple[AsyncWorkOSClient, Transport]:
    """In a thread: the imports and the certificates take most of a second together.

    Whatever the SDK would otherwise take from the environment is given to it, or set again.
    """
    from workos import AsyncWorkOSClient

    from authgate.workos.transport import Transport

    transport = Transport()
    sdk = AsyncWorkOSClient(
        api_key=policy.api_key,
        client_id=policy.client_id,
        base_url=policy.api_url,
        request_timeout=int(WHOLE),
        jwt_issuer=(),
        max_retries=0,
        http_client=transport,
    )
    sdk.client_id = policy.client_id
    for resource in (sdk.connect, sdk.multi_factor_auth, sdk.user_management):
        assert resource is not None  # looking at one imports its models
    return sdk, transport
