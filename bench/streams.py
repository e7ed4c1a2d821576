"""CPU of decode and fold per event, stream by stream, on entities with a history.

Usage on the 91st and 92nd day of its accounts, subscriptions in their 25th and 26th month, tickets among
open ones. Each round restores the history from state-log records and applies the same events: of
the first half only `after_restore` is told, because it meets entities for the first time. A fixed
pure-Python loop runs in the same round: the ratio to it survives a noisy machine.

    python bench/streams.py --rounds 5 usage subscription
"""

import argparse
import gc
import time
import tracemalloc
from collections.abc import Callable, Iterable
from itertools import islice

import stories
from fold import BASELINE_STEPS, Record, baseline_loop
from rig import report, say, spread
from stories import MONTH_MS, Told

from pipeline.metrics.definitions import declare
from pipeline.metrics.windows import DAY_MS
from pipeline.state.codec import Header
from pipeline.state.partition import Partition
from pipeline.state.restore import load
from pipeline.state.retention import Horizons
from pipeline.state.snapshot import Snapshot

START_MS = 1_772_409_600_000
BATCH, DRAFT_EVERY = 2_000, 4_000
Story = tuple[list[Told], list[Told]]
"""What is known before, and what is measured."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--accounts", type=int, default=100)
    options.add_argument("--events", type=int, default=20_000, help="at most, of each stream")
    options.add_argument("streams", nargs="*", default=[])
    given = options.parse_args()
    gc.set_threshold(100_000, 50, 100)
    for stream in given.streams or STORIES:
        history, measured = STORIES[stream](given.accounts, given.events)
        known = remembered(stream, history)
        say(f"{stream}: {len(history)} events known, {len(measured)} measured")
        entities, entity_bytes = resident(stream, known)
        rounds = [one_round(stream, known, measured) for _ in range(given.rounds)]
        report(
            "streams",
            stream=stream,
            events=len(measured),
            known=len(history),
            entities=entities,
            bytes_per_entity=entity_bytes,
            us_per_event={name: spread([each[name] for each in rounds], 3) for name in rounds[0]},
            ratio_to_baseline=spread([each["apply"] / each["baseline"] for each in rounds], 1),
        )


def of_usage(accounts: int, events: int) -> Story:
    days = [stories.usage_day(accounts, START_MS + day * DAY_MS) for day in range(-90, 2)]
    history = [
        *stories.sign_ups(accounts, START_MS - 90 * DAY_MS),
        *(told for day in days[:-2] for told in day),
    ]
    return history, [*days[-2], *days[-1]][:events]


def of_subscription(accounts: int, events: int) -> Story:
    months = [
        stories.subscription_month(accounts, START_MS + (month - 24) * MONTH_MS, month) for month in range(26)
    ]
    return [told for month in months[:-2] for told in month], [*months[-2], *months[-1]][:events]


def stream_of(make: Callable[[int], Iterable[Told]]) -> Callable[[int, int], Story]:
    """As many events before as are measured."""

    def story(accounts: int, events: int) -> Story:
        told = list(islice(make(accounts), 2 * events))
        return told[:events], told[events:]

    return story


STORIES: dict[str, Callable[[int, int], Story]] = {
    "call": stream_of(lambda _: stories.calls(START_MS)),
    "usage": of_usage,
    "subscription": of_subscription,
    "ticket": stream_of(lambda _: stories.tickets(START_MS)),
    "survey": stream_of(lambda _: stories.surveys(START_MS)),
    "account": stream_of(lambda _: stories.stages(5_000, START_MS)),
    "agent": stream_of(lambda _: stories.agents(START_MS)),
}


def remembered(stream: str, history: list[Told]) -> tuple[Header, list[tuple[str, bytes]]]:
    """The state after the history, as the state log holds it."""
    state = Partition(declare({}), Horizons(), stream=stream)
    for batch in batches(history, 0):
        state.apply(batch)
    records = [(draft.kind, draft.value) for draft in Snapshot().draft(state).records if not draft.is_slice]
    return Header("entities", state.next_offset, state.watermark, -1, 1, 0, 1, "bench"), records


def resident(stream: str, known: tuple[Header, list[tuple[str, bytes]]]) -> tuple[int, int]:
    """How many entities the state holds, and the bytes in memory of one, its share of the buckets too."""
    gc.collect()
    tracemalloc.start()
    state = Partition(declare({}), Horizons(), stream=stream)
    load(state, *known)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    count = len(state.entities.by_key)
    return count, round(held / count)


def batches(told: list[Told], offset: int) -> Iterable[list[Record]]:
    for first in range(0, len(told), BATCH):
        yield [
            Record(offset + first + place, bytes(bytearray(each.value)), each.at + 50, each.key)
            for place, each in enumerate(told[first : first + BATCH])
        ]


def one_round(
    stream: str, known: tuple[Header, list[tuple[str, bytes]]], measured: list[Told]
) -> dict[str, float]:
    state, snapshot = Partition(declare({}), Horizons(), stream=stream), Snapshot()
    load(state, *known)
    decode, spent = state.kind.decode, {"decode": 0.0, "apply": 0.0, "draft": 0.0}
    written, since = 0, 0
    gc.collect()
    began = time.process_time()
    baseline_loop(BASELINE_STEPS)
    baseline = (time.process_time() - began) / BASELINE_STEPS
    half = len(measured) // 2
    began = time.process_time()
    for batch in batches(measured[:half], state.next_offset):
        state.apply(batch)
    first = (time.process_time() - began) / half * 1e6
    snapshot.written(state.next_offset + len(snapshot.draft(state).records))
    for batch in batches(measured[half:], state.next_offset):
        began = time.process_time()
        for record in batch:
            decode(record.value, record.timestamp)
        decoded = time.process_time()
        applied = state.apply(batch)
        done = time.process_time()
        assert not applied.dead_letters, applied.dead_letters[0]
        spent["decode"] += decoded - began
        spent["apply"] += done - decoded
        since += len(batch)
        if since >= DRAFT_EVERY or len(batch) < BATCH:
            began = time.process_time()
            drafts = snapshot.draft(state)
            spent["draft"] += time.process_time() - began
            snapshot.written(state.next_offset)
            written += sum(len(draft.value) for draft in drafts.records)
            since = 0
    events = len(measured) - half
    us = {name: seconds / events * 1e6 for name, seconds in spent.items()}
    us["fold"] = us["apply"] - us["decode"]
    return {**us, "after_restore": first, "log_bytes": written / events, "baseline": baseline * 1e6}


if __name__ == "__main__":
    main()
