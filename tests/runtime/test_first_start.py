"""A worker that meets a source topic older than itself."""

import pytest
from aiokafka.admin import RecordsToDelete
from aiokafka.structs import TopicPartition

from pipeline.kafka.clients import running
from tests.runtime.world import World, until


@pytest.fixture
async def world(own_kafka):
    return World(own_kafka)


async def test_a_first_start_begins_where_retention_has_left_the_source(world):
    await world.create_topics()
    await world.tell_calls(30, 0)
    async with running(world.clients.aio_admin()) as admin:
        await admin.delete_records({TopicPartition(world.source, 0): RecordsToDelete(before_offset=10)})
    async with world.working() as worker:
        await until(world.all_counted)
        assert worker.problems() == []
    await world.tell_calls(5, 0, first=30)
    async with world.working():
        await until(world.all_counted)
    log = await world.assert_exact(0)
    assert log[-1].header.next_offset == 35
