"""Secrets at rest: sealing and keyed digests, from AUTHGATE_SECRET_KEY or the data folder's file.

One secret or several, newest first: the newest seals and signs, all of them open and recognise, so
a secret is replaced by putting the new one in front. Each purpose has its own key, derived by HKDF,
so that a value made for one purpose means nothing to another. Never here: password hashes (a slow
hash is the embedded directory's) and digests of random secrets (`digests`). Neighbours: `keys`
seals signing keys here, `session` makes form tokens, the refresh grant derives successors.
"""

from __future__ import annotations

import base64
import hmac
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from authgate.security.secret_file import SecretKeyUnusable, read_or_create

MIN_LENGTH = 32
MIN_VARIETY = 8
SETTING = "AUTHGATE_SECRET_KEY"

_SALT = b"authgate vault 1"
_MAKE_ONE = "Make a good one with: openssl rand -base64 48"


class SealedValueUnreadable(Exception):
    """A sealed value that none of the vault's secrets opens."""

    def __init__(self) -> None:
        super().__init__(
            f"A value in the database was sealed with a secret that {SETTING} no longer holds. "
            f"Put the earlier secret behind the present one, separated by a comma, or restore the "
            f"file secret.key that belongs to this database."
        )


class Vault:
    """Seals, opens and signs with keys derived from one or more secrets, newest first."""

    __slots__ = ("_fernets", "_keys", "_secrets")

    def __init__(self, secrets: Sequence[str]) -> None:
        if not secrets:
            raise SecretKeyUnusable(f"{SETTING} holds no secret. {_MAKE_ONE}")
        for secret in secrets:
            check_strength(secret)
        self._secrets = tuple(secret.encode("utf-8", "surrogatepass") for secret in secrets)
        self._keys: dict[str, tuple[bytes, ...]] = {}
        self._fernets: dict[str, MultiFernet] = {}

    @classmethod
    def from_setting(cls, value: str) -> Vault:
        """The vault of a comma-separated setting; blanks around a secret do not count."""
        return cls([part.strip() for part in value.split(",") if part.strip()])

    @classmethod
    def from_folder(cls, folder: Path) -> Vault:
        """The vault of `folder`/secret.key, which is made on first use. Blocks: start-up only."""
        return cls.from_setting(read_or_create(folder))

    @classmethod
    def load(cls, setting: str | None, folder: Path) -> Vault:
        """The vault of the setting if there is one, else of the data folder's file."""
        return cls.from_setting(setting) if setting else cls.from_folder(folder)

    def seal(self, text: str, purpose: str = "at rest") -> str:
        """Encrypt and authenticate `text` with the newest secret."""
        return self._fernet(purpose).encrypt(text.encode()).decode("ascii")

    def open(self, sealed: str, purpose: str = "at rest") -> str:
        """The text of a value sealed for the same purpose; raises `SealedValueUnreadable`."""
        try:
            return self._fernet(purpose).decrypt(sealed.encode("ascii")).decode()
        except (InvalidToken, ValueError):
            raise SealedValueUnreadable from None

    def mac(self, purpose: str, data: bytes) -> bytes:
        """HMAC-SHA-256 of `data` under the newest secret's key for `purpose`."""
        return hmac.digest(self._purpose_keys(purpose)[0], data, "sha256")

    def macs(self, purpose: str, data: bytes) -> tuple[bytes, ...]:
        """The same under every secret, newest first: what a value may have been made with."""
        return tuple(hmac.digest(key, data, "sha256") for key in self._purpose_keys(purpose))

    def derive_successor(self, refresh_token: str) -> tuple[str, ...]:
        """What may succeed `refresh_token`, newest secret first: 43 base64url characters each.

        Derived and not drawn, so that every worker gives the same answer to a repeat inside the
        grace window, and nothing readable has to be stored for it.
        """
        data = refresh_token.encode("utf-8", "surrogatepass")
        return tuple(base64url(mac) for mac in self.macs("refresh successor", data))

    def _purpose_keys(self, purpose: str) -> tuple[bytes, ...]:
        keys = self._keys.get(purpose)
        if keys is None:  # purposes are constants of the code, so this cannot grow
            keys = self._keys[purpose] = tuple(_derive(s, purpose) for s in self._secrets)
        return keys

    def _fernet(self, purpose: str) -> MultiFernet:
        fernet = self._fernets.get(purpose)
        if fernet is None:
            keys = self._purpose_keys("seal: " + purpose)
            fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])
            self._fernets[purpose] = fernet
        return fernet

    def __repr__(self) -> str:
        return "Vault(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a vault is not to be pickled or copied")


def _derive(secret: bytes, purpose: str) -> bytes:
    """HKDF-SHA256 (RFC 5869): the purpose is the `info`, so keys of two purposes are unrelated."""
    hkdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=_SALT, info=purpose.encode())
    return hkdf.derive(secret)


def base64url(data: bytes) -> str:
    """Base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def check_strength(secret: str) -> None:
    """Refuse a secret that somebody could guess; raises `SecretKeyUnusable`, never showing it.

    HKDF does not slow a guesser down, so the secret itself must be out of reach. No measure can
    prove randomness; these catch what people really write: short ones, one phrase repeated, and
    runs like abcdef or 111111.
    """
    if len(secret) < MIN_LENGTH:
        raise SecretKeyUnusable(
            f"{SETTING} is too short: each secret needs at least {MIN_LENGTH} characters. "
            f"{_MAKE_ONE}"
        )
    steps = [ord(right) - ord(left) for left, right in itertools.pairwise(secret)]
    runs = sum(1 for step in steps if step in (-1, 0, 1))
    repeats = secret in (secret + secret)[1:-1]
    if len(set(secret)) < MIN_VARIETY or repeats or runs * 4 > len(steps) * 3:
        raise SecretKeyUnusable(
            f"{SETTING} is too easy to guess: a secret must not repeat itself or count up. "
            f"{_MAKE_ONE}"
        )
