"""The one thread that writes, with group commit: jobs that are ready together share a transaction.

A job is a plain function on a cursor. Its answer goes out only after the COMMIT that made it
durable, so what was answered survives a crash, and one flush to the disk serves a whole batch. A
job that fails never harms another: its batch is rolled back and every job of it runs again, alone.
This module knows nothing of tokens; the jobs are in `sqlite_steps`, the files in `sqlite_file`.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from authgate.store.contract import StoreUnavailable
from authgate.store.sqlite_file import (
    as_unavailable,
    disconnect,
    is_busy,
    is_unwritten,
)

T = TypeVar("T")
# Who waits, the step with its arguments, and since when it waits (monotonic seconds).
_Job = tuple["asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...], float]
_Answer = tuple["asyncio.Future[Any]", Any, BaseException | None]

# A batch holds the lock, so it also bounds how long another worker waits for its turn.
_BATCH = 64
# How often a waiting writer knocks. SQLite's own busy handler sleeps up to 100 ms between tries,
# so of two busy workers one waits long: up to 860 ms against 50 to 110 ms, at 16 requests each.
_KNOCK_EVERY = 0.001


@dataclass(frozen=True, slots=True)
class WriterPolicy:
    """How long anybody waits for another process's lock, and how many jobs may wait for a batch."""

    busy_timeout: float = 5.0
    queue_limit: int = 4096


class Writer:
    """Owns the writing connection; `submit` is called from the event loop only."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        policy: WriterPolicy,
        on_trouble: Callable[[], None],
    ) -> None:
        self._connect = connect
        self._policy = policy
        # Called in the event loop when the file failed, before anybody hears of it.
        self._on_trouble = on_trouble
        self._gathered: list[_Job] = []
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._finished = asyncio.Event()
        self._closing = False
        self._cursor: sqlite3.Cursor | None = None
        self._thread = threading.Thread(target=self._work, name="authgate-writer", daemon=True)
        self._thread.start()

    def submit(self, step: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        """The future answer of `step(cursor, *arguments)`, run inside a transaction."""
        if self._closing:
            raise StoreUnavailable("the store is closed")
        if len(self._gathered) + self._jobs.qsize() >= self._policy.queue_limit:
            raise StoreUnavailable("too many writes are waiting")
        future: asyncio.Future[T] = self._loop.create_future()
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append((future, step, arguments, time.monotonic()))
        return future

    def _hand_over(self) -> None:
        # Once a turn of the loop and not at every submit: the thread would wake for the first job
        # and then fight the loop for the interpreter while the others of the turn are still made.
        # Together they are fewer, larger batches (a fifth less CPU a request at 32 connections).
        for job in self._gathered:
            self._jobs.put(job)
        self._gathered.clear()

    async def close(self) -> None:
        """Finish every accepted job, then let go of the file."""
        if not self._closing:
            self._closing = True
            self._hand_over()
            self._jobs.put(None)
        await self._finished.wait()

    # --- everything below runs in the thread --------------------------------------------------

    def _work(self) -> None:
        more = True
        try:
            while more:
                batch, more = self._next_batch()
                if batch:
                    self._tell(_deliver, self._run(batch))
        finally:
            self._disconnect()
            self._tell(self._finished.set)

    def _tell(self, callback: Callable[..., None], *arguments: Any) -> None:
        # A loop that was closed under an open store has nobody left to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _next_batch(self) -> tuple[list[_Job], bool]:
        batch: list[_Job] = []
        job = self._jobs.get()
        try:
            while job is not None:
                batch.append(job)
                if len(batch) == _BATCH:
                    return batch, True
                job = self._jobs.get_nowait()
        except Empty:
            return batch, True
        return batch, False

    def _run(self, batch: list[_Job]) -> list[_Answer]:
        try:
            return self._commit_together(batch)
        except Exception as error:
            # Waiting out the lock once for the batch is enough: alone, each job would wait anew.
            if len(batch) == 1 or is_busy(error):
                return self._refuse(batch, error)
        return [answer for job in batch for answer in self._run([job])]

    def _refuse(self, batch: list[_Job], error: Exception) -> list[_Answer]:
        unavailable = as_unavailable(error)
        if unavailable is not None and not is_busy(error):
            # The file may be another one by now, or writable again: look afresh next time.
            self._disconnect()
            if not is_unwritten(error):
                # Never on a disk that takes no bytes. If the readers let go too, the last of them
                # would take the log and its index along, and nobody could make them anew: then
                # not even reading went on.
                self._tell(self._on_trouble)
        return [(future, None, unavailable or error) for future, *_ in batch]

    def _commit_together(self, batch: list[_Job]) -> list[_Answer]:
        cursor = self._cursor or self._new_cursor()
        # From when its first job came: who came while another batch waited in vain has waited too,
        # and must not be told so only after twice the time.
        self._begin(cursor, batch[0][3] + self._policy.busy_timeout)
        try:
            answers: list[_Answer] = [
                (future, step(cursor, *arguments), None) for future, step, arguments, _ in batch
            ]
            cursor.execute("COMMIT")
        except BaseException:
            self._roll_back(cursor)
            raise
        return answers

    def _roll_back(self, cursor: sqlite3.Cursor) -> None:
        # A full disk rolls back by itself; a second ROLLBACK would be an error of its own.
        if cursor.connection.in_transaction:
            try:
                cursor.execute("ROLLBACK")
            except sqlite3.Error:
                self._disconnect()  # which ends the transaction as well

    def _new_cursor(self) -> sqlite3.Cursor:
        self._cursor = self._connect().cursor()
        # From here on this thread does the waiting itself, in `_begin`.
        self._cursor.execute("PRAGMA busy_timeout=0")
        return self._cursor

    def _begin(self, cursor: sqlite3.Cursor, deadline: float) -> None:
        while True:
            try:
                cursor.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() >= deadline:
                    raise
            time.sleep(_KNOCK_EVERY)

    def _disconnect(self) -> None:
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            disconnect(cursor)


def _deliver(answers: list[_Answer]) -> None:
    for future, result, error in answers:
        if future.done():  # the caller gave up meanwhile; its step is done all the same
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
