"""Compiles `statements` to the text an engine runs, and keeps that text as a module.

Importing SQLAlchemy costs 0.2 s and 27 MiB, a third of what a start may take, and would give the
same strings every time; Alembic would add 0.1 s and 11 MiB to make an empty file a store. So the
strings are kept: `python -m authgate.store.compile` writes `sqlite_sql.py` and `postgres_sql.py`,
and tests fail when they are not what the expressions compile to, or not what the migrations make.
Never imported by a running server. Neighbours: `schema` and `statements` above, the engines'
`*_sql` modules below.

For PostgreSQL every table is written `@.table`, and the engine puts the quoted name of its schema
there: a search path would be state of a session, which a transaction pooler does not keep.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ClauseElement,
    Column,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.schema import (
    CreateIndex,
    CreateTable,
    ExecutableDDLElement,
    SetColumnComment,
    SetTableComment,
)
from sqlalchemy.sql.compiler import SQLCompiler

from authgate.store import (
    schema,
    statements,
    statements_joined,
    statements_joined_many,
    statements_joined_people,
    statements_joined_sweep,
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

_POSTGRES_HEAD = '''"""The statements as PostgreSQL runs them.

Written by `python -m authgate.store.compile` from `statements`: do not edit. `@` stands for the
schema, and each takes a tuple or a mapping of the parameters that `ORDER` names.
"""

# "token" and "password" in the names of statements are no secrets, and a comment is one line.
# ruff: noqa: E501, S105
'''


def _compile(statement: ClauseElement, paramstyle: str) -> tuple[str, tuple[str, ...]]:
    compiled = statement.compile(dialect=sqlite.dialect(paramstyle=paramstyle))
    assert isinstance(compiled, SQLCompiler)
    names = compiled.positiontup if compiled.positional else compiled.params
    return " ".join(str(compiled).split()), tuple(names or ())


def _by_tuple(insert: Callable[[Table], Any]) -> dict[str, ClauseElement]:
    """The statements that take a tuple, with the dialect's own `insert`."""
    return {
        **statements.positional(insert),
        **statements_social.positional(),
        **statements_people.positional(insert),
        **statements_rollout.positional(insert),
        **statements_upkeep.positional(),
    }


def _by_name() -> dict[str, ClauseElement]:
    """The statements that take a mapping."""
    return {
        **statements.named(),
        **statements_social.named(),
        **statements_people.named(),
        **statements_rollout.named(),
        **statements_sweep.named(),
        **statements_upkeep.named(),
    }


def sqlite_statements() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Every statement by name: its text for SQLite, and the names of its parameters."""
    return {
        **{n: _compile(s, "qmark") for n, s in _by_tuple(sqlite.insert).items()},
        **{n: _compile(s, "named") for n, s in _by_name().items()},
    }


# A schema name that nothing else in a statement can be.
_SCHEMA = "schema_of_authgate"
# `INSERT ... SELECT` gives parameters no type of their own, so all of them carry it. Dollar numbers
# because the protocol has them: nothing is rewritten at run time, and a name used twice goes once.
# SQLAlchemy gives its dialects no types.
_postgres = psycopg.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


def _for_postgres(text: str) -> str:
    # Only where a table is named in FROM, INTO, UPDATE and the like; a column needs its table's
    # name alone. (What Alembic keeps has no schema in the expressions.)
    text = re.sub(r"__\[SCHEMA__none\]\.(\w+)\.", r"\1.", " ".join(text.split()))
    text = text.replace("__[SCHEMA__none].", "@.").replace("::VARCHAR", "::TEXT")
    return re.sub(r"\b(FROM|INTO|UPDATE) alembic_version\b", r"\1 @.alembic_version", text)


def _compile_for_postgres(statement: ClauseElement) -> tuple[str, tuple[str, ...]]:
    compiled = statement.compile(dialect=_postgres, schema_translate_map={None: _SCHEMA})
    assert isinstance(compiled, SQLCompiler)
    return _for_postgres(str(compiled)), tuple(compiled.positiontup or ())


# What follows a decision, and what decides with nothing that follows: joined for PostgreSQL.
_SQLITE_ALONE = frozenset(
    {
        "answer_request",
        "delete_account",
        "delete_client",
        "delete_consents_of_client",
        "delete_consents_of_sub",
        "delete_kept_session",
        "delete_link",
        "delete_session",
        "delete_sessions_begun_by",
        "disable_account",
        "end_grant",
        "end_grants_of_client",
        "end_grants_of_sub",
        "end_replayed_grant",
        "expire_codes_of_client",
        "expire_codes_of_sub",
        "grant_changes",
        "insert_account",
        "insert_bar",
        "insert_client",
        "insert_code",
        "insert_grant",
        "insert_kept_session",
        "insert_link",
        "insert_refresh_token",
        "insert_session",
        "issue_hand_over",
        "lift_bar",
        "prove_writable",
        "redeem_code",
        "remember_consent",
        "reopen_login",
        "revoke_api_key",
        "revoke_signing_key",
        "set_account_password",
        "stamp_client",
        "stamp_client_of_grant",
        "supersede_refresh_token",
        "supersede_signing_key",
        "sweep_grants",
        "sweep_refresh_tokens",
        "touch_grant",
        "why_not_answered",
        "why_not_redeemed",
    }
)


def postgres_statements() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Every statement by name: its text for PostgreSQL, and its parameters in their order."""
    known = {
        **_by_tuple(postgresql.insert),
        **_by_name(),
        **statements_joined.joined(),
        **statements_joined_many.joined(),
        **statements_joined_people.joined(),
        # By the same names as above: the sweep of PostgreSQL instead.
        **statements_joined_sweep.joined(),
    }
    return {n: _compile_for_postgres(s) for n, s in known.items() if n not in _SQLITE_ALONE}


def _version_table() -> Table:
    return Table(
        "alembic_version",
        MetaData(),
        Column("version_num", String(32), nullable=False),
        PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
    )


def _ddl(table: Table) -> list[ExecutableDDLElement]:
    indexes = sorted(table.indexes, key=lambda i: str(i.name))
    return [CreateTable(table), *(CreateIndex(index) for index in indexes)]


def sqlite_schema() -> tuple[str, ...]:
    """What makes an empty file a store at HEAD, Alembic's own table included."""
    tables = [_version_table(), *schema.metadata.sorted_tables]
    made = [ddl.compile(dialect=sqlite.dialect()) for table in tables for ddl in _ddl(table)]
    return tuple(" ".join(str(ddl).split()) for ddl in made)


def postgres_schema() -> tuple[str, ...]:
    """What makes an empty schema a store at HEAD, with what every table and column means."""
    made: list[ExecutableDDLElement] = []
    for table in [_version_table(), *schema.metadata.sorted_tables]:
        made += _ddl(table)
        if table.comment:
            made.append(SetTableComment(table))
        made += [SetColumnComment(column) for column in table.columns if column.comment]
    compiled = [
        ddl.compile(dialect=_postgres, schema_translate_map={None: _SCHEMA}) for ddl in made
    ]
    return tuple(_ddl_for_postgres(str(ddl)) for ddl in compiled)


def _ddl_for_postgres(text: str) -> str:
    return " ".join(text.split()).replace("__[SCHEMA__none].", "@.")


def _pieces(text: str, deeper: int = 0) -> list[str]:
    """The text as string literals in lines that are not too long, as the formatter would."""
    # A space is kept at the end of each piece, so that they join to the very text.
    whole = _WIDTH - 6 - deeper
    width = whole if len(text) <= whole else whole - 2
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


def postgres_module() -> str:
    """The source of `postgres_sql.py`."""
    parts = [_POSTGRES_HEAD]
    known = postgres_statements()
    for name, (text, _) in known.items():
        parts.append(f"{_constant(name.upper(), text)}\n")
    orders = "\n".join(_order(name.upper(), order) for name, (_, order) in known.items())
    parts.append(
        "# The parameters of each, in the order of their numbers.\n"
        f"_ORDER = {{\n{orders}\n}}\n"
        "ORDER = {text: tuple(names.split()) for text, names in _ORDER.items()}\n"
    )
    # A comment is kept whole: a line broken in it would be part of it.
    script = "\n".join(
        f"{ddl if ddl.startswith('COMMENT') else _wrapped(ddl)}\n" for ddl in postgres_schema()
    )
    parts.append(
        "# what makes an empty schema a store; an empty line between two statements\n"
        f'SCHEMA = """\n{script}"""\n'
    )
    return "\n".join(parts)


def _order(name: str, order: tuple[str, ...]) -> str:
    line = f'    {name}: "{" ".join(order)}",'
    if len(line) <= _WIDTH:
        return line
    pieces = "\n".join(f"    {piece}" for piece in _pieces(" ".join(order), 4))
    return f"    {name}: (\n{pieces}\n    ),"


def _wrapped(ddl: str) -> str:
    return textwrap.fill(ddl, _WIDTH, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    Path(__file__).with_name("sqlite_sql.py").write_text(sqlite_module())
    Path(__file__).with_name("postgres_sql.py").write_text(postgres_module())
