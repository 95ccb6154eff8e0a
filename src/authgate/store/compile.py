"""Compiles `statements` to the text an engine runs, and keeps that text as a module.

Importing SQLAlchemy costs 0.2 s and 27 MiB, a third of what a start may take, and would give the
same strings every time; Alembic would add 0.1 s and 11 MiB to make an empty file a store. So the
strings are kept: `python -m authgate.store.compile` writes `sqlite_sql.py`, and tests fail when it
is not what the expressions compile to, or not what the migrations make. Never imported by a running
server. Neighbours: `schema` and `statements` above, the engines' `*_sql` modules below.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

from sqlalchemy import ClauseElement, Column, MetaData, PrimaryKeyConstraint, String, Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql.compiler import SQLCompiler

from authgate.store import (
    schema,
    statements,
    statements_people,
    statements_rollout,
    statements_social,
    statements_sweep,
    statements_upkeep,
)

_WIDTH = 100
_HEAD = '''"""The statements as SQLite runs them.

Written by `python -m authgate.store.compile` from `statements`: do not edit. A `?` statement takes
a tuple in the order named above it, a `:name` statement a mapping.
"""

# "token" and "password" in the names of statements are no secrets.
# ruff: noqa: S105
'''


def _compile(statement: ClauseElement, paramstyle: str) -> tuple[str, tuple[str, ...]]:
    compiled = statement.compile(dialect=sqlite.dialect(paramstyle=paramstyle))
    assert isinstance(compiled, SQLCompiler)
    names = compiled.positiontup if compiled.positional else compiled.params
    return " ".join(str(compiled).split()), tuple(names or ())


def sqlite_statements() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Every statement by name: its text for SQLite, and the names of its parameters."""
    tuples = (
        statements.positional(sqlite.insert),
        statements_social.positional(),
        statements_people.positional(sqlite.insert),
        statements_rollout.positional(sqlite.insert),
        statements_upkeep.positional(),
    )
    mappings = (
        statements.named(),
        statements_social.named(),
        statements_people.named(),
        statements_rollout.named(),
        statements_sweep.named(),
        statements_upkeep.named(),
    )
    return {
        **{n: _compile(s, "qmark") for group in tuples for n, s in group.items()},
        **{n: _compile(s, "named") for group in mappings for n, s in group.items()},
    }


def sqlite_schema() -> tuple[str, ...]:
    """What makes an empty file a store at HEAD, Alembic's own table included."""
    version = Table(
        "alembic_version",
        MetaData(),
        Column("version_num", String(32), nullable=False),
        PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
    )
    made: list[CreateTable | CreateIndex] = [CreateTable(version)]
    for table in schema.metadata.sorted_tables:
        made.append(CreateTable(table))
        made += [CreateIndex(index) for index in sorted(table.indexes, key=lambda i: str(i.name))]
    return tuple(" ".join(str(ddl.compile(dialect=sqlite.dialect())).split()) for ddl in made)


def _pieces(text: str) -> list[str]:
    """The text as string literals in lines that are not too long, as the formatter would."""
    # A space is kept at the end of each piece, so that they join to the very text.
    width = _WIDTH - 6 if len(text) <= _WIDTH - 6 else _WIDTH - 8
    *pieces, last = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return [f'    "{piece} "' for piece in pieces] + [f'    "{last}"']


def _constant(name: str, text: str) -> str:
    line = f'{name} = "{text}"'
    return line if len(line) <= _WIDTH else "\n".join([f"{name} = (", *_pieces(text), ")"])


def sqlite_module() -> str:
    """The source of `sqlite_sql.py`."""
    parts = [_HEAD]
    for name, (text, parameters) in sqlite_statements().items():
        takes = textwrap.wrap(", ".join(parameters) or "nothing", _WIDTH - 2)
        comment = "\n".join(f"# {line}" for line in takes)
        parts.append(f"{comment}\n{_constant(name.upper(), text)}\n")
    # Readable as a script: SQLite keeps this very text and shows it to whoever asks for `.schema`.
    script = "\n".join(f"{_wrapped(ddl)}\n" for ddl in sqlite_schema())
    parts.append(
        "# what makes an empty file a store; an empty line between two statements\n"
        f'SCHEMA = """\n{script}"""\n'
    )
    return "\n".join(parts)


def _wrapped(ddl: str) -> str:
    return textwrap.fill(ddl, _WIDTH, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    Path(__file__).with_name("sqlite_sql.py").write_text(sqlite_module())
