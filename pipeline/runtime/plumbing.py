"""The worker's own metrics, updated per batch and per commit. Names: observability.md §7."""

from collections.abc import Iterable

from pipeline.core import CORE
from pipeline.events.rejects import Reason
from pipeline.runtime.poison import Poison
from pipeline.state.partition import Applied
from pipeline.telemetry import Telemetry

OUTCOMES = ("applied", "duplicate", "late", "ignored", "rejected")


class Plumbing:
    """Counters and gauges of one aggregate worker, every known label set born at 0."""

    def __init__(self, telemetry: Telemetry, streams: Iterable[str]) -> None:
        t = telemetry
        self.consumed = t.counter("events_consumed", "Source records taken in.", ("stream",))
        self.processed = t.counter(
            "events_processed", "What became of source records.", ("stream", "outcome")
        )
        self.rejected = t.counter(
            "events_rejected", "Source records that are no events.", ("stream", "reason")
        )
        self.arrival = t.counter("events_timed_by_arrival", "Events whose source gives no time.", ("stream",))
        self.holes = t.counter("source_holes_accepted", "Offsets that are not there.", ())
        self.open = t.gauge("partition_open", "1 from the end of opening to closing.", ("topic", "partition"))
        self.refused = t.gauge(
            "partition_refused", "1 while a partition must stay closed.", ("topic", "partition")
        )
        self.poisoned = t.gauge(
            "partition_poisoned", "1 while too many events are rejected.", ("topic", "partition")
        )
        self.lag = t.gauge("worker_lag_messages", "Records not yet taken in.", ("topic", "partition"))
        self.watermark = t.gauge(
            "worker_watermark_timestamp_seconds",
            "Highest event time applied.",
            ("topic", "partition"),
        )
        self.entities = t.gauge("state_entities", "Entities in memory.", ("topic", "partition"))
        self.buckets = t.gauge("state_buckets", "Buckets in memory.", ("topic", "partition"))
        self.commits = t.counter("transactions", "Commits by outcome.", ("outcome",))
        self.commit_seconds = t.histogram(
            "transaction_seconds",
            "Duration of a commit.",
            (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0),
        )
        self.committed_at = t.gauge("commit_last_success_timestamp_seconds", "When a commit last succeeded.")
        self.open_seconds = t.histogram(
            "open_seconds", "Duration of opening.", (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
        )
        self.rebalances = t.counter("rebalances", "Times partitions were taken away.")
        self.trimmed = t.gauge(
            "state_log_begin_offset", "First record kept in the log.", ("topic", "partition")
        )
        self.held_back = t.gauge(
            "state_log_held_back_records",
            "Records of the log that are kept only because the sink has not read them.",
            ("topic", "partition"),
        )
        self.core = t.gauge("core_info", "1; `kind`: compiled or interpreted.", ("kind",))
        self.core.labels(CORE.kind).set(1)
        for outcome in ("committed", "failed"):
            self.commits.labels(outcome)
        for stream in streams:
            self.consumed.labels(stream)
            self.arrival.labels(stream)
            for outcome in OUTCOMES:
                self.processed.labels(stream, outcome)
            for reason in Reason:
                self.rejected.labels(stream, str(reason))

    def saw(self, stream: str, applied: Applied) -> None:
        """Count one batch: consumed = applied + duplicate + late + ignored + rejected."""
        rejected = len(applied.dead_letters)
        self.consumed.labels(stream).inc(applied.consumed)
        counts = (
            applied.consumed - applied.duplicate - applied.late - applied.ignored - rejected,
            applied.duplicate,
            applied.late,
            applied.ignored,
            rejected,
        )
        for outcome, count in zip(OUTCOMES, counts, strict=True):
            if count:
                self.processed.labels(stream, outcome).inc(count)
        for letter in applied.dead_letters:
            self.rejected.labels(stream, str(letter.rejected.reason)).inc()
        if applied.arrival:
            self.arrival.labels(stream).inc(applied.arrival)

    def forget(self, topic: str, partition: int) -> None:
        """Take back what is said of a partition: nothing may outlive its ownership."""
        for gauge in (self.poisoned, self.lag, self.watermark, self.entities, self.buckets):
            gauge.remove(topic, str(partition))
        for gauge in (self.trimmed, self.held_back):
            gauge.remove(f"{topic}.state", str(partition))

    def poison(self, topic: str, partition: int, poison: Poison) -> None:
        """Show the verdict on a partition."""
        self.poisoned.labels(topic, str(partition)).set(1 if poison.reason else 0)
