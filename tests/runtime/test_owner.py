"""One owned partition and its log, without Faust: fencing, aborted tails, and what trimming leaves."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka.errors import ProducerFenced
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from pipeline.kafka.clients import running
from pipeline.runtime.opening import Source
from pipeline.runtime.plumbing import Plumbing
from pipeline.runtime.transactions import OwnedPartition
from pipeline.runtime.trimming import Trimmer
from pipeline.state.codec import state_format
from pipeline.telemetry import Telemetry
from tests.builders import UNDECLARED, event, raw
from tests.runtime.world import World, until, view


@pytest.fixture
async def world(own_kafka):
    world = World(own_kafka, partitions=1)
    await world.create_topics()
    return world


def new_owner(world: World) -> OwnedPartition:
    source = Source(
        stream="call",
        topic=world.source,
        log_topic=world.log,
        dead_letter_topic=world.dead,
        group=world.kafka.group,
        format=state_format(UNDECLARED.stored("call")),
        version="1",
        partition=0,
        partitions=1,
    )
    return OwnedPartition(source, world.settings, world.clients, world.new_partition())


@asynccontextmanager
async def opened(world: World) -> AsyncIterator[OwnedPartition]:
    owner = new_owner(world)
    try:
        await owner.open()
        yield owner
    finally:
        await owner.stop()


async def take(world: World, owner: OwnedPartition, count: int) -> None:
    """Tell `count` more calls, and apply what the owner has not applied yet."""
    first = owner.state.next_offset
    await world.tell_calls(count, 0, first=first)
    records: list[Any] = [each for each in await world.read(world.source, 0) if each.offset >= first]
    owner.apply(records, hole_accepted=False)


async def test_former_owner_cannot_commit_once_another_has_opened(world):
    async with opened(world) as former:
        await take(world, former, 3)
        await former.commit()
        await take(world, former, 4)
        async with opened(world) as owner:
            assert owner.state.next_offset == 3
            with pytest.raises(ProducerFenced):
                await former.commit()
            await take(world, owner, 2)
            await owner.commit()
    await world.assert_exact(0)


async def test_open_transaction_of_a_former_owner_is_ended_before_its_log_is_read(world):
    async with opened(world) as former:
        await take(world, former, 3)
        await former.commit()
        producer = former._producer
        await producer.begin_transaction()
        await producer.send_and_wait(world.log, b"half a commit", partition=0)
        async with opened(world) as owner:
            assert (owner.state.next_offset, owner.restored_records) == (3, 2)
            await take(world, owner, 1)
            await owner.commit()
    await world.assert_exact(0)


async def test_aborted_records_at_the_end_of_the_log_are_stepped_over(world):
    async with opened(world) as owner:
        await take(world, owner, 3)
        await owner.commit()
    await world.write_aborted(world.log, 0, 50)
    async with opened(world) as owner:
        assert owner.state.next_offset == 3
        assert len(owner.state.entities.by_key) == 3
        await take(world, owner, 2)
        await owner.commit()
    await world.assert_exact(0)


async def test_log_of_aborted_records_alone_is_an_empty_one(world):
    await world.write_aborted(world.log, 0, 20)
    async with opened(world) as owner:
        assert (owner.state.next_offset, owner.snapshot.restore_from) == (0, -1)
        await take(world, owner, 2)
        await owner.commit()
    await world.assert_exact(0)


async def test_heartbeats_do_not_move_the_state(world):
    async with opened(world) as owner:
        await take(world, owner, 3)
        for _ in range(5):
            await owner.commit()
    async with opened(world) as owner:
        assert len(owner.state.entities.by_key) == 3
    await world.assert_exact(0)


async def test_trimming_stops_at_the_sink_and_at_the_snapshot_and_leaves_a_state_to_restore(world):
    sink = f"{world.kafka.group}.sink"
    tp = TopicPartition(world.log, 0)
    plumbing = Plumbing(Telemetry(), ("call",))
    trimmer = Trimmer(world.clients, plumbing, age_seconds=0.001, sink_group=sink)
    async with opened(world) as owner:

        async def grow() -> None:
            """Until the rolling snapshot has come round again."""
            before = owner.acked_restore_from
            while owner.acked_restore_from == before:
                await take(world, owner, 1)
                await owner.commit()

        await grow()
        await grow()
        restore_from = owner.acked_restore_from
        assert restore_from > 1
        async with running(world.clients.aio_consumer(group_id=sink)) as consumer:
            consumer.assign([tp])
            await consumer.commit({tp: OffsetAndMetadata(1, "")})
            assert await trimmer.trim([owner]) == {tp: 1}
            assert await world.begin(world.log, 0) == 1
            end = (await world.told(0))[-1].offset + 1
            await consumer.commit({tp: OffsetAndMetadata(end, "")})
        held = plumbing.held_back.labels(world.log, "0")._value
        assert held.get() == restore_from - 1
        assert await trimmer.trim([owner]) == {tp: restore_from}
        assert held.get() == 0
        assert await world.begin(world.log, 0) == restore_from
        assert plumbing.trimmed.labels(world.log, "0")._value.get() == restore_from
        assert await trimmer.trim([owner]) == {}
        whole = view(owner.state, world.settings)
    async with opened(world) as owner:
        assert view(owner.state, world.settings) == whole
    await world.assert_exact(0)


async def test_trimming_keeps_what_is_young(world):
    trimmer = Trimmer(world.clients, Plumbing(Telemetry(), ("call",)), age_seconds=3600, sink_group="nobody")
    async with opened(world) as owner:
        for _ in range(8):
            await take(world, owner, 1)
            await owner.commit()
        assert owner.acked_restore_from > 0
        assert await trimmer.trim([owner]) == {}
    assert await world.begin(world.log, 0) == 0


async def test_worker_trims_its_own_log(world):
    world.worker_settings = {"trim_age_seconds": 0.5}
    async with world.working() as worker:
        deadline, number = time.monotonic() + 60, 0
        while await world.begin(world.log, 0) == 0:
            assert time.monotonic() < deadline
            await world.tell_calls(1, 0, first=number)
            number += 1
        await until(world.all_counted)
        assert worker.problems() == []
    async with world.working():
        await world.tell([(b"k", raw(event("queued", number, contact="last")))], 0)
        await until(world.all_counted)
    await world.assert_exact(0)
