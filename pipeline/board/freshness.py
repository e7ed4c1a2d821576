"""Where each source of the board stands, and whether it is idle. Source: metrics.md §8."""

from typing import Final, NamedTuple

from pipeline.board.fold import Position, Source

IDLE_AFTER_MS: Final = 60_000


class Freshness(NamedTuple):
    """Where one source stands; instants in ms, -1 = no commit seen.

    Idle: commits come, but since a minute none with newer events, so its watermark says nothing.
    `heartbeat_at`: when the newest heartbeat in the numbers was sent. `held`: why new values are left out.
    """

    source: Source
    next_offset: int
    position: int
    watermark: int
    committed_at: int
    is_idle: bool
    is_caught_up: bool
    refused: str
    heartbeat_at: int = -1
    held: str = ""

    def age_ms(self, now: int) -> int | None:
        """Since the last commit was appended; None when there was none."""
        return None if self.committed_at < 0 else max(0, now - self.committed_at)


def freshness_of(source: Source, place: Position, now: int) -> Freshness:
    """A source's position at `now` (ms)."""
    return Freshness(
        source,
        place.next_offset,
        place.position,
        place.watermark,
        place.committed_at,
        now - place.moved_at > IDLE_AFTER_MS,
        place.is_caught_up,
        place.refused,
        place.heartbeat_at,
        place.held,
    )
