"""How far the workers are behind their source, asked of the broker rather than of them.

Source: observability.md §3: a dead worker cannot report its own lag.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from pipeline.board.fold import Fold
from pipeline.kafka.clients import Clients, running
from pipeline.kafka.topics import Topic
from pipeline.telemetry import Telemetry

EVERY_SECONDS: Final = 10.0

_log = structlog.get_logger(__name__)


class Lag:
    """Sets `pulse_consumer_lag_messages` per source partition; absent while the broker is away."""

    def __init__(self, clients: Clients, topics: Iterable[Topic], fold: Fold, telemetry: Telemetry) -> None:
        self._clients = clients
        self._topics = {topic.stream: topic.name for topic in topics if topic.kind == "source"}
        self._fold = fold
        self._gauge = telemetry.gauge(
            "consumer_lag_messages",
            "Records of the source partition that are not in the numbers yet.",
            ("topic", "partition"),
        )

    async def run(self, every_seconds: float = EVERY_SECONDS) -> None:
        """Measure until cancelled."""
        while True:
            try:
                async with running(self._clients.aio_consumer()) as consumer:
                    while True:
                        await self._measure(consumer)
                        await asyncio.sleep(every_seconds)
            except (KafkaError, OSError) as error:
                self._gauge.clear()
                _log.warning("lag_unknown", error=repr(error))
                await asyncio.sleep(every_seconds)

    async def _measure(self, consumer: AIOKafkaConsumer) -> None:
        applied = {
            TopicPartition(self._topics[source.stream], source.partition): place.next_offset
            for source, place in list(self._fold.positions.items())
            if place.is_caught_up
        }
        begin = await consumer.beginning_offsets(list(applied))
        end = await consumer.end_offsets(list(applied))
        for tp, next_offset in applied.items():
            lag = max(0, end[tp] - max(next_offset, begin[tp]))
            self._gauge.labels(tp.topic, str(tp.partition)).set(lag)
