"""The statements as SQLite runs them.

Written by `python -m authgate.store.compile` from `statements`: do not edit. A `?` statement takes
a tuple in the order named above it, a `:name` statement a mapping.
"""

# "token" and "password" in the names of statements are no secrets.
# ruff: noqa: S105

# client_id
CLIENT = (
    "SELECT clients.client_id, clients.redirect_uris, clients.auth_method, clients.grant_types, "
    "clients.response_types, clients.scopes, clients.application_type, clients.name, "
    "clients.metadata, clients.issued_at, clients.secret_digest, clients.self_registered, "
    "clients.last_used_at FROM clients WHERE clients.client_id = ?"
)

# request_digest
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
    "authorization_requests WHERE authorization_requests.request_digest = ?"
)

# code_digest
CODE = (
    "SELECT codes.code_digest, codes.grant_id, codes.client_id, codes.redirect_uri, "
    "codes.code_challenge, codes.scopes, codes.resource, codes.sub, codes.directory, "
    "codes.display, codes.methods, codes.assurance, codes.authenticated_at, codes.issued_at, "
    "codes.expires_at, codes.failures, codes.redeemed_at FROM codes WHERE codes.code_digest = ?"
)

# grant_id
GRANT = (
    "SELECT grants.grant_id, grants.client_id, grants.sub, grants.directory, grants.display, "
    "grants.methods, grants.assurance, grants.scopes, grants.resource, grants.authenticated_at, "
    "grants.created_at, grants.last_used_at, grants.expires_at, grants.revoked_at, "
    "grants.revoked_reason, grants.vouched_at FROM grants WHERE grants.grant_id = ?"
)

# grant_id
GRANT_CHANGES = (
    "SELECT grants.last_used_at, grants.expires_at, grants.revoked_at, grants.revoked_reason, "
    "grants.vouched_at FROM grants WHERE grants.grant_id = ?"
)

# token_digest
REFRESH_TOKEN = (
    "SELECT refresh_tokens.token_digest, refresh_tokens.grant_id, refresh_tokens.issued_at, "
    "refresh_tokens.expires_at, refresh_tokens.superseded_at, refresh_tokens.successor_digest, "
    "grants.grant_id AS grant_id_1, grants.client_id, grants.sub, grants.directory, "
    "grants.display, grants.methods, grants.assurance, grants.scopes, grants.resource, "
    "grants.authenticated_at, grants.created_at, grants.last_used_at, grants.expires_at AS "
    "expires_at_1, grants.revoked_at, grants.revoked_reason, grants.vouched_at FROM "
    "refresh_tokens JOIN grants ON grants.grant_id = refresh_tokens.grant_id WHERE "
    "refresh_tokens.token_digest = ?"
)

# sub
ACCOUNT = (
    "SELECT accounts.sub, accounts.email, accounts.email_key, accounts.password_hash, "
    "accounts.created_at, accounts.disabled_at FROM accounts WHERE accounts.sub = ?"
)

# email_key
ACCOUNT_BY_EMAIL = (
    "SELECT accounts.sub, accounts.email, accounts.email_key, accounts.password_hash, "
    "accounts.created_at, accounts.disabled_at FROM accounts WHERE accounts.email_key = ?"
)

# nothing
ACCOUNTS = (
    "SELECT accounts.sub, accounts.email, accounts.email_key, accounts.password_hash, "
    "accounts.created_at, accounts.disabled_at FROM accounts ORDER BY accounts.email_key"
)

# nothing
SIGNING_KEYS = (
    "SELECT signing_keys.kid, signing_keys.algorithm, signing_keys.public_jwk, "
    "signing_keys.sealed_private, signing_keys.created_at, signing_keys.signs_from, "
    "signing_keys.retires_at FROM signing_keys ORDER BY signing_keys.created_at, signing_keys.kid"
)

# limit
AUDIT_EVENTS = (
    "SELECT audit_events.at, audit_events.event, audit_events.outcome, audit_events.actor, "
    "audit_events.client_id, audit_events.address, audit_events.detail FROM audit_events ORDER BY "
    "audit_events.id DESC LIMIT ? OFFSET 0"
)

# nothing
REVISION = "SELECT alembic_version.version_num FROM alembic_version"

# request_digest
WHY_NOT_ANSWERED = (
    "SELECT authorization_requests.answered_at FROM authorization_requests WHERE "
    "authorization_requests.request_digest = ?"
)

# code_digest
WHY_NOT_REDEEMED = (
    "SELECT codes.redeemed_at, codes.expires_at, codes.grant_id FROM codes WHERE "
    "codes.code_digest = ?"
)

# code_digest
CODE_FAILURES = "SELECT codes.failures FROM codes WHERE codes.code_digest = ?"

# token_digest
WHY_NOT_ROTATED = (
    "SELECT refresh_tokens.grant_id, refresh_tokens.superseded_at, grants.revoked_at, "
    "successor.token_digest, successor.expires_at, successor.superseded_at AS superseded_at_1 "
    "FROM refresh_tokens JOIN grants ON grants.grant_id = refresh_tokens.grant_id LEFT OUTER JOIN "
    "refresh_tokens AS successor ON successor.token_digest = refresh_tokens.successor_digest "
    "WHERE refresh_tokens.token_digest = ?"
)

# client_id
DELETE_CLIENT = "DELETE FROM clients WHERE clients.client_id = ?"

# client_id
DELETE_CONSENTS_OF_CLIENT = "DELETE FROM consents WHERE consents.client_id = ?"

# sub
DELETE_CONSENTS_OF_SUB = "DELETE FROM consents WHERE consents.sub = ?"

# session_digest
DELETE_SESSION = "DELETE FROM sessions WHERE sessions.session_digest = ?"

# sub
DELETE_SESSIONS_OF = "DELETE FROM sessions WHERE sessions.sub = ?"

# sub
DELETE_ACCOUNT = "DELETE FROM accounts WHERE accounts.sub = ?"

# nothing
PROVE_WRITABLE = "UPDATE alembic_version SET version_num=alembic_version.version_num"

# client_id, redirect_uris, auth_method, grant_types, response_types, scopes, application_type,
# name, metadata, issued_at, secret_digest, self_registered, last_used_at
INSERT_CLIENT = (
    "INSERT INTO clients (client_id, redirect_uris, auth_method, grant_types, response_types, "
    "scopes, application_type, name, metadata, issued_at, secret_digest, self_registered, "
    "last_used_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

# request_digest, kind, client_id, redirect_uri, state, code_challenge, scopes, resource, prompt,
# cross_site, browser_digest, created_at, expires_at, answered_at, factor_kind, factor_hint,
# factor_sealed, factor_expires_at, factor_failures, external
INSERT_REQUEST = (
    "INSERT INTO authorization_requests (request_digest, kind, client_id, redirect_uri, state, "
    "code_challenge, scopes, resource, prompt, cross_site, browser_digest, created_at, "
    "expires_at, answered_at, factor_kind, factor_hint, factor_sealed, factor_expires_at, "
    "factor_failures, external) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
    "?)"
)

# code_digest, grant_id, client_id, redirect_uri, code_challenge, scopes, resource, sub, directory,
# display, methods, assurance, authenticated_at, issued_at, expires_at, failures, redeemed_at
INSERT_CODE = (
    "INSERT INTO codes (code_digest, grant_id, client_id, redirect_uri, code_challenge, scopes, "
    "resource, sub, directory, display, methods, assurance, authenticated_at, issued_at, "
    "expires_at, failures, redeemed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
    "?)"
)

# grant_id, client_id, sub, directory, display, methods, assurance, scopes, resource,
# authenticated_at, created_at, last_used_at, expires_at, revoked_at, revoked_reason, vouched_at
INSERT_GRANT = (
    "INSERT INTO grants (grant_id, client_id, sub, directory, display, methods, assurance, "
    "scopes, resource, authenticated_at, created_at, last_used_at, expires_at, revoked_at, "
    "revoked_reason, vouched_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

# token_digest, grant_id, issued_at, expires_at, superseded_at, successor_digest
INSERT_REFRESH_TOKEN = (
    "INSERT INTO refresh_tokens (token_digest, grant_id, issued_at, expires_at, superseded_at, "
    "successor_digest) VALUES (?, ?, ?, ?, ?, ?)"
)

# session_digest, sub, directory, display, methods, assurance, created_at, expires_at
INSERT_SESSION = (
    "INSERT INTO sessions (session_digest, sub, directory, display, methods, assurance, "
    "created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)

# kid, algorithm, public_jwk, sealed_private, created_at, signs_from, retires_at
INSERT_SIGNING_KEY = (
    "INSERT INTO signing_keys (kid, algorithm, public_jwk, sealed_private, created_at, "
    "signs_from, retires_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
)

# kid, algorithm, public_jwk, sealed_private, created_at, signs_from, retires_at
INSERT_FIRST_SIGNING_KEY = (
    "INSERT INTO signing_keys (kid, algorithm, public_jwk, sealed_private, created_at, "
    "signs_from, retires_at) SELECT ? AS anon_1, ? AS anon_2, ? AS anon_3, ? AS anon_4, ? AS "
    "anon_5, ? AS anon_6, ? AS anon_7 WHERE NOT (EXISTS (SELECT 1 FROM signing_keys))"
)

# revision
INSERT_REVISION = "INSERT INTO alembic_version (version_num) VALUES (?)"

# at, event, outcome, actor, client_id, address, detail
INSERT_AUDIT_EVENT = (
    "INSERT INTO audit_events (at, event, outcome, actor, client_id, address, detail) VALUES (?, "
    "?, ?, ?, ?, ?, ?)"
)

# sub, client_id, redirect_host, resource, scopes, granted_at
REMEMBER_CONSENT = (
    "INSERT INTO consents (sub, client_id, redirect_host, resource, scopes, granted_at) VALUES "
    "(?, ?, ?, ?, ?, ?) ON CONFLICT (sub, client_id, redirect_host, resource) DO UPDATE SET "
    "scopes = excluded.scopes, granted_at = excluded.granted_at"
)

# sub, email, email_key, password_hash, created_at, disabled_at
INSERT_ACCOUNT = (
    "INSERT INTO accounts (sub, email, email_key, password_hash, created_at, disabled_at) VALUES "
    "(?, ?, ?, ?, ?, ?) ON CONFLICT (email_key) DO NOTHING"
)

# transaction_digest, provider, request_digest, kind, browser_digest, sealed, created_at,
# expires_at, used_at, sub, directory, display, methods, assurance, factor_kind, factor_hint,
# factor_sealed, factor_expires_at, handed_over_at, code_digest, code_expires_at
INSERT_TRANSACTION = (
    "INSERT INTO social_transactions (transaction_digest, provider, request_digest, kind, "
    "browser_digest, sealed, created_at, expires_at, used_at, sub, directory, display, methods, "
    "assurance, factor_kind, factor_hint, factor_sealed, factor_expires_at, handed_over_at, "
    "code_digest, code_expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
    "?, ?, ?)"
)

# transaction_digest
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
    "social_transactions WHERE social_transactions.transaction_digest = ?"
)

# sub
DELETE_TRANSACTIONS_OF = "DELETE FROM social_transactions WHERE social_transactions.sub = ?"

# workos_id
LINK_OF = (
    "SELECT links.workos_id, links.sub, links.how, links.linked_at FROM links WHERE "
    "links.workos_id = ?"
)

# sub
LINKS_TO = (
    "SELECT links.workos_id, links.sub, links.how, links.linked_at FROM links WHERE links.sub = ? "
    "ORDER BY links.linked_at, links.workos_id"
)

# workos_id
DELETE_LINK = "DELETE FROM links WHERE links.workos_id = ? RETURNING workos_id, sub, how, linked_at"

# sub
BAR_OF = "SELECT bars.sub, bars.reason, bars.barred_at FROM bars WHERE bars.sub = ?"

# event_id
EVENT = (
    "SELECT seen_events.event_id, seen_events.seen_at FROM seen_events WHERE seen_events.event_id "
    "= ?"
)

# sub
KEPT_SESSION = (
    "SELECT kept_sessions.sub, kept_sessions.sealed, kept_sessions.version, "
    "kept_sessions.kept_at, kept_sessions.held_until FROM kept_sessions WHERE kept_sessions.sub = "
    "?"
)

# sub
DELETE_KEPT_SESSION = (
    "DELETE FROM kept_sessions WHERE kept_sessions.sub = ? RETURNING sub, sealed, version, "
    "kept_at, held_until"
)

# sub, sealed, version, kept_at, held_until
INSERT_KEPT_SESSION = (
    "INSERT INTO kept_sessions (sub, sealed, version, kept_at, held_until) VALUES (?, ?, ?, ?, ?)"
)

# workos_id, sub, how, linked_at
INSERT_LINK = (
    "INSERT INTO links (workos_id, sub, how, linked_at) VALUES (?, ?, ?, ?) ON CONFLICT "
    "(workos_id) DO NOTHING"
)

# sub, reason, barred_at
INSERT_BAR = (
    "INSERT INTO bars (sub, reason, barred_at) VALUES (?, ?, ?) ON CONFLICT (sub) DO NOTHING"
)

# event_id, seen_at
INSERT_EVENT = (
    "INSERT INTO seen_events (event_id, seen_at) VALUES (?, ?) ON CONFLICT (event_id) DO NOTHING"
)

# key_digest, key_id, name, sub, scopes, created_at, expires_at, revoked_at, last_used_at
INSERT_API_KEY = (
    "INSERT INTO api_keys (key_digest, key_id, name, sub, scopes, created_at, expires_at, "
    "revoked_at, last_used_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

# key_digest
API_KEY = (
    "SELECT api_keys.key_digest, api_keys.key_id, api_keys.name, api_keys.sub, api_keys.scopes, "
    "api_keys.created_at, api_keys.expires_at, api_keys.revoked_at, api_keys.last_used_at FROM "
    "api_keys WHERE api_keys.key_digest = ?"
)

# nothing
API_KEYS = (
    "SELECT api_keys.key_digest, api_keys.key_id, api_keys.name, api_keys.sub, api_keys.scopes, "
    "api_keys.created_at, api_keys.expires_at, api_keys.revoked_at, api_keys.last_used_at FROM "
    "api_keys ORDER BY api_keys.created_at, api_keys.key_id"
)

# since_day
USAGE = (
    "SELECT usage_counts.day, usage_counts.kind, usage_counts.client, usage_counts.calls, "
    "usage_counts.would_refuse FROM usage_counts WHERE usage_counts.day >= ? ORDER BY "
    "usage_counts.day, usage_counts.kind, usage_counts.client"
)

# day, kind, client, calls, would_refuse
ADD_USAGE = (
    "INSERT INTO usage_counts (day, kind, client, calls, would_refuse) VALUES (?, ?, ?, ?, ?) ON "
    "CONFLICT (day, kind, client) DO UPDATE SET calls = (usage_counts.calls + excluded.calls), "
    "would_refuse = (usage_counts.would_refuse + excluded.would_refuse)"
)

# nothing
LAST_AUDIT_NUMBER = "SELECT max(audit_events.id) AS max_1 FROM audit_events"

# after, limit
CLIENTS = (
    "SELECT clients.client_id, clients.redirect_uris, clients.auth_method, clients.grant_types, "
    "clients.response_types, clients.scopes, clients.application_type, clients.name, "
    "clients.metadata, clients.issued_at, clients.secret_digest, clients.self_registered, "
    "clients.last_used_at FROM clients WHERE clients.client_id > :after ORDER BY "
    "clients.client_id LIMIT :limit OFFSET 0"
)

# sub, client_id, redirect_host, resource
CONSENT = (
    "SELECT consents.sub, consents.client_id, consents.redirect_host, consents.resource, "
    "consents.scopes, consents.granted_at FROM consents WHERE consents.sub = :sub AND "
    "consents.client_id = :client_id AND consents.redirect_host = :redirect_host AND "
    "consents.resource = :resource"
)

# sub, live_at
GRANTS_OF_SUB = (
    "SELECT grants.grant_id, grants.client_id, grants.sub, grants.directory, grants.display, "
    "grants.methods, grants.assurance, grants.scopes, grants.resource, grants.authenticated_at, "
    "grants.created_at, grants.last_used_at, grants.expires_at, grants.revoked_at, "
    "grants.revoked_reason, grants.vouched_at FROM grants WHERE grants.sub = :sub AND (:live_at "
    "IS NULL OR grants.revoked_at IS NULL AND grants.expires_at > :live_at) ORDER BY "
    "grants.created_at DESC, grants.grant_id LIMIT 1000 OFFSET 0"
)

# client_id, live_at
GRANTS_OF_CLIENT = (
    "SELECT grants.grant_id, grants.client_id, grants.sub, grants.directory, grants.display, "
    "grants.methods, grants.assurance, grants.scopes, grants.resource, grants.authenticated_at, "
    "grants.created_at, grants.last_used_at, grants.expires_at, grants.revoked_at, "
    "grants.revoked_reason, grants.vouched_at FROM grants WHERE grants.client_id = :client_id AND "
    "(:live_at IS NULL OR grants.revoked_at IS NULL AND grants.expires_at > :live_at) ORDER BY "
    "grants.created_at DESC, grants.grant_id LIMIT 1000 OFFSET 0"
)

# sub, client_id, live_at
GRANTS_OF_SUB_AND_CLIENT = (
    "SELECT grants.grant_id, grants.client_id, grants.sub, grants.directory, grants.display, "
    "grants.methods, grants.assurance, grants.scopes, grants.resource, grants.authenticated_at, "
    "grants.created_at, grants.last_used_at, grants.expires_at, grants.revoked_at, "
    "grants.revoked_reason, grants.vouched_at FROM grants WHERE grants.sub = :sub AND "
    "grants.client_id = :client_id AND (:live_at IS NULL OR grants.revoked_at IS NULL AND "
    "grants.expires_at > :live_at) ORDER BY grants.created_at DESC, grants.grant_id LIMIT 1000 "
    "OFFSET 0"
)

# session_digest, now
SESSION = (
    "SELECT sessions.session_digest, sessions.sub, sessions.directory, sessions.display, "
    "sessions.methods, sessions.assurance, sessions.created_at, sessions.expires_at FROM sessions "
    "WHERE sessions.session_digest = :session_digest AND sessions.expires_at > :now"
)

# now, request_digest
ANSWER_REQUEST = (
    "UPDATE authorization_requests SET answered_at=:now, factor_kind=NULL, factor_hint=NULL, "
    "factor_sealed=NULL, factor_expires_at=NULL, factor_failures=NULL WHERE "
    "authorization_requests.request_digest = :request_digest AND "
    "authorization_requests.answered_at IS NULL AND authorization_requests.expires_at > :now"
)

# request_digest, answered_at
REOPEN_LOGIN = (
    "UPDATE authorization_requests SET answered_at=NULL WHERE "
    "authorization_requests.request_digest = :request_digest AND authorization_requests.kind = "
    "'login' AND authorization_requests.answered_at = :answered_at"
)

# kind, hint, sealed, until, failures, request_digest, now
AWAIT_FACTOR = (
    "UPDATE authorization_requests SET factor_kind=:kind, factor_hint=:hint, "
    "factor_sealed=:sealed, factor_expires_at=:until, factor_failures=:failures WHERE "
    "authorization_requests.request_digest = :request_digest AND "
    "authorization_requests.answered_at IS NULL AND authorization_requests.expires_at > :now"
)

# failure_limit, request_digest
COUNT_FACTOR_FAILURE = (
    "UPDATE authorization_requests SET factor_sealed=CASE WHEN "
    "(authorization_requests.factor_failures + 1 >= :failure_limit) THEN NULL ELSE "
    "authorization_requests.factor_sealed END, "
    "factor_failures=(authorization_requests.factor_failures + 1) WHERE "
    "authorization_requests.request_digest = :request_digest AND "
    "authorization_requests.factor_sealed IS NOT NULL RETURNING factor_failures"
)

# request_digest, sealed
SETTLE_FACTOR = (
    "UPDATE authorization_requests SET factor_kind=NULL, factor_hint=NULL, factor_sealed=NULL, "
    "factor_expires_at=NULL, factor_failures=NULL WHERE authorization_requests.request_digest = "
    ":request_digest AND authorization_requests.factor_sealed = :sealed"
)

# code_digest, failure_limit
COUNT_CODE_FAILURE = (
    "UPDATE codes SET failures=(codes.failures + 1) WHERE codes.code_digest = :code_digest AND "
    "codes.failures < :failure_limit RETURNING failures"
)

# now, code_digest, failure_limit
REDEEM_CODE = (
    "UPDATE codes SET redeemed_at=:now WHERE codes.code_digest = :code_digest AND "
    "codes.redeemed_at IS NULL AND codes.expires_at > :now AND codes.failures < :failure_limit"
)

# now, successor_digest, token_digest
SUPERSEDE_REFRESH_TOKEN = (
    "UPDATE refresh_tokens SET superseded_at=:now, successor_digest=:successor_digest WHERE "
    "refresh_tokens.token_digest = :token_digest AND refresh_tokens.superseded_at IS NULL AND "
    "refresh_tokens.expires_at > :now AND (EXISTS (SELECT * FROM grants WHERE grants.grant_id = "
    "refresh_tokens.grant_id AND grants.revoked_at IS NULL))"
)

# new_hash, sub, old_hash
REHASH_ACCOUNT_PASSWORD = (
    "UPDATE accounts SET password_hash=:new_hash WHERE accounts.sub = :sub AND "
    "accounts.password_hash = :old_hash"
)

# now, reason, grant_id
END_GRANT = (
    "UPDATE grants SET revoked_at=:now, revoked_reason=:reason WHERE grants.grant_id = :grant_id "
    "AND grants.revoked_at IS NULL AND grants.expires_at > :now"
)

# now, reason, grant_id
END_REPLAYED_GRANT = (
    "UPDATE grants SET revoked_at=:now, revoked_reason=:reason WHERE grants.grant_id = :grant_id "
    "AND grants.revoked_at IS NULL"
)

# now, reason, sub
END_GRANTS_OF_SUB = (
    "UPDATE grants SET revoked_at=:now, revoked_reason=:reason WHERE grants.sub = :sub AND "
    "grants.revoked_at IS NULL AND grants.expires_at > :now"
)

# now, reason, client_id
END_GRANTS_OF_CLIENT = (
    "UPDATE grants SET revoked_at=:now, revoked_reason=:reason WHERE grants.client_id = "
    ":client_id AND grants.revoked_at IS NULL AND grants.expires_at > :now"
)

# now, expires_at, vouched_at, grant_id
TOUCH_GRANT = (
    "UPDATE grants SET last_used_at=:now, expires_at=:expires_at, "
    "vouched_at=coalesce(:vouched_at, grants.vouched_at) WHERE grants.grant_id = :grant_id"
)

# now, client_id, day_ago
STAMP_CLIENT = (
    "UPDATE clients SET last_used_at=:now WHERE clients.client_id = :client_id AND "
    "(clients.last_used_at IS NULL OR clients.last_used_at <= :day_ago)"
)

# now, grant_id, day_ago
STAMP_CLIENT_OF_GRANT = (
    "UPDATE clients SET last_used_at=:now WHERE clients.client_id = (SELECT grants.client_id FROM "
    "grants WHERE grants.grant_id = :grant_id) AND (clients.last_used_at IS NULL OR "
    "clients.last_used_at <= :day_ago)"
)

# now, sub
EXPIRE_CODES_OF_SUB = (
    "UPDATE codes SET expires_at=:now WHERE codes.redeemed_at IS NULL AND codes.expires_at > :now "
    "AND codes.sub = :sub"
)

# now, client_id
EXPIRE_CODES_OF_CLIENT = (
    "UPDATE codes SET expires_at=:now WHERE codes.redeemed_at IS NULL AND codes.expires_at > :now "
    "AND codes.client_id = :client_id"
)

# sub, begun_by
DELETE_SESSIONS_BEGUN_BY = (
    "DELETE FROM sessions WHERE sessions.sub = :sub AND sessions.created_at <= :begun_by"
)

# retires_at
RETIRE_SIGNING_KEYS = (
    "UPDATE signing_keys SET retires_at=:retires_at WHERE signing_keys.retires_at IS NULL OR "
    "signing_keys.retires_at > :retires_at"
)

# now
FORGET_SIGNING_KEYS = "DELETE FROM signing_keys WHERE signing_keys.retires_at <= :now"

# disabled_at, sub
DISABLE_ACCOUNT = "UPDATE accounts SET disabled_at=:disabled_at WHERE accounts.sub = :sub"

# password_hash, sub
SET_ACCOUNT_PASSWORD = "UPDATE accounts SET password_hash=:password_hash WHERE accounts.sub = :sub"

# now, transaction_digest, browser_digest
TAKE_TRANSACTION = (
    "UPDATE social_transactions SET used_at=:now WHERE social_transactions.transaction_digest = "
    ":transaction_digest AND social_transactions.browser_digest = :browser_digest AND "
    "social_transactions.used_at IS NULL AND social_transactions.expires_at > :now"
)

# sub, directory, display, methods, assurance, factor_kind, factor_hint, factor_sealed,
# factor_expires_at, transaction_digest
VOUCH_TRANSACTION = (
    "UPDATE social_transactions SET sub=:sub, directory=:directory, display=:display, "
    "methods=:methods, assurance=:assurance, factor_kind=:factor_kind, factor_hint=:factor_hint, "
    "factor_sealed=:factor_sealed, factor_expires_at=:factor_expires_at WHERE "
    "social_transactions.transaction_digest = :transaction_digest AND social_transactions.used_at "
    "IS NOT NULL AND social_transactions.handed_over_at IS NULL AND NOT (social_transactions.sub "
    "IS NOT NULL OR social_transactions.factor_sealed IS NOT NULL)"
)

# now, code_digest, code_expires_at, transaction_digest, browser_digest
ISSUE_HAND_OVER = (
    "UPDATE social_transactions SET handed_over_at=:now, code_digest=:code_digest, "
    "code_expires_at=:code_expires_at WHERE social_transactions.transaction_digest = "
    ":transaction_digest AND social_transactions.browser_digest = :browser_digest AND "
    "(social_transactions.sub IS NOT NULL OR social_transactions.factor_sealed IS NOT NULL) AND "
    "social_transactions.handed_over_at IS NULL AND social_transactions.expires_at > :now AND "
    "(EXISTS (SELECT * FROM authorization_requests WHERE authorization_requests.request_digest = "
    "social_transactions.request_digest AND authorization_requests.answered_at IS NULL AND "
    "authorization_requests.expires_at > :now))"
)

# code_digest, request_digest, provider, now
TAKE_HAND_OVER = (
    "DELETE FROM social_transactions WHERE social_transactions.code_digest = :code_digest AND "
    "social_transactions.request_digest = :request_digest AND social_transactions.provider = "
    ":provider AND social_transactions.code_expires_at > :now RETURNING used_at, sub, directory, "
    "display, methods, assurance, factor_kind, factor_hint, factor_sealed, factor_expires_at"
)

# sub, asked_at
LIFT_BAR = "DELETE FROM bars WHERE bars.sub = :sub AND bars.barred_at < :asked_at"

# until, sub, version, now
HOLD_KEPT_SESSION = (
    "UPDATE kept_sessions SET held_until=:until WHERE kept_sessions.sub = :sub AND "
    "kept_sessions.version = :version AND kept_sessions.held_until <= :now"
)

# sealed, now, sub, version
REPLACE_KEPT_SESSION = (
    "UPDATE kept_sessions SET sealed=:sealed, version=(kept_sessions.version + 1), kept_at=:now, "
    "held_until=0 WHERE kept_sessions.sub = :sub AND kept_sessions.version = :version"
)

# sub, version
DROP_KEPT_SESSION = (
    "DELETE FROM kept_sessions WHERE kept_sessions.sub = :sub AND kept_sessions.version = :version"
)

# now, key_id
REVOKE_API_KEY = (
    "UPDATE api_keys SET revoked_at=:now WHERE api_keys.key_id = :key_id AND api_keys.revoked_at "
    "IS NULL"
)

# used_at, key_digest
TOUCH_API_KEY = (
    "UPDATE api_keys SET last_used_at=:used_at WHERE api_keys.key_digest = :key_digest AND "
    "(api_keys.last_used_at IS NULL OR api_keys.last_used_at < :used_at)"
)

# until, batch
SWEEP_REQUESTS = (
    "DELETE FROM authorization_requests WHERE authorization_requests.request_digest IN (SELECT "
    "authorization_requests.request_digest FROM authorization_requests WHERE "
    "authorization_requests.expires_at <= :until LIMIT :batch OFFSET 0)"
)

# now, batch
SWEEP_FACTORS = (
    "UPDATE authorization_requests SET factor_kind=NULL, factor_hint=NULL, factor_sealed=NULL, "
    "factor_expires_at=NULL, factor_failures=NULL WHERE authorization_requests.request_digest IN "
    "(SELECT authorization_requests.request_digest FROM authorization_requests WHERE "
    "authorization_requests.factor_expires_at <= :now LIMIT :batch OFFSET 0)"
)

# until, batch
SWEEP_TRANSACTIONS = (
    "DELETE FROM social_transactions WHERE social_transactions.transaction_digest IN (SELECT "
    "social_transactions.transaction_digest FROM social_transactions WHERE "
    "social_transactions.expires_at <= :until LIMIT :batch OFFSET 0)"
)

# until, batch
SWEEP_SESSIONS = (
    "DELETE FROM sessions WHERE sessions.session_digest IN (SELECT sessions.session_digest FROM "
    "sessions WHERE sessions.expires_at <= :until LIMIT :batch OFFSET 0)"
)

# until, now, batch
SWEEP_KEPT_SESSIONS = (
    "DELETE FROM kept_sessions WHERE kept_sessions.sub IN (SELECT kept_sessions.sub FROM "
    "kept_sessions WHERE kept_sessions.kept_at <= :until AND NOT (EXISTS (SELECT * FROM grants "
    "WHERE grants.sub = kept_sessions.sub AND grants.revoked_at IS NULL AND grants.expires_at > "
    ":now)) LIMIT :batch OFFSET 0)"
)

# until, batch
SWEEP_EVENTS = (
    "DELETE FROM seen_events WHERE seen_events.event_id IN (SELECT seen_events.event_id FROM "
    "seen_events WHERE seen_events.seen_at <= :until LIMIT :batch OFFSET 0)"
)

# until, batch
SWEEP_USAGE = (
    "DELETE FROM usage_counts WHERE (usage_counts.day, usage_counts.kind, usage_counts.client) IN "
    "(SELECT usage_counts.day, usage_counts.kind, usage_counts.client FROM usage_counts WHERE "
    "usage_counts.day <= :until LIMIT :batch OFFSET 0)"
)

# batch, until
SWEEP_AUDIT = (
    "DELETE FROM audit_events WHERE audit_events.id IN (SELECT audit_events.id FROM audit_events "
    "ORDER BY audit_events.id LIMIT :batch OFFSET 0) AND audit_events.at <= :until"
)

# until, batch
SWEEP_UNSPENT_CODES = (
    "DELETE FROM codes WHERE codes.code_digest IN (SELECT codes.code_digest FROM codes WHERE "
    "codes.redeemed_at IS NULL AND codes.expires_at <= :until LIMIT :batch OFFSET 0)"
)

# until, batch
SWEEP_REDEEMED_CODES = (
    "DELETE FROM codes WHERE codes.code_digest IN (SELECT codes.code_digest FROM codes WHERE "
    "codes.redeemed_at <= :until AND codes.expires_at <= :until LIMIT :batch OFFSET 0)"
)

# before, batch
SWEEP_REFRESH_TOKENS = (
    "DELETE FROM refresh_tokens WHERE refresh_tokens.token_digest IN (SELECT "
    "refresh_tokens.token_digest FROM grants JOIN refresh_tokens ON refresh_tokens.grant_id = "
    "grants.grant_id WHERE grants.revoked_at IS NULL AND grants.expires_at < :before OR "
    "grants.revoked_at < :before LIMIT :batch OFFSET 0)"
)

# before, batch
SWEEP_GRANTS = (
    "DELETE FROM grants WHERE grants.grant_id IN (SELECT grants.grant_id FROM grants WHERE "
    "(grants.revoked_at IS NULL AND grants.expires_at < :before OR grants.revoked_at < :before) "
    "AND NOT (EXISTS (SELECT * FROM refresh_tokens WHERE refresh_tokens.grant_id = "
    "grants.grant_id)) LIMIT :batch OFFSET 0)"
)

# until, now, batch
SWEEP_USED_CLIENTS = (
    "DELETE FROM clients WHERE clients.client_id IN (SELECT clients.client_id FROM clients WHERE "
    "clients.last_used_at <= :until AND clients.self_registered = 1 AND NOT (EXISTS (SELECT * "
    "FROM grants WHERE grants.client_id = clients.client_id AND grants.revoked_at IS NULL AND "
    "grants.expires_at > :now)) AND (clients.client_id NOT IN (SELECT "
    "authorization_requests.client_id FROM authorization_requests WHERE "
    "authorization_requests.expires_at > :now AND authorization_requests.answered_at IS NULL)) "
    "AND (clients.client_id NOT IN (SELECT codes.client_id FROM codes WHERE codes.redeemed_at IS "
    "NULL AND codes.expires_at > :now)) LIMIT :batch OFFSET 0) RETURNING client_id"
)

# until, now, batch
SWEEP_UNUSED_CLIENTS = (
    "DELETE FROM clients WHERE clients.client_id IN (SELECT clients.client_id FROM clients WHERE "
    "clients.last_used_at IS NULL AND clients.issued_at <= :until AND clients.self_registered = 1 "
    "AND NOT (EXISTS (SELECT * FROM grants WHERE grants.client_id = clients.client_id AND "
    "grants.revoked_at IS NULL AND grants.expires_at > :now)) AND (clients.client_id NOT IN "
    "(SELECT authorization_requests.client_id FROM authorization_requests WHERE "
    "authorization_requests.expires_at > :now AND authorization_requests.answered_at IS NULL)) "
    "AND (clients.client_id NOT IN (SELECT codes.client_id FROM codes WHERE codes.redeemed_at IS "
    "NULL AND codes.expires_at > :now)) LIMIT :batch OFFSET 0) RETURNING client_id"
)

# retires_at, kid
SUPERSEDE_SIGNING_KEY = (
    "UPDATE signing_keys SET retires_at=:retires_at WHERE signing_keys.kid = :kid AND "
    "signing_keys.retires_at IS NULL"
)

# now, kid
REVOKE_SIGNING_KEY = (
    "UPDATE signing_keys SET retires_at=:now WHERE signing_keys.kid = :kid AND "
    "(signing_keys.retires_at IS NULL OR signing_keys.retires_at > :now)"
)

# number, since, until, limit
AUDIT_AFTER = (
    "SELECT audit_events.at, audit_events.event, audit_events.outcome, audit_events.actor, "
    "audit_events.client_id, audit_events.address, audit_events.detail, audit_events.id FROM "
    "audit_events WHERE audit_events.id > :number AND audit_events.at >= :since AND "
    "audit_events.at < :until ORDER BY audit_events.id LIMIT :limit OFFSET 0"
)

# what makes an empty file a store; an empty line between two statements
SCHEMA = """
CREATE TABLE alembic_version ( version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc
PRIMARY KEY (version_num) )

CREATE TABLE accounts ( sub TEXT NOT NULL, email TEXT NOT NULL, email_key TEXT NOT NULL,
password_hash TEXT NOT NULL, created_at INTEGER NOT NULL, disabled_at INTEGER, PRIMARY KEY (sub) )
STRICT

CREATE UNIQUE INDEX accounts_by_email ON accounts (email_key)

CREATE TABLE api_keys ( key_digest TEXT NOT NULL, key_id TEXT NOT NULL, name TEXT NOT NULL, sub
TEXT, scopes TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER,
last_used_at INTEGER, PRIMARY KEY (key_digest) ) STRICT

CREATE UNIQUE INDEX api_keys_by_id ON api_keys (key_id)

CREATE TABLE audit_events ( id INTEGER NOT NULL, at INTEGER NOT NULL, event TEXT NOT NULL, outcome
TEXT NOT NULL, actor TEXT, client_id TEXT, address TEXT, detail TEXT NOT NULL, PRIMARY KEY (id) )
STRICT

CREATE TABLE authorization_requests ( request_digest TEXT NOT NULL, kind TEXT NOT NULL, client_id
TEXT NOT NULL, redirect_uri TEXT NOT NULL, state TEXT, code_challenge TEXT NOT NULL, scopes TEXT NOT
NULL, resource TEXT NOT NULL, prompt TEXT NOT NULL, cross_site INTEGER NOT NULL, browser_digest
TEXT, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, answered_at INTEGER, factor_kind
TEXT, factor_hint TEXT, factor_sealed TEXT, factor_expires_at INTEGER, factor_failures INTEGER,
external TEXT, PRIMARY KEY (request_digest) ) STRICT

CREATE INDEX authorization_requests_by_end ON authorization_requests (expires_at)

CREATE INDEX authorization_requests_by_factor_end ON authorization_requests (factor_expires_at)
WHERE factor_expires_at IS NOT NULL

CREATE TABLE bars ( sub TEXT NOT NULL, reason TEXT NOT NULL, barred_at INTEGER NOT NULL, PRIMARY KEY
(sub) ) STRICT

CREATE TABLE clients ( client_id TEXT NOT NULL, redirect_uris TEXT NOT NULL, auth_method TEXT NOT
NULL, grant_types TEXT NOT NULL, response_types TEXT NOT NULL, scopes TEXT NOT NULL,
application_type TEXT NOT NULL, name TEXT, metadata TEXT NOT NULL, issued_at INTEGER NOT NULL,
secret_digest TEXT, self_registered INTEGER NOT NULL, last_used_at INTEGER, PRIMARY KEY (client_id)
) STRICT

CREATE INDEX clients_by_use ON clients (last_used_at, issued_at)

CREATE TABLE codes ( code_digest TEXT NOT NULL, grant_id TEXT NOT NULL, client_id TEXT NOT NULL,
redirect_uri TEXT NOT NULL, code_challenge TEXT NOT NULL, scopes TEXT NOT NULL, resource TEXT NOT
NULL, sub TEXT NOT NULL, directory TEXT NOT NULL, display TEXT NOT NULL, methods TEXT NOT NULL,
assurance INTEGER NOT NULL, authenticated_at INTEGER NOT NULL, issued_at INTEGER NOT NULL,
expires_at INTEGER NOT NULL, failures INTEGER NOT NULL, redeemed_at INTEGER, PRIMARY KEY
(code_digest) ) STRICT

CREATE INDEX codes_by_end ON codes (redeemed_at, expires_at)

CREATE TABLE consents ( sub TEXT NOT NULL, client_id TEXT NOT NULL, redirect_host TEXT NOT NULL,
resource TEXT NOT NULL, scopes TEXT NOT NULL, granted_at INTEGER NOT NULL, PRIMARY KEY (sub,
client_id, redirect_host, resource) ) WITHOUT ROWID, STRICT

CREATE INDEX consents_by_client ON consents (client_id)

CREATE TABLE grants ( grant_id TEXT NOT NULL, client_id TEXT NOT NULL, sub TEXT NOT NULL, directory
TEXT NOT NULL, display TEXT NOT NULL, methods TEXT NOT NULL, assurance INTEGER NOT NULL, scopes TEXT
NOT NULL, resource TEXT NOT NULL, authenticated_at INTEGER NOT NULL, created_at INTEGER NOT NULL,
last_used_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, revoked_at INTEGER, revoked_reason TEXT,
vouched_at INTEGER, PRIMARY KEY (grant_id) ) STRICT

CREATE INDEX grants_by_client ON grants (client_id, created_at)

CREATE INDEX grants_by_end ON grants (revoked_at, expires_at)

CREATE INDEX grants_by_sub ON grants (sub, created_at)

CREATE TABLE kept_sessions ( sub TEXT NOT NULL, sealed TEXT NOT NULL, version INTEGER NOT NULL,
kept_at INTEGER NOT NULL, held_until INTEGER NOT NULL, PRIMARY KEY (sub) ) STRICT

CREATE INDEX kept_sessions_by_time ON kept_sessions (kept_at)

CREATE TABLE links ( workos_id TEXT NOT NULL, sub TEXT NOT NULL, how TEXT NOT NULL, linked_at
INTEGER NOT NULL, PRIMARY KEY (workos_id) ) STRICT

CREATE INDEX links_by_sub ON links (sub, linked_at)

CREATE TABLE refresh_tokens ( token_digest TEXT NOT NULL, grant_id TEXT NOT NULL, issued_at INTEGER
NOT NULL, expires_at INTEGER NOT NULL, superseded_at INTEGER, successor_digest TEXT, PRIMARY KEY
(token_digest) ) STRICT

CREATE INDEX refresh_tokens_by_grant ON refresh_tokens (grant_id)

CREATE TABLE seen_events ( event_id TEXT NOT NULL, seen_at INTEGER NOT NULL, PRIMARY KEY (event_id)
) STRICT

CREATE INDEX seen_events_by_time ON seen_events (seen_at)

CREATE TABLE sessions ( session_digest TEXT NOT NULL, sub TEXT NOT NULL, directory TEXT NOT NULL,
display TEXT NOT NULL, methods TEXT NOT NULL, assurance INTEGER NOT NULL, created_at INTEGER NOT
NULL, expires_at INTEGER NOT NULL, PRIMARY KEY (session_digest) ) STRICT

CREATE INDEX sessions_by_end ON sessions (expires_at)

CREATE INDEX sessions_by_sub ON sessions (sub)

CREATE TABLE signing_keys ( kid TEXT NOT NULL, algorithm TEXT NOT NULL, public_jwk TEXT NOT NULL,
sealed_private TEXT NOT NULL, created_at INTEGER NOT NULL, signs_from INTEGER NOT NULL, retires_at
INTEGER, PRIMARY KEY (kid) ) STRICT

CREATE TABLE social_transactions ( transaction_digest TEXT NOT NULL, provider TEXT NOT NULL,
request_digest TEXT NOT NULL, kind TEXT NOT NULL, browser_digest TEXT NOT NULL, sealed TEXT NOT
NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, used_at INTEGER, sub TEXT, directory
TEXT, display TEXT, methods TEXT, assurance INTEGER, factor_kind TEXT, factor_hint TEXT,
factor_sealed TEXT, factor_expires_at INTEGER, handed_over_at INTEGER, code_digest TEXT,
code_expires_at INTEGER, PRIMARY KEY (transaction_digest) ) STRICT

CREATE INDEX social_transactions_by_code ON social_transactions (code_digest) WHERE code_digest IS
NOT NULL

CREATE INDEX social_transactions_by_end ON social_transactions (expires_at)

CREATE INDEX social_transactions_by_sub ON social_transactions (sub) WHERE sub IS NOT NULL

CREATE TABLE usage_counts ( day INTEGER NOT NULL, kind TEXT NOT NULL, client TEXT NOT NULL, calls
INTEGER NOT NULL, would_refuse INTEGER NOT NULL, PRIMARY KEY (day, kind, client) ) WITHOUT ROWID,
STRICT
"""
