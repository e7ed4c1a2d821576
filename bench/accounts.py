"""A worker with many accounts: memory, restore, and the day on which it is midnight everywhere once.

Accounts have 24 months of subscriptions and 90 days of usage. A number of histories is counted from their
events; every account has one of them under its own key, told by records of the state log, as a worker
finds it when it opens its partitions. Then 26 hours pass in turns of the worker's loop (a batch, a
commit), while a board reads what is committed, shows it and is scraped: how long a batch, a commit and a
showing take, with a midnight of any tenant in them and without. At last every account is projected anew, as
when a worker is started with other definitions.

    python bench/accounts.py --accounts 1000000 --partitions 12
"""

import argparse
import gc
import os
import random
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import stories
from fold import Record
from rig import report, say, spread
from stories import HOUR_MS, MONTH_MS, Told

from pipeline.board.fold import Fold, LogRecord, Source
from pipeline.board.publisher import Publisher
from pipeline.metrics.definitions import Definitions, declare
from pipeline.metrics.windows import DAY_MS, local_date
from pipeline.state.codec import ENTITIES, Header, encode_buckets, encode_entities, state_format
from pipeline.state.partition import Partition
from pipeline.state.restore import load
from pipeline.state.retention import Horizons
from pipeline.state.snapshot import Snapshot
from pipeline.telemetry import Telemetry

NOW_MS = 1_774_569_600_000
"""2026-03-27T00:00Z: the 26 hours end before clocks are put forward anywhere."""
STREAMS = ("subscription", "usage")
ZONES = (
    "UTC", "Europe/Berlin", "Europe/Bucharest", "America/New_York", "America/Los_Angeles", "Asia/Kolkata",
    "Asia/Tokyo", "Australia/Sydney",
)  # fmt: skip
CHUNK = 500

PASSING_MS = 26 * HOUR_MS
SHARE_OF_USES = 0.95


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--accounts", type=int, default=50_000)
    options.add_argument("--histories", type=int, default=1_000, help="different ones")
    options.add_argument("--tenants", type=int, default=16)
    options.add_argument("--partitions", type=int, default=4, help="of each stream, all of this worker")
    options.add_argument("--uses", type=int, default=90, help="of an account in 90 days")
    options.add_argument("--batch", type=int, default=500, help="events of a turn")
    options.add_argument("--turn-seconds", type=int, default=300, help="event time of a turn")
    given = options.parse_args()
    tenants = {f"tenant-{number}": {"tz": ZONES[number % len(ZONES)]} for number in range(given.tenants)}
    definitions = declare({"tenants": tenants})
    gc.set_threshold(100_000, 50, 100)
    worker = Worker(definitions, given.partitions)
    memory, restore, events, buckets = {}, {}, {}, {}
    for stream in STREAMS:
        known = counted(stream, definitions, given)
        events[stream] = round(known.next_offset / given.histories, 1)
        gc.collect()
        before = _rss()
        told = [worker.restore(stream, number, known, given) for number in range(given.partitions)]
        gc.collect()
        memory[stream] = round((_rss() - before) / given.accounts)
        say(f"{stream}: {given.accounts} accounts restored")
        before = _rss()
        for number in range(given.partitions):
            worker.fill(stream, number, known, given.accounts / given.partitions / given.histories)
        gc.collect()
        buckets[stream] = {
            "count": sum(len(state.ledger.buckets) for state, _ in worker.owned[stream]),
            "resident_mib": round((_rss() - before) / (1 << 20)),
        }
        restore[stream] = {
            "us_per_account": spread([seconds / accounts * 1e6 for seconds, accounts, _ in told]),
            "log_bytes_per_account": round(sum(size for *_, size in told) / given.accounts),
            "seconds": round(sum(seconds for seconds, *_ in told), 1),
        }
    gc.freeze()
    report(
        "accounts",
        accounts=given.accounts,
        tenants=given.tenants,
        partitions=given.partitions,
        events_per_account=events,
        resident_bytes_per_account=memory,
        restore=restore,
        pauses_ms=worker.pass_midnights(list(tenants), given),
        buckets=buckets,
        projection={stream: worker.project(stream) for stream in STREAMS},
    )


def counted(stream: str, definitions: Definitions, given: argparse.Namespace) -> Partition:
    """A partition that was told the events of all histories."""
    state = Partition(definitions, Horizons(), stream=stream)
    told = (
        each
        for number in range(given.histories)
        for each in _history(stream, number, f"tenant-{number % given.tenants}", given.uses)
    )
    for offset, each in enumerate(told):
        state.apply([Record(offset, each.value, NOW_MS, each.key)])
    return state


def _history(stream: str, number: int, tenant: str, uses: int) -> Iterator[Told]:
    if stream == "subscription":
        yield from stories.life(number, NOW_MS - 24 * MONTH_MS, 24, tenant)
        return
    drawn = random.Random(f"uses {number}")
    begin, key = NOW_MS - 90 * DAY_MS, f"{tenant}|account-{number}".encode()
    about = ("usage", "signed_up", begin, f"up-{number}", '"user_ref":"user-0"', f"account-{number}", tenant)
    yield Told(begin, key, stories.event(*about))
    for each in sorted(drawn.randrange(90 * DAY_MS) for _ in range(drawn.randrange(2 * uses))):
        yield stories.use(number, begin + each, tenant, f"use-{number}-{each}", drawn)


class Worker:
    """What a worker has open, without Kafka: by stream its partitions, each with its snapshot's cursor."""

    def __init__(self, definitions: Definitions, partitions: int) -> None:
        self.definitions = definitions
        self.now = NOW_MS
        self.owned: dict[str, list[tuple[Partition, Snapshot]]] = {
            stream: [
                (Partition(definitions, Horizons(), stream=stream), Snapshot()) for _ in range(partitions)
            ]
            for stream in STREAMS
        }
        self.offsets: dict[Source, int] = {}
        self.fold = Fold(definitions, self.now)
        for stream in STREAMS:
            for number in range(partitions):
                self.fold.expect(self.source(stream, number))
        self.publisher = Publisher(self.fold, definitions, Telemetry(), lambda: self.now, 0.0)
        self.publisher.exposition.answer("")

    def source(self, stream: str, number: int) -> Source:
        return Source(stream, f"pulse.{stream}.state", number)

    def restore(
        self, stream: str, number: int, known: Partition, given: argparse.Namespace
    ) -> tuple[float, int, int]:
        """Open a partition: (seconds, accounts, bytes of the log)."""
        state, _ = self.owned[stream][number]
        owned = range(number, given.accounts, given.partitions)
        parts = [
            (tenant, [msgspec.Raw(msgspec.msgpack.encode(part)) for part in known.entities.values(key)])
            for key in known.entities.by_key
            for tenant in [key.partition("|")[0]]
        ]
        making = size = 0.0

        def records() -> Iterator[tuple[str, bytes]]:
            nonlocal making, size
            for first in range(0, len(owned), CHUNK):
                began = time.process_time()
                pairs = [
                    (f"{tenant}|account-{each}", part)
                    for each in owned[first : first + CHUNK]
                    for tenant, told in [parts[each % len(parts)]]
                    for part in told
                ]
                raws = encode_entities(pairs)
                size += sum(len(raw) for raw in raws)
                making += time.process_time() - began
                yield from ((ENTITIES, raw) for raw in raws)

        header = self._header(stream, "entities", NOW_MS, 0)
        began = time.process_time()
        load(state, header, records())
        return time.process_time() - began - making, len(owned), int(size)

    def fill(self, stream: str, number: int, known: Partition, times: float) -> None:
        """Give a partition the buckets of its accounts, and the board too."""
        state, _ = self.owned[stream][number]
        for key, cells in known.ledger.buckets.items():
            state.ledger.buckets[key] = {cell: round(amount * times) for cell, amount in cells.items()}
        buckets = [(key, "", cells) for key, cells in state.ledger.buckets.items()]
        self._show(stream, number, [("buckets", raw) for raw in encode_buckets(buckets)], state)
        self.fold.caught_up(self.source(stream, number))

    def _header(self, stream: str, kind: str, watermark: int, next_offset: int, part: str = "1/1") -> Header:
        wanted = state_format(self.definitions.stored(stream))
        return Header(kind, next_offset, watermark, -1, 1, 0, len(self.owned["usage"]), wanted, part)

    def _show(self, stream: str, number: int, values: Iterable[tuple[str, bytes]], state: Partition) -> None:
        source, found = self.source(stream, number), list(values)
        for index, (kind, value) in enumerate(found, 1):
            offset = self.offsets[source] = self.offsets.get(source, -1) + 1
            part = f"{index}/{len(found)}"
            header = self._header(stream, kind, state.watermark, state.next_offset, part)
            self.fold.take(source, LogRecord(offset, self.now, header, value))

    def pass_midnights(self, tenants: list[str], given: argparse.Namespace) -> dict[str, Any]:
        """Let 26 hours pass: ms of CPU of a turn of the loop and of a showing, quiet and with a midnight."""
        drawn = random.Random("turns")
        spent: dict[str, list[float]] = {
            f"{who}_{when}": []
            for who in ("batch", "commit", "board")
            for when in ("at_midnight", "otherwise")
        }
        number, turn_ms = 0, given.turn_seconds * 1000
        while self.now < NOW_MS + PASSING_MS:
            began, self.now = self.now, self.now + turn_ms
            when = "at_midnight" if self._is_midnight(tenants, began) else "otherwise"
            stream = "usage" if drawn.random() < SHARE_OF_USES else "subscription"
            number = (number + 1) % given.partitions
            state, snapshot = self.owned[stream][number]
            batch = self._batch(stream, number, began, tenants, drawn, given)
            spent[f"batch_{when}"].append(_timed(lambda state=state, batch=batch: state.apply(batch)))
            clock = time.process_time()
            drafts = snapshot.draft(state)
            spent[f"commit_{when}"].append((time.process_time() - clock) * 1000)
            snapshot.written(self.offsets[self.source(stream, number)] + 1)
            changes = [(draft.kind, draft.value) for draft in drafts.records if not draft.is_slice]
            self._show(stream, number, changes, state)
            spent[f"board_{when}"].append(_timed(self.publisher.publish))
        return {name: {**spread(times, 1), "count": len(times)} for name, times in spent.items() if times}

    def project(self, stream: str) -> dict[str, Any]:
        """Count every account anew, a turn of the loop at a time, and commit what came of it."""
        turns: list[float] = []
        commits: list[tuple[float, int]] = []
        for state, snapshot in self.owned[stream]:
            began = time.process_time()
            for _ in chain(state.project(), (None,)):
                turns.append((time.process_time() - began) * 1000)
                began = time.process_time()
            drafts = snapshot.draft(state)
            size = sum(len(draft.value) for draft in drafts.records)
            commits.append(((time.process_time() - began) * 1000, size))
        accounts = sum(len(state.entities.by_key) for state, _ in self.owned[stream])
        return {
            "us_per_account": round(sum(turns) / accounts * 1000, 1),
            "turn_ms": spread(turns, 1),
            "commit_ms": spread([spent for spent, _ in commits], 1),
            "commit_kib": spread([size / 1024 for _, size in commits], 0),
        }

    def _is_midnight(self, tenants: list[str], began: int) -> bool:
        """Whether a tenant's day ended since a turn began."""
        zones = {self.definitions.zone(tenant) for tenant in tenants}
        return any(local_date(began - 1, zone) != local_date(self.now - 1, zone) for zone in zones)

    def _batch(
        self,
        stream: str,
        partition: int,
        began: int,
        tenants: list[str],
        drawn: random.Random,
        given: argparse.Namespace,
    ) -> list[Record]:
        """Events of a turn, in order of time, most of accounts not spoken of since the restore."""
        first, _ = self.owned[stream][partition]
        owned = range(partition, given.accounts, given.partitions)
        found: list[Record] = []
        for at in sorted(began + drawn.randrange(given.turn_seconds * 1000) for _ in range(given.batch)):
            number = owned[drawn.randrange(len(owned))]
            tenant, name = tenants[number % given.histories % given.tenants], f"now-{number}-{at}"
            if stream == "usage":
                told = stories.use(number, at, tenant, name, drawn)
            else:
                minor = 10_000 + drawn.randrange(1000)
                about = f'"subscription_id":"subscription-{number % given.histories}-0"'
                data = f'{about},"mrr_minor":{minor},"currency":"EUR"'
                value = stories.event(stream, "changed", at, name, data, f"account-{number}", tenant)
                told = Told(at, f"{tenant}|account-{number}".encode(), value)
            found.append(Record(first.next_offset + len(found), told.value, at, told.key))
        return found


def _timed(work: Any) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1000


def _rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


if __name__ == "__main__":
    main()
