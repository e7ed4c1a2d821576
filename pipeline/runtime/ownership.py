"""Which partitions this worker has open; opening, committing and closing all of them.

Source: the Faust guide §5 and §6. Runs on Faust's main loop. What cannot be mended by going on
ends the process through `fatal`: its successor restores, and what it finds is the truth.
"""

import asyncio
import contextlib
import gc
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple, NoReturn

import structlog
from faust.types import TP

from pipeline.kafka.clients import Clients
from pipeline.kafka.topics import Topic
from pipeline.metrics.definitions import Definitions
from pipeline.runtime.broker import Topics, look_at_topics, warn_of_group_offsets
from pipeline.runtime.consumer import BatchMessage
from pipeline.runtime.opening import RefusedError, Source
from pipeline.runtime.plumbing import Plumbing
from pipeline.runtime.poison import Poison
from pipeline.runtime.transactions import CREATE_TIME, OwnedPartition
from pipeline.settings import Settings
from pipeline.state.partition import Partition
from pipeline.state.retention import Horizons

log = structlog.get_logger("pulse.worker")

Fatal = Callable[[str], NoReturn]
TURN_EVENTS: Final = 500
"""Of a batch, before others on the loop have their turn: of entities not met since a restore an event takes
0.1 to 0.25 ms."""


class Group(NamedTuple):
    """What the running consumer group says and does; set once Faust is there."""

    generation: Callable[[], int]
    pause: Callable[[set[TP]], None]


_NO_GROUP = Group(lambda: -1, lambda _: None)


class Ownership:
    """The Owner of the batch driver. `refused` says which partitions stay closed, and why."""

    def __init__(
        self,
        settings: Settings,
        clients: Clients,
        definitions: Definitions,
        plumbing: Plumbing,
        topics: Mapping[str, Source],
        declared: Iterable[Topic],
        fatal: Fatal,
    ) -> None:
        self.batched_topics = frozenset(topics)
        self.max_batch = settings.worker.max_batch
        self.fetch_min_bytes = settings.worker.fetch_min_bytes
        self.fetch_max_wait_ms = settings.worker.fetch_max_wait_ms
        self.owned: dict[TP, OwnedPartition] = {}
        self.refused: dict[TP, RefusedError] = {}
        self.poison: dict[TP, Poison] = {}
        self.has_opened = False
        self.group: Group = _NO_GROUP
        self._settings = settings
        self._clients = clients
        self._definitions = definitions
        self._plumbing = plumbing
        self._topics = dict(topics)
        self._declared = tuple(declared)
        self._fatal = fatal
        self._opening: asyncio.Task[Mapping[TP, int]] | None = None

    async def open(self, partitions: set[TP], generation: int) -> Mapping[TP, int]:
        """Open all, publish them only if the generation is still the one they belong to."""
        task = self._opening = asyncio.create_task(self._open_all(partitions, generation))
        try:
            return await task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if task.cancelled() and current is not None and not current.cancelling():
                return {}
            raise

    async def _open_all(self, partitions: set[TP], generation: int) -> Mapping[TP, int]:
        began = time.monotonic()
        for tp in self.refused:
            self._plumbing.refused.labels(tp.topic, str(tp.partition)).set(0)
        self.refused.clear()
        opening = {tp: self._new(tp) for tp in sorted(partitions)}
        published = False
        try:
            async with asyncio.timeout(self._settings.worker.open_timeout_seconds):
                sources = {tp.topic for tp in partitions}
                topics = await asyncio.to_thread(look_at_topics, self._clients, self._declared, sources)
                await asyncio.gather(*(self._open_one(tp, owned, topics) for tp, owned in opening.items()))
            if generation != self.group.generation():
                return {}
            self.owned = {tp: owned for tp, owned in opening.items() if tp not in self.refused}
            published = True
        except TimeoutError:
            self._fatal(
                f"opening took more than {self._settings.worker.open_timeout_seconds} s: "
                "is the broker well? Else raise PULSE_WORKER__OPEN_TIMEOUT_SECONDS"
            )
        except Exception as error:  # noqa: BLE001 - nothing half open may go on
            self._fatal(f"opening failed: {error!r}")
        finally:
            if not published:
                await asyncio.gather(*(owned.stop() for owned in opening.values()))
        self.has_opened = True
        self._plumbing.open_seconds.observe(time.monotonic() - began)
        for tp in self.owned:
            self.poison[tp] = Poison()
            self._plumbing.open.labels(tp.topic, str(tp.partition)).set(1)
        group = self._settings.kafka.group
        await asyncio.to_thread(warn_of_group_offsets, self._clients, group, self._positions())
        return self._positions()

    def _positions(self) -> dict[TP, int]:
        return {tp: owned.state.next_offset for tp, owned in self.owned.items()}

    def _new(self, tp: TP) -> OwnedPartition:
        h = self._settings.horizons
        horizons = Horizons(
            h.bucket_seconds * 1000,
            h.contact_seconds * 1000,
            h.callback_seconds * 1000,
            h.quarantine_seconds * 1000,
            h.stale_seconds * 1000,
            h.day_seconds * 1000,
            h.solved_seconds * 1000,
            h.survey_seconds * 1000,
        )
        source = self._topics[tp.topic]._replace(partition=tp.partition)
        state = Partition(self._definitions, horizons, stream=source.stream)
        return OwnedPartition(source, self._settings, self._clients, state)

    async def _open_one(self, tp: TP, owned: OwnedPartition, topics: Topics) -> None:
        try:
            for topic in (owned.source.topic, owned.source.log_topic):
                if topic in topics.wrong:
                    raise topics.wrong[topic]
            owned.source = owned.source._replace(partitions=topics.partitions[tp.topic])
            await owned.open()
        except RefusedError as refusal:
            await owned.stop()
            self._refuse(tp, refusal)
            return
        # What was restored is no garbage: a collection that walked it would stop the loop for seconds.
        gc.freeze()
        if owned.projected:
            log.warning("PartitionProjected", declared_anew=", ".join(owned.projected), **owned.source.labels)
        log.info(
            "PartitionOpened",
            next_offset=owned.state.next_offset,
            entities=len(owned.state.entities.by_key),
            buckets=len(owned.state.ledger.buckets),
            log_records=owned.restored_records,
            **owned.source.labels,
        )

    def _refuse(self, tp: TP, refusal: RefusedError) -> None:
        self.refused[tp] = refusal
        self._plumbing.refused.labels(tp.topic, str(tp.partition)).set(1)
        log.error(
            "PartitionRefused",
            topic=tp.topic,
            partition=tp.partition,
            reason=refusal.reason,
            command=refusal.command,
        )

    async def take(self, message: BatchMessage) -> None:
        """Apply one batch; dropped when its partition is not open (any more)."""
        owned = self.owned.get(message.tp)
        if owned is None:
            return
        async with owned.lock:
            if self.owned.get(message.tp) is not owned:
                return
            if CREATE_TIME in (message.records[0].timestamp_type, message.timestamp_type):
                await self._refuse_running(message.tp, owned)
                return
            if message.hole_accepted:
                self._plumbing.holes.inc()
            for first in range(0, len(message.records), TURN_EVENTS):
                if first:
                    await asyncio.sleep(0)
                    if self.owned.get(message.tp) is not owned:
                        return  # it is closing, and commits what is applied
                self._apply(message, owned, first)
            if owned.must_commit_now:
                await self._commit(owned)

    def _apply(self, message: BatchMessage, owned: OwnedPartition, first: int) -> None:
        """One turn of a batch. Holes inside a batch were looked at, so long as what is before is applied."""
        tp, records = message.tp, message.records
        hole_accepted = message.hole_accepted
        if first:
            hole_accepted = owned.state.next_offset > records[first - 1].offset
        try:
            applied = owned.apply(records[first : first + TURN_EVENTS], hole_accepted=hole_accepted)
        except Exception as error:  # noqa: BLE001 - a lost batch is skipped for good
            self._fatal(f"{tp.topic}/{tp.partition}: {error!r}")
        self._plumbing.saw(owned.source.stream, applied)
        poison = self.poison[tp]
        poison.saw(applied)
        self._plumbing.poison(tp.topic, tp.partition, poison)

    async def _refuse_running(self, tp: TP, owned: OwnedPartition) -> None:
        self.owned.pop(tp)
        self.group.pause({tp})
        self._plumbing.open.labels(tp.topic, str(tp.partition)).set(0)
        self._plumbing.forget(tp.topic, tp.partition)
        reason = (
            "records are stamped CreateTime: retention would delete a backfill unread, "
            "and `future` cannot be judged"
        )
        command = (
            f"kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type topics "
            f"--entity-name {tp.topic} --add-config message.timestamp.type=LogAppendTime"
        )
        self._refuse(tp, RefusedError(reason, command))
        if owned.is_changed:
            await self._commit(owned)
        await owned.stop()

    async def _commit(self, owned: OwnedPartition) -> None:
        """Commit under the lock the caller holds; anything but success ends the process.

        Once begun it is seen through, also when the caller is cancelled: half a transaction
        would make the next commit fail.
        """
        began = time.monotonic()
        commit = asyncio.create_task(owned.commit())
        cancelled = False
        while not commit.done():
            try:
                await asyncio.shield(commit)
            except asyncio.CancelledError:
                cancelled = True
            except Exception:  # noqa: BLE001 - told below
                break
        try:
            commit.result()
        except Exception as error:  # noqa: BLE001 - no commit in doubt is ever continued
            self._plumbing.commits.labels("failed").inc()
            where = f"{owned.source.topic}/{owned.source.partition}"
            self._fatal(
                f"commit of {where} failed: {error!r}. Nothing is lost: start the worker again, "
                "it goes on from the last commit"
            )
        self._plumbing.commits.labels("committed").inc()
        self._plumbing.commit_seconds.observe(time.monotonic() - began)
        self._plumbing.committed_at.set_to_current_time()
        if cancelled:
            raise asyncio.CancelledError

    async def commit_due(self) -> None:
        """Commit every partition with changes, or whose heartbeat is due."""

        async def one(owned: OwnedPartition) -> None:
            async with owned.lock:
                if owned in self.owned.values() and owned.is_due(time.monotonic()):
                    await self._commit(owned)

        await asyncio.gather(*(one(owned) for owned in list(self.owned.values())))

    async def close(self, partitions: Iterable[TP]) -> None:
        """Cancel an opening under way, then commit and let go of these partitions."""
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._opening
        self._plumbing.rebalances.inc()
        wanted = set(partitions)
        closing = [self.owned.pop(tp) for tp in list(self.owned) if tp in wanted]
        for owned in closing:
            source = owned.source
            self._plumbing.open.labels(source.topic, str(source.partition)).set(0)
            self._plumbing.forget(source.topic, source.partition)
        limit = self._settings.worker.commit_timeout_seconds
        try:
            async with asyncio.timeout(limit + 5):
                await asyncio.gather(*(owned.close() for owned in closing))
        except Exception as error:  # noqa: BLE001 - aiokafka would swallow it
            self._fatal(f"closing failed: {error!r}. Nothing is lost: the next owner restores")

    def deleted_unread(self, tp: TP, expected: int, first: int) -> NoReturn:
        """Part of the Owner protocol; never returns."""
        self._fatal(
            f"{tp.topic}/{tp.partition}: events {expected} to {first - 1} were deleted unread; "
            "the next start refuses the partition and says what to do"
        )
