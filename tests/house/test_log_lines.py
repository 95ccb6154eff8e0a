"""Every line that the log may hold is in a table of the docs, and no other is."""

from __future__ import annotations

import ast
import re

from tests.house.reading import SOURCE, pages, python_files
from tests.house.test_trail import MAKERS

NAME = re.compile(r"[a-z]+\.[a-z_]+")
HEADS = ("log line", "line of the log")
DOCUMENTS = {"authkit.jwks", "authkit.metadata", "issuer.jwks"}  # a field of such a line
# Whose name is put together says here what comes of it.
MADE = {
    "f\"upstream.{refusal.reason.value.removeprefix('upstream_')}\"": {
        "upstream.unreachable",
        "upstream.broken",
    },
    "f'{self._whose}.reached_again'": {"issuer.reached_again", "authkit.reached_again"},
    "f'{self._whose}.unreachable'": {"issuer.unreachable", "authkit.unreachable"},
    "f'{service}.note'": {"workos.note"},
    "f'{service}.{found.level}'": {"workos.problem", "workos.warning"},
    "f'{whose}.key_unusable'": {"issuer.key_unusable", "authkit.key_unusable"},
    "f'{whose}.keys_too_many'": {"issuer.keys_too_many", "authkit.keys_too_many"},
}


def _first(call: ast.Call) -> str | ast.expr | None:
    if not call.args:
        return None
    first = call.args[0]
    if isinstance(first, ast.Constant):
        return first.value if isinstance(first.value, str) else None
    return first


def _calls() -> list[ast.Call]:
    return [
        node
        for path in python_files(SOURCE)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    ]


def _is_log(call: ast.Call) -> bool:
    func = call.func
    if isinstance(func, ast.Name):
        return func.id == "unforeseen"
    return (
        isinstance(func, ast.Attribute)
        and isinstance(func.value, ast.Name)
        and func.value.id in ("log", "_log")
    )


def written() -> set[str]:
    """The names in the code: given to the log itself, or to something on the way to it."""
    calls = _calls()
    direct = {first for call in calls if _is_log(call) and isinstance(first := _first(call), str)}
    direct = {name for name in direct if NAME.fullmatch(name)}
    rooms = {name.partition(".")[0] for name in direct}
    others = {
        node.value
        for call in calls
        if not _is_log(call)
        and not (_called(call) in MAKERS or _called(call) in ("getattr", "replace", "get_logger"))
        for given in (*call.args, *(keyword.value for keyword in call.keywords))
        if isinstance(node := given, ast.Constant)
        and isinstance(node.value, str)
        and NAME.fullmatch(node.value)
        and node.value.partition(".")[0] in rooms
    }
    made = {
        name
        for call in calls
        if _is_log(call) and isinstance(call.args[0] if call.args else None, ast.JoinedStr)
        for name in MADE[ast.unparse(call.args[0])]
    }
    return (direct | others | made) - DOCUMENTS


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def documented() -> set[str]:
    found: set[str] = set()
    for page in pages():
        inside = False
        for line in page.read_text().splitlines():
            cells = [cell.strip() for cell in line.split("|")]
            if not line.startswith("|"):
                inside = False
            elif cells[1] in HEADS:
                inside = True
            elif inside or cells[1].startswith("log `"):
                found |= set(re.findall(r"`([a-z]+\.[a-z_]+)`", cells[1]))
    return found


def test_every_line_is_documented_and_no_other() -> None:
    inside, told = written(), documented()
    assert {"keys.rotated", "request.refused", "supabase.session_left_open"} <= inside
    assert sorted(inside - told) == []
    assert sorted(told - inside) == []
