"""Parameters declared anew: where all facts stay in memory the buckets are worked out anew, and every reader of
the log comes to the same numbers as if they had always been declared so."""

import pytest

from pipeline.board.fold import Fold
from pipeline.metrics.declared import OPENING, PARAMETERS
from pipeline.metrics.definitions import declare
from pipeline.metrics.families import FAMILIES
from pipeline.state.codec import STATE_FORMAT, declared_apart, state_format
from pipeline.state.partition import Partition
from pipeline.state.restore import load
from pipeline.state.retention import Horizons
from tests.board.log import Worker
from tests.builders import T0
from tests.customer_stories import TENANTS, story

STREAMS = ("usage", "subscription", "account", "agent")
ANEW = {
    "usage": {"adoption": {"unit": "user", "core": ["board"], "d": 2}},
    "subscription": {"recognition": "event"},
    "account": {},
    "agent": {},
}
BEFORE = {"adoption": {"k": 2}, "recognition": "scheduled"}
PEOPLE = (
    ("joined", "2026-02-28T23:30:00Z", "a1", {"department": "x"}),
    ("moved", "2026-03-01T18:00:00Z", "a1", {"from_department": "x", "to_department": "y"}),
    ("left", "2026-03-02T23:30:00Z", "a1", {}),
)


def events_of(stream, seed):
    if stream == "agent":
        return [
            {"specversion": "1.0", "id": f"p{number}", "source": "/hr", "type": f"pulse.agent.{what}", "time": time,
             "tenantid": "t", "data": {"agent_id": agent, **data}}
            for number, (what, time, agent, data) in enumerate(PEOPLE)
        ]  # fmt: skip
    return [event for event in story(seed) if event["type"].split(".")[1] == stream]


def restored(stream, log, definitions):
    """What a worker with these definitions has after opening."""
    state = Partition(definitions, Horizons(), stream=stream, check_future=False)
    load(state, log[-1].header, [(each.header.kind, each.value) for each in log])
    return state


def values(state):
    return {key: cells for key, cells in state.ledger.buckets.items() if cells}


def sums(fold):
    return {key: (dict(told.live), told.days) for key, told in fold.series.items() if any(told.days.values())}


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("tenants", [{}, {"t": {"tz": "Asia/Tokyo"}, "u": {"tz": "America/New_York"}}])
def test_what_is_declared_anew_counts_as_if_it_had_always_been(stream, seed, tenants):
    events = events_of(stream, seed)
    first = declare({"tenants": TENANTS, **BEFORE})
    now = declare({"tenants": tenants, **ANEW[stream]})
    old, new = (Worker(stream=stream, definitions=each) for each in (first, now))
    log, right = old.log(events, T0), new.log(events, T0)
    assert values(old.state) != values(new.state)

    state = restored(stream, log, now)
    assert values(state) == values(old.state)
    for _ in state.project(at_once=1):
        pass
    assert values(state) == values(new.state)

    board, oracle = Fold(now, T0), Fold(now, T0)
    for each in log:
        assert not board.take(old.source, each)
    board.caught_up(old.source)
    place = board.positions[old.source]
    assert "waits for its worker" in place.held
    assert place.refused == ""
    assert sums(board) == {}
    old.state, old._format = state, new._format
    for each in old.log([], T0):
        board.take(old.source, each)
    for each in right:
        oracle.take(new.source, each)
    assert place.held == ""
    assert sums(board) == sums(oracle)
    assert sums(board)


def test_only_what_became_another_value_is_a_revision():
    events = events_of("usage", 1)
    first, now = declare({"tenants": TENANTS}), declare({"tenants": TENANTS, "adoption": {"d": 1}})
    old = Worker(stream="usage", definitions=first)
    before = None
    state = restored("usage", old.log(events, T0), now)
    before = dict(state.ledger.buckets)
    for _ in state.project():
        pass
    changed = state.ledger.changed
    assert set(changed) == set(state.ledger.buckets)
    for key, cause in changed.items():
        assert cause == ("rebuilt" if before.get(key, {}) != state.ledger.buckets[key] else "")
    assert {"", "rebuilt"} == set(changed.values())


def test_a_board_refuses_what_no_worker_works_out_anew():
    fold, worker = Fold(declare({}), T0), Worker(definitions=declare({"thresholds": [17]}))
    (record,) = worker.log([], T0)
    fold.take(worker.source, record)
    assert "another thresholds" in fold.positions[worker.source].refused


@pytest.mark.parametrize("stream", sorted({family.stream for family in FAMILIES.values()}))
def test_a_stream_is_projected_as_a_whole_or_not_at_all(stream):
    """Else a board would wait for a worker that refuses."""
    ways = {each.stored[stream] == OPENING for each in PARAMETERS if stream in each.stored}
    assert len(ways) == 1


def test_formats_name_what_is_declared_apart():
    here = declare({"tenants": {"a": {"tz": "Asia/Tokyo"}}, "recognition": "event", "thresholds": [17]})
    there = declare({"tenants": {"a": {"tz": "Asia/Kolkata"}}, "adoption": {"d": 1}})

    def apart(stream):
        return declared_apart(*(state_format(each.stored(stream)) for each in (here, there)))

    assert apart("call") == ["tenants.*.tz", "thresholds"]
    assert apart("subscription") == ["recognition", "tenants.*.tz"]
    assert apart("usage") == ["adoption", "tenants.*.tz"]
    assert apart("ticket") == ["tenants.*.tz"]


@pytest.mark.parametrize(
    "format_", ["2", f"{STATE_FORMAT}-0123456789ab", "", f"{STATE_FORMAT + 1}-tenants.*.tz:1"]
)
def test_another_layout_is_not_ours_to_read(format_):
    assert declared_apart(format_, state_format("tenants.*.tz:1")) is None
