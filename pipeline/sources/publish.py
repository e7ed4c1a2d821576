"""Simulated records into Kafka, each to its stream's topic: paced by the wall clock, or without pause."""

import asyncio
import time
from collections.abc import Callable, Iterable

from aiokafka import AIOKafkaProducer

from pipeline.sources.delivery import Event, Simulated
from pipeline.sources.simulate import encode

BATCH_MS = 50
BREATH = 200
"""Records between two turns of the event loop, which has other work to do."""


async def publish(
    producer: AIOKafkaProducer,
    prefix: str,
    records: Iterable[Simulated],
    *,
    live_from_ms: int = 0,
    is_paced: bool = True,
    tell: Callable[[int], None] = lambda _: None,
) -> int:
    """Send each record when its delivery is due, what is overdue at once; answers how many in the end.

    Not paced: nothing waits. What is due before `live_from_ms` is history and marked `backfill`. `tell`
    hears now and then up to which instant (ms) the story has been told.
    """
    sent = 0
    for record in records:
        ahead_ms = record.deliver_at_ms - time.time_ns() // 1_000_000 if is_paced else 0
        if ahead_ms > BATCH_MS or sent % BREATH == 0:
            tell(record.deliver_at_ms - max(0, ahead_ms))
            await asyncio.sleep(max(0, ahead_ms) / 1000)
        is_past = record.deliver_at_ms < live_from_ms
        event = backfilled(record.event) if is_past else record.event
        await producer.send(f"{prefix}.{record.stream}", encode(event), key=record.key)
        sent += 1
    await producer.flush()
    return sent


def backfilled(event: Event) -> Event:
    """The same event as history that comes late to the topic (events.md §1)."""
    return {**event, "origin": "backfill"}
