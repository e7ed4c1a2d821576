"""Asks ClickHouse now and then how many days look gamed, for the gauge. Never writes.

Source: metrics.md §7. A thread and a client of its own: no insert waits, however long the question takes.
"""

import time
from collections.abc import Callable, Mapping
from threading import Event
from typing import Final, Protocol, TypeAlias

import structlog

from pipeline.sink.clickhouse import STORE_ERRORS

log = structlog.get_logger("pulse.sink")

PAUSE_SECONDS: Final = 60.0
SHARE_OF_TIME: Final = 0.1
"""The server is busy with this question for no more of the time."""

Flags: TypeAlias = Mapping[tuple[str, str, str], int]
"""Flagged days of the last seven by (tenant, queue, kind); 0: judged, and nothing found."""


class Asked(Protocol):
    """What the watch needs of a store (clickhouse.Asker). `gaming_flags` raises one of STORE_ERRORS."""

    def gaming_flags(self) -> Flags: ...

    def close(self) -> None: ...


class Watch:
    """`tell` gets the flags after each asking; none while they are not known."""

    def __init__(
        self,
        connect: Callable[[], Asked],
        tell: Callable[[Flags], None],
        stopping: Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._tell = tell
        self._stopping = stopping
        self._clock = clock

    def run(self) -> None:
        """Ask until told to stop; then nothing is known any more."""
        try:
            while not self._stopping.is_set():
                began = self._clock()
                self._tell(self._ask())
                took = self._clock() - began
                self._stopping.wait(max(PAUSE_SECONDS, took / SHARE_OF_TIME))
        finally:
            self._tell({})

    def _ask(self) -> Flags:
        try:
            asked = self._connect()
            try:
                return asked.gaming_flags()
            finally:
                asked.close()
        except STORE_ERRORS as error:
            log.warning("WatchFailed", error=str(error)[:300])
            return {}
