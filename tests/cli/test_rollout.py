"""`authgate rollout`: the mode and where it comes from, who calls with what, whom it would hit."""

from __future__ import annotations

import asyncio
import time

import pytest

from authgate.app import build_core
from authgate.protocol.records import UsageRow
from authgate.settings import load
from tests.cli.conftest import Operator

TODAY = int(time.time()) // 86_400


def counted(operator: Operator, *rows: UsageRow) -> None:
    """What running servers have written."""

    async def write() -> None:
        core = build_core(load(operator.folder / "no.env"))
        try:
            await core.store.open()
            await core.store.add_usage(rows)
        finally:
            await core.close()

    asyncio.run(write())


def put(operator: Operator, text: str) -> None:
    (operator.folder / "authgate.toml").write_text(text)


def test_with_nothing_set(operator: Operator) -> None:
    assert operator.run("rollout").out == (
        "Mode: required (from default)\n"
        "No call was counted in the last 7 days. In the mode off nothing is counted.\n"
    )
    facts = operator.run("rollout", "--json").json
    assert (facts["mode"], facts["mode_from"], facts["usage"]) == ("required", "default", [])


def test_where_the_mode_comes_from(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    put(
        operator,
        'rollout = "observe"\n[legacy]\napi_keys_until = 2027-03-31\n',
    )
    out = operator.run("rollout").out
    assert "Mode: observe (from authgate.toml)\nAPI keys: until 2027-04-01T00:00:00Z\n" in out
    facts = operator.run("rollout", "--json").json
    assert facts["api_keys_until"] == "2027-04-01T00:00:00Z"
    assert facts["supabase_tokens_until"] is None
    monkeypatch.setenv("AUTHGATE_ROLLOUT", "optional")
    assert "optional (from AUTHGATE_ROLLOUT; it cannot change" in operator.run("rollout").out
    assert operator.run("rollout", "--json").json["mode_from"] == "AUTHGATE_ROLLOUT"


def test_who_calls_with_what(operator: Operator) -> None:
    counted(
        operator,
        UsageRow(TODAY, "none", "", 3, 3),
        UsageRow(TODAY, "ours", "client_1", 40, 2),
        UsageRow(TODAY - 1, "existing_key", "old-cron", 5, 5),
        UsageRow(TODAY - 20, "unknown", "", 7, 7),
    )
    facts = operator.run("rollout", "--json").json
    assert (facts["calls"], facts["required_would_refuse"]) == (48, 10)
    assert facts["usage"][0] == {
        "day": time.strftime("%Y-%m-%d", time.gmtime((TODAY - 1) * 86_400)),
        "kind": "existing_key",
        "client": "old-cron",
        "client_name": "",
        "calls": 5,
        "required_would_refuse": 5,
    }
    out = operator.run("rollout").out
    assert "old-cron" in out
    assert "existing API key" in out
    assert "OAuth" in out
    assert out.endswith("Of 48 calls in the last 7 days, required would refuse 10.\n")
    assert operator.run("rollout", "--days", "30", "--json").json["calls"] == 55
    assert operator.run("rollout", "--days", "1").out.endswith(
        "Of 43 calls today, required would refuse 5.\n"
    )


@pytest.mark.parametrize("days", ["0", "91", "week"])
def test_days_are_bounded(operator: Operator, days: str) -> None:
    assert operator.run("rollout", "--days", days).code == 2


def test_a_broken_file_is_told(operator: Operator) -> None:
    put(operator, 'rollout = "sometimes"\n')
    done = operator.run("rollout")
    assert (done.code, done.out) == (2, "")
    assert "authgate.toml: rollout: write off, observe, optional or required." in done.err
