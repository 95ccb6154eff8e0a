"""The kept text is what the expressions compile to; rows fit it; no plan scans what grows."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authgate.protocol.records import Bar, KeptSession, PendingFactor, Person, UsageRow
from authgate.store import compile as compiled
from authgate.store import rows, sqlite_sql
from authgate.store.schema import metadata
from authgate.store.sqlite_file import prepare
from tests.store.contract import samples

STATEMENTS = compiled.sqlite_statements()
# Read whole on purpose: a handful of keys, one row of version, all accounts and all API keys for
# the operator's list, and the trail, whose LIMIT stops the scan at the newest, or at the oldest.
MAY_SCAN = {
    "signing_keys": "signing_keys",
    "insert_first_signing_key": "signing_keys",
    "retire_signing_keys": "signing_keys",
    "forget_signing_keys": "signing_keys",
    "revision": "alembic_version",
    "prove_writable": "alembic_version",
    "accounts": "accounts",
    "api_keys": "api_keys",
    "audit_events": "audit_events",
    "sweep_audit": "audit_events",
}


def test_the_kept_text_is_up_to_date() -> None:
    kept = Path(sqlite_sql.__file__).read_text()
    assert kept == compiled.sqlite_module(), "run: python -m authgate.store.compile"


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_no_statement_scans_a_table_that_grows(name: str, plans: sqlite3.Connection) -> None:
    text, parameters = STATEMENTS[name]
    given: Any = (None,) * len(parameters) if "?" in text else dict.fromkeys(parameters)
    plan = [row[3] for row in plans.execute(f"EXPLAIN QUERY PLAN {text}", given)]
    scans = [line for line in plan if line.startswith("SCAN") and "CONSTANT ROW" not in line]
    allowed = MAY_SCAN.get(name)
    assert [line.split()[1] for line in scans] == ([allowed] if allowed and scans else []), plan


def test_every_index_is_of_use(plans: sqlite3.Connection) -> None:
    used = set()
    for text, parameters in STATEMENTS.values():
        given: Any = (None,) * len(parameters) if "?" in text else dict.fromkeys(parameters)
        for row in plans.execute(f"EXPLAIN QUERY PLAN {text}", given):
            used |= set(re.findall(r"INDEX (\w+)", row[3]))
    made = {str(index.name) for table in metadata.tables.values() for index in table.indexes}
    assert made <= used


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("plans") / "authgate.db"
    prepare(path, 1)
    with closing(sqlite3.connect(path)) as db:
        yield db


ROWS = [
    ("insert_client", rows.client_row, samples.client(secret_digest="s", last_used_at=1)),
    (
        "insert_request",
        rows.request_row,
        samples.login(answered_at=1, factor=samples.factor(failures=2)),
    ),
    ("remember_consent", rows.consent_row, samples.consent()),
    ("insert_code", rows.code_row, samples.code(failures=3, redeemed_at=1)),
    ("insert_grant", rows.grant_row, samples.grant(revoked_at=1, revoked_reason="r", vouched_at=2)),
    ("insert_refresh_token", rows.refresh_token_row, samples.token(superseded_at=1)),
    ("insert_session", rows.session_row, samples.session()),
    ("insert_link", rows.link_row, samples.link()),
    ("insert_bar", rows.bar_row, Bar("ag_alice", "x", 1)),
    ("insert_kept_session", rows.kept_session_row, KeptSession("ag_alice", "s", 1, 2, 3)),
    (
        "insert_api_key",
        rows.api_key_row,
        samples.api_key(expires_at=1, revoked_at=2, last_used_at=3),
    ),
    ("add_usage", rows.usage_row, UsageRow(1, "none", "client-1", 2, 3)),
    ("insert_signing_key", rows.signing_key_row, samples.signing_key(retires_at=1)),
    ("insert_first_signing_key", rows.signing_key_row, samples.signing_key(retires_at=1)),
    ("insert_account", rows.account_row, samples.account(disabled_at=1)),
    ("insert_audit_event", rows.audit_row, samples.audit(actor="a", detail={"a": 1})),
]


@pytest.mark.parametrize(("name", "to_row", "record"), ROWS, ids=[r[0] for r in ROWS])
def test_a_row_has_each_field_where_the_statement_takes_it(
    name: str, to_row: Any, record: Any
) -> None:
    _, parameters = STATEMENTS[name]
    row = dict(zip(parameters, to_row(record), strict=True))
    flat = {f.name: getattr(record, f.name) for f in fields(record)}
    if isinstance(person := flat.pop("person", None), Person):
        flat |= {f.name: getattr(person, f.name) for f in fields(person)}
    if isinstance(factor := flat.pop("factor", None), PendingFactor):
        flat |= {f"factor_{f.name}": getattr(factor, f.name) for f in fields(factor)}
    assert set(row) == set(flat)
    for field, value in flat.items():
        if value is None or isinstance(value, str | int):
            assert row[field] == value, field
        else:
            assert isinstance(row[field], str), field


_word = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=9)
_words = st.lists(_word, max_size=4).map(tuple)
_json = st.recursive(
    st.none() | st.booleans() | st.text() | st.integers(-(2**53), 2**53),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_object = st.dictionaries(st.text(), _json, max_size=4)


@given(uris=st.lists(st.text()).map(tuple), scopes=_words, metadata=_object)
def test_a_client_survives_the_row(
    uris: tuple[str, ...], scopes: tuple[str, ...], metadata: dict[str, object]
) -> None:
    kept = samples.client(redirect_uris=uris, scopes=scopes, grant_types=scopes, metadata=metadata)
    assert rows.client(rows.client_row(kept)) == kept


@given(scopes=_words, methods=_words, text=st.text(), detail=_object)
def test_the_others_survive_the_row(
    scopes: tuple[str, ...], methods: tuple[str, ...], text: str, detail: dict[str, object]
) -> None:
    who = Person(text, "embedded", text, methods, 2)
    asked = samples.request(scopes=scopes, prompt=methods, state=text)
    assert rows.request(rows.request_row(asked)) == asked
    issued = samples.code(scopes=scopes, person=who)
    assert rows.code(rows.code_row(issued)) == issued
    begun = samples.grant(scopes=scopes, person=who)
    assert rows.grant(rows.grant_row(begun)) == begun
    for vouched in (who, samples.factor(sealed=text), None):
        away = samples.transaction(vouched=vouched, used_at=1, handed_over_at=2, sealed=text)
        assert rows.transaction(rows.transaction_row(away)) == away
    signed_in = samples.session(person=who)
    assert rows.session(rows.session_row(signed_in)) == signed_in
    given_out = samples.api_key(scopes=scopes, name=text, sub=text)
    assert rows.api_key(rows.api_key_row(given_out)) == given_out
    told = samples.audit(detail=detail, address=text)
    assert rows.audit_event(rows.audit_row(told)) == told
