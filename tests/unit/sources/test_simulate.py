import json
import random
from collections import defaultdict
from datetime import datetime
from itertools import islice, pairwise, takewhile
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from pipeline.sources.agenda import Agenda
from pipeline.sources.floor import Floor
from pipeline.sources.simulate import CallCentre, Chaos, Queue, encode, simulate

SCHEMAS = Path(__file__).parents[3] / "schemas"
START_MS = 1_772_442_000_000  # 2026-03-02T09:00:00Z
HOUR_MS = 3_600_000
CHAOS = Chaos(duplicate_share=0.05, late_share=0.1, correction_share=0.03, void_share=0.03)

# What may follow what in one leg; None is the beginning, a scheduled callback is told by `queued` too.
NEXT = {
    None: {"initiated", "queued"},
    "initiated": {"queued", "callback_requested", "ended"},
    "queued": {"answered", "abandoned", "callback_requested", "callback_attempted", "flowed_out", "ended"},
    "callback_attempted": {"answered", "flowed_out"},
    "answered": {"transferred", "ended"},
    "transferred": {"ended"},
    "abandoned": {"ended"},
    "callback_requested": {"ended"},
    "flowed_out": {"ended"},
    "ended": set(),
}


def records(count, seed=1, **params):
    return list(islice(simulate(CallCentre(**params), seed, START_MS), count))


def hours(count, seed=1, **params):
    end = START_MS + count * HOUR_MS
    return list(takewhile(lambda r: r.deliver_at_ms < end, simulate(CallCentre(**params), seed, START_MS)))


def what(event):
    return event["type"].removeprefix("pulse.call.")


def ms(text):
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def by_leg(found):
    legs = defaultdict(list)
    for record in found:
        legs[record.event["data"]["leg"]].append(record.event)
    return legs


def validator():
    envelope, call = (json.loads((SCHEMAS / f"{n}.schema.json").read_text()) for n in ("envelope", "call"))
    return Draft202012Validator(call, registry=Resource.from_contents(envelope) @ Registry())


def test_same_arguments_tell_the_same_story():
    assert records(5000, chaos=CHAOS) == records(5000, chaos=CHAOS)


def test_the_global_randomness_is_left_alone():
    before = random.getstate()
    records(1000, chaos=CHAOS)
    assert random.getstate() == before


@pytest.mark.parametrize(("seed", "start_ms"), [(2, START_MS), (1, START_MS + 1)])
def test_another_seed_or_start_shares_no_ids(seed, start_ms):
    other = list(islice(simulate(CallCentre(), seed, start_ms), 1000))
    for name in (lambda r: r.event["id"], lambda r: r.event["data"]["contact_id"]):
        assert not set(map(name, records(1000))) & set(map(name, other))


def test_every_event_validates_against_the_schema():
    schema = validator()
    for record in records(1500, chaos=CHAOS):
        schema.validate(json.loads(encode(record.event)))


def test_every_type_occurs_except_erasure():
    told = {what(r.event) for r in records(20_000, chaos=CHAOS)}
    assert told == (NEXT.keys() - {None}) | {"voided"}


def test_encoded_event_reads_back_as_itself():
    for record in records(500):
        assert json.loads(encode(record.event)) == record.event


def test_event_ids_are_unique():
    found = records(20_000)
    assert len({r.event["id"] for r in found}) == len(found)


def test_records_come_in_order_of_delivery():
    times = [r.deliver_at_ms for r in records(20_000, chaos=CHAOS)]
    assert times == sorted(times)


def test_undisturbed_records_are_delivered_at_their_time():
    assert all(r.deliver_at_ms == ms(r.event["time"]) for r in records(2000))


def test_nothing_happens_before_the_start():
    assert records(1)[0].deliver_at_ms >= START_MS


def test_key_names_the_chain():
    for key, event in ((r.key, r.event) for r in records(2000, chaos=CHAOS)):
        assert key.decode() == f"{event['tenantid']}|{event['data']['initial_contact_id']}"


def test_every_event_of_a_leg_follows_its_predecessor():
    for events in by_leg(records(30_000)).values():
        path = [None, *map(what, events)]
        assert all(later in NEXT[earlier] for earlier, later in pairwise(path)), path


def test_a_queue_belongs_to_one_tenant():
    owners = {
        (r.event["tenantid"], r.event["data"]["queue_id"]) for r in records(5000) if what(r.event) == "queued"
    }
    assert owners == {("acme", "billing"), ("acme", "technical"), ("acme", "sales"), ("globex", "support")}


def test_an_unscheduled_leg_is_in_the_queue_when_it_is_queued():
    for event in (r.event for r in records(20_000) if what(r.event) == "queued"):
        enqueued_at = event["data"].get("enqueued_at")
        assert enqueued_at is None or (event["data"]["callback"] and ms(enqueued_at) >= ms(event["time"]))


def test_no_leg_leaves_before_it_is_in_the_queue():
    for first, *rest in by_leg(records(30_000)).values():
        for event in rest:
            begins = first["data"].get("enqueued_at", first["time"])
            assert ms(event["time"]) >= ms(begins)


def test_talk_begins_between_answer_and_end():
    checked = 0
    for events in by_leg(records(20_000)).values():
        told = {what(event): event for event in events}
        talk = told.get("answered", {"data": {}})["data"].get("talk_started_at")
        if talk and "ended" in told:
            checked += 1
            assert told["answered"]["time"] <= talk <= told["ended"]["time"]
    assert checked > 500


def test_a_callback_is_a_new_contact_of_the_chain_that_asked_for_it():
    asked = set()
    for event in (r.event for r in records(20_000)):
        data = event["data"]
        if what(event) == "callback_requested":
            asked.add(data["initial_contact_id"])
        if data.get("callback"):
            assert data["contact_id"] != data["initial_contact_id"]
            assert data["initial_contact_id"] in asked
    assert asked


def test_a_transferred_leg_goes_on_in_the_queue_it_was_sent_to():
    sent = {}
    for event in (r.event for r in records(20_000)):
        data = event["data"]
        if what(event) == "transferred":
            sent[data["contact_id"]] = data["to_queue_id"]
        elif what(event) == "queued" and data["leg"] != data["contact_id"]:
            assert sent.pop(data["contact_id"]) == data["queue_id"]
    assert not sent


def test_a_bot_answers_at_most_the_first_leg_of_a_contact():
    answers = [r.event["data"] for r in records(20_000) if what(r.event) == "answered"]
    bots = [data for data in answers if data.get("answered_by") == "bot"]
    assert bots
    assert all(data["leg"] == data["initial_contact_id"] for data in bots)


def test_queues_form_within_five_minutes_of_a_demonstration():
    waiting = set()
    for at_ms, _, event in simulate(CallCentre(rate=20), 1, START_MS):
        if at_ms > START_MS + 5 * 60_000:
            break
        leg = event["data"]["leg"]
        waiting.add(leg) if what(event) == "queued" else waiting.discard(leg)
    assert len(waiting) >= 10


@pytest.mark.parametrize("rate", [5, 25])
def test_rate_is_the_number_of_events_per_second(rate):
    late = [r for r in hours(2, rate=rate) if r.deliver_at_ms >= START_MS + HOUR_MS]
    assert len(late) / 3600 == pytest.approx(rate, rel=0.05)


def test_nobody_abandons_when_patience_has_no_end():
    found = hours(3, patience_seconds=None, callback_share=0, flow_out_share=0)
    assert not {what(r.event) for r in found} & {"abandoned"}


def test_a_full_queue_flows_out():
    found = hours(2, patience_seconds=None, overflow_per_agent=0.5, menu_callback_share=0)
    reasons = {r.event["data"]["reason"] for r in found if what(r.event) == "flowed_out"}
    assert reasons == {"overflow"}


def test_arrivals_follow_the_daily_shape():
    # hour of day   9    10   11   12
    # factor        1    0    0.5  1     (09:00 is the start)
    shape = tuple({10: 0.0, 11: 0.5}.get(hour, 1.0) for hour in range(24))
    arrivals = defaultdict(int)
    for record in hours(4, rate=20, daily_shape=shape, menu_share=1):
        if what(record.event) == "initiated":
            arrivals[(record.deliver_at_ms - START_MS) // HOUR_MS] += 1
    assert arrivals[1] == 0
    assert arrivals[2] / arrivals[3] == pytest.approx(0.5, rel=0.05)
    assert arrivals[0] == pytest.approx(arrivals[3], rel=0.05)


def test_memory_is_that_of_the_legs_not_yet_over():
    agenda = Agenda(START_MS)
    Floor(CallCentre(), random.Random(1), agenda, lambda _: None, "run")
    sizes = []
    for _ in range(100_000):
        agenda.step()
        sizes.append(len(agenda))
    assert max(sizes[50_000:]) <= 2 * max(sizes[10_000:50_000])


@pytest.mark.parametrize(
    "params",
    [
        {"queues": ()},
        {"queues": (Queue(tenant="t", queue_id="q", contacts_per_hour=1, agents=0),)},
        {"queues": 2 * (Queue(tenant="t", queue_id="q", contacts_per_hour=1, agents=1),)},
        {"rate": 0},
        {"service_seconds": 0},
        {"patience_seconds": -1},
        {"patience_seconds": None, "overflow_per_agent": None},
        {"transfer_share": 1.1},
        {"callback_share": 0.6, "flow_out_share": 0.6},
        {"daily_shape": (1.0,) * 23},
        {"chaos": Chaos(late_share=-0.1)},
        {"chaos": Chaos(correction_share=0.6, void_share=0.6)},
        {"chaos": Chaos(late_seconds=-1)},
    ],
)
def test_impossible_centres_are_refused(params):
    with pytest.raises(ValueError):
        CallCentre(**params)


def test_all_faults_are_named_at_once():
    with pytest.raises(ValueError, match=r"rate.*; .*menu_share"):
        CallCentre(rate=-1, menu_share=2)
