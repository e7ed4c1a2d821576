"""The story `demo` tells: begun once per folder, gone on with by the next run in it.

The same start and seed give the same events, so callers who waited when the demo was stopped leave
their queues when it goes on, and an event sent again is a duplicate.
"""

from collections.abc import Collection, Iterator
from itertools import chain, dropwhile
from pathlib import Path

import msgspec

from pipeline.sources.business.params import Business
from pipeline.sources.centre import CallCentre
from pipeline.sources.delivery import Simulated
from pipeline.sources.everything import simulate_all

CROWD_MS = 20 * 60 * 1000
LONGEST_CROWD_MS = 6 * 3600 * 1000
OVERLAP_MS = 5000


class Story(msgspec.Struct, frozen=True):
    """Who is told about, from when (ms), and up to when it has been told.

    The business begins at `start_ms` and lasts; the crowd of callers begins at `crowd_ms`, and anew where
    it would be long. Calls come first, so the two of `*_told_ms` differ while the past is being filled.
    """

    seed: int
    bootstrap: str
    business: Business
    rate: float
    start_ms: int
    crowd_ms: int
    calls_told_ms: int
    others_told_ms: int

    def calls(self) -> Iterator[Simulated]:
        """The events of `call` still to be sent, for ever. Tells itself the whole story: takes seconds."""
        return self._untold(("call",), self.calls_told_ms)

    def others(self, streams: Collection[str]) -> Iterator[Simulated]:
        """Those of the other streams."""
        return self._untold([stream for stream in streams if stream != "call"], self.others_told_ms)

    def rest(self, streams: Collection[str]) -> Iterator[Simulated]:
        """Those of all these streams, in order of delivery."""
        return self._untold(streams, min(self.calls_told_ms, self.others_told_ms))

    def _untold(self, streams: Collection[str], told_ms: int) -> Iterator[Simulated]:
        crowd = CallCentre(rate=self.rate)
        records = simulate_all(self.business, crowd, self.seed, self.start_ms, self.crowd_ms, streams)
        rest = dropwhile(lambda record: record.deliver_at_ms < told_ms - OVERLAP_MS, records)
        # Here, where it may take seconds, and not on the event loop that sends them.
        return chain([next(rest)], rest)


def begun(
    *, seed: int, bootstrap: str, business: Business, rate: float, now_ms: int, history_ms: int
) -> Story:
    """A story of which nothing has been told yet: a past of the business, twenty minutes of the crowd."""
    start_ms = now_ms - max(history_ms, CROWD_MS)
    crowd_ms = now_ms - CROWD_MS
    return Story(seed, bootstrap, business, rate, start_ms, crowd_ms, start_ms, start_ms)


def go_on(file: Path, new: Story) -> Story:
    """The story kept in `file` where it is of the business wanted; else `new`.

    The crowd goes on where it is of the rate wanted and began less than six hours ago, else another comes.
    """
    try:
        last = msgspec.json.decode(file.read_bytes(), type=Story)
    except (OSError, msgspec.MsgspecError):
        return new
    if (last.seed, last.bootstrap, last.business) != (new.seed, new.bootstrap, new.business):
        return new
    if last.rate != new.rate or new.crowd_ms - last.crowd_ms > LONGEST_CROWD_MS:
        return msgspec.structs.replace(last, rate=new.rate, crowd_ms=new.crowd_ms)
    return last


def keep(file: Path, story: Story, calls_told_ms: int, others_told_ms: int) -> None:
    """Remember how far it was told. Who is killed meanwhile leaves the file as it was."""
    file.parent.mkdir(parents=True, exist_ok=True)
    told = msgspec.structs.replace(story, calls_told_ms=calls_told_ms, others_told_ms=others_told_ms)
    half = file.with_suffix(".half")
    half.write_bytes(msgspec.json.encode(told))
    half.replace(file)
