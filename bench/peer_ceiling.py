"""The ceiling, for orientation: the bare work on bare ASGI, in memory, and nothing around it.

Form, client, single use, PKCE, ES256; no limits, no audit, no reasons for a refusal, nothing kept.
Not a product: it says what one Python process under uvicorn can reach on this machine.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

Answer = tuple[int, bytes, list[tuple[bytes, bytes]]]

_SHA256 = ec.ECDSA(hashes.SHA256())
_JSON = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]


def build(port: int) -> Callable[..., Awaitable[None]]:
    """The application."""
    return Ceiling(f"http://127.0.0.1:{port}")


class Ceiling:
    """One process' memory and one key."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._head = b64(orjson.dumps({"alg": "ES256", "typ": "at+jwt", "kid": "bench"}))
        self._clients: dict[str, dict[str, Any]] = {}
        self._codes: dict[str, tuple[str, str, str, str]] = {}
        self._refresh: dict[str, tuple[str, str]] = {}
        self._document = orjson.dumps({"issuer": issuer, "token_endpoint": issuer + "/token"})
        self._paths = {
            "/.well-known/oauth-authorization-server": self._discovery,
            "/.well-known/jwks.json": self._discovery,
            "/register": self._register,
            "/authorize": self._authorize,
            "/token": self._token,
        }

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        body = (await receive()).get("body", b"") if scope["method"] == "POST" else b""
        status, answer, headers = self._paths[scope["path"]](scope, body)
        headers = [*headers, (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _discovery(self, _scope: Any, _body: bytes) -> Answer:
        return 200, self._document, _JSON

    def _register(self, _scope: Any, body: bytes) -> Answer:
        client = orjson.loads(body)
        client["client_id"] = secrets.token_urlsafe(16)
        self._clients[client["client_id"]] = client
        return 201, orjson.dumps(client), _JSON

    def _authorize(self, scope: Any, _body: bytes) -> Answer:
        asked = dict(parse_qsl(scope["query_string"].decode()))
        if asked["redirect_uri"] not in self._clients[asked["client_id"]]["redirect_uris"]:
            return 400, b"{}", _JSON
        code = secrets.token_urlsafe(32)
        self._codes[code] = (
            asked["client_id"],
            asked["redirect_uri"],
            asked["code_challenge"],
            asked["resource"],
        )
        return 302, b"", [(b"location", f"{asked['redirect_uri']}?code={code}".encode())]

    def _token(self, _scope: Any, body: bytes) -> Answer:
        form = dict(parse_qsl(body.decode()))
        client_id = form["client_id"]
        if form["grant_type"] == "refresh_token":
            owner, resource = self._refresh.pop(form["refresh_token"], ("", ""))
        else:
            unknown = ("", "", "", "")
            owner, uri, challenge, resource = self._codes.pop(form["code"], unknown)
            verifier = hashlib.sha256(form["code_verifier"].encode()).digest()
            if uri != form["redirect_uri"] or challenge != b64(verifier).decode():
                return 400, b'{"error":"invalid_grant"}', _JSON
        if client_id not in self._clients or owner != client_id:
            return 400, b'{"error":"invalid_grant"}', _JSON
        refresh = secrets.token_urlsafe(32)
        self._refresh[refresh] = (client_id, resource)
        return self._tokens(client_id, resource, refresh)

    def _tokens(self, client_id: str, resource: str, refresh: str) -> Answer:
        answer = {
            "access_token": self._sign(client_id, resource),
            "token_type": "Bearer",
            "expires_in": 3600,
            "refresh_token": refresh,
        }
        return 200, orjson.dumps(answer), _JSON

    def _sign(self, client_id: str, resource: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "sub": "ag_bench",
            "aud": resource,
            "client_id": client_id,
            "scope": "mcp:use",
            "iat": now,
            "exp": now + 3600,
            "jti": secrets.token_urlsafe(16),
        }
        signed = self._head + b"." + b64(orjson.dumps(claims))
        r, s = decode_dss_signature(self._key.sign(signed, _SHA256))
        signature = b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
        return (signed + b"." + signature).decode()


def b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
