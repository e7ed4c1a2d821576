"""State logs for tests of the board: written by the product's own state, or bucket by bucket."""

import json
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

from pipeline.board.fold import Fold, LogRecord, Source
from pipeline.metrics.buckets import BucketKey, Cells, LevelValue
from pipeline.metrics.definitions import Definitions
from pipeline.sources.simulate import CallCentre, simulate
from pipeline.state.codec import BUCKETS, Header, encode_buckets, state_format
from pipeline.state.partition import Partition
from pipeline.state.retention import Horizons
from pipeline.state.snapshot import Draft, Snapshot
from tests.builders import UNDECLARED, Record, raw


def source(partition: int = 0, stream: str = "call") -> Source:
    return Source(stream, f"pulse.{stream}.state", partition)


def header(next_offset: int = 0, watermark: int = 0, **more: Any) -> Header:
    told = {"kind": BUCKETS, "restore_from": -1, "epoch": 1, "floor": 0, "partitions": 1}
    told |= {"format": state_format(UNDECLARED.stored("call"))} | more
    return Header(next_offset=next_offset, watermark=watermark, **told)


def record(
    offset: int,
    buckets: Iterable[tuple[BucketKey, Cells | LevelValue | None]] = (),
    appended_at: int = 0,
    **more: Any,
) -> LogRecord:
    """One record of buckets; a commit of its own unless `part` says otherwise."""
    values = encode_buckets([(key, "", value) for key, value in buckets]) or [b"\x90"]
    assert len(values) == 1
    return LogRecord(offset, appended_at, header(**more), values[0])


class Commit(NamedTuple):
    """What the owner sends in one transaction, without offsets."""

    drafts: Sequence[Draft]
    headers: Sequence[Header]


class Worker:
    """The owner of one source partition: events in, commits out."""

    def __init__(
        self,
        partition: int = 0,
        *,
        partitions: int = 1,
        definitions: Definitions = UNDECLARED,
        stream: str = "call",
    ) -> None:
        self.source = source(partition, stream)
        self.state = Partition(definitions, Horizons(), stream=stream, check_future=False)
        self._snapshot = Snapshot()
        self._partitions = partitions
        self._format = state_format(definitions.stored(stream))
        self._log_end = 0

    def commit(self, events: Iterable[dict[str, Any]] = ()) -> Commit:
        """Apply events, then draft everything changed."""
        first = self.state.next_offset
        self.state.apply([Record(offset, raw(said)) for offset, said in enumerate(events, first)])
        return self.draft()

    def draft(self) -> Commit:
        drafts, restore_from = self._snapshot.draft(self.state)
        count = len(drafts)
        headers = [
            header(
                self.state.next_offset,
                self.state.watermark,
                kind=draft.kind,
                restore_from=restore_from,
                partitions=self._partitions,
                format=self._format,
                part=f"{number}/{count}",
                is_slice=draft.is_slice,
            )
            for number, draft in enumerate(drafts, 1)
        ]
        return Commit(drafts, headers)

    def written(self, first_offset: int) -> None:
        self._snapshot.written(first_offset)

    def log(self, events: Iterable[dict[str, Any]], appended_at: int) -> list[LogRecord]:
        """One commit as read back, followed by the marker that ends its transaction."""
        commit = self.commit(events)
        first = self._log_end
        self.written(first)
        self._log_end += len(commit.drafts) + 1
        return [
            LogRecord(first + place, appended_at, head, draft.value)
            for place, (draft, head) in enumerate(zip(commit.drafts, commit.headers, strict=True))
        ]


def tell(fold: Fold, worker: Worker, events: Iterable[dict[str, Any]], appended_at: int) -> None:
    """One commit of a worker, folded by a board that has caught up."""
    for each in worker.log(events, appended_at):
        fold.take(worker.source, each)
    fold.caught_up(worker.source)


def simulated(start_ms: int, end_ms: int, seed: int = 1, **params: Any) -> list[dict[str, Any]]:
    """Events of the simulated contact centre in a stretch of time."""
    told = simulate(CallCentre(**params), seed, start_ms)
    found = []
    for each in islice(told, 200_000):
        if each.deliver_at_ms >= end_ms:
            break
        found.append(json.loads(json.dumps(each.event)))
    return found
