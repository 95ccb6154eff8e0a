"""An AuthKit domain as the issuer's tests need it: keys that sign, and documents that can fail."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from authgate.fetch import Answer, Call, FetchFailed
from authgate.issuers.authkit import AuthkitIssuer, AuthkitPolicy

DOMAIN = "https://tenant.authkit.example"
RESOURCE = "https://mcp.example.test/mcp"
CLIENT_ID = "client_ENVIRONMENT"
NOW = 1_800_000_000
JSON = {"content-type": "application/json; charset=utf-8"}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Key:
    """An RSA key; `jwk` is what AuthKit publishes of it."""

    def __init__(self, kid: str, bits: int = 2048) -> None:
        self.kid = kid
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        numbers = self.private.public_key().public_numbers()
        modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
        self.jwk: dict[str, Any] = {
            "kty": "RSA",
            "n": b64(modulus),
            "e": "AQAB",
            "kid": kid,
            "use": "sig",
            "alg": "RS256",
        }

    def sign(self, claims: Mapping[str, Any], **header: Any) -> str:
        """A token; a header or a claim that is `...` is left out."""
        head = _kept({"alg": "RS256", "typ": "JWT", "kid": self.kid, **header})
        signing_input = f"{b64(_json(head))}.{b64(_json(_kept(claims)))}"
        signature = self.private.sign(signing_input.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signing_input}.{b64(signature)}"


def claims(**changes: Any) -> dict[str, Any]:
    """Those of a faultless access token, as the documentation shows them."""
    return {
        "iss": DOMAIN,
        "aud": RESOURCE,
        "sub": "ag_" + "p" * 22,
        "client_id": "client_APP",
        "sid": "app_consent_1",
        "jti": "jti_1",
        "scope": "openid email",
        "iat": NOW,
        "exp": NOW + 300,
        **changes,
    }


def metadata(**changes: Any) -> dict[str, Any]:
    return _kept(
        {
            "issuer": DOMAIN,
            "authorization_endpoint": f"{DOMAIN}/oauth2/authorize",
            "token_endpoint": f"{DOMAIN}/oauth2/token",
            "registration_endpoint": f"{DOMAIN}/oauth2/register",
            "jwks_uri": f"{DOMAIN}/oauth2/jwks",
            "client_id_metadata_document_supported": True,
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["email", "offline_access", "openid", "profile"],
            **changes,
        }
    )


class Net:
    """In the place of `Fetch`: answers by path, every call kept, and a door to hold calls at."""

    def __init__(self, *keys: Key) -> None:
        self.answers: dict[str, Answer | FetchFailed] = {}
        self.calls: list[Call] = []
        self.door = asyncio.Event()
        self.door.set()
        self.publish(*keys)
        self.say("/.well-known/oauth-authorization-server", metadata())

    def publish(self, *keys: Key) -> None:
        self.say("/oauth2/jwks", {"keys": [key.jwk for key in keys]})

    def say(self, path: str, body: Any, status: int = 200, **headers: str) -> None:
        told = {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
        self.answers[path] = Answer(status, told, body)

    def fail(self, path: str, failed: FetchFailed) -> None:
        self.answers[path] = failed

    def asked(self, path: str) -> int:
        return sum(call.url == DOMAIN + path for call in self.calls)

    async def json(self, call: Call) -> Answer:
        self.calls.append(call)
        await self.door.wait()
        answer = self.answers[call.url.removeprefix(DOMAIN)]
        if isinstance(answer, FetchFailed):
            raise answer
        return answer


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def issuer_at(net: Any, clock: Clock, **options: Any) -> AuthkitIssuer:
    audience = options.pop("client_audience", None)
    policy = AuthkitPolicy(DOMAIN, audience)
    return AuthkitIssuer(policy, net, monotonic=clock, **options)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _kept(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not ...}
