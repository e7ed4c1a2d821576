"""One worker on a real broker: what it applies, what it writes, and where it goes on."""

import pytest

from tests.runtime.world import World, until


@pytest.fixture
async def world(own_kafka):
    return World(own_kafka)


async def test_worker_applies_commits_and_goes_on_from_its_log_without_a_group_offset(world):
    await world.create_topics()
    await world.tell_calls(30, 0)
    await world.tell_calls(20, 1)
    async with world.working() as worker:
        await until(world.all_counted)
        assert worker.problems() == []
    log = await world.assert_exact(0)
    await world.assert_exact(1)
    assert log[-1].header.next_offset == 30
