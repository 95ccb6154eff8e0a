"""What was read at WorkOS, judged: which settings fit, and what to mend where. Pure.

`Seen` is what came back, `Wanted` what authgate needs of the environment. What nobody can read (the
Login URI, the providers) is said as a note with what to enter, and never taken for right. Where in
the dashboard is WorkOS's own wording. Neighbour: `judging_authkit`, for the AuthKit domain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from authgate.observe.findings import Finding
from authgate.workos.near import near_miss, registered
from authgate.workos.values import Authenticated, Kind, OAuthResource, Trouble

KEYS = "WorkOS dashboard, API Keys"
REDIRECTS = "WorkOS dashboard, Redirects"
AUTHENTICATION = "WorkOS dashboard, Authentication"
STATUS_PAGE = "https://status.workos.com"

_LIVE, _TEST = "sk_live_", "sk_test_"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AuthKit:
    """What is needed of AuthKit where it issues the tokens."""

    domain: str
    resource: str
    login_url: str
    client_id_audience: bool = False
    """Are tokens for the client id taken as well?"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the settings want of the environment.

    `redirect_uri` where people sign in through WorkOS, `authkit` where AuthKit issues.
    """

    api_url: str
    api_key: str = field(repr=False)
    client_id: str | None = None
    redirect_uri: str | None = None
    authkit: AuthKit | None = None

    @property
    def production(self) -> bool:
        return self.api_key.startswith(_LIVE)


@dataclass(frozen=True, slots=True)
class Document:
    """What an address gave: `status` None if nothing came, `body` empty if no JSON object did."""

    status: int | None
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read; None for what nobody had to ask.

    `exchange` is how WorkOS refuses a code that never was: what is refused first is the client.
    """

    resources: tuple[OAuthResource, ...] | Trouble
    redirect_uris: tuple[str, ...] | Trouble
    exchange: Authenticated | Trouble | None = None
    client_keys: Document | None = None
    metadata: Document | None = None
    jwks: Document | None = None


def environment(seen: Seen, wanted: Wanted) -> Iterator[Finding]:
    """Key, client id and redirect URI."""
    key = _key(seen, wanted)
    yield key
    if wanted.client_id is not None:
        yield from _client(seen, wanted.client_id, key_taken=key.level == "ok")
    if wanted.redirect_uri is not None:
        yield from _redirects(seen, wanted, wanted.redirect_uri, readable=key.level == "ok")


def _key(seen: Seen, wanted: Wanted) -> Finding:
    lists = (seen.redirect_uris, seen.resources)
    troubles = [one for one in lists if isinstance(one, Trouble)]
    if len(troubles) < len(lists):
        which = {True: "a production", False: "a staging"}.get(wanted.production)
        if not wanted.api_key.startswith((_LIVE, _TEST)):
            which = "an"
        return Finding("api_key", "ok", f"WorkOS takes WORKOS_API_KEY, of {which} environment.")
    match troubles[0].kind:
        case Kind.KEY_REFUSED:
            return Finding(
                "api_key",
                "problem",
                "WorkOS refuses WORKOS_API_KEY: nobody can sign in with it.",
                "Copy the key again, with the right environment selected; one that was revoked "
                "needs a successor.",
                KEYS,
            )
        case Kind.UNAVAILABLE:
            return Finding(
                "api",
                "problem",
                f"WorkOS does not answer at {wanted.api_url}.",
                f"Check this machine's way out and WORKOS_API_URL; {STATUS_PAGE} tells of trouble "
                f"of WorkOS's own.",
            )
        case Kind.UNEXPECTED:
            return Finding(
                "api",
                "problem",
                f"What answers at {wanted.api_url} is not WorkOS's API.",
                "Unset WORKOS_API_URL, or set it to the address of the API alone.",
            )
        case Kind.LIMITED:
            return Finding(
                "api",
                "warning",
                "WorkOS takes no more calls for the moment, so that little could be looked at.",
                "Look again in a minute.",
            )
        case Kind.REFUSED | Kind.NOT_FOUND:
            return Finding(
                "api_key",
                "warning",
                f"WorkOS knows WORKOS_API_KEY, but lets it read nothing (HTTP "
                f"{troubles[0].status}): whether it may do what sign-ins need cannot be seen.",
                "Give the key all permissions, or make one that has them.",
                KEYS,
            )


def _client(seen: Seen, client_id: str, *, key_taken: bool) -> Iterator[Finding]:
    """A client id proves itself with the key of its own environment alone."""
    code = seen.exchange.code if isinstance(seen.exchange, Trouble) else None
    known = seen.client_keys.status if seen.client_keys else None
    fix = "Copy client id and key from the same environment."
    if known == 404:
        said = f"WorkOS knows no client {client_id} (WORKOS_CLIENT_ID)."
        yield Finding("client_id", "problem", said, fix, KEYS)
    elif not key_taken:
        return
    elif code == "invalid_grant":
        yield Finding("client_id", "ok", "WORKOS_CLIENT_ID is of the key's environment.")
    elif code in ("invalid_client", "unauthorized_client"):
        said = "WORKOS_CLIENT_ID is not of the environment that WORKOS_API_KEY is of."
        yield Finding("client_id", "problem", said, fix, KEYS)
    else:
        said = "Whether WORKOS_CLIENT_ID is of the key's environment could not be seen."
        yield Finding("client_id", "note", said, "Compare both.", KEYS)


def _redirects(seen: Seen, wanted: Wanted, uri: str, *, readable: bool) -> Iterator[Finding]:
    if wanted.production and uri.startswith("http://") and "://127.0.0.1" not in uri:
        yield Finding(
            "redirect_uri_scheme",
            "problem",
            f"A production environment takes no redirect URI with plain http, as {uri} is.",
            "Set AUTHGATE_PUBLIC_URL to the https address, or use a staging environment.",
        )
    if isinstance(seen.redirect_uris, Trouble):
        if readable:
            said = "Which redirect URIs are registered cannot be read."
            yield Finding("redirect_uri", "note", said, f"Enter {uri}, exactly so.", REDIRECTS)
    else:
        yield placed("redirect_uri", "redirect URI", uri, seen.redirect_uris, REDIRECTS)
    yield Finding(
        "providers",
        "note",
        "Which providers are switched on cannot be read.",
        "Switch on those of AUTHGATE_WORKOS_PROVIDERS, in production with credentials of your own.",
        AUTHENTICATION,
    )


def placed(check: str, name: str, uri: str, among: Sequence[str], where: str) -> Finding:
    """Is `uri` registered? If not, the one that was probably meant is named."""
    if registered(uri, among):
        return Finding(check, "ok", f"The {name} {uri} is registered.")
    said = f"The {name} {uri} is not registered"
    meant = near_miss(uri, among)
    if meant is not None:
        said += f"; {meant[0]} is, which differs {meant[1]}"
    elif among:
        said += f"; registered: {', '.join(among[:3])}"
    return Finding(check, "problem", said + ".", f"Enter {uri}, exactly so.", where)
