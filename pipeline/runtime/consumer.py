"""The Faust driver: one event per fetched batch of one partition, and no commit but ours.

Source: the Faust guide §4; every name overridden here has a contract test. Written against
faust-streaming 0.15.3 and aiokafka 0.14.0.
"""

import asyncio
from bisect import bisect_left
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final, NoReturn, Protocol, cast

import faust
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import KafkaError
from faust.transport.consumer import Consumer as FaustConsumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

READ_COMMITTED: Final = "read_committed"
POSITION_SECONDS: Final = 2.0


class Owner(Protocol):
    """Who opens and closes partitions; called on Faust's main loop."""

    batched_topics: frozenset[str]
    max_batch: int
    fetch_min_bytes: int
    fetch_max_wait_ms: int

    async def open(self, partitions: set[TP], generation: int) -> Mapping[TP, int]:
        """Open what is assigned; answers the next offset of each open partition.

        Refused partitions are missing from the answer. Ends the process on any error.
        """

    async def close(self, partitions: Iterable[TP]) -> None:
        """Commit and let go. Ends the process when it cannot."""

    def deleted_unread(self, tp: TP, expected: int, first: int) -> NoReturn:
        """Events between two offsets were deleted before they were read. Does not return."""


class BatchMessage(ConsumerMessage):
    """One fetched batch. `offset` is the last record's; `records` are in offset order.

    `hole_accepted`: the offsets before the first record were read again and are not there.
    """

    __slots__ = ("first_offset", "hole_accepted", "records")

    records: list[Any]
    first_offset: int
    hole_accepted: bool


class BatchSchema(faust.Schema[Any, Any]):
    """Hands the records on as they are: a decode error inside Faust would ack and skip."""

    def compile(self, app: Any, **_: Any) -> Any:
        create_event = app.create_event

        async def decode(message: BatchMessage, *, propagate: bool = False) -> Any:  # noqa: ARG001
            return create_event(None, message.records, None, message)

        return decode


class PulseApp(faust.App):
    """A Faust app that knows who owns its partitions."""

    partition_owner: Owner


class BatchThread(driver.AIOKafkaConsumerThread):
    """The consumer thread, with the fetch and isolation settings Faust has no names for."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        owner = cast("PulseApp", self.app).partition_owner
        consumer._fetch_min_bytes = owner.fetch_min_bytes
        consumer._fetch_max_wait_ms = owner.fetch_max_wait_ms
        consumer._isolation_level = READ_COMMITTED
        return consumer

    def highwater(self, tp: TP) -> Any:
        """How far a reader of committed records can get."""
        return self._ensure_consumer().last_stable_offset(tp)


class NoReadOffsets(dict[TP, int | None]):
    """Faust drops what lies below the last offset it handed out, be it one of another generation."""

    def __getitem__(self, tp: TP) -> None:
        return None

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        """Nothing is remembered: `_expected` is the only truth."""


class BatchConsumer(driver.Consumer):
    """Delivers strictly contiguous offsets per partition; `_expected` is the only truth."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._expected: dict[TP, int] = {}
        self._read_again: set[TP] = set()
        self.accepted_holes = 0
        super().__init__(*args, **kwargs)
        self._read_offset = NoReadOffsets()
        self._owner = cast("PulseApp", self.app).partition_owner

    def _new_consumer_thread(self) -> BatchThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(
        self,
        timeout: float,  # noqa: ASYNC109 - the signature is Faust's
    ) -> AsyncIterator[tuple[TP, BatchMessage]]:
        generation = self.app.consumer_generation_id
        records, _ = await self._wait_next_records(timeout)
        if records is None or self.should_stop:
            return
        for tp, fetched in records.items():
            for first in range(0, len(fetched), self._owner.max_batch):
                if not self.flow_active or generation != self.app.consumer_generation_id:
                    return
                batch = fetched[first : first + self._owner.max_batch]
                message = await self._contiguous(tp, batch)
                if message is not None:
                    self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
                    yield tp, message
                elif tp in self._read_again:
                    break  # the rest of this fetch comes again too

    async def _contiguous(self, tp: TP, batch: list[Any]) -> BatchMessage | None:
        """The batch cut to what is expected; None when nothing of it can be delivered yet."""
        expected = self._expected.get(tp)
        if expected is None:
            return None
        if batch[0].offset < expected:
            batch = batch[bisect_left(batch, expected, key=lambda record: record.offset) :]
            if not batch:
                return None
        hole = batch[0].offset > expected
        if hole:
            generation = self.app.consumer_generation_id
            if not await self._is_real_hole(tp, expected, batch[0].offset):
                return None
            if (self._expected.get(tp), self.app.consumer_generation_id) != (expected, generation):
                return None  # taken away, and perhaps given back, in the meantime
        self._read_again.discard(tp)
        self._expected[tp] = batch[-1].offset + 1
        return self._message(tp, batch, hole_accepted=hole)

    async def _is_real_hole(self, tp: TP, expected: int, first: int) -> bool:
        """A stale prefetch is read again; a hole that stays is a marker or compaction."""
        if tp not in self._read_again:
            self._read_again.add(tp)
            await self.seek_wait({tp: expected})
            return False
        begin = (await self.earliest_offsets(tp))[tp]
        if expected < begin:
            self._owner.deleted_unread(tp, expected, first)
        self.accepted_holes += 1
        return True

    def _message(self, tp: TP, batch: list[Any], *, hole_accepted: bool) -> BatchMessage:
        last = batch[-1]
        message = BatchMessage(
            tp.topic,
            tp.partition,
            last.offset,
            (last.timestamp or 0) / 1000.0,
            last.timestamp_type,
            None,
            None,
            None,
            None,
            0,
            0,
            tp,
            generation_id=self.app.consumer_generation_id,
        )
        message.records = batch
        message.first_offset = batch[0].offset
        message.hole_accepted = hole_accepted
        return message

    async def has_come_to_the_end(self, tp: TP, next_offset: int) -> bool:
        """Whether behind `next_offset` are but markers and aborted records, which nobody is given."""
        if self._expected.get(tp) != next_offset:
            return False
        try:
            position = await asyncio.wait_for(self.position(tp), POSITION_SECONDS)
        except (KafkaError, TimeoutError):
            return False
        return position is not None and position >= (self.highwater(tp) or 0)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Faust's gap logic counts the message's own offset as missing."""

    def on_buffer_full(self, tp: TP) -> None:
        """A full queue blocks the drain loop; taking the partition out would sleep for 1 s."""

    async def commit(
        self,
        topics: Any = None,  # noqa: ARG002
        start_new_transaction: bool = True,  # noqa: ARG002, FBT001, FBT002
    ) -> bool:
        """Nothing to do: offsets go with our transactions. Frees what only stock commit frees."""
        for tp in self._acked:
            self._acked[tp].clear()
            self._acked_index[tp].clear()
        return True

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        raise AssertionError(f"Faust tried to commit {offsets}: only transactions commit")

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Our commits do not touch what Faust judges by; the worker has its own watchdog."""

    async def perform_seek(self) -> None:
        """Open what is assigned and go to each partition's next offset."""
        self._expected.clear()
        self._read_again.clear()
        assigned = {tp for tp in self.assignment() if tp.topic in self._owner.batched_topics}
        offsets = await self._owner.open(assigned, self.app.consumer_generation_id)
        if refused := assigned - set(offsets):
            self.pause_partitions(refused)
        for tp, offset in offsets.items():
            await self.seek_wait({tp: offset})
            self._expected[tp] = offset

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Close while the flow is still on; aiokafka would swallow what is raised here."""
        await self._owner.close(revoked)
        await FaustConsumer.on_partitions_revoked(self, revoked)
        self._expected.clear()

    async def on_stop(self) -> None:
        """On a clean stop aiokafka leaves the group without calling the above."""
        await self._owner.close(list(self._expected))
        self._expected.clear()
        await super().on_stop()


class BatchTransport(driver.Transport):
    """Set as `app.transport` before any agent is declared."""

    Consumer = BatchConsumer


def hand_out_raw_records(topics: frozenset[str]) -> None:
    """Spare aiokafka's ConsumerRecord (half the cost of a fetch) for these topics.

    The raw record has offset, timestamp, timestamp_type, key, value and headers.
    """
    original = PartitionRecords._consumer_record

    def consumer_record(self: Any, tp: Any, record: Any) -> Any:
        return record if tp.topic in topics else original(self, tp, record)

    PartitionRecords._consumer_record = consumer_record
