"""Secrets that stand in files of their own: `NAME_FILE` is where the value of NAME is read.

Container runtimes and systemd hand secrets over as files. In the environment every program that is
started inherits them, and `docker inspect` and `systemctl show` print them. Only settings that hold
a secret have such a name: for all others it would be a second way to say the same.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from pydantic import SecretStr

from authgate.settings.fields import Settings

SUFFIX = "_FILE"
LARGEST = 16 * 1024  # bytes; far more than any key, and no device or log read by mistake


class SecretFileUnusable(Exception):
    """The text says what is wrong with the file, and never what is in it."""


def names() -> Mapping[str, str]:
    """Of every setting that holds a secret: the name for its file, and its own name."""
    fields = Settings.model_fields.values()
    secret = [str(field.validation_alias) for field in fields if _holds_secret(field.annotation)]
    return {name + SUFFIX: name for name in secret}


def _holds_secret(annotation: object) -> bool:
    return annotation is SecretStr or any(map(_holds_secret, get_args(annotation)))


def read_all(given: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The settings that stand in files, and what is wrong with those that cannot be had.

    `given` is everything that is set, in the environment and in `.env`. Both names at once are
    refused wherever they stand: which of the two is the old secret, nobody can tell.
    """
    found: dict[str, str] = {}
    problems: list[str] = []
    for file_name, name in names().items():
        if not (path := given.get(file_name)):
            continue
        if given.get(name):
            problems.append(f"{file_name}: {name} is set too; leave one of the two.")
            continue
        try:
            found[name] = read(Path(os.path.expanduser(path)))  # noqa: PTH111 (the other one raises)
        except SecretFileUnusable as error:
            problems.append(f"{file_name}: {error}.")
    return found, problems


def read(path: Path) -> str:
    """The text of a secret's file, without the line's end that editors and `echo` leave.

    Raises `SecretFileUnusable`. Who else may read it is not looked at: runtimes mount such files
    readable for all inside a container of one user, and there is nobody to complain to.
    """
    try:
        # Not blocking, for a FIFO. The workers read their settings again, and would find it empty.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SecretFileUnusable(f"{path} is no ordinary file; write the secret into one")
            content = file.read(LARGEST + 1)
        text = content.decode("utf-8")
    except (OSError, ValueError) as error:
        if not os.path.lexists(path):
            # It may be the secret itself, written under the wrong one of the two names.
            raise SecretFileUnusable(
                "there is no such file; write the path of the file here, and the secret into it"
            ) from None
        raise SecretFileUnusable(
            f"{path} cannot be read ({type(error).__name__}); mend it, or who may read it"
        ) from None
    if len(content) > LARGEST:
        raise SecretFileUnusable(f"{path} is larger than {LARGEST} bytes; that is no secret")
    value = text.removesuffix("\n").removesuffix("\r")
    if not value.strip():
        raise SecretFileUnusable(f"{path} is empty; write the secret into it")
    return value
