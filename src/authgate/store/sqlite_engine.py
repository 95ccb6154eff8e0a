"""An open SQLite file and the two ways to it, for the parts of `sqlite.SqliteStore`.

Reads run where they are asked (`sqlite_reader`), writes go to one thread (`sqlite_writer`). No
method of the contract but opening and closing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from authgate.store.contract import StoreUnavailable
from authgate.store.sqlite_file import connect, pending, prepare
from authgate.store.sqlite_reader import Reader
from authgate.store.sqlite_writer import Writer, WriterPolicy

T = TypeVar("T")


class Engine:
    """Opens, closes, reads and writes; what is asked of it the parts know."""

    def __init__(self, path: str | Path, policy: WriterPolicy | None = None) -> None:
        self._path = Path(path)
        self._policy = policy or WriterPolicy()
        self._writer: Writer | None = None
        self._reader = Reader(self._path)
        self._file_in_doubt = False

    async def open(self) -> None:
        if self._writer is not None:
            return
        await asyncio.to_thread(prepare, self._path, self._policy.busy_timeout)
        self._reader.open()
        self._writer = Writer(
            lambda: connect(self._path, self._policy.busy_timeout),
            self._policy,
            self._doubt_file,
        )

    async def close(self) -> None:
        if self._writer is not None:
            await self._writer.close()
            self._writer = None
        self._reader.close()

    async def pending(self) -> Sequence[str]:
        return await asyncio.to_thread(pending, self._path, self._policy.busy_timeout)

    def _write(self, step: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        if self._writer is None:
            raise StoreUnavailable("the store is not open")
        if self._file_in_doubt:
            # SQLite shares what it knows of a file (that it is read-only, say) among a process's
            # connections: the writer learns anew only if no reader still holds the old knowledge.
            self._file_in_doubt = False
            self._reader.let_go()
        return self._writer.submit(step, *arguments)

    def _doubt_file(self) -> None:
        self._file_in_doubt = True
