"""The pages of metrics as what can be run: events, what is declared, expectations, questions with answers.

In a page a block `ndjson` begins a scenario (an empty line in it parts the commits of the worker); a block
`toml` right before it declares its definitions. What follows is asked of it: `json`, one expectation a line
in the form of a case file; `sql`, followed by `text`, what ClickHouse answers.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.metrics.catalogue import METRICS
from pipeline.metrics.definitions import Definitions, declare

ROOT = Path(__file__).parents[1]
MIGRATIONS = sorted((ROOT / "deploy/clickhouse").glob("*.sql"))
PATHS = [ROOT / "docs/metrics.md", *sorted((ROOT / "docs/metrics").glob("*.md"))]
Said = dict[str, Any] | bytes


class Block(NamedTuple):
    """A fenced block and the heading ### `metric` it stands under, '' = none."""

    metric: str
    kind: str
    text: str


class Asked(NamedTuple):
    sql: str
    answer: list[list[str]]


class Scenario(NamedTuple):
    """Events by commit; what is not JSON stays as it is. `table`: definitions as a case declares them."""

    name: str
    commits: list[list[Said]]
    table: dict[str, Any]
    expected: list[dict[str, Any]]
    asked: list[Asked]

    @property
    def definitions(self) -> Definitions:
        return declare(self.table)

    def case(self, *expected: dict[str, Any]) -> dict[str, Any]:
        """As a case file; rejected lines are no case's business."""
        events = [said for commit in self.commits for said in commit if isinstance(said, dict)]
        rest = {name: told for name, told in self.table.items() if name != "tenants"}
        tenants = self.table.get("tenants", {})
        return {
            "id": self.name,
            "events": events,
            "tenants": tenants,
            "definitions": rest,
            "expect": [*expected],
        }


def blocks(page: str) -> list[Block]:
    metric, told = "", []
    for each in re.finditer(r"^### `(\w+)`$|^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        if each[1]:
            metric = each[1]
        else:
            told.append(Block(metric, each[2], each[3].strip()))
    return told


def scenarios(name: str, page: str) -> Iterator[Scenario]:
    """What stands before the first events is asked of nothing: AssertionError."""
    told = [Block("", "", ""), *blocks(page), Block("", "", "")]
    found: Scenario | None = None
    number = 0
    for (before, block), (_, after) in pairwise(pairwise(told)):
        if block.kind == "ndjson":
            if found:
                yield found
            number += 1
            table = tomllib.loads(before.text) if before.kind == "toml" else {}
            found = Scenario(f"{name} {number}", list(_commits(block.text)), table, [], [])
        elif block.kind in {"json", "sql"}:
            assert found, f"{name}: no events before {block.text!r}"
            if block.kind == "json":
                found.expected.extend(json.loads(line) for line in block.text.splitlines())
            else:
                assert after.kind == "text", f"{name}: no answer to {block.text!r}"
                found.asked.append(Asked(block.text, [line.split(" | ") for line in after.text.splitlines()]))
    if found:
        yield found


def _commits(text: str) -> Iterator[list[Said]]:
    for part in re.split(r"\n\s*\n", text):
        yield [_said(line) for line in part.splitlines()]


def _said(line: str) -> Said:
    try:
        said: dict[str, Any] = json.loads(line)
    except ValueError:
        return line.encode()
    return said


SCENARIOS = [each for path in PATHS for each in scenarios(path.stem, path.read_text(encoding="utf-8"))]


def views(migrations: Iterable[str]) -> set[str]:
    """Every view that stands after all migrations."""
    found: set[str] = set()
    for text in migrations:
        for what, name in re.findall(
            r"^(CREATE|DROP)\b[^;(]*?\bVIEW (?:IF (?:NOT )?EXISTS )?(\w+)", text, re.MULTILINE
        ):
            (found.add if what == "CREATE" else found.discard)(name)
    return found


def views_shown(told: Iterable[Scenario]) -> set[str]:
    """Those a question reads from by name and gets at least one row of."""
    return {
        name
        for scenario in told
        for asked in scenario.asked
        if len(asked.answer) > 1
        for name in re.findall(r"\b(?:FROM|JOIN)\s+(\w+)", asked.sql)
    }


def definitions_shown(told: Iterable[Scenario]) -> set[tuple[str, str]]:
    """Metrics an expectation asks for, with the variant that is meant."""
    return {
        (each["metric"], _variant(each["metric"], each.get("definition")))
        for scenario in told
        for each in scenario.expected
    }


def _variant(metric: str, definition: Any) -> str:
    name = definition.get("name") if isinstance(definition, dict) else definition
    return name or METRICS[metric].variants[0]
