"""The simulated business tells one story per seed, in order, of lives that make sense."""

import random
from collections import Counter, defaultdict
from itertools import islice, takewhile

import pytest

from pipeline.sources.business.gaming import KINDS, SOURCE, gaming_days
from pipeline.sources.business.params import DAY_MS, Business, Gaming
from pipeline.sources.business.story import simulate_business
from pipeline.sources.business.world import STREAMS
from pipeline.sources.centre import CallCentre, Chaos
from pipeline.sources.everything import simulate_all

START_MS = 1_772_442_000_000  # 2026-03-02T09:00:00Z, a Monday
SMALL = Business(accounts=40)


def days(count, seed=1, params=SMALL):
    end = START_MS + count * DAY_MS
    return list(takewhile(lambda r: r.deliver_at_ms < end, simulate_business(params, seed, START_MS)))


@pytest.fixture(scope="module")
def half_a_year():
    return days(180)


def of(records, *types):
    return [record.event for record in records if record.event["type"].removeprefix("pulse.") in types]


def test_same_arguments_tell_the_same_story():
    assert days(30) == days(30)


def test_the_global_randomness_is_left_alone():
    before = random.getstate()
    days(20)
    assert random.getstate() == before


@pytest.mark.parametrize(("seed", "start_ms"), [(2, START_MS), (1, START_MS + 1)])
def test_another_seed_or_start_shares_no_accounts_and_no_ids(seed, start_ms):
    other = list(islice(simulate_business(SMALL, seed, start_ms), 3000))
    for name in ("id", "accountid"):
        told = {r.event.get(name) for r in islice(simulate_business(SMALL, 1, START_MS), 3000)}
        assert not (told & {r.event.get(name) for r in other}) - {None}


def test_records_of_all_streams_come_in_one_order_of_time(half_a_year):
    times = [r.deliver_at_ms for r in half_a_year]
    assert times == sorted(times)
    assert {r.stream for r in half_a_year} == set(STREAMS)


def test_event_ids_are_unique_within_their_source(half_a_year):
    names = Counter((r.event["source"], r.event["id"]) for r in half_a_year)
    assert max(names.values()) == 1


def test_key_names_tenant_and_entity(half_a_year):
    entity = {"call": "initial_contact_id", "ticket": "ticket_id", "survey": "survey_id", "agent": "agent_id"}
    for key, event, stream in ((r.key.decode(), r.event, r.stream) for r in half_a_year):
        name = event["data"][entity[stream]] if stream in entity else event["accountid"]
        assert key == f"{event['tenantid']}|{name}"


def test_nobody_has_a_name_or_an_address(half_a_year):
    assert not any("@" in value for r in half_a_year for value in map(str, r.event["data"].values()))


def test_the_crowd_leaves_the_customers_story_as_it_is():
    end = START_MS + 12 * DAY_MS
    alone = [r for r in days(12) if r.stream == "call"]
    for rate in (0.1, 0.3):
        told = simulate_all(SMALL, CallCentre(rate=rate), 1, START_MS, end - DAY_MS, ("call",))
        found = list(takewhile(lambda r: r.deliver_at_ms < end, told))
        crowd = [r for r in found if r.event["source"] == "/pulse/simulate"]
        assert len(crowd) > 5000
        assert [r for r in found if r.event["source"] != "/pulse/simulate"] == alone


def test_streams_left_out_change_nothing_of_the_others():
    end = START_MS + 12 * DAY_MS
    told = simulate_all(SMALL, CallCentre(rate=1), 1, START_MS, end, ("ticket", "survey"))
    found = list(takewhile(lambda r: r.deliver_at_ms < end, told))
    assert found == [r for r in days(12) if r.stream in {"ticket", "survey"}]


def test_chaos_mends_every_stream_by_its_own_voided():
    end = START_MS + 30 * DAY_MS
    crowd = CallCentre(rate=0.1, chaos=Chaos(void_share=0.2))
    told = simulate_all(SMALL, crowd, 1, START_MS, end, STREAMS)
    voids = {
        r.stream
        for r in takewhile(lambda r: r.deliver_at_ms < end, told)
        if r.event["type"].endswith(".voided")
    }
    assert voids == set(STREAMS)


def test_a_customer_signs_up_pays_and_uses_in_this_order(half_a_year):
    first = {}
    for event in (r.event for r in half_a_year if "accountid" in r.event):
        first.setdefault((event["accountid"], event["type"]), event["time"])
    checked = 0
    for (account, what), time in first.items():
        if what == "pulse.subscription.started":
            checked += 1
            assert first[account, "pulse.account.created"] <= first[account, "pulse.usage.signed_up"] <= time
            assert first[account, "pulse.subscription.paid"] >= time
    assert checked > 40


def test_who_has_left_uses_and_asks_nothing_until_it_comes_back(half_a_year):
    gone = set()
    asking = {
        "pulse.usage.feature_used", "pulse.usage.session_started", "pulse.ticket.created",
        "pulse.subscription.paid",
    }  # fmt: skip
    left = 0
    for event in (r.event for r in half_a_year if "accountid" in r.event):
        account = event["accountid"]
        if event["type"] == "pulse.usage.left" and "user_ref" not in event["data"]:
            left += 1
            gone.add(account)
        elif event["type"] == "pulse.usage.signed_up":
            gone.discard(account)
        assert not (event["type"] in asking and account in gone), event
    assert left > 3


def test_only_users_who_signed_up_use(half_a_year):
    users = defaultdict(set)
    for event in of(half_a_year, "usage.signed_up", "usage.feature_used"):
        if event["type"] == "pulse.usage.signed_up":
            users[event["accountid"]].add(event["data"]["user_ref"])
        else:
            assert event["data"]["user_ref"] in users[event["accountid"]]


def test_money_is_in_the_currency_the_account_pays_in(half_a_year):
    currencies = defaultdict(set)
    for event in of(half_a_year, "subscription.started", "subscription.changed", "subscription.paid",
                    "subscription.services_invoiced"):  # fmt: skip
        currencies[event["accountid"]].add(event["data"]["currency"])
    assert all(len(found) == 1 for found in currencies.values())
    assert len(set().union(*currencies.values())) > 2


def test_a_ticket_is_created_first_and_solved_before_it_is_reopened(half_a_year):
    told = defaultdict(list)
    for record in half_a_year:
        if record.stream == "ticket":
            told[record.event["data"]["ticket_id"]].append(record.event)
    reopened = 0
    for events in told.values():
        assert events[0]["type"] == "pulse.ticket.created"
        is_solved = False
        for event in events[1:]:
            to = event["data"].get("to")
            if event["type"] == "pulse.ticket.reopened" or to == "open":
                assert is_solved, events
                reopened += 1
                is_solved = False
            is_solved = is_solved or event["type"] == "pulse.ticket.solved" or to == "solved"
    assert reopened > 5


def test_a_survey_is_answered_after_it_was_sent_about_the_same(half_a_year):
    sent = {event["data"]["survey_id"]: event for event in of(half_a_year, "survey.sent")}
    answers = of(half_a_year, "survey.answered")
    assert len(answers) > 100
    for event in answers:
        asked = sent[event["data"]["survey_id"]]
        assert asked["time"] <= event["time"]
        assert asked["data"].items() <= event["data"].items()


def test_an_agent_joins_once_and_leaves_at_most_once(half_a_year):
    told = Counter(
        (event["tenantid"], event["data"]["agent_id"], event["type"])
        for event in of(half_a_year, "agent.joined", "agent.left")
    )
    assert max(told.values()) == 1
    joined = {key[:2] for key in told if key[2] == "pulse.agent.joined"}
    assert {key[:2] for key in told} == joined
    for event in of(half_a_year, "ticket.assigned"):
        assert (event["tenantid"], event["data"]["agent_id"]) in joined


def test_gaming_is_planted_on_its_days_and_changes_nothing_else():
    gaming = Gaming(first_day=12)
    planted = list(days(18, params=Business(accounts=40, gaming=gaming)))
    honest = {(r.deliver_at_ms, repr(r.event)) for r in days(18)}
    found = [r for r in planted if r.event["source"] == SOURCE]
    assert {(r.deliver_at_ms, repr(r.event)) for r in planted if r.event["source"] != SOURCE} == honest
    on = gaming_days(gaming, START_MS)
    assert list(on) == list(KINDS)
    assert on["rushed"].isoformat() == "2026-03-14"
    begun = of(found, "call.queued", "ticket.created")
    known = {e["time"][:10] for e in begun if "accountid" in e}
    assert known == {day.isoformat() for day in on.values()}


def test_before_it_is_gamed_the_planted_line_is_honest_and_of_its_own():
    gaming = Gaming(first_day=12)
    planted = list(days(18, params=Business(accounts=40, gaming=gaming)))
    first = gaming_days(gaming, START_MS)["rushed"].isoformat()
    calls = [e for e in of(planted, "call.queued") if e["data"]["queue_id"] == gaming.queue]
    tickets = [e for e in of(planted, "ticket.created") if e["data"]["group_id"] == gaming.group]
    assert {e["source"] for e in (*calls, *tickets)} == {SOURCE}
    before = Counter(e["time"][:10] for e in calls if e["time"][:10] < first)
    assert len(before) >= 11  # the watch compares with at least seven
    assert min(before.values()) >= 20
    assert not [e for e in (*calls, *tickets) if e["time"][:10] < first and "accountid" in e]


@pytest.mark.parametrize("fault", [{"accounts": 0}, {"calls": 0}, {"tenants": ()}])
def test_impossible_businesses_are_refused(fault):
    with pytest.raises(ValueError):
        Business(**fault)
