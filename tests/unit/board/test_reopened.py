"""`reopen_rate` over days on the board: entries into solved that are 72 h old, without those that are not yet.

The edge falls inside a day: what of that day is younger is dated ahead, by when it is 72 h old.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from pipeline.board.collector import SnapshotCollector
from pipeline.board.fold import Fold
from pipeline.board.places import Question as Asked
from pipeline.board.showing import snapshot_of
from pipeline.events.instants import instant_ms, instant_text
from pipeline.metrics.families import MATURING
from pipeline.metrics.windows import BUCKET_MS
from tests.board.log import Worker, tell
from tests.builders import DAY, HOUR, ms
from tests.tickets import event, histories
from tests.unit.state.test_ticket_laws import DEFINED, asked, partition

WINDOWS = ("7d", "30d", "90d", "month")
BEFORE_SUMMER_TIME = 25 * DAY
"""T0 is Monday 2 March: on Sunday the 29th clocks go forward in Europe."""


def board():
    return Fold(DEFINED, ms(0)), Worker(stream="ticket", definitions=DEFINED)


def told_rate(snapshot, window, **more):
    rows = snapshot.rows(Asked(metrics=("reopen_rate",), windows=(window,), **more))
    return {row.place: (row.number.value, row.number.n) for row in rows}


def solved(ticket, at, reopened=None):
    place = {"ticket": ticket, "tenantid": "u"}
    yield event("created", at - HOUR, group_id="g", channel="mail", **place)
    yield event("solved", at, **place)
    if reopened is not None:
        yield event("reopened", reopened, **place)


PLACE = ("u", "g", "mail")
#            Mon 2 March              Tue 3                        Thu 5
# solved     10:00 a    14:00 b       11:00 c                      now = 11:00 … 14:00
# reopened              15:00         12:00
A_DAY = [*solved("a", HOUR), *solved("b", 5 * HOUR, 6 * HOUR), *solved("c", 26 * HOUR, 27 * HOUR)]


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (72.5, (None, 0)),
        (73, (0, 1)),
        (76.9, (0, 1)),
        (77, (0.5, 2)),
        (97, (0.5, 2)),
        (98, (2 / 3, 3)),
        (200, (2 / 3, 3)),
    ],
)
def test_what_is_younger_than_72_hours_stands_apart(hours, expected):
    fold, worker = board()
    tell(fold, worker, A_DAY, ms(28 * HOUR))
    snapshot = snapshot_of(fold, DEFINED, ms(hours * HOUR))
    assert told_rate(snapshot, "30d")[PLACE] == expected


def test_days_that_left_the_window_are_not_in_it():
    fold, worker = board()
    tell(fold, worker, A_DAY, ms(28 * HOUR))
    # On Monday the 9th seven days begin with Tuesday the 3rd.
    assert told_rate(snapshot_of(fold, DEFINED, ms(7 * DAY)), "7d")[PLACE] == (1, 1)


def test_shorter_windows_hold_nothing_so_old():
    fold, worker = board()
    tell(fold, worker, A_DAY, ms(28 * HOUR))
    snapshot = snapshot_of(fold, DEFINED, ms(28 * HOUR))
    assert {row.window for row in snapshot.rows() if row.metric.name == "reopen_rate"} == set(WINDOWS)
    assert told_rate(snapshot, "today")[PLACE] == (None, 0)


def test_young_solvings_count_when_asked_for():
    fold, worker = board()
    tell(fold, worker, A_DAY, ms(28 * HOUR))
    snapshot = snapshot_of(fold, DEFINED, ms(28 * HOUR))
    assert told_rate(snapshot, "7d", definition={"mature": False})[PLACE] == (2 / 3, 3)


def test_prometheus_has_the_ratio_beside_its_parts():
    fold, worker = board()
    tell(fold, worker, A_DAY, ms(28 * HOUR))
    snapshot = snapshot_of(fold, DEFINED, ms(77 * HOUR))
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(lambda: snapshot))

    def value(name, window):
        labels = dict(zip(("tenant", "group", "channel", "window"), (*PLACE, window), strict=True))
        return registry.get_sample_value(name, labels)

    assert value("support_reopen_ratio", "7d") == 0.5
    assert value("support_solve_events_mature", "7d") == 2
    assert value("support_solve_events_mature_reopened", "7d") == 1
    assert value("support_solve_events_reopened", "7d") == 2
    assert value("support_solve_events", "7d") == 3
    assert value("support_reopen_ratio", "today") is None
    assert value("support_solve_events_mature", "today") is None


def test_a_reopening_taken_back_is_taken_out_of_what_ripens():
    fold, worker = board()
    tell(fold, worker, solved("b", 5 * HOUR, 6 * HOUR), ms(6 * HOUR))
    mistake = next(
        said["id"] for said in solved("b", 5 * HOUR, 6 * HOUR) if said["type"].endswith("reopened")
    )
    voided = event("voided", 7 * HOUR, ticket="b", tenantid="u", corrects=mistake)
    tell(fold, worker, [voided], ms(7 * HOUR))
    assert told_rate(snapshot_of(fold, DEFINED, ms(77 * HOUR)), "7d")[PLACE] == (0, 1)


def test_what_has_ripened_leaves_memory():
    worker = Worker(stream="ticket", definitions=DEFINED)
    worker.commit(A_DAY)
    kept = [key for key in worker.state.ledger.buckets if key[1] == MATURING.name]
    assert [key[0] for key in kept] == ["live"] * 3
    worker.commit([event("created", 9 * DAY, ticket="late", tenantid="u")])
    worker.state.ledger.sweep(worker.state.watermark)
    assert [key for key in worker.state.ledger.buckets if key[1] == MATURING.name] == []


def moved(said, seconds):
    return {**said, "time": instant_text(instant_ms(said["time"]) + seconds * 1000)}


@settings(max_examples=150, deadline=None)
@given(
    histories(),
    st.sampled_from([0, BEFORE_SUMMER_TIME]),
    st.lists(st.integers(0, 240), min_size=2, max_size=5),
)
def test_the_board_says_what_replay_says_at_the_end_of_any_ten_seconds(told, later, hours):
    """Told in the order of time, asked in between; a board goes on from its last showing."""
    told = sorted((moved(said, later) for said in told), key=lambda said: said["time"])
    fold, worker = board()
    known = []
    for now in sorted(ms(later + hour * HOUR) + BUCKET_MS - 1 for hour in set(hours)):
        new = [said for said in told[len(known) :] if instant_ms(said["time"]) <= now]
        known += new
        tell(fold, worker, new, now)
        snapshot, facts = snapshot_of(fold, DEFINED, now), partition(known)
        for window in WINDOWS:
            for (tenant, group, channel), found in told_rate(snapshot, window).items():
                dims = {"tenant": tenant, "group": group, "channel": channel}
                number = asked(facts, "reopen_rate", at=now, window=window, dims=dims)
                assert found == (number.value, number.n), (window, dims)


def test_what_is_72_hours_old_is_so_across_a_change_of_clocks():
    """Solved on Saturday and Sunday of the change: 72 h later the clock shows another time of day."""
    told = [moved(said, BEFORE_SUMMER_TIME) for said in A_DAY]
    told = [{**said, "tenantid": "t"} for said in told]
    place = ("t", "g", "mail")
    for hours, expected in ((72.9, (None, 0)), (73, (0, 1)), (77, (0.5, 2)), (98, (2 / 3, 3))):
        fold, worker = board()
        tell(fold, worker, told, ms(BEFORE_SUMMER_TIME + 28 * HOUR))
        now = ms(BEFORE_SUMMER_TIME + hours * HOUR)
        assert told_rate(snapshot_of(fold, DEFINED, now), "7d")[place] == expected
