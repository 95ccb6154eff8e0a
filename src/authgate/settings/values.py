"""How single values of settings are read, and what is said of the wrong ones."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from authgate.protocol import redirect_uris, resources, scopes
from authgate.security.secret_file import SecretKeyUnusable
from authgate.security.vault import Vault

PUBLIC_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?P<port>:[1-9][0-9]{0,4})?"
    r"(?P<path>(?:/[A-Za-z0-9._~-]+)*)",
    re.ASCII,
)
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s?#@]+", re.ASCII)
LOOPBACK = re.compile(r"localhost|127(?:\.[0-9]{1,3}){3}|\[::1\]", re.ASCII)
_LIMIT_STORE = re.compile(
    r"(?:(?:rediss?|valkeys?)://(?:[A-Za-z0-9._~%!$&'()*+,;=-]*:[A-Za-z0-9._~%!$&'()*+,;=-]+@)?"
    r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?(?:/[0-9]{0,3})?"
    r"|unix://(?:[A-Za-z0-9._~%-]*:[A-Za-z0-9._~%-]+@)?/[A-Za-z0-9._/-]+)",
    re.ASCII,
)
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_LIMIT = re.compile(r"[1-9][0-9]{0,6}/(?:[1-9][0-9]{0,3} ?)?(?:second|minute|hour|day)s?", re.ASCII)


def split(value: object) -> object:
    return tuple(value.split()) if isinstance(value, str) else value


def public_url(value: str) -> str:
    match = PUBLIC_URL.fullmatch(value)
    if not match or int((match["port"] or ":0")[1:]) > 65535:
        raise ValueError(
            "write it as https://host or https://host/path, without a slash at the end and "
            "in lower case up to the path"
        )
    if match["port"] == {"https": ":443", "http": ":80"}[match["scheme"]]:
        # Browsers leave it out of the Origin they send, and the two would never be the same string.
        raise ValueError(f"leave out {match['port']}, which {match['scheme']} means anyway")
    return value


def service_url(value: str) -> str:
    """The address of a service that is called, for paths to be put behind it."""
    match = PUBLIC_URL.fullmatch(value.rstrip("/"))
    if not match or int((match["port"] or ":0")[1:]) > 65535:
        raise ValueError("write it as https://host or https://host/path, in lower case")
    return value.rstrip("/")


def supabase_project(value: str) -> str:
    """The project's address; what people copy from an API's page has a path behind it."""
    url = service_url(value)
    for path in ("/auth/v1", "/rest/v1"):
        if url.endswith(path):
            raise ValueError(f"leave out {path}: write the project's URL alone")
    return url


def plain_beyond_loopback(url: str) -> bool:
    """Would what is sent there cross a network in the clear?"""
    parts = urlsplit(url)
    host = parts.netloc.rpartition(":")[0] if parts.port else parts.netloc
    return parts.scheme == "http" and not LOOPBACK.fullmatch(host)


def header_key(value: SecretStr) -> SecretStr:
    # It goes into a header as it is, and a line break that a copy brought along would be refused
    # there with every call.
    text = value.get_secret_value()
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("copy the key again: it holds a space or a character that no key has")
    return value


def known_origins(names: tuple[str, ...]) -> tuple[str, ...]:
    if not all(_ORIGIN.fullmatch(name) for name in names):
        raise ValueError(
            "write origins (https://app.example), without a slash or path, separated by spaces"
        )
    return names


def strong(value: SecretStr) -> SecretStr:
    try:
        Vault.from_setting(value.get_secret_value())
    except SecretKeyUnusable as error:
        raise ValueError(str(error).removeprefix("AUTHGATE_SECRET_KEY ").rstrip(".")) from None
    return value


def known_scopes(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names or not all(scopes.is_token(name) for name in names):
        raise ValueError("write scope names separated by spaces, for example: mcp:use")
    if scopes.OFFLINE_ACCESS in names:
        raise ValueError(
            f"leave out {scopes.OFFLINE_ACCESS}: it is accepted from everybody and opens nothing"
        )
    return names


def known_resources(names: tuple[str, ...]) -> tuple[str, ...]:
    if any(resources.canonical(name) is None for name in names):
        raise ValueError("write absolute http(s) URLs without fragment, separated by spaces")
    return names


def known_schemes(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        bad = name in redirect_uris.NEVER or name in ("http", "https")
        if bad or not re.fullmatch(r"[a-z][a-z0-9+.-]*", name, re.ASCII):
            raise ValueError(
                f"{name!r} cannot be allowed; write private-use schemes: cursor vscode"
            )
    return names


def known_networks(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        try:
            network = ip_network(name, strict=False)
        except ValueError:
            raise ValueError("write addresses or CIDR ranges, for example: 10.0.0.0/8") from None
        if network.prefixlen == 0:
            # Every caller would choose its own address, and no throttle would count anybody twice.
            raise ValueError(f"write where your proxies call from; {name} is everybody")
    return names


def bind(value: str) -> str:
    """An address of this machine and a port; names would have to be looked up."""
    host, _, port = value.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if (":" in bare) == (bare == host) or not _PORT.fullmatch(port) or int(port) > 65535:
        raise ValueError("write an address and a port: 127.0.0.1:9464")
    try:
        ip_address(bare)
    except ValueError:
        raise ValueError("write an address and a port: 127.0.0.1:9464") from None
    return value


def limit(value: str) -> str:
    if not _LIMIT.fullmatch(value):
        raise ValueError("write a count and a time, for example: 10/minute or 100/5 seconds")
    return value


def limit_store(value: SecretStr) -> SecretStr:
    # Checked by hand: the client would take options from the query, such as not to look at a
    # certificate, and say nothing of what it does not know.
    match = _LIMIT_STORE.fullmatch(value.get_secret_value())
    if not match or not 1 <= int(match["port"] or 1) <= 65535:
        raise ValueError(
            "write redis://HOST:PORT or rediss://USER:PASSWORD@HOST:PORT/0 (valkey:// and "
            "valkeys:// do as well), or unix:///PATH; percent-encode what is not a letter or digit "
            "in the password"
        )
    return value


def upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split)]
Limit = Annotated[str, AfterValidator(limit)]
