"""What whole chains and talks count, worked by hand from metrics.md §2. Instants in seconds after T0."""

import pytest

from pipeline.entities.contact_merge import merge, new_chain
from pipeline.entities.contact_metrics import contributions
from tests.builders import call, ms

BOUNDS = (5_000, 20_000)


def counted(family, *events):
    """[(dims, seconds, {cell: amount})] of one family."""
    chain = new_chain()
    for event in events:
        merge(chain, event)
    return [
        (dims, (at - ms(0)) / 1000, dict(zip(cells[::2], cells[1::2], strict=True)))
        for name, dims, at, cells in contributions(chain, BOUNDS)
        if name == family
    ]


def customer(*events):
    return counted("customer", *events)


def callback(*events):
    return counted("callback", *events)


def second(what, at, **more):
    return call(what, at, contact="d", initial_contact_id="c", **more)


def test_customer_waits_from_enqueue_to_talk():
    """The phone of the agent rings for three seconds more."""
    assert customer(call("queued", 0), call("answered", 12, talk_started_at=15)) == [
        (("q", "voice", "direct"), 12, {0: 1, 1: 15_000})
    ]


def test_customer_who_never_queued_waits_nothing():
    assert customer(call("answered", 5, queue_id="q", talk_started_at=9)) == [
        (("q", "voice", "direct"), 5, {0: 1})
    ]


def test_wait_spans_the_legs_of_a_transfer():
    #   q ──0────20 transferred   r ──20────50 answered: 50 s under the queue that answered
    told = [
        call("queued", 0),
        call("transferred", 20),
        second("queued", 20, queue_id="r"),
        second("answered", 50),
    ]
    assert customer(*told) == [(("r", "voice", "transfer"), 50, {0: 1, 1: 50_000})]


def test_transfer_after_the_talk_leaves_the_path_direct():
    told = [
        call("queued", 0),
        call("answered", 10),
        call("transferred", 60),
        second("queued", 60),
        second("answered", 90),
    ]
    assert customer(*told) == [(("q", "voice", "direct"), 10, {0: 1, 1: 10_000})]


def test_callback_after_a_transfer_is_a_callback():
    told = [
        call("queued", 0), call("transferred", 5), call("queued", 5, leg="2"), call("callback_requested", 9, leg="2"),
        second("queued", 100, callback=True), second("answered", 130),
    ]  # fmt: skip
    assert customer(*told) == [(("q", "voice", "callback"), 130, {0: 1, 1: 130_000})]


def test_bot_is_no_human_and_its_queue_was_waited_in():
    told = [
        call("queued", 0),
        call("answered", 2, answered_by="bot"),
        second("queued", 30),
        second("answered", 40),
    ]
    assert customer(*told) == [(("q", "voice", "direct"), 40, {0: 1, 1: 40_000})]


def test_enqueue_after_the_answer_is_no_beginning():
    told = [call("answered", 5, queue_id="q", talk_started_at=9), second("queued", 20)]
    assert customer(*told) == [(("q", "voice", "direct"), 5, {0: 1})]


def test_scheduled_turn_that_was_given_up_is_no_enqueue():
    told = [
        call("queued", 0, enqueued_at=60),
        call("abandoned", 30),
        second("queued", 90),
        second("answered", 100),
    ]
    assert customer(*told) == [(("q", "voice", "direct"), 100, {0: 1, 1: 10_000})]


@pytest.mark.parametrize("family", ["customer", "callback"])
def test_partial_chain_counts_nothing_of_its_own(family):
    """Nothing is known of c itself; its legs count all the same."""
    told = [
        second("queued", 0),
        second("callback_requested", 5),
        second("answered", 9, leg="e", queue_id="q"),
    ]
    assert counted(family, *told) == []
    assert [dims for dims, *_ in counted("leave", *told)] == [("q", "voice")] * 2


def test_any_fact_of_the_initial_contact_makes_the_chain_whole():
    assert len(customer(second("queued", 0), second("answered", 9), call("ended", 60))) == 1


@pytest.mark.parametrize("family", ["customer", "callback"])
def test_chain_with_a_contradictory_leg_counts_nothing_of_its_own(family):
    told = [call("queued", 0), call("callback_requested", 5), second("queued", 50), second("answered", 60)]
    assert len(counted(family, *told)) == 1
    assert counted(family, *told, call("queued", 90, leg="x"), call("abandoned", 80, leg="x")) == []


def test_outbound_leg_is_no_answer_but_a_callback_is():
    told = [call("queued", 0), call("callback_requested", 5)]
    out = {"direction": "outbound"}
    assert customer(*told, second("initiated", 50, **out), second("answered", 60, **out)) == []
    there = [second("queued", 50, callback=True, **out), second("answered", 60, **out)]
    assert len(customer(*told, *there)) == 1


def test_callback_that_is_kept_waits_from_the_request_to_the_talk():
    told = [call("queued", 0, queue_id="in"), call("callback_requested", 120)]
    kept = [
        second("queued", 120, queue_id="out", enqueued_at=219),
        second("answered", 240, talk_started_at=265),
    ]
    assert callback(*told) == [(("in", "voice"), 120, {0: 1})]
    assert callback(*told, *kept) == [(("in", "voice"), 120, {0: 1, 1: 1, 2: 145_000})]


def test_answer_before_the_request_keeps_no_callback():
    told = [call("queued", 0), call("answered", 10), call("callback_requested", 50)]
    assert callback(*told) == [(("q", "voice"), 50, {0: 1})]
    assert callback(*told, second("queued", 90), second("answered", 100))[0][2] == {0: 1, 1: 1, 2: 50_000}


def test_first_request_is_what_counts():
    told = [
        call("queued", 0),
        call("callback_requested", 10),
        second("queued", 60),
        second("callback_requested", 90),
    ]
    assert callback(*told) == [(("q", "voice"), 10, {0: 1})]


def test_talk_lasts_until_the_end_and_counts_by_it():
    told = [call("queued", 0), call("answered", 10, talk_started_at=12), call("ended", 72)]
    assert counted("handle", *told) == [(("q", "voice"), 72, {0: 1, 1: 60_000})]


@pytest.mark.parametrize(
    "told",
    [
        [call("queued", 0), call("ended", 9)],
        [call("queued", 0), call("answered", 3, answered_by="bot"), call("ended", 9)],
        [call("initiated", 0, direction="outbound"), call("answered", 3), call("ended", 9)],
        [call("queued", 0), call("answered", 3)],
    ],
)
def test_nothing_but_an_ended_talk_with_a_human_is_handled(told):
    assert counted("handle", *told) == []


def test_end_before_the_talk_began_is_no_negative_talk():
    told = [call("queued", 0), call("answered", 10, talk_started_at=20), call("ended", 15)]
    assert counted("handle", *told) == [(("q", "voice"), 15, {0: 1})]
