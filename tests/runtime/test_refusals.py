"""A partition that cannot be trusted stays closed and says why; the others go on."""

import pytest
from aiokafka.admin import RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import TopicPartition

from pipeline.kafka.clients import running
from pipeline.state.codec import EMPTY_RECORD, Header, state_format, write_header
from tests.builders import UNDECLARED
from tests.runtime.world import World, until

LOG_APPEND_TIME = 1
"""Kafka's `timestamp_type` of a record stamped by the broker."""
GOOD = Header(
    kind="buckets",
    next_offset=0,
    watermark=0,
    restore_from=-1,
    epoch=1,
    floor=0,
    partitions=7,
    format=state_format(UNDECLARED.stored("call")),
)


@pytest.fixture
async def world(own_kafka):
    return World(own_kafka)


async def write_log(world: World, partition: int, header: Header, *, count: int = 1) -> None:
    """State-log records as some owner before us may have left them."""
    async with running(world.clients.aio_producer()) as producer:
        for _ in range(count):
            await producer.send_and_wait(
                world.log, EMPTY_RECORD, partition=partition, headers=write_header(header)
            )


async def cut(world: World, topic: str, partition: int, before: int) -> None:
    async with running(world.clients.aio_admin()) as admin:
        await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(before_offset=before)})


async def test_each_untrusted_partition_says_why_and_the_sound_one_goes_on(own_kafka):
    world = World(own_kafka, partitions=7)
    await world.create_topics()
    for partition in range(7):
        await world.tell_calls(10, partition)
    await write_log(world, 0, GOOD._replace(format="0-other"))
    await write_log(world, 1, GOOD._replace(partitions=12))
    await write_log(world, 2, GOOD._replace(next_offset=11))
    await write_log(world, 3, GOOD._replace(next_offset=4))
    await cut(world, world.source, 3, 6)
    await write_log(world, 4, GOOD._replace(restore_from=1), count=4)
    await cut(world, world.log, 4, 3)
    await write_log(world, 5, GOOD, count=2)
    await cut(world, world.log, 5, 2)

    async with world.working() as worker:

        async def sound_one_is_counted() -> bool:
            return (await world.group_offsets()).get(6) == 10

        await until(sound_one_is_counted)
        problems = worker.problems()
        refused = [worker.plumbing.refused.labels(world.source, str(n))._value.get() for n in range(7)]
    assert refused == [1, 1, 1, 1, 1, 1, 0]
    assert await world.group_offsets() == {6: 10}
    assert [problem.partition(" stays closed: ")[0] for problem in problems] == [
        f"{world.source}/{number}" for number in range(6)
    ]
    for problem, reason in zip(
        problems,
        [
            "the state log is in format 0-other",
            f"the state log was written for 12 partitions, {world.source} has 7",
            f"{world.source} ends at offset 10, below the next offset 11: the topic was created anew",
            "events from offset 4 to 5 were deleted unread",
            "state-log records from offset 1 on are needed, the log begins at 3",
            "the state log has been cut and holds no header",
        ],
        strict=True,
    ):
        assert reason in problem
        assert "pulse rebuild --stream call --since" in problem
    await world.assert_exact(6)


async def test_records_from_before_the_topic_was_set_right_are_refused(world):
    """Set right, the topic passes the check at the start; its records do not."""
    await world.create_topics(config={world.source: {"message.timestamp.type": "CreateTime"}})
    await world.tell_calls(3, 0)
    async with running(world.clients.aio_admin()) as admin:
        right = ConfigResource(
            ConfigResourceType.TOPIC, world.source, {"message.timestamp.type": "LogAppendTime"}
        )
        await admin.alter_configs([right])

    async def is_set_right() -> bool:
        """The broker's log follows its configuration a moment later."""
        await world.tell_calls(1, 0)
        return (await world.read(world.source, 0))[-1].timestamp_type == LOG_APPEND_TIME

    await until(is_set_right)
    await world.tell_calls(3, 1)
    async with world.working() as worker:

        async def sound_one_is_counted() -> bool:
            return (await world.group_offsets()).get(1) == 3

        await until(sound_one_is_counted)
        (problem,) = await until(worker.problems)
    assert problem.startswith(f"{world.source}/0 stays closed: records are stamped CreateTime")
    assert await world.group_offsets() == {1: 3}
    assert await world.told(0) == []
    await world.assert_exact(1)


async def test_topic_of_create_time_is_refused_whole(world):
    await world.create_topics(config={world.source: {"message.timestamp.type": "CreateTime"}})
    await world.tell_calls(3, 0)
    async with world.working() as worker:
        problems = await until(worker.problems)
    assert [
        f"{world.source}/{number} stays closed" in problem for number, problem in enumerate(problems)
    ] == [
        True,
        True,
    ]
    assert "message.timestamp.type is CreateTime, must be LogAppendTime" in problems[0]
    assert "--add-config message.timestamp.type=LogAppendTime" in problems[0]
    assert await world.group_offsets() == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"without": "log"}, "does not exist; try: pulse topics"),
        ({"log_partitions": 3}, "has 3 partitions, {source} has 2: they must be alike"),
    ],
)
async def test_source_without_its_state_topic_is_refused_whole(world, given, said):
    given = dict(given)
    without = [getattr(world, name) for name in [given.pop("without", None)] if name]
    await world.create_topics(without=without, **given)
    async with world.working() as worker:
        problems = await until(worker.problems)
    assert len(problems) == 2
    for problem in problems:
        assert said.format(source=world.source) in problem
