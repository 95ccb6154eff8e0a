"""The tables, once for every engine (SQLAlchemy Core), each column with what it means.

Times are integer seconds since the epoch and digests are hexadecimal text, so that no driver has
to convert anything on the way in or out. Lists of tokens that cannot hold a space (scopes, methods)
are space-separated text, as they are on the wire; everything else that is a list or a document is
JSON text. `directory` to `assurance` repeat a `Person` in every row that speaks of one: embedding
it costs a few bytes and saves the guard a join.

An index is listed with the statement it is there for; a test asks SQLite for the plan of every
statement and fails when one scans a table that grows. No running server imports this: `compile`
turns it and `statements` into text, `migrations` is its history.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text, text

metadata = MetaData()

# SQLite's STRICT tables know INTEGER alone, and its 64 bits; PostgreSQL's INTEGER ends in 2038.
_Integer = BigInteger().with_variant(Integer(), "sqlite")

# Keys here are random, so in the key's own tree (WITHOUT ROWID) every row of a batch would lie on
# a page of its own. By rowid, rows lie in the order they came: a batch shares the last pages and
# only the small index is touched at random. Measured with 50,000 grants and batches of 32: code
# exchange 95 µs instead of 165. `consents` has nothing but its key to begin with, and the keys of
# `usage_counts` come in the order of their days.
_ROWID: dict[str, Any] = {"sqlite_strict": True}
_KEYED: dict[str, Any] = {"sqlite_strict": True, "sqlite_with_rowid": False}


def _text(name: str, comment: str, *, key: bool = False, optional: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=optional, comment=comment)


def _number(name: str, comment: str, *, key: bool = False, optional: bool = False) -> Column[int]:
    return Column(name, _Integer, primary_key=key, nullable=optional, comment=comment)


def _index_of_some(name: str, column: str) -> Index:
    """An index of the rows that have a value there."""
    some = text(f"{column} IS NOT NULL")
    return Index(name, column, sqlite_where=some, postgresql_where=some)


def _person(
    *, optional: bool = False
) -> tuple[Column[str], Column[str], Column[str], Column[str], Column[int]]:
    return (
        _text(
            "sub",
            "the person: the home directory's own identifier, never an e-mail address",
            optional=optional,
        ),
        _text("directory", "the directory that vouched for the person", optional=optional),
        _text(
            "display", "what a page may show for the person; recognises nobody", optional=optional
        ),
        _text("methods", "how the person proved who they are, space-separated", optional=optional),
        _number("assurance", "how many independent factors that was", optional=optional),
    )


clients = Table(
    "clients",
    metadata,
    _text("client_id", "public identifier of the client", key=True),
    _text("redirect_uris", "registered redirect URIs, exactly as sent (JSON list)"),
    _text("auth_method", "how the client proves itself at the token endpoint"),
    _text("grant_types", "registered grant types, space-separated"),
    _text("response_types", "registered response types, a JSON list: one may hold a space"),
    _text("scopes", "scopes the client may ask for, space-separated"),
    _text("application_type", "web or native"),
    _text("name", "display name as registered, unverified", optional=True),
    _text("metadata", "remaining registered members, echoed as they came (JSON object)"),
    _number("issued_at", "when the client was registered"),
    _text(
        "secret_digest", "SHA-256 of the client secret; empty for a public client", optional=True
    ),
    _number("self_registered", "1: came through open registration, 0: an operator vouches for it"),
    _number("last_used_at", "last code or refresh exchange, to the day", optional=True),
    # sweep_clients: the never used are those with NULL, in order of registration
    Index("clients_by_use", "last_used_at", "issued_at"),
    comment="registered clients (RFC 7591)",
    **_ROWID,
)

authorization_requests = Table(
    "authorization_requests",
    metadata,
    _text("request_digest", "SHA-256 of the handle in page URLs or of the challenge", key=True),
    _text("kind", "browser, tool, or login: another authorization server asked"),
    _text("client_id", "the client that asked; an empty text if none did (login)"),
    _text("redirect_uri", "where the answer goes, exactly as asked"),
    _text("state", "the client's state, echoed byte for byte", optional=True),
    _text("code_challenge", "PKCE challenge (S256)"),
    _text("scopes", "scopes asked for, after narrowing, space-separated"),
    _text("resource", "the resource the tokens are to be for"),
    _text("prompt", "prompt values, space-separated"),
    _number("cross_site", "1: another site sent the browser here"),
    _text("browser_digest", "SHA-256 of the browser's cookie; empty for a tool", optional=True),
    _number("created_at", "when it was asked"),
    _number("expires_at", "when it stops being answerable"),
    _number("answered_at", "when it was approved or denied; set once", optional=True),
    _text("factor_kind", "the second factor that is due: totp or phone", optional=True),
    _text("factor_hint", "what the page may show of it", optional=True),
    _text("factor_sealed", "the sign-in between its two factors, encrypted", optional=True),
    _number("factor_expires_at", "when the password is due again", optional=True),
    _number("factor_failures", "wrong codes so far", optional=True),
    _text("external", "the asking server's own name for a login, encrypted", optional=True),
    # sweep_requests, and the requests still open in sweep_clients
    Index("authorization_requests_by_end", "expires_at"),
    # sweep_factors; partial, so that a request without a second factor pays nothing for it
    _index_of_some("authorization_requests_by_factor_end", "factor_expires_at"),
    comment="authorization requests waiting for a person",
    **_ROWID,
)

social_transactions = Table(
    "social_transactions",
    metadata,
    _text("transaction_digest", "SHA-256 of the name that comes back from the provider", key=True),
    _text("provider", "github or google"),
    _text("request_digest", "the authorization request or challenge it is for"),
    _text("kind", "browser, tool or login: what kind of request that is"),
    _text("browser_digest", "SHA-256 of the cookie of the browser that was sent away"),
    _text("sealed", "what the way back needs, encrypted"),
    _number("created_at", "when the browser was sent away"),
    _number("expires_at", "when it may no longer come back"),
    _number("used_at", "when it came back; set once", optional=True),
    *_person(optional=True),
    _text("factor_kind", "the second factor still due: totp or phone", optional=True),
    _text("factor_hint", "what may be shown of it", optional=True),
    _text("factor_sealed", "the sign-in between its two factors, encrypted", optional=True),
    _number("factor_expires_at", "when the sign-in has to begin again", optional=True),
    _number("handed_over_at", "when a tool was given its one-time code; set once", optional=True),
    _text("code_digest", "SHA-256 of that oauth_code", optional=True),
    _number("code_expires_at", "when that code stops working", optional=True),
    Index("social_transactions_by_end", "expires_at"),  # sweep_transactions
    # take_hand_over, delete_transactions_of; partial, as most rows have neither
    _index_of_some("social_transactions_by_code", "code_digest"),
    _index_of_some("social_transactions_by_sub", "sub"),
    comment="sign-ins under way at GitHub or Google, and what tools were handed over of them",
    **_ROWID,
)

consents = Table(
    "consents",
    metadata,
    _text("sub", "the person who allowed it", key=True),
    _text("client_id", "the client that was allowed", key=True),
    _text("redirect_host", "the host the answers go to", key=True),
    _text("resource", "the resource it was allowed for", key=True),
    _text("scopes", "scopes allowed, space-separated"),
    _number("granted_at", "when it was last allowed"),
    # delete_consents_of_client
    Index("consents_by_client", "client_id"),
    comment="what a person has allowed a client before",
    **_KEYED,
)

codes = Table(
    "codes",
    metadata,
    _text("code_digest", "SHA-256 of the authorization code", key=True),
    _text("grant_id", "the grant that its redemption begins"),
    _text("client_id", "the client it was issued to"),
    _text("redirect_uri", "where it was sent"),
    _text("code_challenge", "PKCE challenge (S256)"),
    _text("scopes", "scopes it stands for, space-separated"),
    _text("resource", "the resource it stands for"),
    *_person(),
    _number("authenticated_at", "when the person signed in"),
    _number("issued_at", "when it was issued"),
    _number("expires_at", "when it stops being redeemable"),
    _number("failures", "wrong verifiers so far"),
    _number("redeemed_at", "when it was redeemed; set once, by the one that won", optional=True),
    # sweep_codes (both kinds) and expire_codes_of_…: the few unspent codes are those with NULL
    Index("codes_by_end", "redeemed_at", "expires_at"),
    comment="authorization codes, the redeemed ones kept to tell a replay from a stranger",
    **_ROWID,
)

grants = Table(
    "grants",
    metadata,
    _text("grant_id", "identifier, named by every access token", key=True),
    _text("client_id", "the client that was allowed"),
    *_person(),
    _text("scopes", "scopes allowed, space-separated"),
    _text("resource", "the one resource the tokens are for"),
    _number("authenticated_at", "when the person signed in"),
    _number("created_at", "when the code was redeemed"),
    _number("last_used_at", "last refresh, or the redemption"),
    _number("expires_at", "latest moment at which any token of the grant can be alive"),
    _number("revoked_at", "when it was ended before its time", optional=True),
    _text("revoked_reason", "why it was ended", optional=True),
    _number("vouched_at", "when the directory last stood by the person", optional=True),
    # grants_of_client, end_grants_of_client, the live grants in sweep_clients
    Index("grants_by_client", "client_id", "created_at"),
    # grants_of_sub, end_grants_of_sub
    Index("grants_by_sub", "sub", "created_at"),
    # sweep_grants and sweep_refresh_tokens: those that ran out are the ones with NULL
    Index("grants_by_end", "revoked_at", "expires_at"),
    comment="what a person allowed a client, from the redemption of a code until it ends",
    **_ROWID,
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    _text("token_digest", "SHA-256 of the refresh token", key=True),
    _text("grant_id", "the grant it belongs to"),
    _number("issued_at", "when it was issued"),
    _number("expires_at", "when it stops being usable"),
    _number("superseded_at", "when its successor was issued; set once", optional=True),
    _text("successor_digest", "SHA-256 of its one successor", optional=True),
    # sweep_refresh_tokens, and what is left of a grant in sweep_grants
    Index("refresh_tokens_by_grant", "grant_id"),
    comment="every generation of refresh tokens, superseded ones kept to recognise a replay",
    **_ROWID,
)

sessions = Table(
    "sessions",
    metadata,
    _text("session_digest", "SHA-256 of the session cookie", key=True),
    *_person(),
    _number("created_at", "when the person signed in"),
    _number("expires_at", "when the session ends"),
    Index("sessions_by_sub", "sub"),  # delete_sessions_of
    Index("sessions_by_end", "expires_at"),  # sweep_sessions
    comment="browser sessions after a sign-in",
    **_ROWID,
)

links = Table(
    "links",
    metadata,
    _text("workos_id", "the WorkOS user", key=True),
    _text("sub", "the person that user is; several users may be one person"),
    _text("how", "by which rule they were matched: completed, identity or email; or operator"),
    _number("linked_at", "when"),
    Index("links_by_sub", "sub", "linked_at"),  # links_to
    comment="which person a WorkOS user is",
    **_ROWID,
)

bars = Table(
    "bars",
    metadata,
    _text("sub", "the person from whom nothing issued elsewhere is taken", key=True),
    _text("reason", "why"),
    _number("barred_at", "since when"),
    comment="people who have to sign in anew before tokens that we did not issue are taken again",
    **_ROWID,
)

seen_events = Table(
    "seen_events",
    metadata,
    _text("event_id", "the teller's identifier of the event", key=True),
    _number("seen_at", "when it was told first"),
    Index("seen_events_by_time", "seen_at"),  # sweep_events
    comment="events that other services told, kept to know a repetition",
    **_ROWID,
)

kept_sessions = Table(
    "kept_sessions",
    metadata,
    _text("sub", "the person whose session it is", key=True),
    _text("sealed", "the session at their directory, encrypted"),
    _number("version", "names one state of the row, never another"),
    _number("kept_at", "when it was kept or refreshed"),
    _number("held_until", "until when one holder alone may refresh it; 0: nobody"),
    Index("kept_sessions_by_time", "kept_at"),  # sweep_kept_sessions
    comment="sessions of people at their directory, to ask there whether they are still good",
    **_ROWID,
)

api_keys = Table(
    "api_keys",
    metadata,
    _text("key_digest", "SHA-256 of the API key", key=True),
    _text("key_id", "public identifier, by which it is listed and revoked"),
    _text("name", "what the operator calls it; need not be unique"),
    _text("sub", "the operator's name for whoever calls with it", optional=True),
    _text("scopes", "scopes it stands for, space-separated"),
    _number("created_at", "when it was made"),
    _number("expires_at", "when it stops working; empty: never", optional=True),
    _number("revoked_at", "when it was revoked; set once", optional=True),
    _number("last_used_at", "last call with it, to the day", optional=True),
    Index("api_keys_by_id", "key_id", unique=True),  # revoke_api_key
    comment="static API keys that an operator gave out",
    **_ROWID,
)

usage_counts = Table(
    "usage_counts",
    metadata,
    _number("day", "days since the epoch", key=True),
    _text("kind", "the kind of credential that came, none among them", key=True),
    _text("client", "the client, or the name of the API key; empty if nobody said", key=True),
    _number("calls", "how many calls came so"),
    _number("would_refuse", "how many of them would be refused if OAuth were required"),
    comment="who still calls with what, counted by day",
    **_KEYED,
)

signing_keys = Table(
    "signing_keys",
    metadata,
    _text("kid", "key identifier in token headers and the JWKS", key=True),
    _text("algorithm", "JWS algorithm"),
    _text("public_jwk", "the public half (JSON object)"),
    _text("sealed_private", "the private half, encrypted by the vault"),
    _number("created_at", "published from here on"),
    _number("signs_from", "signs from here on"),
    _number("retires_at", "leaves the JWKS here; empty while nothing supersedes it", optional=True),
    comment="signing keys; a handful of rows, so no index",
    **_ROWID,
)

accounts = Table(
    "accounts",
    metadata,
    _text("sub", "identifier of the person (ag_…)", key=True),
    _text("email", "address as the operator wrote it"),
    _text("email_key", "the address case-folded: what a sign-in is compared with"),
    _text("password_hash", "argon2id hash"),
    _number("created_at", "when the account was made"),
    _number("disabled_at", "since when it may not sign in", optional=True),
    Index("accounts_by_email", "email_key", unique=True),  # account_by_email, accounts
    comment="people of the embedded directory",
    **_ROWID,
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("id", _Integer, primary_key=True, nullable=False, comment="order of writing"),
    _number("at", "when it happened"),
    _text("event", "what happened"),
    _text("outcome", "how it ended"),
    _text("actor", "the person's sub, operator, or empty for a stranger", optional=True),
    _text("client_id", "the client concerned", optional=True),
    _text("address", "network address of the asker", optional=True),
    _text("detail", "more facts, never a secret nor a digest of one (JSON object)"),
    comment="the audit trail, written in the transaction of the step it tells about",
    **_ROWID,
)
