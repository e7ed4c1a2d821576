"""What legs add to the families, worked by hand from metrics.md §2; whole chains: test_chain_metrics.py."""

import pytest
from hypothesis import given

from pipeline.entities.contact_merge import merge, new_chain
from pipeline.entities.contact_metrics import contributions, leg_contributions
from pipeline.metrics.families import COHORT, LEAVE
from tests.builders import call, decoded, ms
from tests.strategies import histories

BOUNDS = (5_000, 20_000)
DIMS = ("q", "voice")


def parts(*events):
    chain = new_chain()
    for event in events:
        merge(chain, event)
    return [part for part in contributions(chain, BOUNDS) if part[0] not in {"customer", "callback"}]


def named(*events):
    """As {family: {(dims, seconds after T0): {cell name: amount}}}, cells of one bucket added up."""
    found = {}
    for family, dims, at, cells in parts(*events):
        bucket = found.setdefault(family, {}).setdefault((dims, (at - ms(0)) / 1000), {})
        for cell, amount in zip(cells[::2], cells[1::2], strict=True):
            bucket[name_of(family, cell)] = bucket.get(name_of(family, cell), 0) + amount
    return found


def name_of(family, cell):
    source = {"leave": LEAVE, "cohort": COHORT}.get(family)
    if source is None:
        return cell
    if cell < len(source.counters):
        return source.counters[cell]
    histogram, place = divmod(cell - len(source.counters), len(BOUNDS) + 1)
    return f"{source.histograms[histogram]} {('≤5', '≤20', '>20')[place]}"


def test_answered_call_counts_by_leave_and_by_enqueue():
    assert named(call("queued", 3), call("answered", 15)) == {
        "leave": {(DIMS, 15): {"answered": 1, "answered_wait_ms": 12_000, "answered_wait ≤20": 1}},
        "cohort": {
            (DIMS, 3): {"offered": 1, "answered": 1, "answered_wait_ms": 12_000, "answered_wait ≤20": 1}
        },
    }


def test_waiting_call_is_offered_and_waits():
    assert named(call("queued", 3)) == {"waiting": {(DIMS, 3): {0: 1}}, "cohort": {(DIMS, 3): {"offered": 1}}}


def test_scheduled_callback_waits_for_its_turn():
    assert named(call("queued", 3, enqueued_at=60)) == {
        "waiting": {(DIMS, 60): {0: 1, 1: 1}},
        "cohort": {(DIMS, 60): {"offered": 1}},
    }


def test_answered_callback_knows_how_far_ahead_it_was_created():
    found = named(call("queued", 0, enqueued_at=60), call("answered", 64))
    assert found["leave"] == {
        (DIMS, 64): {
            "answered": 1,
            "answered_wait_ms": 4_000,
            "answered_ahead_ms": 60_000,
            "answered_wait ≤5": 1,
        }
    }


def test_abandoned_call_counts_its_wait():
    assert named(call("queued", 0), call("abandoned", 21)) == {
        "leave": {(DIMS, 21): {"abandoned": 1, "abandoned_wait_ms": 21_000}},
        "cohort": {
            (DIMS, 0): {"offered": 1, "abandoned": 1, "abandoned_wait_ms": 21_000, "abandoned_wait >20": 1}
        },
    }


def test_requested_callback_counts_its_wait():
    assert named(call("queued", 0), call("callback_requested", 5)) == {
        "leave": {(DIMS, 5): {"callbacks_requested": 1, "other_wait_ms": 5_000}},
        "cohort": {
            (DIMS, 0): {"offered": 1, "callbacks_requested": 1, "other_wait_ms": 5_000, "callback_wait ≤5": 1}
        },
    }


@pytest.mark.parametrize(
    ("what", "more", "counter"),
    [
        ("transferred", {}, "transferred_out"),
        ("flowed_out", {}, "flowed_out"),
        ("answered", {"answered_by": "bot"}, "bot_answered"),
    ],
)
def test_other_leaves_count_their_waits_apart(what, more, counter):
    assert named(call("queued", 0), call(what, 7, **more)) == {
        "leave": {(DIMS, 7): {counter: 1, "other_wait_ms": 7_000}},
        "cohort": {(DIMS, 0): {"offered": 1, counter: 1, "other_wait_ms": 7_000}},
    }


def test_unqueued_answer_is_answered_but_not_offered():
    assert named(call("answered", 7, queue_id="q")) == {
        "leave": {(DIMS, 7): {"answered": 1, "unqueued": 1, "answered_wait ≤5": 1}}
    }


def test_callback_requested_in_the_menu_is_counted_but_not_offered():
    assert named(call("initiated", 0), call("callback_requested", 9)) == {
        "leave": {(("", "voice"), 9): {"callbacks_requested": 1, "unqueued": 1}}
    }


@pytest.mark.parametrize("what", ["abandoned", "transferred", "flowed_out", "ended"])
def test_other_leaves_from_the_menu_are_not_the_queues(what):
    assert named(call("initiated", 0), call(what, 9)) == {}


@pytest.mark.parametrize("what", ["abandoned", "transferred", "flowed_out", "ended", "callback_requested"])
def test_scheduled_callback_given_up_before_its_turn_counts_nowhere(what):
    assert named(call("queued", 0, enqueued_at=60), call(what, 30)) == {}


@pytest.mark.parametrize("direction", ["outbound", "sideways"])
def test_outbound_call_counts_nowhere(direction):
    assert named(call("queued", 0, direction=direction), call("answered", 5)) == {}


def test_contradictory_leg_stands_in_quarantine_by_its_first_instant():
    assert named(call("queued", 10), call("ended", 4)) == {
        "quarantine": {(("leave_before_begin",), 4): {0: 1}}
    }


def test_contradictory_outbound_leg_stands_in_quarantine_too():
    found = named(call("queued", 10, direction="outbound"), call("ended", 4))
    assert list(found) == ["quarantine"]


def test_leg_without_first_fact_counts_nowhere():
    assert named(call("abandoned", 4)) == {}


def test_each_leg_of_a_chain_counts_for_itself():
    found = named(
        call("queued", 0, queue_id="a"), call("transferred", 8),
        call("queued", 8, leg="2", queue_id="b"), call("answered", 10, leg="2"),
    )  # fmt: skip
    assert {dims[0]: sorted(cells) for (dims, _), cells in found["leave"].items()} == {
        "a": ["other_wait_ms", "transferred_out"],
        "b": ["answered", "answered_wait ≤5", "answered_wait_ms"],
    }


@given(histories(keys=1, span=60).map(lambda told: [decoded(said) for said in told]))
def test_no_metric_ever_sees_a_negative_amount(events):
    for family, _, _, cells in parts(*events):
        assert all(amount >= 0 for amount in cells[1::2]), family


@given(histories(keys=1, span=60).map(lambda told: [decoded(said) for said in told]))
def test_leg_is_either_counted_or_waiting_or_in_quarantine(events):
    chain = new_chain()
    for event in events:
        merge(chain, event)
    for leg in chain.legs:
        families = {part[0] for part in leg_contributions(leg, BOUNDS)} - {"handle"}
        assert families in (set(), {"quarantine"}, {"waiting", "cohort"}, {"leave"}, {"leave", "cohort"})
