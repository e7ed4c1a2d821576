"""Surveys, accounts, agents: laws of the merge, and every number equal to the oracle's and the buckets'."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.metrics.buckets import DAY, LIVE, add
from pipeline.metrics.catalogue import METRICS, definition_of, read_window
from pipeline.metrics.definitions import declare
from pipeline.metrics.windows import DAY_WINDOWS, Window, day_number, local_date, midnight
from pipeline.replay.answer import answer
from pipeline.replay.question import Question
from pipeline.state.partition import Partition
from pipeline.state.retention import NO_HORIZONS
from tests import voice_oracle as oracle
from tests.builders import Record
from tests.voice_strategies import FRIDAY, SLOT_MS, TENANTS, histories, raw

DEFINITIONS = declare({"tenants": TENANTS})
STREAMS = ("survey", "account", "agent")
LAW = settings(max_examples=60)
streams = pytest.mark.parametrize("stream", STREAMS)


def partition(stream, told, batches=1):
    found = Partition(DEFINITIONS, NO_HORIZONS, stream=stream, check_future=False)
    lines = [Record(offset, raw(said)) for offset, said in enumerate(told)]
    size = max(1, -(-len(lines) // batches))
    for first in range(0, len(lines), size):
        assert found.apply(lines[first : first + size]).dead_letters == []
    return found


def state(found):
    buckets = {key: cells for key, cells in found.ledger.buckets.items() if cells}
    return found.entities.by_key, buckets, found.watermark


def population(stream, told):
    return {stream: partition(stream, told).entities.by_key}


@streams
@LAW
@given(data=st.data())
def test_any_order_and_split_and_repetition_gives_the_same_state(stream, data):
    told = data.draw(histories(stream))
    one = state(partition(stream, told))
    assert state(partition(stream, told, data.draw(st.integers(2, 5)))) == one
    shuffled = data.draw(st.permutations([*told, *told[: len(told) // 2]]))
    assert state(partition(stream, shuffled)) == one


@streams
@LAW
@given(data=st.data())
def test_voided_event_leaves_what_would_be_there_had_it_never_been_sent(stream, data):
    told = data.draw(histories(stream))
    gone = {**data.draw(st.sampled_from(told)), "id": "gone"}
    gone.pop("corrects", None)
    if gone["type"].endswith((".voided", ".deleted")):
        return
    void = {**gone, "id": "void", "type": f"pulse.{stream}.voided", "corrects": "gone"}
    without, with_it = (
        partition(stream, told),
        partition(stream, data.draw(st.permutations([*told, gone, void]))),
    )
    assert state(with_it)[1] == state(without)[1]
    without_facts = {key: entity.facts for key, entity in without.entities.by_key.items() if entity.facts}
    assert {key: e.facts for key, e in with_it.entities.by_key.items() if e.facts} == without_facts


@streams
@LAW
@given(data=st.data())
def test_erasing_takes_every_contribution_back_and_nothing_revives_it(stream, data):
    told = data.draw(histories(stream))
    erase = [
        {**said, "id": f"erase{index}", "type": f"pulse.{stream}.deleted"} for index, said in enumerate(told)
    ]
    found = partition(stream, data.draw(st.permutations([*told, *erase])))
    assert {key: cells for key, cells in found.ledger.buckets.items() if cells} == {}


@streams
@LAW
@given(data=st.data())
def test_buckets_are_what_the_entities_add_up_to(stream, data):
    found = partition(stream, data.draw(histories(stream)), batches=3)
    fresh = Partition(DEFINITIONS, NO_HORIZONS, stream=stream)
    for key, entity in found.entities.by_key.items():
        tenant = key.partition("|")[0]
        parts = found.kind.counting(DEFINITIONS, tenant)(entity)
        fresh.ledger.post(tenant, [], parts, "", found.watermark)
    assert state(found)[1] == {key: cells for key, cells in fresh.ledger.buckets.items() if cells}


DIMS = {
    "survey": [{}, {"tenant": "t"}, {"queue": "q"}, {"tenant": "acme", "queue": ""}],
    "stage_moves": [
        {"tenant": "t"},
        {"tenant": "t", "from": "onboarding"},
        {"tenant": "acme", "to": "other"},
    ],
    "time_in_stage": [{"tenant": "t"}, {"tenant": "acme", "stage": "adoption"}],
    "internal_mobility": [{"tenant": "t"}, {"tenant": "acme"}],
    "attrition": [{"tenant": "t"}, {"tenant": "acme"}],
    "accounts_in_stage": [{}, {"tenant": "t"}, {"stage": "onboarding"}, {"tenant": "t", "stage": "other"}],
    "headcount": [{}, {"tenant": "t"}, {"department": "support"}, {"tenant": "t", "department": "sales"}],
}


def agree(number, expected):
    value, n = expected
    assert number.value == (None if value is None else pytest.approx(value, rel=1e-12, abs=1e-12))
    assert number.n == n


@pytest.mark.parametrize("metric", sorted(oracle.SURVEYS))
@settings(max_examples=50)
@given(data=st.data())
def test_numbers_of_surveys_are_the_oracles_in_replay_and_in_buckets(metric, data):
    told = data.draw(histories("survey"))
    dims = data.draw(st.sampled_from(DIMS["survey"]))
    start = data.draw(st.integers(0, 200))
    span = Window(FRIDAY + start * SLOT_MS, FRIDAY + (start + data.draw(st.integers(1, 400))) * SLOT_MS)
    found = partition("survey", told)
    expected = oracle.SURVEYS[metric](told, *span, dims, None)
    number = answer({"survey": found.entities.by_key}, Question(metric, None, dims, span), DEFINITIONS)
    agree(number, expected)
    assert number == from_live_buckets(found, metric, dims, span)
    if metric == "nps" and number.n:
        half = oracle.nps_half(told, *span, dims, None)
        assert (number.low, number.high) == pytest.approx((number.value - half, number.value + half))


def from_live_buckets(found, name, dims, span):
    metric, cells = METRICS[name], {}
    for (grain, family, tenant, (queue,), start), parts in found.ledger.buckets.items():
        place = {"tenant": tenant, "queue": queue}
        is_asked = grain == LIVE and family == metric.families[0] and dims.items() <= place.items()
        if is_asked and span.start <= start < span.end:
            add(cells, tuple(sum(parts.items(), ())), 1)
    return read_window(metric, cells, definition_of(metric, None), DEFINITIONS)


@pytest.mark.parametrize("metric", sorted(oracle.SURVEYS))
@settings(max_examples=40)
@given(data=st.data())
def test_numbers_of_surveys_at_past_instants_are_the_oracles(metric, data):
    told, name = data.draw(histories("survey")), data.draw(st.sampled_from(DAY_WINDOWS))
    at = FRIDAY + data.draw(st.integers(0, 300)) * SLOT_MS
    dims = {"tenant": data.draw(st.sampled_from(sorted(TENANTS)))}
    span = oracle.window(name, at, DEFINITIONS.zone(dims["tenant"]))
    question = Question(metric, None, dims, None, at, name)
    agree(
        answer(population("survey", told), question, DEFINITIONS),
        oracle.SURVEYS[metric](told, *span, dims, at),
    )


def stream_of(metric):
    return METRICS[metric].joint_stream


@pytest.mark.parametrize("metric", sorted(oracle.DAYS))
@settings(max_examples=40)
@given(data=st.data())
def test_numbers_of_stages_and_staff_are_the_oracles_between_local_midnights(metric, data):
    told = data.draw(histories(stream_of(metric)))
    dims = data.draw(st.sampled_from(DIMS[metric]))
    zone = DEFINITIONS.zone(dims["tenant"])
    first = local_date(FRIDAY, zone) + timedelta(days=data.draw(st.integers(-1, 8)))
    last = first + timedelta(days=data.draw(st.integers(1, 40)))
    span = Window(midnight(first, zone), midnight(last, zone))
    number = answer(population(stream_of(metric), told), Question(metric, None, dims, span), DEFINITIONS)
    agree(number, oracle.DAYS[metric](told, *span, dims, None))


@pytest.mark.parametrize("metric", sorted(oracle.DAYS))
@settings(max_examples=50)
@given(data=st.data())
def test_numbers_of_stages_and_staff_at_past_instants_are_the_oracles(metric, data):
    told, name = data.draw(histories(stream_of(metric))), data.draw(st.sampled_from(DAY_WINDOWS))
    dims = data.draw(st.sampled_from(DIMS[metric]))
    at = FRIDAY + data.draw(st.integers(0, 45 * 48)) * SLOT_MS
    span = oracle.window(name, at, DEFINITIONS.zone(dims["tenant"]))
    question = Question(metric, None, dims, None, at, name)
    agree(
        answer(population(stream_of(metric), told), question, DEFINITIONS),
        oracle.DAYS[metric](told, *span, dims, at),
    )


@pytest.mark.parametrize("metric", sorted(oracle.LEVELS))
@settings(max_examples=40)
@given(data=st.data())
def test_levels_at_any_instant_are_the_oracles(metric, data):
    told = data.draw(histories(stream_of(metric)))
    dims = data.draw(st.sampled_from(DIMS[metric]))
    at = FRIDAY + data.draw(st.integers(-1, 45 * 48)) * SLOT_MS
    number = answer(population(stream_of(metric), told), Question(metric, None, dims, None, at), DEFINITIONS)
    agree(number, oracle.LEVELS[metric](told, at, dims))


def prefix_sum(found, family, tenant, dims, cell, last_day):
    return sum(
        cells.get(cell, 0)
        for (grain, name, whose, named, day), cells in found.ledger.buckets.items()
        if (grain, name, whose, named) == (DAY, family, tenant, dims) and day <= day_number(last_day)
    )


@LAW
@given(told=histories("agent"), tenant=st.sampled_from(sorted(TENANTS)), after=st.integers(0, 70))
def test_prefix_sums_of_days_say_who_moved_and_left_and_who_is_there(told, tenant, after):
    found, zone = partition("agent", told), DEFINITIONS.zone(tenant)
    day = local_date(FRIDAY, zone) + timedelta(days=after)
    end = midnight(day + timedelta(days=1), zone) - 1
    agents = list(oracle.entities(told, "agent_id", tenant))
    for window in DAY_WINDOWS:
        span = oracle.window(window, end, zone)
        counted = [prefix_sum(found, "staff_steps", tenant, (window,), cell, day) for cell in (0, 1, 2)]
        at_start = oracle.headcount(told, span[0] - 1, {"tenant": tenant})[0]
        assert counted == [
            *(sum(was(facts, *span) for facts in agents) for was in (oracle.moved, oracle.left)),
            at_start,
        ]
    there = [
        prefix_sum(found, "headcount", tenant, (department,), 0, day)
        for department in ("support", "sales", "product")
    ]
    assert sum(there) == oracle.headcount(told, end, {"tenant": tenant})[0]


@LAW
@given(told=histories("account"), tenant=st.sampled_from(sorted(TENANTS)), after=st.integers(0, 45))
def test_prefix_sums_of_days_say_which_account_is_in_which_stage(told, tenant, after):
    found, zone = partition("account", told), DEFINITIONS.zone(tenant)
    day = local_date(FRIDAY, zone) + timedelta(days=after)
    end = midnight(day + timedelta(days=1), zone) - 1
    for stage in (*oracle.STAGES, "other"):
        there = prefix_sum(found, "stage_steps", tenant, (stage,), 0, day)
        assert there == oracle.accounts_in_stage(told, end, {"tenant": tenant, "stage": stage})[0]


@streams
@LAW
@given(data=st.data())
def test_families_kept_by_the_day_have_no_live_buckets(stream, data):
    found = partition(stream, data.draw(histories(stream)))
    kept = {key[0] for key in found.ledger.buckets}
    assert kept <= ({LIVE, DAY} if stream == "survey" else {DAY})
