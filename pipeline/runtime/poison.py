"""When a partition counts as poisoned. Source: events.md §2.

Pure: fed with what became of each batch, asked for a verdict.
"""

from collections import deque
from typing import Final

from pipeline.state.partition import Applied

WINDOW_EVENTS: Final = 10_000
MOST_REJECTED: Final = WINDOW_EVENTS // 100
MOST_IN_A_ROW: Final = 100


class Poison:
    """Rejected among the last 10,000 events of one partition, and the run at the end."""

    def __init__(self) -> None:
        self._batches: deque[tuple[int, int]] = deque()
        self._consumed = 0
        self._rejected = 0
        self._run = 0
        self._seen = 0
        self._last_bad = 0

    def saw(self, applied: Applied) -> None:
        """Take in one batch."""
        if not applied.consumed:
            return  # heartbeats alone
        for letter in applied.dead_letters:
            number = self._seen + letter.number
            self._run = self._run + 1 if number == self._last_bad + 1 else 1
            self._last_bad = number
        self._seen += applied.consumed
        if self._last_bad != self._seen:
            self._run = 0
        rejected = len(applied.dead_letters)
        self._batches.append((applied.consumed, rejected))
        self._consumed += applied.consumed
        self._rejected += rejected
        while self._consumed - self._batches[0][0] >= WINDOW_EVENTS:
            consumed, bad = self._batches.popleft()
            self._consumed -= consumed
            self._rejected -= bad

    @property
    def reason(self) -> str:
        """'' when the partition is sound."""
        if self._run >= MOST_IN_A_ROW:
            return f"the last {self._run} events were rejected"
        if self._rejected > MOST_REJECTED:
            return f"{self._rejected} of the last {self._consumed} events were rejected"
        return ""
