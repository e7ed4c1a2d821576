"""The loop as logic: any order of polls, failures, kills and rebalances gives the same table.

The model of a log is a list of (key, value) per place; the model of the table is what a single pass
over every record gives. Two sinks share the places, as two processes of one group.
"""

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pipeline.sink.flow import Clock, Flow, Limits, Polled
from pipeline.sink.status import State, StatusBoard
from pipeline.sink.tables import BUCKETS
from pipeline.sink.writer import LineStoppedError
from pipeline.state.codec import StateLogError
from tests.sink.told import LogRecord

PLACES = [("pulse.call.state", 0), ("pulse.call.state", 1)]


class Killed(BaseException):
    """The process ends here."""


class Group:
    """The topics and what the group has committed."""

    def __init__(self):
        self.logs = {place: [] for place in PLACES}
        self.committed = dict.fromkeys(PLACES, 0)
        self.owner = {}


class ModelLog:
    """flow.Log over a Group, for one member."""

    def __init__(self, group, member):
        self.group, self.member = group, member
        self.position = {}
        self.limit = 3
        self.paused = False
        self.kill_at_commit = False
        self.polls = 0

    def poll(self, seconds):
        self.polls += 1
        mine = {place for place in PLACES if self.group.owner.get(place) == self.member}
        revoked = set(self.position) - mine
        for place in revoked:
            del self.position[place]
        for place in mine - set(self.position):
            self.position[place] = self.group.committed[place]
        if self.paused:
            return Polled([], revoked)
        records = []
        for place in sorted(mine):
            start = self.position[place]
            found = self.group.logs[place][start : start + self.limit]
            self.position[place] += len(found)
            records += [record for record in found if record is not None]
        return Polled(records, revoked)

    def positions(self):
        return dict(self.position)

    def accepts_slice(self, place, offset):
        return False

    def commit(self, positions):
        if self.kill_at_commit:
            raise Killed
        for place, position in positions.items():
            if self.group.owner.get(place) == self.member:
                self.group.committed[place] = position

    def pause(self):
        self.paused = True

    def resume(self):
        self.paused = False


class ModelTable:
    """A ReplacingMergeTree: the greatest version of a key stays, whoever writes when."""

    def __init__(self):
        self.rows = {}
        self.faults = []
        self.purges = 0
        self.read_back = 0

    def insert(self, table, rows):
        fault = self.faults.pop(0) if self.faults else None
        if fault == "lost":  # taken, and the answer lost on the way
            self._write(table, rows)
            raise OperationalError("reset")
        if fault == "killed":
            self._write(table, rows[: len(rows) // 2])
            raise Killed
        if fault:
            raise DatabaseError("busy", code=252)
        self._write(table, rows)

    def _write(self, table, rows):
        for row in rows:
            name = table.name_of(row)
            if name not in self.rows or self.rows[name][-1] <= row[-1]:
                self.rows[name] = row

    def refresh(self):
        pass

    def purge(self):
        self.purges += 1

    def heartbeats(self):
        self.read_back += 1
        if self.read_back == 2:
            raise OperationalError("reset")
        return {("call", 0): self.read_back}


def to_rows(record, accepts_slice):
    if record.value == b"broken":
        raise StateLogError("unreadable")
    key, value = record.value.split(b"=")
    row = ("call", "day", "leave", "t", key.decode(), 1, 0, record.partition, [int(value)], 1, record.offset)
    return [(BUCKETS, row)]


def record_at(place, offset, key, value):
    return LogRecord(*place, offset, 0, b"%s=%d" % (key.encode(), value), [])


class Member:
    """One sink process: may be killed at any line."""

    def __init__(self, group, table, name, rows=3):
        self.log = ModelLog(group, name)
        self.board = StatusBoard()
        self.now = 0.0
        clock = Clock(self.tick, lambda: self.now)
        self.flow = Flow(
            self.log, table, to_rows, lambda _: None, Limits(rows, 10_000, 5.0, 20.0), clock, self.board
        )

    def tick(self):
        self.now += 0.5
        return self.now


class TwoSinks(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.group, self.table = Group(), ModelTable()
        self.members = {name: Member(self.group, self.table, name) for name in "ab"}
        self.expected = {}
        self.serial = 0
        for place in PLACES:
            self.group.owner[place] = "a"

    @rule(
        place=st.sampled_from(PLACES),
        keys=st.lists(st.sampled_from("xyz"), min_size=1, max_size=6),
        marker=st.booleans(),
    )
    def produce(self, place, keys, marker):
        log = self.group.logs[place]
        for key in keys:
            self.serial += 1
            log.append(record_at(place, len(log), key, self.serial))
            self.expected[place[1], key] = self.serial
        if marker:
            log.append(None)

    @rule(
        name=st.sampled_from("ab"),
        faults=st.lists(st.sampled_from([None, "busy", "lost", "killed"]), max_size=4),
    )
    def step(self, name, faults):
        self.table.faults = list(faults)
        self._run(name, lambda member: member.flow.step())
        self.table.faults = []

    @rule(name=st.sampled_from("ab"))
    def die_between_insert_and_commit(self, name):
        self.members[name].log.kill_at_commit = True
        self._run(name, lambda member: member.flow.flush())
        self.members[name].log.kill_at_commit = False

    @rule(place=st.sampled_from(PLACES), name=st.sampled_from("ab"))
    def rebalance(self, place, name):
        self.group.owner[place] = name

    def _run(self, name, act):
        try:
            act(self.members[name])
        except Killed:
            self.members[name] = Member(self.group, self.table, name)

    @invariant()
    def nothing_below_a_committed_position_is_missing(self):
        for place in PLACES:
            newest = {}
            for record in self.group.logs[place][: self.group.committed[place]]:
                if record is not None:
                    newest[record.value.split(b"=")[0].decode()] = record.offset
            for key, offset in newest.items():
                row = self.table.rows.get(self._name(place, key))
                assert row is not None
                assert row[-1] >= offset

    @staticmethod
    def _name(place, key):
        return ("leave", "t", "day", 1, 0, key, place[1])

    def teardown(self):
        for name in self.members:
            for _ in range(60):
                self._run(name, lambda member: member.flow.step())
            self._run(name, lambda member: member.flow.flush())
        found = {(name[-1], name[-2]): row[8][0] for name, row in self.table.rows.items()}
        assert found == self.expected
        for place in PLACES:
            assert self.group.committed[place] == len(self.group.logs[place])


TwoSinks.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
test_any_course_of_two_sinks_gives_the_one_table = TwoSinks.TestCase


@pytest.fixture
def alone():
    group, table = Group(), ModelTable()
    group.owner = dict.fromkeys(PLACES, "a")
    return group, table, Member(group, table, "a")


def fill(group, count, place=PLACES[0]):
    group.logs[place] = [record_at(place, offset, f"k{offset}", offset) for offset in range(count)]


def test_a_flush_waits_for_rows_or_time(alone):
    group, table, member = alone
    member.flow.flush()
    fill(group, 2)
    member.flow.step()
    assert table.rows == {}
    while not table.rows:
        member.flow.step()
    assert member.now >= 5
    assert group.committed[PLACES[0]] == 2


def test_heartbeats_are_read_back_after_a_flush_now_and_then_and_a_failure_leaves_the_last_answer(alone):
    _, table, member = alone
    told = []
    for at in (0, 1, 21, 42):
        member.now = at
        member.flow.flush()
        told.append(member.board.current.heartbeats)
    assert table.read_back == 3
    assert told == [{("call", 0): 1}, {("call", 0): 1}, {("call", 0): 1}, {("call", 0): 3}]


def test_markers_and_skipped_records_move_the_committed_position(alone):
    group, _, member = alone
    group.logs[PLACES[0]] = [None, None]
    for _ in range(30):
        member.flow.step()
    assert group.committed[PLACES[0]] == 2


def test_while_it_retries_it_keeps_polling_and_takes_nothing(alone):
    group, table, member = alone
    fill(group, 3)
    table.faults = ["busy"] * 6
    seen = []
    poll = member.log.poll

    def watched(seconds):
        polled = poll(seconds)
        seen.append((member.log.paused, len(polled.records), member.board.current.state))
        return polled

    member.log.poll = watched
    member.flow.step()
    retrying = [entry for entry in seen if entry[0]]
    assert len(retrying) >= 3
    assert all(count == 0 and state is State.RETRYING for _, count, state in retrying)
    assert not member.log.paused
    status = member.board.current
    assert (status.state, status.retries) == (State.RUNNING, {"252": 6})


def test_it_gives_up_when_told_to_stop_and_commits_nothing(alone):
    group, table, member = alone
    fill(group, 3)
    table.faults = ["busy"] * 10_000
    member.flow._clock = member.flow._clock._replace(give_up_at=lambda: 40.0)
    with pytest.raises(LineStoppedError, match="come again"):
        member.flow.step()
    assert group.committed[PLACES[0]] == 0


def test_an_unreadable_record_stops_the_line_and_is_named(alone):
    group, _, member = alone
    group.logs[PLACES[0]] = [LogRecord(*PLACES[0], 0, 0, b"broken", [])]
    with pytest.raises(LineStoppedError, match=r"pulse.call.state-0 at offset 0: unreadable"):
        member.flow.step()


def test_the_status_tells_what_is_in_the_table(alone):
    group, _, member = alone
    fill(group, 3)
    member.flow.step()
    status = member.board.current
    assert status.positions[PLACES[0]] == 3
    assert (status.written_rows, status.buffered_rows, status.batch_rows) == (3, 0, 3)
    assert member.board.wait_past(PLACES[0], 2, timeout=0)
    assert not member.board.wait_past(PLACES[0], 3, timeout=0)


def test_what_was_erased_is_purged_now_and_then(alone):
    _, table, member = alone
    member.now += 601
    member.flow.flush()
    member.flow.flush()
    assert table.purges == 1
