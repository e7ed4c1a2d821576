"""Every metric says what it is; a wrong question is told how to ask."""

import pytest

from pipeline.metrics.buckets import LEVEL, LevelValue
from pipeline.metrics.calls import ThresholdError
from pipeline.metrics.catalogue import (
    METRICS,
    DefinitionError,
    definition_of,
    family_of,
    metric_of,
    read_level,
    read_window,
)
from pipeline.metrics.definitions import declare
from pipeline.metrics.families import FAMILIES
from tests.builders import ms

UNDECLARED = declare({})
metrics = pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
of_buckets = pytest.mark.parametrize(
    "metric",
    [metric for metric in METRICS.values() if metric.window or metric.level],
    ids=lambda metric: metric.name,
)


@metrics
def test_metric_is_complete(metric):
    assert METRICS[metric.name] is metric
    assert metric.unit in {"seconds", "ratio", "count", "points", "minor"}
    assert metric.help.endswith(".")
    assert (metric.window is None) != (metric.level is None) or metric.is_joint


@of_buckets
def test_metric_reads_families_of_its_kind(metric):
    assert metric.families
    for name in metric.families:
        assert (FAMILIES[name].grains == (LEVEL,)) == metric.is_level


# What must be said for a number to be asked for at all.
GIVEN = {"clv_given": {"months": 36}}
# Amounts that are a mean: of nobody there is none.
MEANS = {"clv_predictive", "clv_given", "churn_cost"}


@of_buckets
def test_every_variant_answers_about_nothing(metric):
    for variant in metric.variants:
        definition = definition_of(metric, {"name": variant, **GIVEN.get(metric.name, {})})
        if metric.is_level:
            number = read_level(metric, [], ms(0), UNDECLARED)
        else:
            number = read_window(metric, {}, definition, UNDECLARED)
        # Empty is not zero: counts and amounts are 0, everything else is absent.
        is_sum = metric.unit in {"count", "minor"} and metric.name not in MEANS
        assert number.value == (0 if is_sum else None)


@metrics
def test_asking_the_wrong_way_round_is_told(metric):
    ask, empty = (read_window, {}) if metric.is_level else (read_level, 0)
    with pytest.raises(DefinitionError, match=metric.name):
        ask(metric, {}, empty, UNDECLARED)


def test_unknown_metric_is_told_the_known_ones():
    with pytest.raises(DefinitionError, match=r"asa.*abandon_rate.*asa_queue"):
        metric_of("asa")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("weekly", "no definition 'weekly'; known are enqueued, created"),
        ({"name": "weekly"}, "no definition 'weekly'"),
        ({"clock": "weekly"}, "no definition 'weekly'"),
        ({"clock": "created", "name": "enqueued"}, "clock 'created' is not name 'enqueued'"),
        (["created"], "neither a definition's name nor its parameters"),
        ({"X": 20}, "no parameter 'X'; known are by"),
        ({"by": "leav"}, 'known are "leave" and "enqueue"'),
    ],
)
def test_unknown_definition_is_told_the_known_ones(asked, told):
    with pytest.raises(DefinitionError, match=told):
        definition_of(METRICS["asa_queue"], asked)


def test_default_definition_is_the_first_variant():
    assert definition_of(METRICS["asa_queue"], None) == {"name": "enqueued"}


def test_the_label_of_prometheus_names_a_definition_too():
    asked = {"clock": "created", "by": "enqueue"}
    assert definition_of(METRICS["asa_queue"], asked) == {"name": "created", "by": "enqueue"}


@pytest.mark.parametrize("name", ["offered", "abandon_rate", "service_level"])
def test_what_is_always_of_the_cohort_is_never_by_leave(name):
    metric = METRICS[name]
    assert family_of(metric, definition_of(metric, {"by": "enqueue"})) == "cohort"
    with pytest.raises(DefinitionError, match=f"{name}: it is always by enqueue"):
        definition_of(metric, {"by": "leave"})


def test_definition_by_enqueue_reads_the_cohort():
    metric = METRICS["answered"]
    assert [family_of(metric, definition_of(metric, asked)) for asked in (None, {"by": "enqueue"})] == [
        "leave",
        "cohort",
    ]


def test_threshold_that_is_no_bound_is_told_how_to_declare_it():
    definition = {"name": "default", "S": 7}
    with pytest.raises(ThresholdError, match="thresholds"):
        read_window(METRICS["abandon_rate"], {}, definition, UNDECLARED)
    read_window(METRICS["abandon_rate"], {}, definition, declare({"thresholds": [7]}))


def level(*ats, scheduled=()):
    """As the state log says it: floors, the oldest 16, the scheduled ones."""
    instants = sorted([*ats, *scheduled])
    counts = {}
    for at in instants:
        counts[at - at % 10_000] = counts.get(at - at % 10_000, 0) + 1
    return LevelValue(counts, instants[:16], sorted(scheduled))


def read(name, now, *levels):
    return read_level(METRICS[name], levels, now, UNDECLARED).value


def test_leg_is_in_queue_from_its_instant_on():
    #   ───┼───^enqueued 12.5 s─────
    there = level(ms(12.5))
    assert [read("in_queue", ms(at), there) for at in (12.499, 12.5, 12.501)] == [0, 1, 1]
    assert [read("scheduled", ms(at), there) for at in (12.499, 12.5)] == [1, 0]


def test_oldest_waiting_is_its_age_in_seconds_over_all_series():
    assert read("oldest_waiting", ms(30), level(ms(12.5), ms(20)), level(ms(7.25))) == 22.75


def test_leg_is_stuck_after_more_than_four_hours():
    there, four = level(ms(0), ms(10)), 4 * 3600
    assert [read("stuck", ms(at), there) for at in (four, four + 0.001, four + 10.001)] == [0, 1, 2]
    assert [read("in_queue", ms(at), there) for at in (four, four + 0.001, four + 10.001)] == [2, 1, 0]
    assert [read("oldest_waiting", ms(at), there) for at in (four, four + 0.001)] == [four, four - 9.999]
    assert read("oldest_waiting", ms(four + 11), there) is None


def test_long_queue_counts_those_of_the_running_ten_seconds_exactly_when_they_are_scheduled():
    #   20 legs waiting since 0 … 9.5 s, three callbacks at 22, 25 and 31 s; now = 24 s
    there = level(*(ms(at / 2) for at in range(20)), scheduled=(ms(22), ms(25), ms(31)))
    assert read("in_queue", ms(24), there) == 21
    assert read("scheduled", ms(24), there) == 2


def test_long_queue_knows_its_oldest_exactly():
    there = level(*(ms(0.123 + at) for at in range(30)))
    assert read("oldest_waiting", ms(40), there) == pytest.approx(39.877)


def test_long_queue_of_stuck_legs_still_shows_the_oldest_that_waits():
    four = 4 * 3600
    there = level(*(ms(at) for at in range(16)), ms(100))
    assert read("oldest_waiting", ms(four + 50), there) == four - 50
    assert (read("stuck", ms(four + 50), there), read("in_queue", ms(four + 50), there)) == (16, 1)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("lenient", "no definition 'lenient'; known are strict, all, answered, forgiving, amazon, genesys"),
        ({"Y": 20}, "no parameter 'Y'; known are X, S, mature, flowouts, drop_short, drop_abandoned, by"),
        ({"X": "20"}, "X: '20'; a threshold is a number of seconds"),
        ({"S": -1}, "S: -1; a threshold is a number of seconds, at least 0"),
        ({"X": True}, "X: True; a threshold"),
        ({"X": float("inf")}, "X: inf; a threshold"),
        ({"mature": "no"}, "mature: 'no'; a switch is true or false"),
        ({"flowouts": True}, "flowouts is a switch of the definition genesys"),
        ({"name": "all", "drop_short": True}, "drop_short is a switch of the definition genesys"),
    ],
)
def test_service_level_asked_wrongly_is_told_what_is_wrong(asked, told):
    with pytest.raises(DefinitionError, match=told):
        definition_of(METRICS["service_level"], asked)


@pytest.mark.parametrize(
    "asked", [None, {}, {"X": 20}, {"S": 5, "X": 20}, {"mature": False}, {"flowouts": False}]
)
def test_service_level_by_parameters_alone_is_strict(asked):
    assert definition_of(METRICS["service_level"], asked)["name"] == "strict"


def test_percentile_of_an_undeclared_vector_is_absent_not_zero():
    assert read_window(METRICS["asa_p50"], {}, {"name": "default"}, UNDECLARED) == (None, 0, None, None)


@pytest.mark.parametrize(("since", "count"), [(0, 0), (5, 5), (15, 15), (18, 16), (19.999, 16), (20, 20)])
def test_long_queue_counts_the_stuck_exactly_among_the_oldest_and_by_ten_seconds_beyond(since, count):
    #   20 legs at 0, 1 … 19 s; the sixteen oldest are known exactly, the others by [0, 10) and [10, 20)
    there = level(*(ms(at) for at in range(20)))
    assert read("stuck", ms(4 * 3600 + since), there) == count
