"""The table of docs/rollout.md is the rule, and the rule is what happens: one test reads all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from authgate.protocol.rollout import Kind, Mode, Passes, Recorded, Worth, rule
from tests.endpoints.conftest import OpenGate
from tests.gateway.rolling import EXISTING, MADE, Rolling, bearer, rolling
from tests.house.reading import DOCS

KINDS = {
    "none": Kind.NONE,
    "ours": Kind.OURS,
    "Supabase": Kind.SUPABASE,
    "API key": Kind.API_KEY,
    "existing key": Kind.EXISTING_KEY,
    "unknown": Kind.UNKNOWN,
}
COUNTED = {"fine": Recorded.CALL, "would be refused": Recorded.REFUSAL}
ANONYMOUS = '[anonymous]\ntools = ["add"]\n'
OVER = "[legacy]\nsupabase_tokens_until = 2020-01-01\napi_keys_until = 2020-01-01\n"


@dataclass(frozen=True, eq=False)
class Row:
    name: str
    kind: Kind
    worth: Worth
    cells: dict[Mode, str]
    counted: Recorded


def _rows() -> list[Row]:
    text = (DOCS / "rollout.md").read_text().split("<!-- the table -->\n")[1]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    heading, _, *body = lines[: lines.index([""])]
    assert heading == ["credential", *(mode.value for mode in Mode), "counted as"]
    return [_row(cells) for cells in body]


def _row(cells: list[str]) -> Row:
    name, *modes, counted = cells
    kind, _, worth = name.partition(", ")
    return Row(
        name,
        KINDS[kind],
        Worth(worth or "bad"),
        dict(zip(Mode, modes, strict=True)),
        COUNTED[counted],
    )


ROWS = _rows()


def test_the_table_has_every_row() -> None:
    whole = {(kind, worth) for kind in Kind for worth in Worth}
    whole -= {(k, Worth.OVER) for k in (Kind.NONE, Kind.OURS, Kind.UNKNOWN)}
    whole -= {(k, Worth.GOOD) for k in (Kind.NONE, Kind.UNKNOWN)}
    assert {(row.kind, row.worth) for row in ROWS} == whole
    assert len(ROWS) == len(whole)


def said(mode: Mode, row: Row) -> str:
    """What the rule says, in the words of the page."""
    ruling = rule(mode, row.kind, row.worth)
    if ruling.passes is Passes.NO:
        assert not ruling.known
        return "refused"
    who = "nobody"
    if ruling.known:
        who = "the holder" if row.kind in (Kind.API_KEY, Kind.EXISTING_KEY) else "the person"
    where = {
        Passes.YES: "",
        Passes.LISTED: " where `[anonymous]` has it",
        Passes.JUDGED: ", where your server judges",
    }
    return f"passes as {who}{', with it' * ruling.onward}{where[ruling.passes]}"


async def shown(stage: Rolling, row: Row) -> tuple[dict[str, str], str]:
    """Headers with such a credential, and whom it proves."""
    match row.kind:
        case Kind.NONE:
            return {}, ""
        case Kind.OURS:
            pair = await stage.project.tokens(await stage.gate.register())
            token = pair["access_token"]
            token = token if row.worth is Worth.GOOD else token[:-8] + "AAAAAAAA"
            return bearer(token), stage.project.ana.id
        case Kind.SUPABASE:
            claims = {"exp": 1_000_000_000} if row.worth is Worth.BAD else {}
            return bearer(stage.supabase_token(**claims)), stage.project.ana.id
        case Kind.API_KEY | Kind.EXISTING_KEY:
            value = MADE if row.kind is Kind.API_KEY else EXISTING
            revoked = {"revoked_at": 1} if row.worth is Worth.BAD else {}
            return bearer(value), (await stage.key(value, **revoked)).sub or ""
        case Kind.UNKNOWN:
            return {"authorization": "Basic dXNlcjpwYXNzd29yZA=="}, ""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_the_page_the_rule_and_what_happens(
    open_gate: OpenGate, tmp_path: Path, row: Row
) -> None:
    async with rolling(open_gate, tmp_path) as stage:
        headers, sub = await shown(stage, row)
        over = OVER if row.worth is Worth.OVER else ""
        for mode, cell in row.cells.items():
            assert said(mode, row) == cell
            assert rule(mode, row.kind, row.worth).recorded is (
                Recorded.NOT if mode is Mode.OFF else row.counted
            )
            stage.put(mode.value, over + ANONYMOUS)
            await happens(stage, cell, headers, sub)
            if "where" in cell:  # and elsewhere it is refused
                stage.put(mode.value, '[legacy]\nunknown = "refuse"\n')
                await happens(stage, "refused", headers, sub)
        counts = await stage.counted()
        calls = 4 - 1 + sum("where" in cell for cell in row.cells.values())
        kinds = {row.kind.value}
        if row.kind is Kind.EXISTING_KEY:
            kinds.add("unknown")  # nothing is looked up where nothing of it passes
        assert {count.kind for count in counts} == kinds
        assert sum(count.calls for count in counts) == calls
        refused = 0 if row.counted is Recorded.CALL else calls
        assert sum(count.would_refuse for count in counts) == refused


async def happens(stage: Rolling, cell: str, headers: dict[str, str], sub: str) -> None:
    """One call with a lie about who calls, and what the upstream saw of it."""
    lies = {"x-authgate-subject": "root", "x_authgate_subject": "root"}
    answer = await stage.call({**headers, **lies})
    seen: Any = stage.seen
    if cell == "refused":
        assert answer.status_code == 401
        assert "resource_metadata=" in answer.headers["www-authenticate"]
        assert seen is None
        return
    assert answer.status_code == 200, answer.text
    known = [] if "as nobody" in cell else [sub]
    assert seen.all("x-authgate-subject") == known
    assert not seen.all("x_authgate_subject")
    came = [headers["authorization"]] if ", with it" in cell else []
    assert seen.all("authorization") == came
    assert bool(re.search("nobody", cell)) == (not known)
