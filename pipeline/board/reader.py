"""Reads the state logs for the board: opens each partition like an owner, then follows it.

Source: architecture.md §2 (Open) and §4. Group-less, committed records only, commits nothing. A
partition that cannot be read is refused with a reason; the others go on.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from aiokafka.structs import TopicPartition

from pipeline.board.fold import Fold, LogRecord, Source
from pipeline.kafka.clients import Clients, running
from pipeline.kafka.state_log import POLL_MS, last_header
from pipeline.kafka.topics import Topic
from pipeline.state.codec import Header, StateLogError, read_header

RECORDS_PER_TURN: Final = 20
"""A record holds up to 512 KiB: the loop must breathe in between."""
RETRY_SECONDS: Final = 1.0
CHECK_SECONDS: Final = 10.0
OPENING_WAIT_MS: Final = 10
"""A fetch that waits at a log's end holds up the next partition: they are opened one after the other."""
STALL_SECONDS: Final = 60.0

_log = structlog.get_logger(__name__)


class Reader:
    """Feeds a fold. `changed` is called when a commit became visible or readiness may have changed.

    `problem` says why nothing at all can be read just now ('' = nothing is wrong).
    """

    def __init__(
        self, clients: Clients, topics: Iterable[Topic], fold: Fold, changed: Callable[[], None]
    ) -> None:
        self.problem = "the state logs have not been opened yet"
        self._clients = clients
        self._streams = {topic.name: topic.stream for topic in topics if topic.kind == "state"}
        self._fold = fold
        self._changed = changed

    async def run(self) -> None:
        """Read until cancelled; while Kafka is away, try again every second."""
        while True:
            try:
                await self._read()
            except (KafkaError, OSError) as error:
                self.problem = f"Kafka cannot be read: {type(error).__name__}"
                _log.warning("state_log_read_failed", error=repr(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _read(self) -> None:
        """Open, then follow; returns when a position was trimmed away and all must be opened anew."""
        partitions = await self._partitions()
        for tp in partitions:
            self._fold.expect(self._source(tp))
        async with running(self._clients.aio_consumer(fetch_max_wait_ms=OPENING_WAIT_MS)) as consumer:
            ends = await consumer.end_offsets(partitions)
            starts = {tp: start for tp in ends if (start := await self._open(consumer, tp, ends)) is not None}
        self.problem = ""
        self._changed()
        async with running(self._clients.aio_consumer()) as consumer:
            consumer.assign(list(starts))
            for tp, start in starts.items():
                consumer.seek(tp, start)
            try:
                await self._follow(consumer, {tp: ends[tp] for tp in starts})
            except OffsetOutOfRangeError as error:
                _log.warning("state_log_position_lost", partitions=str(error.args))

    async def _partitions(self) -> list[TopicPartition]:
        """Every partition of the state topics, when all of them are there.

        Names are listed first: asking about a topic by name may create it.
        """
        names = sorted(self._streams)
        async with running(self._clients.aio_admin()) as admin:
            while True:
                missing = set(names) - set(await admin.list_topics())
                described = [] if missing else await admin.describe_topics(names)
                if described and all(topic["partitions"] for topic in described):
                    break
                what = ", ".join(sorted(missing or names))
                self.problem = f"topic {what} does not exist: create it with `pulse topics`"
                await asyncio.sleep(RETRY_SECONDS)
        found = [(topic["topic"], each["partition"]) for topic in described for each in topic["partitions"]]
        return [TopicPartition(*each) for each in sorted(found)]

    def _source(self, tp: TopicPartition) -> Source:
        return Source(self._streams[tp.topic], tp.topic, tp.partition)

    async def _open(
        self, consumer: AIOKafkaConsumer, tp: TopicPartition, ends: dict[TopicPartition, int]
    ) -> int | None:
        """Where to read from; None when the partition is refused."""
        source = self._source(tp)
        place = self._fold.expect(source)
        begin = (await consumer.beginning_offsets([tp]))[tp]
        end = ends[tp]
        if place.refused:
            return None
        if place.is_caught_up and begin <= place.position <= end:
            return place.position
        if place.position > end:
            _log.warning("state_log_made_anew", topic=tp.topic, partition=tp.partition)
            self._fold.forget(source)
        self._fold.reopen(source)
        try:
            header = await last_header(consumer, tp, begin, end)
            count = sum(other.topic == tp.topic for other in ends)
            return _first_offset(header, begin, end, count)
        except StateLogError as error:
            self._refuse(source, str(error))
            return None

    def _refuse(self, source: Source, reason: str) -> None:
        self._fold.refuse(source, reason)
        _log.error("state_log_refused", topic=source.topic, partition=source.partition, reason=reason)

    async def _follow(self, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> None:
        behind = {tp: end for tp, end in ends.items() if not self._fold.expect(self._source(tp)).is_caught_up}
        progress = _Progress()
        while True:
            found = await consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_PER_TURN)
            visible = False
            for tp, record in ((tp, record) for tp, records in found.items() for record in records):
                visible |= self._take(tp, record)
                # Others share the loop, and a full buffer answers without waiting.
                await asyncio.sleep(0)
            reached = [tp for tp, end in behind.items() if await consumer.position(tp) >= end]
            for tp in reached:
                del behind[tp]
                self._fold.caught_up(self._source(tp))
                _log.info("state_log_caught_up", topic=tp.topic, partition=tp.partition)
            if reached or visible:
                self._changed()
            await progress.check(consumer, list(ends))

    def _take(self, tp: TopicPartition, record: Any) -> bool:
        source = self._source(tp)
        if self._fold.expect(source).refused:
            return False
        try:
            header = read_header(record.headers)
        except StateLogError as error:
            self._refuse(source, f"record at offset {record.offset}: {error}")
            return True
        visible = self._fold.take(source, LogRecord(record.offset, record.timestamp, header, record.value))
        if reason := self._fold.expect(source).refused:
            self._refuse(source, reason)
            return True
        return visible


class ReaderStalledError(KafkaError):  # type: ignore[misc] # aiokafka carries no types
    """There are records to read and none came for too long: the client is to be replaced."""


class _Progress:
    """Whether positions move while the logs grow; a client may stop fetching in silence."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._checked_at = clock()
        self._since: dict[TopicPartition, tuple[int, float]] = {}

    async def check(self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> None:
        """Ask the broker now and then. Raises ReaderStalledError."""
        now = self._clock()
        if now - self._checked_at < CHECK_SECONDS or not partitions:
            return
        self._checked_at = now
        ends = await consumer.end_offsets(partitions)
        for tp in partitions:
            position = await consumer.position(tp)
            known, since = self._since.get(tp, (-1, now))
            if position >= ends[tp] or position != known:
                self._since[tp] = (position, now)
            elif now - since > STALL_SECONDS:
                raise ReaderStalledError(f"{tp.topic}/{tp.partition} has stood at {position} for too long")


def _first_offset(header: Header | None, begin: int, end: int, partitions: int) -> int:
    """Raises StateLogError when the log cannot give the whole state."""
    if header is None:
        if begin > 0:
            raise StateLogError("its log has been cut and holds no header: rebuild the stream")
        return begin
    if header.partitions != partitions:
        raise StateLogError(
            f"its log was written for {header.partitions} partitions, the topic has {partitions}:"
            " rebuild the stream"
        )
    first = max(header.restore_from, 0)
    if begin > first:
        raise StateLogError(
            f"records from offset {first} on are needed, its log begins at {begin}: rebuild the stream"
        )
    return min(first, end)
