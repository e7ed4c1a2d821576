"""Owners of a stream whose entities the state log holds in parts: in memory, counted anew, restored in between."""

import random

from pipeline.replay.cases import event_lines
from pipeline.state.codec import STATE_FORMAT, Header
from pipeline.state.partition import Partition
from pipeline.state.restore import load
from pipeline.state.retention import NO_HORIZONS
from pipeline.state.snapshot import Snapshot
from tests.builders import Record


def records(said, first=0):
    return [Record(first + index, line) for index, line in enumerate(event_lines(said))]


def kept(stream, definitions):
    return Partition(definitions, NO_HORIZONS, stream=stream, check_future=False)


def sums(buckets):
    return {key: cells for key, cells in buckets.items() if cells}


def counted_anew(found, definitions):
    """What the entities of a partition add up to, each counted from nothing."""
    fresh = kept(found.stream, definitions)
    for key, entity in found.entities.by_key.items():
        tenant = key.partition("|")[0]
        parts = found.kind.counting(definitions, tenant)(entity)
        fresh.ledger.post(tenant, [], parts, "", found.watermark)
    return sums(fresh.ledger.buckets)


def goes_on_through_restores(stream, definitions, said, size, seed):
    """Batches of `size`, a commit after each, and now and then a successor who knows the log alone: all the
    while it says what one says who never stopped.
    """
    owner, cursor, drawn, log = kept(stream, definitions), Snapshot(), random.Random(seed), []
    whole = kept(stream, definitions)
    for first in range(0, len(said), size):
        batch = records(said[first : first + size], first)
        whole.apply(batch)
        owner.apply(batch)
        assert owner.entities.by_key == whole.entities.by_key
        assert sums(owner.ledger.buckets) == sums(whole.ledger.buckets)
        drafts = cursor.draft(owner)
        cursor.written(len(log))
        log += [(draft.kind, draft.value) for draft in drafts.records]
        if drawn.random() < 0.4:
            header = Header(
                "", owner.next_offset, owner.watermark, drafts.restore_from, 1, 0, 1, str(STATE_FORMAT)
            )
            owner = kept(stream, definitions)
            load(owner, header, log[max(drafts.restore_from, 0) :])
            cursor = Snapshot(drafts.restore_from)
