"""Heartbeats through the real pipeline: to the board and to ClickHouse and back, and into nobody's numbers."""

import asyncio
import time

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.kafka.clients import Clients
from pipeline.kafka.topics import create_missing, declared_topics
from pipeline.local.stack import Stack
from pipeline.metrics.definitions import declare
from pipeline.settings import Settings
from pipeline.sink.ask import select
from pipeline.sink.tables import TABLES

SECONDS = 0.3
VISIBLE = "pulse_heartbeat_visible_timestamp_seconds"
QUERYABLE = "pulse_heartbeat_queryable_timestamp_seconds"


@pytest.fixture
def settings(own_kafka, tmp_path):
    found = Settings(
        streams=("call",),
        kafka=own_kafka,
        board={"port": 0, "render_seconds": 0.1},
        worker={"commit_seconds": 0.1},
        sink={"url": f"chdb://{tmp_path / 'clickhouse'}", "flush_seconds": 0.2},
        heartbeat={"seconds": SECONDS},
    )
    admin = Clients(found.kafka).admin()
    create_missing(admin, declared_topics(own_kafka.topic_prefix), local=True)
    admin.close()
    return found


def fail(message: str):
    raise AssertionError(message)


async def scraped(stack: Stack) -> dict[str, dict[tuple[str, ...], float]]:
    """Every sample of /metrics by name and label values, in the order of the labels' names."""
    async with aiohttp.ClientSession() as session, session.get(f"{stack.board.url}/metrics") as answer:
        text = await answer.text()
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


async def beats_after(stack: Stack, name: str, began: float) -> dict[tuple[str, ...], float]:
    """The series of all four partitions, once each is of a heartbeat sent after `began`."""
    async with asyncio.timeout(60):
        while True:
            told = (await scraped(stack)).get(name, {})
            if len(told) == 4 and min(told.values()) >= began:
                return told
            await asyncio.sleep(0.05)


async def test_a_heartbeat_goes_through_every_partition_to_the_board_and_to_clickhouse(settings):
    prefix = settings.kafka.topic_prefix
    stack = Stack(settings, declare({}), fatal=fail)
    async with stack.running():
        for name in (VISIBLE, QUERYABLE):
            began = time.time()
            told = await beats_after(stack, name, began)
            print(f"{name}: all within {time.time() - began:.2f} s")
            assert {topic for _, topic in told} == {f"{prefix}.call"}
            assert {partition for partition, _ in told} == set("0123")
            assert max(told.values()) <= time.time()
        samples = await scraped(stack)
        assert samples["pulse_heartbeat_interval_seconds"] == {(): SECONDS}
        # Nobody called, so nobody's numbers know of anything.
        assert [name for name in samples if name.startswith(("support_", "success_"))] == []
        assert set(samples["pulse_events_consumed_total"].values()) == {0}
        shown = stack.board.publisher.latest
        assert list(shown.rows()) == []
        assert shown.tenants == ()
        counted = {
            table.name: select(settings.sink, f"SELECT count() FROM {table.name} FINAL")["rows"][0][0]
            for table in TABLES
            if table.name != "definitions"
        }
        assert counted.pop("buckets") == 4
        assert set(counted.values()) == {0}
        kept = select(settings.sink, "SELECT DISTINCT family, tenant, grain FROM buckets")["rows"]
        assert kept == [["heartbeat", "pulse.heartbeat", "day"]]
        assert sum(len(owned.state.entities.by_key) for owned in stack.worker.ownership.owned.values()) == 0


async def test_switched_off_nothing_is_sent_and_the_board_says_so(settings):
    settings = settings.model_copy(update={"heartbeat": type(settings.heartbeat)(enabled=False)})
    stack = Stack(settings, declare({}), roles=("aggregate", "board"), fatal=fail)
    async with stack.running():
        async with asyncio.timeout(60):
            while not stack.board.publisher.latest.is_caught_up:
                await asyncio.sleep(0.05)
        assert (await scraped(stack))["pulse_heartbeat_interval_seconds"] == {(): 0}
        assert not [task for task in asyncio.all_tasks() if "heartbeats" in task.get_name()]
        assert {owned.state.next_offset for owned in stack.worker.ownership.owned.values()} == {0}
