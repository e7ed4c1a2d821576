"""The state of one source partition: apply a batch, tell what changed, load it back.

Source: architecture.md §2. Values are functions of the partition's records only; the state
reads no clock, does no I/O, and knows neither Kafka nor Faust.
"""

from collections.abc import Iterable, Iterator
from functools import cache, partial
from typing import NamedTuple, Protocol

from pipeline.events.envelope import tenant_of
from pipeline.events.heartbeat import Heartbeat
from pipeline.events.rejects import Rejected
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import FAMILIES
from pipeline.state.kinds import KINDS
from pipeline.state.ledger import Ledger
from pipeline.state.retention import Horizons

SWEEP_EVERY_MS = 600_000


class Record(Protocol):
    """What a fetched source record must show. `timestamp`: Kafka's append time, ms."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def key(self) -> bytes | None: ...


class DeadLetter(NamedTuple):
    """A rejected record, with the offset that names it. `number`: it is the batch's nth event, from 1."""

    offset: int
    timestamp: int | None
    value: bytes
    rejected: Rejected
    key: bytes | None = None
    number: int = 0


class Applied(NamedTuple):
    """What became of a batch; consumed = applied + duplicate + late + ignored + rejected.

    Heartbeats are none of these.
    """

    consumed: int
    duplicate: int
    late: int
    ignored: int
    arrival: int
    dead_letters: list[DeadLetter]
    latest_append: int


class GapError(Exception):
    """A batch starts above the next offset: events would be skipped for good."""


class Partition:
    """Entities, buckets, watermark and next offset of one source partition."""

    def __init__(
        self,
        definitions: Definitions,
        horizons: Horizons,
        *,
        stream: str = "call",
        check_future: bool = True,
    ) -> None:
        self.kind = KINDS[stream]
        self.stream = stream
        self.next_offset = 0
        self.watermark = 0
        self.ledger = Ledger(definitions, horizons)
        self.entities = self.kind.make(self.ledger, definitions, horizons)
        self._definitions = definitions
        self._horizons = horizons
        self._check_future = check_future
        self._swept_at = 0

    def apply(self, records: Iterable[Record], *, hole_accepted: bool = False) -> Applied:
        """Take in records in offset order; those below `next_offset` are skipped.

        Raises GapError when the first one lies above it and nobody accepted the hole.
        """
        entities, watermark, next_offset = self.entities, self.watermark, self.next_offset
        decode = self.kind.decode
        first = next_offset
        outcomes = {"applied": 0, "duplicate": 0, "late": 0}
        consumed = ignored = arrival = latest_append = 0
        dead_letters: list[DeadLetter] = []
        for record in records:
            offset = record.offset
            if offset < next_offset:
                continue
            if offset > next_offset and next_offset == first and not hole_accepted:
                raise GapError(f"offset {offset} came where {next_offset} was expected")
            next_offset = offset + 1
            consumed += 1
            appended = record.timestamp
            event = decode(record.value, appended if self._check_future else None)
            if appended is not None and appended > latest_append:
                latest_append = appended
            # Verdicts are tuples, events are not: one question for the common case.
            if isinstance(event, tuple):
                if isinstance(event, Rejected):
                    value = record.value or b""
                    dead_letters.append(DeadLetter(offset, appended, value, event, record.key, consumed))
                elif isinstance(event, Heartbeat):
                    consumed -= 1
                    # A sender whose clock is ahead must not promise anything for later.
                    self.ledger.post_heartbeat(event.at if appended is None else min(event.at, appended))
                else:
                    ignored += 1
                continue
            at = event.fact.at
            if at > watermark:
                watermark = at
                if watermark >= entities.next_alarm:
                    entities.ring(watermark)
            if event.is_arrival:
                arrival += 1
            outcomes[entities.apply(event, watermark)] += 1
        self.next_offset, self.watermark = next_offset, watermark
        if watermark - self._swept_at >= SWEEP_EVERY_MS:
            self.ledger.sweep(watermark)
            self._swept_at = watermark
        return Applied(
            consumed,
            outcomes["duplicate"],
            outcomes["late"],
            ignored,
            arrival,
            dead_letters,
            latest_append,
        )

    def project(self, at_once: int = 100) -> Iterator[None]:
        """Work out anew, by what is declared now, the buckets of a stream whose facts all stay in memory.

        Pauses after so many entities. Every bucket then counts as changed, since whoever followed the log
        by what is declared now has left out what was written before; `rebuilt` are those whose value is
        another one.
        """
        ledger = self.ledger
        fresh = Ledger(self._definitions, self._horizons)
        counting = cache(partial(self.kind.counting, self._definitions))
        for number, (key, entity) in enumerate(self.entities.by_key.items(), 1):
            tenant = tenant_of(key)
            fresh.post(tenant, (), counting(tenant)(entity), "", self.watermark)
            if number % at_once == 0:
                yield
        ledger.replace(fresh.buckets, {f.name for f in FAMILIES.values() if f.stream == self.stream})

    def restored(self, next_offset: int, watermark: int) -> None:
        """After loading entities and buckets: take the position the log's headers name."""
        self.next_offset, self.watermark, self._swept_at = next_offset, watermark, watermark
        self.entities.restore(watermark)
