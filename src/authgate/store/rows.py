"""Records to rows and back, for every engine: a row is a tuple in the order of its table's columns.

Lists of tokens travel as space-separated text and documents as JSON text (`schema` says which), so
the drivers see text and integers and nothing else. Pure functions; no statement and no engine here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from authgate.protocol.records import (
    Account,
    ApiKey,
    AuditEvent,
    AuthorizationRequest,
    Bar,
    Client,
    Code,
    Consent,
    Grant,
    HandOver,
    KeptSession,
    Link,
    PendingFactor,
    Person,
    RefreshToken,
    Session,
    SigningKey,
    SocialTransaction,
    UsageRow,
)

# Any: a row is what the driver gives; STRICT tables and these functions are its only types.
Row = tuple[Any, ...]


def words(text: str) -> tuple[str, ...]:
    """The list that was joined by single spaces; only tokens that hold no space go this way."""
    return tuple(text.split(" ")) if text else ()


def document(value: Mapping[str, object]) -> str:
    # Most audit events have no detail, and this is on the path of every step.
    return orjson.dumps(dict(value)).decode() if value else "{}"


def _list(values: tuple[str, ...]) -> str:
    return orjson.dumps(values).decode()


def client_row(c: Client) -> Row:
    return (
        c.client_id,
        _list(c.redirect_uris),
        c.auth_method,
        " ".join(c.grant_types),
        _list(c.response_types),
        " ".join(c.scopes),
        c.application_type,
        c.name,
        document(c.metadata),
        c.issued_at,
        c.secret_digest,
        1 if c.self_registered else 0,
        c.last_used_at,
    )


def client(r: Row) -> Client:
    return Client(
        client_id=r[0],
        redirect_uris=tuple(orjson.loads(r[1])),
        auth_method=r[2],
        grant_types=words(r[3]),
        response_types=tuple(orjson.loads(r[4])),
        scopes=words(r[5]),
        application_type=r[6],
        name=r[7],
        metadata=orjson.loads(r[8]),
        issued_at=r[9],
        secret_digest=r[10],
        self_registered=r[11] == 1,
        last_used_at=r[12],
    )


def _person(p: Person) -> Row:
    return p.sub, p.directory, p.display, " ".join(p.methods), p.assurance


def person(r: Row) -> Person:
    sub, directory, display, methods, assurance = r
    return Person(sub, directory, display, words(methods), assurance)


def request_row(q: AuthorizationRequest) -> Row:
    return (
        q.request_digest,
        q.kind,
        q.client_id,
        q.redirect_uri,
        q.state,
        q.code_challenge,
        " ".join(q.scopes),
        q.resource,
        " ".join(q.prompt),
        1 if q.cross_site else 0,
        q.browser_digest,
        q.created_at,
        q.expires_at,
        q.answered_at,
        *_factor_row(q.factor),
        q.external,
    )


def _factor_row(f: PendingFactor | None) -> Row:
    if f is None:
        return None, None, None, None, None
    return f.kind, f.hint, f.sealed, f.expires_at, f.failures


def await_factor(request_digest: str, f: PendingFactor, now: int) -> dict[str, str | int]:
    """What the statement `await_factor` takes."""
    return {
        "request_digest": request_digest,
        "kind": f.kind,
        "hint": f.hint,
        "sealed": f.sealed,
        "until": f.expires_at,
        "failures": f.failures,
        "now": now,
    }


def request(r: Row) -> AuthorizationRequest:
    return AuthorizationRequest(
        request_digest=r[0],
        kind=r[1],
        client_id=r[2],
        redirect_uri=r[3],
        state=r[4],
        code_challenge=r[5],
        scopes=words(r[6]),
        resource=r[7],
        prompt=words(r[8]),
        cross_site=r[9] == 1,
        browser_digest=r[10],
        created_at=r[11],
        expires_at=r[12],
        answered_at=r[13],
        factor=None if r[16] is None else PendingFactor(r[14], r[15], r[16], r[17], r[18]),
        external=r[19],
    )


# The columns of `vouched_row`.
VOUCHED = (
    "sub", "directory", "display", "methods", "assurance",
    "factor_kind", "factor_hint", "factor_sealed", "factor_expires_at",
)  # fmt: skip


def vouched_row(v: Person | PendingFactor | None) -> Row:
    """A person and what of a factor can be due without one: one of the two, or nothing yet."""
    whom = _person(v) if isinstance(v, Person) else (None,) * 5
    due = (v.kind, v.hint, v.sealed, v.expires_at) if isinstance(v, PendingFactor) else (None,) * 4
    return *whom, *due


def _vouched(r: Row) -> Person | PendingFactor | None:
    if r[0] is not None:
        return person(r[:5])
    return None if r[7] is None else PendingFactor(*r[5:])


def transaction_row(t: SocialTransaction) -> Row:
    return (
        t.transaction_digest,
        t.provider,
        t.request_digest,
        t.kind,
        t.browser_digest,
        t.sealed,
        t.created_at,
        t.expires_at,
        t.used_at,
        *vouched_row(t.vouched),
        t.handed_over_at,
        None,  # the digest and the end of a code are nobody's to read
        None,
    )


def transaction(r: Row) -> SocialTransaction:
    return SocialTransaction(
        transaction_digest=r[0],
        provider=r[1],
        request_digest=r[2],
        kind=r[3],
        browser_digest=r[4],
        sealed=r[5],
        created_at=r[6],
        expires_at=r[7],
        used_at=r[8],
        vouched=_vouched(r[9:18]),
        handed_over_at=r[18],
    )


def hand_over(r: Row) -> HandOver | None:
    vouched = _vouched(r[1:])
    return None if vouched is None else HandOver(vouched, r[0])


def consent_row(c: Consent) -> Row:
    return c.sub, c.client_id, c.redirect_host, c.resource, " ".join(c.scopes), c.granted_at


def consent(r: Row) -> Consent:
    return Consent(r[0], r[1], r[2], r[3], words(r[4]), r[5])


def code_row(c: Code) -> Row:
    return (
        c.code_digest,
        c.grant_id,
        c.client_id,
        c.redirect_uri,
        c.code_challenge,
        " ".join(c.scopes),
        c.resource,
        *_person(c.person),
        c.authenticated_at,
        c.issued_at,
        c.expires_at,
        c.failures,
        c.redeemed_at,
    )


def code(r: Row) -> Code:
    return Code(
        code_digest=r[0],
        grant_id=r[1],
        client_id=r[2],
        redirect_uri=r[3],
        code_challenge=r[4],
        scopes=words(r[5]),
        resource=r[6],
        person=person(r[7:12]),
        authenticated_at=r[12],
        issued_at=r[13],
        expires_at=r[14],
        failures=r[15],
        redeemed_at=r[16],
    )


def grant_row(g: Grant) -> Row:
    p = g.person
    return (
        g.grant_id,
        g.client_id,
        p.sub,
        p.directory,
        p.display,
        " ".join(p.methods),
        p.assurance,
        " ".join(g.scopes),
        g.resource,
        g.authenticated_at,
        g.created_at,
        g.last_used_at,
        g.expires_at,
        g.revoked_at,
        g.revoked_reason,
        g.vouched_at,
    )


def grant(r: Row) -> Grant:
    return Grant(r[0], r[1], person(r[2:7]), words(r[7]), *r[8:])


def refresh_token_row(t: RefreshToken) -> Row:
    return (
        t.token_digest,
        t.grant_id,
        t.issued_at,
        t.expires_at,
        t.superseded_at,
        t.successor_digest,
    )


def refresh_token_with_grant(r: Row) -> tuple[RefreshToken, Grant]:
    return RefreshToken(*r[:6]), grant(r[6:])


def session_row(s: Session) -> Row:
    return s.session_digest, *_person(s.person), s.created_at, s.expires_at


def session(r: Row) -> Session:
    return Session(r[0], person(r[1:6]), r[6], r[7])


def link_row(k: Link) -> Row:
    return k.workos_id, k.sub, k.how, k.linked_at


def link(r: Row) -> Link:
    return Link(*r)


def bar_row(b: Bar) -> Row:
    return b.sub, b.reason, b.barred_at


def bar(r: Row) -> Bar:
    return Bar(*r)


def kept_session_row(k: KeptSession) -> Row:
    return k.sub, k.sealed, k.version, k.kept_at, k.held_until


def kept_session(r: Row) -> KeptSession:
    return KeptSession(*r)


def api_key_row(k: ApiKey) -> Row:
    return (
        k.key_digest,
        k.key_id,
        k.name,
        k.sub,
        " ".join(k.scopes),
        k.created_at,
        k.expires_at,
        k.revoked_at,
        k.last_used_at,
    )


def api_key(r: Row) -> ApiKey:
    return ApiKey(r[0], r[1], r[2], r[3], words(r[4]), *r[5:])


def usage_row(u: UsageRow) -> Row:
    return u.day, u.kind, u.client, u.calls, u.would_refuse


def usage(r: Row) -> UsageRow:
    return UsageRow(*r)


def signing_key_row(k: SigningKey) -> Row:
    return (
        k.kid,
        k.algorithm,
        document(k.public_jwk),
        k.sealed_private,
        k.created_at,
        k.signs_from,
        k.retires_at,
    )


def signing_key(r: Row) -> SigningKey:
    return SigningKey(r[0], r[1], orjson.loads(r[2]), *r[3:])


def account_row(a: Account) -> Row:
    return a.sub, a.email, a.email_key, a.password_hash, a.created_at, a.disabled_at


def account(r: Row) -> Account:
    return Account(*r)


def audit_row(e: AuditEvent) -> Row:
    return e.at, e.event, e.outcome, e.actor, e.client_id, e.address, document(e.detail)


def audit_event(r: Row) -> AuditEvent:
    return AuditEvent(r[0], r[1], r[2], r[3], r[4], r[5], orjson.loads(r[6]))
