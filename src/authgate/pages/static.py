"""The stylesheet and the mark, under names that hold their own digest.

A name never changes its content, so browsers may keep it for ever, and a page of a new version can
never be shown in an old version's clothes. Nothing else in the folder is reachable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path

from authgate.web.answers import NOSNIFF, Answer
from authgate.web.request import Request

_FOLDER = Path(__file__).parent / "static"
_KINDS = {"css": b"text/css; charset=utf-8", "svg": b"image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served. `path` is below the public URL's own path."""

    path: str
    content_type: bytes
    body: bytes = field(repr=False)


@cache
def _asset(name: str) -> Asset:
    stem, _, kind = name.rpartition(".")
    body = (_FOLDER / name).read_bytes()
    digest = sha256(body).hexdigest()[:16]
    return Asset(f"/oauth/static/{stem}.{digest}.{kind}", _KINDS[kind], body)


def stylesheet() -> Asset:
    """The one stylesheet of all pages."""
    return _asset("authgate.css")


def mark() -> Asset:
    """The mark beside the name, also the icon of the browser's tab."""
    return _asset("mark.svg")


def assets() -> tuple[Asset, ...]:
    """Everything that is served."""
    return stylesheet(), mark()


async def serve(asset: Asset, _: Request) -> Answer:
    """The file, for a year and without asking again (RFC 8246)."""
    return Answer(
        200,
        asset.body,
        [
            (b"content-type", asset.content_type),
            NOSNIFF,
            (b"cache-control", b"public, max-age=31536000, immutable"),
            (b"cross-origin-resource-policy", b"same-origin"),
            # An SVG opened by itself is a document; it gets no rights of ours.
            (b"content-security-policy", b"default-src 'none'; sandbox"),
        ],
    )
