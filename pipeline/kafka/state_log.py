"""Reading a state-log partition, as its owner and the board do: the last header, and a stretch.

Source: architecture.md §2 (Open). Committed records only.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from pipeline.state.codec import Header, StateLogError, read_header

POLL_MS: Final = 200
FIRST_STRIDE: Final = 8


async def last_header(consumer: AIOKafkaConsumer, tp: TopicPartition, begin: int, end: int) -> Header | None:
    """The header of the last committed record below `end`; None when there is no record.

    Steps back in growing strides: markers and aborted records may lie behind it. Raises
    StateLogError when that record is not ours.
    """
    stride, start = FIRST_STRIDE, end
    while start > begin:
        start = max(begin, end - stride)
        last = None
        async for record in scan(consumer, tp, start, end):
            last = record
        if last is not None:
            try:
                return read_header(last.headers)
            except StateLogError as error:
                place = f"{tp.topic}/{tp.partition} at {last.offset}"
                raise StateLogError(f"{place}: {error}") from None
        stride *= 4
    return None


async def scan(consumer: AIOKafkaConsumer, tp: TopicPartition, start: int, end: int) -> AsyncIterator[Any]:
    """Committed records of [start, end); ends by position, since the last ones may be markers."""
    consumer.assign([tp])
    consumer.seek(tp, start)
    while await consumer.position(tp) < end:
        for record in (await consumer.getmany(tp, timeout_ms=POLL_MS)).get(tp, ()):
            if record.offset < end:
                yield record
