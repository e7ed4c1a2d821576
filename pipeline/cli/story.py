"""The story `demo` tells: begun once per folder, gone on with by the next run in it.

The same start and seed give the same events, so callers who waited when the demo was stopped leave
their queues when it goes on, and an event sent again is a duplicate.
"""

from collections.abc import Iterator
from itertools import dropwhile
from pathlib import Path

import msgspec

from pipeline.sources.delivery import Simulated
from pipeline.sources.simulate import CallCentre, simulate

HISTORY_MS = 20 * 60 * 1000
LONGEST_MS = 6 * 3600 * 1000
OVERLAP_MS = 5000


class Story(msgspec.Struct, frozen=True):
    """Who is told about, from when (ms), and up to when it has been told."""

    rate: float
    seed: int
    bootstrap: str
    start_ms: int
    told_ms: int

    def untold(self) -> Iterator[Simulated]:
        """The records still to be sent, for ever. Tells itself the whole story: takes seconds."""
        told = self.told_ms - OVERLAP_MS
        records = simulate(CallCentre(rate=self.rate), self.seed, self.start_ms)
        return dropwhile(lambda record: record.deliver_at_ms < told, records)


def go_on(file: Path, told: Story) -> Story:
    """The story kept in `file` where it is the one wanted and began less than six hours ago.

    Else `told`, which begins with twenty minutes of history.
    """
    try:
        last = msgspec.json.decode(file.read_bytes(), type=Story)
    except (OSError, msgspec.MsgspecError):
        return told
    wanted = (told.rate, told.seed, told.bootstrap)
    is_wanted = (last.rate, last.seed, last.bootstrap) == wanted
    return last if is_wanted and told.start_ms - last.start_ms <= LONGEST_MS else told


def keep(file: Path, story: Story, told_ms: int) -> None:
    """Remember how far it was told."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(story, told_ms=told_ms)))
