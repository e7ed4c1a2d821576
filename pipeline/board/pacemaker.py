"""Sends a heartbeat into every source partition, so that a quiet night can be told from a dead pipeline.

It knows nothing of whether one came through: the fold does, from the state log, and the sink from
ClickHouse. Source: observability.md §1 (11); docs/decisions/0015-heartbeats-are-no-contacts.md.
"""

import asyncio
from collections.abc import Callable, Iterable

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from pipeline.board.fold import Source
from pipeline.events.heartbeat import encode_heartbeat
from pipeline.kafka.clients import Clients, running

SEND_TIMEOUT_MS = 10_000

_log = structlog.get_logger(__name__)


class Pacemaker:
    """`sources` answers the places whose source partitions get one; `now_ms` is the wall clock."""

    def __init__(
        self,
        clients: Clients,
        sources: Callable[[], Iterable[Source]],
        now_ms: Callable[[], int],
        every_seconds: float,
    ) -> None:
        self._clients = clients
        self._sources = sources
        self._now_ms = now_ms
        self._every_seconds = every_seconds

    async def run(self) -> None:
        """Send until cancelled. What cannot be sent is not sent later: the next one says more."""
        while True:
            try:
                producer = self._clients.aio_producer(request_timeout_ms=SEND_TIMEOUT_MS)
                async with running(producer):
                    while True:
                        await self._beat(producer)
                        await asyncio.sleep(self._every_seconds)
            except (KafkaError, OSError) as error:
                _log.warning("heartbeat_not_sent", error=repr(error))
                await asyncio.sleep(self._every_seconds)

    async def _beat(self, producer: AIOKafkaProducer) -> None:
        """One into each partition. Raises what the broker says of any of them."""
        sent = []
        for source in list(self._sources()):
            topic, partition = source.source_topic, source.partition
            # A state log may have more partitions than its source: workers and board refuse those.
            if partition not in await producer.partitions_for(topic):
                continue
            value = encode_heartbeat(source.stream, f"{topic}/{partition}", self._now_ms())
            sent.append(await producer.send(topic, value, partition=partition))
        await asyncio.gather(*sent)
