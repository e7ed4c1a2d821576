"""Cut the state log below what anybody needs. Source: architecture.md §2, Trimming.

Only the owner cuts, and only what is older than an acknowledged `restore_from`, older than the
declared age, and read by the sink where there is one. A log held back is said, never cut.
"""

import time
from collections.abc import Iterable

import structlog
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from pipeline.kafka.clients import Clients, running
from pipeline.runtime.plumbing import Plumbing
from pipeline.runtime.transactions import OwnedPartition

log = structlog.get_logger("pulse.worker")


def cut_below(restore_from: int, old_enough: int | None, sink_offset: int | None) -> int:
    """The offset below which records may go; 0 when none may.

    `old_enough`: the first record younger than the age (None: all are older). `sink_offset`:
    the sink's committed offset (None: there is no sink).
    """
    bounds = [restore_from]
    if old_enough is not None:
        bounds.append(old_enough)
    if sink_offset is not None:
        bounds.append(sink_offset)
    return max(min(bounds), 0)


class Trimmer:
    """Cuts the logs of the partitions it is given. A broker's refusal is logged and tried again."""

    def __init__(self, clients: Clients, plumbing: Plumbing, *, age_seconds: float, sink_group: str) -> None:
        self._clients = clients
        self._plumbing = plumbing
        self._age_seconds = age_seconds
        self._sink_group = sink_group
        self._cut: dict[TopicPartition, int] = {}

    async def trim(self, owned: Iterable[OwnedPartition]) -> dict[TopicPartition, int]:
        """Cut once; answers the new beginnings. Raises what the client raises."""
        wanted = {
            TopicPartition(each.source.log_topic, each.source.partition): each.acked_restore_from
            for each in owned
        }
        wanted = {tp: offset for tp, offset in wanted.items() if offset > self._cut.get(tp, 0)}
        if not wanted:
            return {}
        young = await self._first_younger(list(wanted))
        async with running(self._clients.aio_admin()) as admin:
            read = await self._read_by_sink(admin)
            cuts = {tp: cut_below(offset, young[tp], read.get(tp)) for tp, offset in wanted.items()}
            for tp, offset in wanted.items():
                held = cut_below(offset, young[tp], None) - cuts[tp]
                self._plumbing.held_back.labels(tp.topic, str(tp.partition)).set(held)
            cuts = {tp: cut for tp, cut in cuts.items() if cut > self._cut.get(tp, 0)}
            if cuts:
                await admin.delete_records(
                    {tp: RecordsToDelete(before_offset=cut) for tp, cut in cuts.items()}
                )
        for tp, cut in cuts.items():
            self._cut[tp] = cut
            self._plumbing.trimmed.labels(tp.topic, str(tp.partition)).set(cut)
            log.info("StateLogTrimmed", topic=tp.topic, partition=tp.partition, begin=cut)
        return cuts

    async def _first_younger(self, tps: list[TopicPartition]) -> dict[TopicPartition, int | None]:
        since_ms = int((time.time() - self._age_seconds) * 1000)
        async with running(self._clients.aio_consumer()) as consumer:
            found = await consumer.offsets_for_times(dict.fromkeys(tps, since_ms))
        return {tp: found[tp].offset if found.get(tp) else None for tp in tps}

    async def _read_by_sink(self, admin: AIOKafkaAdminClient) -> dict[TopicPartition, int]:
        offsets = await admin.list_consumer_group_offsets(self._sink_group)
        return {tp: found.offset for tp, found in offsets.items() if found.offset >= 0}
