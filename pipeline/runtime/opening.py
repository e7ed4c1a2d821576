"""Read the state log of one partition back into memory, or refuse the partition.

Source: architecture.md §2 (Open, Refuse) and the Faust guide §5.
"""

import asyncio
from typing import Any, Final, NamedTuple

from aiokafka.structs import TopicPartition

from pipeline.kafka.clients import Clients, running
from pipeline.kafka.state_log import last_header, scan
from pipeline.metrics.declared import is_projected
from pipeline.state.codec import Header, declared_apart, read_header
from pipeline.state.partition import Partition
from pipeline.state.restore import take

FETCH_BYTES: Final = 8 << 20


class RefusedError(Exception):
    """A partition must stay closed; `command` is what helps."""

    def __init__(self, reason: str, command: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.command = command


class Source(NamedTuple):
    """One source partition and where its state, its offsets and its dead letters go."""

    stream: str
    topic: str
    log_topic: str
    dead_letter_topic: str
    group: str
    format: str
    version: str
    partition: int = -1
    partitions: int = 0
    epoch: int = 1
    floor: int = 0

    @property
    def labels(self) -> dict[str, Any]:
        """For log lines."""
        return {"topic": self.topic, "partition": self.partition}


class Position(NamedTuple):
    """Where the log stands: `restore_from` of its last header (−1: none), records read. `projected`:
    parameters declared anew since, by which the buckets were worked out anew from memory.
    """

    restore_from: int
    records: int
    projected: tuple[str, ...] = ()


async def read_log(clients: Clients, source: Source, state: Partition) -> Position:
    """Load the state; call only after the producer is started, or the end is not final.

    Raises RefusedError, StateLogError, and what the client raises.
    """
    log_tp = TopicPartition(source.log_topic, source.partition)
    source_tp = TopicPartition(source.topic, source.partition)
    consumer = clients.aio_consumer(max_partition_fetch_bytes=FETCH_BYTES)
    async with running(consumer):
        begin = await consumer.beginning_offsets([log_tp, source_tp])
        end = await consumer.end_offsets([log_tp, source_tp])
        header = await last_header(consumer, log_tp, begin[log_tp], end[log_tp])
        if header is None:
            if begin[log_tp] > 0 and end[log_tp] > 0:
                raise RefusedError("the state log has been cut and holds no header", _rebuild(source))
            # A first start: what retention has taken from the source before was never ours.
            state.next_offset = begin[source_tp]
            return Position(-1, 0)
        first = _check_log(source, header, begin[log_tp])
        _check_source(source, header, begin[source_tp], end[source_tp])
        count = 0
        async for record in scan(consumer, log_tp, first, end[log_tp]):
            take(state, read_header(record.headers).kind, record.value)
            count += 1
            # What is fetched already comes without a pause, and probes and heartbeats share this loop.
            await asyncio.sleep(0)
        state.restored(header.next_offset, header.watermark)
        projected = declared_apart(header.format, source.format) or ()
        if projected:
            await _project(state)
        return Position(header.restore_from, count, tuple(projected))


async def _project(state: Partition) -> None:
    """Others share the loop: the group's heartbeats must go on."""
    for _ in state.project():
        await asyncio.sleep(0)


def _check_log(source: Source, header: Header, begin: int) -> int:
    apart = declared_apart(header.format, source.format)
    if apart is None:
        raise RefusedError(
            f"the state log is in format {header.format}, this worker writes {source.format}: "
            "another version wrote it",
            f"start the former version, or {_rebuild(source)}",
        )
    baked = [name for name in apart if not is_projected(source.stream, name)]
    if baked:
        raise RefusedError(
            f"{', '.join(baked)} declared otherwise than when the state was made, and part of its buckets",
            f"put back the former definitions, or {_rebuild(source)}",
        )
    if header.partitions != source.partitions:
        raise RefusedError(
            f"the state log was written for {header.partitions} partitions, "
            f"{source.topic} has {source.partitions}",
            _rebuild(source),
        )
    first = max(header.restore_from, 0)
    if begin > first:
        raise RefusedError(
            f"state-log records from offset {first} on are needed, the log begins at {begin}",
            _rebuild(source),
        )
    return first


def _check_source(source: Source, header: Header, begin: int, end: int) -> None:
    if end < header.next_offset:
        raise RefusedError(
            f"{source.topic} ends at offset {end}, below the next offset {header.next_offset}: "
            "the topic was created anew",
            _rebuild(source),
        )
    if begin > header.next_offset:
        raise RefusedError(
            f"events from offset {header.next_offset} to {begin - 1} were deleted unread",
            _rebuild(source),
        )


def _rebuild(source: Source) -> str:
    return f"pulse rebuild --stream {source.stream} --since YYYY-MM-DD"
