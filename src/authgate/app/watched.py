"""What is put between the parts so that their numbers are kept and their time is traced.

Nothing at all where nobody asked: the parts are then the very ones that stand without this.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Any, cast

from authgate.app.observing import counted
from authgate.directories.contract import (
    Directory,
    NeedsFactor,
    Refused,
    SignedIn,
    SignIn,
    Unavailable,
    Visitor,
)
from authgate.observe import metrics, tracing
from authgate.store.contract import Store


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
