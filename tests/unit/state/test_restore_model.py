"""Whatever batches, commits, crashes and trims happen, the state is that of a single pass."""

from collections.abc import Iterator
from copy import deepcopy

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.events.instants import instant_ms, instant_text
from pipeline.state import codec, snapshot
from pipeline.state.codec import BUCKETS, ENTITIES, Header
from pipeline.state.partition import Partition
from pipeline.state.restore import load
from pipeline.state.retention import Horizons
from pipeline.state.snapshot import Snapshot
from tests.builders import UNDECLARED, Record, event, inside, raw
from tests.strategies import call_events

SECOND = 1000
# In the proportions of the real ones, so that a minute of events crosses them all.
SHRUNK = Horizons(
    bucket_ms=60 * SECOND,
    contact_ms=20 * SECOND,
    callback_ms=90 * SECOND,
    quarantine_ms=100 * SECOND,
    stale_ms=100 * SECOND,
    day_ms=2 * 86_400 * SECOND,
)


@pytest.fixture(autouse=True, scope="module")
def _small_chunks() -> Iterator[None]:
    """A cycle of the rolling snapshot then spans several commits even of a small state."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot, "_CHUNK", 2)
        patch.setattr("pipeline.state.partition.SWEEP_EVERY_MS", 15 * SECOND)
        yield


def single_pass(records):
    """The same records, one by one, by an owner who never stops and never sweeps buckets.

    Answers the partition and the last value each chain ever had.
    """
    partition = Partition(UNDECLARED, SHRUNK, check_future=False)
    partition._swept_at = 1 << 60
    contacts, seen = partition.entities, set()
    for record in records:
        partition.apply([record])
        seen |= contacts.chains.keys()
    # Nobody commits, so every chain counts as changed, and every one that left has parted.
    last = deepcopy({**dict(contacts.parted), **contacts.chains})
    assert last.keys() == seen
    return partition, last


class Owners(RuleBasedStateMachine):
    """One source partition, its log, and owners who come and go."""

    @initialize()
    def begin(self):
        self.source = []
        self.clock = 0
        self.log = []
        self.log_end = 0
        self.log_start = 0
        self.history = []  # what was trimmed; a reader of history had read it
        self.open()

    def open(self):
        self.partition = Partition(UNDECLARED, SHRUNK, check_future=False)
        if not self.log:
            self.snapshot = Snapshot()
            return
        header = self.log[-1][1]
        # What was trimmed is not needed.
        assert max(header.restore_from, 0) >= self.log_start
        needed = [(head.kind, value) for offset, head, value in self.log if offset >= header.restore_from]
        load(self.partition, header, needed)
        self.snapshot = Snapshot(header.restore_from)

    def take(self, count):
        first = self.partition.next_offset
        self.partition.apply(self.source[first : first + count])

    @rule(
        told=st.lists(call_events(keys=6, span=40), min_size=1, max_size=5),
        step=st.sampled_from([0, 1, 7, 30]),
    )
    def events_come(self, told, step):
        self.clock += step
        for said in told:
            data = said["data"]
            moved = {**said, "time": shifted(said["time"], self.clock)}
            for name in ("enqueued_at", "talk_started_at"):
                if name in data:
                    moved["data"] = {**moved["data"], name: shifted(data[name], self.clock)}
            self.source.append(Record(len(self.source), raw(moved)))

    @rule(step=st.sampled_from([120, 3600, 3 * 86_400]))
    def time_passes(self, step):
        self.clock += step
        said = event("queued", self.clock, contact=f"tick{len(self.source)}")
        self.source.append(Record(len(self.source), raw(said)))

    @rule(count=st.integers(1, 6))
    def a_batch_is_applied(self, count):
        self.take(count)

    @rule()
    def all_is_applied_and_committed(self):
        self.take(len(self.source))
        self.commit()

    @rule()
    def owner_idles_and_is_killed(self):
        for _ in range(3):
            self.commit()
        self.open()

    @rule()
    def commit(self):
        drafts = self.snapshot.draft(self.partition)
        first = self.log_end
        for index, draft in enumerate(drafts.records, 1):
            header = Header(
                draft.kind,
                self.partition.next_offset,
                self.partition.watermark,
                drafts.restore_from,
                1,
                0,
                4,
                "1-x",
                f"{index}/{len(drafts.records)}",
                draft.is_slice,
            )
            read = codec.read_header(codec.write_header(header))
            self.log.append((self.log_end, read, draft.value))
            self.log_end += 1
        self.log_end += 1  # the transaction's marker
        self.snapshot.written(first)

    @rule()
    def crash(self):
        self.open()

    @precondition(lambda self: self.log)
    @rule()
    def trim(self):
        keep = self.log[-1][1].restore_from
        self.log_start = max(self.log_start, keep)
        self.history += [record for record in self.log if record[0] < keep]
        self.log = [record for record in self.log if record[0] >= keep]

    @invariant()
    def state_is_that_of_a_single_pass(self):
        whole, _ = single_pass(self.source[: self.partition.next_offset])
        assert inside(self.partition, SHRUNK) == inside(whole, SHRUNK)

    @precondition(lambda self: self.log)
    @invariant()
    def reader_of_history_has_seen_every_last_value(self):
        buckets, chains = {}, {}
        for _, header, value in self.history + self.log:
            if header.kind == BUCKETS:
                found = codec.decode_buckets(value)
                buckets |= {key: cells for key, _, cells in found if cells is not None}
            elif header.kind == ENTITIES:
                chains |= {key: chain for key, chain in codec.decode_entities(value) if chain is not None}
        whole, last = single_pass(self.source[: self.log[-1][1].next_offset])
        told = {key: cells for key, cells in buckets.items() if isinstance(cells, dict) and cells}
        assert told == {key: cells for key, cells in whole.ledger.buckets.items() if cells}
        assert chains == last


def shifted(text, seconds):
    return instant_text(instant_ms(text) + seconds * SECOND)


Owners.TestCase.settings = settings(max_examples=150, stateful_step_count=30)
test_owners_come_and_go = Owners.TestCase
