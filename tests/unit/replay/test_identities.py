"""Laws that any true account of a business obeys, on the simulator's stories, as replay answers them."""

from datetime import timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.metrics.buckets import DAY, merge
from pipeline.metrics.definitions import declare
from pipeline.metrics.families import FLOW, STANDING
from pipeline.metrics.windows import BUCKET_MS, Window, day_number, local_date, midnight
from pipeline.replay.answer import answer
from pipeline.replay.cases import event_lines, replay
from pipeline.replay.question import Question
from tests.builders import HOUR, ms
from tests.simulated import (
    HOURS,
    QUEUES,
    TENANTS,
    YEAR_BEGINS,
    YEAR_DAYS,
    ZONES,
    calls,
    edges_with_nobody_waiting,
    stays,
    time_in_queue,
    turns,
    year,
)
from tests.strategies import histories

DEFINITIONS = declare({"tenants": TENANTS, "stuck_after": 90})
STUCK_MS = 90_000
SEEDS = pytest.mark.parametrize("seed", [1, 2])


class Shift:
    """Some hours of one queue, as replay answers for them."""

    def __init__(self, seed, tenant, queue):
        self.place = seed, tenant, queue
        events = [event for event in calls(seed) if event["tenantid"] == tenant]
        self.population = replay(event_lines(events), DEFINITIONS).population

    def ask(self, metric, **how):
        _, tenant, queue = self.place
        dims = {"tenant": tenant, "queue": queue}
        return answer(self.population, Question(metric, dims=dims, **how), DEFINITIONS)

    def waiting(self, at):
        """Who waits at an instant, lost ends included."""
        return self.ask("in_queue", at=at).value + self.ask("stuck", at=at).value

    def time_waited(self, first, last):
        """∫ waiting dt over [first, last), in person-milliseconds."""
        steps = pairwise(turns(*self.place, first, last))
        return sum(self.waiting(since) * (until - since) for since, until in steps)


@pytest.fixture(scope="module")
def shifts():
    made = {}

    def shift(seed, place):
        if (seed, place) not in made:
            made[seed, place] = Shift(seed, *place)
        return made[seed, place]

    return shift


@SEEDS
@pytest.mark.parametrize("place", QUEUES)
def test_littles_law_on_closed_intervals(shifts, seed, place):
    """Where the queue is empty at both ends: ∫ waiting dt = offered × mean wait, to the millisecond."""
    shift = shifts(seed, place)
    edges = edges_with_nobody_waiting(*shift.place, ms(HOURS * HOUR))
    whole = Window(edges[0], edges[-1])
    closed = [Window(*pair) for pair in pairwise(edges) if time_in_queue(*shift.place, *pair)]
    assert len(closed) > 10
    for window in [whole, *closed]:
        waits = shift.ask("wait_all", span=window)
        offered = shift.ask("offered", span=window)
        assert waits.n == offered.value
        assert shift.time_waited(*window) == round(waits.value * waits.n * 1000)


@SEEDS
@pytest.mark.parametrize("place", QUEUES)
def test_time_waited_is_the_sum_of_stays_cut_to_any_interval(shifts, seed, place):
    shift = shifts(seed, place)
    for first, last in ((0.001, 777.777), (1800, 1800.5), (3000, 9001.003), (-60, HOURS * HOUR)):
        assert shift.time_waited(ms(first), ms(last)) == time_in_queue(*shift.place, ms(first), ms(last))


def test_some_wait_until_they_count_as_stuck():
    """Else the laws above would say nothing of that edge."""
    assert any(stay.left - stay.enqueued > STUCK_MS for stay in stays(1, *QUEUES[0]) if stay.left)


COHORT = ("answered", "bot_answered", "abandoned", "callbacks_requested", "transferred_out", "flowed_out")


@SEEDS
@pytest.mark.parametrize("place", QUEUES)
def test_everybody_offered_leaves_in_one_way_or_still_waits(shifts, seed, place):
    shift = shifts(seed, place)
    by_enqueue = {"definition": {"by": "enqueue"}}
    seen = set()
    for at in range(ms(55), ms(HOURS * HOUR), 290_001):
        how = {"at": at, "window": "today"}
        left = {name: shift.ask(name, **by_enqueue, **how).value for name in COHORT}
        seen |= {name for name, count in left.items() if count}
        assert shift.ask("offered", **how).value == sum(left.values()) + shift.waiting(at)
    assert {"answered", "abandoned"} <= seen


@SEEDS
def test_every_cohort_of_ten_seconds_is_accounted_for(shifts, seed):
    """By buckets, of everybody and for good: as `by: enqueue` answers any window inside."""
    shift = shifts(seed, QUEUES[0])
    told = stays(*shift.place)
    waiting = {stay.enqueued // BUCKET_MS for stay in told if stay.left is None}
    cohorts = {stay.enqueued // BUCKET_MS for stay in told} - waiting
    assert len(cohorts) > 50
    for bucket in cohorts:
        how = {"span": Window(bucket * BUCKET_MS, (bucket + 1) * BUCKET_MS)}
        left = [shift.ask(name, definition={"by": "enqueue"}, **how).value for name in COHORT]
        assert shift.ask("offered", **how).value == sum(left)


@settings(max_examples=300, deadline=None)
@given(histories(max_size=30, erased=False), st.integers(-10, 200))
def test_random_histories_account_for_everybody_offered_at_any_instant(events, at):
    """Contradictions, voids, bots, transfers out of the queue and callbacks still to come among them."""
    population = replay(event_lines(events), DEFINITIONS).population

    def told(metric, **how):
        return answer(population, Question(metric, at=ms(at), **how), DEFINITIONS).value

    left = sum(told(name, definition={"by": "enqueue"}, window="today") for name in COHORT)
    assert told("offered", window="today") == left + told("in_queue") + told("stuck")


FLOWS = {"mrr_new": 1, "mrr_reactivation": 1, "mrr_expansion": 1, "mrr_contraction": -1, "mrr_churn": -1}
PAID_IN = (("acme", "EUR"), ("acme", "USD"), ("globex", "USD"), ("globex", "GBP"))


@pytest.fixture(scope="module")
def business():
    return replay(event_lines(year(2, "subscription")), DEFINITIONS)


@pytest.mark.parametrize(("tenant", "currency"), PAID_IN)
def test_mrr_at_the_end_of_every_day_of_a_year_is_the_start_and_what_became_of_it(business, tenant, currency):
    zone = ZoneInfo(ZONES[tenant])
    day = local_date(YEAR_BEGINS, zone)
    dims = {"tenant": tenant, "currency": currency}

    def told(metric, **how):
        return answer(business.population, Question(metric, dims=dims, **how), DEFINITIONS).value

    before = told("mrr", at=midnight(day, zone) - 1)
    for _ in range(YEAR_DAYS):
        window = Window(midnight(day, zone), midnight(day + timedelta(days=1), zone))
        after, flow = told("mrr", at=window.end - 1), {name: told(name, span=window) for name in FLOWS}
        assert after == before + sum(sign * flow[name] for name, sign in FLOWS.items()), day
        before, day = after, day + timedelta(days=1)
    assert before > 0


def test_that_year_knows_every_kind_of_movement():
    """Else the law would be held to nothing."""
    kinds = {event["type"].rpartition(".")[2] for event in year(2, "subscription")}
    assert {"started", "changed", "cancelled", "reactivated"} <= kinds


@pytest.mark.parametrize("window", ["1d", "30d", "90d", "month"])
@pytest.mark.parametrize(("tenant", "currency"), PAID_IN)
def test_the_same_holds_in_the_day_buckets_of_every_window(business, tenant, currency, window):
    """By prefix sums, as the board reads them: the window's start is a level of its own day before."""
    buckets = business.partitions["subscription"].ledger.buckets

    def sums(family, place):
        changes = {
            start: cells
            for (grain, name, owner, dims, start), cells in buckets.items()
            if (grain, name, owner, dims) == (DAY, family.name, tenant, place)
        }
        total, found = {}, {}
        for number in range(-95, YEAR_DAYS):
            merge(total, changes.get(day_number(first + timedelta(days=number)), {}))
            found[number] = dict(total)
        return found

    first = local_date(YEAR_BEGINS, ZoneInfo(ZONES[tenant]))
    flows, standing = sums(FLOW, (window, currency)), sums(STANDING, (currency,))
    mrr, cell = STANDING.cell("mrr_minor"), FLOW.cell
    signs = {"new": 1, "reactivation": 1, "expansion": 1, "contraction": -1, "churn": -1}
    for number in range(YEAR_DAYS):
        day = first + timedelta(days=number)
        back = day.day if window == "month" else int(window[:-1])
        start = flows[number].get(cell("start_minor"), 0)
        assert start == standing[number - back].get(mrr, 0) if number - back >= -95 else start == 0
        moved = sum(sign * flows[number].get(cell(f"{name}_minor"), 0) for name, sign in signs.items())
        assert standing[number].get(mrr, 0) == start + moved, day
