"""What may stand in the audit trail is in docs/operating.md, and nothing else is there."""

from __future__ import annotations

import ast
import re

from tests.house.reading import DOCS, SOURCE, python_files

# What makes an event, or takes its name on the way to one.
MAKERS = {"AuditEvent", "audited", "_audit", "_audited", "_told", "_add"}
NAME = re.compile(r"[a-z_]+\.[a-z_]+")
HEAD = "| event | what happened |"


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _told() -> set[str]:
    calls = [
        node
        for path in python_files(SOURCE)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and _called(node) in MAKERS
    ]
    given = [each for call in calls for each in (*call.args, *(k.value for k in call.keywords))]
    return {
        node.value
        for each in given
        if not isinstance(each, ast.Call)
        for node in ast.walk(each)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and NAME.fullmatch(node.value)
    }


def test_every_event_is_documented_and_no_other() -> None:
    lines = (DOCS / "operating.md").read_text().splitlines()
    begin = lines.index(HEAD) + 2
    rows = []
    for line in lines[begin:]:
        if not line.startswith("| "):
            break
        rows.append(line.split("|")[1].strip().strip("`"))
    told = _told()
    assert {"keys.revoke", "person.sign_in", "client.add", "api_key.add"} <= told
    assert sorted(rows) == sorted(told)
