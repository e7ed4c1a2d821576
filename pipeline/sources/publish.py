"""Simulated records into Kafka: as fast as it goes, or paced by the wall clock."""

import asyncio
import time
from collections.abc import Iterator

from aiokafka import AIOKafkaProducer

from pipeline.sources.delivery import Simulated
from pipeline.sources.simulate import encode

BATCH_MS = 50


async def publish_until(
    producer: AIOKafkaProducer, topic: str, records: Iterator[Simulated], until_ms: int
) -> int:
    """Send records due before `until_ms` without pause and wait for them; answers how many.

    One record past the edge is taken from `records` and sent too.
    """
    sent = 0
    for record in records:
        await producer.send(topic, encode(record.event), key=record.key)
        sent += 1
        if record.deliver_at_ms >= until_ms:
            break
    await producer.flush()
    return sent


async def publish_live(producer: AIOKafkaProducer, topic: str, records: Iterator[Simulated]) -> None:
    """Send each record when its delivery is due; runs until cancelled."""
    for record in records:
        ahead_ms = record.deliver_at_ms - time.time_ns() // 1_000_000
        if ahead_ms > BATCH_MS:
            await asyncio.sleep(ahead_ms / 1000)
        await producer.send(topic, encode(record.event), key=record.key)
