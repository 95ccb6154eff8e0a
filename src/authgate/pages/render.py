"""From a template and its values to a complete HTML answer: the one place that sets page headers.

Jinja2 is imported with the first page and not at start (most processes of a fleet never show one),
and each template is compiled once. Autoescaping is on and undefined values are errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from authgate.pages import static
from authgate.pages.site import PublicUrl
from authgate.web.answers import NO_STORE, NOSNIFF, Answer, Header

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"

# Left out on purpose:
# - form-action: Chromium applies it to every hop of the redirect that answers a form, so it would
#   stop the consent form's way back to the client.
# - Cross-Origin-Opener-Policy: web clients open us in a popup and wait for it by `opener` and
#   `closed`; any value but the default cuts both. What an opener can do is navigate us away, and
#   the form tokens make that useless.
# - script-src: default-src 'none' is stricter than anything we could list.
PAGE_HEADERS: tuple[Header, ...] = (
    (b"content-type", b"text/html; charset=utf-8"),
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
        b"frame-ancestors 'none'",
    ),
    (b"x-frame-options", b"DENY"),
    NOSNIFF,
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    *NO_STORE,
)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(
    url: PublicUrl,
    status: int,
    template: str,
    values: dict[str, object],
    extra: Sequence[Header] = (),
) -> Answer:
    """The page `template` with `values`. `url` is our own public URL."""
    html = (
        _environment()
        .get_template(template)
        .render(
            values,
            site=url,
            stylesheet=url.link(static.stylesheet().path),
            mark=url.link(static.mark().path),
        )
    )
    # A value can only hold a lone surrogate by a fault of ours; a page with "?" beats none.
    return Answer(status, html.encode("utf-8", "replace"), [*PAGE_HEADERS, *extra])
