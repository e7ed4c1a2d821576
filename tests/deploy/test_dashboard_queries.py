"""Every query of every panel, asked where the numbers are: a Prometheus that scrapes a running Pulse, and ClickHouse.

Executed, not rendered: no Grafana runs in any test.
"""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.deploy.macros import expanded
from tests.deploy.promql import series_of
from tests.deploy.rig import Rig, fetched
from tests.deploy.test_dashboards import FILES, PANELS

LIVE = {
    "$__rate_interval": "10s",
    "${tenant:regex}": ".*",
    "${queue:regex}": ".*",
    "$tenant": ".*",
    "$queue": ".*",
    "$group": ".*",
}


def opened(board: str, text: str) -> str:
    """With the window that a dashboard opens with."""
    for variable in FILES[board]["templating"].get("list", []):
        if variable["type"] == "custom":
            text = text.replace(f"${variable['name']}", variable["current"]["value"])
    return text


EXPRESSIONS = [
    (shown.name, target["legendFormat"], opened(shown.board, target["expr"]))
    for shown in PANELS
    for target in shown.panel["targets"]
    if "expr" in target
]
QUERIES = [(shown.name, shown.panel, query) for shown in PANELS for query in shown.queries]
each_expression = pytest.mark.parametrize(
    ("legend", "expr"),
    [each[1:] for each in EXPRESSIONS],
    ids=[f"{name} {n}" for n, (name, *_) in enumerate(EXPRESSIONS)],
)
each_query = pytest.mark.parametrize(
    ("panel", "query"), [each[1:] for each in QUERIES], ids=[name for name, *_ in QUERIES]
)
NUMBERS = re.compile(r"^(Nullable\()?(U?Int|Float|Decimal)")


def asked(text: str) -> str:
    """With everything chosen."""
    for name, value in LIVE.items():
        text = text.replace(name, value)
    return text


def of_late(query: str, now: float, days: int = 120) -> str:
    """Over the last days, with everything chosen."""
    until = datetime.fromtimestamp(int(now), UTC)
    return asked(expanded(query, until - timedelta(days=days), until))


def complaints(rig: Rig, legend: str, expr: str) -> list[str]:
    """What is wrong with the answer to one query: none, or none with the labels its legend names.

    One without is no fault: Prometheus leaves empty values out, and a call may come without a queue.
    """
    found = rig.range(asked(expr))
    if not found:
        return ["nothing answers"]
    labels = {label for each in found for label in each["metric"]}
    return [f"no label {label}" for label in sorted(set(re.findall(r"\{\{(\w+)\}\}", legend)) - labels)]


@each_expression
def test_prometheus_answers_with_the_labels_that_are_named(rig, legend, expr):
    assert complaints(rig, legend, expr) == []


@each_expression
def test_a_metric_by_another_name_would_be_noticed(rig, legend, expr):
    for name in set(series_of(expr)):
        renamed = re.sub(rf"\b{name}\b", f"{name}x", expr)
        assert complaints(rig, legend, renamed) == ["nothing answers"]


@pytest.mark.parametrize(
    ("legend", "expr"),
    [(legend, expr) for _, legend, expr in EXPRESSIONS if "{{" in legend],
    ids=[f"{name} {n}" for n, (name, legend, _) in enumerate(EXPRESSIONS) if "{{" in legend],
)
def test_a_label_that_is_dropped_would_be_noticed(rig, legend, expr):
    for label in re.findall(r"\{\{(\w+)\}\}", legend):
        dropped = without(label, expr)
        assert dropped != expr
        assert complaints(rig, legend, dropped) != []


def without(label: str, expr: str) -> str:
    """No longer kept by any aggregation."""

    def by(found: re.Match[str]) -> str:
        return f"by ({', '.join(each for each in re.split(', *', found[1]) if each != label)})"

    return re.sub(r"by \(([^)]*)\)", by, expr)


def described(rig: Rig, query: str) -> dict[str, str]:
    """Type of each column by name."""
    return {row[0]: row[1] for row in rig.sql(f"DESCRIBE ({query})")["rows"]}


def columns_with_units(panel: dict) -> list[str]:
    return [
        each["matcher"]["options"]
        for each in panel["fieldConfig"]["overrides"]
        if each["properties"][0]["id"] == "unit"
    ]


def table_complaints(rig: Rig, panel: dict, query: str) -> list[str]:
    query = of_late(query, rig.now + 60)
    assert not re.search(r"\$[_{a-z]", query), query
    rows = rig.sql(query)["rows"]
    if not rows:
        return ["nothing answers"]
    types = described(rig, query)
    numbers = {name for name, kind in types.items() if NUMBERS.match(kind)}
    if panel["type"] == "timeseries":
        first = next(iter(types.items()))
        found = [] if first[0] == "time" and "DateTime" in first[1] else [f"the first column is {first}"]
        return found + ([] if numbers else ["no column is a number"])
    # A browser west of Greenwich shows a date as the evening before.
    if dates := [name for name, kind in types.items() if re.fullmatch(r"(Nullable\()?Date(32)?\)?", kind)]:
        return [f"dates {dates}"]
    units = set(columns_with_units(panel))
    return [f"numbers {sorted(numbers)}, units for {sorted(units)}"] if numbers != units else []


@each_query
def test_clickhouse_answers_with_the_columns_that_are_named(rig, panel, query):
    assert table_complaints(rig, panel, query) == []


@each_query
def test_a_column_by_another_name_would_be_noticed(rig, panel, query):
    names = ["time"] if panel["type"] == "timeseries" else columns_with_units(panel)
    for name in names:
        renamed = re.sub(rf"\b{name}\b", f"{name}_x", query)
        assert renamed != query
        try:
            assert table_complaints(rig, panel, renamed) != []
        except AssertionError as error:
            assert "Unknown expression" in str(error)  # noqa: PT017 - both ways it is noticed


@each_query
def test_a_view_by_another_name_would_be_noticed(rig, panel, query):
    renamed = re.sub(r"\bFROM (\w+)", r"FROM \1_x", query, count=1)
    with pytest.raises(AssertionError, match=r"_x|UNKNOWN"):
        table_complaints(rig, panel, renamed)


def test_every_choice_of_a_variable_is_a_label_that_is_there(rig):
    for board in FILES.values():
        for variable in board["templating"].get("list", []):
            if variable["type"] == "query":
                found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
                chosen = {each.get(found[2], "") for each in rig.series(asked(found[1]))}
                assert chosen - {""}, variable["name"]


def test_two_boards_that_tell_the_same_are_counted_once(rig):
    (panel,) = [shown for shown in PANELS if shown.name == "queues-in-depth: Offered"]

    def shown() -> dict[tuple[str, str], float]:
        found = rig.instant(asked(opened(panel.board, panel.expressions[0])))
        return {place(each["metric"]): float(each["value"][1]) for each in found}

    assert len(rig.instant('count by (instance) (support_offered{window="1h"})')) == 2
    assert agreed(shown, lambda: told(rig, "offered", "1h"))


def test_the_worst_queue_on_the_wall_is_what_the_board_says_of_it(rig):
    """Sum over sum of its channels, as the board's own roll-up."""
    (tile,) = [shown for shown in PANELS if shown.name == "support-live: Speed of answer, 5 min"]

    def shown() -> dict[tuple[str, str], float]:
        (found,) = rig.instant(asked(tile.expressions[0]))
        return {place(found["metric"]): pytest.approx(float(found["value"][1]))}

    def worst() -> dict[tuple[str, str], float]:
        found = told(rig, "asa_queue", "5m")
        where = max(found, key=found.__getitem__)
        return {where: found[where]}

    assert agreed(shown, worst)


def place(labels: dict[str, str]) -> tuple[str, str]:
    return labels["tenant"], labels.get("queue", "")


def agreed(one: Callable[[], dict], other: Callable[[], dict]) -> bool:
    """Whether both say the same at some moment: one is a scrape older than the other, and calls go on."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if one() == other():
            return True
        time.sleep(0.3)
    return False


def told(rig: Rig, metric: str, window: str) -> dict[tuple[str, str], float]:
    answer = fetched(f"{rig.board}/api/metrics?metric={metric}&by=tenant,queue&window={window}")
    return {
        (row["tenant"], row["queue"] or ""): row["value"]
        for row in answer["metrics"]
        if row["definition"] in {"default", "enqueued"} and row["value"] is not None
    }
