"""What the config file says of tools, as it is put in force under either issuer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from authgate.app.tool_scopes import applying
from authgate.gateway.tool_scopes import Listing, ToolRules
from authgate.protocol.rollout import Anonymous
from authgate.settings import LiveSettings, Settings

AUTHKIT = {
    "AUTHGATE_ISSUER": "authkit",
    "WORKOS_AUTHKIT_DOMAIN": "https://tenant.authkit.example",
    "WORKOS_API_KEY": "sk_test_of_the_house",
}
TABLE = LiveSettings(tools={"send*": ("email",)}, default_scope=("openid",), tools_list="annotate")


def in_force(folder: Path, live: LiveSettings, **environment: Any) -> ToolRules:
    settings = Settings(AUTHGATE_DATA_DIR=folder, _env_file=None, **environment)
    rules = ToolRules((), Anonymous)
    applying(rules, settings)(live)
    return rules


def test_nothing_said_changes_nothing(tmp_path: Path) -> None:
    rules = in_force(tmp_path, LiveSettings())
    assert not rules.in_force.table.asks
    assert rules.in_force.listing is Listing.ALL
    assert rules.first() is None


def test_what_is_said(tmp_path: Path) -> None:
    rules = in_force(tmp_path, TABLE, AUTHGATE_SCOPES="openid email profile")
    assert rules.in_force.table.taken_by("send_mail") == ("email",)
    assert rules.in_force.listing is Listing.ANNOTATE
    assert rules.first() == ("openid", "profile")


@pytest.mark.parametrize(
    ("live", "first"),
    [(TABLE, None), (LiveSettings(first_scope=("openid",)), ("openid",))],
)
def test_authkit_is_asked_for_all_it_has_unless_the_operator_says_otherwise(
    tmp_path: Path, live: LiveSettings, first: Any
) -> None:
    """Without `offline_access` it gives no refresh token: see `protocol.metadata`."""
    assert in_force(tmp_path, live, **AUTHKIT).first() == first
