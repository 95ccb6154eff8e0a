"""One frozen `Settings`, read from the environment and `.env`; every problem reported at once.

Empty means unset, and in `.env` the last line wins. A name that begins with AUTHGATE_ and is not
known is refused, so that a typing error never passes for a setting (AUTHGATE_TEST_* is exempt).
Nothing below `app` sees this record: parts get small policies made from it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PositiveInt,
    SecretStr,
    ValidationError,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from authgate.protocol import redirect_uris, resources, scopes
from authgate.security.secret_file import SecretKeyUnusable
from authgate.security.vault import Vault

DEFAULT_PORT = 8000
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_PUBLIC_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?P<port>:[1-9][0-9]{0,4})?"
    r"(?P<path>(?:/[A-Za-z0-9._~-]+)*)",
    re.ASCII,
)
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s?#@]+", re.ASCII)
_LOOPBACK = re.compile(r"localhost|127(?:\.[0-9]{1,3}){3}|\[::1\]", re.ASCII)
_LIMIT = re.compile(r"[1-9][0-9]{0,6}/(?:[1-9][0-9]{0,3} ?)?(?:second|minute|hour|day)s?", re.ASCII)


def _split(value: object) -> object:
    return tuple(value.split()) if isinstance(value, str) else value


def _public_url(value: str) -> str:
    match = _PUBLIC_URL.fullmatch(value)
    if not match or int((match["port"] or ":0")[1:]) > 65535:
        raise ValueError(
            "write it as https://host or https://host/path, without a slash at the end and "
            "in lower case up to the path"
        )
    if match["port"] == {"https": ":443", "http": ":80"}[match["scheme"]]:
        # Browsers leave it out of the Origin they send, and the two would never be the same string.
        raise ValueError(f"leave out {match['port']}, which {match['scheme']} means anyway")
    return value


def _known_origins(names: tuple[str, ...]) -> tuple[str, ...]:
    if not all(_ORIGIN.fullmatch(name) for name in names):
        raise ValueError(
            "write origins (https://app.example), without a slash or path, separated by spaces"
        )
    return names


def _sqlite(value: str) -> str:
    if not value.startswith("sqlite:///"):
        raise ValueError("this version stores in SQLite only; write sqlite:///PATH")
    path = value.removeprefix("sqlite:///")
    if not path or path == ":memory:" or "?" in path:
        raise ValueError(
            "write the path of a file, without parameters: sqlite:////var/lib/authgate/authgate.db"
        )
    return value


def _strong(value: SecretStr) -> SecretStr:
    try:
        Vault.from_setting(value.get_secret_value())
    except SecretKeyUnusable as error:
        raise ValueError(str(error).removeprefix("AUTHGATE_SECRET_KEY ").rstrip(".")) from None
    return value


def _known_scopes(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names or not all(scopes.is_token(name) for name in names):
        raise ValueError("write scope names separated by spaces, for example: mcp:use")
    return names


def _known_resources(names: tuple[str, ...]) -> tuple[str, ...]:
    if any(resources.canonical(name) is None for name in names):
        raise ValueError("write absolute http(s) URLs without fragment, separated by spaces")
    return names


def _known_schemes(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        bad = name in redirect_uris.NEVER or name in ("http", "https")
        if bad or not re.fullmatch(r"[a-z][a-z0-9+.-]*", name, re.ASCII):
            raise ValueError(
                f"{name!r} cannot be allowed; write private-use schemes: cursor vscode"
            )
    return names


def _known_networks(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        try:
            ip_network(name, strict=False)
        except ValueError:
            raise ValueError("write addresses or CIDR ranges, for example: 10.0.0.0/8") from None
    return names


def _limit(value: str) -> str:
    if not _LIMIT.fullmatch(value):
        raise ValueError("write a count and a time, for example: 10/minute or 100/5 seconds")
    return value


def _level(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Limit = Annotated[str, AfterValidator(_limit)]


class Settings(BaseSettings):
    """Every setting with its default. The description is the line `.env.example` has for it."""

    model_config = SettingsConfigDict(
        case_sensitive=True, env_ignore_empty=True, extra="ignore", frozen=True, env_prefix=""
    )

    public_url: Annotated[str, AfterValidator(_public_url)] | None = Field(
        None,
        validation_alias="AUTHGATE_PUBLIC_URL",
        description="The URL clients use, exactly, without a slash at the end.",
        json_schema_extra={"shown": "http://localhost:8000"},
    )
    data_dir: Path = Field(
        Path("~/.local/share/authgate"),
        validation_alias="AUTHGATE_DATA_DIR",
        description="Folder of the SQLite file and the secret key file.",
    )
    database_url: Annotated[str, AfterValidator(_sqlite)] | None = Field(
        None,
        validation_alias="AUTHGATE_DATABASE_URL",
        description="sqlite:///PATH; SQLite in the data folder if unset.",
    )
    secret_key: Annotated[SecretStr, AfterValidator(_strong)] | None = Field(
        None,
        validation_alias="AUTHGATE_SECRET_KEY",
        description="One or more keys of 32+ characters, newest first, comma-separated; "
        "a file in the data folder if unset.",
    )
    issuer: Literal["builtin", "authkit"] = Field(
        "builtin", validation_alias="AUTHGATE_ISSUER", description="Who issues tokens: builtin."
    )
    passwords: Literal["embedded", "supabase"] | None = Field(
        None,
        validation_alias="AUTHGATE_PASSWORDS",
        description="The directory that owns passwords: embedded.",
        json_schema_extra={"shown": "embedded"},
    )
    social: Literal["none", "supabase", "workos"] | None = Field(
        None,
        validation_alias="AUTHGATE_SOCIAL",
        description="The directory that owns GitHub and Google: none.",
        json_schema_extra={"shown": "none"},
    )
    scopes: Annotated[Words, AfterValidator(_known_scopes)] = Field(
        ("mcp:use",),
        validation_alias="AUTHGATE_SCOPES",
        description="Scopes on offer, separated by spaces; all of them if a client asks for none.",
    )
    resources: Annotated[Words, AfterValidator(_known_resources)] = Field(
        (),
        validation_alias="AUTHGATE_RESOURCES",
        description="Further resources that verify our tokens themselves, separated by spaces.",
    )
    code_ttl: PositiveInt = Field(
        60, validation_alias="AUTHGATE_CODE_TTL", description="Life of a code in seconds.", le=600
    )
    access_token_ttl: PositiveInt = Field(
        3600,
        validation_alias="AUTHGATE_ACCESS_TOKEN_TTL",
        description="Life of an access token in seconds.",
        le=86_400,
    )
    refresh_token_ttl: PositiveInt = Field(
        2_592_000,
        validation_alias="AUTHGATE_REFRESH_TOKEN_TTL",
        description="Idle life of a refresh token in seconds.",
    )
    refresh_grace: int = Field(
        60,
        validation_alias="AUTHGATE_REFRESH_GRACE",
        description="Seconds in which a repeated refresh gets the same answer.",
        ge=0,
        le=600,
    )
    signing_alg: Literal["ES256", "RS256"] = Field(
        "ES256",
        validation_alias="AUTHGATE_SIGNING_ALG",
        description="Algorithm of signing keys that are made: ES256 or RS256.",
    )
    redirect_schemes: Annotated[Words, AfterValidator(_known_schemes)] = Field(
        ("cursor",),
        validation_alias="AUTHGATE_REDIRECT_SCHEMES",
        description="Private-use schemes a redirect URI may have, separated by spaces.",
    )
    limit_account: Limit = Field(
        "10/minute",
        validation_alias="AUTHGATE_LIMIT_ACCOUNT",
        description="Failed sign-ins of one account; a right one clears them.",
    )
    limit_address: Limit = Field(
        "200/minute",
        validation_alias="AUTHGATE_LIMIT_ADDRESS",
        description="Failed sign-ins from one address.",
    )
    limit_registration: Limit = Field(
        "100/5 seconds",
        validation_alias="AUTHGATE_LIMIT_REGISTRATION",
        description="Client registrations from one address.",
    )
    limit_client: Limit = Field(
        "60/minute",
        validation_alias="AUTHGATE_LIMIT_CLIENT",
        description="Wrong client secrets of one client from one address.",
    )
    allowed_origins: Annotated[Words, AfterValidator(_known_origins)] = Field(
        (),
        validation_alias="AUTHGATE_ALLOWED_ORIGINS",
        description="Web origins that may call /mcp besides our own and loopback.",
    )
    trusted_proxies: Annotated[Words, AfterValidator(_known_networks)] = Field(
        (),
        validation_alias="AUTHGATE_TRUSTED_PROXIES",
        description="Addresses or CIDR ranges whose X-Forwarded-For is believed.",
    )
    allow_http: bool = Field(
        False,
        validation_alias="AUTHGATE_ALLOW_HTTP",
        description="Allow a plain http public URL beyond loopback: true or false.",
    )
    tool_passwords: bool = Field(
        True,
        validation_alias="AUTHGATE_TOOL_PASSWORDS",
        description="Whether oauth_authenticate takes passwords: true or false.",
    )
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_level)
    ] = Field("INFO", validation_alias="LOG_LEVEL", description="DEBUG, INFO, WARNING or ERROR.")
    workos_api_key: SecretStr | None = Field(
        None,
        validation_alias="WORKOS_API_KEY",
        description="WorkOS API key (sk_...); nothing uses it yet.",
    )
    workos_client_id: str | None = Field(
        None,
        validation_alias="WORKOS_CLIENT_ID",
        description="WorkOS client id (client_...); nothing uses it yet.",
    )
    workos_api_url: str = Field(
        "https://api.workos.com",
        validation_alias="WORKOS_API_URL",
        description="WorkOS API address; nothing uses it yet.",
    )
    supabase_url: str | None = Field(
        None,
        validation_alias="SUPABASE_URL",
        description="A Supabase project; refused yet, unless AUTHGATE_PASSWORDS=embedded is set.",
    )

    @property
    def public(self) -> str:
        """The public URL; with the default port when none is set."""
        return self.public_url or f"http://localhost:{DEFAULT_PORT}"

    @property
    def data_folder(self) -> Path:
        return self.data_dir.expanduser()

    @property
    def sqlite_path(self) -> Path:
        """The SQLite file: the one of the database URL, else the one in the data folder."""
        if self.database_url is not None:
            return Path(self.database_url.removeprefix("sqlite:///")).expanduser()
        return self.data_folder / "authgate.db"


class SettingsError(Exception):
    """All problems of the settings, each a sentence with the name of the setting and the fix."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(env_file: Path | None = None, *, port: int = DEFAULT_PORT) -> Settings:
    """Read the settings; raises `SettingsError` with everything that is wrong, at once.

    `env_file` is `.env` in the working folder unless given. `port` is what an unset public URL
    names.
    """
    file = env_file if env_file is not None else Path(".env")
    try:
        problems = _unknown_names(file)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            [f"{file}: it cannot be read ({type(error).__name__}); mend or remove it."]
        ) from None
    settings, found = _read(file)
    problems += found
    problems += _contradictions(settings)
    if problems:
        raise SettingsError(problems)
    if settings.public_url is None:
        settings = settings.model_copy(update={"public_url": f"http://localhost:{port}"})
    return settings


def _read(file: Path) -> tuple[Settings, list[str]]:
    """The settings, wrong ones replaced by their default so that the rest can still be judged."""
    try:
        return Settings(_env_file=file), []
    except ValidationError as error:
        problems: list[str] = []
        replaced: dict[str, Any] = {}
        for item in error.errors(include_url=False, include_input=False):
            name = str(item["loc"][0])
            problems.append(f"{name}: {_fix(item)}.")
            replaced[name] = _default_of(name)
        return Settings(_env_file=file, **replaced), problems


def _fix(item: ErrorDetails) -> str:
    """What to write instead. pydantic's own words say what is wrong, and not always what to do."""
    context = item.get("ctx", {})
    match item["type"]:
        case "literal_error":
            return f"write {context['expected']}".replace("'", "")
        case "int_parsing" | "int_from_float":
            return "write a whole number"
        case "bool_parsing":
            return "write true or false"
        case "greater_than":
            return f"write a number above {context['gt']}"
        case "greater_than_equal":
            return f"write {context['ge']} or more"
        case "less_than_equal":
            return f"write {context['le']} or less"
        case _:
            return item["msg"].removeprefix("Value error, ")


def _default_of(name: str) -> object:
    for field in Settings.model_fields.values():
        if field.validation_alias == name:
            return field.default
    return None


def _unknown_names(file: Path) -> list[str]:
    known = {str(field.validation_alias) for field in Settings.model_fields.values()}
    given = {name for name, value in os.environ.items() if value}
    if file.is_file():
        given |= {name for name, value in dotenv_values(file, interpolate=False).items() if value}
    return [
        f"{name}: there is no such setting; see .env.example for the names."
        for name in sorted(given)
        if name.startswith("AUTHGATE_")
        and not name.startswith("AUTHGATE_TEST_")
        and name not in known
    ]


def _contradictions(settings: Settings) -> list[str]:
    """What no single setting shows: combinations, and what this version does not have."""
    problems = []
    match = _PUBLIC_URL.fullmatch(settings.public)
    plain = match and match["scheme"] == "http" and not _LOOPBACK.fullmatch(match["host"])
    if plain and not settings.allow_http:
        problems.append(
            "AUTHGATE_PUBLIC_URL: plain http beyond this machine sends tokens in the clear; "
            "use https, or set AUTHGATE_ALLOW_HTTP=true in a network you trust."
        )
    if settings.issuer == "authkit":
        problems.append("AUTHGATE_ISSUER: this version has the builtin issuer only; unset it.")
    if settings.passwords == "supabase" or (settings.supabase_url and settings.passwords is None):
        problems.append(
            "SUPABASE_URL: this version cannot check passwords at Supabase yet; unset it, or set "
            "AUTHGATE_PASSWORDS=embedded to go on with authgate's own people."
        )
    if settings.social not in (None, "none"):
        problems.append("AUTHGATE_SOCIAL: this version offers no GitHub or Google sign-in yet.")
    return problems


def environment_names() -> Mapping[str, str]:
    """Every setting's name with its line, for `.env.example` and the tests of the docs."""
    return {
        str(field.validation_alias): str(field.description)
        for field in Settings.model_fields.values()
    }
