"""The series Prometheus gets, read back from a fresh registry."""

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from pipeline.board.collector import FAMILIES, Exposition, SnapshotCollector
from pipeline.board.exports import LEVELS, WINDOWED
from pipeline.board.fold import Fold
from pipeline.board.places import TALLIES
from pipeline.board.showing import snapshot_of
from pipeline.metrics.buckets import DAY
from pipeline.metrics.catalogue import METRICS
from tests.board.log import Worker, record, source, tell
from tests.builders import UNDECLARED, event, ms

PLACE = {"tenant": "t", "queue": "q", "channel": "voice"}
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def snapshot(events=(), at=60):
    fold = Fold(UNDECLARED, ms(at))
    tell(fold, Worker(), events, ms(at))
    return snapshot_of(fold, UNDECLARED, ms(at))


EVENTS = [
    event("initiated", 5, contact="a"), event("queued", 10, contact="a"), event("answered", 40, contact="a", answered_by="human"),
    event("queued", 20, contact="b"), event("answered", 30, contact="b", answered_by="human"),
    event("queued", 20, contact="c"), event("abandoned", 32, contact="c"),
    event("queued", 31.5, contact="d"),
    event("queued", 33, contact="e"),
]  # fmt: skip


@pytest.fixture
def registry():
    found = CollectorRegistry()
    shown = snapshot(EVENTS)
    found.register(SnapshotCollector(lambda: shown))
    return found


def value(registry, name, window="1m", **labels):
    return registry.get_sample_value(name, PLACE | ({"window": window} if window else {}) | labels)


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        ("support_asa_seconds", {"clock": "enqueued"}, 20.0),
        ("support_asa_seconds", {"clock": "created"}, 20.0),
        ("support_answered", {}, 2),
        ("support_answered_wait_seconds", {"clock": "enqueued"}, 40.0),
        ("support_wait_seconds", {}, 52 / 3),
        ("support_left", {}, 3),
        ("support_left_wait_seconds", {}, 52.0),
        ("support_wait_abandoned_seconds", {}, 12.0),
        ("support_abandoned", {}, 1),
        ("support_abandoned_wait_seconds", {}, 12.0),
        ("support_offered", {}, 5),
        ("support_offered_abandoned", {}, 1),
        ("support_abandon_ratio", {}, 0.2),
        ("support_callbacks_requested", {}, 0),
        # At 60 the cohorts up to 40 count: b in time, a and d not, c and e neither; X = 20, S = 5.
        ("support_service_level_ratio", {"definition": "strict"}, 0.2),
        ("support_service_level_ratio", {"definition": "answered"}, 0.5),
        ("support_service_level_ratio", {"definition": "amazon"}, 0.4),
        ("support_service_level_met", {"definition": "amazon"}, 2),
        ("support_service_level_base", {"definition": "forgiving"}, 4),
        ("support_service_level_base", {"definition": "genesys"}, 3),
        ("support_asa_customer_seconds", {"path": "direct"}, 20.0),
        ("support_customers_answered", {"path": "direct"}, 2),
        ("support_customers_wait_seconds", {"path": "direct"}, 40.0),
        ("support_asa_p50_seconds", {}, 10.0),
        ("support_asa_p50_seconds_low", {}, 8.0),
        ("support_asa_p50_seconds_high", {}, 10.0),
        ("support_callback_contacts", {}, 0),
        ("support_handled", {}, 0),
    ],
)
def test_windowed_series(registry, name, labels, expected):
    assert value(registry, name, **labels) == pytest.approx(expected)


def test_the_interval_stands_beside_the_ratio(registry):
    # Wilson 1927 for 1 of 5 at 95 %: 0.0362 to 0.6245.
    assert value(registry, "support_abandon_ratio_low") == pytest.approx(0.0362, abs=5e-5)
    assert value(registry, "support_abandon_ratio_high") == pytest.approx(0.6245, abs=5e-5)


def test_the_oldest_waiting_is_an_instant_not_an_age(registry):
    name = "support_oldest_waiting_enqueued_timestamp_seconds"
    assert value(registry, name, None) == ms(31.5) / 1000
    assert value(registry, "support_in_queue", None) == 2


def test_empty_windows_have_no_mean_and_counts_of_zero():
    registry = CollectorRegistry()
    shown = snapshot(EVENTS[:3], at=1200)
    registry.register(SnapshotCollector(lambda: shown))
    assert value(registry, "support_asa_seconds", clock="enqueued") is None
    assert value(registry, "support_abandon_ratio") is None
    assert value(registry, "support_abandon_ratio_high") is None
    assert value(registry, "support_answered") == 0
    assert value(registry, "support_answered_wait_seconds", clock="enqueued") == 0
    assert value(registry, "support_asa_seconds", "today", clock="enqueued") == 30.0


def test_where_each_partition_stands(registry):
    labels = {"stream": "call", "partition": "0"}
    get = registry.get_sample_value
    assert get("pulse_watermark_timestamp_seconds", labels) == ms(40) / 1000
    assert get("pulse_state_log_append_timestamp_seconds", labels) == ms(60) / 1000
    assert get("pulse_source_next_offset", labels) == len(EVENTS)
    assert get("pulse_board_caught_up", labels) == 1
    assert get("pulse_board_refused", labels) == 0
    assert get("pulse_events_late_today", {"tenant": "t", "stream": "call"}) == 0


def test_the_newest_heartbeat_is_told_under_the_source_topic():
    fold = Fold(UNDECLARED, ms(0))
    beaten = [((DAY, "heartbeat", "pulse.heartbeat", (), 0), {0: ms(-3)})]
    fold.take(source(7), record(0, beaten))
    registry = CollectorRegistry()
    shown = snapshot_of(fold, UNDECLARED, ms(0))
    registry.register(SnapshotCollector(lambda: shown))
    labels = {"topic": "pulse.call", "partition": "7"}
    assert registry.get_sample_value("pulse_heartbeat_visible_timestamp_seconds", labels) == ms(-3) / 1000


def test_a_partition_without_commits_has_no_instants():
    fold = Fold(UNDECLARED, ms(0))
    fold.expect(source())
    registry = CollectorRegistry()
    shown = snapshot_of(fold, UNDECLARED, ms(0))
    registry.register(SnapshotCollector(lambda: shown))
    labels = {"stream": "call", "partition": "0"}
    assert registry.get_sample_value("pulse_watermark_timestamp_seconds", labels) is None
    assert registry.get_sample_value("pulse_source_next_offset", labels) is None
    assert registry.get_sample_value("pulse_board_caught_up", labels) == 0
    place = {"topic": "pulse.call", "partition": "0"}
    assert registry.get_sample_value("pulse_heartbeat_visible_timestamp_seconds", place) is None


def test_quarantine_is_told_by_reason():
    registry = CollectorRegistry()
    shown = snapshot(
        [event("queued", 50, contact="x"), event("answered", 40, contact="x", answered_by="human")]
    )
    registry.register(SnapshotCollector(lambda: shown))
    (reason,) = {reason for _, reason in shown.quarantine}
    assert registry.get_sample_value("support_quarantined", {"tenant": "t", "reason": reason}) == 1


def test_late_events_are_counted_by_the_day_they_are_dated():
    """At 12:00 the contact of 09:00 is behind its horizon of an hour; its day is today."""
    registry = CollectorRegistry()
    at = 3 * 3600
    shown = snapshot([event("queued", at, contact="now"), event("queued", 0, contact="late")], at=at)
    registry.register(SnapshotCollector(lambda: shown))
    assert registry.get_sample_value("pulse_events_late_today", {"tenant": "t", "stream": "call"}) == 1


def test_what_leaves_the_snapshot_is_gone():
    shown = [snapshot(EVENTS), snapshot()]
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(lambda: shown[0]))
    assert value(registry, "support_answered") == 2
    del shown[0]
    assert value(registry, "support_answered") is None


def test_a_family_that_fails_is_left_out_and_counted():
    def broken(_):
        raise ArithmeticError

    registry = CollectorRegistry()
    shown = snapshot(EVENTS)
    registry.register(
        SnapshotCollector(
            lambda: shown, {"support_broken": broken, "support_offered": FAMILIES["support_offered"]}
        )
    )
    assert value(registry, "support_offered") == 5
    assert registry.get_sample_value("pulse_collector_errors_total") == 2


def test_registering_does_not_collect_and_duplicates_are_seen():
    def untouched():
        raise AssertionError

    registry = CollectorRegistry()
    registry.register(SnapshotCollector(untouched))
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(SnapshotCollector(untouched))


def test_every_family_described_is_named_as_it_is_built():
    shown = snapshot(EVENTS)
    for name, build in FAMILIES.items():
        assert build(shown).name == name


# Step families have series of their own (test_success.py, test_people_series.py, test_usage_series.py).
BY_STEPS = {metric.name for metric in METRICS.values() if not set(metric.families) & set(TALLIES)}


def test_every_metric_of_sums_and_levels_is_exported():
    exported = {export.metric for export in (*WINDOWED, *LEVELS)} | {"quarantined"}
    levels = {metric.name for metric in METRICS.values() if metric.is_level}
    # One family of series tells of every kind of invitation.
    assert set(METRICS) - BY_STEPS | levels == exported | {"referrals"}


def test_a_format_is_rendered_when_the_snapshot_changes_and_not_when_scraped():
    calls = []
    shown = snapshot(EVENTS)
    exposition = Exposition(lambda: calls.append(1) or shown, CollectorRegistry())
    first, kind = exposition.answer("text/plain")
    assert exposition.answer("text/plain") == (first, kind)
    assert len(calls) == 1
    exposition.renew()
    assert len(calls) == 2


@pytest.mark.parametrize("accept", ["", "text/plain;version=0.0.4", OPENMETRICS])
def test_board_and_process_are_one_text_in_the_format_asked_for(accept):
    from prometheus_client import Counter

    process = CollectorRegistry()
    Counter("pulse_things", "Things.", registry=process).inc()
    shown = snapshot(EVENTS)
    body, kind = Exposition(lambda: shown, process).answer(accept)
    text = body.decode()
    assert "support_answered{" in text
    assert "pulse_things_total 1.0" in text
    assert (text.count("# EOF"), text.endswith("# EOF\n")) == (
        (1, True) if accept == OPENMETRICS else (0, False)
    )
    assert kind.startswith("application/openmetrics-text" if accept == OPENMETRICS else "text/plain")
    assert any(family.name == "support_asa_seconds" for family in text_string_to_metric_families(text))


def test_strange_formats_do_not_pile_up():
    shown = snapshot(EVENTS)
    exposition = Exposition(lambda: shown, CollectorRegistry())
    for minor in range(20):
        exposition.answer(f"application/openmetrics-text; version=1.{minor}.0")
    assert len(exposition._texts) <= 4
