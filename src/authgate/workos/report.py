"""A look at a WorkOS environment: a few harmless reads, all at once, judged by pure rules.

For the start (`Report.tell`) and for `authgate doctor workos`. It costs six requests and registers,
changes or spends nothing. Never here: refusing to start; what cannot be reached now may be there
when the first person comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from urllib.parse import quote

from authgate.fetch import Call, Fetch, FetchFailed
from authgate.observe.findings import Finding, Report
from authgate.workos.client import WorkOS
from authgate.workos.judging import Document, Seen, Wanted, environment
from authgate.workos.judging_authkit import authkit
from authgate.workos.signing_in import Origin
from authgate.workos.values import Authenticated, Trouble

# Shaped as WorkOS's are, and never issued: an environment that takes the client says
# `invalid_grant`, another one `invalid_client` (RFC 6749 section 5.2).
_NO_CODE = "01AUTHGATEDOCTORASKSNOCODE"
_NO_VERIFIER = "authgate-doctor-asks-whether-this-client-is-known"


async def report(workos: WorkOS, fetch: Fetch, wanted: Wanted, *, documents: bool = True) -> Report:
    """Everything at once, so that an operator mends it in one go. Raises nothing of WorkOS's.

    Without `documents` the AuthKit domain is not asked: a server that reads its metadata and keys
    anyway tells of those itself.
    """
    return Report.of(_judged(await _look(workos, fetch, wanted, documents=documents), wanted))


def _judged(seen: Seen, wanted: Wanted) -> Iterator[Finding]:
    yield from environment(seen, wanted)
    if wanted.authkit is not None:
        yield from authkit(seen, wanted, wanted.authkit)


async def _look(workos: WorkOS, fetch: Fetch, wanted: Wanted, *, documents: bool) -> Seen:
    domain = wanted.authkit.domain if wanted.authkit and documents else None
    client = quote(wanted.client_id, safe="") if wanted.client_id else None
    resources, redirects, exchange, client_keys, metadata, jwks = await asyncio.gather(
        workos.oauth_resources(),
        workos.redirect_uris(),
        _exchange(workos, wanted),
        _document(fetch, client and f"{wanted.api_url}/sso/jwks/{client}"),
        _document(fetch, domain and f"{domain}/.well-known/oauth-authorization-server"),
        _document(fetch, domain and f"{domain}/oauth2/jwks"),
    )
    return Seen(resources, redirects, exchange, client_keys, metadata, jwks)


async def _exchange(workos: WorkOS, wanted: Wanted) -> Authenticated | Trouble | None:
    if wanted.client_id is None:
        return None
    return await workos.authenticate_code(_NO_CODE, _NO_VERIFIER, Origin())


async def _document(fetch: Fetch, url: str | None) -> Document | None:
    if url is None:
        return None
    try:
        answer = await fetch.json(Call("GET", url))
    except FetchFailed as failed:
        return Document(failed.status, {})
    return Document(answer.status, answer.body if isinstance(answer.body, dict) else {})
