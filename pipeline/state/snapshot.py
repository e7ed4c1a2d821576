"""What one commit writes: the changes, and a slice of the untouched state.

Source: architecture.md §2, Rolling snapshot. The log is at most doubled, whatever the size of
the state; absolute values in log order make the fuzzy snapshot exact.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

from pipeline.metrics.buckets import BucketKey, Cells, LevelValue
from pipeline.state.codec import (
    BUCKETS,
    EMPTY_RECORD,
    ENTITIES,
    encode_buckets,
    encode_entities,
    join,
)
from pipeline.state.partition import Partition

_CHUNK: Final = 64
_CHUNK_OF_PARTS: Final = 2
"""What is held in parts is large."""
_MOST_AT_ONCE: Final = 512
K = TypeVar("K", str, BucketKey)


class Draft(NamedTuple):
    """One record to send; its headers follow from the commit."""

    kind: str
    value: bytes
    is_slice: bool


class Drafts(NamedTuple):
    """The records of one commit and the `restore_from` their headers carry."""

    records: list[Draft]
    restore_from: int


class Snapshot:
    """The cursor over the keys taken at the start of each cycle.

    Whoever commits calls `draft`, sends the records, then `written` with the offset of the first.
    A commit whose outcome is in doubt ends the process, so nothing here is ever taken back.
    """

    def __init__(self, restore_from: int = -1) -> None:
        self.restore_from = restore_from
        self.cycles = 0
        self._keys: Iterator[str] = iter(())
        self._bucket_keys: Iterator[BucketKey] = iter(())
        self._began_at: int | None = None
        self._is_running = False
        self._is_begun = False

    def draft(self, partition: Partition) -> Drafts:
        """Everything changed since the last commit, and a slice of about as many bytes.

        Nothing changed: one empty record, which tells idle from dead. Clears the changes.
        """
        changed, changed_buckets = _take_changes(partition)
        records = [Draft(ENTITIES, raw, is_slice=False) for raw in encode_entities(changed)]
        records += [Draft(BUCKETS, raw, is_slice=False) for raw in encode_buckets(changed_buckets)]
        if not records:
            return Drafts([Draft(BUCKETS, EMPTY_RECORD, is_slice=False)], self.restore_from)
        if not self._is_running:
            self._begin(partition)
        budget = sum(len(draft.value) for draft in records)
        written: set[str | BucketKey] = {key for key, _, _ in changed_buckets}
        if not partition.entities.is_in_parts:
            written |= {key for key, _ in changed}
        records += self._slice(partition, budget, written)
        return Drafts(records, self.restore_from)

    def written(self, first_offset: int) -> None:
        """The commit is in the log, its first record at `first_offset`.

        A commit without changes neither begins nor ends a cycle: it holds no state.
        """
        if self._is_begun:
            self._began_at, self._is_begun = first_offset, False
        if not self._is_running and self._began_at is not None:
            self.restore_from = self._began_at
            self.cycles += 1
            self._began_at = None

    def _begin(self, partition: Partition) -> None:
        self._keys = iter(list(partition.entities.by_key))
        self._bucket_keys = iter(partition.ledger.keys())
        self._is_running = self._is_begun = True

    def _slice(self, partition: Partition, budget: int, written: set[str | BucketKey]) -> list[Draft]:
        entities, ledger = partition.entities, partition.ledger

        def told(keys: list[str]) -> list[bytes]:
            left = [key for key in keys if key in entities.by_key and key not in written]
            return encode_entities([(key, value) for key in left for value in entities.values(key)])

        def counted(keys: list[BucketKey]) -> list[bytes]:
            values = [(key, "", ledger.value(key)) for key in keys if key not in written]
            return encode_buckets([entry for entry in values if entry[2] is not None])

        least = _CHUNK_OF_PARTS if entities.is_in_parts else _CHUNK
        entity_records, budget = _fill(self._keys, least, budget, told)
        bucket_records, budget = _fill(self._bucket_keys, _CHUNK, budget, counted)
        self._is_running = budget <= 0
        return [
            *(Draft(ENTITIES, raw, is_slice=True) for raw in join(entity_records)),
            *(Draft(BUCKETS, raw, is_slice=True) for raw in join(bucket_records)),
        ]


def _fill(
    keys: Iterator[K], least: int, budget: int, encode: Callable[[list[K]], list[bytes]]
) -> tuple[list[bytes], int]:
    """Records of the next keys until the budget is spent or, with some of it left, no key is."""
    records: list[bytes] = []
    count = least
    while budget > 0:
        chunk = list(islice(keys, count))
        if not chunk:
            break
        found = encode(chunk)
        size = sum(map(len, found))
        records += found
        budget -= size
        if size:
            # Half as many as the rest of the budget takes by the size of these: others may be larger.
            count = max(least, min(_MOST_AT_ONCE, len(chunk) * budget // (2 * size)))
    return records, budget


def _take_changes(
    partition: Partition,
) -> tuple[list[tuple[str, Any]], list[tuple[BucketKey, str, Cells | LevelValue | None]]]:
    """The last values of what left memory come first, so that the absence behind them holds."""
    ledger = partition.ledger
    changed = partition.entities.take_changes()
    buckets: list[tuple[BucketKey, str, Cells | LevelValue | None]] = [*ledger.parted]
    buckets += [(key, cause, ledger.value(key)) for key, cause in ledger.changed.items()]
    buckets += [(key, "", None) for key in ledger.gone if key not in ledger.buckets]
    ledger.changed.clear()
    ledger.parted.clear()
    ledger.gone.clear()
    return changed, buckets
