"""What is said aloud of the database's URL, and when it asks for TLS."""

from __future__ import annotations

import pytest

from authgate.settings.database import in_the_clear, without_secrets


@pytest.mark.parametrize(
    ("url", "name", "clear"),
    [
        ("postgresql://u:s3cret@db.internal/a", "db.internal:5432/a", True),
        ("postgresql://u:s3cret@DB.internal:6543/a?sslmode=require", "db.internal:6543/a", False),
        ("postgresql://u@[::1]/a%20b", "[::1]:5432/a b", False),
        ("postgresql://u@127.0.0.1/a?sslmode=disable", "127.0.0.1:5432/a", False),
        ("postgresql://u:s3cret@h1:1,h2/a", "h1:1,h2:5432/a", True),
        ("postgresql://u@localhost,h2/a", "localhost:5432,h2:5432/a", True),
        ("postgresql://u@%2Fvar%2Frun/a", "/var/run:5432/a", False),
    ],
)
def test_hosts_are_named_and_secrets_are_not(url: str, name: str, clear: bool) -> None:
    assert without_secrets(url) == f"PostgreSQL at {name}"
    assert in_the_clear(url) is clear
