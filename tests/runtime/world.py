"""One test's source, state log, dead letters and group on a real broker; and what must be true of them.

The oracle is a single pass over the source topic. `Snapshotlike` views leave out what readers never see:
empty buckets, and buckets behind their horizon, which housekeeping may or may not have swept yet.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from pipeline.kafka.clients import Clients, running
from pipeline.kafka.topics import declared_topics
from pipeline.metrics.buckets import DAY, LIVE
from pipeline.metrics.families import LATE
from pipeline.metrics.windows import BUCKET_MS
from pipeline.runtime.worker import Worker
from pipeline.settings import Kafka, Settings
from pipeline.state.codec import Header, read_header
from pipeline.state.partition import Partition
from pipeline.state.restore import load
from pipeline.state.retention import Horizons
from pipeline.telemetry import Telemetry
from tests.builders import UNDECLARED, event, raw

PATIENCE = 60.0
"""Seconds after which a condition that has not come true is a failure; never a proof by itself."""

QUICK = {
    "commit_seconds": 0.1,
    "heartbeat_seconds": 20.0,
    "session_timeout_seconds": 4.0,
    "heartbeat_interval_seconds": 0.5,
    "commit_timeout_seconds": 8.0,
    "transaction_timeout_seconds": 8.0,
    "rebalance_timeout_seconds": 10.0,
    "stall_seconds": 30.0,
    "fetch_max_wait_ms": 20,
    "health_port": 0,
}


class Ended(Exception):  # noqa: N818 - it says what happened
    """Raised in place of the end of the process."""


class Fatal:
    """Stands in for the end of the process: keeps the messages, leaves the caller, and ends the test."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._test = asyncio.current_task()

    def __call__(self, message: str) -> Any:
        self.said.append(message)
        if self._test is not None and self._test is not asyncio.current_task():
            self._test.cancel()
        raise Ended(message)


class Told(NamedTuple):
    """The log as it stands: offsets, headers and values of committed records."""

    offset: int
    header: Header
    value: bytes


def quick_settings(kafka: Kafka, *streams: str, **worker: Any) -> Settings:
    """The product's settings with intervals that suit a test; of calls, where no stream is named."""
    return Settings(streams=streams or ("call",), kafka=kafka.model_dump(), worker=QUICK | worker)


class World:
    """Everything a test does to Kafka around the workers of one stream. Made and used on a running loop.

    `streams`: all that the workers count, where it is more than this one.
    """

    def __init__(
        self, kafka: Kafka, partitions: int = 2, stream: str = "call", streams: Iterable[str] = ()
    ) -> None:
        self.kafka = kafka
        self.partitions = partitions
        self.stream = stream
        self.streams = tuple(streams) or (stream,)
        self.definitions = UNDECLARED
        self.clients = Clients(kafka)
        self.source = f"{kafka.topic_prefix}.{stream}"
        self.log = f"{kafka.topic_prefix}.{stream}.state"
        self.dead = f"{kafka.topic_prefix}.dlq"
        self.worker_settings: dict[str, Any] = {}

    @property
    def settings(self) -> Settings:
        return quick_settings(self.kafka, *self.streams, **self.worker_settings)

    async def create_topics(
        self,
        *,
        without: Iterable[str] = (),
        log_partitions: int | None = None,
        config: dict[str, dict[str, str]] | None = None,
    ) -> None:
        """The declared topics, each but `without`; `config` overrides Kafka's settings by topic."""
        topics = []
        for topic in declared_topics(self.kafka.topic_prefix, self.streams):
            if topic.name in without:
                continue
            count = {
                "source": self.partitions,
                "state": log_partitions or self.partitions,
            }.get(topic.kind, 1)
            settings = {**topic.config, **(config or {}).get(topic.name, {})}
            topics.append(NewTopic(topic.name, count, 1, topic_configs=settings))
        async with running(self.clients.aio_admin()) as admin:
            answer = await admin.create_topics(topics)
            assert all(each[1] == 0 for each in answer.topic_errors), answer.topic_errors
        await until(self._all_known)

    async def _all_known(self) -> bool:
        async with running(self.clients.aio_admin()) as admin:
            known = await admin.list_topics()
        return all(topic in known for topic in (self.source, self.dead))

    async def delete_topics(self, *topics: str) -> None:
        async with running(self.clients.aio_admin()) as admin:
            await admin.delete_topics(list(topics))

        async def gone() -> bool:
            async with running(self.clients.aio_admin()) as admin:
                return not set(topics) & set(await admin.list_topics())

        await until(gone)

    async def tell(
        self, records: Iterable[tuple[bytes | None, bytes | None]], partition: int | None = None
    ) -> None:
        """Append (key, value) pairs; without `partition` the key decides."""
        async with running(self.clients.aio_producer(max_request_size=4 << 20, linger_ms=5)) as producer:
            futures = [
                await producer.send(self.source, value, key=key, partition=partition)
                for key, value in records
            ]
            await asyncio.gather(*futures)

    async def tell_calls(self, count: int, partition: int = 0, *, first: int = 0) -> None:
        """`count` contacts of one `queued` each, into one partition."""
        await self.tell(
            [
                (b"k", raw(event("queued", first + number, contact=f"c{first + number}")))
                for number in range(count)
            ],
            partition,
        )

    async def tell_in_transaction(self, values: Iterable[bytes], partition: int = 0, *, abort: bool) -> None:
        """One transaction of a producer that is not ours."""
        name = f"{self.source}-told"
        async with running(self.clients.aio_producer(transactional_id=name)) as producer:
            await producer.begin_transaction()
            for value in values:
                await producer.send_and_wait(self.source, value, key=b"k", partition=partition)
            await (producer.abort_transaction() if abort else producer.commit_transaction())

    async def write_aborted(self, topic: str, partition: int, count: int) -> None:
        """Aborted transactions at the tail of a topic, one record each."""
        async with running(self.clients.aio_producer(transactional_id=f"{topic}-aborted")) as producer:
            for _ in range(count):
                await producer.begin_transaction()
                await producer.send_and_wait(topic, b"never happened", partition=partition)
                await producer.abort_transaction()

    async def read(self, topic: str, partition: int, isolation: str = "read_committed") -> list[Any]:
        """Every record of a partition as it stands now."""
        tp = TopicPartition(topic, partition)
        consumer = self.clients.aio_consumer(isolation_level=isolation, max_partition_fetch_bytes=8 << 20)
        async with running(consumer):
            consumer.assign([tp])
            begin = (await consumer.beginning_offsets([tp]))[tp]
            end = (await consumer.end_offsets([tp]))[tp]
            consumer.seek(tp, begin)
            records: list[Any] = []
            while await consumer.position(tp) < end:
                for found in (await consumer.getmany(tp, timeout_ms=200)).values():
                    records += found
            return records

    async def ends(self, topic: str) -> dict[int, int]:
        """The end of each partition: the first offset not yet written, or not yet committed."""
        count = self.partitions
        tps = [TopicPartition(topic, number) for number in range(count)]
        async with running(self.clients.aio_consumer()) as consumer:
            return {tp.partition: end for tp, end in (await consumer.end_offsets(tps)).items()}

    async def begin(self, topic: str, partition: int) -> int:
        tp = TopicPartition(topic, partition)
        async with running(self.clients.aio_consumer()) as consumer:
            return int((await consumer.beginning_offsets([tp]))[tp])

    async def told(self, partition: int) -> list[Told]:
        """The state log of a partition."""
        return [
            Told(record.offset, read_header(record.headers), record.value)
            for record in await self.read(self.log, partition)
        ]

    async def next_offset(self, partition: int) -> int:
        """What the last committed state-log record says; 0 without one."""
        log = await self.told(partition)
        return log[-1].header.next_offset if log else 0

    async def next_offset_is(self, partition: int, expected: int) -> bool:
        return await self.next_offset(partition) == expected

    async def group_offsets(self) -> dict[int, int]:
        """What lag tools see."""
        async with running(self.clients.aio_admin()) as admin:
            found = await admin.list_consumer_group_offsets(self.kafka.group)
        return {tp.partition: at.offset for tp, at in found.items() if tp.topic == self.source}

    async def all_counted(self) -> bool:
        """Whether the group's offsets have reached the end of every source partition that has records."""
        offsets = await self.group_offsets()
        return all(offsets.get(number, 0) == end for number, end in (await self.ends(self.source)).items())

    def new_partition(self) -> Partition:
        """An empty state with the worker's own horizons."""
        return Partition(self.definitions, horizons(self.settings), stream=self.stream)

    async def single_pass(self, partition: int) -> Partition:
        """The oracle: every committed source record, once, in order, by an owner who never stops."""
        whole = self.new_partition()
        whole.apply(await self.read(self.source, partition), hole_accepted=True)
        return whole

    async def assert_exact(self, partition: int) -> list[Told]:
        """The log folded from its start, and from `restore_from`, is a single pass. Answers the log."""
        whole = await self.single_pass(partition)
        log = await self.told(partition)
        assert log or whole.next_offset == 0, f"partition {partition} never committed"
        if not log:
            return log
        offsets = [each.header.next_offset for each in log]
        assert offsets == sorted(offsets), "next_offset went back along the log"
        last = log[-1].header
        assert {each.header.partitions for each in log} == {self.partitions}
        # Offsets of a source transaction's markers come after the last record.
        assert last.next_offset == whole.next_offset
        restored = self.new_partition()
        kept = [each for each in log if each.offset >= last.restore_from]
        load(restored, last, [(each.header.kind, each.value) for each in kept])
        assert view(restored, self.settings) == view(whole, self.settings), "from restore_from"
        if await self.begin(self.log, partition) == 0:
            folded = self.new_partition()
            load(folded, last, [(each.header.kind, each.value) for each in log])
            assert view(folded, self.settings) == view(whole, self.settings), "from the start"
        return log

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Worker]:
        """A worker in this process, its partitions open. Its end would be the test's failure."""
        fatal = Fatal()
        worker = Worker(self.settings, self.clients, self.definitions, Telemetry(), fatal)
        try:
            async with worker.running():
                yield worker
        finally:
            assert fatal.said == []


def horizons(settings: Settings) -> Horizons:
    h = settings.horizons
    seconds = (
        h.bucket_seconds,
        h.contact_seconds,
        h.callback_seconds,
        h.quarantine_seconds,
        h.stale_seconds,
        h.day_seconds,
    )
    return Horizons(*(number * 1000 for number in seconds))


def view(partition: Partition, settings: Settings) -> dict[str, Any]:
    """What is in the partition for its readers; comparing two of these is the proof."""
    kept = horizons(settings)
    edges = {
        LIVE: partition.watermark - kept.bucket_ms - BUCKET_MS,
        DAY: partition.watermark - kept.day_ms - 2 * 86_400_000,
    }
    return {
        "next_offset": partition.next_offset,
        "watermark": partition.watermark,
        "entities": partition.entities.by_key,
        "buckets": {
            key: cells
            for key, cells in partition.ledger.buckets.items()
            if cells and (key[1] == LATE.name or key[4] > edges[key[0]])
        },
        "levels": {key: level.value() for key, level in partition.ledger.levels.items() if level.instants},
    }


async def until(
    condition: Callable[[], Awaitable[Any] | Any], seconds: float = PATIENCE, *, what: str = ""
) -> Any:
    """Wait for a condition; a plain or an awaitable one. Answers what it answered."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = condition()
            if isinstance(found, Awaitable):
                found = await found
        except KafkaError:  # a broker that is just starting answers so
            found = None
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {seconds} s: {what or getattr(condition, '__name__', condition)}"
            )
        await asyncio.sleep(0.05)
