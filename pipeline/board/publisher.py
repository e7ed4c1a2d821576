"""Makes the snapshot that everybody is shown, when the fold has changed and at every 10-second edge.

It alone decides how often: not more than every `render_seconds`, and never so often that rendering
takes more than a tenth of the loop it shares with the other roles.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

from pipeline.board.collector import Exposition
from pipeline.board.fold import Fold, Source
from pipeline.board.showing import snapshot_of
from pipeline.board.snapshot import Snapshot
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.windows import BUCKET_MS
from pipeline.telemetry import Telemetry

PAUSE_PER_RENDER: Final = 9.0
LATENCY_BOUNDS: Final = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0)


class Publisher:
    """Owns the latest snapshot, counted by `number`, and its exposition. `now_ms` is the wall clock."""

    def __init__(
        self,
        fold: Fold,
        definitions: Definitions,
        telemetry: Telemetry,
        now_ms: Callable[[], int],
        render_seconds: float,
    ) -> None:
        self.now_ms = now_ms
        self.number = 0
        self.latest: Snapshot = snapshot_of(fold, definitions, now_ms())
        self.exposition = Exposition(lambda: self.latest, telemetry.registry)
        self._fold = fold
        self._definitions = definitions
        self._render_seconds = render_seconds
        self._wake = asyncio.Event()
        self._published = asyncio.Event()
        self._seen: dict[Source, int] = {}
        self._latency = telemetry.histogram(
            "event_visible_latency_seconds",
            "From the time of a commit's newest event until the board shows the commit.",
            LATENCY_BOUNDS,
        )

    def changed(self) -> None:
        """The fold has changed: publish soon."""
        self._wake.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._seconds_to_edge())
            began = time.perf_counter()
            self.publish()
            took = time.perf_counter() - began
            await asyncio.sleep(max(self._render_seconds, took * PAUSE_PER_RENDER))

    def publish(self) -> None:
        """Make the snapshot of this instant and render it."""
        self._wake.clear()
        self.latest = snapshot_of(self._fold, self._definitions, self.now_ms())
        self._observe()
        self.exposition.renew()
        self.number += 1
        self.wake()

    def wake(self) -> None:
        """Whoever waits for a snapshot looks again; at the end there may be none."""
        self._published.set()
        self._published = asyncio.Event()

    async def after(self, number: int, timeout_seconds: float) -> bool:
        """Wait until more than `number` snapshots were published; False when the time is over."""
        try:
            if self.number <= number:
                await asyncio.wait_for(self._published.wait(), timeout_seconds)
        except TimeoutError:
            return False
        return self.number > number

    def _seconds_to_edge(self) -> float:
        return (BUCKET_MS - self.now_ms() % BUCKET_MS) / 1000 + 0.01

    def _observe(self) -> None:
        """What was committed while the board caught up is old news and says nothing of latency; nor does
        a commit without newer events.
        """
        for each in self.latest.freshness:
            last = self._seen.get(each.source)
            if each.is_caught_up and last is not None and each.watermark > last:
                self._latency.observe(max(0, self.latest.now - each.watermark) / 1000)
            if each.is_caught_up:
                self._seen[each.source] = each.watermark
