"""Heartbeats into a real broker."""

import asyncio
import contextlib

import pytest

from pipeline.board.fold import Source
from pipeline.board.pacemaker import Pacemaker
from pipeline.events.heartbeat import Heartbeat
from pipeline.state.kinds import KINDS
from tests.builders import T0
from tests.runtime.world import World, until


@pytest.fixture
async def world(own_kafka):
    found = World(own_kafka)
    await found.create_topics(log_partitions=3)
    return found


async def test_every_partition_there_is_gets_one_now_and_then_and_one_that_is_not_does_no_harm(world):
    sources = [Source("call", world.log, partition) for partition in range(3)]
    now = iter(range(T0, T0 + 1000))
    sending = asyncio.create_task(Pacemaker(world.clients, lambda: sources, lambda: next(now), 0.05).run())
    try:

        async def both_have_two() -> bool:
            assert not sending.done(), sending
            return min((await world.ends(world.source)).values()) >= 2

        await until(both_have_two)
    finally:
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending
    for partition in range(2):
        told = [
            KINDS["call"].decode(record.value, None) for record in await world.read(world.source, partition)
        ]
        assert {type(each) for each in told} == {Heartbeat}
        assert [each.at for each in told] == sorted({each.at for each in told})
        assert min(each.at for each in told) >= T0
