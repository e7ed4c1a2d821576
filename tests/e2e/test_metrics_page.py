"""The morning of docs/metrics.md: each of its metrics is shown in every form, and its series are scraped.

What it replays and asks of ClickHouse is run with the other pages, in test_pages.py.
"""

import json

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from pipeline.board.collector import SnapshotCollector
from pipeline.board.fold import Fold
from pipeline.board.showing import snapshot_of
from pipeline.events.instants import instant_ms
from pipeline.metrics.catalogue import METRICS
from tests.board.log import Worker, tell
from tests.builders import UNDECLARED
from tests.pages import ROOT, blocks, scenarios

PAGE = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
NOW = instant_ms("2026-03-02T09:04:59Z")
BLOCKS = blocks(PAGE)
EVENTS = [said for each in scenarios("metrics", PAGE) for commit in each.commits for said in commit]
SERIES = [line for block in BLOCKS if block.kind == "prometheus" for line in block.text.splitlines()]


def test_every_metric_of_this_page_has_an_example_of_every_kind():
    """The metrics of other groups have pages of their own."""
    names = {block.metric for block in BLOCKS} & set(METRICS)
    assert len(names) == 16
    for name in names:
        kinds = {block.kind for block in BLOCKS if block.metric == name}
        assert kinds >= {"json", "sql", "text", "prometheus"}, name


def test_an_example_stands_under_its_metric():
    for block in BLOCKS:
        if block.kind == "json":
            assert {json.loads(line)["metric"] for line in block.text.splitlines()} == {block.metric}


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
