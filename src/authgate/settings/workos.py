"""The settings of a WorkOS environment, and what cannot be right about them together.

`WORKOS_API_KEY`, `WORKOS_CLIENT_ID` and `WORKOS_API_URL` are one environment's. They serve either
use: AuthKit as the issuer of the tokens, or GitHub and Google as a way to sign in to ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings

from authgate.settings import values
from authgate.settings.values import Words

PROVIDERS = ("github", "google", "authkit")


def _domain(value: str) -> str:
    """The dashboard shows it without a scheme, metadata with one; both are taken."""
    url = values.service_url(value if "://" in value else f"https://{value}")
    if "/" in url.partition("://")[2]:
        raise ValueError("write the AuthKit domain alone: https://your-name.authkit.app")
    return url


def _providers(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names or not set(names) <= set(PROVIDERS):
        raise ValueError(f"write one or more of {', '.join(PROVIDERS)}, separated by spaces")
    return tuple(dict.fromkeys(names))


class WorkOSSettings(BaseSettings):
    """The guide's names where it has them."""

    workos_api_key: Annotated[SecretStr, AfterValidator(values.header_key)] | None = Field(
        None,
        validation_alias="WORKOS_API_KEY",
        description="WorkOS API key (sk_...), of the same environment as the client id.",
    )
    workos_client_id: str | None = Field(
        None,
        validation_alias="WORKOS_CLIENT_ID",
        description="WorkOS client id (client_...); with the key, GitHub and Google go through "
        "WorkOS.",
    )
    workos_api_url: Annotated[str, AfterValidator(values.service_url)] = Field(
        "https://api.workos.com",
        validation_alias="WORKOS_API_URL",
        description="WorkOS API address.",
    )
    workos_authkit_domain: Annotated[str, AfterValidator(_domain)] | None = Field(
        None,
        validation_alias="WORKOS_AUTHKIT_DOMAIN",
        description="The AuthKit domain (https://your-name.authkit.app) that issues the tokens, "
        "needed with AUTHGATE_ISSUER=authkit.",
    )
    workos_webhook_secret: Annotated[SecretStr, AfterValidator(values.header_key)] | None = Field(
        None,
        validation_alias="WORKOS_WEBHOOK_SECRET",
        description="Secret of the webhook endpoint; opens /webhooks/workos.",
    )
    workos_providers: Annotated[Words, AfterValidator(_providers)] = Field(
        ("github", "google"),
        validation_alias="AUTHGATE_WORKOS_PROVIDERS",
        description="What WorkOS is offered for: github, google, authkit (its hosted page), "
        "separated by spaces.",
    )
    link_verified_email: bool = Field(
        False,
        validation_alias="AUTHGATE_LINK_VERIFIED_EMAIL",
        description="Link a WorkOS sign-in to the Supabase person with the same address, verified "
        "on both sides: true or false.",
    )
    accept_client_id_audience: bool = Field(
        False,
        validation_alias="AUTHGATE_ACCEPT_CLIENT_ID_AUDIENCE",
        description="Take AuthKit tokens whose audience is WORKOS_CLIENT_ID, from clients that "
        "name no resource: true or false.",
    )


def problems(
    settings: WorkOSSettings,
    *,
    authkit: bool,
    social: bool,
    people_in_supabase: bool,
    can_look_up: bool,
    allow_http: bool,
) -> Iterator[str]:
    """What is missing or dangerous.

    `authkit`: AuthKit issues the tokens. `social`: WorkOS owns GitHub and Google. `can_look_up`:
    a secret key is there to find a Supabase person with.
    """
    if authkit:
        yield from _problems_of_authkit(settings, social=social)
    elif social:
        yield from _problems_of_social(
            settings, people_in_supabase=people_in_supabase, can_look_up=can_look_up
        )
    if not authkit and not social:
        return
    for name, url in (
        ("WORKOS_API_URL", settings.workos_api_url),
        ("WORKOS_AUTHKIT_DOMAIN", settings.workos_authkit_domain),
    ):
        if url is not None and not allow_http and values.plain_beyond_loopback(url):
            yield (
                f"{name}: plain http beyond this machine sends keys in the clear; use https, or "
                f"set AUTHGATE_ALLOW_HTTP=true in a network you trust."
            )


def _problems_of_authkit(settings: WorkOSSettings, *, social: bool) -> Iterator[str]:
    if settings.workos_authkit_domain is None:
        yield (
            "WORKOS_AUTHKIT_DOMAIN: AUTHGATE_ISSUER=authkit needs it; copy the AuthKit domain from "
            "Domains in the WorkOS dashboard, or unset AUTHGATE_ISSUER to issue tokens here."
        )
    if settings.workos_api_key is None:
        yield (
            "WORKOS_API_KEY: AUTHGATE_ISSUER=authkit needs it to tell AuthKit who signed in; copy "
            "it from API keys in the WorkOS dashboard."
        )
    if settings.accept_client_id_audience and settings.workos_client_id is None:
        yield (
            "AUTHGATE_ACCEPT_CLIENT_ID_AUDIENCE: it accepts the audience WORKOS_CLIENT_ID; set "
            "that, or unset this."
        )
    if social:
        yield (
            "AUTHGATE_SOCIAL: with AUTHGATE_ISSUER=authkit a sign-in at WorkOS would make a second "
            "WorkOS user of the same person; set it to supabase or none, or unset it."
        )


def _problems_of_social(
    settings: WorkOSSettings, *, people_in_supabase: bool, can_look_up: bool
) -> Iterator[str]:
    if settings.workos_api_key is None or settings.workos_client_id is None:
        yield (
            "AUTHGATE_SOCIAL: workos needs WORKOS_API_KEY and WORKOS_CLIENT_ID; copy both from API "
            "keys in the WorkOS dashboard, or unset this."
        )
    if people_in_supabase and not can_look_up:
        yield (
            "SUPABASE_SECRET_KEY: GitHub and Google through WorkOS need it to find the Supabase "
            "person who signs in; set it, or AUTHGATE_SOCIAL=supabase to ask Supabase for them."
        )
