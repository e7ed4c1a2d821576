"""CPU of the pure core per event: decode, apply (decode and fold), draft; and memory per contact.

Simulated call events in 4 partitions by key, batches of 2,000, a draft every 16,000 events of a
partition. A fixed pure-Python loop runs in the same round: the ratio to it survives a noisy
machine. With --instructions, instruction counts from valgrind (where it is installed) as well.

    python bench/fold.py --events 200000 --rounds 7
"""

import argparse
import gc
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import msgspec
from rig import report, say, spread

from pipeline.events.call_decode import decode
from pipeline.metrics.definitions import declare
from pipeline.sources.centre import QUEUES
from pipeline.sources.simulate import CallCentre, encode, simulate
from pipeline.state.codec import ENTITIES, encode_entities
from pipeline.state.partition import Partition
from pipeline.state.restore import take
from pipeline.state.retention import Horizons
from pipeline.state.snapshot import Snapshot

PARTITIONS, BATCH, DRAFT_EVERY = 4, 2_000, 16_000
START_MS = 1_772_442_000_000
STAGES = ("decode", "apply", "draft", "leave")
BASELINE_STEPS = 200_000
AGENTS = 2_000
FIELDS = {
    "initiated": '"channel":"voice"',
    "queued": '"queue_id":"support","enqueued_at":"{time}"',
    "answered": '"queue_id":"support","agent_id":"agent-{agent}","talk_started_at":"{time}"',
    "ended": '"end_reason":"customer"',
}
"""What events of the memory's contacts say beside whom they speak of."""


class Record(NamedTuple):
    """What a fetched record shows."""

    offset: int
    value: bytes
    timestamp: int
    key: bytes


class Round(NamedTuple):
    """µs of CPU per event, `leave` per contact that left; bytes of the state log per event."""

    decode: float
    apply: float
    draft: float
    leave: float
    baseline: float
    log_bytes: float
    slice_bytes: float


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--events", type=int, default=200_000)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--contacts", type=int, default=200_000, help="of the memory measurement; 0: none")
    options.add_argument("--instructions", action="store_true", help="count them too, with valgrind")
    options.add_argument("--child", choices=STAGES, help=argparse.SUPPRESS)
    options.add_argument("--story", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.child:
        run_stage(given.child, given.story, given.events)
        return
    memory = resident(given.contacts) if given.contacts else {}
    batches = story(given.events)
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    rounds = [one_round(batches) for _ in range(given.rounds)]
    fields = {name: spread([getattr(each, name) for each in rounds], 3) for name in Round._fields}
    fields["fold"] = spread([each.apply - each.decode for each in rounds], 3)
    ratios = {name: spread([getattr(each, name) / each.baseline for each in rounds]) for name in STAGES}
    counted = instructions() if given.instructions else {}
    report(
        "fold",
        events=given.events,
        per_event=fields,
        ratio_to_baseline=ratios,
        bytes_per_contact=memory,
        instructions_per_event=counted,
    )


def story(events: int) -> list[tuple[int, list[Record]]]:
    """(partition, batch) in the order of arrival."""
    offsets = [0] * PARTITIONS
    waiting: list[list[Record]] = [[] for _ in range(PARTITIONS)]
    batches: list[tuple[int, list[Record]]] = []
    # Talks nine times shorter than usual, and agents fewer by as much: so a story of minutes has as
    # many ends as beginnings, and its queues are as full.
    queues = tuple(replace(queue, agents=round(queue.agents / 9)) for queue in QUEUES)
    centre = CallCentre(queues=queues, rate=1000.0, service_seconds=20.0, patience_seconds=60.0)
    for told in islice(simulate(centre, 1, START_MS), events):
        number = sum(told.key) % PARTITIONS
        batch = waiting[number]
        batch.append(Record(offsets[number], encode(told.event), told.deliver_at_ms + 50, told.key))
        offsets[number] += 1
        if len(batch) == BATCH:
            batches.append((number, batch))
            waiting[number] = []
    return [*batches, *((number, batch) for number, batch in enumerate(waiting) if batch)]


def partition() -> Partition:
    return Partition(declare({}), Horizons())


def one_round(batches: list[tuple[int, list[Record]]]) -> Round:
    owned = [(partition(), Snapshot()) for _ in range(PARTITIONS)]
    events = sum(len(batch) for _, batch in batches)
    last = {number: index for index, (number, _) in enumerate(batches)}
    spent = dict.fromkeys(STAGES, 0.0)
    written = sliced = 0
    baseline = timed(lambda: baseline_loop(BASELINE_STEPS)) / BASELINE_STEPS
    for index, (number, stored) in enumerate(batches):
        state, snapshot = owned[number]
        # As a fetch leaves them: just made, in the processor's caches.
        batch = [Record(each.offset, bytes(bytearray(each.value)), *each[2:]) for each in stored]
        spent["decode"] += timed(partial(decoded, batch))
        spent["apply"] += timed(partial(state.apply, batch))
        if state.next_offset % DRAFT_EVERY == 0 or index == last[number]:
            began = time.process_time()
            drafts = snapshot.draft(state)
            spent["draft"] += time.process_time() - began
            snapshot.written(index)
            written += sum(len(draft.value) for draft in drafts.records if not draft.is_slice)
            sliced += sum(len(draft.value) for draft in drafts.records if draft.is_slice)
    contacts = sum(len(state.entities.by_key) for state, _ in owned)
    spent["leave"] = sum(timed(partial(let_go, state)) for state, _ in owned) / contacts * events
    times = {name: spent[name] / events * 1e6 for name in STAGES}
    return Round(**times, baseline=baseline * 1e6, log_bytes=written / events, slice_bytes=sliced / events)


def timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def decoded(batch: list[Record]) -> list[object]:
    return [decode(each.value, each.timestamp) for each in batch]


def let_go(state: Partition) -> None:
    """Two hours later: whatever is over leaves memory."""
    state.entities.ring(state.watermark + 2 * 3_600_000)


def baseline_loop(steps: int) -> int:
    """Dictionary, attribute and integer work, for the machine's mood; never to be changed."""
    cells: dict[int, int] = {}
    record = Record(1, b"", 2, b"")
    for step in range(steps):
        cell = step & 63
        cells[cell] = cells.get(cell, 0) + record.timestamp
    return len(cells)


def resident(contacts: int) -> dict[str, float]:
    """Growth of a process per contact: after each event of theirs, and by contacts in a talk restored."""
    pool = ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1)
    with pool:
        grown = pool.submit(as_told, contacts).result()
        return {**grown, "answered_restored": pool.submit(as_restored, contacts).result()}


def as_told(contacts: int) -> dict[str, float]:
    """By contacts in a menu, in a queue, in a talk, and over."""
    state, offset, before = partition(), 0, _rss()
    grown: dict[str, float] = {}
    for what in FIELDS:
        for first in range(0, contacts, BATCH):
            batch = list(told(what, range(first, min(first + BATCH, contacts)), offset))
            state.apply(batch)
            state.entities.take_changes()
            offset += len(batch)
        gc.collect()
        grown[what] = round((_rss() - before) / contacts)
    return grown


def as_restored(contacts: int) -> int:
    """By contacts in a talk that were read from the state log."""
    records = []
    for first in range(0, contacts, BATCH):
        state = partition()
        for what in ("initiated", "queued", "answered"):
            numbers = range(first, min(first + BATCH, contacts))
            state.apply(list(told(what, numbers, state.next_offset)))
        records += encode_entities(state.entities.take_changes())
    gc.collect()
    restored, before = partition(), _rss()
    for record in records:
        take(restored, ENTITIES, record)
    restored.restored(state.next_offset, state.watermark)
    gc.collect()
    return round((_rss() - before) / contacts)


def told(what: str, numbers: range, offset: int) -> Iterator[Record]:
    """An event of each contact that states whatever it may; contacts and customers are all distinct."""
    for place, number in enumerate(numbers):
        contact = UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128))
        time_ = f"2026-03-02T09:{number // 60 % 60:02d}:{number % 60:02d}.{number % 997:03d}Z"
        value = (
            f'{{"specversion":"1.0","id":"{what}-{number}","source":"/pulse/simulate",'
            f'"type":"pulse.call.{what}","time":"{time_}","tenantid":"acme","data":{{"contact_id":"{contact}",'
            f'"initial_contact_id":"{contact}","leg":"{contact}","customer_ref":"customer-{number}",'
            f"{FIELDS[what].format(time=time_, agent=number % AGENTS)}}}}}"
        )
        yield Record(offset + place, value.encode(), START_MS + 3_600_000, b"")


def _rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def instructions(events: int = 20_000) -> dict[str, int]:
    """Instructions per event and stage: a run of all events less one of none. Needs valgrind."""
    if shutil.which("valgrind") is None:
        say("valgrind is not installed: no instructions are counted")
        return {}
    with tempfile.TemporaryDirectory(prefix="pulse-bench-") as folder:
        path = Path(folder) / "story"
        path.write_bytes(msgspec.msgpack.encode(story(events)))
        empty = count("decode", path, 0)
        counts = {stage: (count(stage, path, events) - empty) // events for stage in STAGES[:3]}
    # `draft` runs after `apply`, `apply` decodes.
    counts["draft"] -= counts["apply"]
    counts["fold"] = counts["apply"] - counts["decode"]
    return counts


def count(stage: str, path: Path, events: int) -> int:
    tool = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    child = [sys.executable, __file__, "--child", stage, "--story", str(path), "--events", str(events)]
    done = subprocess.run(
        [*tool, *child],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stderr=subprocess.PIPE,
        check=True,
        timeout=540,
    )
    found = re.search(rb"I +refs: +([\d,]+)", done.stderr)
    assert found, done.stderr
    return int(found[1].replace(b",", b""))


def run_stage(stage: str, path: Path, events: int) -> None:
    batches = msgspec.msgpack.decode(path.read_bytes(), type=list[tuple[int, list[Record]]])
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    if not events:
        return
    if stage == "decode":
        for _, batch in batches:
            for record in batch:
                decode(record.value, record.timestamp)
        return
    owned = [(partition(), Snapshot()) for _ in range(PARTITIONS)]
    for number, batch in batches:
        owned[number][0].apply(batch)
    if stage == "draft":
        for state, snapshot in owned:
            snapshot.draft(state)


if __name__ == "__main__":
    main()
