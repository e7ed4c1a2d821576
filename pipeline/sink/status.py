"""What the sink tells others while it runs: for /readyz, metrics, and those who wait for an offset.

Written by the sink's thread, read by any; every read is a copy.
"""

from collections.abc import Mapping
from enum import StrEnum
from threading import Condition
from typing import NamedTuple, TypeAlias

Place: TypeAlias = tuple[str, int]
"""(topic, partition)."""


class State(StrEnum):
    """`stopped` without having been asked to is a stopped line: `reason` says why and what to do."""

    STARTING = "starting"
    RUNNING = "running"
    RETRYING = "retrying"
    STOPPED = "stopped"


class SinkStatus(NamedTuple):
    """`last_success` is Unix time of the last insert or commit that was acknowledged, None before it.

    `positions`: everything below is in ClickHouse, by (topic, partition). Counts are since the start;
    `batch_seconds` is how long the last write took. `heartbeats`: when the newest one that was read back
    from ClickHouse was sent, ms, by (stream, source partition). `gaming`: days that look gamed by (tenant,
    queue, kind), as far as known (watch.py).
    """

    state: State = State.STARTING
    reason: str = ""
    last_success: float | None = None
    buffered_rows: int = 0
    buffered_since: float | None = None
    positions: Mapping[Place, int] = {}
    written_rows: int = 0
    refused_rows: int = 0
    retries: Mapping[str, int] = {}
    batch_seconds: float = 0.0
    batch_rows: int = 0
    heartbeats: Mapping[tuple[str, int], int] = {}
    gaming: Mapping[tuple[str, str, str], int] = {}

    def is_healthy(self, now: float, patience_seconds: float = 60.0) -> bool:
        """Not ready when rows wait for longer than `patience_seconds`, and at once when the line stands.

        An insert that hangs leaves the state at `running`: only the age of its rows tells.
        """
        if self.state in {State.STOPPED, State.STARTING} or self.last_success is None:
            return False
        if self.buffered_since is not None:
            return now - self.buffered_since < patience_seconds
        return self.state is State.RUNNING or now - self.last_success < patience_seconds


class StatusBoard:
    """The current SinkStatus behind one lock."""

    def __init__(self) -> None:
        self._status = SinkStatus()
        self._changed = Condition()

    @property
    def current(self) -> SinkStatus:
        with self._changed:
            return self._status

    def update(self, **fields: object) -> None:
        """Replace fields; wakes everybody who waits."""
        with self._changed:
            self._status = self._status._replace(**fields)  # type: ignore[arg-type]
            self._changed.notify_all()

    def wait_past(self, place: Place, offset: int, timeout: float) -> bool:
        """Wait until the record at `offset` and all before it are in ClickHouse; False when it takes
        longer, or the sink has stopped.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._status.positions.get(place, -1) > offset or self._status.state is State.STOPPED,
                timeout,
            )
            return self._status.positions.get(place, -1) > offset
