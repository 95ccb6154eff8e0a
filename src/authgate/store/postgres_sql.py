"""The statements as PostgreSQL runs them.

Written by `python -m authgate.store.compile` from `statements`: do not edit. `@` stands for the
schema, and each takes a tuple or a mapping of the parameters that `ORDER` names.
"""

# "token" and "password" in the names of statements are no secrets, and a comment is one line.
# ruff: noqa: E501, S105

CLIENT = (
    "SELECT clients.client_id, clients.redirect_uris, clients.auth_method, clients.grant_types, "
    "clients.response_types, clients.scopes, clients.application_type, clients.name, "
    "clients.metadata, clients.issued_at, clients.secret_digest, clients.self_registered, "
    "clients.last_used_at FROM @.clients WHERE clients.client_id = $1::TEXT"
)

REQUEST = (
    "SELECT authorization_requests.request_digest, authorization_requests.kind, "
    "authorization_requests.client_id, authorization_requests.redirect_uri, "
    "authorization_requests.state, authorization_requests.code_challenge, "
    "authorization_requests.scopes, authorization_requests.resource, "
    "authorization_requests.prompt, authorization_requests.cross_site, "
    "authorization_requests.browser_digest, authorization_requests.created_at, "
    "authorization_requests.expires_at, authorization_requests.answered_at, "
    "authorization_requests.factor_kind, authorization_requests.factor_hint, "
    "authorization_requests.factor_sealed, authorization_requests.factor_expires_at, "
    "authorization_requests.factor_failures, authorization_requests.external FROM "
    "@.authorization_requests WHERE authorization_requests.request_digest = $1::TEXT"
)

CODE = (
    "SELECT codes.code_digest, codes.grant_id, codes.client_id, codes.redirect_uri, "
    "codes.code_challenge, codes.scopes, codes.resource, codes.sub, codes.directory, "
    "codes.display, codes.methods, codes.assurance, codes.authenticated_at, codes.issued_at, "
    "codes.expires_at, codes.failures, codes.redeemed_at FROM @.codes WHERE codes.code_digest = "
    "$1::TEXT"
)

GRANT = (
    "SELECT grants.grant_id, grants.client_id, grants.sub, grants.directory, grants.display, "
    "grants.methods, grants.assurance, grants.scopes, grants.resource, grants.authenticated_at, "
    "grants.created_at, grants.last_used_at, grants.expires_at, grants.revoked_at, "
    "grants.revoked_reason, grants.vouched_at FROM @.grants WHERE grants.grant_id = $1::TEXT"
)

REFRESH_TOKEN = (
    "SELECT refresh_tokens.token_digest, refresh_tokens.grant_id, refresh_tokens.issued_at, "
    "refresh_tokens.expires_at, refresh_tokens.superseded_at, refresh_tokens.successor_digest, "
    "grants.grant_id AS grant_id_1, grants.client_id, grants.sub, grants.directory, "
    "grants.display, grants.methods, grants.assurance, grants.scopes, grants.resource, "
    "grants.authenticated_at, grants.created_at, grants.last_used_at, grants.expires_at AS "
    "expires_at_1, grants.revoked_at, grants.revoked_reason, grants.vouched_at FROM "
    "@.refresh_tokens JOIN @.grants ON grants.grant_id = refresh_tokens.grant_id WHERE "
    "refresh_tokens.token_digest = $1::TEXT"
)

ACCOUNT = (
    "SELECT accounts.sub, accounts.email, accounts.email_key, accounts.password_hash, "
    "accounts.created_at, accounts.disabled_at FROM @.accounts WHERE accounts.sub = $1::TEXT"
)

ACCOUNT_BY_EMAIL = (
    "SELECT accounts.sub, accounts.email, accounts.email_key, accounts.password_hash, "
    "accounts.created_at, accounts.disabled_at FROM @.accounts WHERE accounts.email_key = "
    "$1::TEXT"
)

ACCOUNTS = (
    "SELECT accounts.sub, accounts.email, accounts.email_key, accounts.password_hash, "
    "accounts.created_at, accounts.disabled_at FROM @.accounts ORDER BY accounts.email_key"
)

SIGNING_KEYS = (
    "SELECT signing_keys.kid, signing_keys.algorithm, signing_keys.public_jwk, "
    "signing_keys.sealed_private, signing_keys.created_at, signing_keys.signs_from, "
    "signing_keys.retires_at FROM @.signing_keys ORDER BY signing_keys.created_at, "
    "signing_keys.kid"
)

AUDIT_EVENTS = (
    "SELECT audit_events.at, audit_events.event, audit_events.outcome, audit_events.actor, "
    "audit_events.client_id, audit_events.address, audit_events.detail FROM @.audit_events ORDER "
    "BY audit_events.id DESC LIMIT $1 OFFSET 0"
)

REVISION = "SELECT alembic_version.version_num FROM @.alembic_version"

CODE_FAILURES = "SELECT codes.failures FROM @.codes WHERE codes.code_digest = $1::TEXT"

WHY_NOT_ROTATED = (
    "SELECT refresh_tokens.grant_id, refresh_tokens.superseded_at, grants.revoked_at, "
    "successor.token_digest, successor.expires_at, successor.superseded_at AS superseded_at_1 "
    "FROM @.refresh_tokens JOIN @.grants ON grants.grant_id = refresh_tokens.grant_id LEFT OUTER "
    "JOIN @.refresh_tokens AS successor ON successor.token_digest = "
    "refresh_tokens.successor_digest WHERE refresh_tokens.token_digest = $1::TEXT"
)

DELETE_SESSIONS_OF = "DELETE FROM @.sessions WHERE sessions.sub = $1::TEXT"

INSERT_REQUEST = (
    "INSERT INTO @.authorization_requests (request_digest, kind, client_id, redirect_uri, state, "
    "code_challenge, scopes, resource, prompt, cross_site, browser_digest, created_at, "
    "expires_at, answered_at, factor_kind, factor_hint, factor_sealed, factor_expires_at, "
    "factor_failures, external) VALUES ($1::TEXT, $2::TEXT, $3::TEXT, $4::TEXT, $5::TEXT, "
    "$6::TEXT, $7::TEXT, $8::TEXT, $9::TEXT, $10::BIGINT, $11::TEXT, $12::BIGINT, $13::BIGINT, "
    "$14::BIGINT, $15::TEXT, $16::TEXT, $17::TEXT, $18::BIGINT, $19::BIGINT, $20::TEXT)"
)

INSERT_SIGNING_KEY = (
    "INSERT INTO @.signing_keys (kid, algorithm, public_jwk, sealed_private, created_at, "
    "signs_from, retires_at) VALUES ($1::TEXT, $2::TEXT, $3::TEXT, $4::TEXT, $5::BIGINT, "
    "$6::BIGINT, $7::BIGINT)"
)

INSERT_FIRST_SIGNING_KEY = (
    "INSERT INTO @.signing_keys (kid, algorithm, public_jwk, sealed_private, created_at, "
    "signs_from, retires_at) SELECT $1::TEXT AS anon_1, $2::TEXT AS anon_2, $3::TEXT AS anon_3, "
    "$4::TEXT AS anon_4, $5::BIGINT AS anon_5, $6::BIGINT AS anon_6, $7::BIGINT AS anon_7 WHERE "
    "NOT (EXISTS (SELECT 1 FROM @.signing_keys))"
)

INSERT_REVISION = "INSERT INTO @.alembic_version (version_num) VALUES ($1)"

INSERT_AUDIT_EVENT = (
    "INSERT INTO @.audit_events (at, event, outcome, actor, client_id, address, detail) VALUES "
    "($1::BIGINT, $2::TEXT, $3::TEXT, $4::TEXT, $5::TEXT, $6::TEXT, $7::TEXT) RETURNING "
    "audit_events.id"
)

INSERT_TRANSACTION = (
    "INSERT INTO @.social_transactions (transaction_digest, provider, request_digest, kind, "
    "browser_digest, sealed, created_at, expires_at, used_at, sub, directory, display, methods, "
    "assurance, factor_kind, factor_hint, factor_sealed, factor_expires_at, handed_over_at, "
    "code_digest, code_expires_at) VALUES ($1::TEXT, $2::TEXT, $3::TEXT, $4::TEXT, $5::TEXT, "
    "$6::TEXT, $7::BIGINT, $8::BIGINT, $9::BIGINT, $10::TEXT, $11::TEXT, $12::TEXT, $13::TEXT, "
    "$14::BIGINT, $15::TEXT, $16::TEXT, $17::TEXT, $18::BIGINT, $19::BIGINT, $20::TEXT, "
    "$21::BIGINT)"
)

TRANSACTION = (
    "SELECT social_transactions.transaction_digest, social_transactions.provider, "
    "social_transactions.request_digest, social_transactions.kind, "
    "social_transactions.browser_digest, social_transactions.sealed, "
    "social_transactions.created_at, social_transactions.expires_at, social_transactions.used_at, "
    "social_transactions.sub, social_transactions.directory, social_transactions.display, "
    "social_transactions.methods, social_transactions.assurance, social_transactions.factor_kind, "
    "social_transactions.factor_hint, social_transactions.factor_sealed, "
    "social_transactions.factor_expires_at, social_transactions.handed_over_at, "
    "social_transactions.code_digest, social_transactions.code_expires_at FROM "
    "@.social_transactions WHERE social_transactions.transaction_digest = $1::TEXT"
)

DELETE_TRANSACTIONS_OF = (
    "DELETE FROM @.social_transactions WHERE social_transactions.sub = $1::TEXT"
)

LINK_OF = (
    "SELECT links.workos_id, links.sub, links.how, links.linked_at FROM @.links WHERE "
    "links.workos_id = $1::TEXT"
)

LINKS_TO = (
    "SELECT links.workos_id, links.sub, links.how, links.linked_at FROM @.links WHERE links.sub = "
    "$1::TEXT ORDER BY links.linked_at, links.workos_id"
)

BAR_OF = "SELECT bars.sub, bars.reason, bars.barred_at FROM @.bars WHERE bars.sub = $1::TEXT"

EVENT = (
    "SELECT seen_events.event_id, seen_events.seen_at FROM @.seen_events WHERE "
    "seen_events.event_id = $1::TEXT"
)

KEPT_SESSION = (
    "SELECT kept_sessions.sub, kept_sessions.sealed, kept_sessions.version, "
    "kept_sessions.kept_at, kept_sessions.held_until FROM @.kept_sessions WHERE kept_sessions.sub "
    "= $1::TEXT"
)

INSERT_EVENT = (
    "INSERT INTO @.seen_events (event_id, seen_at) VALUES ($1::TEXT, $2::BIGINT) ON CONFLICT "
    "(event_id) DO NOTHING"
)

INSERT_API_KEY = (
    "INSERT INTO @.api_keys (key_digest, key_id, name, sub, scopes, created_at, expires_at, "
    "revoked_at, last_used_at) VALUES ($1::TEXT, $2::TEXT, $3::TEXT, $4::TEXT, $5::TEXT, "
    "$6::BIGINT, $7::BIGINT, $8::BIGINT, $9::BIGINT)"
)

API_KEY = (
    "SELECT api_keys.key_digest, api_keys.key_id, api_keys.name, api_keys.sub, api_keys.scopes, "
    "api_keys.created_at, api_keys.expires_at, api_keys.revoked_at, api_keys.last_used_at FROM "
    "@.api_keys WHERE api_keys.key_digest = $1::TEXT"
)

API_KEYS = (
    "SELECT api_keys.key_digest, api_keys.key_id, api_keys.name, api_keys.sub, api_keys.scopes, "
    "api_keys.created_at, api_keys.expires_at, api_keys.revoked_at, api_keys.last_used_at FROM "
    "@.api_keys ORDER BY api_keys.created_at, api_keys.key_id"
)

USAGE = (
    "SELECT usage_counts.day, usage_counts.kind, usage_counts.client, usage_counts.calls, "
    "usage_counts.would_refuse FROM @.usage_counts WHERE usage_counts.day >= $1::BIGINT ORDER BY "
    "usage_counts.day, usage_counts.kind, usage_counts.client"
)

ADD_USAGE = (
    "INSERT INTO @.usage_counts (day, kind, client, calls, would_refuse) VALUES ($1::BIGINT, "
    "$2::TEXT, $3::TEXT, $4::BIGINT, $5::BIGINT) ON CONFLICT (day, kind, client) DO UPDATE SET "
    "calls = (usage_counts.calls + excluded.calls), would_refuse = (usage_counts.would_refuse + "
    "excluded.would_refuse)"
)

LAST_AUDIT_NUMBER = "SELECT max(audit_events.id) AS max_1 FROM @.audit_events"

CLIENTS = (
    "SELECT clients.client_id, clients.redirect_uris, clients.auth_method, clients.grant_types, "
    "clients.response_types, clients.scopes, clients.application_type, clients.name, "
    "clients.metadata, clients.issued_at, clients.secret_digest, clients.self_registered, "
    "clients.last_used_at FROM @.clients WHERE clients.client_id > $1::TEXT ORDER BY "
    "clients.client_id LIMIT $2 OFFSET 0"
)

CONSENT = (
    "SELECT consents.sub, consents.client_id, consents.redirect_host, consents.resource, "
    "consents.scopes, consents.granted_at FROM @.consents WHERE consents.sub = $1::TEXT AND "
    "consents.client_id = $2::TEXT AND consents.redirect_host = $3::TEXT AND consents.resource = "
    "$4::TEXT"
)

GRANTS_OF_SUB = (
    "SELECT grants.grant_id, grants.client_id, grants.sub, grants.directory, grants.display, "
    "grants.methods, grants.assurance, grants.scopes, grants.resource, grants.authenticated_at, "
    "grants.created_at, grants.last_used_at, grants.expires_at, grants.revoked_at, "
    "grants.revoked_reason, grants.vouched_at FROM @.grants WHERE grants.sub = $1::TEXT AND "
    "($2::BIGINT IS NULL OR grants.revoked_at IS NULL AND grants.expires_at > $2::BIGINT) ORDER "
    "BY grants.created_at DESC, grants.grant_id LIMIT 1000 OFFSET 0"
)

GRANTS_OF_CLIENT = (
    "SELECT grants.grant_id, grants.client_id, grants.sub, grants.directory, grants.display, "
    "grants.methods, grants.assurance, grants.scopes, grants.resource, grants.authenticated_at, "
    "grants.created_at, grants.last_used_at, grants.expires_at, grants.revoked_at, "
    "grants.revoked_reason, grants.vouched_at FROM @.grants WHERE grants.client_id = $1::TEXT AND "
    "($2::BIGINT IS NULL OR grants.revoked_at IS NULL AND grants.expires_at > $2::BIGINT) ORDER "
    "BY grants.created_at DESC, grants.grant_id LIMIT 1000 OFFSET 0"
)

GRANTS_OF_SUB_AND_CLIENT = (
    "SELECT grants.grant_id, grants.client_id, grants.sub, grants.directory, grants.display, "
    "grants.methods, grants.assurance, grants.scopes, grants.resource, grants.authenticated_at, "
    "grants.created_at, grants.last_used_at, grants.expires_at, grants.revoked_at, "
    "grants.revoked_reason, grants.vouched_at FROM @.grants WHERE grants.sub = $1::TEXT AND "
    "grants.client_id = $2::TEXT AND ($3::BIGINT IS NULL OR grants.revoked_at IS NULL AND "
    "grants.expires_at > $3::BIGINT) ORDER BY grants.created_at DESC, grants.grant_id LIMIT 1000 "
    "OFFSET 0"
)

SESSION = (
    "SELECT sessions.session_digest, sessions.sub, sessions.directory, sessions.display, "
    "sessions.methods, sessions.assurance, sessions.created_at, sessions.expires_at FROM "
    "@.sessions WHERE sessions.session_digest = $1::TEXT AND sessions.expires_at > $2::BIGINT"
)

AWAIT_FACTOR = (
    "UPDATE @.authorization_requests SET factor_kind=$1::TEXT, factor_hint=$2::TEXT, "
    "factor_sealed=$3::TEXT, factor_expires_at=$4::BIGINT, factor_failures=$5::BIGINT WHERE "
    "authorization_requests.request_digest = $6::TEXT AND authorization_requests.answered_at IS "
    "NULL AND authorization_requests.expires_at > $7::BIGINT"
)

COUNT_FACTOR_FAILURE = (
    "UPDATE @.authorization_requests SET factor_sealed=CASE WHEN "
    "(authorization_requests.factor_failures + 1 >= $1::BIGINT) THEN NULL ELSE "
    "authorization_requests.factor_sealed END, "
    "factor_failures=(authorization_requests.factor_failures + 1) WHERE "
    "authorization_requests.request_digest = $2::TEXT AND authorization_requests.factor_sealed IS "
    "NOT NULL RETURNING authorization_requests.factor_failures"
)

SETTLE_FACTOR = (
    "UPDATE @.authorization_requests SET factor_kind=NULL, factor_hint=NULL, factor_sealed=NULL, "
    "factor_expires_at=NULL, factor_failures=NULL WHERE authorization_requests.request_digest = "
    "$1::TEXT AND authorization_requests.factor_sealed = $2::TEXT"
)

COUNT_CODE_FAILURE = (
    "UPDATE @.codes SET failures=(codes.failures + 1) WHERE codes.code_digest = $1::TEXT AND "
    "codes.failures < $2::BIGINT RETURNING codes.failures"
)

REHASH_ACCOUNT_PASSWORD = (
    "UPDATE @.accounts SET password_hash=$1::TEXT WHERE accounts.sub = $2::TEXT AND "
    "accounts.password_hash = $3::TEXT"
)

RETIRE_SIGNING_KEYS = (
    "UPDATE @.signing_keys SET retires_at=$1::BIGINT WHERE signing_keys.retires_at IS NULL OR "
    "signing_keys.retires_at > $1::BIGINT"
)

FORGET_SIGNING_KEYS = "DELETE FROM @.signing_keys WHERE signing_keys.retires_at <= $1::BIGINT"

TAKE_TRANSACTION = (
    "UPDATE @.social_transactions SET used_at=$1::BIGINT WHERE "
    "social_transactions.transaction_digest = $2::TEXT AND social_transactions.browser_digest = "
    "$3::TEXT AND social_transactions.used_at IS NULL AND social_transactions.expires_at > "
    "$1::BIGINT"
)

VOUCH_TRANSACTION = (
    "UPDATE @.social_transactions SET sub=$1::TEXT, directory=$2::TEXT, display=$3::TEXT, "
    "methods=$4::TEXT, assurance=$5::BIGINT, factor_kind=$6::TEXT, factor_hint=$7::TEXT, "
    "factor_sealed=$8::TEXT, factor_expires_at=$9::BIGINT WHERE "
    "social_transactions.transaction_digest = $10::TEXT AND social_transactions.used_at IS NOT "
    "NULL AND social_transactions.handed_over_at IS NULL AND NOT (social_transactions.sub IS NOT "
    "NULL OR social_transactions.factor_sealed IS NOT NULL)"
)

TAKE_HAND_OVER = (
    "DELETE FROM @.social_transactions WHERE social_transactions.code_digest = $1::TEXT AND "
    "social_transactions.request_digest = $2::TEXT AND social_transactions.provider = $3::TEXT "
    "AND social_transactions.code_expires_at > $4::BIGINT RETURNING social_transactions.used_at, "
    "social_transactions.sub, social_transactions.directory, social_transactions.display, "
    "social_transactions.methods, social_transactions.assurance, social_transactions.factor_kind, "
    "social_transactions.factor_hint, social_transactions.factor_sealed, "
    "social_transactions.factor_expires_at"
)

HOLD_KEPT_SESSION = (
    "UPDATE @.kept_sessions SET held_until=$1::BIGINT WHERE kept_sessions.sub = $2::TEXT AND "
    "kept_sessions.version = $3::BIGINT AND kept_sessions.held_until <= $4::BIGINT"
)

REPLACE_KEPT_SESSION = (
    "UPDATE @.kept_sessions SET sealed=$1::TEXT, version=(kept_sessions.version + 1), "
    "kept_at=$2::BIGINT, held_until=0 WHERE kept_sessions.sub = $3::TEXT AND "
    "kept_sessions.version = $4::BIGINT"
)

DROP_KEPT_SESSION = (
    "DELETE FROM @.kept_sessions WHERE kept_sessions.sub = $1::TEXT AND kept_sessions.version = "
    "$2::BIGINT"
)

TOUCH_API_KEY = (
    "UPDATE @.api_keys SET last_used_at=$1::BIGINT WHERE api_keys.key_digest = $2::TEXT AND "
    "(api_keys.last_used_at IS NULL OR api_keys.last_used_at < $1::BIGINT)"
)

SWEEP_REQUESTS = (
    "DELETE FROM @.authorization_requests WHERE authorization_requests.request_digest = ANY "
    "(array((SELECT authorization_requests.request_digest FROM @.authorization_requests WHERE "
    "authorization_requests.expires_at <= $1::BIGINT ORDER BY authorization_requests.expires_at "
    "LIMIT $2 OFFSET 0 FOR UPDATE OF authorization_requests SKIP LOCKED)))"
)

SWEEP_FACTORS = (
    "UPDATE @.authorization_requests SET factor_kind=NULL, factor_hint=NULL, factor_sealed=NULL, "
    "factor_expires_at=NULL, factor_failures=NULL WHERE authorization_requests.request_digest = "
    "ANY (array((SELECT authorization_requests.request_digest FROM @.authorization_requests WHERE "
    "authorization_requests.factor_expires_at <= $1::BIGINT ORDER BY "
    "authorization_requests.factor_expires_at LIMIT $2 OFFSET 0 FOR UPDATE OF "
    "authorization_requests SKIP LOCKED)))"
)

SWEEP_TRANSACTIONS = (
    "DELETE FROM @.social_transactions WHERE social_transactions.transaction_digest = ANY "
    "(array((SELECT social_transactions.transaction_digest FROM @.social_transactions WHERE "
    "social_transactions.expires_at <= $1::BIGINT ORDER BY social_transactions.expires_at LIMIT "
    "$2 OFFSET 0 FOR UPDATE OF social_transactions SKIP LOCKED)))"
)

SWEEP_SESSIONS = (
    "DELETE FROM @.sessions WHERE sessions.session_digest = ANY (array((SELECT "
    "sessions.session_digest FROM @.sessions WHERE sessions.expires_at <= $1::BIGINT ORDER BY "
    "sessions.expires_at LIMIT $2 OFFSET 0 FOR UPDATE OF sessions SKIP LOCKED)))"
)

SWEEP_KEPT_SESSIONS = (
    "DELETE FROM @.kept_sessions WHERE kept_sessions.sub = ANY (array((SELECT kept_sessions.sub "
    "FROM @.kept_sessions WHERE kept_sessions.kept_at <= $1::BIGINT AND NOT (EXISTS (SELECT * "
    "FROM @.grants WHERE grants.sub = kept_sessions.sub AND grants.revoked_at IS NULL AND "
    "grants.expires_at > $2::BIGINT)) ORDER BY kept_sessions.kept_at LIMIT $3 OFFSET 0 FOR UPDATE "
    "OF kept_sessions SKIP LOCKED)))"
)

SWEEP_EVENTS = (
    "DELETE FROM @.seen_events WHERE seen_events.event_id = ANY (array((SELECT "
    "seen_events.event_id FROM @.seen_events WHERE seen_events.seen_at <= $1::BIGINT ORDER BY "
    "seen_events.seen_at LIMIT $2 OFFSET 0 FOR UPDATE OF seen_events SKIP LOCKED)))"
)

SWEEP_USAGE = (
    "DELETE FROM @.usage_counts WHERE usage_counts.ctid = ANY (array((SELECT usage_counts.ctid "
    "FROM @.usage_counts WHERE usage_counts.day <= $1::BIGINT ORDER BY usage_counts.day LIMIT $2 "
    "OFFSET 0 FOR UPDATE SKIP LOCKED)))"
)

SWEEP_AUDIT = (
    "DELETE FROM @.audit_events WHERE audit_events.id = ANY (array((SELECT audit_events.id FROM "
    "@.audit_events WHERE audit_events.id = ANY (array((SELECT audit_events.id FROM "
    "@.audit_events ORDER BY audit_events.id LIMIT $1 OFFSET 0))) AND audit_events.at <= "
    "$2::BIGINT FOR UPDATE SKIP LOCKED)))"
)

SWEEP_UNSPENT_CODES = (
    "DELETE FROM @.codes WHERE codes.code_digest = ANY (array((SELECT codes.code_digest FROM "
    "@.codes WHERE codes.redeemed_at IS NULL AND codes.expires_at <= $1::BIGINT ORDER BY "
    "codes.expires_at LIMIT $2 OFFSET 0 FOR UPDATE OF codes SKIP LOCKED)))"
)

SWEEP_REDEEMED_CODES = (
    "DELETE FROM @.codes WHERE codes.code_digest = ANY (array((SELECT codes.code_digest FROM "
    "@.codes WHERE codes.redeemed_at <= $1::BIGINT AND codes.expires_at <= $1::BIGINT ORDER BY "
    "codes.redeemed_at LIMIT $2 OFFSET 0 FOR UPDATE OF codes SKIP LOCKED)))"
)

SWEEP_USED_CLIENTS = (
    "WITH gone AS (DELETE FROM @.clients WHERE clients.client_id = ANY (array((SELECT "
    "clients.client_id FROM @.clients WHERE clients.last_used_at <= $1::BIGINT AND "
    "clients.self_registered = 1 AND NOT (EXISTS (SELECT * FROM @.grants WHERE grants.client_id = "
    "clients.client_id AND grants.revoked_at IS NULL AND grants.expires_at > $2::BIGINT)) AND NOT "
    "(EXISTS (SELECT * FROM @.authorization_requests WHERE authorization_requests.client_id = "
    "clients.client_id AND authorization_requests.expires_at > $2::BIGINT AND "
    "authorization_requests.answered_at IS NULL)) AND NOT (EXISTS (SELECT * FROM @.codes WHERE "
    "codes.client_id = clients.client_id AND codes.redeemed_at IS NULL AND codes.expires_at > "
    "$2::BIGINT)) ORDER BY clients.last_used_at LIMIT $3 OFFSET 0 FOR UPDATE OF clients SKIP "
    "LOCKED))) RETURNING clients.client_id), forgotten AS (DELETE FROM @.consents WHERE "
    "consents.client_id = ANY (array((SELECT gone.client_id FROM gone)))) SELECT count(*) AS "
    "count_1 FROM gone"
)

SWEEP_UNUSED_CLIENTS = (
    "WITH gone AS (DELETE FROM @.clients WHERE clients.client_id = ANY (array((SELECT "
    "clients.client_id FROM @.clients WHERE clients.last_used_at IS NULL AND clients.issued_at <= "
    "$1::BIGINT AND clients.self_registered = 1 AND NOT (EXISTS (SELECT * FROM @.grants WHERE "
    "grants.client_id = clients.client_id AND grants.revoked_at IS NULL AND grants.expires_at > "
    "$2::BIGINT)) AND NOT (EXISTS (SELECT * FROM @.authorization_requests WHERE "
    "authorization_requests.client_id = clients.client_id AND authorization_requests.expires_at > "
    "$2::BIGINT AND authorization_requests.answered_at IS NULL)) AND NOT (EXISTS (SELECT * FROM "
    "@.codes WHERE codes.client_id = clients.client_id AND codes.redeemed_at IS NULL AND "
    "codes.expires_at > $2::BIGINT)) ORDER BY clients.issued_at LIMIT $3 OFFSET 0 FOR UPDATE OF "
    "clients SKIP LOCKED))) RETURNING clients.client_id), forgotten AS (DELETE FROM @.consents "
    "WHERE consents.client_id = ANY (array((SELECT gone.client_id FROM gone)))) SELECT count(*) "
    "AS count_1 FROM gone"
)

AUDIT_AFTER = (
    "SELECT audit_events.at, audit_events.event, audit_events.outcome, audit_events.actor, "
    "audit_events.client_id, audit_events.address, audit_events.detail, audit_events.id FROM "
    "@.audit_events WHERE audit_events.id > $1::BIGINT AND audit_events.at >= $2::BIGINT AND "
    "audit_events.at < $3::BIGINT ORDER BY audit_events.id LIMIT $4 OFFSET 0"
)

REGISTER_CLIENT_TOLD = (
    "WITH kept AS (INSERT INTO @.clients (client_id, redirect_uris, auth_method, grant_types, "
    "response_types, scopes, application_type, name, metadata, issued_at, secret_digest, "
    "self_registered, last_used_at) SELECT $1::TEXT AS anon_1, $2::TEXT AS anon_2, $3::TEXT AS "
    "anon_3, $4::TEXT AS anon_4, $5::TEXT AS anon_5, $6::TEXT AS anon_6, $7::TEXT AS anon_7, "
    "$8::TEXT AS anon_8, $9::TEXT AS anon_9, $10::BIGINT AS anon_10, $11::TEXT AS anon_11, "
    "$12::BIGINT AS anon_12, $13::BIGINT AS anon_13 WHERE true) INSERT INTO @.audit_events (at, "
    "event, outcome, actor, client_id, address, detail) SELECT $14::BIGINT AS anon_14, $15::TEXT "
    "AS anon_15, $16::TEXT AS anon_16, $17::TEXT AS anon_17, $18::TEXT AS anon_18, $19::TEXT AS "
    "anon_19, $20::TEXT AS anon_20 WHERE true"
)

APPROVE_TOLD = (
    "WITH won AS (UPDATE @.authorization_requests SET answered_at=$18::BIGINT, factor_kind=NULL, "
    "factor_hint=NULL, factor_sealed=NULL, factor_expires_at=NULL, factor_failures=NULL WHERE "
    "authorization_requests.request_digest = $19::TEXT AND authorization_requests.answered_at + 0 "
    "IS NULL AND authorization_requests.expires_at + 0 > $18::BIGINT RETURNING "
    "authorization_requests.request_digest), kept AS (INSERT INTO @.codes (code_digest, grant_id, "
    "client_id, redirect_uri, code_challenge, scopes, resource, sub, directory, display, methods, "
    "assurance, authenticated_at, issued_at, expires_at, failures, redeemed_at) SELECT $1::TEXT "
    "AS anon_1, $2::TEXT AS anon_2, $3::TEXT AS anon_3, $4::TEXT AS anon_4, $5::TEXT AS anon_5, "
    "$6::TEXT AS anon_6, $7::TEXT AS anon_7, $8::TEXT AS anon_8, $9::TEXT AS anon_9, $10::TEXT AS "
    "anon_10, $11::TEXT AS anon_11, $12::BIGINT AS anon_12, $13::BIGINT AS anon_13, $14::BIGINT "
    "AS anon_14, $15::BIGINT AS anon_15, $16::BIGINT AS anon_16, $17::BIGINT AS anon_17 FROM won) "
    "INSERT INTO @.audit_events (at, event, outcome, actor, client_id, address, detail) SELECT "
    "$20::BIGINT AS anon_18, $21::TEXT AS anon_19, $22::TEXT AS anon_20, $23::TEXT AS anon_21, "
    "$24::TEXT AS anon_22, $25::TEXT AS anon_23, $26::TEXT AS anon_24 FROM won"
)

APPROVE_AND_REMEMBER_TOLD = (
    "WITH won AS (UPDATE @.authorization_requests SET answered_at=$18::BIGINT, factor_kind=NULL, "
    "factor_hint=NULL, factor_sealed=NULL, factor_expires_at=NULL, factor_failures=NULL WHERE "
    "authorization_requests.request_digest = $19::TEXT AND authorization_requests.answered_at + 0 "
    "IS NULL AND authorization_requests.expires_at + 0 > $18::BIGINT RETURNING "
    "authorization_requests.request_digest), kept AS (INSERT INTO @.codes (code_digest, grant_id, "
    "client_id, redirect_uri, code_challenge, scopes, resource, sub, directory, display, methods, "
    "assurance, authenticated_at, issued_at, expires_at, failures, redeemed_at) SELECT $1::TEXT "
    "AS anon_1, $2::TEXT AS anon_2, $3::TEXT AS anon_3, $4::TEXT AS anon_4, $5::TEXT AS anon_5, "
    "$6::TEXT AS anon_6, $7::TEXT AS anon_7, $8::TEXT AS anon_8, $9::TEXT AS anon_9, $10::TEXT AS "
    "anon_10, $11::TEXT AS anon_11, $12::BIGINT AS anon_12, $13::BIGINT AS anon_13, $14::BIGINT "
    "AS anon_14, $15::BIGINT AS anon_15, $16::BIGINT AS anon_16, $17::BIGINT AS anon_17 FROM "
    "won), remembered AS (INSERT INTO @.consents (sub, client_id, redirect_host, resource, "
    "scopes, granted_at) SELECT $20::TEXT AS anon_18, $21::TEXT AS anon_19, $22::TEXT AS anon_20, "
    "$23::TEXT AS anon_21, $24::TEXT AS anon_22, $25::BIGINT AS anon_23 FROM won ON CONFLICT "
    "(sub, client_id, redirect_host, resource) DO UPDATE SET scopes = excluded.scopes, granted_at "
    "= excluded.granted_at) INSERT INTO @.audit_events (at, event, outcome, actor, client_id, "
    "address, detail) SELECT $26::BIGINT AS anon_24, $27::TEXT AS anon_25, $28::TEXT AS anon_26, "
    "$29::TEXT AS anon_27, $30::TEXT AS anon_28, $31::TEXT AS anon_29, $32::TEXT AS anon_30 FROM "
    "won"
)

DENY_TOLD = (
    "WITH won AS (UPDATE @.authorization_requests SET answered_at=$8::BIGINT, factor_kind=NULL, "
    "factor_hint=NULL, factor_sealed=NULL, factor_expires_at=NULL, factor_failures=NULL WHERE "
    "authorization_requests.request_digest = $9::TEXT AND authorization_requests.answered_at + 0 "
    "IS NULL AND authorization_requests.expires_at + 0 > $8::BIGINT RETURNING "
    "authorization_requests.request_digest) INSERT INTO @.audit_events (at, event, outcome, "
    "actor, client_id, address, detail) SELECT $1::BIGINT AS anon_1, $2::TEXT AS anon_2, $3::TEXT "
    "AS anon_3, $4::TEXT AS anon_4, $5::TEXT AS anon_5, $6::TEXT AS anon_6, $7::TEXT AS anon_7 "
    "FROM won"
)

WHY_NOT_ANSWERED_BY = (
    "SELECT authorization_requests.answered_at, authorization_requests.expires_at FROM "
    "@.authorization_requests WHERE authorization_requests.request_digest = $1::TEXT"
)

REOPEN_LOGIN_TOLD = (
    "WITH won AS (UPDATE @.authorization_requests SET answered_at=NULL WHERE "
    "authorization_requests.request_digest = $8::TEXT AND authorization_requests.kind = 'login' "
    "AND authorization_requests.answered_at + 0 = $9::BIGINT RETURNING "
    "authorization_requests.request_digest) INSERT INTO @.audit_events (at, event, outcome, "
    "actor, client_id, address, detail) SELECT $1::BIGINT AS anon_1, $2::TEXT AS anon_2, $3::TEXT "
    "AS anon_3, $4::TEXT AS anon_4, $5::TEXT AS anon_5, $6::TEXT AS anon_6, $7::TEXT AS anon_7 "
    "FROM won"
)

REDEEM_CODE_TOLD = (
    "WITH won AS (UPDATE @.codes SET redeemed_at=$17::BIGINT WHERE codes.code_digest = $18::TEXT "
    "AND codes.redeemed_at + 0 IS NULL AND codes.expires_at + 0 > $17::BIGINT AND codes.failures "
    "+ 0 < $19::BIGINT RETURNING codes.code_digest), begun AS (INSERT INTO @.grants (grant_id, "
    "client_id, sub, directory, display, methods, assurance, scopes, resource, authenticated_at, "
    "created_at, last_used_at, expires_at, revoked_at, revoked_reason, vouched_at) SELECT "
    "$1::TEXT AS anon_1, $2::TEXT AS anon_2, $3::TEXT AS anon_3, $4::TEXT AS anon_4, $5::TEXT AS "
    "anon_5, $6::TEXT AS anon_6, $7::BIGINT AS anon_7, $8::TEXT AS anon_8, $9::TEXT AS anon_9, "
    "$10::BIGINT AS anon_10, $11::BIGINT AS anon_11, $12::BIGINT AS anon_12, $13::BIGINT AS "
    "anon_13, $14::BIGINT AS anon_14, $15::TEXT AS anon_15, $16::BIGINT AS anon_16 FROM won), "
    "stamped AS (UPDATE @.clients SET last_used_at=$17::BIGINT WHERE clients.client_id = "
    "$20::TEXT AND (clients.last_used_at IS NULL OR clients.last_used_at <= $21::BIGINT) AND "
    "(EXISTS (SELECT 1 FROM won))) INSERT INTO @.audit_events (at, event, outcome, actor, "
    "client_id, address, detail) SELECT $22::BIGINT AS anon_17, $23::TEXT AS anon_18, $24::TEXT "
    "AS anon_19, $25::TEXT AS anon_20, $26::TEXT AS anon_21, $27::TEXT AS anon_22, $28::TEXT AS "
    "anon_23 FROM won"
)

REDEEM_CODE_FOR_REFRESH_TOLD = (
    "WITH won AS (UPDATE @.codes SET redeemed_at=$17::BIGINT WHERE codes.code_digest = $18::TEXT "
    "AND codes.redeemed_at + 0 IS NULL AND codes.expires_at + 0 > $17::BIGINT AND codes.failures "
    "+ 0 < $19::BIGINT RETURNING codes.code_digest), begun AS (INSERT INTO @.grants (grant_id, "
    "client_id, sub, directory, display, methods, assurance, scopes, resource, authenticated_at, "
    "created_at, last_used_at, expires_at, revoked_at, revoked_reason, vouched_at) SELECT "
    "$1::TEXT AS anon_1, $2::TEXT AS anon_2, $3::TEXT AS anon_3, $4::TEXT AS anon_4, $5::TEXT AS "
    "anon_5, $6::TEXT AS anon_6, $7::BIGINT AS anon_7, $8::TEXT AS anon_8, $9::TEXT AS anon_9, "
    "$10::BIGINT AS anon_10, $11::BIGINT AS anon_11, $12::BIGINT AS anon_12, $13::BIGINT AS "
    "anon_13, $14::BIGINT AS anon_14, $15::TEXT AS anon_15, $16::BIGINT AS anon_16 FROM won), "
    "stamped AS (UPDATE @.clients SET last_used_at=$17::BIGINT WHERE clients.client_id = "
    "$20::TEXT AND (clients.last_used_at IS NULL OR clients.last_used_at <= $21::BIGINT) AND "
    "(EXISTS (SELECT 1 FROM won))), given AS (INSERT INTO @.refresh_tokens (token_digest, "
    "grant_id, issued_at, expires_at, superseded_at, successor_digest) SELECT $22::TEXT AS "
    "anon_17, $23::TEXT AS anon_18, $24::BIGINT AS anon_19, $25::BIGINT AS anon_20, $26::BIGINT "
    "AS anon_21, $27::TEXT AS anon_22 FROM won) INSERT INTO @.audit_events (at, event, outcome, "
    "actor, client_id, address, detail) SELECT $28::BIGINT AS anon_23, $29::TEXT AS anon_24, "
    "$30::TEXT AS anon_25, $31::TEXT AS anon_26, $32::TEXT AS anon_27, $33::TEXT AS anon_28, "
    "$34::TEXT AS anon_29 FROM won"
)

WHY_NOT_REDEEMED_TOLD = (
    "WITH why AS (SELECT codes.redeemed_at AS redeemed_at, codes.expires_at AS expires_at, "
    "codes.grant_id AS grant_id FROM @.codes WHERE codes.code_digest = $3::TEXT), ended AS "
    "(UPDATE @.grants SET revoked_at=$1::BIGINT, revoked_reason=$2::TEXT WHERE grants.grant_id = "
    "(SELECT why.grant_id FROM why WHERE why.redeemed_at IS NOT NULL) AND grants.revoked_at + 0 "
    "IS NULL), told AS (INSERT INTO @.audit_events (at, event, outcome, actor, client_id, "
    "address, detail) SELECT $4::BIGINT AS anon_1, $5::TEXT AS anon_2, $6::TEXT AS anon_3, "
    "$7::TEXT AS anon_4, $8::TEXT AS anon_5, $9::TEXT AS anon_6, $10::TEXT AS anon_7 WHERE EXISTS "
    "(SELECT 1 FROM why WHERE why.redeemed_at IS NOT NULL)) SELECT why.redeemed_at, "
    "why.expires_at, why.grant_id FROM why"
)

ROTATE_TOLD = (
    "WITH won AS (UPDATE @.refresh_tokens SET superseded_at=$7::BIGINT, "
    "successor_digest=$11::TEXT WHERE refresh_tokens.token_digest = $12::TEXT AND "
    "(refresh_tokens.grant_id || '') = $10::TEXT AND refresh_tokens.superseded_at + 0 IS NULL AND "
    "refresh_tokens.expires_at + 0 > $7::BIGINT AND (EXISTS (SELECT 1 FROM @.grants WHERE "
    "grants.grant_id = $10::TEXT AND grants.revoked_at + 0 IS NULL)) RETURNING "
    "refresh_tokens.token_digest), touched AS (UPDATE @.grants SET last_used_at=$7::BIGINT, "
    "expires_at=$8::BIGINT, vouched_at=coalesce($9, grants.vouched_at) WHERE grants.grant_id = "
    "$10::TEXT AND (EXISTS (SELECT 1 FROM won)) AND grants.revoked_at + 0 IS NULL RETURNING "
    "grants.client_id), given AS (INSERT INTO @.refresh_tokens (token_digest, grant_id, "
    "issued_at, expires_at, superseded_at, successor_digest) SELECT $1::TEXT AS anon_1, $2::TEXT "
    "AS anon_2, $3::BIGINT AS anon_3, $4::BIGINT AS anon_4, $5::BIGINT AS anon_5, $6::TEXT AS "
    "anon_6 FROM touched), stamped AS (UPDATE @.clients SET last_used_at=$7::BIGINT WHERE "
    "clients.client_id = (SELECT touched.client_id FROM touched) AND (clients.last_used_at IS "
    "NULL OR clients.last_used_at <= $13::BIGINT)) INSERT INTO @.audit_events (at, event, "
    "outcome, actor, client_id, address, detail) SELECT $14::BIGINT AS anon_7, $15::TEXT AS "
    "anon_8, $16::TEXT AS anon_9, $17::TEXT AS anon_10, $18::TEXT AS anon_11, $19::TEXT AS "
    "anon_12, $20::TEXT AS anon_13 FROM touched"
)

END_GRANT_TOLD = (
    "WITH won AS (UPDATE @.grants SET revoked_at=$8::BIGINT, revoked_reason=$9::TEXT WHERE "
    "grants.grant_id = $10::TEXT AND grants.revoked_at + 0 IS NULL AND grants.expires_at + 0 > "
    "$8::BIGINT RETURNING grants.grant_id) INSERT INTO @.audit_events (at, event, outcome, actor, "
    "client_id, address, detail) SELECT $1::BIGINT AS anon_1, $2::TEXT AS anon_2, $3::TEXT AS "
    "anon_3, $4::TEXT AS anon_4, $5::TEXT AS anon_5, $6::TEXT AS anon_6, $7::TEXT AS anon_7 FROM "
    "won"
)

END_REPLAYED_GRANT_TOLD = (
    "WITH won AS (UPDATE @.grants SET revoked_at=$8::BIGINT, revoked_reason=$9::TEXT WHERE "
    "grants.grant_id = $10::TEXT AND grants.revoked_at + 0 IS NULL RETURNING grants.grant_id) "
    "INSERT INTO @.audit_events (at, event, outcome, actor, client_id, address, detail) SELECT "
    "$1::BIGINT AS anon_1, $2::TEXT AS anon_2, $3::TEXT AS anon_3, $4::TEXT AS anon_4, $5::TEXT "
    "AS anon_5, $6::TEXT AS anon_6, $7::TEXT AS anon_7 FROM won"
)

CLOSE_SESSION_TOLD = (
    "WITH won AS (DELETE FROM @.sessions WHERE sessions.session_digest = $8::TEXT RETURNING "
    "sessions.session_digest) INSERT INTO @.audit_events (at, event, outcome, actor, client_id, "
    "address, detail) SELECT $1::BIGINT AS anon_1, $2::TEXT AS anon_2, $3::TEXT AS anon_3, "
    "$4::TEXT AS anon_4, $5::TEXT AS anon_5, $6::TEXT AS anon_6, $7::TEXT AS anon_7 FROM won"
)

ADD_ACCOUNT_TOLD = (
    "WITH won AS (INSERT INTO @.accounts (sub, email, email_key, password_hash, created_at, "
    "disabled_at) VALUES ($8::TEXT, $9::TEXT, $10::TEXT, $11::TEXT, $12::BIGINT, $13::BIGINT) ON "
    "CONFLICT (email_key) DO NOTHING RETURNING accounts.sub) INSERT INTO @.audit_events (at, "
    "event, outcome, actor, client_id, address, detail) SELECT $1::BIGINT AS anon_1, $2::TEXT AS "
    "anon_2, $3::TEXT AS anon_3, $4::TEXT AS anon_4, $5::TEXT AS anon_5, $6::TEXT AS anon_6, "
    "$7::TEXT AS anon_7 FROM won"
)

EXPIRE_CODES_OF_SUB_IN_ORDER = (
    "UPDATE @.codes SET expires_at=$1::BIGINT WHERE codes.redeemed_at IS NULL AND "
    "codes.expires_at > $1::BIGINT AND codes.sub = $2::TEXT AND codes.code_digest = ANY "
    "(array((SELECT codes.code_digest FROM @.codes WHERE codes.redeemed_at IS NULL AND "
    "codes.expires_at > $1::BIGINT AND codes.sub = $2::TEXT ORDER BY codes.code_digest FOR "
    "UPDATE)))"
)

END_GRANTS_OF_SUB_IN_ORDER = (
    "UPDATE @.grants SET revoked_at=$1::BIGINT, revoked_reason=$2::TEXT WHERE grants.sub = "
    "$3::TEXT AND grants.revoked_at IS NULL AND grants.expires_at > $1::BIGINT AND "
    "grants.grant_id = ANY (array((SELECT grants.grant_id FROM @.grants WHERE grants.sub = "
    "$3::TEXT AND grants.revoked_at IS NULL AND grants.expires_at > $1::BIGINT ORDER BY "
    "grants.grant_id FOR UPDATE)))"
)

BAR_SENT_AWAY = (
    "INSERT INTO @.bars (sub, reason, barred_at) SELECT CAST($1 AS TEXT) AS anon_1, CAST($2 AS "
    "TEXT) AS anon_2, CAST($3 AS BIGINT) AS anon_3 ON CONFLICT (sub) DO NOTHING"
)

EXPIRE_CODES_OF_KNOWN_CLIENT = (
    "UPDATE @.codes SET expires_at=$1::BIGINT WHERE codes.redeemed_at IS NULL AND "
    "codes.expires_at > $1::BIGINT AND codes.client_id = $2::TEXT AND codes.code_digest = ANY "
    "(array((SELECT codes.code_digest FROM @.codes WHERE codes.redeemed_at IS NULL AND "
    "codes.expires_at > $1::BIGINT AND codes.client_id = $2::TEXT AND (EXISTS (SELECT 1 FROM "
    "@.clients WHERE clients.client_id = $2::TEXT)) ORDER BY codes.code_digest FOR UPDATE)))"
)

END_GRANTS_OF_KNOWN_CLIENT = (
    "UPDATE @.grants SET revoked_at=$1::BIGINT, revoked_reason=$2::TEXT WHERE grants.client_id = "
    "$3::TEXT AND grants.revoked_at IS NULL AND grants.expires_at > $1::BIGINT AND "
    "grants.grant_id = ANY (array((SELECT grants.grant_id FROM @.grants WHERE grants.client_id = "
    "$3::TEXT AND grants.revoked_at IS NULL AND grants.expires_at > $1::BIGINT AND (EXISTS "
    "(SELECT 1 FROM @.clients WHERE clients.client_id = $3::TEXT)) ORDER BY grants.grant_id FOR "
    "UPDATE)))"
)

REMOVE_CLIENT_TOLD = (
    "WITH won AS (DELETE FROM @.clients WHERE clients.client_id = $1::TEXT RETURNING "
    "clients.client_id), forgotten AS (DELETE FROM @.consents WHERE consents.client_id IN (SELECT "
    "won.client_id FROM won)) INSERT INTO @.audit_events (at, event, outcome, actor, client_id, "
    "address, detail) SELECT $2::BIGINT AS anon_1, $3::TEXT AS anon_2, $4::TEXT AS anon_3, "
    "$5::TEXT AS anon_4, $6::TEXT AS anon_5, $7::TEXT AS anon_6, $8::TEXT AS anon_7 FROM won"
)

EXPIRE_CODES_OF_ACCOUNT = (
    "UPDATE @.codes SET expires_at=$1::BIGINT WHERE codes.redeemed_at IS NULL AND "
    "codes.expires_at > $1::BIGINT AND codes.sub = $2::TEXT AND codes.code_digest = ANY "
    "(array((SELECT codes.code_digest FROM @.codes WHERE codes.redeemed_at IS NULL AND "
    "codes.expires_at > $1::BIGINT AND codes.sub = $2::TEXT AND (EXISTS (SELECT 1 FROM @.accounts "
    "WHERE accounts.sub = $2::TEXT)) ORDER BY codes.code_digest FOR UPDATE)))"
)

END_GRANTS_OF_ACCOUNT = (
    "UPDATE @.grants SET revoked_at=$1::BIGINT, revoked_reason=$2::TEXT WHERE grants.sub = "
    "$3::TEXT AND grants.revoked_at IS NULL AND grants.expires_at > $1::BIGINT AND "
    "grants.grant_id = ANY (array((SELECT grants.grant_id FROM @.grants WHERE grants.sub = "
    "$3::TEXT AND grants.revoked_at IS NULL AND grants.expires_at > $1::BIGINT AND (EXISTS "
    "(SELECT 1 FROM @.accounts WHERE accounts.sub = $3::TEXT)) ORDER BY grants.grant_id FOR "
    "UPDATE)))"
)

DELETE_SESSIONS_OF_ACCOUNT = (
    "DELETE FROM @.sessions WHERE sessions.sub = $1::TEXT AND sessions.session_digest = ANY "
    "(array((SELECT sessions.session_digest FROM @.sessions WHERE sessions.sub = $1::TEXT AND "
    "(EXISTS (SELECT 1 FROM @.accounts WHERE accounts.sub = $1::TEXT)) ORDER BY "
    "sessions.session_digest FOR UPDATE)))"
)

DELETE_TRANSACTIONS_OF_ACCOUNT = (
    "DELETE FROM @.social_transactions WHERE social_transactions.sub = $1::TEXT AND "
    "social_transactions.transaction_digest = ANY (array((SELECT "
    "social_transactions.transaction_digest FROM @.social_transactions WHERE "
    "social_transactions.sub = $1::TEXT AND (EXISTS (SELECT 1 FROM @.accounts WHERE accounts.sub "
    "= $1::TEXT)) ORDER BY social_transactions.transaction_digest FOR UPDATE)))"
)

BAR_ACCOUNT = (
    "INSERT INTO @.bars (sub, reason, barred_at) SELECT CAST($1 AS TEXT) AS anon_1, CAST($2 AS "
    "TEXT) AS anon_2, CAST($3 AS BIGINT) AS anon_3 WHERE EXISTS (SELECT 1 FROM @.accounts WHERE "
    "accounts.sub = $1::TEXT) ON CONFLICT (sub) DO NOTHING"
)

DELETE_CONSENTS_OF_ACCOUNT = (
    "DELETE FROM @.consents WHERE consents.sub = $1::TEXT AND (EXISTS (SELECT 1 FROM @.accounts "
    "WHERE accounts.sub = $1::TEXT))"
)

DELETE_KEPT_SESSION_OF_ACCOUNT = (
    "DELETE FROM @.kept_sessions WHERE kept_sessions.sub = $1::TEXT AND (EXISTS (SELECT 1 FROM "
    "@.accounts WHERE accounts.sub = $1::TEXT))"
)

LOCK_PERSON = "SELECT pg_advisory_xact_lock($1::BIGINT) AS pg_advisory_xact_lock_1"

OPEN_SESSION_TOLD = (
    "WITH lifted AS (DELETE FROM @.bars WHERE bars.sub = $1::TEXT AND bars.barred_at < "
    "$2::BIGINT), won AS (INSERT INTO @.sessions (session_digest, sub, directory, display, "
    "methods, assurance, created_at, expires_at) SELECT $10::TEXT AS anon_8, $11::TEXT AS anon_9, "
    "$12::TEXT AS anon_10, $13::TEXT AS anon_11, $14::TEXT AS anon_12, $15::BIGINT AS anon_13, "
    "$16::BIGINT AS anon_14, $17::BIGINT AS anon_15 WHERE NOT (EXISTS (SELECT 1 FROM @.bars WHERE "
    "bars.sub = $1::TEXT AND bars.barred_at >= $2::BIGINT)) RETURNING sessions.session_digest) "
    "INSERT INTO @.audit_events (at, event, outcome, actor, client_id, address, detail) SELECT "
    "$3::BIGINT AS anon_1, $4::TEXT AS anon_2, $5::TEXT AS anon_3, $6::TEXT AS anon_4, $7::TEXT "
    "AS anon_5, $8::TEXT AS anon_6, $9::TEXT AS anon_7 FROM won"
)

CLOSE_SESSIONS_OF_TOLD = (
    "WITH closed AS (DELETE FROM @.sessions WHERE sessions.sub = $8::TEXT AND "
    "sessions.session_digest = ANY (array((SELECT sessions.session_digest FROM @.sessions WHERE "
    "sessions.sub = $8::TEXT ORDER BY sessions.session_digest FOR UPDATE))) RETURNING "
    "sessions.session_digest), told AS (INSERT INTO @.audit_events (at, event, outcome, actor, "
    "client_id, address, detail) SELECT $1::BIGINT AS anon_1, $2::TEXT AS anon_2, $3::TEXT AS "
    "anon_3, $4::TEXT AS anon_4, $5::TEXT AS anon_5, $6::TEXT AS anon_6, $7::TEXT AS anon_7 WHERE "
    "EXISTS (SELECT 1 FROM closed)) SELECT count(*) AS count_1 FROM closed"
)

CLOSE_SESSIONS_BEGUN_BY_TOLD = (
    "WITH closed AS (DELETE FROM @.sessions WHERE sessions.sub = $8::TEXT AND sessions.created_at "
    "<= $9::BIGINT AND sessions.session_digest = ANY (array((SELECT sessions.session_digest FROM "
    "@.sessions WHERE sessions.sub = $8::TEXT AND sessions.created_at <= $9::BIGINT ORDER BY "
    "sessions.session_digest FOR UPDATE))) RETURNING sessions.session_digest), told AS (INSERT "
    "INTO @.audit_events (at, event, outcome, actor, client_id, address, detail) SELECT "
    "$1::BIGINT AS anon_1, $2::TEXT AS anon_2, $3::TEXT AS anon_3, $4::TEXT AS anon_4, $5::TEXT "
    "AS anon_5, $6::TEXT AS anon_6, $7::TEXT AS anon_7 WHERE EXISTS (SELECT 1 FROM closed)) "
    "SELECT count(*) AS count_1 FROM closed"
)

DISABLE_ACCOUNT_TOLD = (
    "WITH won AS (UPDATE @.accounts SET disabled_at=$8::BIGINT WHERE accounts.sub = $9::TEXT "
    "RETURNING accounts.sub) INSERT INTO @.audit_events (at, event, outcome, actor, client_id, "
    "address, detail) SELECT $1::BIGINT AS anon_1, $2::TEXT AS anon_2, $3::TEXT AS anon_3, "
    "$4::TEXT AS anon_4, $5::TEXT AS anon_5, $6::TEXT AS anon_6, $7::TEXT AS anon_7 FROM won"
)

SET_ACCOUNT_PASSWORD_TOLD = (
    "WITH won AS (UPDATE @.accounts SET password_hash=$8::TEXT WHERE accounts.sub = $9::TEXT "
    "RETURNING accounts.sub) INSERT INTO @.audit_events (at, event, outcome, actor, client_id, "
    "address, detail) SELECT $1::BIGINT AS anon_1, $2::TEXT AS anon_2, $3::TEXT AS anon_3, "
    "$4::TEXT AS anon_4, $5::TEXT AS anon_5, $6::TEXT AS anon_6, $7::TEXT AS anon_7 FROM won"
)

REMOVE_ACCOUNT_TOLD = (
    "WITH won AS (DELETE FROM @.accounts WHERE accounts.sub = $8::TEXT RETURNING accounts.sub) "
    "INSERT INTO @.audit_events (at, event, outcome, actor, client_id, address, detail) SELECT "
    "$1::BIGINT AS anon_1, $2::TEXT AS anon_2, $3::TEXT AS anon_3, $4::TEXT AS anon_4, $5::TEXT "
    "AS anon_5, $6::TEXT AS anon_6, $7::TEXT AS anon_7 FROM won"
)

LINK_TOLD = (
    "WITH won AS (INSERT INTO @.links (workos_id, sub, how, linked_at) VALUES ($8::TEXT, "
    "$9::TEXT, $10::TEXT, $11::BIGINT) ON CONFLICT (workos_id) DO NOTHING RETURNING "
    "links.workos_id) INSERT INTO @.audit_events (at, event, outcome, actor, client_id, address, "
    "detail) SELECT $1::BIGINT AS anon_1, $2::TEXT AS anon_2, $3::TEXT AS anon_3, $4::TEXT AS "
    "anon_4, $5::TEXT AS anon_5, $6::TEXT AS anon_6, $7::TEXT AS anon_7 FROM won"
)

UNLINK_TOLD = (
    "WITH won AS (DELETE FROM @.links WHERE links.workos_id = $8::TEXT RETURNING links.workos_id, "
    "links.sub, links.how, links.linked_at), told AS (INSERT INTO @.audit_events (at, event, "
    "outcome, actor, client_id, address, detail) SELECT $1::BIGINT AS anon_1, $2::TEXT AS anon_2, "
    "$3::TEXT AS anon_3, $4::TEXT AS anon_4, $5::TEXT AS anon_5, $6::TEXT AS anon_6, $7::TEXT AS "
    "anon_7 FROM won) SELECT won.workos_id, won.sub, won.how, won.linked_at FROM won"
)

BAR_TOLD = (
    "WITH won AS (INSERT INTO @.bars (sub, reason, barred_at) VALUES ($1::TEXT, $2::TEXT, "
    "$3::BIGINT) ON CONFLICT (sub) DO NOTHING RETURNING bars.sub), closed AS (DELETE FROM "
    "@.sessions WHERE sessions.sub = (SELECT won.sub FROM won)) INSERT INTO @.audit_events (at, "
    "event, outcome, actor, client_id, address, detail) SELECT $4::BIGINT AS anon_1, $5::TEXT AS "
    "anon_2, $6::TEXT AS anon_3, $7::TEXT AS anon_4, $8::TEXT AS anon_5, $9::TEXT AS anon_6, "
    "$10::TEXT AS anon_7 FROM won"
)

KEPT_SESSION_HELD = (
    "SELECT kept_sessions.sub, kept_sessions.sealed, kept_sessions.version, "
    "kept_sessions.kept_at, kept_sessions.held_until FROM @.kept_sessions WHERE kept_sessions.sub "
    "= $1::TEXT FOR UPDATE"
)

KEEP_SESSION = (
    "INSERT INTO @.kept_sessions (sub, sealed, version, kept_at, held_until) VALUES ($1::TEXT, "
    "$2::TEXT, $3::BIGINT, $4::BIGINT, $5::BIGINT) ON CONFLICT (sub) DO UPDATE SET sealed = "
    "excluded.sealed, version = (kept_sessions.version + 1), kept_at = excluded.kept_at, "
    "held_until = excluded.held_until"
)

ISSUE_HAND_OVER_TOLD = (
    "WITH won AS (UPDATE @.social_transactions SET handed_over_at=$8::BIGINT, "
    "code_digest=$9::TEXT, code_expires_at=$10::BIGINT WHERE "
    "social_transactions.transaction_digest = $11::TEXT AND social_transactions.browser_digest = "
    "$12::TEXT AND (social_transactions.sub IS NOT NULL OR social_transactions.factor_sealed IS "
    "NOT NULL) AND social_transactions.handed_over_at IS NULL AND social_transactions.expires_at "
    "> $8::BIGINT AND (EXISTS (SELECT * FROM @.authorization_requests WHERE "
    "authorization_requests.request_digest = social_transactions.request_digest AND "
    "authorization_requests.answered_at IS NULL AND authorization_requests.expires_at > "
    "$8::BIGINT)) RETURNING social_transactions.transaction_digest) INSERT INTO @.audit_events "
    "(at, event, outcome, actor, client_id, address, detail) SELECT $1::BIGINT AS anon_1, "
    "$2::TEXT AS anon_2, $3::TEXT AS anon_3, $4::TEXT AS anon_4, $5::TEXT AS anon_5, $6::TEXT AS "
    "anon_6, $7::TEXT AS anon_7 FROM won"
)

REVOKE_API_KEY_TOLD = (
    "WITH won AS (UPDATE @.api_keys SET revoked_at=$8::BIGINT WHERE api_keys.key_id = $9::TEXT "
    "AND api_keys.revoked_at IS NULL RETURNING api_keys.key_id) INSERT INTO @.audit_events (at, "
    "event, outcome, actor, client_id, address, detail) SELECT $1::BIGINT AS anon_1, $2::TEXT AS "
    "anon_2, $3::TEXT AS anon_3, $4::TEXT AS anon_4, $5::TEXT AS anon_5, $6::TEXT AS anon_6, "
    "$7::TEXT AS anon_7 FROM won"
)

LOCK_SIGNING_KEYS = "SELECT pg_advisory_xact_lock(7310201, 2) AS pg_advisory_xact_lock_1"

CLOCK = "SELECT CAST(floor(EXTRACT(epoch FROM clock_timestamp()) * 1000) AS BIGINT) AS floor_1"

WRITABLE = "SELECT current_setting('transaction_read_only') AS current_setting_1"

SUPERSEDE_SIGNING_KEY_TOLD = (
    "WITH won AS (UPDATE @.signing_keys SET retires_at=$8::BIGINT WHERE signing_keys.kid = "
    "$9::TEXT AND signing_keys.retires_at IS NULL RETURNING signing_keys.kid), kept AS (INSERT "
    "INTO @.signing_keys (kid, algorithm, public_jwk, sealed_private, created_at, signs_from, "
    "retires_at) SELECT $1::TEXT AS anon_1, $2::TEXT AS anon_2, $3::TEXT AS anon_3, $4::TEXT AS "
    "anon_4, $5::BIGINT AS anon_5, $6::BIGINT AS anon_6, $7::BIGINT AS anon_7 FROM won) INSERT "
    "INTO @.audit_events (at, event, outcome, actor, client_id, address, detail) SELECT "
    "$10::BIGINT AS anon_8, $11::TEXT AS anon_9, $12::TEXT AS anon_10, $13::TEXT AS anon_11, "
    "$14::TEXT AS anon_12, $15::TEXT AS anon_13, $16::TEXT AS anon_14 FROM won"
)

REVOKE_SIGNING_KEY_TOLD = (
    "WITH won AS (UPDATE @.signing_keys SET retires_at=$8::BIGINT WHERE signing_keys.kid = "
    "$9::TEXT AND (signing_keys.retires_at IS NULL OR signing_keys.retires_at > $8::BIGINT) "
    "RETURNING signing_keys.kid) INSERT INTO @.audit_events (at, event, outcome, actor, "
    "client_id, address, detail) SELECT $1::BIGINT AS anon_1, $2::TEXT AS anon_2, $3::TEXT AS "
    "anon_3, $4::TEXT AS anon_4, $5::TEXT AS anon_5, $6::TEXT AS anon_6, $7::TEXT AS anon_7 FROM "
    "won"
)

REPLACE_SIGNING_KEY_TOLD = (
    "WITH won AS (UPDATE @.signing_keys SET retires_at=$2::BIGINT WHERE signing_keys.kid = "
    "$3::TEXT AND (signing_keys.retires_at IS NULL OR signing_keys.retires_at > $2::BIGINT) "
    "RETURNING signing_keys.kid), retired AS (UPDATE @.signing_keys SET retires_at=$1::BIGINT "
    "WHERE (signing_keys.retires_at IS NULL OR signing_keys.retires_at > $1::BIGINT) AND (EXISTS "
    "(SELECT 1 FROM won)) AND signing_keys.kid != (SELECT won.kid FROM won)), kept AS (INSERT "
    "INTO @.signing_keys (kid, algorithm, public_jwk, sealed_private, created_at, signs_from, "
    "retires_at) SELECT $4::TEXT AS anon_1, $5::TEXT AS anon_2, $6::TEXT AS anon_3, $7::TEXT AS "
    "anon_4, $8::BIGINT AS anon_5, $9::BIGINT AS anon_6, $10::BIGINT AS anon_7 FROM won) INSERT "
    "INTO @.audit_events (at, event, outcome, actor, client_id, address, detail) SELECT "
    "$11::BIGINT AS anon_8, $12::TEXT AS anon_9, $13::TEXT AS anon_10, $14::TEXT AS anon_11, "
    "$15::TEXT AS anon_12, $16::TEXT AS anon_13, $17::TEXT AS anon_14 FROM won"
)

SWEEP_TOKENS_OF_RUN_OUT = (
    "DELETE FROM @.refresh_tokens WHERE refresh_tokens.token_digest = ANY (array((SELECT "
    "refresh_tokens.token_digest FROM @.refresh_tokens WHERE refresh_tokens.grant_id = ANY "
    "(array((SELECT grants.grant_id FROM @.grants WHERE grants.revoked_at IS NULL AND "
    "grants.expires_at < $1::BIGINT ORDER BY grants.expires_at LIMIT $2 OFFSET 0))) LIMIT $2 "
    "OFFSET 0 FOR UPDATE SKIP LOCKED)))"
)

SWEEP_TOKENS_OF_ENDED = (
    "DELETE FROM @.refresh_tokens WHERE refresh_tokens.token_digest = ANY (array((SELECT "
    "refresh_tokens.token_digest FROM @.refresh_tokens WHERE refresh_tokens.grant_id = ANY "
    "(array((SELECT grants.grant_id FROM @.grants WHERE grants.revoked_at < $1::BIGINT ORDER BY "
    "grants.revoked_at LIMIT $2 OFFSET 0))) LIMIT $2 OFFSET 0 FOR UPDATE SKIP LOCKED)))"
)

SWEEP_RUN_OUT_GRANTS = (
    "DELETE FROM @.grants WHERE grants.grant_id = ANY (array((SELECT grants.grant_id FROM "
    "@.grants WHERE grants.grant_id = ANY (array((SELECT grants.grant_id FROM @.grants WHERE "
    "grants.revoked_at IS NULL AND grants.expires_at < $1::BIGINT ORDER BY grants.expires_at "
    "LIMIT $2 OFFSET 0))) AND grants.revoked_at IS NULL AND grants.expires_at < $1::BIGINT AND "
    "NOT (EXISTS (SELECT * FROM @.refresh_tokens WHERE refresh_tokens.grant_id = "
    "grants.grant_id)) FOR UPDATE OF grants SKIP LOCKED)))"
)

SWEEP_ENDED_GRANTS = (
    "DELETE FROM @.grants WHERE grants.grant_id = ANY (array((SELECT grants.grant_id FROM "
    "@.grants WHERE grants.grant_id = ANY (array((SELECT grants.grant_id FROM @.grants WHERE "
    "grants.revoked_at < $1::BIGINT ORDER BY grants.revoked_at LIMIT $2 OFFSET 0))) AND "
    "grants.revoked_at < $1::BIGINT AND NOT (EXISTS (SELECT * FROM @.refresh_tokens WHERE "
    "refresh_tokens.grant_id = grants.grant_id)) FOR UPDATE OF grants SKIP LOCKED)))"
)

# The parameters of each, in the order of their numbers.
_ORDER = {
    CLIENT: "client_id",
    REQUEST: "request_digest",
    CODE: "code_digest",
    GRANT: "grant_id",
    REFRESH_TOKEN: "token_digest",
    ACCOUNT: "sub",
    ACCOUNT_BY_EMAIL: "email_key",
    ACCOUNTS: "",
    SIGNING_KEYS: "",
    AUDIT_EVENTS: "limit",
    REVISION: "",
    CODE_FAILURES: "code_digest",
    WHY_NOT_ROTATED: "token_digest",
    DELETE_SESSIONS_OF: "sub",
    INSERT_REQUEST: (
        "request_digest kind client_id redirect_uri state code_challenge scopes resource prompt "
        "cross_site browser_digest created_at expires_at answered_at factor_kind factor_hint "
        "factor_sealed factor_expires_at factor_failures external"
    ),
    INSERT_SIGNING_KEY: "kid algorithm public_jwk sealed_private created_at signs_from retires_at",
    INSERT_FIRST_SIGNING_KEY: (
        "kid algorithm public_jwk sealed_private created_at signs_from retires_at"
    ),
    INSERT_REVISION: "revision",
    INSERT_AUDIT_EVENT: "at event outcome actor client_id address detail",
    INSERT_TRANSACTION: (
        "transaction_digest provider request_digest kind browser_digest sealed created_at "
        "expires_at used_at sub directory display methods assurance factor_kind factor_hint "
        "factor_sealed factor_expires_at handed_over_at code_digest code_expires_at"
    ),
    TRANSACTION: "transaction_digest",
    DELETE_TRANSACTIONS_OF: "sub",
    LINK_OF: "workos_id",
    LINKS_TO: "sub",
    BAR_OF: "sub",
    EVENT: "event_id",
    KEPT_SESSION: "sub",
    INSERT_EVENT: "event_id seen_at",
    INSERT_API_KEY: (
        "key_digest key_id name sub scopes created_at expires_at revoked_at last_used_at"
    ),
    API_KEY: "key_digest",
    API_KEYS: "",
    USAGE: "since_day",
    ADD_USAGE: "day kind client calls would_refuse",
    LAST_AUDIT_NUMBER: "",
    CLIENTS: "after limit",
    CONSENT: "sub client_id redirect_host resource",
    GRANTS_OF_SUB: "sub live_at",
    GRANTS_OF_CLIENT: "client_id live_at",
    GRANTS_OF_SUB_AND_CLIENT: "sub client_id live_at",
    SESSION: "session_digest now",
    AWAIT_FACTOR: "kind hint sealed until failures request_digest now",
    COUNT_FACTOR_FAILURE: "failure_limit request_digest",
    SETTLE_FACTOR: "request_digest sealed",
    COUNT_CODE_FAILURE: "code_digest failure_limit",
    REHASH_ACCOUNT_PASSWORD: "new_hash sub old_hash",
    RETIRE_SIGNING_KEYS: "retires_at",
    FORGET_SIGNING_KEYS: "now",
    TAKE_TRANSACTION: "now transaction_digest browser_digest",
    VOUCH_TRANSACTION: (
        "sub directory display methods assurance factor_kind factor_hint factor_sealed "
        "factor_expires_at transaction_digest"
    ),
    TAKE_HAND_OVER: "code_digest request_digest provider now",
    HOLD_KEPT_SESSION: "until sub version now",
    REPLACE_KEPT_SESSION: "sealed now sub version",
    DROP_KEPT_SESSION: "sub version",
    TOUCH_API_KEY: "used_at key_digest",
    SWEEP_REQUESTS: "until batch",
    SWEEP_FACTORS: "now batch",
    SWEEP_TRANSACTIONS: "until batch",
    SWEEP_SESSIONS: "until batch",
    SWEEP_KEPT_SESSIONS: "until now batch",
    SWEEP_EVENTS: "until batch",
    SWEEP_USAGE: "until batch",
    SWEEP_AUDIT: "batch until",
    SWEEP_UNSPENT_CODES: "until batch",
    SWEEP_REDEEMED_CODES: "until batch",
    SWEEP_USED_CLIENTS: "until now batch",
    SWEEP_UNUSED_CLIENTS: "until now batch",
    AUDIT_AFTER: "number since until limit",
    REGISTER_CLIENT_TOLD: (
        "clients_client_id clients_redirect_uris clients_auth_method clients_grant_types "
        "clients_response_types clients_scopes clients_application_type clients_name "
        "clients_metadata clients_issued_at clients_secret_digest clients_self_registered "
        "clients_last_used_at audit_events_at audit_events_event audit_events_outcome "
        "audit_events_actor audit_events_client_id audit_events_address audit_events_detail"
    ),
    APPROVE_TOLD: (
        "codes_code_digest codes_grant_id codes_client_id codes_redirect_uri codes_code_challenge "
        "codes_scopes codes_resource codes_sub codes_directory codes_display codes_methods "
        "codes_assurance codes_authenticated_at codes_issued_at codes_expires_at codes_failures "
        "codes_redeemed_at now request_digest audit_events_at audit_events_event "
        "audit_events_outcome audit_events_actor audit_events_client_id audit_events_address "
        "audit_events_detail"
    ),
    APPROVE_AND_REMEMBER_TOLD: (
        "codes_code_digest codes_grant_id codes_client_id codes_redirect_uri codes_code_challenge "
        "codes_scopes codes_resource codes_sub codes_directory codes_display codes_methods "
        "codes_assurance codes_authenticated_at codes_issued_at codes_expires_at codes_failures "
        "codes_redeemed_at now request_digest consents_sub consents_client_id "
        "consents_redirect_host consents_resource consents_scopes consents_granted_at "
        "audit_events_at audit_events_event audit_events_outcome audit_events_actor "
        "audit_events_client_id audit_events_address audit_events_detail"
    ),
    DENY_TOLD: (
        "audit_events_at audit_events_event audit_events_outcome audit_events_actor "
        "audit_events_client_id audit_events_address audit_events_detail now request_digest"
    ),
    WHY_NOT_ANSWERED_BY: "request_digest",
    REOPEN_LOGIN_TOLD: (
        "audit_events_at audit_events_event audit_events_outcome audit_events_actor "
        "audit_events_client_id audit_events_address audit_events_detail request_digest "
        "answered_at"
    ),
    REDEEM_CODE_TOLD: (
        "grants_grant_id grants_client_id grants_sub grants_directory grants_display "
        "grants_methods grants_assurance grants_scopes grants_resource grants_authenticated_at "
        "grants_created_at grants_last_used_at grants_expires_at grants_revoked_at "
        "grants_revoked_reason grants_vouched_at now code_digest failure_limit client_id day_ago "
        "audit_events_at audit_events_event audit_events_outcome audit_events_actor "
        "audit_events_client_id audit_events_address audit_events_detail"
    ),
    REDEEM_CODE_FOR_REFRESH_TOLD: (
        "grants_grant_id grants_client_id grants_sub grants_directory grants_display "
        "grants_methods grants_assurance grants_scopes grants_resource grants_authenticated_at "
        "grants_created_at grants_last_used_at grants_expires_at grants_revoked_at "
        "grants_revoked_reason grants_vouched_at now code_digest failure_limit client_id day_ago "
        "refresh_tokens_token_digest refresh_tokens_grant_id refresh_tokens_issued_at "
        "refresh_tokens_expires_at refresh_tokens_superseded_at refresh_tokens_successor_digest "
        "audit_events_at audit_events_event audit_events_outcome audit_events_actor "
        "audit_events_client_id audit_events_address audit_events_detail"
    ),
    WHY_NOT_REDEEMED_TOLD: (
        "now reason code_digest audit_events_at audit_events_event audit_events_outcome "
        "audit_events_actor audit_events_client_id audit_events_address audit_events_detail"
    ),
    ROTATE_TOLD: (
        "refresh_tokens_token_digest refresh_tokens_grant_id refresh_tokens_issued_at "
        "refresh_tokens_expires_at refresh_tokens_superseded_at refresh_tokens_successor_digest "
        "now expires_at vouched_at grant_id successor_digest token_digest day_ago audit_events_at "
        "audit_events_event audit_events_outcome audit_events_actor audit_events_client_id "
        "audit_events_address audit_events_detail"
    ),
    END_GRANT_TOLD: (
        "audit_events_at audit_events_event audit_events_outcome audit_events_actor "
        "audit_events_client_id audit_events_address audit_events_detail now reason grant_id"
    ),
    END_REPLAYED_GRANT_TOLD: (
        "audit_events_at audit_events_event audit_events_outcome audit_events_actor "
        "audit_events_client_id audit_events_address audit_events_detail now reason grant_id"
    ),
    CLOSE_SESSION_TOLD: (
        "audit_events_at audit_events_event audit_events_outcome audit_events_actor "
        "audit_events_client_id audit_events_address audit_events_detail session_digest"
    ),
    ADD_ACCOUNT_TOLD: (
        "audit_events_at audit_events_event audit_events_outcome audit_events_actor "
        "audit_events_client_id audit_events_address audit_events_detail accounts_sub "
        "accounts_email accounts_email_key accounts_password_hash accounts_created_at "
        "accounts_disabled_at"
    ),
    EXPIRE_CODES_OF_SUB_IN_ORDER: "now sub",
    END_GRANTS_OF_SUB_IN_ORDER: "now reason sub",
    BAR_SENT_AWAY: "sub reason now",
    EXPIRE_CODES_OF_KNOWN_CLIENT: "now client_id",
    END_GRANTS_OF_KNOWN_CLIENT: "now reason client_id",
    REMOVE_CLIENT_TOLD: (
        "client_id audit_events_at audit_events_event audit_events_outcome audit_events_actor "
        "audit_events_client_id audit_events_address audit_events_detail"
    ),
    EXPIRE_CODES_OF_ACCOUNT: "now sub",
    END_GRANTS_OF_ACCOUNT: "now reason sub",
    DELETE_SESSIONS_OF_ACCOUNT: "sub",
    DELETE_TRANSACTIONS_OF_ACCOUNT: "sub",
    BAR_ACCOUNT: "sub reason now",
    DELETE_CONSENTS_OF_ACCOUNT: "sub",
    DELETE_KEPT_SESSION_OF_ACCOUNT: "sub",
    LOCK_PERSON: "person",
    OPEN_SESSION_TOLD: (
        "sub asked_at audit_events_at audit_events_event audit_events_outcome audit_events_actor "
        "audit_events_client_id audit_events_address audit_events_detail sessions_session_digest "
        "sessions_sub sessions_directory sessions_display sessions_methods sessions_assurance "
        "sessions_created_at sessions_expires_at"
    ),
    CLOSE_SESSIONS_OF_TOLD: (
        "audit_events_at audit_events_event audit_events_outcome audit_events_actor "
        "audit_events_client_id audit_events_address audit_events_detail sub"
    ),
    CLOSE_SESSIONS_BEGUN_BY_TOLD: (
        "audit_events_at audit_events_event audit_events_outcome audit_events_actor "
        "audit_events_client_id audit_events_address audit_events_detail sub begun_by"
    ),
    DISABLE_ACCOUNT_TOLD: (
        "audit_events_at audit_events_event audit_events_outcome audit_events_actor "
        "audit_events_client_id audit_events_address audit_events_detail disabled_at sub"
    ),
    SET_ACCOUNT_PASSWORD_TOLD: (
        "audit_events_at audit_events_event audit_events_outcome audit_events_actor "
        "audit_events_client_id audit_events_address audit_events_detail password_hash sub"
    ),
    REMOVE_ACCOUNT_TOLD: (
        "audit_events_at audit_events_event audit_events_outcome audit_events_actor "
        "audit_events_client_id audit_events_address audit_events_detail sub"
    ),
    LINK_TOLD: (
        "audit_events_at audit_events_event audit_events_outcome audit_events_actor "
        "audit_events_client_id audit_events_address audit_events_detail workos_id sub how "
        "linked_at"
    ),
    UNLINK_TOLD: (
        "audit_events_at audit_events_event audit_events_outcome audit_events_actor "
        "audit_events_client_id audit_events_address audit_events_detail workos_id"
    ),
    BAR_TOLD: (
        "sub reason barred_at audit_events_at audit_events_event audit_events_outcome "
        "audit_events_actor audit_events_client_id audit_events_address audit_events_detail"
    ),
    KEPT_SESSION_HELD: "sub",
    KEEP_SESSION: (
        "kept_sessions_sub kept_sessions_sealed kept_sessions_version kept_sessions_kept_at "
        "kept_sessions_held_until"
    ),
    ISSUE_HAND_OVER_TOLD: (
        "audit_events_at audit_events_event audit_events_outcome audit_events_actor "
        "audit_events_client_id audit_events_address audit_events_detail now code_digest "
        "code_expires_at transaction_digest browser_digest"
    ),
    REVOKE_API_KEY_TOLD: (
        "audit_events_at audit_events_event audit_events_outcome audit_events_actor "
        "audit_events_client_id audit_events_address audit_events_detail now key_id"
    ),
    LOCK_SIGNING_KEYS: "",
    CLOCK: "",
    WRITABLE: "",
    SUPERSEDE_SIGNING_KEY_TOLD: (
        "signing_keys_kid signing_keys_algorithm signing_keys_public_jwk "
        "signing_keys_sealed_private signing_keys_created_at signing_keys_signs_from "
        "signing_keys_retires_at retires_at kid audit_events_at audit_events_event "
        "audit_events_outcome audit_events_actor audit_events_client_id audit_events_address "
        "audit_events_detail"
    ),
    REVOKE_SIGNING_KEY_TOLD: (
        "audit_events_at audit_events_event audit_events_outcome audit_events_actor "
        "audit_events_client_id audit_events_address audit_events_detail now kid"
    ),
    REPLACE_SIGNING_KEY_TOLD: (
        "retires_at now kid signing_keys_kid signing_keys_algorithm signing_keys_public_jwk "
        "signing_keys_sealed_private signing_keys_created_at signing_keys_signs_from "
        "signing_keys_retires_at audit_events_at audit_events_event audit_events_outcome "
        "audit_events_actor audit_events_client_id audit_events_address audit_events_detail"
    ),
    SWEEP_TOKENS_OF_RUN_OUT: "before batch",
    SWEEP_TOKENS_OF_ENDED: "before batch",
    SWEEP_RUN_OUT_GRANTS: "before batch",
    SWEEP_ENDED_GRANTS: "before batch",
}
ORDER = {text: tuple(names.split()) for text, names in _ORDER.items()}

# what makes an empty schema a store; an empty line between two statements
SCHEMA = """
CREATE TABLE @.alembic_version ( version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc
PRIMARY KEY (version_num) )

CREATE TABLE @.accounts ( sub TEXT NOT NULL, email TEXT NOT NULL, email_key TEXT NOT NULL,
password_hash TEXT NOT NULL, created_at BIGINT NOT NULL, disabled_at BIGINT, PRIMARY KEY (sub) )

CREATE UNIQUE INDEX accounts_by_email ON @.accounts (email_key)

COMMENT ON TABLE @.accounts IS 'people of the embedded directory'

COMMENT ON COLUMN @.accounts.sub IS 'identifier of the person (ag_…)'

COMMENT ON COLUMN @.accounts.email IS 'address as the operator wrote it'

COMMENT ON COLUMN @.accounts.email_key IS 'the address case-folded: what a sign-in is compared with'

COMMENT ON COLUMN @.accounts.password_hash IS 'argon2id hash'

COMMENT ON COLUMN @.accounts.created_at IS 'when the account was made'

COMMENT ON COLUMN @.accounts.disabled_at IS 'since when it may not sign in'

CREATE TABLE @.api_keys ( key_digest TEXT NOT NULL, key_id TEXT NOT NULL, name TEXT NOT NULL, sub
TEXT, scopes TEXT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT, revoked_at BIGINT,
last_used_at BIGINT, PRIMARY KEY (key_digest) )

CREATE UNIQUE INDEX api_keys_by_id ON @.api_keys (key_id)

COMMENT ON TABLE @.api_keys IS 'static API keys that an operator gave out'

COMMENT ON COLUMN @.api_keys.key_digest IS 'SHA-256 of the API key'

COMMENT ON COLUMN @.api_keys.key_id IS 'public identifier, by which it is listed and revoked'

COMMENT ON COLUMN @.api_keys.name IS 'what the operator calls it; need not be unique'

COMMENT ON COLUMN @.api_keys.sub IS 'the operator''s name for whoever calls with it'

COMMENT ON COLUMN @.api_keys.scopes IS 'scopes it stands for, space-separated'

COMMENT ON COLUMN @.api_keys.created_at IS 'when it was made'

COMMENT ON COLUMN @.api_keys.expires_at IS 'when it stops working; empty: never'

COMMENT ON COLUMN @.api_keys.revoked_at IS 'when it was revoked; set once'

COMMENT ON COLUMN @.api_keys.last_used_at IS 'last call with it, to the day'

CREATE TABLE @.audit_events ( id BIGSERIAL NOT NULL, at BIGINT NOT NULL, event TEXT NOT NULL,
outcome TEXT NOT NULL, actor TEXT, client_id TEXT, address TEXT, detail TEXT NOT NULL, PRIMARY KEY
(id) )

COMMENT ON TABLE @.audit_events IS 'the audit trail, written in the transaction of the step it tells about'

COMMENT ON COLUMN @.audit_events.id IS 'order of writing'

COMMENT ON COLUMN @.audit_events.at IS 'when it happened'

COMMENT ON COLUMN @.audit_events.event IS 'what happened'

COMMENT ON COLUMN @.audit_events.outcome IS 'how it ended'

COMMENT ON COLUMN @.audit_events.actor IS 'the person''s sub, operator, or empty for a stranger'

COMMENT ON COLUMN @.audit_events.client_id IS 'the client concerned'

COMMENT ON COLUMN @.audit_events.address IS 'network address of the asker'

COMMENT ON COLUMN @.audit_events.detail IS 'more facts, never a secret nor a digest of one (JSON object)'

CREATE TABLE @.authorization_requests ( request_digest TEXT NOT NULL, kind TEXT NOT NULL, client_id
TEXT NOT NULL, redirect_uri TEXT NOT NULL, state TEXT, code_challenge TEXT NOT NULL, scopes TEXT NOT
NULL, resource TEXT NOT NULL, prompt TEXT NOT NULL, cross_site BIGINT NOT NULL, browser_digest TEXT,
created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, answered_at BIGINT, factor_kind TEXT,
factor_hint TEXT, factor_sealed TEXT, factor_expires_at BIGINT, factor_failures BIGINT, external
TEXT, PRIMARY KEY (request_digest) )

CREATE INDEX authorization_requests_by_end ON @.authorization_requests (expires_at)

CREATE INDEX authorization_requests_by_factor_end ON @.authorization_requests (factor_expires_at)
WHERE factor_expires_at IS NOT NULL

COMMENT ON TABLE @.authorization_requests IS 'authorization requests waiting for a person'

COMMENT ON COLUMN @.authorization_requests.request_digest IS 'SHA-256 of the handle in page URLs or of the challenge'

COMMENT ON COLUMN @.authorization_requests.kind IS 'browser, tool, or login: another authorization server asked'

COMMENT ON COLUMN @.authorization_requests.client_id IS 'the client that asked; an empty text if none did (login)'

COMMENT ON COLUMN @.authorization_requests.redirect_uri IS 'where the answer goes, exactly as asked'

COMMENT ON COLUMN @.authorization_requests.state IS 'the client''s state, echoed byte for byte'

COMMENT ON COLUMN @.authorization_requests.code_challenge IS 'PKCE challenge (S256)'

COMMENT ON COLUMN @.authorization_requests.scopes IS 'scopes asked for, after narrowing, space-separated'

COMMENT ON COLUMN @.authorization_requests.resource IS 'the resource the tokens are to be for'

COMMENT ON COLUMN @.authorization_requests.prompt IS 'prompt values, space-separated'

COMMENT ON COLUMN @.authorization_requests.cross_site IS '1: another site sent the browser here'

COMMENT ON COLUMN @.authorization_requests.browser_digest IS 'SHA-256 of the browser''s cookie; empty for a tool'

COMMENT ON COLUMN @.authorization_requests.created_at IS 'when it was asked'

COMMENT ON COLUMN @.authorization_requests.expires_at IS 'when it stops being answerable'

COMMENT ON COLUMN @.authorization_requests.answered_at IS 'when it was approved or denied; set once'

COMMENT ON COLUMN @.authorization_requests.factor_kind IS 'the second factor that is due: totp or phone'

COMMENT ON COLUMN @.authorization_requests.factor_hint IS 'what the page may show of it'

COMMENT ON COLUMN @.authorization_requests.factor_sealed IS 'the sign-in between its two factors, encrypted'

COMMENT ON COLUMN @.authorization_requests.factor_expires_at IS 'when the password is due again'

COMMENT ON COLUMN @.authorization_requests.factor_failures IS 'wrong codes so far'

COMMENT ON COLUMN @.authorization_requests.external IS 'the asking server''s own name for a login, encrypted'

CREATE TABLE @.bars ( sub TEXT NOT NULL, reason TEXT NOT NULL, barred_at BIGINT NOT NULL, PRIMARY
KEY (sub) )

COMMENT ON TABLE @.bars IS 'people who have to sign in anew before tokens that we did not issue are taken again'

COMMENT ON COLUMN @.bars.sub IS 'the person from whom nothing issued elsewhere is taken'

COMMENT ON COLUMN @.bars.reason IS 'why'

COMMENT ON COLUMN @.bars.barred_at IS 'since when'

CREATE TABLE @.clients ( client_id TEXT NOT NULL, redirect_uris TEXT NOT NULL, auth_method TEXT NOT
NULL, grant_types TEXT NOT NULL, response_types TEXT NOT NULL, scopes TEXT NOT NULL,
application_type TEXT NOT NULL, name TEXT, metadata TEXT NOT NULL, issued_at BIGINT NOT NULL,
secret_digest TEXT, self_registered BIGINT NOT NULL, last_used_at BIGINT, PRIMARY KEY (client_id) )

CREATE INDEX clients_by_use ON @.clients (last_used_at, issued_at)

COMMENT ON TABLE @.clients IS 'registered clients (RFC 7591)'

COMMENT ON COLUMN @.clients.client_id IS 'public identifier of the client'

COMMENT ON COLUMN @.clients.redirect_uris IS 'registered redirect URIs, exactly as sent (JSON list)'

COMMENT ON COLUMN @.clients.auth_method IS 'how the client proves itself at the token endpoint'

COMMENT ON COLUMN @.clients.grant_types IS 'registered grant types, space-separated'

COMMENT ON COLUMN @.clients.response_types IS 'registered response types, a JSON list: one may hold a space'

COMMENT ON COLUMN @.clients.scopes IS 'scopes the client may ask for, space-separated'

COMMENT ON COLUMN @.clients.application_type IS 'web or native'

COMMENT ON COLUMN @.clients.name IS 'display name as registered, unverified'

COMMENT ON COLUMN @.clients.metadata IS 'remaining registered members, echoed as they came (JSON object)'

COMMENT ON COLUMN @.clients.issued_at IS 'when the client was registered'

COMMENT ON COLUMN @.clients.secret_digest IS 'SHA-256 of the client secret; empty for a public client'

COMMENT ON COLUMN @.clients.self_registered IS '1: came through open registration, 0: an operator vouches for it'

COMMENT ON COLUMN @.clients.last_used_at IS 'last code or refresh exchange, to the day'

CREATE TABLE @.codes ( code_digest TEXT NOT NULL, grant_id TEXT NOT NULL, client_id TEXT NOT NULL,
redirect_uri TEXT NOT NULL, code_challenge TEXT NOT NULL, scopes TEXT NOT NULL, resource TEXT NOT
NULL, sub TEXT NOT NULL, directory TEXT NOT NULL, display TEXT NOT NULL, methods TEXT NOT NULL,
assurance BIGINT NOT NULL, authenticated_at BIGINT NOT NULL, issued_at BIGINT NOT NULL, expires_at
BIGINT NOT NULL, failures BIGINT NOT NULL, redeemed_at BIGINT, PRIMARY KEY (code_digest) )

CREATE INDEX codes_by_end ON @.codes (redeemed_at, expires_at)

COMMENT ON TABLE @.codes IS 'authorization codes, the redeemed ones kept to tell a replay from a stranger'

COMMENT ON COLUMN @.codes.code_digest IS 'SHA-256 of the authorization code'

COMMENT ON COLUMN @.codes.grant_id IS 'the grant that its redemption begins'

COMMENT ON COLUMN @.codes.client_id IS 'the client it was issued to'

COMMENT ON COLUMN @.codes.redirect_uri IS 'where it was sent'

COMMENT ON COLUMN @.codes.code_challenge IS 'PKCE challenge (S256)'

COMMENT ON COLUMN @.codes.scopes IS 'scopes it stands for, space-separated'

COMMENT ON COLUMN @.codes.resource IS 'the resource it stands for'

COMMENT ON COLUMN @.codes.sub IS 'the person: the home directory''s own identifier, never an e-mail address'

COMMENT ON COLUMN @.codes.directory IS 'the directory that vouched for the person'

COMMENT ON COLUMN @.codes.display IS 'what a page may show for the person; recognises nobody'

COMMENT ON COLUMN @.codes.methods IS 'how the person proved who they are, space-separated'

COMMENT ON COLUMN @.codes.assurance IS 'how many independent factors that was'

COMMENT ON COLUMN @.codes.authenticated_at IS 'when the person signed in'

COMMENT ON COLUMN @.codes.issued_at IS 'when it was issued'

COMMENT ON COLUMN @.codes.expires_at IS 'when it stops being redeemable'

COMMENT ON COLUMN @.codes.failures IS 'wrong verifiers so far'

COMMENT ON COLUMN @.codes.redeemed_at IS 'when it was redeemed; set once, by the one that won'

CREATE TABLE @.consents ( sub TEXT NOT NULL, client_id TEXT NOT NULL, redirect_host TEXT NOT NULL,
resource TEXT NOT NULL, scopes TEXT NOT NULL, granted_at BIGINT NOT NULL, PRIMARY KEY (sub,
client_id, redirect_host, resource) )

CREATE INDEX consents_by_client ON @.consents (client_id)

COMMENT ON TABLE @.consents IS 'what a person has allowed a client before'

COMMENT ON COLUMN @.consents.sub IS 'the person who allowed it'

COMMENT ON COLUMN @.consents.client_id IS 'the client that was allowed'

COMMENT ON COLUMN @.consents.redirect_host IS 'the host the answers go to'

COMMENT ON COLUMN @.consents.resource IS 'the resource it was allowed for'

COMMENT ON COLUMN @.consents.scopes IS 'scopes allowed, space-separated'

COMMENT ON COLUMN @.consents.granted_at IS 'when it was last allowed'

CREATE TABLE @.grants ( grant_id TEXT NOT NULL, client_id TEXT NOT NULL, sub TEXT NOT NULL,
directory TEXT NOT NULL, display TEXT NOT NULL, methods TEXT NOT NULL, assurance BIGINT NOT NULL,
scopes TEXT NOT NULL, resource TEXT NOT NULL, authenticated_at BIGINT NOT NULL, created_at BIGINT
NOT NULL, last_used_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, revoked_at BIGINT,
revoked_reason TEXT, vouched_at BIGINT, PRIMARY KEY (grant_id) )

CREATE INDEX grants_by_client ON @.grants (client_id, created_at)

CREATE INDEX grants_by_end ON @.grants (revoked_at, expires_at)

CREATE INDEX grants_by_sub ON @.grants (sub, created_at)

COMMENT ON TABLE @.grants IS 'what a person allowed a client, from the redemption of a code until it ends'

COMMENT ON COLUMN @.grants.grant_id IS 'identifier, named by every access token'

COMMENT ON COLUMN @.grants.client_id IS 'the client that was allowed'

COMMENT ON COLUMN @.grants.sub IS 'the person: the home directory''s own identifier, never an e-mail address'

COMMENT ON COLUMN @.grants.directory IS 'the directory that vouched for the person'

COMMENT ON COLUMN @.grants.display IS 'what a page may show for the person; recognises nobody'

COMMENT ON COLUMN @.grants.methods IS 'how the person proved who they are, space-separated'

COMMENT ON COLUMN @.grants.assurance IS 'how many independent factors that was'

COMMENT ON COLUMN @.grants.scopes IS 'scopes allowed, space-separated'

COMMENT ON COLUMN @.grants.resource IS 'the one resource the tokens are for'

COMMENT ON COLUMN @.grants.authenticated_at IS 'when the person signed in'

COMMENT ON COLUMN @.grants.created_at IS 'when the code was redeemed'

COMMENT ON COLUMN @.grants.last_used_at IS 'last refresh, or the redemption'

COMMENT ON COLUMN @.grants.expires_at IS 'latest moment at which any token of the grant can be alive'

COMMENT ON COLUMN @.grants.revoked_at IS 'when it was ended before its time'

COMMENT ON COLUMN @.grants.revoked_reason IS 'why it was ended'

COMMENT ON COLUMN @.grants.vouched_at IS 'when the directory last stood by the person'

CREATE TABLE @.kept_sessions ( sub TEXT NOT NULL, sealed TEXT NOT NULL, version BIGINT NOT NULL,
kept_at BIGINT NOT NULL, held_until BIGINT NOT NULL, PRIMARY KEY (sub) )

CREATE INDEX kept_sessions_by_time ON @.kept_sessions (kept_at)

COMMENT ON TABLE @.kept_sessions IS 'sessions of people at their directory, to ask there whether they are still good'

COMMENT ON COLUMN @.kept_sessions.sub IS 'the person whose session it is'

COMMENT ON COLUMN @.kept_sessions.sealed IS 'the session at their directory, encrypted'

COMMENT ON COLUMN @.kept_sessions.version IS 'names one state of the row, never another'

COMMENT ON COLUMN @.kept_sessions.kept_at IS 'when it was kept or refreshed'

COMMENT ON COLUMN @.kept_sessions.held_until IS 'until when one holder alone may refresh it; 0: nobody'

CREATE TABLE @.links ( workos_id TEXT NOT NULL, sub TEXT NOT NULL, how TEXT NOT NULL, linked_at
BIGINT NOT NULL, PRIMARY KEY (workos_id) )

CREATE INDEX links_by_sub ON @.links (sub, linked_at)

COMMENT ON TABLE @.links IS 'which person a WorkOS user is'

COMMENT ON COLUMN @.links.workos_id IS 'the WorkOS user'

COMMENT ON COLUMN @.links.sub IS 'the person that user is; several users may be one person'

COMMENT ON COLUMN @.links.how IS 'by which rule they were matched: completed, identity or email; or operator'

COMMENT ON COLUMN @.links.linked_at IS 'when'

CREATE TABLE @.refresh_tokens ( token_digest TEXT NOT NULL, grant_id TEXT NOT NULL, issued_at BIGINT
NOT NULL, expires_at BIGINT NOT NULL, superseded_at BIGINT, successor_digest TEXT, PRIMARY KEY
(token_digest) )

CREATE INDEX refresh_tokens_by_grant ON @.refresh_tokens (grant_id)

COMMENT ON TABLE @.refresh_tokens IS 'every generation of refresh tokens, superseded ones kept to recognise a replay'

COMMENT ON COLUMN @.refresh_tokens.token_digest IS 'SHA-256 of the refresh token'

COMMENT ON COLUMN @.refresh_tokens.grant_id IS 'the grant it belongs to'

COMMENT ON COLUMN @.refresh_tokens.issued_at IS 'when it was issued'

COMMENT ON COLUMN @.refresh_tokens.expires_at IS 'when it stops being usable'

COMMENT ON COLUMN @.refresh_tokens.superseded_at IS 'when its successor was issued; set once'

COMMENT ON COLUMN @.refresh_tokens.successor_digest IS 'SHA-256 of its one successor'

CREATE TABLE @.seen_events ( event_id TEXT NOT NULL, seen_at BIGINT NOT NULL, PRIMARY KEY (event_id)
)

CREATE INDEX seen_events_by_time ON @.seen_events (seen_at)

COMMENT ON TABLE @.seen_events IS 'events that other services told, kept to know a repetition'

COMMENT ON COLUMN @.seen_events.event_id IS 'the teller''s identifier of the event'

COMMENT ON COLUMN @.seen_events.seen_at IS 'when it was told first'

CREATE TABLE @.sessions ( session_digest TEXT NOT NULL, sub TEXT NOT NULL, directory TEXT NOT NULL,
display TEXT NOT NULL, methods TEXT NOT NULL, assurance BIGINT NOT NULL, created_at BIGINT NOT NULL,
expires_at BIGINT NOT NULL, PRIMARY KEY (session_digest) )

CREATE INDEX sessions_by_end ON @.sessions (expires_at)

CREATE INDEX sessions_by_sub ON @.sessions (sub)

COMMENT ON TABLE @.sessions IS 'browser sessions after a sign-in'

COMMENT ON COLUMN @.sessions.session_digest IS 'SHA-256 of the session cookie'

COMMENT ON COLUMN @.sessions.sub IS 'the person: the home directory''s own identifier, never an e-mail address'

COMMENT ON COLUMN @.sessions.directory IS 'the directory that vouched for the person'

COMMENT ON COLUMN @.sessions.display IS 'what a page may show for the person; recognises nobody'

COMMENT ON COLUMN @.sessions.methods IS 'how the person proved who they are, space-separated'

COMMENT ON COLUMN @.sessions.assurance IS 'how many independent factors that was'

COMMENT ON COLUMN @.sessions.created_at IS 'when the person signed in'

COMMENT ON COLUMN @.sessions.expires_at IS 'when the session ends'

CREATE TABLE @.signing_keys ( kid TEXT NOT NULL, algorithm TEXT NOT NULL, public_jwk TEXT NOT NULL,
sealed_private TEXT NOT NULL, created_at BIGINT NOT NULL, signs_from BIGINT NOT NULL, retires_at
BIGINT, PRIMARY KEY (kid) )

COMMENT ON TABLE @.signing_keys IS 'signing keys; a handful of rows, so no index'

COMMENT ON COLUMN @.signing_keys.kid IS 'key identifier in token headers and the JWKS'

COMMENT ON COLUMN @.signing_keys.algorithm IS 'JWS algorithm'

COMMENT ON COLUMN @.signing_keys.public_jwk IS 'the public half (JSON object)'

COMMENT ON COLUMN @.signing_keys.sealed_private IS 'the private half, encrypted by the vault'

COMMENT ON COLUMN @.signing_keys.created_at IS 'published from here on'

COMMENT ON COLUMN @.signing_keys.signs_from IS 'signs from here on'

COMMENT ON COLUMN @.signing_keys.retires_at IS 'leaves the JWKS here; empty while nothing supersedes it'

CREATE TABLE @.social_transactions ( transaction_digest TEXT NOT NULL, provider TEXT NOT NULL,
request_digest TEXT NOT NULL, kind TEXT NOT NULL, browser_digest TEXT NOT NULL, sealed TEXT NOT
NULL, created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, used_at BIGINT, sub TEXT, directory
TEXT, display TEXT, methods TEXT, assurance BIGINT, factor_kind TEXT, factor_hint TEXT,
factor_sealed TEXT, factor_expires_at BIGINT, handed_over_at BIGINT, code_digest TEXT,
code_expires_at BIGINT, PRIMARY KEY (transaction_digest) )

CREATE INDEX social_transactions_by_code ON @.social_transactions (code_digest) WHERE code_digest IS
NOT NULL

CREATE INDEX social_transactions_by_end ON @.social_transactions (expires_at)

CREATE INDEX social_transactions_by_sub ON @.social_transactions (sub) WHERE sub IS NOT NULL

COMMENT ON TABLE @.social_transactions IS 'sign-ins under way at GitHub or Google, and what tools were handed over of them'

COMMENT ON COLUMN @.social_transactions.transaction_digest IS 'SHA-256 of the name that comes back from the provider'

COMMENT ON COLUMN @.social_transactions.provider IS 'github or google'

COMMENT ON COLUMN @.social_transactions.request_digest IS 'the authorization request or challenge it is for'

COMMENT ON COLUMN @.social_transactions.kind IS 'browser, tool or login: what kind of request that is'

COMMENT ON COLUMN @.social_transactions.browser_digest IS 'SHA-256 of the cookie of the browser that was sent away'

COMMENT ON COLUMN @.social_transactions.sealed IS 'what the way back needs, encrypted'

COMMENT ON COLUMN @.social_transactions.created_at IS 'when the browser was sent away'

COMMENT ON COLUMN @.social_transactions.expires_at IS 'when it may no longer come back'

COMMENT ON COLUMN @.social_transactions.used_at IS 'when it came back; set once'

COMMENT ON COLUMN @.social_transactions.sub IS 'the person: the home directory''s own identifier, never an e-mail address'

COMMENT ON COLUMN @.social_transactions.directory IS 'the directory that vouched for the person'

COMMENT ON COLUMN @.social_transactions.display IS 'what a page may show for the person; recognises nobody'

COMMENT ON COLUMN @.social_transactions.methods IS 'how the person proved who they are, space-separated'

COMMENT ON COLUMN @.social_transactions.assurance IS 'how many independent factors that was'

COMMENT ON COLUMN @.social_transactions.factor_kind IS 'the second factor still due: totp or phone'

COMMENT ON COLUMN @.social_transactions.factor_hint IS 'what may be shown of it'

COMMENT ON COLUMN @.social_transactions.factor_sealed IS 'the sign-in between its two factors, encrypted'

COMMENT ON COLUMN @.social_transactions.factor_expires_at IS 'when the sign-in has to begin again'

COMMENT ON COLUMN @.social_transactions.handed_over_at IS 'when a tool was given its one-time code; set once'

COMMENT ON COLUMN @.social_transactions.code_digest IS 'SHA-256 of that oauth_code'

COMMENT ON COLUMN @.social_transactions.code_expires_at IS 'when that code stops working'

CREATE TABLE @.usage_counts ( day BIGINT NOT NULL, kind TEXT NOT NULL, client TEXT NOT NULL, calls
BIGINT NOT NULL, would_refuse BIGINT NOT NULL, PRIMARY KEY (day, kind, client) )

COMMENT ON TABLE @.usage_counts IS 'who still calls with what, counted by day'

COMMENT ON COLUMN @.usage_counts.day IS 'days since the epoch'

COMMENT ON COLUMN @.usage_counts.kind IS 'the kind of credential that came, none among them'

COMMENT ON COLUMN @.usage_counts.client IS 'the client, or the name of the API key; empty if nobody said'

COMMENT ON COLUMN @.usage_counts.calls IS 'how many calls came so'

COMMENT ON COLUMN @.usage_counts.would_refuse IS 'how many of them would be refused if OAuth were required'
"""
