"""What a client may register (RFC 7591), and what it is told back.

Unknown members are ignored, unsupported grant types are left out of an otherwise good registration
(the echo shows it), and anything that could mislead a person on the consent page is refused.
Nothing here is fetched: a URL in the metadata is text.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import cast

from authgate.protocol import redirect_uris, scopes
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.records import AuthMethod, Client

AUTH_METHODS = ("none", "client_secret_post", "client_secret_basic")
GRANT_TYPES = ("authorization_code", "refresh_token")
MAX_REDIRECT_URIS = 20
MAX_NAME = 120
MAX_TEXT = 2048
MAX_MARKS = 4  # more than any script writes on one letter
MAX_JWKS = 8192
MAX_KEPT = 16_384

_DISPLAY_URLS = ("client_uri", "logo_uri", "tos_uri", "policy_uri")
_TEXTS = ("software_id", "software_version")
_WEB_URL = re.compile(r"https?://[^\s/?#@]+(?:[/?#][^\s]*)?", re.ASCII | re.IGNORECASE)
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "k", "oth"})
# Hangul fillers, the blank Braille cell, and Khmer vowels and a joiner that are never drawn.
_SHOWS_NOTHING = frozenset("\u115f\u1160\u3164\uffa0\u2800\u17b4\u17b5\u034f")
_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Registration:
    """The metadata of a client-to-be, judged, with RFC 7591's defaults filled in."""

    redirect_uris: tuple[str, ...]
    auth_method: AuthMethod
    grant_types: tuple[str, ...]
    response_types: tuple[str, ...]
    scopes: tuple[str, ...]
    application_type: str
    name: str | None
    metadata: Mapping[str, object]


def judge(
    document: object, *, private_schemes: Collection[str], offered: Collection[str]
) -> Registration:
    """Judge a registration request (RFC 7591 section 2); raises `Refusal` (section 3.2.2).

    `private_schemes`: private-use redirect schemes the operator allows. `offered`: scopes we have.
    """
    if not isinstance(document, dict):
        raise Refusal(Reason.REGISTRATION_MALFORMED)
    # A null, an empty string or an empty list is how some clients say "not set".
    given = {name: value for name, value in document.items() if value not in (None, "", [])}
    _refuse_software_statement(given.get("software_statement"))
    uris = _redirect_uris(given.get("redirect_uris"), private_schemes)
    metadata = _display(given)
    _refuse_bulk(uris, metadata)
    return Registration(
        redirect_uris=uris,
        auth_method=_auth_method(given.get("token_endpoint_auth_method")),
        grant_types=_grant_types(given.get("grant_types")),
        response_types=_response_types(given.get("response_types")),
        scopes=_scopes(given.get("scope"), offered),
        application_type=_application_type(given.get("application_type"), uris),
        name=_name(given.get("client_name")),
        metadata=metadata,
    )


def answer(client: Client, secret: str | None) -> dict[str, object]:
    """The client information response: everything registered, defaults included (section 3.2.1)."""
    body: dict[str, object] = {
        "client_id": client.client_id,
        "client_id_issued_at": client.issued_at,
        "redirect_uris": list(client.redirect_uris),
        "token_endpoint_auth_method": client.auth_method,
        "grant_types": list(client.grant_types),
        "response_types": list(client.response_types),
        "application_type": client.application_type,
        "scope": " ".join(client.scopes),
        **client.metadata,
    }
    if client.name is not None:
        body["client_name"] = client.name
    if secret is not None:
        body["client_secret"] = secret
        body["client_secret_expires_at"] = 0
    return body


def _bad(member: str, why: str) -> Refusal:
    return Refusal(Reason.REGISTRATION_METADATA, member=member, why=why)


def _refuse_software_statement(statement: object) -> None:
    """A statement nobody here can vouch for must not look accepted (RFC 7591 section 2.3)."""
    if statement is None:
        return
    if isinstance(statement, str) and _JWT.fullmatch(statement):
        raise Refusal(Reason.SOFTWARE_STATEMENT_UNAPPROVED)
    raise Refusal(Reason.SOFTWARE_STATEMENT_MALFORMED)


def _redirect_uris(value: object, private_schemes: Collection[str]) -> tuple[str, ...]:
    """Judge the redirect URIs one by one: an unlisted private-use scheme costs only its own URI."""
    if not isinstance(value, list) or not value:
        raise Refusal(
            Reason.REGISTRATION_REDIRECT_URI, uri="(none)", why="redirect_uris is missing or empty"
        )
    if len(value) > MAX_REDIRECT_URIS:
        raise Refusal(
            Reason.REGISTRATION_REDIRECT_URI,
            uri=f"number {MAX_REDIRECT_URIS + 1}",
            why=f"at most {MAX_REDIRECT_URIS} redirect URIs are accepted",
        )
    kept: list[str] = []
    left_out = redirect_uris.Judgement(redirect_uris.Verdict.ACCEPT)
    for uri in value:
        if not isinstance(uri, str):
            raise Refusal(Reason.REGISTRATION_REDIRECT_URI, uri="(not a string)", why="not a URI")
        judgement = redirect_uris.judge(uri, private_schemes)
        if judgement.verdict is redirect_uris.Verdict.REFUSE:
            raise Refusal(Reason.REGISTRATION_REDIRECT_URI, uri=uri, why=judgement.why)
        if judgement.verdict is redirect_uris.Verdict.ACCEPT:
            kept.append(uri)
        else:
            left_out = judgement
    if not kept:
        raise Refusal(Reason.REGISTRATION_REDIRECT_URI, uri=str(value[0]), why=left_out.why)
    return tuple(dict.fromkeys(kept))


def _refuse_bulk(uris: tuple[str, ...], metadata: Mapping[str, object]) -> None:
    """Anybody may register, so what one registration leaves on our disk is bounded as a whole."""
    if sum(map(len, uris)) + len(json.dumps(metadata)) > MAX_KEPT:
        raise _bad("redirect_uris", f"the registration is larger than {MAX_KEPT} bytes in all")


def _auth_method(value: object) -> AuthMethod:
    if value is None:
        return "client_secret_basic"
    if value not in AUTH_METHODS:
        raise _bad("token_endpoint_auth_method", "use one of " + ", ".join(AUTH_METHODS))
    return cast(AuthMethod, value)


def _names(member: str, value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _bad(member, "it is not a list of strings")
    if len(value) > 20:
        raise _bad(member, "it has more than 20 entries")
    return value


def _grant_types(value: object) -> tuple[str, ...]:
    """The supported ones among those asked; without authorization_code nothing would ever work."""
    if value is None:
        return ("authorization_code",)
    asked = _names("grant_types", value)
    if "authorization_code" not in asked:
        raise _bad("grant_types", "authorization_code must be among them")
    return tuple(name for name in GRANT_TYPES if name in asked)


def _response_types(value: object) -> tuple[str, ...]:
    """Only `code` agrees with the grant types that are offered (RFC 7591 section 2.1)."""
    if value is not None and "code" not in _names("response_types", value):
        raise _bad("response_types", "code must be among them")
    return ("code",)


def _scopes(value: object, offered: Collection[str]) -> tuple[str, ...]:
    """Known scopes only; the list informs, it does not limit what may be asked later.

    Clients copy it from wherever they found one, so a strict list would lock them out.
    """
    if value is None:
        return scopes.grantable(None, offered)
    if not isinstance(value, str):
        raise _bad("scope", "it is not a string")
    try:
        return scopes.grantable(scopes.parse(value), offered)
    except Refusal:
        raise _bad("scope", "it is not a list of scope names separated by spaces") from None


def _application_type(value: object, uris: tuple[str, ...]) -> str:
    """`web` or `native` (OpenID Connect Registration 2); guessed from the URIs if absent."""
    if value is None:
        at_home = all(
            redirect_uris.is_loopback(uri) or redirect_uris.is_private_use(uri) for uri in uris
        )
        return "native" if at_home else "web"
    if value not in ("web", "native"):
        raise _bad("application_type", "use web or native")
    return str(value)


def _name(value: object) -> str | None:
    if value is None:
        return None
    return _text("client_name", value, MAX_NAME)


def _text(member: str, value: object, limit: int) -> str:
    """A text a person may see: no control, format or bidi characters, no line breaks."""
    if not isinstance(value, str):
        raise _bad(member, "it is not a string")
    if len(value) > limit:
        raise _bad(member, f"it is longer than {limit} characters")
    if not displayable(value):
        raise _bad(member, "it holds control, direction or invisible characters, or heaped accents")
    return value


def displayable(value: str) -> bool:
    """No control, format (bidi), surrogate, private-use or line-separating character in `value`.

    A zero-width joiner is a format character too; no client needs one in its name. Nor one of the
    letters that show nothing, which make a name look absent; nor a heap of marks on one letter,
    which would be drawn over the lines above and below, where the destination stands.
    """
    marks = 0
    for c in value:
        category = unicodedata.category(c)
        if category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or c in _SHOWS_NOTHING:
            return False
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks > MAX_MARKS:
            return False
    return True


def _display(given: Mapping[str, object]) -> dict[str, object]:
    """The members that are only kept and echoed."""
    kept: dict[str, object] = {}
    for member in _DISPLAY_URLS:
        if member in given:
            kept[member] = _web_url(member, given[member])
    for member in _TEXTS:
        if member in given:
            kept[member] = _text(member, given[member], MAX_TEXT)
    if "contacts" in given:
        contacts = _names("contacts", given["contacts"])
        kept["contacts"] = [_text("contacts", contact, 320) for contact in contacts]
    if "jwks" in given and "jwks_uri" in given:
        raise _bad("jwks", "jwks and jwks_uri exclude each other")
    if "jwks_uri" in given:
        kept["jwks_uri"] = _web_url("jwks_uri", given["jwks_uri"], https_only=True)
    if "jwks" in given:
        kept["jwks"] = _jwks(given["jwks"])
    return kept


def _web_url(member: str, value: object, *, https_only: bool = False) -> str:
    text = _text(member, value, MAX_TEXT)
    wanted = "https" if https_only else "http or https"
    if not _WEB_URL.fullmatch(text) or (https_only and not text.lower().startswith("https://")):
        raise _bad(member, f"it is not an {wanted} URL")
    return text


def _jwks(value: object) -> object:
    """A JWK Set that holds public keys only, of bounded size (RFC 7517 section 5)."""
    if not isinstance(value, dict) or not isinstance(value.get("keys"), list):
        raise _bad("jwks", "it is not a JWK Set")
    if not all(_is_flat(key) for key in value["keys"]):
        raise _bad(
            "jwks", "its keys must be objects whose members are plain values or lists of them"
        )
    if any(_PRIVATE & key.keys() for key in value["keys"]):
        raise _bad("jwks", "it must hold public keys only")
    kept = {"keys": value["keys"]}
    if len(json.dumps(kept)) > MAX_JWKS:
        raise _bad("jwks", f"it is larger than {MAX_JWKS} bytes")
    return kept


def _is_flat(key: object) -> bool:
    """Is `key` shaped like a JWK? Anything deeper or stranger might not be writable as JSON again:
    encoders differ in how deep they go, how large a number is, and what half a character is."""
    if not isinstance(key, dict):
        return False
    for name, value in key.items():
        texts = [name, *(value if isinstance(value, list) else [value])]
        if not all(_is_plain(text) for text in texts):
            return False
    return True


def _is_plain(value: object) -> bool:
    if isinstance(value, int):  # bool among them
        return abs(value) < 2**53
    return isinstance(value, str) and value.isascii()
