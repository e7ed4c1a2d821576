"""One worker on a real broker: what it applies, what it writes, and where it goes on."""

import asyncio
import json
from hashlib import sha256
from importlib.metadata import version

import pytest
from aiokafka import AIOKafkaProducer
from kafka import OffsetAndMetadata, TopicPartition
from structlog.testing import capture_logs

from pipeline.kafka.clients import Clients
from pipeline.state.codec import EMPTY_RECORD
from tests.builders import event, raw
from tests.runtime.world import World, until


@pytest.fixture
async def world(own_kafka):
    return World(own_kafka)


def forget_group(world: World) -> None:
    """As the broker does with the offsets of a group that has been away for a week."""
    admin = Clients(world.kafka).admin()
    try:
        admin.delete_groups([world.kafka.group])
    finally:
        admin.close()


async def test_worker_goes_on_from_its_log_without_a_group_offset(world):
    world.worker_settings = {"heartbeat_seconds": 1.0}  # which puts the group's offsets right again
    await world.create_topics()
    await world.tell_calls(30, 0)
    await world.tell_calls(20, 1)
    async with world.working() as worker:
        await until(world.all_counted)
        assert worker.problems() == []
    assert await world.group_offsets() == {0: await world.next_offset(0), 1: await world.next_offset(1)}
    forget_group(world)
    await world.tell_calls(5, 0, first=28)
    async with world.working():
        await until(world.all_counted)
    log = await world.assert_exact(0)
    assert log[-1].header.next_offset == 35
    await world.assert_exact(1)
    assert await world.group_offsets() == {0: 35, 1: 20}


async def test_group_offset_that_somebody_moved_is_said_aloud_and_not_followed(world):
    await world.create_topics()
    await world.tell_calls(30, 0)
    async with world.working():
        await until(world.all_counted)
    moved = TopicPartition(world.source, 0)
    consumer = Clients(world.kafka).consumer(group_id=world.kafka.group)
    consumer.assign([moved])
    consumer.commit({moved: OffsetAndMetadata(7, "", -1)})
    consumer.close()
    await world.tell_calls(5, 0, first=30)
    with capture_logs() as logs:
        async with world.working():
            await until(world.all_counted)
    (said,) = [line for line in logs if line["event"] == "GroupOffsetDiffers"]
    assert (said["group_offset"], said["next_offset"]) == (7, 30)
    await world.assert_exact(0)


async def test_idle_partition_says_that_it_lives(world):
    world.worker_settings = {"heartbeat_seconds": 0.3}
    await world.create_topics()

    async def has_beaten() -> bool:
        return len(await world.told(0)) > 2

    async with world.working() as worker:
        await until(has_beaten)
        assert worker.problems() == []
    log = await world.told(0)
    assert {(each.value, each.header.next_offset, each.header.restore_from) for each in log} == {
        (EMPTY_RECORD, 0, -1)
    }
    async with world.working():
        await world.tell_calls(3, 0)
        await until(world.all_counted)
    await world.assert_exact(0)


async def test_dead_letter_says_where_it_came_from_and_why(world):
    await world.create_topics()
    long = b"\xff" * 70_000
    await world.tell([(b"the key", b"no json"), (None, long)], 1)
    async with world.working():
        await until(world.all_counted)
    source = await world.read(world.source, 1)
    first, second = await world.read(world.dead, 0)
    assert (first.key, first.value) == (b"the key", b"no json")
    headers = {name: value.decode() for name, value in first.headers}
    assert headers.pop("detail") != ""
    assert headers == {
        "topic": world.source,
        "partition": "1",
        "offset": "0",
        "timestamp": str(source[0].timestamp),
        "reason": "not_json",
        "version": version("pulse-pipeline"),
        "size": "7",
        "sha256": sha256(b"no json").hexdigest(),
    }
    assert second.value == long[: 64 * 1024]
    headers = {name: value.decode() for name, value in second.headers}
    assert headers["size"] == "70000"
    assert headers["sha256"] == sha256(long).hexdigest()


async def test_record_of_a_megabyte_is_too_large_and_its_neighbours_count(world):
    await world.create_topics(config={world.source: {"max.message.bytes": str(3 << 20)}})
    huge = json.dumps(event("queued", 1, contact="huge") | {"more": "x" * (1 << 20)}).encode()
    small = [raw(event("queued", at, contact=f"c{at}")) for at in range(2)]
    await world.tell([(b"k", small[0]), (b"k", huge), (b"k", small[1])], 0)
    async with world.working():
        await until(world.all_counted)
    await world.assert_exact(0)
    whole = await world.single_pass(0)
    assert set(whole.entities.by_key) == {"t|c0", "t|c1"}
    (letter,) = await world.read(world.dead, 0)
    assert dict(letter.headers)["reason"] == b"too_large"
    assert len(letter.value) == 64 * 1024


async def test_dead_letter_of_a_huge_key_fits_its_topic(world):
    """Else the commit is refused for ever, and the partition never moves again."""
    await world.create_topics(config={world.source: {"max.message.bytes": str(3 << 20)}})
    await world.tell([(b"k" * (2 << 20), b"no json")], 0)
    await world.tell_calls(1)
    world.worker_settings = {"state_compression": "none"}
    async with world.working():
        await until(world.all_counted)
    await world.assert_exact(0)
    (letter,) = await world.read(world.dead, 0)
    assert letter.value == b"no json"


async def test_poisoned_partition_is_named_while_good_events_go_on(world):
    world.worker_settings = {"max_dead_letters": 700, "max_batch": 200}
    await world.create_topics()
    await world.tell(((b"k", b"bad %d" % number) for number in range(20_000)), 0)
    await world.tell_calls(10, 0)
    await world.tell_calls(10, 1)
    async with world.working() as worker:
        await until(world.all_counted)
        (problem,) = worker.problems()
        assert problem.startswith(f"poison: {world.source}/0: ")
        assert worker.plumbing.poisoned.labels(world.source, "0")._value.get() == 1
        assert worker.plumbing.poisoned.labels(world.source, "1")._value.get() == 0
    log = await world.assert_exact(0)
    passed = [each.header.next_offset for each in log]
    steps = [after - before for before, after in zip([0, *passed], passed, strict=False)]
    assert max(steps) <= 700 + 200
    letters = [int(dict(each.headers)["offset"]) for each in await world.read(world.dead, 0)]
    assert letters == list(range(20_000))


async def test_events_of_a_producers_aborted_transaction_do_not_count(world):
    """The topic then ends with a marker, which no worker ever passes: it must not count as a stall."""
    world.worker_settings = {"commit_timeout_seconds": 0.5, "heartbeat_seconds": 0.3, "stall_seconds": 0.6}
    await world.create_topics()

    def calls(name: str) -> list[bytes]:
        return [raw(event("queued", number, contact=f"{name}{number}")) for number in range(3)]

    await world.tell_in_transaction(calls("aborted"), abort=True)
    await world.tell_in_transaction(calls("told"), abort=False)
    await world.tell_in_transaction(calls("gone"), abort=True)

    async with world.working() as worker:

        async def has_counted_and_beaten() -> bool:
            log = await world.told(0)
            return len([each for each in log if each.header.next_offset == 7]) > 8

        await until(has_counted_and_beaten)
        assert worker.problems() == []
        assert worker.plumbing.lag.labels(world.source, "0")._value.get() == 0
    await world.assert_exact(0)
    whole = await world.single_pass(0)
    assert sorted(whole.entities.by_key) == [
        "t|told0",
        "t|told1",
        "t|told2",
    ]


async def test_holes_at_the_beginning_of_a_fetch_cost_no_event(world):
    """A marker lies before each transaction's records, and a fetch holds more than one batch of them."""
    world.worker_settings = {"max_batch": 4}
    await world.create_topics()
    for first in range(0, 60, 20):
        calls = [raw(event("queued", number, contact=f"c{number}")) for number in range(first, first + 20)]
        await world.tell_in_transaction(calls, abort=False)

    async def has_counted() -> bool:
        return await world.next_offset(0) >= 62  # 60 records and the markers between them

    async with world.working() as worker:
        await until(has_counted)
        for first in range(60, 120, 20):
            calls = [
                raw(event("queued", number, contact=f"c{number}")) for number in range(first, first + 20)
            ]
            await world.tell_in_transaction(calls, abort=False)
        await until(lambda: world.next_offset_is(0, 125))
        assert worker.plumbing.holes._value.get() > 0
    await world.assert_exact(0)
    assert len((await world.single_pass(0)).entities.by_key) == 120


async def test_commit_under_way_is_seen_through_when_the_worker_stops(world, monkeypatch):
    await world.create_topics()
    commit, begun = AIOKafkaProducer.commit_transaction, asyncio.Event()

    async def commit_slowly(self) -> None:
        begun.set()
        await asyncio.sleep(0.3)
        await commit(self)

    monkeypatch.setattr(AIOKafkaProducer, "commit_transaction", commit_slowly)
    async with world.working() as worker:
        await world.tell_calls(20, 0)
        await begun.wait()
    assert worker.plumbing.commits.labels("failed")._value.get() == 0
    await world.assert_exact(0)


async def test_nothing_said_of_a_partition_outlives_its_ownership(world):
    await world.create_topics()
    await world.tell_calls(3, 0)
    async with world.working() as worker:
        shown = worker.plumbing
        await until(lambda: shown.lag._metrics)
        assert shown.open.labels(world.source, "0")._value.get() == 1
    assert shown.open.labels(world.source, "0")._value.get() == 0
    assert [
        each._metrics for each in (shown.lag, shown.watermark, shown.entities, shown.buckets, shown.poisoned)
    ] == [{}] * 5
