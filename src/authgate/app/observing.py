"""Who keeps the numbers of this process, and what is put between the parts so that they are told.

Nothing at all where nobody asked: the parts are then the very ones that stand without this.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable, Mapping
from importlib.util import find_spec
from time import perf_counter
from typing import Any, Protocol, cast, runtime_checkable

from authgate.app.core import Core, now
from authgate.directories.contract import (
    Directory,
    NeedsFactor,
    Refused,
    SignedIn,
    SignIn,
    Unavailable,
    Visitor,
)
from authgate.observe import log, metrics, tracing
from authgate.security.keys import key_states
from authgate.security.limits import Throttles
from authgate.settings import Settings
from authgate.store.contract import Store, StoreUnavailable

LOOK_EVERY = 5.0
_OTEL = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_TRACES_EXPORTER",
)


def begin(settings: Settings) -> None:
    """Have the numbers kept, if the settings say so. Once, before anything is built."""
    if settings.metrics_bind is not None:
        from authgate.observe.prometheus import Numbers

        metrics.use(Numbers())
    if traces_wanted():
        from authgate.observe.otel import Spans

        tracing.use(Spans())


def traces_wanted() -> bool:
    """Has an exporter been named in OpenTelemetry's own way (its specification, "SDK environment
    variables")?"""
    given = {name for name in _OTEL if os.environ.get(name)}
    chosen = os.environ.get("OTEL_TRACES_EXPORTER", "")
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return bool(given) and chosen != "none" and not disabled


def what_keeps_traces_from_going() -> str | None:
    """A sentence if traces are wanted and cannot be sent."""
    if not traces_wanted():
        return None
    chosen = os.environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    if chosen != "otlp":
        return f"OTEL_TRACES_EXPORTER: write otlp or none; {chosen!r} is none of them."
    try:
        found = find_spec("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ModuleNotFoundError:
        found = None
    if found is None or find_spec("opentelemetry.sdk") is None:
        return (
            "Traces are wanted (OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_TRACES_EXPORTER is set), and "
            "what sends them is not installed: pip install 'authgate[otel]'"
        )
    return None


async def end() -> None:
    """Send what is left of the traces."""
    tracer = tracing.tracer
    if tracer is not None:
        tracing.use(None)
        await asyncio.to_thread(tracer.close)


def counted() -> bool:
    """Does anybody keep the numbers?"""
    return type(metrics.record) is not metrics.Recorder


def watched_store(store: Store) -> Store:
    """The same store, each of its steps timed."""
    watched = counted() or tracing.tracer is not None
    return cast(Store, _Timed(store)) if watched else store


def watched_directory(directory: Directory) -> Directory:
    """The same directory, what it says to people counted."""
    return cast(Directory, _Counted(directory)) if counted() else directory


class _Timed:
    """Another store's methods. By name, since the contract has sixty of them and all are alike."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if inspect.iscoroutinefunction(found):
            found = _timed(name, found)
            setattr(self, name, found)
        return found


def _timed(name: str, step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    called = f"store.{name}"

    async def timed(*args: Any, **named: Any) -> Any:
        began = perf_counter()
        try:
            with tracing.span(called):
                return await step(*args, **named)
        finally:
            metrics.record.store(name, perf_counter() - began)

    return timed


class _Counted:
    """Another directory, which answers everything itself."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def __getattr__(self, name: str) -> Any:
        return getattr(self._directory, name)

    async def sign_in_with_password(self, username: str, password: str, visitor: Visitor) -> SignIn:
        return self._said(await self._directory.sign_in_with_password(username, password, visitor))

    async def answer_factor(self, sealed: str, answer: str, visitor: Visitor) -> SignIn:
        return self._said(await self._directory.answer_factor(sealed, answer, visitor))

    async def finish_social(
        self, provider: str, sealed: str, answer: Mapping[str, str], visitor: Visitor
    ) -> SignIn:
        return self._said(await self._directory.finish_social(provider, sealed, answer, visitor))

    def _said(self, outcome: SignIn) -> SignIn:
        word = _WORDS[type(outcome)]
        metrics.record.sign_in(self._directory.name, word)
        return outcome


_WORDS: Mapping[type[SignIn], str] = {
    SignedIn: "signed_in",
    NeedsFactor: "factor_due",
    Refused: "refused",
    Unavailable: "unavailable",
}


# --- what is looked at now and then ---------------------------------------------------------------


@runtime_checkable
class Pooled(Protocol):
    """A store with connections of its own."""

    def pool_stats(self) -> Mapping[str, int]: ...


async def watching(core: Core, throttles: Throttles) -> None:
    """Look at what changes by itself, for as long as the process lives and somebody counts."""
    seen = 0
    while counted():
        try:
            values = await _keys(core)
            if isinstance(core.store, Pooled):
                values |= _pool(core.store.pool_stats())
            metrics.record.watched(values)
            fallbacks = throttles.fallbacks
            metrics.record.limit_fallbacks(fallbacks - seen)
            seen = fallbacks
        except StoreUnavailable:
            pass  # others tell that, and louder
        except Exception as trouble:  # a bug too: the look must not end unheard
            log.error("metrics.look_broken", error=type(trouble).__name__)
        await asyncio.sleep(LOOK_EVERY)


async def _keys(core: Core) -> dict[str, float]:
    states = key_states(await core.store.signing_keys(), now())
    signing = [key.created_at for key, state in states if state == "signing"]
    published = sum(state != "retired" for _, state in states)
    made = {"authgate_signing_key_timestamp_seconds": float(signing[0])} if signing else {}
    return {"authgate_signing_keys": float(published), **made}


def _pool(stats: Mapping[str, int]) -> dict[str, float]:
    """By the names that the pool has for them."""
    return {
        f"authgate_store_pool_{name}": float(stats[name])
        for name in ("size", "open", "busy", "waiting")
        if name in stats
    }
