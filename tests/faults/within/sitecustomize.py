"""A slow disk, for a server of its own: found by Python itself on PYTHONPATH.

Every COMMIT of the writer takes as long as the file named in TEST_SLOW_COMMIT says, in seconds
before the bytes are down and after: "0.5 0" is a disk that is slow, "0 0.5" one that is quick and a
server that is slow to hear of it, which is the worst moment to be killed in.
"""

import os
import sqlite3
import time
from pathlib import Path

_slow = os.environ.get("TEST_SLOW_COMMIT")


class _Cursor(sqlite3.Cursor):
    def execute(self, statement, *given):  # type: ignore[no-untyped-def]
        if statement != "COMMIT":
            return super().execute(statement, *given)
        assert _slow is not None
        before, after = map(float, Path(_slow).read_text().split())
        time.sleep(before)
        done = super().execute(statement)
        time.sleep(after)
        return done


if _slow is not None:
    from authgate.store.sqlite_writer import Writer

    def _new_cursor(self):  # type: ignore[no-untyped-def]
        self._cursor = self._connect().cursor(_Cursor)
        self._cursor.execute("PRAGMA busy_timeout=0")
        return self._cursor

    Writer._new_cursor = _new_cursor  # type: ignore[method-assign]
