"""The snapshot as Prometheus series: a custom Collector, and its rendered text kept until it changes.

Source: metrics.md §9. A series is there while its number is: what leaves the snapshot is gone at
the next scrape. Timestamps are exported rather than ages, so a stuck board shows as growing age.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final, TypeAlias

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from pipeline.board.exports import LEVELS, WINDOWED, Export, LevelExport
from pipeline.board.freshness import Freshness
from pipeline.board.people import PEOPLE, PeopleExport
from pipeline.board.places import Question, dims_of, is_kept, windows_of
from pipeline.board.snapshot import Snapshot
from pipeline.board.steps import daily_churn
from pipeline.board.success import SUCCESS, SuccessExport
from pipeline.metrics import calls
from pipeline.metrics.families import LATE

_log = structlog.get_logger(__name__)

SOURCE_LABELS: Final = ("stream", "partition")
HEARTBEAT_VISIBLE: Final = "pulse_heartbeat_visible_timestamp_seconds"
Build: TypeAlias = Callable[[Snapshot], Metric]


def _windowed(export: Export, snapshot: Snapshot) -> Metric:
    names = [name for name, _ in export.series[0][0]]
    dims = dims_of(export.family)
    family = GaugeMetricFamily(export.name, export.help, labels=[*dims, "window", *names])
    for window in windows_of(export.family):
        if not is_kept(export.family, window, export.maturity_ms):
            continue
        parts = snapshot.cells_of(export.family, window, export.maturity_ms)
        for place in snapshot.places.get(dims, ()):
            cells = parts.get(place, {})
            for labels, read in export.series:
                value = read(cells, snapshot.definitions)
                if value is not None:
                    where = [name or "" for name in place]
                    family.add_metric([*where, window, *(text for _, text in labels)], value)
    return family


def _level(export: LevelExport, snapshot: Snapshot) -> Metric:
    dims = dims_of(export.family)
    told = snapshot.levels.get(export.family, {})
    series = export.series or (((), export.read),)
    more = [name for name, _ in series[0][0]]
    family = GaugeMetricFamily(export.name, export.help, labels=[*dims, *more])
    for place in snapshot.places.get(dims, ()):
        for labels, read in series:
            value = read(told.get(place, ()), snapshot.now, snapshot.definitions)
            if value is not None:
                where = [name or "" for name in place]
                family.add_metric([*where, *(text for _, text in labels)], value)
    return family


def _success(export: SuccessExport, snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(export.name, export.help, labels=export.labels)
    for place, cells in sorted(snapshot.steps.get(export.family, {}).items()):
        for labels, value in export.series(place, cells, snapshot.definitions):
            family.add_metric(labels, value)
    if export.by_day:
        for window, place, number in daily_churn(snapshot.daily, Question()):
            told = getattr(number, export.by_day)
            if told is not None:
                family.add_metric([place[0] or "", window, "daily_sum"], told)
    return family


def _people(export: PeopleExport, snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(export.name, export.help, labels=export.labels)
    for place, number in export.read(snapshot.steps):
        if number.value is not None:
            family.add_metric([name or "" for name in place], number.value)
    return family


def _quarantined(snapshot: Snapshot) -> Metric:
    text = "Legs whose facts contradict each other; they count nowhere else."
    family = GaugeMetricFamily("support_quarantined", text, labels=["tenant", "reason"])
    for (tenant, reason), levels in sorted(snapshot.quarantine.items()):
        count = calls.quarantined(levels, snapshot.now, snapshot.definitions).value
        family.add_metric([tenant, reason], count or 0)
    return family


def _late(name: str, text: str, counter: str, snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(name, text, labels=["tenant", "stream"])
    streams = {f.source.stream for f in snapshot.freshness}
    known = {(tenant, stream) for tenant in snapshot.tenants for stream in streams}
    for key in sorted(known | set(snapshot.late)):
        family.add_metric(key, snapshot.late.get(key, {}).get(LATE.cell(counter), 0))
    return family


def _by_source(name: str, text: str, read: Callable[[Freshness], float | None], snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(name, text, labels=SOURCE_LABELS)
    for each in snapshot.freshness:
        value = read(each)
        if value is not None:
            family.add_metric([each.source.stream, str(each.source.partition)], value)
    return family


def _heartbeats(snapshot: Snapshot) -> Metric:
    text = "When the newest heartbeat was sent that has come through to the numbers shown."
    family = GaugeMetricFamily(HEARTBEAT_VISIBLE, text, labels=["topic", "partition"])
    for each in snapshot.freshness:
        if each.heartbeat_at > 0:
            place = [each.source.source_topic, str(each.source.partition)]
            family.add_metric(place, each.heartbeat_at / 1000)
    return family


def _instant(at: int) -> float | None:
    return at / 1000 if at > 0 else None


def _offset(offset: int) -> float | None:
    return offset if offset >= 0 else None


def _definitions(snapshot: Snapshot) -> Metric:
    text = "Fingerprint of the definitions that the numbers are read with."
    family = GaugeMetricFamily("pulse_definitions_info", text, labels=["fingerprint"])
    family.add_metric([snapshot.definitions.fingerprint], 1)
    return family


def _made_at(snapshot: Snapshot) -> Metric:
    text = "When the board made the numbers shown."
    return GaugeMetricFamily("pulse_snapshot_timestamp_seconds", text, value=snapshot.now / 1000)


BY_SOURCE: Final[tuple[tuple[str, str, Callable[[Freshness], float | None]], ...]] = (
    (
        "pulse_watermark_timestamp_seconds",
        "Highest event time applied; absent while a partition is idle.",
        lambda f: None if f.is_idle else _instant(f.watermark),
    ),
    (
        "pulse_state_log_append_timestamp_seconds",
        "When the newest commit the board has read was appended.",
        lambda f: _instant(f.committed_at),
    ),
    ("pulse_state_log_position", "Next state-log offset the board reads.", lambda f: _offset(f.position)),
    (
        "pulse_source_next_offset",
        "Next offset of the source partition: every event below it is in the numbers.",
        lambda f: _offset(f.next_offset),
    ),
    (
        "pulse_board_caught_up",
        "1 when the board has read the partition's log to its end.",
        lambda f: int(f.is_caught_up),
    ),
    (
        "pulse_board_refused",
        "1 when the board cannot read the partition's log; /readyz says why.",
        lambda f: int(bool(f.refused)),
    ),
)

FAMILIES: Final[dict[str, Build]] = {
    **{export.name: partial(_windowed, export) for export in WINDOWED},
    **{export.name: partial(_level, export) for export in LEVELS},
    **{export.name: partial(_success, export) for export in SUCCESS},
    **{export.name: partial(_people, export) for export in PEOPLE},
    "support_quarantined": _quarantined,
    "pulse_events_late_today": partial(
        _late, "pulse_events_late_today", "Events that came behind the horizon, dated today.", "events"
    ),
    "pulse_contributions_late_today": partial(
        _late,
        "pulse_contributions_late_today",
        "Events, dated today, of which a part came too late for its bucket.",
        "contributions",
    ),
    **{name: partial(_by_source, name, text, read) for name, text, read in BY_SOURCE},
    HEARTBEAT_VISIBLE: _heartbeats,
    "pulse_definitions_info": _definitions,
    "pulse_snapshot_timestamp_seconds": _made_at,
}


class SnapshotCollector(Collector):
    """Answers from the snapshot it is shown; a family that fails is left out and counted."""

    def __init__(self, snapshot: Callable[[], Snapshot], families: Mapping[str, Build] = FAMILIES) -> None:
        self._snapshot = snapshot
        self._families = families
        self._errors = 0
        self._failing: set[str] = set()

    def describe(self) -> Iterable[Metric]:
        """The families by name, without a snapshot: registering must not collect."""
        return [*(Metric(name, "", "gauge") for name in self._families), *self._plumbing(0.0)]

    def collect(self) -> list[Metric]:
        """Every family; never raises, because one exception would cost the whole scrape."""
        snapshot = self._snapshot()
        began = time.perf_counter()
        built = [self._build(name, build, snapshot) for name, build in self._families.items()]
        found = [family for family in built if family is not None]
        return [*found, *self._plumbing(time.perf_counter() - began)]

    def _build(self, name: str, build: Build, snapshot: Snapshot) -> Metric | None:
        try:
            family = build(snapshot)
        except Exception:  # noqa: BLE001 - whatever it is, the other families must be seen
            self._errors += 1
            if name not in self._failing:
                _log.error("collector_family_failed", family=name, exc_info=True)
            self._failing.add(name)
            return None
        self._failing.discard(name)
        return family

    def _plumbing(self, seconds: float) -> list[Metric]:
        errors = "Families left out of /metrics because they could not be read."
        took = "How long reading the snapshot for /metrics took."
        return [
            CounterMetricFamily("pulse_collector_errors", errors, value=self._errors),
            GaugeMetricFamily("pulse_collector_duration_seconds", took, value=seconds),
        ]


class Exposition:
    """The text of /metrics: the board's part rendered when its snapshot changes, not when scraped.

    A format that nobody asks for is not rendered. The process's own registry is small and changes
    all the time, so it is added when asked.
    """

    _FORMATS_KEPT = 4
    _OPENMETRICS_END = b"# EOF\n"

    def __init__(self, snapshot: Callable[[], Snapshot], process: CollectorRegistry) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(SnapshotCollector(snapshot))
        self._process = process
        self._texts: dict[str, bytes] = {}
        self._accepts: dict[str, str] = {}

    def renew(self) -> None:
        """The snapshot has changed."""
        self._texts = {kind: self._render(accept) for kind, accept in self._accepts.items()}

    def answer(self, accept: str) -> tuple[bytes, str]:
        """Body and content type for an Accept header."""
        encode, kind = choose_encoder(accept)
        if kind not in self._texts:
            if len(self._accepts) >= self._FORMATS_KEPT:
                self._accepts.clear()
                self._texts.clear()
            self._accepts[kind] = accept
            self._texts[kind] = self._render(accept)
        return self._texts[kind] + encode(self._process), kind

    def _render(self, accept: str) -> bytes:
        encode, _ = choose_encoder(accept)
        return encode(self.registry).removesuffix(self._OPENMETRICS_END)
