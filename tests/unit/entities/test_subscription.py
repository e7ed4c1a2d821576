"""What an account's subscriptions are from when: sentences of events.md §3-§4 and metrics.md §6."""

import json

import pytest

from pipeline.entities.subscription import Standing, State, standings, timelines
from pipeline.entities.subscription_account import merge, new_account
from pipeline.entities.subscription_metrics import compare
from pipeline.entities.subscription_steps import Projection
from pipeline.events.subscription import decode
from pipeline.metrics.definitions import declare
from pipeline.metrics.families import STAYING

DAY = 86_400_000
MARCH = 1_772_323_200_000  # 2026-03-01T00:00:00Z


def on(day):
    return MARCH + round((day - 1) * DAY)


def iso(day):
    hours = round((day - int(day)) * 24)
    return f"2026-03-{int(day):02d}T{hours:02d}:00:00Z"


def said(what, day, mrr=None, name=None, source="/b", **data):
    data = {"subscription_id": "s", **data}
    if mrr is not None:
        data |= {"mrr_minor": mrr, "currency": data.get("currency", "EUR")}
    event = {
        "specversion": "1.0", "source": source, "id": name or f"{what}-{day}", "tenantid": "t", "accountid": "a",
        "time": iso(day), "type": f"pulse.subscription.{what}", "data": data,
    }  # fmt: skip
    return decode(json.dumps(event).encode(), None)


def account(*events):
    entity = new_account()
    for event in events:
        merge(entity, event)
    return entity


def steps(*events, recognition="effective"):
    """(day of March, MRR) of the one subscription."""
    (line,) = timelines(account(*events).told.facts, recognition).values()
    return [(1 + (at - MARCH) / DAY, state.mrr_minor) for at, state in line]


def test_a_state_holds_from_its_effective_instant_not_from_its_time():
    assert steps(said("started", 5, 100, effective_at=iso(3))) == [(3, 100)]


def test_a_state_is_absolute_and_never_a_delta():
    assert steps(said("started", 1, 100), said("changed", 2, 80)) == [(1, 100), (2, 80)]


def test_of_states_of_one_instant_the_one_told_last_holds():
    early, late = said("changed", 4, 200, effective_at=iso(3)), said("changed", 5, 300, effective_at=iso(3))
    assert steps(late, early) == [(3, 300)]


def test_of_states_told_at_one_instant_the_last_by_source_and_id_holds():
    told = [said("changed", 3, 10, "b"), said("changed", 3, 20, "c"), said("changed", 3, 30, "a", "/z")]
    assert steps(*told) == steps(*told[::-1]) == [(3, 30)]
    assert steps(*told[:2]) == [(3, 20)]


def test_absent_seats_and_plan_are_as_before_even_across_a_cancel():
    entity = account(
        said("started", 1, 100, seats=5, plan="team"),
        said("changed", 2, 120),
        said("cancelled", 3),
        said("reactivated", 4, 90),
    )
    (line,) = timelines(entity.told.facts, "effective").values()
    assert [state for _, state in line] == [
        State(100, "EUR", 5, "team"),
        State(120, "EUR", 5, "team"),
        State(0, "EUR", 0, "team"),
        State(90, "EUR", 5, "team"),
    ]


def test_a_state_of_no_seats_overrides_those_before():
    entity = account(said("started", 1, 100, seats=5), said("changed", 2, 100, seats=0))
    (line,) = timelines(entity.told.facts, "effective").values()
    assert [state.seats for _, state in line] == [5, 0]


@pytest.mark.parametrize(
    ("recognition", "expected"),
    [("effective", [(1, 100), (20, 0)]), ("event", [(1, 100), (10, 0)]), ("scheduled", [(1, 100), (20, 0)])],
)
def test_a_cancel_for_later_counts_as_declared(recognition, expected):
    told = said("started", 1, 100), said("cancelled", 10, effective_at=iso(20))
    assert steps(*told, recognition=recognition) == expected


NOTICE = said("started", 1, 100), said("cancel_scheduled", 10, cancels_at=iso(20))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ([], [(1, 100), (20, 0)]),
        ([said("cancel_unscheduled", 15)], [(1, 100)]),
        ([said("changed", 15, 120)], [(1, 100), (15, 120)]),
        ([said("changed", 5, 120)], [(1, 100), (5, 120), (20, 0)]),
        ([said("reactivated", 25, 90)], [(1, 100), (20, 0), (25, 90)]),
        ([said("cancel_unscheduled", 25)], [(1, 100), (20, 0), (25, 100)]),
        ([said("cancel_scheduled", 15, cancels_at=iso(28))], [(1, 100), (28, 0)]),
        ([said("cancel_scheduled", 15, cancels_at=iso(18))], [(1, 100), (18, 0)]),
        ([said("cancel_scheduled", 25, cancels_at=iso(28))], [(1, 100), (20, 0)]),
        ([said("cancelled", 12)], [(1, 100), (12, 0)]),
    ],
)
def test_a_notice_ends_the_subscription_unless_something_said_after_it_stands(more, expected):
    assert steps(*NOTICE, *more, recognition="scheduled") == expected
    assert steps(*more, *NOTICE, recognition="scheduled") == expected


def test_a_notice_is_no_cancel_where_cancels_count_when_effective():
    assert steps(*NOTICE) == [(1, 100)]


def whole(*events):
    return standings(timelines(account(*events).told.facts, "effective").values(), lambda _: True)


def test_an_account_is_the_sum_of_its_subscriptions_by_currency():
    found = whole(
        said("started", 1, 100, seats=2),
        said("started", 2, 50, subscription_id="s2", seats=1),
        said("started", 3, 7, subscription_id="s3", currency="USD"),
        said("cancelled", 4, subscription_id="s2"),
    )
    assert found == [
        Standing(on(1), {"EUR": 100}, 2),
        Standing(on(2), {"EUR": 150}, 3),
        Standing(on(3), {"EUR": 150, "USD": 7}, 3),
        Standing(on(4), {"EUR": 100, "USD": 7}, 2),
    ]


def test_cancelling_one_of_two_subscriptions_is_contraction():
    found = whole(
        said("started", 1, 100),
        said("started", 1, 50, subscription_id="s2", name="two"),
        said("cancelled", 4, subscription_id="s2"),
    )
    stays, flows = compare(found, 1, len(found))
    assert STAYING.cell("lost") not in stays[::2]
    assert flows == [("EUR", (0, 1, 1, 150, 6, 1, 7, 50))]


def test_changes_that_cancel_out_within_a_day_leave_no_step():
    entity = account(said("started", 3.25, 100), said("cancelled", 3.5))
    parts = Projection(declare({}), "t").whole(entity)
    assert {(family, dims[0], cells) for family, dims, _, cells in parts} == {
        ("staying", window, (STAYING.cell("joined"), sign))
        for window in ("1d", "30d", "90d", "month")
        for sign in (1, -1)
    }


def test_one_cancel_is_a_handful_of_integers_on_the_days_it_enters_and_leaves_a_window():
    count = Projection(declare({}), "t").whole
    before = count(account(said("started", 1, 100)))
    after = count(account(said("started", 1, 100), said("cancelled", 10)))
    lost = [
        (at, cells)
        for family, dims, at, cells in after
        if family == "staying" and dims == ("30d",) and at >= on(10)
    ]
    assert [1 + (at - MARCH) / DAY for at, _ in lost] == [31, 40]  # until the 31st it had joined inside
    assert len(after) - len(before) < 20
