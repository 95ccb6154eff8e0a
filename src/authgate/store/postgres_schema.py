"""The PostgreSQL database itself: connecting to it, bringing its schema up, naming its troubles.

Never a statement of a step. `postgres_engine` gets its connections here. A sentence from here names
host, port and database, and never the user's password or the whole URL.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import AsyncConnection, Connection, errors, sql
from psycopg.conninfo import conninfo_to_dict

from authgate.store import postgres_sql
from authgate.store.contract import StoreUnavailable
from authgate.store.migrations import HEAD, steps_from
from authgate.store.postgres_pool import PostgresPolicy
from authgate.store.revisions import is_ready

# The ports of Supabase's pooler in transaction mode and of PgBouncer.
_POOLER_PORTS = {"6543", "6432"}
# Which lock a migration takes: any number, as long as it stays the same.
_LOCK = 7_310_201_846
# How long one waits for another's migration, and a migration for whoever reads its table: behind a
# waiting ALTER everybody else would queue up.
_WAIT_FOR_OTHERS = "60s"
_WAIT_FOR_READERS = "3s"
# So often it is tried, with a pause in which those who queued up are served.
_TRIES = 4
_PAUSE = 2.0
_OLDEST = 140_000
# A host that is gone says nothing: an idle connection to it is noticed within a minute (in seconds,
# the last in milliseconds), where the system would take two hours. Also keeps it open in what
# forgets silent connections on the way.
_NOTICED = {
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

# What libpq says of a connection that did not come about, and how we say it.
_REASONS = (
    (
        r"password authentication failed|no password supplied|SCRAM",
        "refuses the user or the password",
    ),
    (r'role ".*" does not exist', "does not know the user"),
    (r'database ".*" does not exist', "has no database of that name"),
    (r"session is read-only|is in hot standby", "is read-only (a standby, perhaps)"),
    (r"too many (clients|connections)|connection slots", "has no connection left to give"),
    (r"starting up|shutting down|recovery mode", "is starting or stopping"),
    (r"no pg_hba.conf entry", "does not let this host and user in (pg_hba.conf)"),
    (
        r"root certificate file",
        "was not asked, for want of the file of authorities: see sslrootcert",
    ),
    (r"certificate verify failed", "has a certificate of no authority that sslrootcert names"),
    (
        r"does not match host name",
        "has a certificate for another name, which sslmode does not take",
    ),
    (r"does not support SSL", "offers no TLS, which sslmode asks for"),
    (r"certificate|SSL|TLS", "cannot be reached over TLS as sslmode asks"),
    (r"could not translate|Name or service|resolve", "cannot be found by that name"),
    (r"timeout|timed out", "does not answer"),
)
# Of these the URL is wrong, or the server is not up: nobody can tell which from here.
_PERHAPS_DOWN = ("cannot be reached", "does not answer", "is starting or stopping")


class Place:
    """Where the database is; never shows the password."""

    def __init__(self, policy: PostgresPolicy) -> None:
        self.policy = policy
        self._to = conninfo_to_dict(policy.url)
        self._quoted = '"' + policy.schema.replace('"', '""') + '"'

    def __repr__(self) -> str:
        return f"Place({self.named()})"

    @property
    def may_prepare(self) -> bool:
        if self.policy.prepare is not None:
            return self.policy.prepare
        return _POOLER_PORTS.isdisjoint(str(self._to.get("port") or "5432").split(","))

    def named(self) -> str:
        """Host, port and database, for a sentence."""
        to = self._to
        hosts = str(to.get("host") or to.get("hostaddr") or "localhost").split(",")
        ports = str(to.get("port") or "").split(",")
        # One port may stand for all hosts.
        ports = ports * len(hosts) if len(ports) == 1 else ports
        pairs = zip(hosts, ports, strict=True)
        where = ",".join(f"{host}:{port or 5432}" for host, port in pairs)
        return f"{where}/{to.get('dbname') or to.get('user') or ''}"

    def in_schema(self, text: str) -> str:
        """A kept text with the schema where it belongs."""
        return text.replace("@.", f"{self._quoted}.")

    async def connect(self) -> AsyncConnection[Any]:
        """A connection for the pool. Raises `StoreUnavailable`."""
        try:
            return await AsyncConnection.connect(**self._arguments())
        except psycopg.OperationalError as error:
            raise self._unreachable(error) from None

    def connect_now(self) -> Connection[Any]:
        """A connection for a thread. Raises `StoreUnavailable`."""
        try:
            return psycopg.connect(**self._arguments())
        except psycopg.OperationalError as error:
            raise self._unreachable(error) from None

    @contextlib.contextmanager
    def connected(self) -> Iterator[Connection[Any]]:
        """A connection of its own for what opening takes, with its troubles named."""
        try:
            with contextlib.closing(self.connect_now()) as connection:
                yield connection
        except (psycopg.OperationalError, errors.ReadOnlySqlTransaction) as error:
            raise StoreUnavailable(
                f"PostgreSQL at {self.named()} was lost while the schema was looked at "
                f"(SQLSTATE {error.sqlstate})"
            ) from None
        except errors.InsufficientPrivilege:
            schema = self.policy.schema
            raise StoreUnavailable(
                f"the user of AUTHGATE_DATABASE_URL may not read the schema {schema} in "
                f"{self.named()}; run there, as its owner, with that user's name: GRANT USAGE ON "
                f"SCHEMA {schema} TO …; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN "
                f"SCHEMA {schema} TO …; GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO …"
            ) from None

    def _arguments(self) -> dict[str, Any]:
        return {
            "connect_timeout": max(2, round(self.policy.connect)),
            "application_name": "authgate",
            # A name may lead to what was the primary before: what a standby says of a grant is
            # older than a second, and it takes no writes.
            "target_session_attrs": "read-write",
            **_NOTICED,
            **self._to,
            "client_encoding": "UTF8",
            "autocommit": True,
            "prepare_threshold": None,
        }

    def _unreachable(self, error: psycopg.OperationalError) -> StoreUnavailable:
        # Its own text is not passed on: it repeats the user and whatever the server says of itself.
        said = str(error)
        reason = next(
            (ours for theirs, ours in _REASONS if re.search(theirs, said)), "cannot be reached"
        )
        up = " and that the server is up" if reason in _PERHAPS_DOWN else ""
        return StoreUnavailable(
            f"PostgreSQL at {self.named()} {reason}; check AUTHGATE_DATABASE_URL{up}"
        )


# --- opening --------------------------------------------------------------------------------------


def prepare(place: Place) -> None:
    """Make the schema if there is none, bring it to HEAD, and see that the database is fit."""
    with place.connected() as db:
        _check(db, place)
        revision = _revision(db, place)
        if is_ready(revision):
            return
        if revision is None and _create(db, place):
            return
        db.autocommit = False
        _migrate_patiently(db, place)


def pending(place: Place) -> tuple[str, ...]:
    """The revisions that `prepare` would run, oldest first; nothing is made or changed.

    A database that `prepare` would refuse is refused here too.
    """
    with place.connected() as db:
        _check(db, place)
        revision = _revision(db, place)
        return () if is_ready(revision) else steps_from(revision)


def _check(db: Connection[Any], place: Place) -> None:
    if db.info.server_version < _OLDEST:
        raise StoreUnavailable(
            f"PostgreSQL at {place.named()} is older than 14, the oldest that does"
        )
    found = db.execute(
        "SELECT current_setting('default_transaction_isolation'),"
        " current_setting('transaction_read_only'), current_setting('server_encoding'),"
        " quote_ident(current_user), quote_ident(current_database())"
    ).fetchone()
    assert found is not None
    isolation, read_only, encoding, user, database = found
    if read_only == "on":
        raise StoreUnavailable(
            f"PostgreSQL at {place.named()} is read-only (a standby, perhaps); "
            "AUTHGATE_DATABASE_URL must name the server that takes writes"
        )
    if encoding != "UTF8":
        raise StoreUnavailable(
            f"the database {place.named()} is encoded in {encoding}; AUTHGATE_DATABASE_URL "
            "must name one that was made with ENCODING 'UTF8'"
        )
    if isolation != "read committed":
        # Each step is one statement that decides alone; under another level the losers of a race
        # would get errors instead of answers.
        raise StoreUnavailable(
            f"transactions of {user} are {isolation} by default, and authgate needs read committed "
            f"(it is the same user as in AUTHGATE_DATABASE_URL): ALTER ROLE {user} IN DATABASE "
            f"{database} SET default_transaction_isolation = 'read committed'"
        )


def _revision(db: Connection[Any], place: Place) -> str | None:
    known = "SELECT to_regclass(%s) IS NOT NULL"
    found = db.execute(known, (place.in_schema("@.alembic_version"),)).fetchone()
    if found is None or not found[0]:
        return None
    row = db.execute(place.in_schema(postgres_sql.REVISION).encode()).fetchone()
    return row[0] if row else None


def _lock(db: Connection[Any]) -> None:
    """Wait until nobody else makes or migrates; all of it ends with the transaction."""
    for setting, value in (("lock_timeout", _WAIT_FOR_OTHERS), ("statement_timeout", "0")):
        db.execute("SELECT set_config(%s, %s, true)", (setting, value))
    db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    db.execute("SELECT set_config('lock_timeout', %s, true)", (_WAIT_FOR_READERS,))


def _create(db: Connection[Any], place: Place) -> bool:
    """Make the schema in an empty place. False: it is not empty (any more), so look what it is.

    The statements are kept as text, like those for SQLite; a test holds them to the migrations.
    """
    schema = sql.Identifier(place.policy.schema)
    with _allowed(place), db.transaction():
        _lock(db)
        there = "SELECT 1 FROM pg_namespace WHERE nspname = %s"
        if db.execute(there, (place.policy.schema,)).fetchone() is None:
            db.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
        of_it = "SELECT 1 FROM pg_class WHERE relnamespace = %s::regnamespace LIMIT 1"
        if db.execute(of_it, (schema.as_string(db),)).fetchone() is not None:
            return is_ready(_revision(db, place))
        db.execute(place.in_schema(postgres_sql.SCHEMA.replace("\n\n", ";\n")).encode())
        insert = place.in_schema(postgres_sql.INSERT_REVISION).replace("$1", "%s")
        db.execute(insert.encode(), (HEAD,))
        return True


@contextlib.contextmanager
def _allowed(place: Place) -> Iterator[None]:
    try:
        yield
    except errors.InsufficientPrivilege:
        schema = place.policy.schema
        raise StoreUnavailable(
            f"the user of AUTHGATE_DATABASE_URL may not make the schema {schema} or its tables in "
            f"{place.named()}; run there, as its owner, with that user's name: CREATE SCHEMA "
            f"{schema} AUTHORIZATION …; or if it is there: GRANT USAGE, CREATE ON SCHEMA {schema} "
            "TO …"
        ) from None


def _migrate_patiently(db: Connection[Any], place: Place) -> None:
    for again in reversed(range(_TRIES)):
        try:
            migrate(db, place)
            return
        except errors.LockNotAvailable:
            db.rollback()
            if not again:
                raise StoreUnavailable(
                    f"the schema in {place.named()} cannot be brought up now: its tables are in "
                    "use by a long transaction, or another program is bringing it up "
                    "(pg_stat_activity names them); nothing was changed"
                ) from None
            time.sleep(_PAUSE)


def migrate(db: Connection[Any], place: Place) -> None:
    """Upgrade in one transaction behind the lock; whoever waited for it finds the work done."""
    # SQLAlchemy and Alembic cost 0.3 s and 38 MiB, for what one start in many needs.
    from sqlalchemy import StaticPool, create_engine
    from sqlalchemy.exc import DBAPIError

    from authgate.store.migrations import upgrade

    engine = create_engine("postgresql+psycopg://", creator=lambda: db, poolclass=StaticPool)
    try:
        with _allowed(place), engine.connect() as connection, connection.begin():
            _lock(db)
            if not is_ready(_revision(db, place)):
                # For this transaction alone: Alembic's revisions name no schema.
                path = sql.Identifier(place.policy.schema).as_string(db)
                db.execute("SELECT set_config('search_path', %s, true)", (path,))
                upgrade(connection)
                _comment(db, place)
    except DBAPIError as error:
        # Callers know the driver's errors, not SQLAlchemy's.
        raise error.orig or error from error


def _comment(db: Connection[Any], place: Place) -> None:
    """What a column means may have been worded anew since the revision that made it."""
    if _revision(db, place) == HEAD:
        told = [ddl for ddl in postgres_sql.SCHEMA.split("\n\n") if "COMMENT ON" in ddl[:12]]
        db.execute(place.in_schema(";\n".join(told)).encode())
