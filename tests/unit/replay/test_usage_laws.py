"""Adoption on random streams: replay = a slow oracle; the laws of facts."""

import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.metrics import adoption
from pipeline.metrics.buckets import DAY, merge
from pipeline.metrics.catalogue import METRICS, DefinitionError
from pipeline.metrics.definitions import DefinitionsError, declare
from pipeline.metrics.families import ADOPTION
from pipeline.metrics.numbers import mean_seconds
from pipeline.metrics.windows import Window, day_number
from pipeline.replay.answer import answer
from pipeline.replay.cases import event_lines, replay
from pipeline.replay.joint import JOINT
from pipeline.replay.question import Question
from tests import usage_oracle as oracle
from tests.subscription_stories import TENANTS, midnight, ms
from tests.usage_stories import ALL_ZONES, OFFSETS, stories

DECLARED = declare({"tenants": TENANTS})
units = st.sampled_from(["account", "user"])
rules = st.fixed_dictionaries(
    {
        "core": st.sampled_from([None, ["board"], ["board", "chart"], ["nothing"]]),
        "k": st.sampled_from([1, 1, 2, 3]),
        "d": st.sampled_from([1, 1, 2, 3]),
        "w": st.sampled_from([1, 2, 7, 28]),
    }
)
tenants = st.sampled_from([None, "t", "t", "u", "w"])


def dims_of(tenant):
    return {} if tenant is None else {"tenant": tenant}


def close(number):
    return number if number is None else pytest.approx(number)


@settings(max_examples=400, deadline=None)
@given(stories(), units, tenants, rules, st.sampled_from([1, 2, 14, 90]), st.integers(-1, 2), st.data())
def test_every_metric_of_an_instant_equals_the_oracle(story, unit, tenant, rule, a, later, data):
    said = story.events
    start = midnight(story.days[0] + timedelta(days=later), data.draw(st.sampled_from("tu")))
    at = start + timedelta(milliseconds=data.draw(st.sampled_from(OFFSETS)))
    population = replay(event_lines(said), DECLARED).population
    book = oracle.Book(said, at, ALL_ZONES, unit, tenant)
    right = {
        "adoption": book.adoption(**rule),
        "active_1d": (book.active(1), None),
        "active_7d": (book.active(7), None),
        "active_28d": (book.active(28), None),
        "stickiness": book.stickiness(),
        **{f"time_to_value_p{percent}": book.percentile(percent) for percent in (50, 75, 90)},
        "time_to_value_mean": book.mean(),
        "time_to_value_censored": book.censored(),
        "activation": book.activation(a),
    }
    asked = {"adoption": {"unit": unit, **rule}, "activation": {"unit": unit, "a": a}}
    for metric, (value, n) in right.items():
        definition = asked.get(metric, {"unit": unit})
        number = answer(population, Question(metric, definition, dims_of(tenant), None, ms(at)), DECLARED)
        assert (number.value, number.n) == (close(value), n), metric


@settings(max_examples=100, deadline=None)
@given(stories(), st.sampled_from("tu"), st.integers(0, 91))
def test_counts_of_windows_equal_the_oracle(story, tenant, length):
    end = midnight(story.days[0] + timedelta(days=1), tenant)
    start = midnight(story.days[0] - timedelta(days=length), tenant)
    population = replay(event_lines(story.events), DECLARED).population
    span = Window(ms(start), ms(end))

    def told(metric, **dims):
        return answer(population, Question(metric, None, {"tenant": tenant, **dims}, span), DECLARED)

    right = [oracle.invitations(story.events, kind, start, end, tenant) for kind in ("user", "referral")]
    assert [told("invites").value, told("referrals").value] == right
    for feature in (None, "board"):
        number = told("usage_quantity", **({"feature": feature} if feature else {}))
        assert (number.value, number.n) == oracle.quantity(story.events, feature, start, end, tenant)


declared_rules = st.builds(
    lambda rule, unit, a: rule | {"unit": unit, "a": a},
    rules,
    units,
    st.sampled_from([1, 2, 14, 90]),
)


LATER = (*range(-3, 4), 6, 7, 8, 13, 14, 15, 27, 28, 62, 76, 77, 88, 89, 90, 91)


@settings(max_examples=150, deadline=None)
@given(stories(), st.sampled_from("ttu"), declared_rules)
def test_prefix_sums_of_day_buckets_answer_as_the_facts_do_at_the_end_of_the_day(story, tenant, rule):
    declared = declare({"tenants": TENANTS, "adoption": rule})
    replayed = replay(event_lines(story.events), declared)
    for later in LATER:
        day = story.days[0] + timedelta(days=later)
        at = ms(midnight(day + timedelta(days=1), tenant)) - 1
        held = held_on(replayed, tenant, day)

        def told(metric, at=at):
            return answer(replayed.population, Question(metric, None, {"tenant": tenant}, None, at), declared)

        assert told("adoption") == adoption.adoption(held["adopted"], held["eligible"])
        for metric in ("active_1d", "active_7d", "active_28d"):
            assert told(metric).value == held[metric], metric
        assert told("stickiness") == adoption.stickiness(held["active_days"], held["active_28d"])
        assert told("time_to_value_censored") == adoption.time_to_value_censored(
            held["reached"], held["cohort"]
        )
        assert told("time_to_value_mean") == mean_seconds(held["reached_ms"], held["reached"])
        assert told("activation") == adoption.activation(held["activated"], held["judged"])


def held_on(replayed, tenant, day):
    """The counters of ADOPTION summed over the day buckets up to a day."""
    cells = {}
    if "usage" in replayed.partitions:
        for key, amounts in replayed.partitions["usage"].ledger.buckets.items():
            if key[:3] == (DAY, ADOPTION.name, tenant) and key[4] <= day_number(day):
                merge(cells, amounts)
    return {name: cells.get(ADOPTION.cell(name), 0) for name in ADOPTION.counters}


def state_of(said):
    """Entities that say something, and buckets that hold something."""
    found = replay(event_lines(said), DECLARED).partitions.get("usage")
    if found is None:
        return {}, {}
    entities = {key: entity.facts for key, entity in found.entities.by_key.items() if entity.facts}
    return entities, {key: cells for key, cells in found.ledger.buckets.items() if cells}


@settings(max_examples=100, deadline=None)
@given(stories(), st.integers(0, 10**6))
def test_any_order_and_repetition_gives_the_same_entities_and_buckets(story, seed):
    said = story.events
    drawn = random.Random(seed)
    other = [*said, *drawn.sample(said, len(said) // 2)]
    drawn.shuffle(other)
    assert state_of(other) == state_of(said)


@settings(max_examples=100, deadline=None)
@given(stories(), st.integers(0, 24))
def test_voided_event_leaves_what_would_be_there_had_it_never_been_sent(story, place):
    said = story.events
    victim = said[place % len(said)]
    if victim.get("corrects") or victim["type"].endswith(("voided", "deleted")):
        return
    void = {**victim, "type": "pulse.usage.voided", "id": "void", "corrects": victim["id"], "data": {}}
    named = (victim["source"], victim["id"], victim["accountid"], victim["tenantid"])
    assert state_of([*said, void]) == state_of(
        [e for e in said if (e["source"], e["id"], e["accountid"], e["tenantid"]) != named]
    )


@settings(max_examples=50, deadline=None)
@given(stories())
def test_erased_accounts_leave_nothing(story):
    said = story.events
    gone = [
        {**event, "type": "pulse.usage.deleted", "id": f"gone-{index}", "data": {}}
        for index, event in enumerate(said)
    ]
    for event in gone:
        event.pop("corrects", None)
    assert state_of([*said, *gone]) == ({}, {})


AT = [name for name, metric in METRICS.items() if metric.joint_stream == "usage" and metric.parameters]
OVER = ["invites", "referrals", "usage_quantity"]


def test_every_metric_of_usage_is_answered():
    assert {*AT, *OVER} == {name for name in JOINT if METRICS[name].joint_stream == "usage"}


@pytest.mark.parametrize("metric", AT)
@pytest.mark.parametrize(
    "how", [{"span": Window(0, 86_400_000)}, {"at": 5, "window": "7d"}, {"at": 5, "dims": {"queue": "q"}}]
)
def test_metric_of_an_instant_is_refused_for_a_window_or_an_unknown_dimension(metric, how):
    with pytest.raises(DefinitionError, match=metric):
        answer({}, Question(metric, **how), DECLARED)


@pytest.mark.parametrize("metric", OVER)
def test_count_of_a_window_is_refused_off_local_midnights_and_without_a_window(metric):
    for how in ({"span": Window(0, 3_600_000)}, {"at": 5}, {"at": 5, "window": "5m"}):
        with pytest.raises(DefinitionError, match=metric):
            answer({}, Question(metric, **how), DECLARED)


WRONG = [
    ({"unit": "team"}, "known are account, user"),
    ({"core": []}, "no list of features"),
    ({"core": "board"}, "no list of features"),
    ({"core": ["board", 3]}, "no list of features"),
    ({"k": 0}, "whole number"),
    ({"d": 1.5}, "whole number"),
    ({"w": "28"}, "whole number"),
    ({"w": 4000}, "from 1 to 3650"),
    ({"k": True}, "whole number"),
    ({"days": 3}, "no parameter|unknown"),
]


@pytest.mark.parametrize(("table", "told"), WRONG)
def test_wrong_parameter_is_refused_asked_for_or_declared(table, told):
    with pytest.raises(DefinitionError, match=told):
        answer({}, Question("adoption", table, {}, None, 5), DECLARED)
    with pytest.raises(DefinitionsError, match=told):
        declare({"adoption": table})


def test_days_to_activation_lie_within_the_cohort():
    with pytest.raises(DefinitionError, match="from 1 to 90"):
        answer({}, Question("activation", {"a": 91}, {}, None, 5), DECLARED)


def test_declared_table_must_be_one():
    with pytest.raises(DefinitionsError, match="must be a table"):
        declare({"adoption": 3})


def test_what_is_declared_holds_where_a_question_says_nothing():
    events = [
        {"type": "pulse.usage.signed_up", "time": "2026-02-01T00:00:00Z", "accountid": "x", "data": {"user_ref": "p"}},
        {
            "type": "pulse.usage.feature_used", "time": "2026-02-02T00:00:00Z", "accountid": "x",
            "data": {"user_ref": "p", "feature": "chart"},
        },
    ]  # fmt: skip
    population = replay(event_lines(events), DECLARED).population
    question = Question("adoption", None, {}, None, 1_770_100_000_000)
    assert answer(population, question, DECLARED)[:2] == (0, 1)
    table = {"unit": "user", "core": ["chart"], "d": 1, "w": 3}
    declared = declare({"adoption": table})
    assert answer(population, question, declared)[:2] == (1, 1)
    assert answer(population, question._replace(definition={"core": ["board"]}), declared)[:2] == (0, 1)
    assert answer(population, question._replace(definition={"core": None}), declared)[:2] == (1, 1)
