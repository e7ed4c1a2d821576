"""The sink's one loop as logic: poll, gather, flush, commit. Knows Kafka and ClickHouse as seams only.

Source: clickhouse.md §5. May be killed at any line: a position is committed only when every row below
it is in ClickHouse, and everything above comes again and writes the same rows.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

import structlog

from pipeline.sink.batch import Batch
from pipeline.sink.clickhouse import STORE_ERRORS
from pipeline.sink.rows import Record, Rows
from pipeline.sink.status import Place, State, StatusBoard
from pipeline.sink.writer import Inserts, LineStoppedError, Refused, Writer
from pipeline.state.codec import StateLogError

log = structlog.get_logger("pulse.sink")

PURGE_SECONDS: Final = 600.0
KEEP_ALIVE_SECONDS: Final = 1.0


class Polled(NamedTuple):
    """Records in order per place; `revoked` were taken away before any of them came."""

    records: Sequence[Record]
    revoked: Collection[Place] = ()


class Log(Protocol):
    """The topics the sink reads (reader.KafkaLog). Every method is called by the sink's thread."""

    def poll(self, seconds: float) -> Polled: ...

    def positions(self) -> Mapping[Place, int]:
        """The next offset of each place held, records and markers before it polled."""
        ...

    def accepts_slice(self, place: Place, offset: int) -> bool:
        """Whether a slice of the rolling snapshot at `offset` is to be used."""
        ...

    def commit(self, positions: Mapping[Place, int]) -> None: ...

    def pause(self) -> None:
        """Nothing more is handed out, partitions that are assigned meanwhile included."""
        ...

    def resume(self) -> None: ...


class Tended(Inserts, Protocol):
    """A store that can also remove what was erased since it did so last, and tell what it holds."""

    def purge(self) -> None: ...

    def heartbeats(self) -> Mapping[tuple[str, int], int]:
        """When the newest heartbeat of each (stream, source partition) was sent, ms."""
        ...


class Limits(NamedTuple):
    """What fills one insert (settings.sink), and how often heartbeats are read back: None = never."""

    rows: int
    size: int
    seconds: float
    read_back_seconds: float | None = None


ToRows: TypeAlias = Callable[[Record, bool], Rows]
"""(record, whether a slice is accepted) → rows. Raises StateLogError."""


class Clock(NamedTuple):
    """`steady` for intervals, `wall` for what people read; `give_up_at` (steady) once told to stop."""

    steady: Callable[[], float]
    wall: Callable[[], float]
    give_up_at: Callable[[], float | None] = lambda: None


class Flow:
    """Call `step` for ever, then `flush`. Both raise LineStoppedError."""

    def __init__(
        self,
        log_: Log,
        store: Tended,
        to_rows: ToRows,
        refuse: Callable[[Sequence[Refused]], None],
        limits: Limits,
        clock: Clock,
        status: StatusBoard,
    ) -> None:
        self._log = log_
        self._store = store
        self._to_rows = to_rows
        self._limits = limits
        self._clock = clock
        self._status = status
        self._batch = Batch()
        self._since: float | None = None
        self._committed: dict[Place, int] = {}
        self._purge_at = clock.steady() + PURGE_SECONDS
        self._read_back_at = clock.steady()
        self._writer = Writer(store, self._wait, refuse, self._retried)

    def step(self) -> None:
        """Poll once; flush when the batch is full or old enough."""
        wait = self._limits.seconds
        if self._since is not None:
            wait = max(0.0, self._since + wait - self._clock.steady())
        self._take(self._log.poll(min(wait, KEEP_ALIVE_SECONDS)))
        if self._is_due():
            self.flush()

    def _take(self, polled: Polled) -> None:
        for place in polled.revoked:
            self._batch.drop(place)
            self._committed.pop(place, None)
        for record in polled.records:
            self._gather(record)
        self._batch.reach(self._log.positions())
        if self._since is None and self._has_moved():
            self._since = self._clock.steady()
            self._status.update(buffered_since=self._clock.wall())
        self._status.update(buffered_rows=self._batch.count)

    def _gather(self, record: Record) -> None:
        place = (record.topic, record.partition)
        try:
            rows = self._to_rows(record, self._log.accepts_slice(place, record.offset))
        except StateLogError as error:
            raise LineStoppedError(f"{place[0]}-{place[1]} at offset {record.offset}: {error}") from error
        self._batch.add(place, rows, len(record.value or b""))

    def _has_moved(self) -> bool:
        return any(self._committed.get(place) != at for place, at in self._batch.positions.items())

    def _is_due(self) -> bool:
        if self._since is None:
            return False
        full = self._batch.count >= self._limits.rows or self._batch.size >= self._limits.size
        return full or self._clock.steady() - self._since >= self._limits.seconds

    def flush(self) -> None:
        """Insert everything gathered, then commit; retries as long as it takes."""
        began = self._clock.steady()
        self._log.pause()
        try:
            written, refused = self._writer.write(self._batch)
        finally:
            self._log.resume()
        reached = {
            place: at for place, at in self._batch.positions.items() if self._committed.get(place) != at
        }
        self._log.commit(reached)
        self._committed.update(reached)
        self._batch = Batch()
        self._since = None
        status = self._status.current
        self._status.update(
            state=State.RUNNING,
            reason="",
            last_success=self._clock.wall(),
            buffered_rows=0,
            buffered_since=None,
            positions=dict(self._committed),
            written_rows=status.written_rows + written,
            refused_rows=status.refused_rows + refused,
            batch_rows=written,
            batch_seconds=self._clock.steady() - began,
        )
        self._read_back()
        self._purge()

    def _read_back(self) -> None:
        """Now and then ask what a reader would find. A failure leaves the last answer, which grows old."""
        every = self._limits.read_back_seconds
        if every is None or self._clock.steady() < self._read_back_at:
            return
        self._read_back_at = self._clock.steady() + every
        try:
            self._status.update(heartbeats=self._store.heartbeats())
        except STORE_ERRORS as error:
            log.warning("HeartbeatsNotRead", error=str(error)[:300])

    def _purge(self) -> None:
        """Now and then remove what was erased; views hide it already, so a failure can wait."""
        if self._clock.steady() < self._purge_at:
            return
        self._purge_at = self._clock.steady() + PURGE_SECONDS
        try:
            self._store.purge()
        except STORE_ERRORS as error:
            log.warning("PurgeFailed", error=str(error)[:300])

    def _wait(self, seconds: float) -> None:
        """Between attempts: stay in the group, take nothing, let go of what is taken away."""
        until = self._clock.steady() + seconds
        while (left := until - self._clock.steady()) > 0:
            give_up_at = self._clock.give_up_at()
            if give_up_at is not None and self._clock.steady() >= give_up_at:
                raise LineStoppedError("stopped while ClickHouse did not take the rows; they come again")
            for place in self._log.poll(min(left, KEEP_ALIVE_SECONDS)).revoked:
                self._batch.drop(place)
                self._committed.pop(place, None)

    def _retried(self, kind: str, error: Exception) -> None:
        log.warning("InsertFailed", kind=kind, error=str(error)[:300], rows=self._batch.count)
        status = self._status.current
        retries = {**status.retries, kind: status.retries.get(kind, 0) + 1}
        self._status.update(state=State.RETRYING, reason=str(error)[:300], retries=retries)
