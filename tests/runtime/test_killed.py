"""Workers as processes: killed at named points, revoked while they open, out of time, out of luck."""

import asyncio
import contextlib
import os
import resource
import signal

import pytest
from aiokafka.errors import KafkaError

from pipeline.local.kafka import LocalKafka
from pipeline.settings import Kafka
from tests.runtime.processes import FATAL, KILLED, Processes
from tests.runtime.world import World, until


@pytest.fixture
async def world(own_kafka):
    world = World(own_kafka)
    await world.create_topics()
    return world


@pytest.fixture
def processes(tmp_path):
    with Processes(tmp_path) as started:
        yield started


async def keep_telling(world: World, condition) -> None:
    """Calls and bad events, a few at a time, until the condition holds: so there are many commits."""
    number = 0
    while not await condition():
        await world.tell_calls(3, number % 2, first=number)
        await world.tell([(b"k", b"bad")], number % 2)
        number += 3


async def assert_letters_came_once(world: World) -> None:
    """Each bad event has one dead letter: they are in the transaction that passes it."""
    bad = {
        (number, record.offset)
        for number in range(world.partitions)
        for record in await world.read(world.source, number)
        if record.value == b"bad"
    }
    headers = [dict(letter.headers) for letter in await world.read(world.dead, 0)]
    letters = [(int(each["partition"]), int(each["offset"])) for each in headers]
    assert sorted(letters) == sorted(bad)


@pytest.mark.parametrize("point", ["die_before_commit", "die_after_commit"])
async def test_worker_killed_around_a_commit_leaves_all_of_it_or_nothing(world, processes, point):
    worker = processes.start(world.settings, point)

    async def is_dead() -> bool:
        return worker.code is not None

    await keep_telling(world, is_dead)
    assert worker.code == KILLED, worker.tail()
    async with world.working():
        await until(world.all_counted)
    for number in range(2):
        await world.assert_exact(number)
    await assert_letters_came_once(world)
    aborted = [
        len(await world.read(world.log, number, "read_uncommitted")) - len(await world.told(number))
        for number in range(2)
    ]
    # After a commit, another partition's may be under way.
    assert sum(aborted) > 0 or point == "die_after_commit"


async def test_partition_revoked_while_it_is_opened_is_not_published(world, processes):
    await world.tell_calls(20, 0)
    await world.tell_calls(20, 1)
    slow = processes.start(world.settings, "dawdle_while_opening")
    await slow.says("opening")
    quick = processes.start(world.settings)
    await slow.says("given up")
    await until(world.all_counted)
    await quick.says("PartitionOpened")
    assert [await each.stopped() for each in (slow, quick)] == [0, 0]
    for number in range(2):
        await world.assert_exact(number)


async def test_a_worker_asked_to_stop_while_it_starts_ends(world, processes):
    """At each step of the start that is told of: before the group is joined, and while partitions open."""
    await world.tell_calls(20, 0)
    for step in ("CoreChosen", "PulseApp]: Starting", "BatchThread]: Starting", "PartitionOpened"):
        worker = processes.start(world.settings)
        await worker.says(step)
        worker.signal(signal.SIGTERM)
        assert await worker.ended(20) == 0, (step, worker.tail())
    async with world.working():
        await until(world.all_counted)
    await world.assert_exact(0)


async def test_opening_without_end_ends_the_worker_with_a_message(world, processes):
    world.worker_settings = {"open_timeout_seconds": 1.0}
    worker = processes.start(world.settings, "dawdle_while_opening")
    assert await worker.ended() == FATAL
    assert worker.said("opening took more than 1.0 s")
    assert worker.said("PULSE_WORKER__OPEN_TIMEOUT_SECONDS")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("raise_in_agent", "ZeroDivisionError('a bug of ours')"),
        ("lose_a_batch", "GapError('offset "),
    ],
)
async def test_batch_that_cannot_be_applied_ends_the_worker_and_its_successor_is_exact(
    world, processes, fault, reason
):
    worker = processes.start(world.settings, fault)

    async def is_dead() -> bool:
        return worker.code is not None

    await keep_telling(world, is_dead)
    assert worker.code == FATAL, worker.tail()
    assert worker.said(reason), worker.tail()
    async with world.working():
        await until(world.all_counted)
    for number in range(2):
        await world.assert_exact(number)


async def counted_by_worker_or_successor(world: World, processes: Processes, worker) -> None:
    """The broker is back: the worker goes on by itself, or ends with 70 and its successor does."""

    async def counted() -> bool:
        assert worker.code in {None, FATAL}, worker.tail()
        if not processes.alive:
            processes.start(world.settings)
        return await world.all_counted()

    await until(counted, 90)
    for number in range(2):
        await world.assert_exact(number)
    await processes.stop_all()
    assert {each.code for each in processes.all} <= {0, FATAL}


async def test_broker_away_for_a_while_loses_nothing(tmp_path, processes):
    broker = await asyncio.to_thread(LocalKafka(tmp_path / "kafka", say=print).start)
    try:
        world = World(Kafka(bootstrap=broker.bootstrap, topic_prefix="away", group="away"))
        await world.create_topics()
        worker = processes.start(world.settings)
        await world.tell_calls(50, 0)
        await until(world.all_counted)
        await world.tell_calls(50, 1)
        await asyncio.to_thread(broker.stop)
        await asyncio.sleep(5)
        await asyncio.to_thread(broker.start)
        await world.tell_calls(50, 0, first=50)
        await counted_by_worker_or_successor(world, processes, worker)
    finally:
        await asyncio.to_thread(broker.stop)


async def test_a_broker_without_room_on_its_disk_ends_and_nothing_is_lost(tmp_path, processes):
    """No file of the broker may grow any more, its own log neither: as on a full disk it ends by itself.
    There is room again at its next start.
    """
    broker = await asyncio.to_thread(LocalKafka(tmp_path / "kafka", say=print).start)
    try:
        world = World(Kafka(bootstrap=broker.bootstrap, topic_prefix="full", group="full"))
        await world.create_topics()
        worker = processes.start(world.settings)
        await world.tell_calls(50, 0)
        await until(world.all_counted)
        resource.prlimit(broker.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

        async def has_ended() -> bool:
            with contextlib.suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(2):
                    await world.tell_calls(50, 1)
            end = os.waitid(os.P_PID, broker.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            assert end is None or end.si_code == os.CLD_EXITED, "nobody killed it"
            return end is not None

        await until(has_ended, 90)
        await asyncio.to_thread(broker.stop)
        await asyncio.to_thread(broker.start)
        await world.tell_calls(50, 1)
        await counted_by_worker_or_successor(world, processes, worker)
    finally:
        await asyncio.to_thread(broker.stop)
