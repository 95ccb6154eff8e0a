"""What the tests of the rules make alike: a client, a policy, a request, and a wanted refusal."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from typing import Any, TypeVar

import pytest

from authgate.protocol import parameters
from authgate.protocol.digests import digest
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.parameters import Parameters
from authgate.protocol.policy import Policy
from authgate.protocol.records import (
    AuthenticatedClient,
    AuthorizationRequest,
    Client,
    Code,
    Grant,
    Person,
    RefreshToken,
    Session,
)

NOW = 1_800_000_000
ISSUER = "https://auth.example.com"
RESOURCE = "https://auth.example.com/mcp"
OTHER_RESOURCE = "https://files.example.com/mcp"
REDIRECT = "https://app.example.net/cb"
SECRET = "s" * 20 + ":%+ &ü"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636 appendix B
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

T = TypeVar("T")

POLICY = Policy(
    issuer=ISSUER, resources=(RESOURCE, OTHER_RESOURCE), scopes=("mcp:use", "mcp:admin")
)
PERSON = Person("ag_person", "embedded", "person@example.com", ("pwd",))


@contextmanager
def refused(reason: Reason) -> Iterator[pytest.ExceptionInfo[Refusal]]:
    """The block raises a refusal for `reason` and for no other."""
    with pytest.raises(Refusal) as caught:
        yield caught
    assert caught.value.reason is reason


def result_of(rule: Callable[[], T]) -> T | Refusal:
    """What a rule gives, or the refusal it raises; anything else it raises is a bug."""
    try:
        return rule()
    except Refusal as refusal:
        return refusal


def challenge_of(verifier: str) -> str:
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def a_client(**changes: Any) -> Client:
    plain = Client(
        client_id="client_app",
        redirect_uris=(REDIRECT,),
        auth_method="none",
        grant_types=("authorization_code", "refresh_token"),
        response_types=("code",),
        scopes=("mcp:use",),
        application_type="web",
        name="App",
        metadata={},
        issued_at=NOW - 100,
    )
    return replace(plain, **changes)


def a_confidential_client(method: str = "client_secret_basic", **changes: Any) -> Client:
    return a_client(auth_method=method, secret_digest=digest(SECRET), **changes)


def proven(client: Client | None = None) -> AuthenticatedClient:
    return AuthenticatedClient(client or a_client())


def asked(*pairs: tuple[str, str], **values: str | None) -> Parameters:
    """Parameters as a request brings them; None leaves one out, pairs may repeat."""
    named = [(name, value) for name, value in values.items() if value is not None]
    return parameters.read([*named, *pairs])


def a_request(**changes: Any) -> AuthorizationRequest:
    plain = AuthorizationRequest(
        request_digest="0" * 64,
        kind="browser",
        client_id="client_app",
        redirect_uri=REDIRECT,
        state="st",
        code_challenge=CHALLENGE,
        scopes=("mcp:use",),
        resource=RESOURCE,
        prompt=(),
        cross_site=False,
        browser_digest="1" * 64,
        created_at=NOW,
        expires_at=NOW + 600,
    )
    return replace(plain, **changes)


def a_session(**changes: Any) -> Session:
    return replace(Session("2" * 64, PERSON, NOW, NOW + 3600), **changes)


def a_code(**changes: Any) -> Code:
    plain = Code(
        code_digest=digest("the-code"),
        grant_id="grant_1",
        client_id="client_app",
        redirect_uri=REDIRECT,
        code_challenge=CHALLENGE,
        scopes=("mcp:use",),
        resource=RESOURCE,
        person=PERSON,
        authenticated_at=NOW,
        issued_at=NOW,
        expires_at=NOW + 60,
    )
    return replace(plain, **changes)


def a_grant(**changes: Any) -> Grant:
    plain = Grant(
        grant_id="grant_1",
        client_id="client_app",
        person=PERSON,
        scopes=("mcp:use", "mcp:admin"),
        resource=RESOURCE,
        authenticated_at=NOW - 5,
        created_at=NOW,
        last_used_at=NOW,
        expires_at=NOW + 2_592_000,
    )
    return replace(plain, **changes)


def a_refresh_token(**changes: Any) -> RefreshToken:
    return replace(RefreshToken(digest("refresh"), "grant_1", NOW, NOW + 2_592_000), **changes)
