"""The batch driver without a broker: whatever rebalances and stale prefetches do, each record is taken once.

Faust's own drain loop and callbacks run here; only the consumer thread is replaced, by a log in memory.
"""

import asyncio
from collections.abc import Iterable, Mapping
from random import Random
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from faust.types import TP
from mode import Service

from pipeline.runtime.consumer import BatchConsumer, BatchMessage, BatchSchema, BatchTransport, PulseApp

TOPIC = "t"
ROUNDS = 40


class Stored(NamedTuple):
    """A record as aiokafka's raw one."""

    offset: int
    timestamp: int = 1
    timestamp_type: int = 1


class DeletedUnreadError(Exception):
    pass


class MemoryThread(Service):
    """In place of the thread that talks to a broker. An answer under way outlives a seek."""

    def __init__(self, draw: Random, logs: dict[TP, list[Stored]], **kwargs: Any) -> None:
        self.draw = draw
        self.logs = logs
        self.assigned: set[TP] = set()
        self.position: dict[TP, int] = {}
        self.begin = 0
        super().__init__(**kwargs)

    def fetched(self, tp: TP) -> list[Stored]:
        log, position = self.logs[tp], self.position.get(tp, 0)
        first = next((i for i, record in enumerate(log) if record.offset >= position), len(log))
        return log[first : first + self.draw.randrange(1, 9)]

    async def getmany(self, active: set[TP] | None, timeout: float) -> dict[TP, list[Stored]]:
        answer = {}
        for tp in sorted(self.assigned & (active or set())):
            if records := self.fetched(tp):
                answer[tp] = records
                self.position[tp] = records[-1].offset + 1
        for _ in range(self.draw.randrange(40)):
            await asyncio.sleep(0)
        return answer

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        for tp, offset in partitions.items():
            await asyncio.sleep(0)
            self.position[tp] = offset

    def assignment(self) -> set[TP]:
        return set(self.assigned)

    def highwater(self, tp: TP) -> int:
        return self.logs[tp][-1].offset + 1

    async def earliest_offsets(self, *partitions: TP) -> dict[TP, int]:
        return dict.fromkeys(partitions, self.begin)


class MemoryConsumer(BatchConsumer):
    thread_of_test: MemoryThread

    def _new_consumer_thread(self) -> Any:
        return self.thread_of_test

    async def sleep(self, n: Any) -> None:
        """Faust's nap of a second while nothing is assigned."""
        await asyncio.sleep(0)


class Owner:
    """Applies batches as a partition does, and commits or loses them."""

    batched_topics = frozenset({TOPIC})
    max_batch = 3
    fetch_min_bytes = 1
    fetch_max_wait_ms = 1

    def __init__(self, draw: Random, logs: dict[TP, list[Stored]]) -> None:
        self.draw = draw
        self.logs = logs
        self.durable: dict[TP, list[int]] = {tp: [] for tp in logs}
        self.committed: dict[TP, int] = dict.fromkeys(logs, 0)
        self.applied: dict[TP, list[int]] = {}
        self.next_offset: dict[TP, int] = {}
        self.states: dict[TP, object] = {}

    async def open(self, partitions: set[TP], generation: int) -> Mapping[TP, int]:
        await asyncio.sleep(0)
        self.applied = {tp: [] for tp in partitions}
        self.next_offset = {tp: self.committed[tp] for tp in partitions}
        self.states = {tp: object() for tp in partitions}
        return dict(self.next_offset)

    async def close(self, partitions: Iterable[TP]) -> None:
        for tp in set(partitions) & set(self.applied):
            if self.draw.random() < 0.7:
                self.commit(tp)
            del self.applied[tp]
            del self.next_offset[tp]
            del self.states[tp]

    def commit(self, tp: TP) -> None:
        self.durable[tp] += self.applied[tp]
        self.applied[tp] = []
        self.committed[tp] = self.next_offset[tp]

    def take(self, message: BatchMessage) -> None:
        tp = message.tp
        if tp not in self.applied:
            return
        first = message.records[0].offset
        assert message.first_offset == first
        assert first <= self.next_offset[tp] or message.hole_accepted, "a batch was lost on its way"
        taken = [record.offset for record in message.records if record.offset >= self.next_offset[tp]]
        self.applied[tp] += taken
        self.next_offset[tp] = max(self.next_offset[tp], message.offset + 1)
        if self.draw.random() < 0.3:
            self.commit(tp)

    def another_member(self, tp: TP) -> None:
        """Somebody else owns it for a while and counts on."""
        todo = [record.offset for record in self.logs[tp] if record.offset >= self.committed[tp]]
        done = todo[: self.draw.randrange(6)]
        if done:
            self.durable[tp] += done
            self.committed[tp] = done[-1] + 1

    def deleted_unread(self, tp: TP, expected: int, first: int) -> Any:
        raise DeletedUnreadError(tp, expected, first)


def log_with_holes(draw: Random, count: int) -> list[Stored]:
    """Markers take offsets that no reader is given."""
    offsets, offset = [], 0
    for _ in range(count):
        offset += 1 if draw.random() < 0.9 else draw.randrange(2, 4)
        offsets.append(Stored(offset - 1))
    return offsets


class World:
    """One member of a group, and everything around it."""

    def __init__(self, seed: int, logs: dict[TP, list[Stored]] | None = None) -> None:
        self.draw = Random(seed)
        self.logs = logs or {TP(TOPIC, number): log_with_holes(self.draw, 120) for number in range(3)}
        self.owner = Owner(self.draw, self.logs)
        self.app = PulseApp("driver", broker="kafka://nobody:1", value_serializer="raw")
        self.app.partition_owner = self.owner
        self.app.transport = BatchTransport(self.app.conf.broker_consumer, self.app)
        self.thread = MemoryConsumer.thread_of_test = MemoryThread(self.draw, self.logs)
        self.queue: asyncio.Queue[BatchMessage] = asyncio.Queue(2)
        self.consumer = MemoryConsumer(
            self.app.transport,
            callback=self.queue.put,
            on_partitions_revoked=self.revoked,
            on_partitions_assigned=self.assigned,
        )
        self.app.topics = SimpleNamespace(acks_enabled_for=lambda _: False)
        self.tasks: list[asyncio.Task[None]] = []

    async def revoked(self, partitions: set[TP]) -> None:
        """As the app: nothing of the old generation reaches the agent any more."""
        self.consumer.stop_flow()
        while not self.queue.empty():
            self.queue.get_nowait()

    async def assigned(self, partitions: set[TP], generation: int) -> None: ...

    async def agent(self) -> None:
        while True:
            message = await self.queue.get()
            if message.generation_id == self.app.consumer_generation_id:
                held = self.owner.states.get(message.tp)
                for _ in range(self.draw.randrange(3)):
                    await asyncio.sleep(0)
                if held is self.owner.states.get(message.tp):
                    self.owner.take(message)

    async def rebalance(self) -> None:
        consumer = self.consumer
        await consumer.on_partitions_revoked(set(self.thread.assigned))
        self.app.consumer_generation_id += 1
        others = {tp for tp in self.logs if self.draw.random() < 0.4}
        for tp in others:
            self.owner.another_member(tp)
        self.thread.assigned = set(self.logs) - others
        await consumer.on_partitions_assigned(self.thread.assigned, self.app.consumer_generation_id)
        await consumer.perform_seek()
        consumer.resume_flow()

    async def run(self, rounds: int) -> None:
        fetcher = Service()
        self.consumer.stop_flow()
        await self.rebalance()
        self.tasks = [
            asyncio.create_task(self.consumer._drain_messages(fetcher)),
            asyncio.create_task(self.agent()),
        ]
        try:
            for _ in range(rounds):
                for _ in range(self.draw.randrange(60)):
                    await asyncio.sleep(0)
                self.check()
                await self.rebalance()
            async with asyncio.timeout(20):
                while not self.is_done():
                    self.check()
                    await asyncio.sleep(0)
                    if set(self.thread.assigned) != set(self.logs):
                        await self.rebalance()
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)
            self.tasks = []

    def is_done(self) -> bool:
        ends = {tp: log[-1].offset + 1 for tp, log in self.logs.items()}
        return all(self.owner.next_offset.get(tp) == end for tp, end in ends.items())

    def check(self) -> None:
        """Nothing below a committed offset is unprocessed, nothing is applied twice."""
        for task in self.tasks:
            if task.done():
                task.result()
        for tp, log in self.logs.items():
            below = [record.offset for record in log if record.offset < self.owner.committed[tp]]
            assert self.owner.durable[tp] == below


@pytest.mark.parametrize("seed", range(1, 31))
async def test_each_record_is_taken_once_whatever_rebalances_do(seed):
    world = World(seed)
    await world.run(ROUNDS)
    for tp in world.logs:
        world.owner.commit(tp)
    world.check()
    assert {tp: offsets[-1] for tp, offsets in world.owner.durable.items()} == {
        tp: log[-1].offset for tp, log in world.logs.items()
    }
    assert world.consumer.accepted_holes > 0


async def test_events_deleted_unread_are_no_hole():
    tp = TP(TOPIC, 0)
    world = World(1, {tp: [Stored(5), Stored(6)]})
    world.thread.assigned = {tp}
    world.thread.begin = 5
    world.consumer._set_active_tps({tp})
    world.consumer._expected[tp] = 2
    assert await world.consumer._contiguous(tp, [Stored(5)]) is None
    assert world.thread.position[tp] == 2
    with pytest.raises(DeletedUnreadError):
        await world.consumer._contiguous(tp, [Stored(5)])


async def test_hole_is_read_again_before_it_is_accepted():
    tp = TP(TOPIC, 0)
    world = World(1, {tp: [Stored(2), Stored(4)]})
    world.consumer._expected[tp] = 3
    assert await world.consumer._contiguous(tp, [Stored(4)]) is None
    message = await world.consumer._contiguous(tp, [Stored(4)])
    assert message is not None
    assert (message.hole_accepted, message.first_offset, message.offset) == (True, 4, 4)
    assert world.consumer.accepted_holes == 1


async def test_whole_fetch_is_left_when_its_beginning_is_read_again():
    """Its later slices would pass for what comes after an accepted hole."""
    tp = TP(TOPIC, 0)
    world = World(1, {tp: [Stored(offset) for offset in range(1, 7)]})
    world.thread.fetched = lambda tp: world.logs[tp]
    world.thread.assigned = {tp}
    world.consumer._set_active_tps({tp})
    world.consumer._expected[tp] = 0
    assert [each async for each in world.consumer.getmany(1.0)] == []
    assert world.thread.position[tp] == 0
    messages = [message async for _, message in world.consumer.getmany(1.0)]
    assert [(each.first_offset, each.hole_accepted) for each in messages] == [(1, True), (4, False)]


async def test_rebalance_while_a_hole_is_looked_at_leaves_the_new_generation_alone():
    tp = TP(TOPIC, 0)
    world = World(1, {tp: [Stored(offset) for offset in range(9)]})
    world.thread.assigned = {tp}
    world.consumer._expected[tp] = 5
    world.consumer._read_again.add(tp)

    async def rebalanced_meanwhile(*_: TP) -> dict[TP, int]:
        world.app.consumer_generation_id += 1
        await world.consumer.perform_seek()
        return {tp: 0}

    world.thread.earliest_offsets = rebalanced_meanwhile
    assert await world.consumer._contiguous(tp, [Stored(8)]) is None
    assert world.consumer._expected[tp] == 0


async def test_hole_inside_a_batch_needs_no_second_look():
    tp = TP(TOPIC, 0)
    world = World(1, {tp: [Stored(0), Stored(2)]})
    world.consumer._expected[tp] = 0
    message = await world.consumer._contiguous(tp, [Stored(0), Stored(2)])
    assert message is not None
    assert not message.hole_accepted
    assert world.consumer._expected[tp] == 3


async def test_records_below_the_expected_offset_are_cut_off():
    tp = TP(TOPIC, 0)
    world = World(1, {tp: [Stored(0)]})
    world.consumer._expected[tp] = 2
    assert await world.consumer._contiguous(tp, [Stored(0), Stored(1)]) is None
    message = await world.consumer._contiguous(tp, [Stored(1), Stored(2), Stored(3)])
    assert message is not None
    assert [record.offset for record in message.records] == [2, 3]


async def test_partition_that_is_not_open_delivers_nothing():
    tp = TP(TOPIC, 0)
    world = World(1, {tp: [Stored(0)]})
    assert await world.consumer._contiguous(tp, [Stored(0)]) is None


async def test_committing_frees_what_only_stock_commit_frees():
    tp = TP(TOPIC, 0)
    world = World(1, {tp: [Stored(0)]})
    world.consumer._acked[tp].append(1)
    world.consumer._acked_index[tp].add(1)
    assert await world.consumer.commit()
    assert not world.consumer._acked[tp]
    assert not world.consumer._acked_index[tp]


async def test_faust_drops_nothing_for_what_an_older_generation_has_read():
    tp = TP(TOPIC, 0)
    world = World(1, {tp: [Stored(0)]})
    world.consumer._read_offset[tp] = 53
    assert world.consumer._read_offset[tp] is None


async def test_faust_can_never_commit_by_itself():
    world = World(1)
    with pytest.raises(AssertionError, match="only transactions commit"):
        await world.consumer._commit({TP(TOPIC, 0): 1})


async def test_records_reach_the_agent_as_they_are():
    made = []
    app = SimpleNamespace(create_event=lambda *given: made.append(given))
    message = BatchMessage(TOPIC, 0, 1, 0.0, 1, None, None, None, None, 0, 0, TP(TOPIC, 0))
    message.records = [Stored(1)]
    await BatchSchema().compile(app)(message)
    assert made == [(None, [Stored(1)], None, message)]
