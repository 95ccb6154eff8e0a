from __future__ import annotations

import pytest

from authgate.pages.site import PublicUrl
from authgate.pages.words import duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "1 second"),
        (1, "1 second"),
        (2, "2 seconds"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (61, "2 minutes"),
        (3600, "60 minutes"),
    ],
)
def test_a_time_to_wait_is_never_said_shorter_than_it_is(seconds: int, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("issuer", "path", "host", "origin"),
    [
        ("http://localhost:8000", "", "localhost:8000", "http://localhost:8000"),
        ("https://auth.example", "", "auth.example", "https://auth.example"),
        ("https://auth.example/base", "/base", "auth.example", "https://auth.example"),
        ("https://Auth.Example:443/A/b", "/A/b", "auth.example", "https://auth.example"),
        ("http://[::1]:80", "", "[::1]", "http://[::1]"),
        ("https://auth.example:8443", "", "auth.example:8443", "https://auth.example:8443"),
    ],
)
def test_the_public_url_is_taken_apart_as_browsers_do(
    issuer: str, path: str, host: str, origin: str
) -> None:
    assert PublicUrl.of(issuer) == PublicUrl(path, host, origin)
