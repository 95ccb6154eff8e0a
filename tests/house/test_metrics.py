"""Every metric is in the docs with its labels, and whoever asks for one asks for what exists."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from authgate.observe.metrics import Recorder
from authgate.observe.prometheus import METRICS, Metric, Numbers, of_this_process
from authgate.protocol.reasons import Reason
from tests.house.reading import DOCS, ROOT

DEPLOY = ROOT / "deploy"
HEAD = "| metric | kind | labels | what it tells |"
BY_NAME = {row.name: row for row in METRICS}
GIVEN_BY_PROMETHEUS = {"instance", "job"}
LABEL = re.compile(r'([a-z_]+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')


def test_every_metric_is_documented_and_no_other() -> None:
    lines = (DOCS / "operating.md").read_text().splitlines()
    rows = []
    for line in lines[lines.index(HEAD) + 2 :]:
        if not line.startswith("| "):
            break
        name, kind, labels, said = (cell.strip() for cell in line.strip("|").split("|"))
        rows.append((name.strip("`"), kind, tuple(re.findall(r"`(\w+)`", labels)), said))
    assert rows == [(row.name, row.kind, row.labels, row.said) for row in METRICS]


def test_what_is_scraped_is_what_is_listed() -> None:
    numbers = Numbers()
    numbers.request("/oauth/token", 200, 0.01)
    numbers.refusal("/oauth/token", "pkce_failed")
    numbers.sign_in("embedded", "signed_in")
    numbers.token_issued("refresh_token")
    numbers.outbound("upstream", "2xx", 0.1)
    numbers.store("redeem_code", 0.001)
    scraped = re.findall(r"^# TYPE (\S+) ", of_this_process(numbers).decode(), re.MULTILINE)
    assert sorted(scraped) == sorted(BY_NAME)


def test_everything_that_is_counted_has_its_number() -> None:
    told = {name for name in vars(Recorder) if not name.startswith("_")}
    assert told <= set(vars(Numbers))


# --- what asks for them ---------------------------------------------------------------------------


def dashboard() -> list[tuple[str, str]]:
    document = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    panels = [panel for panel in document["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"])
    return [(panel["title"], target["expr"]) for panel in panels for target in panel["targets"]]


def alerts() -> list[tuple[str, str]]:
    document: Any = yaml.safe_load((DEPLOY / "alerts.yml").read_text())
    rules = [rule for group in document["groups"] for rule in group["rules"]]
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] for rule in rules)
    return [(rule["alert"], rule["expr"]) for rule in rules]


def exported(row: Metric) -> set[str]:
    if row.kind == "histogram":
        return {row.name + end for end in ("_bucket", "_count", "_sum")}
    return {row.name}


SERIES = {name: row for row in METRICS for name in exported(row)}


@pytest.mark.parametrize(("where", "expression"), [*dashboard(), *alerts()])
def test_every_query_asks_for_what_exists(where: str, expression: str) -> None:
    expression = " ".join(expression.split())
    names = re.findall(r"\bauthgate_\w+", expression)
    assert names or expression.startswith("up{"), where
    rows = [SERIES[name] for name in names]  # a KeyError names the one that does not exist
    known = {label for row in rows for label in row.labels} | GIVEN_BY_PROMETHEUS | {"le"}
    for name, chosen in re.findall(r"\b(authgate_\w+)\{([^}]*)\}", expression):
        for label, value in LABEL.findall(chosen):
            assert label in {*SERIES[name].labels, *GIVEN_BY_PROMETHEUS}, (where, label)
            if label == "reason":
                assert set(value.split("|")) <= {reason.value for reason in Reason}, (where, value)
    for grouped in re.findall(r"\bby \(([^)]*)\)", expression):
        assert {label.strip() for label in grouped.split(",")} <= known, (where, grouped)
    assert all(
        row.kind != "counter" or "rate(" in expression or "increase(" in expression for row in rows
    )
    assert expression.count("(") == expression.count(")")


def test_every_metric_is_on_the_dashboard() -> None:
    asked = " ".join(expression for _, expression in dashboard())
    assert not [row.name for row in METRICS if row.name not in asked]


def test_the_example_scrapes_what_the_alerts_ask_about() -> None:
    document: Any = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    (job,) = document["scrape_configs"]
    assert job["job_name"] == "authgate"
    assert all((DEPLOY / file).is_file() for file in document["rule_files"])
