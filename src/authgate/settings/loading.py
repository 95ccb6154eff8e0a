"""Reading the settings from the environment and `.env`, and telling every problem at once."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from authgate.settings import file as live_file
from authgate.settings import gateway, secret_files, supabase, workos
from authgate.settings.fields import DEFAULT_PORT, Settings
from authgate.settings.file import LiveSettings
from authgate.settings.values import LOOPBACK, PUBLIC_URL


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
        given = _given(file)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            [f"{file}: it cannot be read ({type(error).__name__}); mend or remove it."]
        ) from None
    problems = _unknown_names(given)
    from_files, found = secret_files.read_all(given)
    problems += found
    settings, found = _read(file, from_files)
    problems += found
    problems += _contradictions(settings)
    try:
        load_live(settings)
    except SettingsError as error:
        problems += error.problems
    if problems:
        raise SettingsError(problems)
    if settings.public_url is None:
        settings = settings.model_copy(update={"public_url": f"http://localhost:{port}"})
    return settings


def load_live(settings: Settings, *, must_exist: bool = False) -> LiveSettings:
    """What may change while the server runs, as the config file has it now.

    Raises `SettingsError` with everything that is wrong with it, and, where it must exist, a
    `FileNotFoundError` if it does not.
    """
    path = settings.config_file.expanduser()
    try:
        found = live_file.read(path) if must_exist else live_file.read_if_there(path)
    except live_file.FileWrong as error:
        raise SettingsError(error.problems) from None
    authkit = settings.issuer == "authkit"
    wrong = live_file.problems(found, name=path.name, offered=settings.scopes, authkit=authkit)
    if wrong:
        raise SettingsError(wrong)
    return found


def _given(file: Path) -> dict[str, str]:
    """Everything that is set, the environment before the file; empty means unset."""
    in_file = dotenv_values(file, interpolate=False) if file.is_file() else {}
    given = {name: value for name, value in in_file.items() if value}
    return given | {name: value for name, value in os.environ.items() if value}


def _read(file: Path, from_files: dict[str, str]) -> tuple[Settings, list[str]]:
    """The settings, wrong ones replaced by their default so that the rest can still be judged."""
    given: dict[str, Any] = dict(from_files)
    try:
        return Settings(_env_file=file, **given), []
    except ValidationError as error:
        problems: list[str] = []
        replaced: dict[str, Any] = {}
        for item in error.errors(include_url=False, include_input=False):
            name = str(item["loc"][0])
            problems.append(f"{name}: {_fix(item)}.")
            replaced[name] = _default_of(name)
        return Settings(_env_file=file, **(given | replaced)), problems


def _fix(item: ErrorDetails) -> str:
    """What to write instead. pydantic's own words say what is wrong, and not always what to do."""
    context = item.get("ctx", {})
    match item["type"]:
        case "literal_error" | "enum":
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


def _unknown_names(given: Iterable[str]) -> list[str]:
    known = {str(field.validation_alias) for field in Settings.model_fields.values()}
    known |= secret_files.names().keys()
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
    match = PUBLIC_URL.fullmatch(settings.public)
    plain = match and match["scheme"] == "http" and not LOOPBACK.fullmatch(match["host"])
    if plain and not settings.allow_http:
        problems.append(
            "AUTHGATE_PUBLIC_URL: plain http beyond this machine sends tokens in the clear; "
            "use https, or set AUTHGATE_ALLOW_HTTP=true in a network you trust."
        )
    chosen = settings.people_in == "supabase"
    problems += supabase.problems(settings, chosen=chosen, allow_http=settings.allow_http)
    problems += workos.problems(
        settings,
        authkit=settings.issuer == "authkit",
        social=settings.social_in == "workos",
        people_in_supabase=chosen,
        can_look_up=settings.supabase_high_key is not None,
        allow_http=settings.allow_http,
    )
    if settings.require_second_factor and not chosen:
        problems.append(
            "AUTHGATE_REQUIRE_SECOND_FACTOR: authgate's own people have no second factor, so "
            "nobody could sign in; unset it, or set SUPABASE_URL."
        )
    problems += gateway.problems(settings, own=f"{settings.public}/mcp")
    if settings.social == "supabase" and not chosen:
        problems.append(
            "AUTHGATE_SOCIAL: GitHub and Google through Supabase sign in the people of a project; "
            "set SUPABASE_URL (and leave AUTHGATE_PASSWORDS unset), or unset this."
        )
    return problems
