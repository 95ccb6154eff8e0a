"""What a copy asks of a store at either end, and the tables as they are copied.

The engines' ends are in `copying_sqlite` and `copying_postgres`; `copying` moves rows from one to
another. Never imported by a running server: it needs SQLAlchemy for the names of the columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Text

from authgate.store.schema import metadata

BATCH = 1000  # rows a transaction: few enough to lose nothing much, many enough to pay its flush

PROGRESS = "store_copy"  # the table that every copy makes and drops
REVISIONS = "alembic_version"

Row = tuple[Any, ...]
Key = tuple[Any, ...]


class CopyRefused(Exception):
    """The copy cannot begin or go on; the text is for the operator and holds no value of a row."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A table as it is copied; `texts` are those of its columns that hold text."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    texts: frozenset[str]

    def key_of(self, row: Row) -> Key:
        return tuple(row[self.columns.index(name)] for name in self.key)


def shapes() -> list[Shape]:
    """Every table of the schema."""
    return [
        Shape(
            table.name,
            tuple(column.name for column in table.columns),
            tuple(column.name for column in table.primary_key),
            frozenset(column.name for column in table.columns if isinstance(column.type, Text)),
        )
        for table in metadata.tables.values()
    ]


class End(Protocol):
    """One store of the two. Every method raises `CopyRefused` when the store cannot do it."""

    @property
    def name(self) -> str:
        """The store for sentences: never with a user or a password."""

    @property
    def holds_nul(self) -> bool:
        """Whether its text may hold the character NUL."""

    def hold(self) -> None:
        """Connect to read, and keep out whoever would write, until `close`."""

    def take(self) -> None:
        """Connect to write; makes or migrates the store, unless it holds half a copy."""

    def revision(self) -> str | None:
        """The schema's revision; None: this is no store."""

    def table(self, name: str) -> str:
        """A table's name as statements have to spell it."""

    def run(self, statement: str, given: Sequence[object] = ()) -> list[Row]:
        """One statement, with `?` for each value; its rows, if it has any."""

    def transaction(self) -> AbstractContextManager[None]:
        """All of it or nothing, on the disk at its end."""

    def rows(self, shape: Shape, after: Key | None = None) -> Iterator[list[Row]]:
        """The rows behind `after` in the order of the key's bytes, some at a time."""

    def insert(self, shape: Shape, rows: Sequence[Row]) -> None:
        """Add rows; one that is there already is trouble."""

    def last_number(self) -> int:
        """The greatest number that an audit event ever had, as far as the store knows."""

    def go_on_after(self, number: int) -> None:
        """Number the next audit event beyond `number`."""

    def others(self) -> int:
        """How many connections servers have to the database, where they cannot be kept out."""

    def close(self) -> None:
        """Let go of everything; nothing that was not committed stays."""


def where_after(columns: Sequence[str], after: Key | None) -> str:
    """The condition that a row's key lies behind `after`."""
    if after is None:
        return ""
    return f" WHERE ({', '.join(columns)}) > ({', '.join('?' * len(after))})"


def capital(text: str) -> str:
    """A store's name at the beginning of a sentence."""
    return text[:1].upper() + text[1:]
