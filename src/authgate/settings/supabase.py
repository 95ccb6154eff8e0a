"""The settings of a Supabase project, and what cannot be right about them together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings

from authgate.settings import values

_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}", re.ASCII)


def _header(value: str) -> str:
    if not _HEADER.fullmatch(value):
        raise ValueError("write the name of a header, for example: X-Forwarded-For")
    return value


Key = Annotated[SecretStr, AfterValidator(values.header_key)]


class SupabaseSettings(BaseSettings):
    """The project's own names are Supabase's, so that a `.env` made for its apps fits."""

    supabase_url: Annotated[str, AfterValidator(values.supabase_project)] | None = Field(
        None,
        validation_alias="SUPABASE_URL",
        description="Your Supabase project; its people sign in with the passwords they have.",
    )
    supabase_publishable_key: Key | None = Field(
        None,
        validation_alias="SUPABASE_PUBLISHABLE_KEY",
        description="The project's publishable key (sb_publishable_...), needed with SUPABASE_URL.",
    )
    supabase_anon_key: Key | None = Field(
        None,
        validation_alias="SUPABASE_ANON_KEY",
        description="The older key in its place; used where no publishable key is set.",
    )
    supabase_secret_key: Key | None = Field(
        None,
        validation_alias="SUPABASE_SECRET_KEY",
        description="A secret key (sb_secret_...): bans and deletions are seen on every refresh.",
    )
    supabase_service_role_key: Key | None = Field(
        None,
        validation_alias="SUPABASE_SERVICE_ROLE_KEY",
        description="The older key in its place; used where no secret key is set.",
    )
    supabase_auth_url: Annotated[str, AfterValidator(values.service_url)] | None = Field(
        None,
        validation_alias="AUTHGATE_SUPABASE_AUTH_URL",
        description="Root of the Auth API, where it is not SUPABASE_URL with /auth/v1.",
    )
    supabase_forward_address: bool = Field(
        False,
        validation_alias="AUTHGATE_SUPABASE_FORWARD_ADDRESS",
        description="Tell Supabase each visitor's address, so that it limits them one by one: "
        "true or false.",
    )
    supabase_forward_header: Annotated[str, AfterValidator(_header)] = Field(
        "Sb-Forwarded-For",
        validation_alias="AUTHGATE_SUPABASE_FORWARD_HEADER",
        description="Header for it; X-Forwarded-For for a server of your own that believes it.",
    )
    supabase_social_with_autoconfirm: bool = Field(
        False,
        validation_alias="AUTHGATE_SUPABASE_SOCIAL_WITH_AUTOCONFIRM",
        description="Allow GitHub and Google though the project confirms no addresses (unsafe): "
        "true or false.",
    )
    supabase_outage_grace: int = Field(
        900,
        validation_alias="AUTHGATE_SUPABASE_OUTAGE_GRACE",
        description="Seconds for which connections go on while Supabase cannot be asked.",
        ge=0,
        le=86_400,
    )
    supabase_keep_session: bool = Field(
        False,
        validation_alias="AUTHGATE_SUPABASE_KEEP_SESSION",
        description="Keep people's sessions there, encrypted, so that sign-outs there are felt "
        "here: true or false.",
    )

    @property
    def supabase_low_key(self) -> SecretStr | None:
        """The key that every call carries."""
        return self.supabase_publishable_key or self.supabase_anon_key

    @property
    def supabase_high_key(self) -> SecretStr | None:
        """The key that may do everything, if there is one."""
        return self.supabase_secret_key or self.supabase_service_role_key

    @property
    def supabase_auth(self) -> str:
        """The root of the Auth API."""
        return self.supabase_auth_url or f"{self.supabase_url}/auth/v1"


def problems(settings: SupabaseSettings, *, chosen: bool, allow_http: bool) -> Iterator[str]:
    """What is missing or dangerous; `chosen`: the project's people are those who sign in here."""
    if not chosen:
        return
    if settings.supabase_url is None:
        yield (
            "AUTHGATE_PASSWORDS: supabase needs SUPABASE_URL (https://<ref>.supabase.co); set it, "
            "or unset AUTHGATE_PASSWORDS."
        )
    if settings.supabase_low_key is None:
        yield (
            "SUPABASE_PUBLISHABLE_KEY: no sign-in works without it; copy it (or SUPABASE_ANON_KEY) "
            "from the project's API keys, or set AUTHGATE_PASSWORDS=embedded."
        )
    for name, url in (
        ("SUPABASE_URL", settings.supabase_url),
        ("AUTHGATE_SUPABASE_AUTH_URL", settings.supabase_auth_url),
    ):
        if url is not None and not allow_http and values.plain_beyond_loopback(url):
            yield (
                f"{name}: plain http beyond this machine sends passwords in the clear; use https, "
                f"or set AUTHGATE_ALLOW_HTTP=true in a network you trust."
            )
