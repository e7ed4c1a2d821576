"""docs/metrics.md is run: its events are replayed, its SQL is asked, its series are scraped."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from pipeline.board.collector import SnapshotCollector
from pipeline.board.fold import Fold
from pipeline.board.snapshot import snapshot_of
from pipeline.events.instants import instant_ms
from pipeline.metrics.catalogue import METRICS
from pipeline.replay.cases import check
from pipeline.settings import Sink
from pipeline.sink.batch import Batch
from pipeline.sink.clickhouse import Store, open_client
from pipeline.sink.migrate import migrate
from pipeline.sink.rows import v_format, vectors_of
from pipeline.sink.tables import DEFINITIONS
from pipeline.sink.writer import Writer
from tests.board.log import Worker, tell
from tests.builders import UNDECLARED
from tests.sink.told import log_of, rows_of

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
NOW = instant_ms("2026-03-02T09:04:59Z")


class Block(NamedTuple):
    """A fenced block and the metric under whose heading it stands."""

    metric: str
    kind: str
    text: str


def blocks(page: str) -> list[Block]:
    found = re.finditer(r"^### `(\w+)`$|^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    metric, told = "", []
    for each in found:
        if each[1]:
            metric = each[1]
        else:
            told.append(Block(metric, each[2], each[3].strip()))
    return told


BLOCKS = blocks(PAGE.read_text(encoding="utf-8"))
EVENTS = [json.loads(line) for block in BLOCKS if block.kind == "ndjson" for line in block.text.splitlines()]
EXPECTED = [
    (block.metric, json.loads(line))
    for block in BLOCKS
    if block.kind == "json"
    for line in block.text.splitlines()
]
ASKED = [
    (asked.text, answer.text)
    for asked, answer in pairwise(BLOCKS)
    if asked.kind == "sql"
]  # fmt: skip
SERIES = [line for block in BLOCKS if block.kind == "prometheus" for line in block.text.splitlines()]


def test_every_metric_of_this_page_has_an_example_of_every_kind():
    """The metrics of other groups have pages of their own, with case files as their examples."""
    names = {block.metric for block in BLOCKS} & set(METRICS)
    assert len(names) == 16
    for name in names:
        kinds = {block.kind for block in BLOCKS if block.metric == name}
        assert kinds >= {"json", "sql", "text", "prometheus"}, name


def test_every_question_is_followed_by_its_answer():
    sql = [place for place, block in enumerate(BLOCKS) if block.kind == "sql"]
    assert [BLOCKS[place + 1].kind for place in sql] == ["text"] * len(sql)


def test_an_example_stands_under_its_metric():
    assert [each["metric"] for _, each in EXPECTED] == [metric for metric, _ in EXPECTED]


@pytest.mark.parametrize("expected", [each for _, each in EXPECTED], ids=lambda each: each["metric"])
def test_replay_gives_the_number_in_any_order_of_events(expected):
    verdicts = list(check({"id": "page", "events": EVENTS, "expect": [expected]}))
    assert len(verdicts) == 6
    assert [verdict.fault for verdict in verdicts] == [""] * 6


def test_a_wrong_number_on_the_page_would_be_found():
    wrong = {**EXPECTED[0][1], "value": 12}
    assert all(verdict.fault for verdict in check({"id": "page", "events": EVENTS, "expect": [wrong]}))


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    settings = Sink(url=f"chdb://{tmp_path_factory.mktemp('clickhouse')}/db?database=pulse")
    migrate(settings)
    opened = open_client(settings)
    # The morning is long ago: the table's rule for old live buckets must not act on it.
    opened.command("SYSTEM STOP TTL MERGES")
    store = Store(settings)
    format_ = vectors_of(UNDECLARED).format
    declared = (v_format(format_), format_, list(UNDECLARED.bounds_ms), UNDECLARED.stuck_after_ms, 1)
    store.insert(DEFINITIONS, [declared])
    batch = Batch()
    batch.add(("page", 0), rows_of(log_of([EVENTS])), 1)
    Writer(store, pytest.fail, pytest.fail, pytest.fail).write(batch)
    yield opened
    store.close()
    opened.close()


def table(text: str) -> list[list[str]]:
    return [line.split(" | ") for line in text.splitlines()]


@pytest.mark.parametrize(("asked", "answer"), ASKED, ids=lambda text: " ".join(text.split())[:60])
def test_clickhouse_gives_the_answer(client, asked, answer):
    result = client.query(asked)
    rows = [["NULL" if value is None else str(value) for value in row] for row in result.result_rows]
    assert [list(result.column_names), *rows] == table(answer)


@pytest.mark.parametrize("page", ["README.md", "docs/operations.md"])
def test_clickhouse_understands_what_other_pages_ask(client, page):
    text = (PAGE.parents[1] / page).read_text(encoding="utf-8")
    asked = re.findall(r'pulse sql "(S[^"]+)"', text) + re.findall(
        r"^```sql\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
    )
    assert asked
    for query in asked:
        client.query(query)


@pytest.fixture(scope="module")
def registry():
    fold = Fold(UNDECLARED, NOW)
    tell(fold, Worker(), EVENTS, NOW)
    shown = snapshot_of(fold, UNDECLARED, NOW)
    found = CollectorRegistry()
    found.register(SnapshotCollector(lambda: shown))
    return found


@pytest.mark.parametrize("line", SERIES)
def test_prometheus_gets_the_series(registry, line):
    (family,) = text_string_to_metric_families(line + "\n")
    (sample,) = family.samples
    found = registry.get_sample_value(sample.name, sample.labels)
    assert found == pytest.approx(sample.value, rel=1e-4)
