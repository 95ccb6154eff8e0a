"""AuthKit's authorization server metadata (RFC 8414): checked, passed on, and read for problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson

from authgate.issuers.contract import ServerMetadata
from authgate.issuers.documents import Trouble

PATH = "/.well-known/oauth-authorization-server"
MAX_BODY = 65_536

REGISTRATION_OFF: Final = (
    "Dynamic client registration is off at AuthKit: clients cannot register. Switch it on in the "
    "WorkOS dashboard: Connect, Configuration, Dynamic Client Registration."
)
CIMD_OFF: Final = (
    "Client ID metadata documents are off at AuthKit: clients that identify themselves by a URL "
    "cannot connect. Switch them on in the WorkOS dashboard: Connect, Configuration, Client ID "
    "Metadata Document."
)


def read_metadata(document: Mapping[str, object], issuer: str) -> ServerMetadata:
    """What the document says; raises `Trouble` where it cannot be believed or used.

    The issuer must be exactly the one we asked (RFC 8414 section 3.3): of another's tokens we take
    none, and its clients would be led astray. The endpoints must be the issuer's own: codes and
    client secrets are sent to them.
    """
    if document.get("issuer") != issuer:
        raise Trouble("names another issuer than WORKOS_AUTHKIT_DOMAIN, which must be the same")
    methods = document.get("code_challenge_methods_supported")
    if not isinstance(methods, list) or "S256" not in methods:
        raise Trouble("does not offer PKCE with S256")
    body = orjson.dumps(document)
    if len(body) > MAX_BODY:
        raise Trouble("is too large")
    registration = document.get("registration_endpoint")
    return ServerMetadata(
        body=body,
        authorization_endpoint=_endpoint(document, "authorization_endpoint", issuer),
        token_endpoint=_endpoint(document, "token_endpoint", issuer),
        registration_endpoint=None
        if registration is None
        else _endpoint(document, "registration_endpoint", issuer),
        takes_metadata_documents=document.get("client_id_metadata_document_supported") is True,
    )


def notes_on(metadata: ServerMetadata) -> tuple[str, ...]:
    """What an operator may want to switch on."""
    notes = []
    if metadata.registration_endpoint is None:
        notes.append(REGISTRATION_OFF)
    if not metadata.takes_metadata_documents:
        notes.append(CIMD_OFF)
    return tuple(notes)


def _endpoint(document: Mapping[str, object], name: str, issuer: str) -> str:
    url = document.get(name)
    if not isinstance(url, str) or not url.startswith(f"{issuer}/") or len(url) > 2048:
        raise Trouble(f"has no {name} at the issuer itself")
    if not url.isascii() or not url.isprintable() or any(c in url for c in " #?\\"):
        raise Trouble(f"has a {name} that is no plain address")
    return url
