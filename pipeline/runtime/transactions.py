"""One owned source partition: open it, commit it, close it.

Source: architecture.md §2 and the Faust guide §5. One transactional producer per source
partition fences whoever owned it before; the state log tells where to go on.
"""

import asyncio
import time
from hashlib import sha256
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from pipeline.kafka.clients import Clients
from pipeline.runtime.opening import Position, Source, read_log
from pipeline.settings import Settings
from pipeline.state.codec import Header, write_header
from pipeline.state.partition import Applied, DeadLetter, Partition
from pipeline.state.snapshot import Drafts, Snapshot

log = structlog.get_logger("pulse.worker")

MAX_REQUEST_BYTES: Final = 4 << 20
MAX_LETTER_BYTES: Final = 64 << 10
"""Of value and of key: a letter its topic refuses would stop the partition for good."""
CREATE_TIME: Final = 0
STOP_SECONDS: Final = 5.0


class OwnedPartition:
    """State, cursor and producer of one source partition, under one lock.

    `refused_by` is set instead of raising when a record cannot be trusted while running.
    """

    def __init__(self, source: Source, settings: Settings, clients: Clients, partition: Partition) -> None:
        self.source = source
        self.lock = asyncio.Lock()
        self.state = partition
        self.snapshot = Snapshot()
        self.committed_offset = 0
        self.acked_restore_from = -1
        self.committed_at = 0.0
        self.commit_began: float | None = None
        self.opened_at = 0.0
        self.restored_records = 0
        self.projected: tuple[str, ...] = ()
        self.last_append_ms = 0
        self.pending: list[DeadLetter] = []
        self.pending_bytes = 0
        self._settings = settings
        self._clients = clients
        self._producer: AIOKafkaProducer | None = None

    async def open(self) -> None:
        """Fence the former owner, read the state log, be ready to apply from `next_offset`.

        Raises RefusedError when the partition must stay closed. Safe to cancel: call `stop`.
        """
        source, worker = self.source, self._settings.worker
        codec = None if worker.state_compression == "none" else worker.state_compression
        self._producer = self._clients.aio_producer(
            transactional_id=f"{source.group}-{source.topic}-{source.partition}",
            transaction_timeout_ms=int(worker.transaction_timeout_seconds * 1000),
            compression_type=codec,
            max_request_size=MAX_REQUEST_BYTES,
            linger_ms=0,
        )
        await self._producer.start()
        position: Position = await read_log(self._clients, source, self.state)
        self.snapshot = Snapshot(position.restore_from)
        self.restored_records = position.records
        self.projected = position.projected
        # What was projected anew must be told, also when no event comes.
        self.committed_offset = -1 if self.projected else self.state.next_offset
        self.committed_at = self.opened_at = time.monotonic()

    def apply(self, records: list[Any], *, hole_accepted: bool) -> Applied:
        """Take in what was fetched; call under the lock. Raises GapError."""
        applied = self.state.apply(records, hole_accepted=hole_accepted)
        self.pending += applied.dead_letters
        self.pending_bytes += sum(len(letter.value) for letter in applied.dead_letters)
        self.last_append_ms = max(self.last_append_ms, applied.latest_append)
        return applied

    @property
    def must_commit_now(self) -> bool:
        """Whether the dead letters waiting are as many as one commit may carry."""
        worker = self._settings.worker
        return (
            len(self.pending) >= worker.max_dead_letters or self.pending_bytes >= worker.max_dead_letter_bytes
        )

    @property
    def is_changed(self) -> bool:
        """Whether events were taken in since the last commit."""
        return self.state.next_offset != self.committed_offset

    def is_due(self, now: float) -> bool:
        """Whether something changed, or the heartbeat is due. `now` is monotonic."""
        return self.is_changed or now - self.committed_at >= self._settings.worker.heartbeat_seconds

    async def commit(self) -> int:
        """One transaction: state-log records, dead letters, the offset. Call under the lock.

        Answers the number of records. Any exception leaves the outcome in doubt: the process
        must end, and the next owner finds out.
        """
        producer = self._producer
        if producer is None:
            raise RuntimeError("the partition is not open")
        state = self.state
        drafts = self.snapshot.draft(state)
        next_offset = state.next_offset
        self.commit_began = time.monotonic()
        async with asyncio.timeout(self._settings.worker.commit_timeout_seconds):
            await producer.begin_transaction()
            first_offset = await self._send(producer, drafts, next_offset)
            await producer.send_offsets_to_transaction(
                {
                    TopicPartition(self.source.topic, self.source.partition): OffsetAndMetadata(
                        next_offset, ""
                    )
                },
                self.source.group,
            )
            await producer.commit_transaction()
        self.acked_restore_from = drafts.restore_from
        self.snapshot.written(first_offset)
        self.committed_offset = next_offset
        self.committed_at, self.commit_began = time.monotonic(), None
        self.pending, self.pending_bytes = [], 0
        return len(drafts.records)

    async def _send(self, producer: AIOKafkaProducer, drafts: Drafts, next_offset: int) -> int:
        """Send everything and await every future: aiokafka 0.14 commits past a refused send."""
        source = self.source
        header = Header(
            kind="",
            next_offset=next_offset,
            watermark=self.state.watermark,
            restore_from=drafts.restore_from,
            epoch=source.epoch,
            floor=source.floor,
            partitions=source.partitions,
            format=source.format,
        )
        futures = []
        for index, draft in enumerate(drafts.records, start=1):
            headers = write_header(
                header._replace(
                    kind=draft.kind,
                    part=f"{index}/{len(drafts.records)}",
                    is_slice=draft.is_slice,
                )
            )
            futures.append(
                await producer.send(
                    source.log_topic, draft.value, partition=source.partition, headers=headers
                )
            )
        for letter in self.pending:
            value, letter_headers = dead_letter_record(source, letter)
            futures.append(
                await producer.send(
                    source.dead_letter_topic,
                    value,
                    key=letter.key and letter.key[:MAX_LETTER_BYTES],
                    headers=letter_headers,
                )
            )
        offsets = [(await future).offset for future in futures]
        return int(offsets[0])

    async def close(self) -> None:
        """Commit what is applied, then stop the producer. Raises what `commit` raises."""
        async with self.lock:
            if self.is_changed:
                await self.commit()
        await self.stop()

    async def stop(self) -> None:
        """Let go of the producer, within a limit: aiokafka 0.14 may hang without a broker."""
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                await asyncio.wait_for(producer.stop(), STOP_SECONDS)
            except Exception as error:  # noqa: BLE001 - the transaction is over either way
                log.warning("ProducerStopFailed", error=repr(error), **self.source.labels)


def dead_letter_record(source: Source, letter: DeadLetter) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The record for the dead-letter topic: original bytes (at most 64 KiB) and why."""
    headers: dict[str, Any] = {
        "topic": source.topic,
        "partition": source.partition,
        "offset": letter.offset,
        "timestamp": letter.timestamp if letter.timestamp is not None else -1,
        "reason": str(letter.rejected.reason),
        "detail": letter.rejected.detail,
        "version": source.version,
        "size": len(letter.value),
        "sha256": sha256(letter.value).hexdigest(),
    }
    return letter.value[:MAX_LETTER_BYTES], [
        (name, str(value).encode("utf-8", "replace")) for name, value in headers.items()
    ]
