"""Buckets are the sum of contributions, however the events are batched; and they say what the oracle says."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.entities.contact_metrics import contributions
from pipeline.metrics.buckets import DAY, LEVEL, LIVE, Level, add
from pipeline.metrics.catalogue import METRICS, definition_of, family_of, read_level, read_window
from pipeline.metrics.definitions import declare
from pipeline.metrics.families import FAMILIES, LATE
from pipeline.metrics.windows import Window, day_number, local_date
from pipeline.replay.answer import answer
from pipeline.replay.question import Question
from pipeline.state.partition import Partition
from pipeline.state.retention import NO_HORIZONS
from tests import chain_oracle, oracle
from tests.builders import UNDECLARED, event, ms, partition, records
from tests.strategies import CentreEvents, histories, streams, unambiguous

LAW = settings(max_examples=150)
DEFINITIONS = declare({"tenants": {"t": {"tz": "Asia/Kolkata"}, "acme": {"tz": "Europe/Bucharest"}}}, (7.0,))


def state(found):
    levels = {key: level.value() for key, level in found.ledger.levels.items() if level.instants}
    buckets = {key: cells for key, cells in found.ledger.buckets.items() if cells}
    return found.entities.by_key, buckets, levels, found.watermark, found.next_offset


def from_scratch(chains, definitions):
    """Contributions of every chain, added up anew."""
    buckets, levels = {}, {}
    for key, chain in chains.items():
        tenant = key.partition("|")[0]
        for family, dims, at, cells in contributions(chain, definitions.bounds_ms):
            if family in {"waiting", "quarantine"}:
                levels.setdefault((family, tenant, dims), Level()).add(at, cells, 1)
                continue
            day = day_number(local_date(at, definitions.zone(tenant)))
            for place in ((LIVE, family, tenant, dims, at - at % 10_000), (DAY, family, tenant, dims, day)):
                add(buckets.setdefault(place, {}), cells, 1)
    sums = {key: {cell: n for cell, n in cells.items() if n} for key, cells in buckets.items()}
    return {key: cells for key, cells in sums.items() if cells}, {
        k: level.value() for k, level in levels.items()
    }


@LAW
@given(streams(), st.integers(1, 9))
def test_any_split_into_batches_gives_the_same_state(told, batches):
    one = partition(told, definitions=DEFINITIONS)
    assert state(one) == state(partition(told, definitions=DEFINITIONS, batches=batches))


@LAW
@given(streams(), st.integers(1, 9))
def test_buckets_and_levels_are_what_the_chains_add_up_to(told, batches):
    found = partition(told, definitions=DEFINITIONS, batches=batches)
    chains, buckets, levels, *_ = state(found)
    assert (buckets, levels) == from_scratch(chains, DEFINITIONS)


@LAW
@given(histories(max_size=30), st.randoms(use_true_random=False))
def test_any_order_gives_the_same_state(told, shuffler):
    one = partition(told)
    shuffler.shuffle(told)
    assert state(one) == state(partition(told))


@LAW
@given(streams())
def test_every_event_twice_changes_nothing(told):
    once, twice = partition(told), partition([said for said in told for _ in range(2)])
    assert state(once)[:4] == state(twice)[:4]


@given(streams())
def test_outcomes_of_a_batch_add_up(told):
    found = Partition(DEFINITIONS, NO_HORIZONS, check_future=False)
    applied = found.apply(records(told))
    assert applied.consumed == len(told)
    assert applied.late == applied.ignored == 0
    assert applied.dead_letters == []
    assert found.watermark == max(oracle.instant(said["time"]) for said in told)


def window_asked(draw):
    start = draw(st.integers(-6, 40))
    return Window(ms(start * 10), ms((start + draw(st.integers(1, 60))) * 10))


DEFINED = {
    "asa_queue": [None, "created", {"by": "enqueue"}, {"name": "created", "by": "enqueue"}],
    "abandon_rate": [None, {"S": 7}, {"S": 20}],
    "service_level": [
        None, {"X": 7}, {"X": 30, "S": 7}, "all", "answered", {"name": "forgiving", "X": 10}, "amazon",
        {"name": "amazon", "X": 30}, "genesys", {"name": "genesys", "flowouts": True, "mature": False},
        {"name": "genesys", "drop_short": True, "S": 10}, {"name": "genesys", "drop_abandoned": True},
        {"name": "genesys", "flowouts": True, "drop_short": True, "drop_abandoned": True},
    ],
}  # fmt: skip


@st.composite
def questions(draw):
    """A window metric, how it is defined, over which window and which dimensions."""
    known = {*oracle.WINDOWS, *chain_oracle.CHAINS, *chain_oracle.RANKS}
    name = draw(st.sampled_from(sorted(known & set(METRICS))))
    by = [None, {"by": "enqueue"}] if "by" in METRICS[name].parameters else [None]
    definition = draw(st.sampled_from(DEFINED.get(name, by)))
    dims = draw(
        st.sampled_from([{}, {"queue": "q"}, {"queue": "billing"}, {"channel": "voice"}, {"tenant": "t"}])
    )
    if name == "asa_customer":
        dims = dims | draw(
            st.sampled_from([{}, {"path": "direct"}, {"path": "transfer"}, {"path": "callback"}])
        )
    return Question(name, definition, dims, window_asked(draw))


def by_oracle(told, question):
    asked = definition_of(METRICS[question.metric], question.definition)
    if question.metric in chain_oracle.CHAINS:
        return chain_oracle.CHAINS[question.metric](chain_oracle.chains(told), question.dims, *question.span)
    legs = oracle.chosen(oracle.legs(told), question.dims)
    by = "enqueue" if asked.get("by") else "leave"
    read = oracle.WINDOWS.get(question.metric) or chain_oracle.RANKS[question.metric]
    return read(oracle.Asked(legs, *question.span, by, asked))


def by_buckets(found, question):
    metric = METRICS[question.metric]
    definition = definition_of(metric, question.definition)
    family = family_of(metric, definition)
    total = {}
    for (grain, name, tenant, dims, start), cells in found.ledger.buckets.items():
        place = {"tenant": tenant, **dict(zip(FAMILIES[name].dims, dims, strict=True))}
        is_asked = grain == LIVE and name == family and question.dims.items() <= place.items()
        if is_asked and question.span.start <= start < question.span.end:
            for cell, amount in cells.items():
                total[cell] = total.get(cell, 0) + amount
    return read_window(metric, total, definition, DEFINITIONS)


@settings(max_examples=300)
@given(streams().map(unambiguous), st.lists(questions(), min_size=4, max_size=8))
def test_buckets_and_replay_and_oracle_give_the_same_numbers(told, asked):
    found = partition(told, definitions=DEFINITIONS, batches=3)
    for question in asked:
        value, n = by_oracle(told, question)
        from_buckets = by_buckets(found, question)
        from_facts = answer({"call": found.entities.by_key}, question, DEFINITIONS)
        if question.metric in chain_oracle.RANKS and value is not None:
            assert from_buckets.low < from_facts.value or from_facts.value == 0
            assert from_facts.value <= (from_buckets.high or from_facts.value)
            from_buckets = from_facts
        assert from_buckets == from_facts
        assert from_buckets.value == (None if value is None else pytest.approx(value, rel=1e-12, abs=1e-12))
        assert from_buckets.n == n


@settings(max_examples=200)
@given(
    streams().map(unambiguous),
    st.integers(-20, 400),
    st.sampled_from(sorted([*chain_oracle.CHAINS, *chain_oracle.RANKS, "service_level", "handle_time"])),
    st.sampled_from(["1m", "5m", "1h"]),
    st.sampled_from([{}, {"X": 30}, {"name": "all", "mature": False}, {"name": "amazon", "X": 60}]),
)
def test_windows_that_end_at_an_instant_are_those_of_the_oracle(told, at, name, window, level):
    """As the facts dated up to it tell; a service level leaves out the ten seconds that still have X."""
    now, length = ms(at), {"1m": 60_000, "5m": 300_000, "1h": 3_600_000}[window]
    start, end = now - now % 10_000 + 10_000 - length, now + 1
    if name in chain_oracle.CHAINS:
        value, n = chain_oracle.CHAINS[name](chain_oracle.chains(told, now), {}, start, end)
    else:
        if name == "service_level" and level.get("mature", True):
            ripe = now - 1000 * level.get("X", 20)
            end = min(end, ripe - ripe % 10_000)
        read = oracle.WINDOWS.get(name) or chain_oracle.RANKS[name]
        value, n = read(oracle.Asked(oracle.legs(told, now), start, end, parameters=level))
    definition = level if name == "service_level" else None
    found = answer(
        {"call": partition(told).entities.by_key},
        Question(name, definition, at=now, window=window),
        DEFINITIONS,
    )
    assert (found.value, found.n) == (None if value is None else pytest.approx(value), n)


@settings(max_examples=300)
@given(streams().map(unambiguous), st.integers(-20, 200), st.sampled_from(sorted(oracle.LEVELS)))
def test_levels_at_past_instants_are_those_of_the_oracle(told, at, name):
    found = partition(told, definitions=DEFINITIONS)
    value, _ = oracle.LEVELS[name](oracle.Asked(oracle.legs(told, ms(at))), ms(at))
    assert answer({"call": found.entities.by_key}, Question(name, at=ms(at)), DEFINITIONS).value == value


@settings(max_examples=200)
@given(histories(max_size=30, keys=8, span=60).map(unambiguous), st.sampled_from(sorted(oracle.LEVELS)))
def test_levels_now_are_those_of_the_oracle(told, name):
    found = partition(told, definitions=DEFINITIONS, batches=2)
    now = found.watermark
    family = METRICS[name].families[0]
    levels = [level.value() for (kind, *_), level in found.ledger.levels.items() if kind == family]
    value, _ = oracle.LEVELS[name](oracle.Asked(oracle.legs(told)), now)
    assert read_level(METRICS[name], levels, now, DEFINITIONS).value == value


@LAW
@given(streams(), st.integers(-6, 40), st.integers(1, 60))
def test_each_cohort_is_answered_or_lost_or_still_waiting(told, start, length):
    """offered = answered (queued) + bot + abandoned + callbacks + transferred + flowed out + still waiting."""
    found = partition(told, definitions=DEFINITIONS, batches=2)
    span = Window(ms(start * 10), ms((start + length) * 10))

    def number(metric):
        definition = {"by": "enqueue"} if metric != "offered" else None
        return answer(
            {"call": found.entities.by_key}, Question(metric, definition, span=span), DEFINITIONS
        ).value

    outcomes = (
        "answered", "bot_answered", "abandoned", "callbacks_requested", "transferred_out", "flowed_out",
    )  # fmt: skip
    waiting = sum(
        1
        for (family, *_), level in found.ledger.levels.items()
        if family == "waiting"
        for at in level.instants
        if span.start <= at < span.end
    )
    assert number("offered") == sum(number(name) for name in outcomes) + waiting


@LAW
@given(streams())
def test_day_buckets_are_the_sum_of_the_live_ones(told):
    found = partition(told, definitions=DEFINITIONS, batches=2)
    days = {}
    for (grain, family, tenant, dims, start), cells in found.ledger.buckets.items():
        if grain == LIVE:
            day = day_number(local_date(start, DEFINITIONS.zone(tenant)))
            add(days.setdefault((DAY, family, tenant, dims, day), {}), tuple(sum(cells.items(), ())), 1)
    told_days = {
        key: cells
        for key, cells in found.ledger.buckets.items()
        if key[0] == DAY and key[1] != LATE.name and cells
    }
    sums = {key: {cell: n for cell, n in cells.items() if n} for key, cells in days.items()}
    assert told_days == {key: cells for key, cells in sums.items() if cells}


def test_every_metric_of_the_catalogue_has_an_oracle():
    calls = {name for name, metric in METRICS.items() if metric.stream == "call"}
    assert calls == {*oracle.WINDOWS, *oracle.LEVELS, *chain_oracle.CHAINS, *chain_oracle.RANKS}


def test_levels_are_kept_as_levels_only():
    found = partition(CentreEvents(1))
    assert LEVEL not in {key[0] for key in found.ledger.buckets}


# What the shortcuts of the hot path must not cut off.
SHORTCUTS = {
    "the beginning after the answer": [event("answered", 5, queue_id="q"), event("initiated", 0)],
    "an end that is first to state the direction": [
        event("queued", 0),
        event("answered", 5),
        event("ended", 9, direction="outbound"),
    ],
    "an end that is first to state the channel": [
        event("queued", 0),
        event("answered", 5),
        event("ended", 9, channel="chat"),
    ],
    "an end before an end": [event("queued", 0), event("ended", 9), event("ended", 5, id="other")],
    "an end that contradicts": [event("queued", 5), event("answered", 7), event("ended", 6)],
    "the menu after the end": [event("queued", 0), event("ended", 9), event("initiated", -5)],
    "one name in two legs": [event("queued", 0, id="1", leg="a"), event("queued", 0, id="1", leg="b")],
    "one name with two contents": [event("queued", 0, id="1"), event("queued", 1, id="1"), event("ended", 9)],
    "a void, then a fact": [event("queued", 0, id="1"), event("voided", 1, corrects="1"), event("queued", 2)],
    "erased, then a fact": [event("queued", 0), event("deleted", 1), event("answered", 2)],
    "a second leg": [event("queued", 0), event("transferred", 5), event("queued", 5, leg="b")],
}


@pytest.mark.parametrize("told", SHORTCUTS.values(), ids=SHORTCUTS)
def test_shortcut_cuts_nothing_off_in_any_order(told):
    wanted = state(partition(told))
    for order in permutations(told):
        found = partition(order)
        assert state(found) == wanted
        assert state(found)[1:3] == from_scratch(found.entities.by_key, UNDECLARED)
