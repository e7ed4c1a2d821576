"""Tickets in any order, doubled, split and mended are the same tickets; and they say what the oracle says."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.entities.factset import FactSet, merge
from pipeline.entities.ticket_metrics import contributions
from pipeline.events.decoding import FactEvent
from pipeline.events.ticket import decode
from pipeline.metrics.buckets import DAY, LIVE, Level, add
from pipeline.metrics.catalogue import METRICS, definition_of, read_level, read_window
from pipeline.metrics.definitions import declare
from pipeline.metrics.families import FAMILIES, TICKETS
from pipeline.metrics.tickets import AGES
from pipeline.metrics.windows import Window, day_number, day_span, local_date
from pipeline.replay.answer import answer
from pipeline.replay.question import Question
from pipeline.state.partition import Partition
from pipeline.state.retention import NO_HORIZONS
from tests import ticket_oracle as oracle
from tests.builders import HOUR, Record, ms
from tests.tickets import event, histories

TENANTS = {
    "t": {
        "tz": "Europe/Bucharest",
        "business_hours": {day: ["09:00-12:30", "13:30-17:00"] for day in ("mon", "tue", "thu")},
        "holidays": ["2026-03-03"],
    }
}
DEFINED = declare({"tenants": TENANTS, "frt_target": 2 * HOUR})
EDGES = [ms(hours * HOUR) for hours in (-24, 0, 24, 36, 120)]
GROUPS = st.sampled_from([None, "", "g", "h"])


def partition(told, batches=1):
    found = Partition(DEFINED, NO_HORIZONS, stream="ticket", check_future=False)
    records = [Record(offset, json.dumps(said).encode()) for offset, said in enumerate(told)]
    size = max(1, -(-len(records) // batches))
    for first in range(0, len(records), size):
        applied = found.apply(records[first : first + size])
        assert not applied.dead_letters
    return found


def held(found):
    """What a partition holds for its readers, without what is empty."""
    levels = {key: level.value() for key, level in found.ledger.levels.items() if level.instants}
    return found.entities.by_key, {k: v for k, v in found.ledger.buckets.items() if v}, levels


def asked(found, name, definition=None, **more):
    return answer(
        {"ticket": found.entities.by_key},
        Question(name, definition, **more),
        DEFINED,
    )


@settings(max_examples=150, deadline=None)
@given(histories(), st.randoms(use_true_random=False), st.integers(1, 4))
def test_any_order_repetition_and_split_gives_the_same_tickets_buckets_and_levels(told, chance, batches):
    shuffled = [*told, *told]
    chance.shuffle(shuffled)
    assert held(partition(shuffled, batches)) == held(partition(told))


@settings(max_examples=150, deadline=None)
@given(histories())
def test_buckets_are_the_sum_of_contributions(told):
    found = partition(told)
    sums, levels = {}, {}
    for key, ticket in found.entities.by_key.items():
        tenant = key.partition("|")[0]
        for family, dims, at, cells in contributions(ticket, DEFINED, tenant):
            if LIVE in FAMILIES[family].grains:
                add(sums.setdefault((family, tenant, dims, at - at % 10_000), {}), cells, 1)
            else:
                levels.setdefault((family, tenant, dims), Level()).add(at, cells, 1)
    _, buckets, kept = held(found)
    live = {key[1:]: cells for key, cells in buckets.items() if key[0] == LIVE}
    nonzero = {key: {cell: n for cell, n in cells.items() if n} for key, cells in sums.items()}
    assert live == {key: cells for key, cells in nonzero.items() if cells}
    assert kept == {key: level.value() for key, level in levels.items()}


@settings(max_examples=150, deadline=None)
@given(histories(erased=False), st.data())
def test_a_voided_event_leaves_what_would_be_there_had_it_never_been_sent(told, data):
    void = data.draw(st.sampled_from(told))
    name = (void["tenantid"], void["data"]["ticket_id"], void["id"])
    place = {"tenantid": void["tenantid"], "ticket": void["data"]["ticket_id"]}
    voiding = event("voided", 0, id="voiding", corrects=void["id"], **place)

    def named(said):
        return said["tenantid"], said["data"]["ticket_id"], said["id"]

    # A void may itself void: what it voids stays void also when it is void, so it is kept.
    without = [said for said in told if named(said) != name or said.get("corrects")]
    expected, mended = held(partition([*without, voiding])), held(partition([*told, voiding]))
    assert mended[1:] == expected[1:]


@settings(max_examples=80, deadline=None)
@given(histories())
def test_an_erased_ticket_leaves_nothing(told):
    erased = [event("deleted", 0, ticket=k, tenantid=t, id=f"x{t}{k}") for k in "kl" for t in "tu"]
    _, buckets, levels = held(partition([*erased, *told]))
    assert (buckets, levels) == ({}, {})
    assert held(partition([*told, *erased]))[1:] == ({}, {})


def compare(number, expected):
    value, n = expected
    assert number.value == (None if value is None else pytest.approx(value, rel=1e-12))
    assert n is None or number.n == n


@settings(max_examples=300, deadline=None)
@given(histories(), GROUPS, st.sampled_from([None, "t", "u"]), st.sampled_from([None, "mail", ""]))
def test_windows_say_what_the_oracle_says(told, group, tenant, channel):
    found = partition(told)
    asked_of = {"group": group, "tenant": tenant, "channel": channel}
    for dims in ({}, {name: value for name, value in asked_of.items() if value is not None}):
        tickets = oracle.chosen(oracle.tickets(told), dims.get("tenant"), dims.get("channel"))
        for start, end in pairwise(EDGES):
            for name, read in oracle.WINDOWS.items():
                number = asked(found, name, span=Window(start, end), dims=dims)
                compare(number, read(oracle.Asked(tickets, start, end, dims.get("group"), TENANTS)))


@settings(max_examples=200, deadline=None)
@given(histories(), st.integers(0, 200), GROUPS)
def test_past_instants_say_what_the_oracle_says(told, hours, group):
    found, now = partition(told), ms(hours * HOUR + 5)
    dims = {} if group is None else {"group": group}
    then = oracle.Asked(oracle.tickets(told, now), 0, now + 1, group, TENANTS)
    compare(asked(found, "backlog", at=now, dims=dims), oracle.backlog(then, now))
    for age, (least, most) in AGES.items():
        expected = oracle.backlog(then, now, least, most or float("inf"))
        compare(asked(found, "backlog", at=now, dims={**dims, "age": age}), expected)
    for target in (2 * HOUR, HOUR / 2):
        definition = None if target == 2 * HOUR else {"target": target}
        overdue = oracle.frt_overdue(then, now, round(target * 1000))
        compare(asked(found, "frt_overdue", definition, at=now, dims=dims), overdue)
        oldest = oracle.oldest_overdue(then, now, round(target * 1000))
        compare(asked(found, "frt_overdue_oldest", definition, at=now, dims=dims), oldest)
    if group is None:
        compare(asked(found, "quarantined", at=now), oracle.quarantined(then))


@settings(max_examples=150, deadline=None)
@given(histories(), st.integers(0, 300))
def test_windows_that_end_at_an_instant_count_what_was_known_then(told, hours):
    found, now = partition(told), ms(hours * HOUR)
    for name, read in oracle.WINDOWS.items():
        for tenant in ("t", "u"):
            zone = DEFINED.zone(tenant)
            start = day_span(day_number(local_date(now, zone)), zone).start
            ripe = now - oracle.HOURS_72 if name == "reopen_rate" else None
            then = oracle.chosen(oracle.tickets(told, now), tenant)
            expected = read(oracle.Asked(then, start, now + 1, None, TENANTS, ripe))
            compare(asked(found, name, at=now, window="today", dims={"tenant": tenant}), expected)


@settings(max_examples=150, deadline=None)
@given(histories())
def test_day_buckets_and_levels_say_what_replay_says(told):
    """The board's way: cells of a local day; level values with their counts of ten seconds."""
    found = partition(told)
    buckets, now = found.ledger.buckets, ms(400 * HOUR)
    for key, cells in buckets.items():
        if key[0] == DAY and key[1] == TICKETS.name:
            tenant, dims = key[2], {"tenant": key[2], "group": key[3][0], "channel": key[3][1]}
            span = day_span(key[4], DEFINED.zone(tenant))
            for metric in (METRICS[name] for name in oracle.WINDOWS):
                read = read_window(metric, cells, definition_of(metric, None), DEFINED)
                assert read == asked(found, metric.name, span=span, dims=dims)
    for family, name in (("backlog", "backlog"), ("unanswered", "frt_overdue")):
        levels = [level.value() for key, level in found.ledger.levels.items() if key[0] == family]
        assert read_level(METRICS[name], levels, now, DEFINED) == asked(found, name, at=now)


def test_merging_the_same_fact_set_as_the_state_log_keeps():
    told = decode(json.dumps(event("created", 0)).encode())
    assert isinstance(told, FactEvent)
    ticket = FactSet([], [])
    merge(ticket, told)
    assert ticket.facts == [told.fact]
