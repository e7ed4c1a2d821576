"""Events told to a partition, and the state-log records its commits would be: the sink's real input."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from pipeline.metrics.definitions import Definitions
from pipeline.sink.rows import Rows, state_rows, vectors_of
from pipeline.state.codec import Header, state_format, write_header
from pipeline.state.partition import Partition
from pipeline.state.retention import NO_HORIZONS
from pipeline.state.snapshot import Snapshot
from tests.builders import UNDECLARED, raw, records


class LogRecord(NamedTuple):
    """A record as the sink fetches it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    value: bytes | None
    headers: list[tuple[str, bytes]]


def log_of(
    commits: Iterable[list[dict[str, Any]]],
    *,
    epoch: int = 1,
    number: int = 0,
    first: int = 0,
    definitions: Definitions = UNDECLARED,
    stream: str = "call",
) -> list[LogRecord]:
    """The state log of a partition that takes in one list of events per commit.

    Each commit is followed by a marker, so offsets have holes.
    """
    partition = Partition(definitions, NO_HORIZONS, stream=stream, check_future=False)
    snapshot = Snapshot()
    log: list[LogRecord] = []
    offset = first
    for events in commits:
        partition.apply(records(events, partition.next_offset))
        drafts = snapshot.draft(partition)
        header = Header(
            "",
            partition.next_offset,
            partition.watermark,
            drafts.restore_from,
            epoch,
            0,
            1,
            state_format(definitions.state_fingerprint),
        )
        snapshot.written(offset)
        for index, draft in enumerate(drafts.records, 1):
            headers = write_header(
                header._replace(
                    kind=draft.kind, part=f"{index}/{len(drafts.records)}", is_slice=draft.is_slice
                )
            )
            log.append(
                LogRecord(f"pulse.{stream}.state", number, offset, 1_800_000_000_000, draft.value, headers)
            )
            offset += 1
        offset += 1
    return log


def rows_of(
    log: Iterable[LogRecord], *, accept_slice: bool = False, definitions: Definitions = UNDECLARED
) -> Rows:
    """Everything the sink would write of it."""
    vectors = vectors_of(definitions)
    return [
        row
        for record in log
        for row in state_rows(record, record.topic.split(".")[1], vectors, accept_slice=accept_slice)
    ]


def source_record(
    said: dict[str, Any] | bytes, offset: int = 0, timestamp: int = 1_800_000_000_000
) -> LogRecord:
    """One event as the sink fetches it."""
    value = said if isinstance(said, bytes) else raw(said)
    return LogRecord("pulse.call", 0, offset, timestamp, value, [])
