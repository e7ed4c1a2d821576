"""What is to happen, in order of time: the clock of a simulation. Knows nothing of what happens."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any


class Agenda:
    """Steps to come; those of one instant keep their order. `now` (ms) is when the last one was taken."""

    __slots__ = ("_heap", "_number", "now")

    def __init__(self, start_ms: int) -> None:
        self.now = float(start_ms)
        self._heap: list[tuple[float, int, Callable[[Any], None], Any]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._heap)

    def at(self, when: float, step: Callable[[Any], None], subject: object) -> None:
        """Take `step(subject)` at an instant (ms), not before now."""
        self._number += 1
        heappush(self._heap, (when, self._number, step, subject))

    def step(self) -> None:
        """Take the next step. Raises IndexError when there is none."""
        self.now, _, step, subject = heappop(self._heap)
        step(subject)
