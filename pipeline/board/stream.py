"""The live page's events: what a reader chose, each time a snapshot is published.

Made once for all who chose the same, at most twice a second for each reader, and less often when the views
of one snapshot would take more than a tenth of the loop they share with the other roles.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec

from pipeline.board.publisher import Publisher
from pipeline.board.view import Choice, names_answer, view_answer

EVERY_SECONDS: Final = 0.5
KEEP_ALIVE_SECONDS: Final = 5.0
PAUSE_PER_ROUND: Final = 9.0

_encode = msgspec.json.Encoder().encode


class Stream:
    """Answers choices from the latest snapshot. `faults` says why the numbers are not those of now."""

    def __init__(self, publisher: Publisher, faults: Callable[[], list[str]]) -> None:
        self._publisher = publisher
        self._faults = faults
        self._number = -1
        self._views: dict[Choice, bytes] = {}
        self._took = self._took_before = 0.0

    async def events(self, choice: Choice, stopping: asyncio.Event) -> AsyncIterator[bytes]:
        """Until `stopping`: the names that can be chosen when they change, the numbers chosen when they are
        renewed, and the server's clock.
        """
        shown, names = -1, b""
        while not stopping.is_set():
            if await self._publisher.after(shown, KEEP_ALIVE_SECONDS):
                shown = self._publisher.number
                told = _event("names", _encode(names_answer(self._publisher.latest, choice.tenant)))
                yield self._alive() + (b"" if told == names else told) + self._view(choice)
                names = told
                round_took = max(self._took, self._took_before)
                await asyncio.sleep(max(EVERY_SECONDS, round_took * PAUSE_PER_ROUND))
            else:
                yield self._alive()

    def _alive(self) -> bytes:
        return _event("alive", b"%d" % self._publisher.now_ms())

    def _view(self, choice: Choice) -> bytes:
        if self._number != self._publisher.number:
            self._number = self._publisher.number
            self._views.clear()
            self._took, self._took_before = 0.0, self._took
        if choice not in self._views:
            began = time.perf_counter()
            answer: dict[str, Any] = view_answer(self._publisher.latest, choice, self._faults())
            self._views[choice] = _event("view", _encode(answer))
            self._took += time.perf_counter() - began
        return self._views[choice]


def _event(name: str, data: bytes) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
