"""Whether the board lives, and whether its numbers may be believed: reasons as text, none = well.

Source: observability.md §1 (18, 20) and §7. Liveness is progress of the loop; readiness is about data.
"""

import time
from collections.abc import Callable
from typing import Final

from pipeline.board.freshness import Freshness
from pipeline.board.snapshot import Snapshot

LOOP_STALL_SECONDS: Final = 10.0
HEARTBEATS_MISSED: Final = 3


class Heartbeat:
    """When the event loop last turned, and what ended although it never should."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at = clock()
        self._ended: list[str] = []

    def beat(self) -> None:
        self._at = self._clock()

    def ended(self, what: str) -> None:
        self._ended.append(what)

    def faults(self) -> list[str]:
        """Why the process should be restarted."""
        silent = self._clock() - self._at
        if silent >= LOOP_STALL_SECONDS:
            return [*self._ended, f"the event loop has not turned for {silent:.0f} s"]
        return list(self._ended)


def data_faults(snapshot: Snapshot, now: int, heartbeat_seconds: float) -> list[str]:
    """Why the numbers are not those of now. `heartbeat_seconds`: how often an idle worker commits."""
    if not snapshot.freshness:
        return ["no partition of a state log is known yet"]
    return [fault for each in snapshot.freshness if (fault := _fault(each, now, heartbeat_seconds))]


def _fault(each: Freshness, now: int, heartbeat_seconds: float) -> str:
    name = f"{each.source.stream}/{each.source.partition}"
    age = each.age_ms(now)
    if each.refused:
        return f"{name} is refused: {each.refused}"
    if each.held:
        return f"{name} stands still: {each.held}"
    if not each.is_caught_up:
        return f"{name} is still being read, at log offset {max(each.position, 0)}"
    if age is not None and age > HEARTBEATS_MISSED * heartbeat_seconds * 1000:
        return (
            f"{name} has had no commit for {age // 1000} s although one is due every"
            f" {heartbeat_seconds:g} s: is its worker running?"
        )
    return ""
