"""The topics of the sink, read as one consumer group: where to start, what slices to use, what is held.

Source: clickhouse.md §2 and §5. A partition starts at its committed offset. Without one it starts at
the beginning, and slices of the rolling snapshot count up to where the log then ended: the state whose
changes are trimmed is only in them. That end travels with each commit, so a restart half-way is safe.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from kafka.structs import OffsetAndMetadata

from pipeline.kafka.clients import Clients
from pipeline.settings import Worker
from pipeline.sink.flow import Polled
from pipeline.sink.status import Place
from pipeline.sink.writer import LineStoppedError

log = structlog.get_logger("pulse.sink")

MAX_POLL_RECORDS: Final = 5000
MAX_POLL_INTERVAL_MS: Final = 300_000
METADATA_AGE_MS: Final = 10_000
"""A leader that joins before it knows the partitions of a young topic assigns none of them; it learns of
them this much later, by default after five minutes.
"""
CALL_MS: Final = 15_000
COMMIT_MS: Final = 10_000
CLOSE_MS: Final = 5_000
_SLICES: Final = "slices<"


class KafkaLog(ConsumerRebalanceListener):  # type: ignore[misc] # kafka-python has no types
    """flow.Log over kafka-python. Every method belongs to the sink's thread."""

    def __init__(self, clients: Clients, group: str, topics: Sequence[str], times: Worker) -> None:
        self._consumer: KafkaConsumer = clients.consumer(
            group_id=group,
            # A dead sink holds its partitions for as long as a dead worker holds its own.
            session_timeout_ms=int(times.session_timeout_seconds * 1000),
            heartbeat_interval_ms=int(times.heartbeat_interval_seconds * 1000),
            max_poll_records=MAX_POLL_RECORDS,
            metadata_max_age_ms=METADATA_AGE_MS,
            max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
        )
        self._held: set[Place] = set()
        self._new: set[Place] = set()
        self._gone: set[Place] = set()
        self._slices_until: dict[Place, int] = {}
        self._is_paused = False
        self._consumer.subscribe(topics=list(topics), listener=self)

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Called inside `poll`, where nothing may block: hold them back until `poll` has placed them."""
        places = {(tp.topic, tp.partition) for tp in assigned}
        self._new |= places
        if assigned:
            self._consumer.pause(*assigned)

    def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Rows not yet committed are left to the next owner, who reads and writes the same ones."""
        places = {(tp.topic, tp.partition) for tp in revoked}
        self._gone |= places
        self._new -= places
        self._held -= places
        for place in places:
            self._slices_until.pop(place, None)

    on_partitions_lost = on_partitions_revoked

    def poll(self, seconds: float) -> Polled:
        """Records of the places held. Raises LineStoppedError when records are gone unread."""
        records: list[Any] = []
        try:
            fetched = self._consumer.poll(timeout_ms=int(seconds * 1000))
            records = [record for batch in fetched.values() for record in batch]
        except NoOffsetForPartitionError:
            pass  # partitions just assigned that nobody has read yet: placed below
        except OffsetOutOfRangeError as error:
            raise LineStoppedError(_out_of_range(error)) from error
        except KafkaError as error:
            if not getattr(error, "retriable", False):
                raise LineStoppedError(f"reading Kafka: {type(error).__name__}: {error}") from error
            log.warning("PollFailed", error=repr(error))
        self._stay_in_the_group()
        gone, self._gone = self._gone, set()
        self._place_new()
        return Polled(records, gone)

    def _stay_in_the_group(self) -> None:
        """Go on with a rejoin that the time of one poll did not suffice for.

        kafka-python 3.0.12 forgets one that new partitions began (Java's client did until KAFKA-9815): the
        member then stays without partitions and without heartbeats for good.
        """
        coordinator = self._consumer._coordinator  # noqa: SLF001 - held by tests/sink/test_reader.py
        if coordinator.rejoining:
            coordinator.request_rejoin()

    def _place_new(self) -> None:
        for place in sorted(self._new):
            try:
                self._place(place)
            except IllegalStateError:
                continue  # taken away again before it was placed
            except KafkaError as error:
                log.warning("PlacingFailed", place=place, error=repr(error))
                return
            self._new.discard(place)
            self._held.add(place)

    def _place(self, place: Place) -> None:
        tp = TopicPartition(*place)
        committed = self._consumer.committed(tp, metadata=True, timeout_ms=CALL_MS)
        if committed is None or committed.offset < 0:
            first = self._consumer.beginning_offsets([tp], timeout_ms=CALL_MS)[tp]
            self._slices_until[place] = self._consumer.end_offsets([tp], timeout_ms=CALL_MS)[tp]
            log.info("PartitionReadFromItsBeginning", topic=tp.topic, partition=tp.partition, offset=first)
            self._consumer.seek(tp, first)
        else:
            self._consumer.seek(tp, committed.offset)
            text = committed.metadata or ""
            if text.startswith(_SLICES):
                self._slices_until[place] = int(text.removeprefix(_SLICES))
        if not self._is_paused:
            self._consumer.resume(tp)

    def positions(self) -> dict[Place, int]:
        """The next offset of each place held; transaction markers before it are passed too."""
        found = {}
        for place in self._held:
            try:
                position = self._consumer.position(TopicPartition(*place), timeout_ms=CALL_MS)
            except KafkaError as error:
                log.warning("PositionUnknown", place=place, error=repr(error))
                continue
            if position is not None:
                found[place] = int(position)
        return found

    def accepts_slice(self, place: Place, offset: int) -> bool:
        return offset < self._slices_until.get(place, 0)

    def end(self, place: Place) -> int:
        """The offset behind the last record of a place."""
        tp = TopicPartition(*place)
        return int(self._consumer.end_offsets([tp], timeout_ms=CALL_MS)[tp])

    def commit(self, positions: Mapping[Place, int]) -> None:
        """Tell the group. A failure loses nothing: what is not committed is written again."""
        offsets = {
            TopicPartition(*place): OffsetAndMetadata(position, self._metadata(place, position), -1)
            for place, position in positions.items()
            if place in self._held
        }
        if not offsets:
            return
        try:
            self._consumer.commit(offsets, timeout_ms=COMMIT_MS)
        except (CommitFailedError, KafkaError) as error:
            log.warning("CommitFailed", error=repr(error))

    def _metadata(self, place: Place, position: int) -> str:
        until = self._slices_until.get(place, 0)
        return f"{_SLICES}{until}" if position < until else ""

    def pause(self) -> None:
        self._is_paused = True
        self._consumer.pause(*self._held_partitions())

    def resume(self) -> None:
        self._is_paused = False
        self._consumer.resume(*self._held_partitions())

    def _held_partitions(self) -> list[TopicPartition]:
        return [TopicPartition(*place) for place in self._held]

    def close(self) -> None:
        """Leave the group without committing."""
        self._consumer.close(autocommit=False, timeout_ms=CLOSE_MS)


def _out_of_range(error: OffsetOutOfRangeError) -> str:
    return (
        f"records were removed before the sink read them, or the topic was made anew: {error}. Rows are"
        " missing: rebuild the stream (`pulse rebuild`), or reset the sink's group to the log's beginning"
    )
