"""One connection to PostgreSQL, and the calls that travel on it.

A call is one or several statements that are sent together with one Sync behind them (libpq's
pipeline mode): one round trip, one implicit transaction, and nothing of it happened when one of
them fails. It is driven on libpq itself and not through psycopg's cursors, which cost more than the
statement does, cannot be left without waiting for the server (a frozen one never answers a
cancellation), and let a caller who goes away take its statement along. A read by key takes 43 µs of
our CPU so, alone or with 32 in flight; psycopg's prepared `execute` takes 79, and 155 to 169 with a
connection from psycopg-pool (best of three on one machine; on uvloop 27, and 108 to 163). Never
here: which connection, how long, and what an error means.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from psycopg import AsyncConnection, OperationalError, pq
from psycopg.adapt import Transformer

Row = tuple[Any, ...]
Given = Sequence[Any] | Mapping[str, Any]

_SYNC = pq.ExecStatus.PIPELINE_SYNC
_ABORTED = pq.ExecStatus.PIPELINE_ABORTED
_FAILED = pq.ExecStatus.FATAL_ERROR
_ROWS = pq.ExecStatus.TUPLES_OK
_BAD = pq.ConnStatus.BAD
_SQLSTATE = pq.DiagnosticField.SQLSTATE
_MESSAGE = pq.DiagnosticField.MESSAGE_PRIMARY


class Result(NamedTuple):
    """What one statement did: how many rows it changed or found, and those it returned."""

    rowcount: int
    rows: list[Row]


class Statement:
    """A statement's text as it is sent, the order of its parameters, and its name once prepared."""

    __slots__ = ("name", "order", "text")

    def __init__(self, text: str, order: tuple[str, ...]) -> None:
        self.text = text.encode()
        self.order = order
        # Behind a pooler another's connection may have prepared it: so the same name is the same
        # text, always.
        self.name = b"ag_" + hashlib.sha256(self.text).hexdigest()[:24].encode()

    def values(self, given: Given) -> list[bytes | None]:
        """The parameters as text, whatever PostgreSQL takes each of them for.

        Without a type of their own: one that differs from value to value (a number or nothing, a
        small one or a large one) would have every statement prepared several times over.
        """
        values = [given[name] for name in self.order] if isinstance(given, Mapping) else given
        if len(values) != len(self.order):
            raise TypeError(f"{len(self.order)} values are asked for, {len(values)} given")
        return [None if v is None else _text(v) for v in values]


def _text(value: str | int) -> bytes:
    if not isinstance(value, str):
        return b"%d" % value
    if "\0" in value or _MARK in value:
        value = _UNSTORABLE.sub(_marked, value)
    try:
        return value.encode()
    except UnicodeEncodeError:
        return _UNSTORABLE.sub(_marked, value).encode()


# What PostgreSQL's text cannot hold though a caller may send it (NUL in `state`, say) is written
# behind a mark, as is the mark itself. SQLite holds NUL as it is.
_MARK = "\x1a"
_UNSTORABLE = re.compile("[\0\x1a\ud800-\udfff]")
_MARKED = re.compile("\x1a([0-9a-f]{4})")


def _marked(found: re.Match[str]) -> str:
    return f"{_MARK}{ord(found[0]):04x}"


def _has_mark(row: Row) -> bool:
    return any([v.__class__ is str and _MARK in v for v in row])  # noqa: C419 (a third faster)


def _unmarked(row: Row) -> Row:
    """The row as it was before its text was made storable."""
    return tuple(
        _MARKED.sub(lambda found: chr(int(found[1], 16)), value)
        if isinstance(value, str) and _MARK in value
        else value
        for value in row
    )


class ServerError(Exception):
    """What PostgreSQL answered, without its DETAIL, which holds values of the row."""

    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__(f"{message} (SQLSTATE {sqlstate})")
        self.sqlstate = sqlstate


class Call:
    """Statements that are sent together, and the future of what they return."""

    __slots__ = ("error", "future", "prepared", "results", "statements", "timer", "tries", "until")

    def __init__(
        self,
        statements: Sequence[tuple[Statement, list[bytes | None]]],
        future: asyncio.Future[list[Result]],
    ) -> None:
        self.statements = statements
        self.future = future
        self.results: list[Result] = []
        self.error: ServerError | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.tries = 0
        self.until = 0.0
        self.prepared = False


class Wire:
    """Carries one call at a time. `ended` is told when one is over, with the error that broke the
    connection if that is how it ended."""

    def __init__(
        self,
        connection: AsyncConnection[Any],
        ended: Callable[[Wire, Call | None, Exception | None], None],
        good_until: float,
    ) -> None:
        # Kept for the owner: when it last answered, and from when on it is to be replaced.
        self.heard_at = 0.0
        self.good_until = good_until
        self._connection = connection
        self._pg = connection.pgconn
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._socket = self._pg.socket
        # Prepared for certain, and sent with the call under way.
        self._known: set[bytes] = set()
        self._asked: set[bytes] = set()
        # What libpq has yet to answer: a statement that was prepared, or None for one that was run.
        self._awaited: deque[Statement | None] = deque()
        self._call: Call | None = None
        self._writing = False
        self._transformer = Transformer()
        self._pg.enter_pipeline_mode()
        self._loop.add_reader(self._socket, self._readable)

    @property
    def broken(self) -> bool:
        return self._pg.status == _BAD

    def send(self, call: Call, prepare: bool) -> None:
        """Put a call on its way. Trouble is told by `ended`, never raised."""
        self._call = call
        call.prepared = prepare
        self._awaited.clear()
        self._asked.clear()
        try:
            for statement, values in call.statements:
                self._send(statement, values, prepare)
                self._asked.add(statement.name)
            self._pg.pipeline_sync()
            self._flush()
        except OperationalError as error:
            # Not at once: whoever sends is not ready to hear that it is over. But the socket may
            # be closed by now, and another's by then.
            self._unhear()
            self._loop.call_soon(self._over, error)

    def _send(self, statement: Statement, values: list[bytes | None], prepare: bool) -> None:
        if not prepare:
            self._pg.send_query_params(statement.text, values)
        else:
            if statement.name not in self._known and statement.name not in self._asked:
                self._pg.send_prepare(statement.name, statement.text)
                self._awaited.append(statement)
            self._pg.send_query_prepared(statement.name, values)
        self._awaited.append(None)

    def close(self) -> None:
        """Let go of the connection at once, whatever is under way on it."""
        self._call = None
        self._unhear()
        self._pg.finish()

    async def stop(self, within: float) -> None:
        """Ask the server to stop what is under way, wait for no answer, and let go.

        A statement that waits for a lock would else take it after its caller was refused.
        """
        self._call = None
        self._unhear()
        try:
            async with asyncio.timeout(within):
                await self._connection.cancel_safe(timeout=within)
        except (OperationalError, TimeoutError):
            pass
        finally:
            self.close()

    def _unhear(self) -> None:
        if self._socket >= 0:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket = -1

    # --- what the loop tells ------------------------------------------------------------------

    def _flush(self) -> None:
        more = self._pg.flush() != 0
        if more != self._writing:
            self._writing = more
            if more:
                self._loop.add_writer(self._socket, self._writable)
            else:
                self._loop.remove_writer(self._socket)

    def _writable(self) -> None:
        try:
            self._flush()
        except OperationalError as error:
            self._over(error)

    def _readable(self) -> None:
        try:
            self._pg.consume_input()
            nothing = 0
            # libpq says with one None that a statement has ended, with a second that it knows
            # no more yet.
            while nothing < 2 and not self._pg.is_busy():
                result = self._pg.get_result()
                if result is None:
                    nothing += 1
                elif result.status == _SYNC:
                    self._over(None)
                    return
                else:
                    nothing = 0
                    self._take(result)
        except OperationalError as error:
            self._over(error)
            return
        if self._pg.status == _BAD:
            self._over(OperationalError("the connection is lost"))

    def _take(self, result: pq.abc.PGresult) -> None:
        call = self._call
        if result.status == _FAILED:
            error = _server_error(result)
            if call is not None and call.error is None:
                call.error = error
            return
        if result.status == _ABORTED or call is None or not self._awaited:
            return
        prepared = self._awaited.popleft()
        if prepared is not None:
            self._known.add(prepared.name)
            return
        rows: list[Row] = []
        if result.status == _ROWS and result.ntuples:
            self._transformer.set_pgresult(result)
            rows = self._transformer.load_rows(0, result.ntuples, tuple)
            rows = [_unmarked(row) if _has_mark(row) else row for row in rows]
        call.results.append(Result(result.command_tuples or 0, rows))

    def _over(self, error: Exception | None) -> None:
        call, self._call = self._call, None
        self._ended(self, call, error)


def _server_error(result: pq.abc.PGresult) -> ServerError:
    # libpq's own errors have none: what came could not be read.
    state = (result.error_field(_SQLSTATE) or b"08006").decode()
    message = (result.error_field(_MESSAGE) or b"").decode(errors="replace")
    # Class 22 (data exceptions) quotes the value itself.
    return ServerError(state, "a value does not fit" if state.startswith("22") else message)
