"""Every setting with its default and the line that explains it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PositiveInt, SecretStr
from pydantic_settings import SettingsConfigDict

from authgate.settings import database, values
from authgate.settings.gateway import GatewaySettings
from authgate.settings.supabase import SupabaseSettings
from authgate.settings.values import Limit, Words
from authgate.settings.workos import WorkOSSettings

DEFAULT_PORT = 8000


class Settings(SupabaseSettings, WorkOSSettings, GatewaySettings):
    """Every setting with its default. The description is the line `.env.example` has for it."""

    model_config = SettingsConfigDict(
        case_sensitive=True, env_ignore_empty=True, extra="ignore", frozen=True, env_prefix=""
    )

    public_url: Annotated[str, AfterValidator(values.public_url)] | None = Field(
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
    database_url: Annotated[SecretStr, AfterValidator(database.url)] | None = Field(
        None,
        validation_alias="AUTHGATE_DATABASE_URL",
        description="sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE; SQLite in the "
        "data folder if unset.",
    )
    database_schema: Annotated[str, AfterValidator(database.schema)] = Field(
        "authgate",
        validation_alias="AUTHGATE_DATABASE_SCHEMA",
        description="Schema of authgate's tables on PostgreSQL; made if it is not there.",
    )
    database_pool: PositiveInt = Field(
        10,
        validation_alias="AUTHGATE_DATABASE_POOL",
        description="Connections to PostgreSQL that one worker may open.",
        le=200,
    )
    database_prepare: Literal["auto", "true", "false"] = Field(
        "auto",
        validation_alias="AUTHGATE_DATABASE_PREPARE",
        description="Prepared statements on PostgreSQL: auto (until a pooler refuses them), true "
        "or false.",
    )
    secret_key: Annotated[SecretStr, AfterValidator(values.strong)] | None = Field(
        None,
        validation_alias="AUTHGATE_SECRET_KEY",
        description="One or more keys of 32+ characters, newest first, comma-separated; "
        "a file in the data folder if unset.",
    )
    issuer: Literal["builtin", "authkit"] = Field(
        "builtin",
        validation_alias="AUTHGATE_ISSUER",
        description="Who issues tokens: builtin or authkit.",
    )
    passwords: Literal["embedded", "supabase"] | None = Field(
        None,
        validation_alias="AUTHGATE_PASSWORDS",
        description="The directory that owns passwords: embedded, or supabase if SUPABASE_URL is "
        "set.",
        json_schema_extra={"shown": "embedded"},
    )
    social: Literal["none", "supabase", "workos"] | None = Field(
        None,
        validation_alias="AUTHGATE_SOCIAL",
        description="The directory that owns GitHub and Google: workos if its key and client id "
        "are set, else supabase if SUPABASE_URL is, else none.",
        json_schema_extra={"shown": "none"},
    )
    scopes: Annotated[Words, AfterValidator(values.known_scopes)] = Field(
        ("mcp:use",),
        validation_alias="AUTHGATE_SCOPES",
        description="Scopes on offer, separated by spaces; all of them if a client asks for none.",
    )
    resources: Annotated[Words, AfterValidator(values.known_resources)] = Field(
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
    key_rotation_days: int = Field(
        30,
        validation_alias="AUTHGATE_KEY_ROTATION_DAYS",
        description="Days after which a new signing key follows by itself; 0: never.",
        ge=0,
        le=3650,
    )
    audit_days: int = Field(
        365,
        validation_alias="AUTHGATE_AUDIT_DAYS",
        description="Days for which the audit trail is kept; 0: for ever.",
        ge=0,
        le=36_500,
    )
    redirect_schemes: Annotated[Words, AfterValidator(values.known_schemes)] = Field(
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
    limit_factor: Limit = Field(
        "20/hour",
        validation_alias="AUTHGATE_LIMIT_FACTOR",
        description="Wrong second factors of one account.",
    )
    limit_registration: Limit = Field(
        "100/5 seconds",
        validation_alias="AUTHGATE_LIMIT_REGISTRATION",
        description="Client registrations from one address.",
    )
    limit_authorization: Limit = Field(
        "100/5 seconds",
        validation_alias="AUTHGATE_LIMIT_AUTHORIZATION",
        description="Authorization requests opened from one address.",
    )
    limit_client: Limit = Field(
        "60/minute",
        validation_alias="AUTHGATE_LIMIT_CLIENT",
        description="Wrong client secrets of one client from one address.",
    )
    limits_url: Annotated[SecretStr, AfterValidator(values.limit_store)] | None = Field(
        None,
        validation_alias="AUTHGATE_LIMITS_URL",
        description="redis://, rediss:// or unix:// of the Redis or Valkey in which all nodes "
        "count limits; each process by itself if unset.",
    )
    allowed_origins: Annotated[Words, AfterValidator(values.known_origins)] = Field(
        (),
        validation_alias="AUTHGATE_ALLOWED_ORIGINS",
        description="Web origins that may call /mcp besides our own and loopback.",
    )
    trusted_proxies: Annotated[Words, AfterValidator(values.known_networks)] = Field(
        (),
        validation_alias="AUTHGATE_TRUSTED_PROXIES",
        description="Addresses or CIDR ranges whose X-Forwarded-For, X-Request-Id and "
        "traceparent are believed.",
    )
    allow_http: bool = Field(
        False,
        validation_alias="AUTHGATE_ALLOW_HTTP",
        description="Allow plain http beyond loopback, for the public URL and Supabase: "
        "true or false.",
    )
    tool_passwords: bool = Field(
        True,
        validation_alias="AUTHGATE_TOOL_PASSWORDS",
        description="Whether oauth_authenticate takes passwords: true or false.",
    )
    require_second_factor: bool = Field(
        False,
        validation_alias="AUTHGATE_REQUIRE_SECOND_FACTOR",
        description="Demand a second factor from everybody (Supabase's people only): "
        "true or false.",
    )
    metrics_bind: Annotated[str, AfterValidator(values.bind)] | None = Field(
        None,
        validation_alias="AUTHGATE_METRICS_BIND",
        description="Address and port at which Prometheus finds /metrics: 127.0.0.1:9464; nothing "
        "is counted if unset.",
    )
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(values.upper)
    ] = Field("INFO", validation_alias="LOG_LEVEL", description="DEBUG, INFO, WARNING or ERROR.")

    @property
    def public(self) -> str:
        """The public URL; with the default port when none is set."""
        return self.public_url or f"http://localhost:{DEFAULT_PORT}"

    @property
    def people_in(self) -> Literal["embedded", "supabase"]:
        """The one directory whose people sign in, with a password at least."""
        return self.passwords or ("supabase" if self.supabase_url else "embedded")

    @property
    def social_in(self) -> Literal["none", "supabase", "workos"]:
        """The directory that is asked for GitHub and Google; what it offers it says itself.

        Never WorkOS by default where AuthKit issues: it would know the same person twice.
        """
        if self.social is not None:
            return self.social
        if self.issuer == "builtin" and self.workos_api_key and self.workos_client_id:
            return "workos"
        return "supabase" if self.people_in == "supabase" else "none"

    @property
    def data_folder(self) -> Path:
        return self.data_dir.expanduser()

    @property
    def sqlite_path(self) -> Path:
        """The SQLite file: the one of the database URL, else the one in the data folder."""
        if self.database_url is not None:
            url = self.database_url.get_secret_value()
            return Path(url.removeprefix("sqlite:///")).expanduser()
        return self.data_folder / "authgate.db"

    @property
    def postgres_url(self) -> str | None:
        """The database URL if it is PostgreSQL's; the password is in it."""
        url = self.database_url.get_secret_value() if self.database_url else ""
        return None if not url or url.startswith("sqlite:") else url

    @property
    def store_advice(self) -> str:
        """What to look at when the store is in trouble."""
        if self.postgres_url is not None:
            return "Check AUTHGATE_DATABASE_URL and the database that it names."
        return "Check AUTHGATE_DATA_DIR (its disk and permissions)."

    @property
    def store_name(self) -> str:
        """Where everything is kept, for people: the SQLite file, or PostgreSQL without secrets."""
        url = self.postgres_url
        if url is None:
            return str(self.sqlite_path)
        return f"{database.without_secrets(url)} (schema {self.database_schema})"


def environment_names() -> Mapping[str, str]:
    """Every setting's name with its line, for `.env.example` and the tests of the docs."""
    return {
        str(field.validation_alias): str(field.description)
        for field in Settings.model_fields.values()
    }
