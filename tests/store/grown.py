"""A grown-up installation in a SQLite file: every table, every nullable value, many rows.

Rows are made from the columns, so that a new table or column is in them without being asked.
"""

from __future__ import annotations

import hashlib
import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import Column, Table, Text

from authgate.store.schema import metadata
from authgate.store.sqlite_file import prepare

MANY = {"refresh_tokens": 200_000, "grants": 50_000, "codes": 20_000, "audit_events": 30_000}
FEW = {"refresh_tokens": 12_000, "grants": 3_000, "codes": 2_500, "audit_events": 2_500}
ODD_TEXTS = (
    "",
    " ",
    "\\N",
    "\\.",
    "tab\tand\nnew line\r\\t",
    "Émile’s “client”, 日本語, 🔑",
    "e\u0301 is not é",
    "\\u0000 is no NUL, nor is \x01\x7f",
    "null",
    "'; DROP TABLE clients; --",
    "long " * 2_000,
)
ODD_NUMBERS = (0, 1, -1, 2**31, 2**63 - 1, -(2**63))
_ODD_KEYS = ("", "Z", "a", "_", "é", "\U0001f511", "\ufb01", "z" * 200, "-", "tab\t", "\\N")


def _odd(column: Column[object], number: int) -> object:
    """Every odd value of a column comes up as `number` grows; NULL where it may be."""
    texts: tuple[object, ...] = ODD_TEXTS if isinstance(column.type, Text) else ODD_NUMBERS
    values = (*texts, None) if column.nullable else texts
    return values[number % len(values)]


def _row(table: Table, number: int) -> list[object]:
    """An ordinary row; every seventh column that may be empty is."""
    row: list[object] = []
    random = hashlib.sha256(f"{table.name} {number}".encode()).hexdigest()
    for place, column in enumerate(table.columns):
        if column.nullable and (number + place) % 7 == 0:
            row.append(None)
        elif isinstance(column.type, Text):
            row.append(random if place == 0 else random[place : place + 12])
        else:
            row.append(1_800_000_000 + number)
    return row


def _odd_rows(table: Table) -> Iterator[list[object]]:
    """Rows of odd values, under keys that engines could order differently."""
    for number, key in enumerate(_ODD_KEYS):
        row = [_odd(column, number + place) for place, column in enumerate(table.columns)]
        for place, column in enumerate(table.columns):
            if column.primary_key or any(
                index.unique and column.name in index.columns for index in table.indexes
            ):
                row[place] = key if isinstance(column.type, Text) else 10_000_000 + number
        yield row


def grow(path: Path, many: dict[str, int] = MANY) -> None:
    """Make the file and fill it."""
    prepare(path, 1)
    with closing(sqlite3.connect(path)) as db, db:
        for table in metadata.tables.values():
            rows = (_row(table, number) for number in range(1, many.get(table.name, 40) + 1))
            insert(db, table.name, itertools.chain(rows, _odd_rows(table)))


def insert(db: sqlite3.Connection, table: str, rows: Iterator[list[object]]) -> None:
    columns = metadata.tables[table].columns
    names = ", ".join(column.name for column in columns)
    places = ", ".join("?" * len(columns))
    db.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", rows)
