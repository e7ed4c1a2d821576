"""What the facts of one leg say; expected readings from events.md §2-3."""

import itertools

import pytest

from pipeline.entities.contact import Leg
from pipeline.entities.contact_merge import merge, new_chain
from pipeline.entities.stay import BOT_ANSWERED, read_leg
from pipeline.events.call import ABANDONED, ANSWERED, CALLBACK_REQUESTED, FLOWED_OUT, TRANSFERRED
from tests.builders import call, ms


def leg(*events):
    chain = new_chain()
    for event in events:
        merge(chain, event)
    (only,) = chain.legs
    return only


def stay(*events):
    return read_leg(leg(*events))


def test_leg_is_answered_at_the_answers_time():
    #   queued 0 ──── answered 12 ── talk 15
    found = stay(call("queued", 0), call("answered", 12, talk_started_at=15))
    assert (found.outcome, found.left_at, found.wait_ms) == (ANSWERED, ms(12), 12_000)


def test_leg_without_a_leave_is_still_there():
    found = stay(call("queued", 0))
    assert (found.outcome, found.left_at, found.was_in_queue, found.is_open) == (0, None, True, True)


@pytest.mark.parametrize(
    ("what", "outcome"),
    [
        ("abandoned", ABANDONED),
        ("callback_requested", CALLBACK_REQUESTED),
        ("transferred", TRANSFERRED),
        ("flowed_out", FLOWED_OUT),
    ],
)
def test_leg_leaves_by_its_leave_fact(what, outcome):
    found = stay(call("queued", 0), call(what, 7))
    assert (found.outcome, found.wait_ms, found.is_open) == (outcome, 7_000, False)


def test_leg_leaves_once_at_the_earliest_leave():
    found = stay(call("queued", 0), call("answered", 9), call("transferred", 7), call("abandoned", 8))
    assert (found.outcome, found.left_at) == (TRANSFERRED, ms(7))


LEAVES = ("answered", "callback_requested", "transferred", "flowed_out", "abandoned")


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(LEAVES, 2)))
def test_leaves_at_one_instant_are_read_in_the_order_of_the_contract(first, second):
    # Names are hashes: both spellings of the ids, so that no lucky hash decides.
    for one, other in (("1", "2"), ("2", "1"), ("a", "b"), ("b", "a")):
        found = stay(call("queued", 0), call(second, 7, id=other), call(first, 7, id=one))
        assert found.outcome == LEAVES.index(first) + 1


@pytest.mark.parametrize("order", [1, -1])
def test_ended_is_an_abandonment_only_while_there_is_no_leave(order):
    told = [call("queued", 0), call("ended", 30)]
    assert (stay(*told).outcome, stay(*told).left_at) == (ABANDONED, ms(30))
    found = stay(*[*told, call("answered", 10)][::order])
    assert (found.outcome, found.left_at) == (ANSWERED, ms(10))


def test_leave_after_the_end_still_replaces_the_abandonment():
    found = stay(call("queued", 0), call("ended", 5), call("transferred", 8))
    assert (found.outcome, found.left_at, found.contradiction) == (TRANSFERRED, ms(8), "")


def test_end_in_the_menu_is_no_abandonment():
    found = stay(call("initiated", 0), call("ended", 9))
    assert (found.outcome, found.was_in_queue, found.is_open) == (0, False, False)


def test_answer_without_queue_is_unqueued_and_waited_for_nothing():
    found = stay(call("initiated", 0), call("answered", 40, queue_id="q"))
    assert (found.outcome, found.wait_ms, found.was_in_queue, found.queue) == (ANSWERED, 0, False, "q")


def test_queue_is_that_of_queued_even_when_the_answer_names_another():
    assert stay(call("queued", 0, queue_id="q"), call("answered", 5, queue_id="r")).queue == "q"


@pytest.mark.parametrize(
    ("answered_by", "outcome"),
    [(None, ANSWERED), ("human", ANSWERED), ("bot", BOT_ANSWERED), ("parrot", BOT_ANSWERED)],
)
def test_only_a_human_answers(answered_by, outcome):
    assert stay(call("queued", 0), call("answered", 5, answered_by=answered_by)).outcome == outcome


@pytest.mark.parametrize(
    ("said", "is_counted"),
    [
        ({}, True),
        ({"direction": "inbound"}, True),
        ({"direction": "outbound"}, False),
        ({"direction": "sideways"}, False),
        ({"direction": "outbound", "callback": True}, True),
        ({"direction": "outbound", "callback": False}, False),
    ],
)
def test_inbound_and_callbacks_are_counted(said, is_counted):
    assert stay(call("queued", 0, **said)).is_counted == is_counted


def test_channel_is_the_one_that_any_fact_states():
    assert stay(call("queued", 0), call("answered", 5, channel="chat")).channel == "chat"


def test_channel_is_voice_when_none_states_it():
    assert stay(call("queued", 0)).channel == "voice"


def test_unknown_channel_is_other():
    assert stay(call("queued", 0, channel="fax")).channel == "other"


def test_of_two_queueings_the_earlier_one_holds():
    found = stay(call("queued", 3, queue_id="r"), call("queued", 0, queue_id="q"))
    assert (found.queue, found.enqueued_at) == ("q", ms(0))


def test_of_two_answers_the_earlier_one_holds():
    found = stay(call("queued", 0), call("answered", 9), call("answered", 5, agent_id="a"))
    assert (found.left_at, found.answered.agent) == (ms(5), "a")


@pytest.mark.parametrize(
    "what", ["abandoned", "callback_requested", "transferred", "flowed_out", "ended", "callback_attempted"]
)
def test_leg_without_its_first_fact_is_not_read(what):
    more = {"outcome": "busy"} if what == "callback_attempted" else {}
    assert stay(call(what, 5, **more)) is None


def test_leg_whose_facts_are_all_void_is_not_read():
    assert stay(call("queued", 0, id="1"), call("voided", 1, corrects="1", contact="c")) is None


# A scheduled callback:
#   queued 0 ───────── enqueued_at 60 ─────── …
#            scheduled               in queue


def test_scheduled_callback_waits_from_its_turn_on():
    found = stay(call("queued", 0, enqueued_at=60, callback=True), call("answered", 70))
    assert (found.wait_ms, found.began_at, found.was_in_queue) == (10_000, ms(0), True)


@pytest.mark.parametrize("what", ["abandoned", "callback_requested", "transferred", "flowed_out", "ended"])
@pytest.mark.parametrize("at", [0, 30, 59.999])
def test_scheduled_callback_given_up_before_its_turn_was_never_in_the_queue(what, at):
    found = stay(call("queued", 0, enqueued_at=60), call(what, at))
    assert (found.was_in_queue, found.contradiction) == (False, "")


@pytest.mark.parametrize("what", ["abandoned", "ended"])
def test_scheduled_callback_given_up_at_its_turn_was_in_the_queue(what):
    found = stay(call("queued", 0, enqueued_at=60), call(what, 60))
    assert (found.was_in_queue, found.wait_ms) == (True, 0)


def test_queue_reported_late_is_entered_when_it_was_entered():
    #   enqueued_at −20 ─── left −5 ─── queued (reported) 0
    found = stay(call("queued", 0, enqueued_at=-20), call("abandoned", -5))
    assert (found.wait_ms, found.contradiction) == (15_000, "")


CONTRADICTIONS = [
    # a leave or `ended` before the leg's beginning
    ([("queued", 10, {}), ("abandoned", 9.999, {})], "leave_before_begin"),
    ([("queued", 10, {}), ("transferred", 5, {})], "leave_before_begin"),
    ([("queued", 10, {}), ("ended", 5, {})], "leave_before_begin"),
    ([("queued", 10, {}), ("answered", 12, {}), ("ended", 5, {})], "ended_before_begin"),
    ([("queued", 10, {"enqueued_at": 2}), ("flowed_out", 1, {})], "leave_before_begin"),
    ([("queued", 10, {"enqueued_at": 60}), ("abandoned", 9, {})], "leave_before_begin"),
    ([("initiated", 10, {}), ("callback_requested", 9, {})], "leave_before_begin"),
    ([("initiated", 10, {}), ("ended", 9, {})], "ended_before_begin"),
    ([("initiated", 10, {}), ("answered", 9, {})], "leave_before_begin"),
    # `answered` before `enqueued_at`
    ([("queued", 0, {"enqueued_at": 60}), ("answered", 59.999, {})], "answered_before_enqueued"),
    ([("queued", 0, {"enqueued_at": 60}), ("transferred", 5, {}), ("answered", 9, {})], "answered_before_enqueued"),
    # `ended` before `answered`
    ([("queued", 0, {}), ("answered", 9, {}), ("ended", 8, {})], "ended_before_answered"),
    ([("answered", 9, {}), ("ended", 8, {})], "ended_before_answered"),
    # `talk_started_at` before `answered`
    ([("queued", 0, {}), ("answered", 9, {"talk_started_at": 8})], "talk_before_answered"),
    ([("answered", 9, {"talk_started_at": 8.999})], "talk_before_answered"),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "contradiction"), CONTRADICTIONS)
def test_facts_that_contradict_each_other_are_told_in_any_order(facts, contradiction):
    told = [call(what, at, **more) for what, at, more in facts]
    for order in itertools.permutations(told):
        assert stay(*order).contradiction == contradiction


@pytest.mark.parametrize(
    "facts",
    [
        [("queued", 0, {}), ("answered", 0, {"talk_started_at": 0}), ("ended", 0, {})],
        [("queued", 0, {}), ("abandoned", 0, {})],
        [("queued", 0, {"enqueued_at": 60}), ("answered", 60, {})],
        [("initiated", 5, {}), ("queued", 0, {}), ("abandoned", 2, {})],  # the beginning is `queued`'s
        [("initiated", 5, {}), ("ended", 5, {})],
        [("answered", 5, {}), ("transferred", 2, {})],  # no beginning is known
    ],
)
def test_equal_instants_and_unknown_beginnings_contradict_nothing(facts):
    assert stay(*(call(what, at, **more) for what, at, more in facts)).contradiction == ""


def test_correction_frees_a_leg_from_its_contradiction():
    told = [call("queued", 10), call("ended", 5, id="wrong")]
    assert stay(*told).contradiction
    assert not stay(*told, call("ended", 15, id="right", corrects="wrong")).contradiction


def test_stale_leg_is_a_contradiction_until_it_leaves():
    open_leg = leg(call("queued", 0))
    open_leg.is_stale = True
    assert read_leg(open_leg).contradiction == "stale"
    left = Leg("", "", (*open_leg.facts, call("abandoned", 9).fact), is_stale=True)
    assert read_leg(left).contradiction == ""
