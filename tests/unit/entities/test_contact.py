"""The laws of events.md §4: a chain is the set of its facts, whatever the order, number and batching."""

from copy import deepcopy

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.entities.contact import Chain, Leg
from pipeline.entities.contact_merge import (
    is_known,
    leg_of,
    merge,
    new_chain,
    share,
)
from pipeline.entities.contact_metrics import contributions
from tests.builders import UNDECLARED, call, decoded, ms
from tests.strategies import call_events, histories

one_chain = {"keys": 1, "span": 30}
LAW = settings(max_examples=200)


def merged(events):
    chain = new_chain()
    for event in events:
        merge(chain, event)
    return chain


def counted(chain):
    return sorted(contributions(chain, UNDECLARED.bounds_ms))


@LAW
@given(
    histories(**one_chain).map(lambda told: [decoded(said) for said in told]),
    st.randoms(use_true_random=False),
)
def test_any_order_gives_an_equal_chain(events, shuffler):
    chain = merged(events)
    shuffler.shuffle(events)
    assert merged(events) == chain


@LAW
@given(histories(**one_chain).map(lambda told: [decoded(said) for said in told]), st.data())
def test_any_repetition_gives_an_equal_chain(events, data):
    again = data.draw(st.lists(st.sampled_from(events)))
    assert merged(events + again) == merged(events)


@LAW
@given(histories(**one_chain).map(lambda told: [decoded(said) for said in told]))
def test_a_known_event_changes_nothing(events):
    chain = new_chain()
    for event in [*events, *events]:
        before = deepcopy(chain)
        was_known = is_known(chain, event)
        merge(chain, event)
        if was_known:
            assert chain == before


@LAW
@given(histories(**one_chain).map(lambda told: [decoded(said) for said in told]))
def test_an_event_whose_fact_is_held_is_known(events):
    chain = merged(events)
    for event in events:
        leg = leg_of(chain, event)
        if not event.voids and leg is not None and event.fact in leg.facts:
            assert is_known(chain, event)


@LAW
@given(histories(**one_chain), call_events(**one_chain, erased=False))
def test_a_voided_event_leaves_what_would_be_there_without_it(told, wrong):
    wrong["id"] = "wrong"
    void = {**call_void("wrong"), "data": wrong["data"]}
    without_effect = {**wrong, "corrects": wrong.get("corrects")}
    # Only what it says is taken back: what it voided itself stays void, because voids only grow.
    silent = {**call_void(without_effect["corrects"] or "nothing"), "id": "silent", "data": wrong["data"]}
    one = merged(decoded(said) for said in [*told, wrong, void])
    other = merged(decoded(said) for said in [*told, silent])
    assert counted(one) == counted(other)


def call_void(target):
    return {
        "specversion": "1.0",
        "id": "void",
        "source": "/acd",
        "tenantid": "t",
        "type": "pulse.call.voided",
        "time": "2026-03-02T09:00:00Z",
        "corrects": target,
    }


@LAW
@given(histories(**one_chain).map(lambda told: [decoded(said) for said in told]), st.data())
def test_nothing_revives_what_was_deleted(events, data):
    place = data.draw(st.integers(0, len(events)))
    chain = merged([*events[:place], call("deleted", 5, contact="c0"), *events[place:]])
    assert counted(chain) == []
    assert not any(leg.facts for leg in chain.legs)


@given(histories(**one_chain).map(lambda told: [decoded(said) for said in told]))
def test_legs_and_facts_and_voids_are_sorted_and_unique(events):
    chain = merged(events)
    places = [(leg.contact, leg.leg) for leg in chain.legs]
    assert places == sorted(set(places))
    assert chain.voids == tuple(sorted(set(chain.voids)))
    for leg in chain.legs:
        assert leg.facts == tuple(sorted(leg.facts, key=lambda fact: (fact.at, fact.name)))


@given(histories(**one_chain).map(lambda told: [decoded(said) for said in told]))
def test_chain_remembers_the_latest_instant_any_event_named(events):
    facts = [event.fact for event in events]
    assert merged(events).touched_at == max(max(fact.at, fact.instant or 0) for fact in facts)


def test_void_that_comes_first_keeps_its_event_out():
    chain = merged([call("voided", 9, corrects="wrong"), call("queued", 0, id="wrong")])
    assert counted(chain) == []


def test_correction_stands_in_the_place_of_what_it_corrects():
    chain = merged([call("queued", 0, id="1", queue_id="x"), call("queued", 1, id="2", corrects="1")])
    assert [fact.queue for fact in chain.legs[0].facts] == ["q"]


def test_correction_of_a_correction_holds_alone():
    told = [
        call("queued", 0, id="1"),
        call("queued", 1, id="2", corrects="1"),
        call("queued", 2, id="3", corrects="2"),
    ]
    assert [fact.at for fact in merged(told).legs[0].facts] == [ms(2)]


def test_void_of_a_void_revives_nothing():
    told = [
        call("queued", 0, id="1"),
        call("voided", 1, id="2", corrects="1"),
        call("voided", 2, id="3", corrects="2"),
    ]
    assert counted(merged(told)) == []


def test_void_of_a_correction_leaves_what_it_corrected_void():
    told = [
        call("queued", 0, id="1"),
        call("queued", 1, id="2", corrects="1"),
        call("voided", 2, id="3", corrects="2"),
    ]
    assert counted(merged(told)) == []


def test_void_of_another_source_touches_nothing():
    told = [call("queued", 0, id="1"), call("voided", 1, corrects="1", source="/other")]
    assert len(counted(merged(told))) == 2


def test_event_that_corrects_itself_is_void():
    assert counted(merged([call("queued", 0, id="1", corrects="1")])) == []


def test_same_id_with_a_later_time_replaces():
    told = [call("queued", 0, id="1", queue_id="x"), call("queued", 1, id="1", queue_id="a")]
    assert [fact.queue for fact in merged(told).legs[0].facts] == ["a"]


def test_same_id_at_the_same_time_with_greater_data_replaces():
    told = [call("queued", 0, id="1", queue_id="b"), call("queued", 0, id="1", queue_id="a")]
    assert [fact.queue for fact in merged(told).legs[0].facts] == ["b"]


def test_same_id_in_another_leg_leaves_the_first_leg_without_it():
    told = [call("queued", 0, id="1", leg="a"), call("queued", 1, id="1", leg="b")]
    assert merged(told).legs == (Leg("", "a", ()), Leg("", "b", (told[1].fact,)))


def test_a_second_void_of_one_event_still_moves_the_last_instant():
    told = [call("voided", 1, id="2", corrects="1"), call("voided", 5, id="3", corrects="1")]
    chain = merged(told[:1])
    assert not is_known(chain, told[1])
    assert merged(told) == merged(told[::-1]) == Chain((), (told[0].voids,), 0, ms(5))


def test_a_chain_read_back_holds_what_is_equal_once():
    told = merged(
        [
            call("queued", 1, queue_id="care", enqueued_at=1, customer_ref="anna", accountid="k"),
            call(
                "answered",
                5,
                queue_id="care",
                agent_id="kim",
                talk_started_at=5,
                customer_ref="anna",
                accountid="k",
            ),
        ]
    )
    chain, other = (msgspec.msgpack.decode(msgspec.msgpack.encode(told), type=Chain) for _ in range(2))
    share(chain)
    share(other)
    queued, answered = chain.legs[0].facts
    assert chain == told
    assert answered.queue is queued.queue
    assert answered.customer is queued.customer
    assert answered.account is queued.account
    assert queued.instant is queued.at
    assert answered.instant is answered.at
    assert chain.touched_at is answered.at
    assert other.legs[0].facts[1].agent is answered.agent
