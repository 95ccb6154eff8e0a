"""The secret.key file: where the vault's secret lives when no setting gives one.

Made on first use, whole or not at all, readable by its owner only. Never here: what the secret is
used for (`vault`). Blocking file work: start-up and command line only.
"""

from __future__ import annotations

import logging
import os
import secrets
import stat
from pathlib import Path

FILE_NAME = "secret.key"

_log = logging.getLogger("authgate.vault")


class SecretKeyUnusable(Exception):
    """The secret is missing, weak or exposed. The text says which setting or file, and the fix."""


def read_or_create(folder: Path) -> str:
    """The content of `folder`/secret.key; of two processes that make it at once, one wins."""
    path = folder / FILE_NAME
    try:
        if not path.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _create(path)
        return _read(path)
    except (OSError, UnicodeDecodeError) as error:
        raise SecretKeyUnusable(
            f"The secret key file {path} cannot be used ({type(error).__name__}). Make its folder "
            f"writable for this user, or set AUTHGATE_SECRET_KEY."
        ) from error


def _create(path: Path) -> None:
    """Write a complete file under another name, then link it to its own.

    Creating the real name with O_EXCL would also give one winner, but the loser could read the
    file before the winner has filled it. A link appears complete or not at all.
    """
    draft = path.with_name(f".{FILE_NAME}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return  # another process was first: its key is the key
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power loss: losing this key loses every sealed value."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path) -> str:
    """The secrets, one a line or comma-separated, of the very file whose mode was looked at."""
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if os.name == "posix" and mode & 0o077:
            _close_up(file.fileno(), path, mode)
        return ",".join(file.read(65536).decode("utf-8").split())


def _close_up(handle: int, path: Path, mode: int) -> None:
    """Take the file away from group and others, and say that they could have read it."""
    try:
        os.fchmod(handle, 0o600)
    except OSError as error:
        raise SecretKeyUnusable(
            f"The secret key file {path} can be read by other users (mode {mode:04o}), and its "
            f"permissions could not be repaired. Run: chmod 600 {path}"
        ) from error
    _log.warning(
        "The secret key file %s could be read by other users (mode %04o); it is 0600 now. If "
        "others use this machine, replace the secret.",
        path,
        mode,
    )
