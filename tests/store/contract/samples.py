"""Records as tests need them: each builder names what matters and fills in the rest."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from authgate.protocol.records import (
    Account,
    ApiKey,
    Approval,
    AuditEvent,
    AuthorizationRequest,
    Client,
    Code,
    Consent,
    Grant,
    Link,
    PendingFactor,
    Person,
    Redemption,
    RefreshToken,
    Session,
    SigningKey,
    SocialTransaction,
)
from authgate.store.contract import Store

NOW = 1_800_000_000
HOUR = 3_600
DAY = 24 * HOUR
LIMIT = 5
GRACE = 60
RESOURCE = "https://mcp.example/mcp"
ALICE = Person("ag_alice", "embedded", "alice@example.com", ("pwd", "otp"), 2)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def person(sub: str) -> Person:
    return replace(ALICE, sub=sub)


def audit(event: str = "test.event", outcome: str = "ok", **but: Any) -> AuditEvent:
    return AuditEvent(at=NOW, event=event, outcome=outcome, **but)


def client(client_id: str = "client-1", **but: Any) -> Client:
    plain = Client(
        client_id=client_id,
        redirect_uris=("http://127.0.0.1/callback", "https://app.example/cb?a=b c"),
        auth_method="none",
        grant_types=("authorization_code", "refresh_token"),
        response_types=("code", "code id_token"),
        scopes=("mcp:use", "mcp:admin"),
        application_type="native",
        name="Émile’s client",
        metadata={"client_uri": "https://app.example", "contacts": ["a@b"], "n": 1},
        issued_at=NOW,
    )
    return replace(plain, **but)


def request(name: str = "request-1", **but: Any) -> AuthorizationRequest:
    plain = AuthorizationRequest(
        request_digest=digest(name),
        kind="browser",
        client_id="client-1",
        redirect_uri="http://127.0.0.1:4711/callback",
        state="a state, with \x00 and ü",
        code_challenge="c" * 43,
        scopes=("mcp:use",),
        resource=RESOURCE,
        prompt=("login", "consent"),
        cross_site=True,
        browser_digest=digest("browser"),
        created_at=NOW,
        expires_at=NOW + 600,
    )
    return replace(plain, **but)


def factor(name: str = "1", **but: Any) -> PendingFactor:
    return replace(PendingFactor("phone", "42", f"sealed-{name}", NOW + 300), **but)


def transaction(name: str = "tx-1", **but: Any) -> SocialTransaction:
    plain = SocialTransaction(
        transaction_digest=digest(name),
        provider="github",
        request_digest=request().request_digest,
        kind="tool",
        browser_digest=digest("browser"),
        sealed="sealed-tx",
        created_at=NOW,
        expires_at=NOW + 600,
    )
    return replace(plain, **but)


def consent(**but: Any) -> Consent:
    plain = Consent("ag_alice", "client-1", "127.0.0.1", RESOURCE, ("mcp:use",), NOW)
    return replace(plain, **but)


def code(name: str = "1", **but: Any) -> Code:
    plain = Code(
        code_digest=digest(f"code-{name}"),
        grant_id=f"grant-{name}",
        client_id="client-1",
        redirect_uri="http://127.0.0.1:4711/callback",
        code_challenge="c" * 43,
        scopes=("mcp:use", "mcp:admin"),
        resource=RESOURCE,
        person=ALICE,
        authenticated_at=NOW - 5,
        issued_at=NOW,
        expires_at=NOW + 60,
    )
    return replace(plain, **but)


def grant(name: str = "1", **but: Any) -> Grant:
    plain = Grant(
        grant_id=f"grant-{name}",
        client_id="client-1",
        person=ALICE,
        scopes=("mcp:use", "mcp:admin"),
        resource=RESOURCE,
        authenticated_at=NOW - 5,
        created_at=NOW,
        last_used_at=NOW,
        expires_at=NOW + 30 * DAY,
    )
    return replace(plain, **but)


def token(name: str = "1", generation: int = 0, **but: Any) -> RefreshToken:
    plain = RefreshToken(
        token_digest=digest(f"refresh-{name}-{generation}"),
        grant_id=f"grant-{name}",
        issued_at=NOW,
        expires_at=NOW + 30 * DAY,
    )
    return replace(plain, **but)


def session(name: str = "session-1", **but: Any) -> Session:
    return replace(Session(digest(name), ALICE, NOW, NOW + 8 * HOUR), **but)


def link(workos_id: str = "user_1", **but: Any) -> Link:
    return replace(Link(workos_id, ALICE.sub, "completed", NOW), **but)


def login(name: str = "login-1", **but: Any) -> AuthorizationRequest:
    """A request that another authorization server asked of us."""
    of_nobody = {"client_id": "", "redirect_uri": "", "code_challenge": "", "resource": ""}
    asked = {"kind": "login", "state": None, "scopes": (), "prompt": (), "external": "sealed-name"}
    return request(name, **{**of_nobody, **asked, **but})


def api_key(name: str = "reports", **but: Any) -> ApiKey:
    plain = ApiKey(
        key_digest=digest(f"api-key-{name}"),
        key_id=f"key_{name}",
        name=name,
        sub="report-job",
        scopes=("mcp:use", "mcp:admin"),
        created_at=NOW,
    )
    return replace(plain, **but)


def signing_key(kid: str = "key-1", **but: Any) -> SigningKey:
    plain = SigningKey(kid, "ES256", {"kty": "EC", "x": "…"}, "sealed", NOW, NOW + 60)
    return replace(plain, **but)


def account(sub: str = "ag_alice", email: str = "Alice@Example.com", **but: Any) -> Account:
    return replace(Account(sub, email, email.casefold(), "$argon2id$…", NOW), **but)


async def issue(store: Store, name: str = "1", **but: Any) -> Code:
    """A code, as a person's approval leaves it."""
    issued = code(name, **but)
    asked = request(f"issue-{name}", client_id=issued.client_id, expires_at=NOW + 10_000 * DAY)
    await store.open_request(asked)
    got = await store.approve(asked.request_digest, issued, None, NOW, audit())
    assert got is Approval.APPROVED
    return issued


async def redeem(
    store: Store,
    name: str = "1",
    *,
    now: int = NOW,
    refresh: RefreshToken | None = None,
    **but: Any,
) -> Redemption:
    """Spend the code of that name for a grant of that name (changed by `but`)."""
    return await store.redeem_code(
        digest(f"code-{name}"),
        grant(name, **but),
        refresh or token(name),
        now,
        audit("code.redeemed"),
        failure_limit=LIMIT,
    )


async def begin(store: Store, name: str = "1", **but: Any) -> Grant:
    """A live grant with its first refresh token."""
    begun = grant(name, **but)
    await issue(store, name, client_id=begun.client_id, person=begun.person)
    assert await redeem(store, name, **but) is Redemption.REDEEMED
    return begun
