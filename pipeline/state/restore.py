"""The state log read back: the last value of each key is the state, whatever else was written.

Source: architecture.md §2, Open. Which records to read (`restore_from` of the last header on)
and whether they may be read at all (format, epoch, gaps) is the runtime's business.
"""

from collections.abc import Iterable

from pipeline.metrics.buckets import LEVEL
from pipeline.state.codec import BUCKETS, ENTITIES, Header, StateLogError, decode_buckets, decode_entities
from pipeline.state.partition import Partition


def load(partition: Partition, header: Header, records: Iterable[tuple[str, bytes]]) -> None:
    """Fill a new partition with (kind, value) of committed records, in log order.

    `header` is the last record's: it names the position. nil has left memory, so it is not loaded.
    Levels are not read: they follow from the entities, which know their instants exactly.
    Raises StateLogError on an unknown kind or unreadable bytes; the partition is then unusable.
    """
    for kind, value in records:
        take(partition, kind, value)
    partition.restored(header.next_offset, header.watermark)


def take(partition: Partition, kind: str, value: bytes) -> None:
    """As `load`, one record of it; behind the last one, `Partition.restored` is due."""
    if kind == ENTITIES:
        entities = partition.entities
        for key, entity in decode_entities(value, partition.kind.entity):
            entities.load(key, entity)
    elif kind == BUCKETS:
        buckets = partition.ledger.buckets
        for bucket, _, cells in decode_buckets(value):
            if isinstance(cells, dict):
                buckets[bucket] = cells
            elif bucket[0] != LEVEL:
                buckets.pop(bucket, None)
    else:
        raise StateLogError(f"unknown kind of record {kind!r}")
