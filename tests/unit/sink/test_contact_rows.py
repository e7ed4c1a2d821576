"""A chain as rows of contacts and legs: facts laid out, worked by hand."""

import pytest

from pipeline.entities.contact_merge import merge, new_chain
from pipeline.sink.contact_rows import Origin, contact_rows, leg_rows
from pipeline.sink.tables import CONTACTS, LEGS
from tests.builders import call, ms

ORIGIN = Origin(epoch=2, partition=3, offset=44)


def chain_of(*events):
    chain = new_chain()
    for one in events:
        merge(chain, one)
    return chain


def contact(*events, key="t|c"):
    rows = contact_rows(key, chain_of(*events), ORIGIN)
    assert len(rows) <= 1
    return dict(zip(CONTACTS.columns, rows[0], strict=True)) if rows else None


def legs(*events, key="t|c"):
    return [dict(zip(LEGS.columns, row, strict=True)) for row in leg_rows(key, chain_of(*events), ORIGIN)]


def callback_story():
    second = {"contact": "cb", "initial_contact_id": "c"}
    return [
        call("queued", 0, queue_id="in", customer_ref="cu", accountid="acme", channel="video"),
        call("callback_requested", 120),
        call("queued", 120, queue_id="back", callback=True, enqueued_at=219, **second),
        call("answered", 240, agent_id="a1", talk_started_at=265, **second),
        call("ended", 600, end_reason="customer", **second),
    ]


def test_a_contact_from_first_enqueue_to_talk():
    row = contact(*callback_story())
    assert row == {
        "tenant": "t", "initial_contact_id": "c", "epoch": 2, "src_partition": 3, "channel": "video",
        "direction": "inbound", "queue": "back", "path": "callback", "first_enqueued_at": ms(0),
        "first_callback_requested_at": ms(120), "first_answered_at": ms(240), "first_talk_at": ms(265),
        "customer_ref": "cu", "account": "acme", "legs": 2, "contradiction": "", "last_event_at": ms(600),
        "deleted": 0, "_ver": 44,
    }  # fmt: skip


def test_the_legs_of_a_callback():
    first, back = legs(*callback_story())
    assert (first["outcome"], first["wait_ms"], first["left_at"]) == ("callback_requested", 120_000, ms(120))
    assert (back["callback"], back["queued_at"], back["enqueued_at"]) == (1, ms(120), ms(219))
    assert (back["outcome"], back["wait_ms"], back["talk_started_at"]) == ("answered", 21_000, ms(265))
    assert (back["answered_by"], back["agent_id"], back["end_reason"]) == ("human", "a1", "customer")
    assert back["epoch"] == 2


@pytest.mark.parametrize(
    ("events", "path"),
    [
        ([call("queued", 0), call("answered", 5)], "direct"),
        ([call("queued", 0), call("transferred", 5), call("queued", 5, leg="l2"), call("answered", 9, leg="l2")], "transfer"),
        ([call("queued", 0), call("answered", 5), call("transferred", 60)], "direct"),
        ([call("queued", 0), call("transferred", 5)], "transfer"),
    ],
)  # fmt: skip
def test_the_path_is_read_from_what_came_before_the_answer(events, path):
    assert contact(*events)["path"] == path


def test_an_end_without_a_leave_is_an_abandonment():
    (leg,) = legs(call("queued", 0), call("ended", 7))
    assert (leg["outcome"], leg["abandoned_at"], leg["left_at"], leg["wait_ms"]) == (
        "abandoned",
        None,
        ms(7),
        7000,
    )


def test_a_bots_answer_is_no_human_answer():
    events = [call("queued", 0), call("answered", 4, answered_by="bot")]
    (leg,) = legs(*events)
    assert (leg["outcome"], leg["answered_by"]) == ("bot_answered", "bot")
    assert contact(*events)["first_answered_at"] is None


def test_attempts_and_destinations_are_kept():
    (leg,) = legs(
        call("queued", 0),
        call("callback_attempted", 3, outcome="busy"),
        call("transferred", 5, to_queue_id="z"),
    )
    assert (leg["attempt_outcome"], leg["to_queue"], leg["outcome"]) == ("busy", "z", "transferred")


def test_a_partial_chain_has_legs_and_no_contact():
    events = [call("queued", 0, contact="c2", initial_contact_id="c")]
    assert contact(*events) is None
    assert [leg["deleted"] for leg in legs(*events)] == [0]


def test_a_leg_without_its_first_fact_is_a_deleted_row():
    assert [leg["deleted"] for leg in legs(call("ended", 5))] == [1]
    assert contact(call("ended", 5))["deleted"] == 1


def test_an_erased_chain_leaves_keys_alone():
    events = [*callback_story(), call("deleted", 700)]
    row = contact(*events)
    assert row["deleted"] == 1
    assert (row["customer_ref"], row["account"], row["first_enqueued_at"]) == ("", "", None)
    assert sorted(leg["contact_id"] for leg in legs(*events)) == ["c", "cb"]
    assert {leg["agent_id"] for leg in legs(*events)} == {""}
    assert {leg["deleted"] for leg in legs(*events)} == {1}


def test_a_void_leg_is_still_named():
    """A correction moved the only fact of leg l1 to l2."""
    events = [call("queued", 0, leg="l1", id="e1"), call("queued", 0, leg="l2", id="e2", corrects="e1")]
    assert [(leg["leg"], leg["deleted"]) for leg in legs(*events)] == [("l1", 1), ("l2", 0)]
    assert contact(*events)["legs"] == 1


def test_a_contradiction_stands_on_leg_and_contact_and_gives_no_wait():
    events = [call("queued", 10), call("answered", 5)]
    assert contact(*events)["contradiction"] == "leave_before_begin"
    (leg,) = legs(*events)
    assert (leg["contradiction"], leg["wait_ms"]) == ("leave_before_begin", None)


def test_the_order_of_events_makes_no_difference():
    story = callback_story()
    assert contact(*story) == contact(*reversed(story))
    assert legs(*story) == legs(*reversed(story))
