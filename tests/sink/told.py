"""Events told to a partition, and the state-log records its commits would be: the sink's real input."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from pipeline.events.rejects import Rejected
from pipeline.metrics.definitions import Definitions
from pipeline.replay.cases import stream_of
from pipeline.runtime.opening import Source
from pipeline.runtime.transactions import dead_letter_record
from pipeline.sink.event_rows import dead_letter_rows, source_rows
from pipeline.sink.rows import Rows, state_rows, vectors_of
from pipeline.state.codec import Header, state_format, write_header
from pipeline.state.kinds import KINDS
from pipeline.state.partition import DeadLetter, Partition
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
    commits: Iterable[list[dict[str, Any] | bytes]],
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
            state_format(definitions.stored(stream)),
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
    said: dict[str, Any] | bytes,
    offset: int = 0,
    timestamp: int = 1_800_000_000_000,
    stream: str = "call",
) -> LogRecord:
    """One event as the sink fetches it."""
    return LogRecord(f"pulse.{stream}", 0, offset, timestamp, raw(said), [])


def rows_of_streams(commits: Iterable[list[dict[str, Any] | bytes]], definitions: Definitions) -> Rows:
    """Everything the sink writes of events of several streams: state, events as they came, dead letters."""
    by_stream: dict[str, list[list[dict[str, Any] | bytes]]] = {}
    for commit in commits:
        for stream in {stream_of(raw(said)) for said in commit}:
            told = [said for said in commit if stream_of(raw(said)) == stream]
            by_stream.setdefault(stream, []).append(told)
    rows: Rows = []
    for stream, told in sorted(by_stream.items()):
        rows += rows_of(log_of(told, stream=stream, definitions=definitions), definitions=definitions)
        said = [each for commit in told for each in commit]
        for record in (source_record(each, offset, stream=stream) for offset, each in enumerate(said)):
            rows += source_rows(record, stream) + _letters(record, stream)
    return rows


def _letters(record: LogRecord, stream: str) -> Rows:
    judged = KINDS[stream].decode(record.value, None)
    if not isinstance(judged, Rejected):
        return []
    source = Source(stream, record.topic, "", "pulse.dlq", "", "", "test", record.partition)
    letter = DeadLetter(record.offset, record.timestamp, record.value or b"", judged)
    value, headers = dead_letter_record(source, letter)
    return dead_letter_rows(record._replace(topic="pulse.dlq", value=value, headers=headers))
