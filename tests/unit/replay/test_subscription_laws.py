"""Revenue and staying on random streams: replay = a slow oracle = prefix sums of the day buckets."""

import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.entities.subscription_steps import STEP_WINDOWS
from pipeline.metrics import revenue
from pipeline.metrics.buckets import DAY, merge
from pipeline.metrics.catalogue import METRICS, DefinitionError, read_window
from pipeline.metrics.definitions import declare
from pipeline.metrics.windows import Window, day_number
from pipeline.replay.answer import answer
from pipeline.replay.cases import event_lines, replay
from pipeline.replay.question import Question
from tests import subscription_oracle as oracle
from tests.subscription_stories import TENANTS, ZONES, first_of, midnight, ms, stories, tenants

recognitions = st.sampled_from(["effective", "event", "scheduled"])
dims_asked = st.fixed_dictionaries(
    {"tenant": tenants},
    optional={"currency": st.sampled_from(["EUR", "EUR", "USD"]), "plan": st.sampled_from(["a", "b"])},
)


def outcome(ask):
    try:
        return ask()
    except oracle.MixedError:
        return "mixed"
    except DefinitionError as error:
        return "mixed" if "never added" in str(error) else str(error)


def close(number):
    return number if number is None or number == "mixed" else pytest.approx(number)


@settings(max_examples=250, deadline=None)
@given(stories(), dims_asked, st.integers(-1, 31), st.integers(0, 40), recognitions)
def test_windows_equal_the_oracle(story, dims, later, length, recognition):
    said, last = story.events, story.days[-1] + timedelta(days=later)
    first, tenant = last - timedelta(days=length), dims["tenant"]
    declared = declare({"tenants": TENANTS, "recognition": recognition})
    population = replay(event_lines(said), declared).population
    book = oracle.Book(said, dims, recognition, ZONES)
    span = Window(ms(midnight(first, tenant)), ms(midnight(last + timedelta(days=1), tenant)))
    for metric in oracle.WINDOWS:
        for variant in METRICS[metric].variants:
            question = Question(metric, variant, dims, span)
            told = outcome(lambda question=question: answer(population, question, declared).value)
            right = outcome(
                lambda metric=metric, variant=variant: oracle.window_number(
                    book, metric, first, last, variant
                )
            )
            assert told == close(right), (metric, variant)


@settings(max_examples=250, deadline=None)
@given(stories(), dims_asked, st.sampled_from([-1, 0, 1, 3_600_000]), recognitions, st.data())
def test_levels_equal_the_oracle(story, dims, shift, recognition, data):
    said = story.events
    declared = declare({"tenants": TENANTS, "recognition": recognition})
    population = replay(event_lines(said), declared).population
    book = oracle.Book(said, dims, recognition, ZONES)
    event = data.draw(st.sampled_from(said))
    at = oracle.instant(event["data"].get("cancels_at") or event["time"]) + timedelta(milliseconds=shift)
    for metric in oracle.LEVELS:
        if metric == "clv_realised" and "plan" in dims:
            continue
        question = Question(metric, {"months": 36} if metric == "clv_given" else None, dims, None, ms(at))
        told = outcome(lambda question=question: answer(population, question, declared).value)
        right = outcome(lambda metric=metric: oracle.level_number(book, metric, at))
        assert told == close(right), metric


def prefix(buckets, family, tenant, dims, day):
    """The sum of the day buckets up to a day."""
    total = {}
    for (grain, name, owner, place, start), cells in buckets.items():
        if (grain, name, owner, place) == (DAY, family, tenant, dims) and start <= day_number(day):
            merge(total, cells)
    return total


@settings(max_examples=150, deadline=None)
@given(stories(), tenants, st.sampled_from([-1, 0, 1, 28, 29, 30, 31, 61, 89, 90, 91]), recognitions)
def test_prefix_sums_of_day_buckets_answer_as_the_facts_do(story, tenant, later, recognition):
    said, day = story.events, story.days[-1]
    declared = declare({"tenants": TENANTS, "recognition": recognition})
    replayed = replay(event_lines(said), declared)
    buckets = replayed.partitions["subscription"].ledger.buckets
    day += timedelta(days=later)
    end = ms(midnight(day + timedelta(days=1), tenant))

    def told(metric, dims, span, variant=None):
        at = end - 1 if span is None else None
        return answer(
            replayed.population, Question(metric, variant, {"tenant": tenant, **dims}, span, at), declared
        )

    def held(metric, place, variant=None):
        cells = prefix(buckets, METRICS[metric].families[0], tenant, place, day)
        return read_window(METRICS[metric], cells, {"name": variant}, declared)

    for window in STEP_WINDOWS:
        span = Window(ms(midnight(first_of(day, window), tenant)), end)
        for variant in ("start", "start_plus_new"):
            assert held("churn", (window,), variant) == told("churn", {}, span, variant)
        assert held("seat_expansion", (window,)) == told("seat_expansion", {}, span)
        for currency in ("EUR", "USD"):
            for metric in (*oracle.FLOWS, "nrr", "grr", "gross_churn_mrr", "net_churn_mrr"):
                assert held(metric, (window, currency)) == told(metric, {"currency": currency}, span)
    for metric in ("active_accounts", "seats"):
        assert held(metric, ("",)) == told(metric, {}, None)
    for currency in ("EUR", "USD"):
        assert held("mrr", (currency,)) == told("mrr", {"currency": currency}, None)
    window = Window(ms(midnight(first_of(day, "month"), tenant)), end)
    month = [day.replace(day=number) for number in range(1, day.day + 1)]
    each = [prefix(buckets, "staying", tenant, ("1d",), one) for one in month]
    parts = ((revenue.stay(cells, "lost"), revenue.stay(cells, "base")) for cells in each)
    assert revenue.churn_daily_sum(parts) == told("churn", {}, window, "daily_sum")


def state_of(said, recognition="scheduled"):
    partition = replay(
        event_lines(said), declare({"tenants": TENANTS, "recognition": recognition})
    ).partitions
    if "subscription" not in partition:
        return {}
    return {key: cells for key, cells in partition["subscription"].ledger.buckets.items() if cells}


def entities_of(said):
    replayed = replay(event_lines(said), declare({}))
    return {key: value for key, value in replayed.population.get("subscription", {}).items() if value.facts}


@settings(max_examples=100, deadline=None)
@given(stories(), st.integers(0, 10**6))
def test_any_order_and_repetition_gives_the_same_buckets(story, seed):
    said = story.events
    drawn = random.Random(seed)
    other = [*said, *drawn.sample(said, len(said) // 2)]
    drawn.shuffle(other)
    assert state_of(other) == state_of(said)
    assert entities_of(other) == entities_of(said)


@settings(max_examples=100, deadline=None)
@given(stories(), st.integers(0, 13))
def test_voided_event_leaves_what_would_be_there_had_it_never_been_sent(story, place):
    said = story.events
    victim = said[place % len(said)]
    if victim.get("corrects") or victim["type"].endswith(("voided", "deleted")):
        return
    void = {**victim, "type": "pulse.subscription.voided", "id": "void", "corrects": victim["id"], "data": {}}
    assert state_of([*said, void]) == state_of([e for e in said if e is not victim])


@settings(max_examples=50, deadline=None)
@given(stories())
def test_erased_accounts_leave_nothing_in_any_bucket(story):
    said = story.events
    gone = [
        {**event, "type": "pulse.subscription.deleted", "id": f"gone-{index}", "data": {}}
        for index, event in enumerate(said)
    ]
    for event in gone:
        event.pop("corrects", None)
    assert state_of([*said, *gone]) == {}


@settings(max_examples=100, deadline=None)
@given(stories(), tenants, st.integers(0, 31), st.integers(0, 40))
def test_mrr_at_the_end_is_the_start_and_what_became_of_it(story, tenant, later, length):
    said, last = story.events, story.days[-1] + timedelta(days=later)
    declared = declare({"tenants": TENANTS})
    population = replay(event_lines(said), declared).population
    first = ms(midnight(last - timedelta(days=length), tenant))
    end = ms(midnight(last + timedelta(days=1), tenant))
    for currency in ("EUR", "USD"):
        dims = {"tenant": tenant, "currency": currency}
        start, finish = (
            answer(population, Question("mrr", None, dims, None, edge - 1), declared).value
            for edge in (first, end)
        )
        flow = {
            name: answer(population, Question(name, None, dims, Window(first, end)), declared).value
            for name in oracle.FLOWS
        }
        gained = flow["mrr_new"] + flow["mrr_reactivation"] + flow["mrr_expansion"]
        assert finish == start + gained - flow["mrr_contraction"] - flow["mrr_churn"]
