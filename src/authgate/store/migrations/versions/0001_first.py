"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("sub", sa.Text(), nullable=False, comment="identifier of the person (ag_…)"),
        sa.Column("email", sa.Text(), nullable=False, comment="address as the operator wrote it"),
        sa.Column(
            "email_key",
            sa.Text(),
            nullable=False,
            comment="the address case-folded: what a sign-in is compared with",
        ),
        sa.Column("password_hash", sa.Text(), nullable=False, comment="argon2id hash"),
        sa.Column(
            "created_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="when the account was made",
        ),
        sa.Column(
            "disabled_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="since when it may not sign in",
        ),
        sa.PrimaryKeyConstraint("sub"),
        comment="people of the embedded directory",
        sqlite_strict=True,
    )
    op.create_index("accounts_by_email", "accounts", ["email_key"], unique=True)
    op.create_table(
        "audit_events",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="order of writing",
        ),
        sa.Column(
            "at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="when it happened",
        ),
        sa.Column("event", sa.Text(), nullable=False, comment="what happened"),
        sa.Column("outcome", sa.Text(), nullable=False, comment="how it ended"),
        sa.Column(
            "actor",
            sa.Text(),
            nullable=True,
            comment="the person's sub, operator, or empty for a stranger",
        ),
        sa.Column("client_id", sa.Text(), nullable=True, comment="the client concerned"),
        sa.Column("address", sa.Text(), nullable=True, comment="network address of the asker"),
        sa.Column(
            "detail",
            sa.Text(),
            nullable=False,
            comment="more facts, never a secret nor a digest of one (JSON object)",
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="the audit trail, written in the transaction of the step it tells about",
        sqlite_strict=True,
    )
    op.create_table(
        "authorization_requests",
        sa.Column(
            "request_digest",
            sa.Text(),
            nullable=False,
            comment="SHA-256 of the handle in page URLs or of the challenge",
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="browser or tool: which face asked"),
        sa.Column("client_id", sa.Text(), nullable=False, comment="the client that asked"),
        sa.Column(
            "redirect_uri",
            sa.Text(),
            nullable=False,
            comment="where the answer goes, exactly as asked",
        ),
        sa.Column(
            "state", sa.Text(), nullable=True, comment="the client's state, echoed byte for byte"
        ),
        sa.Column("code_challenge", sa.Text(), nullable=False, comment="PKCE challenge (S256)"),
        sa.Column(
            "scopes",
            sa.Text(),
            nullable=False,
            comment="scopes asked for, after narrowing, space-separated",
        ),
        sa.Column(
            "resource", sa.Text(), nullable=False, comment="the resource the tokens are to be for"
        ),
        sa.Column("prompt", sa.Text(), nullable=False, comment="prompt values, space-separated"),
        sa.Column(
            "cross_site",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="1: another site sent the browser here",
        ),
        sa.Column(
            "browser_digest",
            sa.Text(),
            nullable=True,
            comment="SHA-256 of the browser's cookie; empty for a tool",
        ),
        sa.Column(
            "created_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="when it was asked",
        ),
        sa.Column(
            "expires_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="when it stops being answerable",
        ),
        sa.Column(
            "answered_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="when it was approved or denied; set once",
        ),
        sa.PrimaryKeyConstraint("request_digest"),
        comment="authorization requests waiting for a person",
        sqlite_strict=True,
    )
    op.create_index(
        "authorization_requests_by_end", "authorization_requests", ["expires_at"], unique=False
    )
    op.create_table(
        "clients",
        sa.Column(
            "client_id", sa.Text(), nullable=False, comment="public identifier of the client"
        ),
        sa.Column(
            "redirect_uris",
            sa.Text(),
            nullable=False,
            comment="registered redirect URIs, exactly as sent (JSON list)",
        ),
        sa.Column(
            "auth_method",
            sa.Text(),
            nullable=False,
            comment="how the client proves itself at the token endpoint",
        ),
        sa.Column(
            "grant_types",
            sa.Text(),
            nullable=False,
            comment="registered grant types, space-separated",
        ),
        sa.Column(
            "response_types",
            sa.Text(),
            nullable=False,
            comment="registered response types, a JSON list: one may hold a space",
        ),
        sa.Column(
            "scopes",
            sa.Text(),
            nullable=False,
            comment="scopes the client may ask for, space-separated",
        ),
        sa.Column("application_type", sa.Text(), nullable=False, comment="web or native"),
        sa.Column(
            "name", sa.Text(), nullable=True, comment="display name as registered, unverified"
        ),
        sa.Column(
            "metadata",
            sa.Text(),
            nullable=False,
            comment="remaining registered members, echoed as they came (JSON object)",
        ),
        sa.Column(
            "issued_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="when the client was registered",
        ),
        sa.Column(
            "secret_digest",
            sa.Text(),
            nullable=True,
            comment="SHA-256 of the client secret; empty for a public client",
        ),
        sa.Column(
            "self_registered",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="1: came through open registration, 0: an operator vouches for it",
        ),
        sa.Column(
            "last_used_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="last code or refresh exchange, to the day",
        ),
        sa.PrimaryKeyConstraint("client_id"),
        comment="registered clients (RFC 7591)",
        sqlite_strict=True,
    )
    op.create_index("clients_by_use", "clients", ["last_used_at", "issued_at"], unique=False)
    op.create_table(
        "codes",
        sa.Column(
            "code_digest", sa.Text(), nullable=False, comment="SHA-256 of the authorization code"
        ),
        sa.Column(
            "grant_id", sa.Text(), nullable=False, comment="the grant that its redemption begins"
        ),
        sa.Column("client_id", sa.Text(), nullable=False, comment="the client it was issued to"),
        sa.Column("redirect_uri", sa.Text(), nullable=False, comment="where it was sent"),
        sa.Column("code_challenge", sa.Text(), nullable=False, comment="PKCE challenge (S256)"),
        sa.Column(
            "scopes", sa.Text(), nullable=False, comment="scopes it stands for, space-separated"
        ),
        sa.Column("resource", sa.Text(), nullable=False, comment="the resource it stands for"),
        sa.Column(
            "sub",
            sa.Text(),
            nullable=False,
            comment="the person: the home directory's own identifier, never an e-mail address",
        ),
        sa.Column(
            "directory",
            sa.Text(),
            nullable=False,
            comment="the directory that vouched for the person",
        ),
        sa.Column(
            "display",
            sa.Text(),
            nullable=False,
            comment="what a page may show for the person; recognises nobody",
        ),
        sa.Column(
            "methods",
            sa.Text(),
            nullable=False,
            comment="how the person proved who they are, space-separated",
        ),
        sa.Column(
            "assurance",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="how many independent factors that was",
        ),
        sa.Column(
            "authenticated_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="when the person signed in",
        ),
        sa.Column(
            "issued_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="when it was issued",
        ),
        sa.Column(
            "expires_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="when it stops being redeemable",
        ),
        sa.Column(
            "failures",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="wrong verifiers so far",
        ),
        sa.Column(
            "redeemed_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="when it was redeemed; set once, by the one that won",
        ),
        sa.PrimaryKeyConstraint("code_digest"),
        comment="authorization codes, the redeemed ones kept to tell a replay from a stranger",
        sqlite_strict=True,
    )
    op.create_index("codes_by_end", "codes", ["redeemed_at", "expires_at"], unique=False)
    op.create_table(
        "consents",
        sa.Column("sub", sa.Text(), nullable=False, comment="the person who allowed it"),
        sa.Column("client_id", sa.Text(), nullable=False, comment="the client that was allowed"),
        sa.Column("redirect_host", sa.Text(), nullable=False, comment="the host the answers go to"),
        sa.Column("resource", sa.Text(), nullable=False, comment="the resource it was allowed for"),
        sa.Column("scopes", sa.Text(), nullable=False, comment="scopes allowed, space-separated"),
        sa.Column(
            "granted_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="when it was last allowed",
        ),
        sa.PrimaryKeyConstraint("sub", "client_id", "redirect_host", "resource"),
        comment="what a person has allowed a client before",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("consents_by_client", "consents", ["client_id"], unique=False)
    op.create_table(
        "grants",
        sa.Column(
            "grant_id", sa.Text(), nullable=False, comment="identifier, named by every access token"
        ),
        sa.Column("client_id", sa.Text(), nullable=False, comment="the client that was allowed"),
        sa.Column(
            "sub",
            sa.Text(),
            nullable=False,
            comment="the person: the home directory's own identifier, never an e-mail address",
        ),
        sa.Column(
            "directory",
            sa.Text(),
            nullable=False,
            comment="the directory that vouched for the person",
        ),
        sa.Column(
            "display",
            sa.Text(),
            nullable=False,
            comment="what a page may show for the person; recognises nobody",
        ),
        sa.Column(
            "methods",
            sa.Text(),
            nullable=False,
            comment="how the person proved who they are, space-separated",
        ),
        sa.Column(
            "assurance",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="how many independent factors that was",
        ),
        sa.Column("scopes", sa.Text(), nullable=False, comment="scopes allowed, space-separated"),
        sa.Column(
            "resource", sa.Text(), nullable=False, comment="the one resource the tokens are for"
        ),
        sa.Column(
            "authenticated_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="when the person signed in",
        ),
        sa.Column(
            "created_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="when the code was redeemed",
        ),
        sa.Column(
            "last_used_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="last refresh, or the redemption",
        ),
        sa.Column(
            "expires_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="latest moment at which any token of the grant can be alive",
        ),
        sa.Column(
            "revoked_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="when it was ended before its time",
        ),
        sa.Column("revoked_reason", sa.Text(), nullable=True, comment="why it was ended"),
        sa.PrimaryKeyConstraint("grant_id"),
        comment="what a person allowed a client, from the redemption of a code until it ends",
        sqlite_strict=True,
    )
    op.create_index("grants_by_client", "grants", ["client_id", "created_at"], unique=False)
    op.create_index("grants_by_end", "grants", ["revoked_at", "expires_at"], unique=False)
    op.create_index("grants_by_sub", "grants", ["sub", "created_at"], unique=False)
    op.create_table(
        "refresh_tokens",
        sa.Column(
            "token_digest", sa.Text(), nullable=False, comment="SHA-256 of the refresh token"
        ),
        sa.Column("grant_id", sa.Text(), nullable=False, comment="the grant it belongs to"),
        sa.Column(
            "issued_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="when it was issued",
        ),
        sa.Column(
            "expires_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="when it stops being usable",
        ),
        sa.Column(
            "superseded_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="when its successor was issued; set once",
        ),
        sa.Column(
            "successor_digest", sa.Text(), nullable=True, comment="SHA-256 of its one successor"
        ),
        sa.PrimaryKeyConstraint("token_digest"),
        comment="every generation of refresh tokens, superseded ones kept to recognise a replay",
        sqlite_strict=True,
    )
    op.create_index("refresh_tokens_by_grant", "refresh_tokens", ["grant_id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column(
            "session_digest", sa.Text(), nullable=False, comment="SHA-256 of the session cookie"
        ),
        sa.Column(
            "sub",
            sa.Text(),
            nullable=False,
            comment="the person: the home directory's own identifier, never an e-mail address",
        ),
        sa.Column(
            "directory",
            sa.Text(),
            nullable=False,
            comment="the directory that vouched for the person",
        ),
        sa.Column(
            "display",
            sa.Text(),
            nullable=False,
            comment="what a page may show for the person; recognises nobody",
        ),
        sa.Column(
            "methods",
            sa.Text(),
            nullable=False,
            comment="how the person proved who they are, space-separated",
        ),
        sa.Column(
            "assurance",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="how many independent factors that was",
        ),
        sa.Column(
            "created_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="when the person signed in",
        ),
        sa.Column(
            "expires_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="when the session ends",
        ),
        sa.PrimaryKeyConstraint("session_digest"),
        comment="browser sessions after a sign-in",
        sqlite_strict=True,
    )
    op.create_index("sessions_by_end", "sessions", ["expires_at"], unique=False)
    op.create_index("sessions_by_sub", "sessions", ["sub"], unique=False)
    op.create_table(
        "signing_keys",
        sa.Column(
            "kid", sa.Text(), nullable=False, comment="key identifier in token headers and the JWKS"
        ),
        sa.Column("algorithm", sa.Text(), nullable=False, comment="JWS algorithm"),
        sa.Column("public_jwk", sa.Text(), nullable=False, comment="the public half (JSON object)"),
        sa.Column(
            "sealed_private",
            sa.Text(),
            nullable=False,
            comment="the private half, encrypted by the vault",
        ),
        sa.Column(
            "created_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="published from here on",
        ),
        sa.Column(
            "signs_from",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="signs from here on",
        ),
        sa.Column(
            "retires_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="leaves the JWKS here; empty while nothing supersedes it",
        ),
        sa.PrimaryKeyConstraint("kid"),
        comment="signing keys; a handful of rows, so no index",
        sqlite_strict=True,
    )
