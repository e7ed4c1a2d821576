"""The sink's status as metrics. Names: observability.md §7."""

from pipeline.sink.status import SinkStatus, State
from pipeline.telemetry import Telemetry


class SinkGauges:
    """Gauges that repeat what the status says; counters of the status are gauges of its totals."""

    def __init__(self, telemetry: Telemetry) -> None:
        t = telemetry
        self._state = t.gauge("sink_state", "1 for the state the sink is in.", ("state",))
        self._last = t.gauge("sink_last_success_timestamp_seconds", "Last acknowledged write.")
        self._rows = t.gauge("sink_buffered_rows", "Rows not yet written.")
        self._oldest = t.gauge(
            "sink_buffered_since_timestamp_seconds", "When the oldest of them was read; 0 = none."
        )
        self._written = t.counter("sink_written_rows", "Rows acknowledged by ClickHouse.")
        self._refused = t.counter("sink_refused_rows", "Rows put into the sink's dead letters.")
        self._seconds = t.gauge("sink_batch_duration_seconds", "How long the last write took.")
        self._position = t.gauge(
            "sink_position_offset", "Everything below is in ClickHouse.", ("topic", "partition")
        )
        self._heartbeat = t.gauge(
            "heartbeat_queryable_timestamp_seconds",
            "When the newest heartbeat was sent that ClickHouse answers with.",
            ("topic", "partition"),
        )
        self._gaming = t.gauge(
            "gaming_flags",
            "Days of the last seven that look gamed; absent where nothing could be judged.",
            ("tenant", "queue", "kind"),
        )
        self._seen = SinkStatus()

    def show(self, status: SinkStatus) -> None:
        """Call about once a second."""
        for state in State:
            self._state.labels(str(state)).set(1 if status.state is state else 0)
        self._last.set(status.last_success or 0)
        self._rows.set(status.buffered_rows)
        self._oldest.set(status.buffered_since or 0)
        self._written.inc(status.written_rows - self._seen.written_rows)
        self._refused.inc(status.refused_rows - self._seen.refused_rows)
        self._seconds.set(status.batch_seconds)
        self._show_places(status)
        self._show_gaming(status)
        self._seen = status

    def _show_gaming(self, status: SinkStatus) -> None:
        """Anew: what is no longer judged must not go on being shown."""
        self._gaming.clear()
        for labels, flags in status.gaming.items():
            self._gaming.labels(*labels).set(flags)

    def _show_places(self, status: SinkStatus) -> None:
        """Of the places held now: what was taken away is another sink's to tell."""
        self._position.clear()
        self._heartbeat.clear()
        for (topic, partition), offset in status.positions.items():
            self._position.labels(topic, str(partition)).set(offset)
            source = topic.removesuffix(".state")
            sent_at = status.heartbeats.get((source.rpartition(".")[2], partition))
            if source != topic and sent_at is not None:
                self._heartbeat.labels(source, str(partition)).set(sent_at / 1000)
