"""What board and ClickHouse make of a state log, held to the state a single pass makes."""

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TypeAlias

import aiohttp
import pytest
from pydantic import SecretStr

from pipeline.board.places import Question
from pipeline.local.stack import Stack
from pipeline.metrics.buckets import DAY, LEVEL, LIVE, dense, merge
from pipeline.metrics.catalogue import definition_of, family_of, read_level, read_window
from pipeline.metrics.definitions import declare
from pipeline.metrics.families import FAMILIES
from pipeline.metrics.windows import live_window
from pipeline.settings import Settings
from pipeline.sink.ask import select
from pipeline.sink.contact_rows import Origin, leg_rows
from pipeline.sink.reconcile import compare
from pipeline.sink.rows import dims_text
from pipeline.sink.tables import LEGS
from pipeline.state.partition import Partition

UNDECLARED = declare({})
WIDTH = len(UNDECLARED.bounds_ms)
Truth: TypeAlias = Mapping[tuple[str, int], Partition]
"""What a single pass makes of each stream and partition."""
LEAST_BUCKETS = {"call": 50, "ticket": 50, "usage": 50}


async def assert_readers_agree(settings: Settings, truth: Truth, folder: Path) -> None:
    """Start board and sink on the logs as the workers left them, and compare every bucket, leg and gauge; and
    what the board says of all streams with the views over the facts.
    """
    settings = settings.model_copy(
        update={
            "sink": settings.sink.model_copy(update={"url": SecretStr(f"chdb://{folder / 'clickhouse'}")}),
            "board": settings.board.model_copy(update={"port": 0}),
        }
    )
    stack = Stack(settings, UNDECLARED, ("board", "sink"))
    async with stack.running():
        async with asyncio.timeout(120):
            while not _is_level(stack, settings, truth):
                await asyncio.sleep(0.1)
        calls = {number: whole for (stream, number), whole in truth.items() if stream == "call"}
        _assert_gauges(stack, calls)
        for (stream, number), whole in truth.items():
            _assert_buckets(settings, stream, number, whole)
        for number, whole in calls.items():
            _assert_legs(settings, number, whole)
        await _assert_views_agree(stack, settings)


def _is_level(stack: Stack, settings: Settings, truth: Truth) -> bool:
    """Both have read every partition of every log to the end of its last commit."""
    places = stack.board.publisher.latest.freshness
    positions = stack.sink.status.positions
    seen = {(each.source.stream, each.source.partition): each.next_offset for each in places}
    return seen == {place: whole.next_offset for place, whole in truth.items()} and all(
        positions.get((each.source.topic, each.source.partition), -1) >= each.position for each in places
    )


async def _assert_views_agree(stack: Stack, settings: Settings) -> None:
    """Every number the board shows, of every stream, is the one of ClickHouse's views. Windows move on while
    two readers are asked: what differs is asked again.
    """
    for _ in range(5):
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{stack.board.url}/api/metrics") as answer,
        ):
            shown = await answer.json()
        found = await asyncio.to_thread(compare, shown, partial(select, settings.sink), UNDECLARED)
        if not found.differences:
            break
    assert not found.differences, "\n".join(map(str, found.differences))
    assert found.agreed > 1000


def _assert_gauges(stack: Stack, truth: Mapping[int, Partition]) -> None:
    """Every number of calls of the last hour and of now, summed over the partitions of a single pass."""
    snapshot = stack.board.publisher.latest
    span = live_window("1h", snapshot.now)
    compared = 0
    for row in snapshot.rows(Question()):
        tenant, *dims = row.place
        definition = definition_of(row.metric, row.definition)
        if row.metric.families == ("waiting",):
            levels = [
                level.value()
                for whole in truth.values()
                if (level := whole.ledger.levels.get(("waiting", tenant, tuple(dims))))
            ]
            expected = read_level(row.metric, levels, snapshot.now, UNDECLARED)
        elif row.window == "1h" and row.metric.maturity is None:
            family = family_of(row.metric, definition)
            cells: dict[int, int] = {}
            for whole in truth.values():
                for (*series, start), found in whole.ledger.buckets.items():
                    wanted = series == [LIVE, family, tenant, tuple(dims)]
                    if wanted and span.start <= start < span.end:
                        merge(cells, found)
            expected = read_window(row.metric, cells, definition, UNDECLARED)
        else:
            continue
        assert row.number == pytest.approx(expected), (row, expected)
        compared += 1
    assert compared > 100


def _assert_buckets(settings: Settings, stream: str, number: int, whole: Partition) -> None:
    """Every bucket of a single pass is stored as it is, and no day has anything beside."""
    rows = select(
        settings.sink,
        "SELECT grain, family, tenant, dims, toUnixTimestamp(start), v FROM buckets FINAL "
        f"WHERE stream = '{stream}' AND src_partition = {number} AND grain != '{LEVEL}'",
    )["rows"]
    stored = {tuple(row[:5]): row[5] for row in rows}
    expected = {
        (grain, name, tenant, dims_text(name, dims), start // 1000): dense(cells, FAMILIES[name].width(WIDTH))
        for (grain, name, tenant, dims, start), cells in whole.ledger.buckets.items()
    }
    assert len(expected) > LEAST_BUCKETS.get(stream, 5)
    assert {key: stored.get(key) for key in expected} == expected
    days = {key for key, vector in stored.items() if key[0] == DAY and any(vector)}
    assert days == {key for key, vector in expected.items() if key[0] == DAY and any(vector)}


def _assert_legs(settings: Settings, number: int, whole: Partition) -> None:
    """Every leg in the memory of a single pass, column by column but for the version."""
    columns = [name for name in LEGS.columns if name not in {"_ver", "deleted"}]
    place = {name: index for index, name in enumerate(LEGS.columns)}
    shown = [f"toUnixTimestamp64Milli({name})" if name in LEGS.instants else name for name in columns]
    rows = select(settings.sink, f"SELECT {', '.join(shown)} FROM legs FINAL")["rows"]
    stored = {tuple(row[:4]): row for row in rows}
    compared = 0
    for key, chain in whole.entities.by_key.items():
        for leg in leg_rows(key, chain, Origin(1, number, 0)):
            if not leg[place["deleted"]]:
                assert stored[leg[:4]] == [leg[place[name]] for name in columns]
                compared += 1
    assert compared > 10
