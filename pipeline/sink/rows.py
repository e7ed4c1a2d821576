"""Records of the state log to rows, as tables expect them; event_rows.py has those of the other topics.

Source: clickhouse.md §2-§3, architecture.md §4. Pure: the same record gives the same rows, so a
record that comes again changes nothing.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeAlias
from zlib import crc32

from pipeline.entities.contact import Chain
from pipeline.metrics.buckets import BucketKey, Cells, LevelValue
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import FAMILIES
from pipeline.sink.contact_rows import Origin, contact_rows, leg_rows
from pipeline.sink.subscription_rows import subscription_rows
from pipeline.sink.tables import (
    ACCOUNTS,
    AGENTS,
    BUCKETS,
    CONTACTS,
    ERASURES,
    LEGS,
    REVISIONS,
    SURVEYS,
    TICKETS,
    Row,
    Table,
)
from pipeline.sink.ticket_rows import ticket_row
from pipeline.sink.usage_rows import usage_rows
from pipeline.sink.voice_rows import account_row, agent_row, survey_row
from pipeline.state.codec import (
    ENTITIES,
    Header,
    StateLogError,
    decode_buckets,
    decode_entities,
    read_header,
    state_format,
)
from pipeline.state.kinds import KINDS

Headers: TypeAlias = Sequence[tuple[str, bytes | None]]
Rows: TypeAlias = list[tuple[Table, Row]]
UNKNOWN_MS: Final = 0


class Record(Protocol):
    """What a fetched record must show. `timestamp`: Kafka's append time, ms."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


class Vectors(NamedTuple):
    """How wide a vector of one state format is; other formats are kept as wide as they come."""

    format: str
    bounds: int

    def dense(self, family: str, cells: Cells, format_: str) -> list[int]:
        """Counters, then bins. Of an unknown format at least the counters."""
        known = FAMILIES.get(family)
        width = 0
        if known is not None:
            width = known.width(self.bounds) if format_ == self.format else len(known.counters)
        vector = [0] * max(width, max(cells, default=-1) + 1)
        for cell, amount in cells.items():
            vector[cell] = amount
        return vector


def vectors_of(definitions: Definitions) -> Vectors:
    """The format a worker with the same definitions writes of calls: no other stream has histograms."""
    return Vectors(state_format(definitions.stored("call")), len(definitions.bounds_ms))


def declaration(definitions: Definitions, declared_at: int) -> Row:
    """What readers must know of the definitions behind the numbers; `declared_at` in ms."""
    format_ = vectors_of(definitions).format
    adoption, health = definitions.adoption, definitions.health
    costs = {name: tenant.support_cost for name, tenant in definitions.tenants.items() if tenant.support_cost}
    return (
        v_format(format_),
        format_,
        list(definitions.bounds_ms),
        definitions.stuck_after_ms,
        {name: str(tenant.zone) for name, tenant in definitions.tenants.items()},
        definitions.n_min,
        definitions.frt_target_ms,
        definitions.recognition,
        list(adoption.core or ()),
        adoption.k,
        adoption.d,
        adoption.w,
        health.days,
        health.weights,
        *definitions.gaming,
        list(definitions.thresholds_ms),
        float(definitions.margin),
        {name: cost.currency for name, cost in costs.items()},
        {name: float(cost.hour_minor) for name, cost in costs.items()},
        {name: float(cost.ticket_minor) for name, cost in costs.items()},
        {name: tenant.week_start for name, tenant in definitions.tenants.items()},
        {name: dict(tenant.queues_of) for name, tenant in definitions.tenants.items() if tenant.queues_of},
        declared_at,
    )


def v_format(format_: str) -> int:
    """A format's text as the small number stored beside each vector."""
    return crc32(format_.encode()) & 0xFFFF


def dims_text(family: str, dims: Iterable[str]) -> str:
    """Canonical JSON: sorted keys, no spaces, text as it is."""
    known = FAMILIES.get(family)
    names = known.dims if known else ()
    table = dict(zip(names, dims, strict=known is not None))
    return json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def state_rows(record: Record, stream: str, vectors: Vectors, *, accept_slice: bool) -> Rows:
    """Rows of one state-log record; none of a slice unless it is accepted. Raises StateLogError."""
    header = read_header(record.headers)
    if header.is_slice and not accept_slice:
        return []
    if record.value is None:
        raise StateLogError("a state-log record without a value")
    if header.kind == ENTITIES:
        return _entity_rows(record, record.value, stream, header)
    rows: Rows = []
    for key, cause, value in decode_buckets(record.value):
        if value is not None:
            rows += _bucket_rows(record, stream, header, vectors, (key, cause, value))
    return rows


def _entity_rows(record: Record, value: bytes, stream: str, header: Header) -> Rows:
    origin = Origin(header.epoch, record.partition, record.offset)
    rows: Rows = []
    for key, known in decode_entities(value, KINDS[stream].entity):
        if known is None:
            continue
        # A part of an entity need not know of its erasure: the part that does is in the same commit.
        if getattr(known, "deleted_at", 0):
            tenant, _, entity = key.partition("|")
            rows.append((ERASURES, (tenant, stream, entity)))
        rows += _OF_ENTITY.get(stream, _no_rows)(key, known, origin)
    return rows


def _chain_rows(key: str, chain: Chain, origin: Origin) -> Rows:
    contacts: Rows = [(CONTACTS, row) for row in contact_rows(key, chain, origin)]
    return contacts + [(LEGS, row) for row in leg_rows(key, chain, origin)]


def _no_rows(_key: str, _entity: Any, _origin: Origin) -> Rows:
    """Of a stream whose entities have no table: its numbers are in the buckets."""
    return []


_OF_ENTITY: Final[dict[str, Callable[[str, Any, Origin], Rows]]] = {
    "call": _chain_rows,
    "ticket": lambda key, ticket, origin: [(TICKETS, ticket_row(key, ticket, origin))],
    "survey": lambda key, survey, origin: [(SURVEYS, survey_row(key, survey, origin))],
    "account": lambda key, account, origin: [(ACCOUNTS, account_row(key, account, origin))],
    "agent": lambda key, agent, origin: [(AGENTS, agent_row(key, agent, origin))],
    "subscription": subscription_rows,
    "usage": usage_rows,
}
"""The rows of one entity, by stream."""


def _bucket_rows(
    record: Record,
    stream: str,
    header: Header,
    vectors: Vectors,
    bucket: tuple[BucketKey, str, Cells | LevelValue],
) -> Rows:
    (grain, family, tenant, dims, start), cause, value = bucket
    if isinstance(value, LevelValue):
        vector = [number for pair in sorted(value.counts.items()) for number in pair]
    else:
        vector = vectors.dense(family, value, header.format)
    number = v_format(header.format)
    place = (
        stream,
        grain,
        family,
        tenant,
        dims_text(family, dims),
        header.epoch,
        start // 1000,
        record.partition,
    )
    rows: Rows = [(BUCKETS, (*place, vector, number, record.offset))]
    if cause and not isinstance(value, LevelValue):
        changed_at = record.timestamp or UNKNOWN_MS
        rows.append((REVISIONS, (*place, cause, vector, number, changed_at, record.offset)))
    return rows
