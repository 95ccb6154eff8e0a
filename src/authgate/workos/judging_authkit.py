"""What was read at the AuthKit domain, judged: is it one, and does it let MCP clients in? Pure.

Neighbour: `judging`, for the environment it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from authgate.observe.findings import Finding
from authgate.workos.judging import AuthKit, Document, Seen, Wanted, placed
from authgate.workos.values import OAuthResource, Trouble

DOMAINS = "WorkOS dashboard, Domains"
CONFIGURATION = "WorkOS dashboard, Connect, Configuration"

_COPY = "Copy the AuthKit domain (https://your-name.authkit.app, or your own) into it."


def authkit(seen: Seen, wanted: Wanted, ours: AuthKit) -> Iterator[Finding]:
    """Domain, keys, switches, resource indicator and Login URI."""
    if seen.metadata is not None:
        domain = _domain(seen.metadata, ours.domain)
        yield domain
        if domain.level == "ok":
            yield _jwks(seen.jwks, ours.domain)
            yield from _switches(seen.metadata.body)
    yield from _environment(wanted, ours)
    yield from _resource(seen.resources, ours)
    yield from _login_uri(wanted, ours)


def _domain(metadata: Document, domain: str) -> Finding:
    def wrong(said: str, fix: str = _COPY, where: str = DOMAINS) -> Finding:
        return Finding("authkit_domain", "problem", said, fix, where)

    status, issuer = metadata.status, metadata.body.get("issuer")
    if status is None:
        return wrong(f"Nothing answers at {domain} (WORKOS_AUTHKIT_DOMAIN).")
    if status >= 500:
        fix = "Wait and look again; https://status.workos.com tells of trouble of WorkOS's own."
        return wrong(f"AuthKit at {domain} is in trouble (HTTP {status}).", fix, "")
    if 300 <= status < 400:
        said = f"{domain} (WORKOS_AUTHKIT_DOMAIN) only sends on to another address."
        return wrong(said, "Set it to the domain that answers itself, which is the issuer.")
    if status != 200 or not isinstance(issuer, str):
        return wrong(f"There is no AuthKit at {domain} (WORKOS_AUTHKIT_DOMAIN), HTTP {status}.")
    if issuer != domain:
        return wrong(
            f"AuthKit at {domain} calls itself {issuer[:200]}, and no token of its would be taken.",
            f"Set WORKOS_AUTHKIT_DOMAIN={issuer[:200]}",
        )
    missing = _missing(metadata.body, domain)
    if missing:
        fix = "Check that nothing between here and there answers in its place, and look again."
        return wrong(f"AuthKit at {domain} offers no {missing}.", fix, "")
    return Finding("authkit_domain", "ok", f"AuthKit answers at {domain} as that issuer.")


def _missing(metadata: Mapping[str, Any], domain: str) -> str:
    """What no AuthKit goes without. Elsewhere than at the issuer an endpoint counts as missing:
    codes are sent there."""
    for name in ("authorization_endpoint", "token_endpoint"):
        if not str(metadata.get(name)).startswith(f"{domain}/"):
            return f"{name} of its own"
    methods = metadata.get("code_challenge_methods_supported")
    return "" if isinstance(methods, list) and "S256" in methods else "PKCE with S256"


def _jwks(jwks: Document | None, domain: str) -> Finding:
    keys = jwks.body.get("keys") if jwks and jwks.status == 200 else None
    usable = [
        key
        for key in (keys if isinstance(keys, list) else [])
        if isinstance(key, dict) and key.get("kty") == "RSA" and key.get("kid")
    ]
    if usable:
        return Finding("jwks", "ok", f"AuthKit publishes its signing keys ({len(usable)}).")
    return Finding(
        "jwks",
        "problem",
        f"No signing key can be read at {domain}/oauth2/jwks, so no token can be verified.",
        "Check that nothing between here and there answers in its place, and look again.",
    )


def _switches(metadata: Mapping[str, Any]) -> Iterator[Finding]:
    """Both are off in a new environment; one has to be on, and most clients know one only."""
    registers = isinstance(metadata.get("registration_endpoint"), str)
    documents = metadata.get("client_id_metadata_document_supported") is True
    if registers:
        yield Finding("dcr", "ok", "Clients can register themselves (DCR).")
    else:
        yield Finding(
            "dcr",
            "warning" if documents else "problem",
            "Dynamic Client Registration is off: "
            + (
                "clients without a document of their own cannot connect, nor does "
                "oauth_register_client work."
                if documents
                else "no client can connect, since Client ID Metadata Documents are off too."
            ),
            "Switch Dynamic Client Registration (DCR) on.",
            CONFIGURATION,
        )
    if documents:
        yield Finding("cimd", "ok", "Clients can name themselves by a document's URL (CIMD).")
    else:
        yield Finding(
            "cimd",
            "warning",
            "Client ID Metadata Documents are off: clients that know no other way cannot connect.",
            "Switch Client ID Metadata Document (CIMD) on.",
            CONFIGURATION,
        )


def _environment(wanted: Wanted, ours: AuthKit) -> Iterator[Finding]:
    """Nothing that can be read ties a domain to a key; the names WorkOS gives do."""
    staging = ours.domain.endswith("-staging.authkit.app")
    if wanted.production and staging:
        yield Finding(
            "environment",
            "warning",
            f"WORKOS_API_KEY is of a production environment, and {ours.domain} looks like one of "
            f"staging: sign-ins would be completed in the wrong one.",
            "Copy both with the same environment selected.",
            f"{DOMAINS} and API Keys",
        )


def _resource(known: tuple[OAuthResource, ...] | Trouble, ours: AuthKit) -> Iterator[Finding]:
    where = f"{CONFIGURATION}, MCP resource indicators"
    if isinstance(known, Trouble):
        said = "Which resource indicators are registered cannot be read."
        yield Finding("resource", "note", said, f"Enter {ours.resource}, exactly so.", where)
        return
    if not known:
        yield Finding(
            "resource",
            "warning" if ours.client_id_audience else "problem",
            "No resource indicator is registered, so that tokens are for the client id"
            + (
                ", as AUTHGATE_ACCEPT_CLIENT_ID_AUDIENCE allows."
                if ours.client_id_audience
                else " and every call is refused."
            ),
            f"Enter {ours.resource}, exactly so.",
            where,
        )
        return
    found = placed(
        "resource", "resource indicator", ours.resource, [one.uri for one in known], where
    )
    yield found
    default = next((one.uri for one in known if one.default), None)
    if found.level == "ok" and default != ours.resource:
        yield Finding(
            "default_resource",
            "note",
            "Clients that name no resource get tokens for "
            + (f"the default one, {default}." if default else "the client id: none is the default.")
            + " They are refused here.",
            f"Make {ours.resource} the default.",
            where,
        )


def _login_uri(wanted: Wanted, ours: AuthKit) -> Iterator[Finding]:
    if wanted.production and ours.login_url.startswith("http://"):
        yield Finding(
            "login_uri_scheme",
            "problem",
            f"A production environment takes no Login URI with plain http, as {ours.login_url} is.",
            "Set AUTHGATE_PUBLIC_URL to the https address, or use a staging environment.",
        )
    yield Finding(
        "login_uri",
        "note",
        "Whether AuthKit sends people here to sign in cannot be read.",
        f"Enter {ours.login_url} as the Login URI.",
        CONFIGURATION,
    )
