"""The statements of a sign-in at a provider; the rest are in `statements`.

Each that decides carries the whole condition and is judged by the rows it changed. The hand-over
lives in its transaction's row, so that one statement sees to it that there is only ever one.
"""

from __future__ import annotations

from sqlalchemy import ClauseElement, and_, bindparam, delete, exists, or_, select, update

from authgate.store import rows
from authgate.store.schema import authorization_requests, social_transactions
from authgate.store.statements import NOW, insert_row

_P = bindparam
_columns = social_transactions.c
_requests = authorization_requests.c
_THIS = _columns.transaction_digest == _P("transaction_digest")
_THIS_BROWSER = _columns.browser_digest == _P("browser_digest")
_VOUCHED = or_(_columns.sub.is_not(None), _columns.factor_sealed.is_not(None))

_BY_KEY: dict[str, ClauseElement] = {
    "insert_transaction": insert_row(social_transactions),
    "transaction": select(*social_transactions.columns).where(_THIS),
    "delete_transactions_of": delete(social_transactions).where(_columns.sub == _P("sub")),
}

_DECIDE: dict[str, ClauseElement] = {
    "take_transaction": update(social_transactions)
    .values(used_at=NOW)
    .where(_THIS, _THIS_BROWSER, _columns.used_at.is_(None), _columns.expires_at > NOW),
    "vouch_transaction": update(social_transactions)
    .values({name: _P(name) for name in rows.VOUCHED})
    .where(
        _THIS,
        _columns.used_at.is_not(None),
        _columns.handed_over_at.is_(None),
        ~_VOUCHED,
    ),
    "issue_hand_over": update(social_transactions)
    .values(
        handed_over_at=NOW,
        code_digest=_P("code_digest"),
        code_expires_at=_P("code_expires_at"),
    )
    .where(
        _THIS,
        _THIS_BROWSER,
        _VOUCHED,
        _columns.handed_over_at.is_(None),
        _columns.expires_at > NOW,
        exists().where(
            _requests.request_digest == _columns.request_digest,
            and_(_requests.answered_at.is_(None), _requests.expires_at > NOW),
        ),
    ),
    # The row goes with its code: what was said of a person is kept no longer than it is needed.
    "take_hand_over": delete(social_transactions)
    .where(
        _columns.code_digest == _P("code_digest"),
        _columns.request_digest == _P("request_digest"),
        _columns.provider == _P("provider"),
        _columns.code_expires_at > NOW,
    )
    .returning(_columns.used_at, *(_columns[name] for name in rows.VOUCHED)),
}


def positional() -> dict[str, ClauseElement]:
    """Statements that take a tuple: a row in column order, or one key."""
    return _BY_KEY


def named() -> dict[str, ClauseElement]:
    """Statements that take a mapping of names to values."""
    return _DECIDE
