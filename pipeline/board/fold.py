"""State-log records in, current buckets out: a commit as a whole, absolute values overwritten by key.

Source: architecture.md §2 (state log) and §4 (board). Pure: `now` is an argument, records come
from whoever reads the log. It knows neither Kafka nor a definition of any metric.
"""

from typing import Final, NamedTuple, TypeAlias

from pipeline.board.places import STEPS
from pipeline.board.sums import LONGEST_MS, Sums, difference, negative, running_end
from pipeline.metrics.buckets import DAY, LIVE, BucketKey, Cells, LevelValue
from pipeline.metrics.declared import is_projected
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import FAMILIES, HEARTBEAT, LEAVE
from pipeline.metrics.windows import DAY_MS
from pipeline.state.codec import (
    BUCKETS,
    Header,
    StateLogError,
    declared_apart,
    decode_buckets,
    state_format,
)

SLACK_MS: Final = 60_000
"""How far the clock may be set back before a window misses buckets."""
DAYS_KEPT: Final = 91
"""89 local days before today, and a day either way for time zones."""
CALL_DAYS_KEPT: Final = 2
"""Of calls the board shows no day but today."""
SWEEP_EVERY_MS: Final = 60_000

MADE_ANEW: Final = "its log tells of an older state than before, so it was made anew: restart the board"

SeriesKey: TypeAlias = tuple[str, str, tuple[str, ...]]
"""(family, tenant, dimensions)"""


class Source(NamedTuple):
    """A partition of a state topic; it holds the state of the source partition of that number."""

    stream: str
    topic: str
    partition: int

    @property
    def source_topic(self) -> str:
        return self.topic.removesuffix(".state")


class LogRecord(NamedTuple):
    """A state-log record as read. `appended_at`: Kafka's append time, ms."""

    offset: int
    appended_at: int
    header: Header
    value: bytes


class Position:
    """What is known of one source: where it stands, and the values it last told.

    `position` is the next log offset; -1 in the others means that no commit was seen yet.
    `moved_at` is when the log last told of a higher watermark, by append time; `heartbeat_at` when the
    newest heartbeat in it was sent. `held`: why what it writes now is left out for the time being. `steps`
    are the values of step families, which never leave and are many, by series and day.
    """

    def __init__(self) -> None:
        self.position = -1
        self.next_offset = -1
        self.watermark = -1
        self.committed_at = -1
        self.moved_at = -1
        self.heartbeat_at = -1
        self.is_caught_up = False
        self.refused = ""
        self.held = ""
        self.pending: list[bytes] = []
        self.values: dict[BucketKey, Cells] = {}
        self.steps: dict[SeriesKey, dict[int, Cells]] = {}


class Fold:
    """The board's state. `now` (ms) chooses what is still of interest and where windows end."""

    def __init__(self, definitions: Definitions, now: int) -> None:
        self.positions: dict[Source, Position] = {}
        self.series: dict[SeriesKey, Sums] = {}
        self.levels: dict[SeriesKey, dict[Source, LevelValue]] = {}
        self.end = running_end(now)
        self._definitions = definitions
        self._swept_at = now
        self._oldest = self._oldest_day = self._oldest_call_day = 0
        self._set_horizon()

    def expect(self, source: Source) -> Position:
        """This source belongs to the board, which is not ready before it has caught up with it."""
        return self.positions.setdefault(source, Position())

    def take(self, source: Source, record: LogRecord) -> bool:
        """Take in the next record of a source; True when a commit became visible with it.

        Records below the source's position are replays and change nothing. A record of another
        format, or an unreadable one, refuses the source for good.
        """
        place = self.expect(source)
        if place.refused or record.offset < place.position:
            return False
        header = record.header
        if header.format != (mine := state_format(self._definitions.stored(source.stream))):
            return self._take_no_foreign(source, place, record, mine)
        place.held = ""
        if header.next_offset < place.next_offset:
            self.refuse(source, MADE_ANEW)
            return False
        if header.part.startswith("1/"):
            place.pending.clear()
        if header.kind == BUCKETS and not (header.is_slice and place.is_caught_up):
            place.pending.append(record.value)
        place.position = record.offset + 1
        if not header.is_last_part:
            return False
        return self._commit(source, place, record)

    def _take_no_foreign(self, source: Source, place: Position, record: LogRecord, mine: str) -> bool:
        """By what is declared here the values mean something else. Where the worker works them out anew from
        memory it then writes all of them, and the source waits; else it is refused.
        """
        apart = declared_apart(record.header.format, mine)
        if apart is None or not all(is_projected(source.stream, name) for name in apart):
            self.refuse(source, _other_format(record.header.format, mine, apart))
            return False
        place.held = (
            f"{_declared_otherwise(apart)}, and waits for its worker to be started with the same file"
        )
        place.pending.clear()
        place.position = record.offset + 1
        return False

    def _commit(self, source: Source, place: Position, record: LogRecord) -> bool:
        try:
            changes = [change for raw in place.pending for change in decode_buckets(raw)]
        except StateLogError as error:
            self.refuse(source, f"record at or before offset {record.offset}: {error}")
            return False
        place.pending.clear()
        for key, _, value in changes:
            self._overwrite(source, place, key, value)
        if record.header.watermark > place.watermark:
            place.moved_at = record.appended_at
        place.next_offset = record.header.next_offset
        place.watermark = record.header.watermark
        place.committed_at = record.appended_at
        return True

    def _overwrite(
        self, source: Source, place: Position, key: BucketKey, value: Cells | LevelValue | None
    ) -> None:
        if value is None:  # has left the worker's memory, which erases nothing
            return
        grain, family, tenant, dims, start = key
        if isinstance(value, LevelValue):
            self.levels.setdefault((family, tenant, dims), {})[source] = value
        elif family == HEARTBEAT.name:
            place.heartbeat_at = value.get(HEARTBEAT.cell("at_ms"), -1)
        elif family in STEPS:
            # Everything behind is part of today's sum.
            days = place.steps.setdefault((family, tenant, dims), {})
            delta = difference(value, days.get(start, {}))
            days[start] = value
            self._add_step((family, tenant, dims), start, delta)
        elif self._is_kept(family, grain, start):
            delta = difference(value, place.values.get(key, {}))
            place.values[key] = value
            self._add(key, delta)

    def _sums(self, series: SeriesKey) -> Sums:
        sums = self.series.get(series)
        if sums is None:
            sums = self.series[series] = Sums()
        return sums

    def _add(self, key: BucketKey, delta: Cells) -> None:
        grain, family, tenant, dims, start = key
        sums = self._sums((family, tenant, dims))
        if grain == LIVE:
            sums.add_live(start, delta, self.end)
        else:
            sums.add_day(start, delta)

    def _add_step(self, series: SeriesKey, start: int, delta: Cells) -> None:
        self._sums(series).add_day(max(start, self._oldest_day), delta)

    def _is_kept(self, family: str, grain: str, start: int) -> bool:
        """Everything ahead is kept: a callback scheduled for tonight counts in tonight's buckets."""
        return start >= (self._oldest_day_of(family) if grain == DAY else self._oldest)

    def _oldest_day_of(self, family: str) -> int:
        is_of_calls = FAMILIES[family].stream == LEAVE.stream
        return self._oldest_call_day if is_of_calls else self._oldest_day

    def caught_up(self, source: Source) -> None:
        """The source was read to the end its log had when it was opened."""
        self.expect(source).is_caught_up = True

    def reopen(self, source: Source) -> None:
        """The source is read again from its newest header, so slices matter until it has caught up."""
        place = self.expect(source)
        place.is_caught_up = False
        place.pending.clear()

    def refuse(self, source: Source, reason: str) -> None:
        """Take in nothing more of this source; its last numbers stay and grow old."""
        place = self.expect(source)
        place.refused = place.refused or reason
        place.pending.clear()

    def forget(self, source: Source) -> None:
        """The log was made anew: nothing it told before holds."""
        place = self.positions.pop(source, Position())
        for key, cells in place.values.items():
            self._add(key, negative(cells))
        for series, days in place.steps.items():
            for start, cells in days.items():
                self._add_step(series, start, negative(cells))
        for told in self.levels.values():
            told.pop(source, None)
        self.expect(source)

    def advance(self, now: int) -> None:
        """Move the windows to `now`, and let go of what no window reaches any more."""
        end = running_end(now)
        if end != self.end:
            for (family, _, _), sums in self.series.items():
                if family not in STEPS:
                    sums.move(self.end, end)
            self.end = end
        if now - self._swept_at >= SWEEP_EVERY_MS:
            self._swept_at = now
            self._sweep()

    def _set_horizon(self) -> None:
        """Never moves back, so what was let go is not half counted later."""
        self._oldest = max(self._oldest, self.end - LONGEST_MS - SLACK_MS)
        day = self.end // DAY_MS * DAY_MS
        self._oldest_day = max(self._oldest_day, day - DAYS_KEPT * DAY_MS)
        self._oldest_call_day = max(self._oldest_call_day, day - CALL_DAYS_KEPT * DAY_MS)

    def _sweep(self) -> None:
        self._set_horizon()
        for (family, _, _), sums in self.series.items():
            if family in STEPS:
                sums.gather_before(self._oldest_day)
            else:
                sums.drop_before(self._oldest, self._oldest_day_of(family))
        for series in [key for key, sums in self.series.items() if not (sums.live or sums.days)]:
            del self.series[series]
        for place in self.positions.values():
            stale = [key for key in place.values if not self._is_kept(key[1], key[0], key[4])]
            for key in stale:
                del place.values[key]


def _declared_otherwise(names: list[str]) -> str:
    return f"its log was written with another {', '.join(names)} than this board's definitions file has"


def _other_format(found: str, ours: str, apart: list[str] | None) -> str:
    told = _declared_otherwise(apart) if apart else f"its log has format {found}, this board reads {ours}"
    return f"{told}: give board and worker the same version and definitions file, or rebuild the stream"
