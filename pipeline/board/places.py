"""Where a number belongs: the dimensions a family has on the board, and what a question keeps of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from pipeline.board.sums import LONGEST_MS
from pipeline.metrics import tickets
from pipeline.metrics.buckets import DAY, LEVEL, LIVE
from pipeline.metrics.catalogue import Definition, Metric, definition_of
from pipeline.metrics.families import (
    ADOPTION,
    FAMILIES,
    FLOW,
    HEADCOUNT,
    INVITATIONS,
    LEAVE,
    MATURING,
    STAFF_STEPS,
    STAGE_MOVES,
    STAGE_STAYS,
    STAGE_STEPS,
    STANDING,
    STAYING,
    TICKETS,
)
from pipeline.metrics.windows import DAY_WINDOWS, LIVE_WINDOWS

Dims: TypeAlias = tuple[str, ...]
"""Names of dimensions, `tenant` first."""
Place: TypeAlias = tuple[str | None, ...]
"""Values of dimensions in their order; None where it is rolled up."""

DIMENSIONS: Final[Dims] = ("tenant", "queue", "channel")
"""Those of calls, which every other place is shown beside."""
NOW: Final = "now"
TODAY: Final = "today"
WINDOWS: Final = (*LIVE_WINDOWS, *DAY_WINDOWS)
BY_DAY: Final = tuple(family.name for family in (STAGE_MOVES, STAGE_STAYS, INVITATIONS))
"""Counted by local days only."""
TALLIES: Final = (
    *(family.name for family in FAMILIES.values() if {LIVE, DAY} <= set(family.grains)),
    *BY_DAY,
)
MATURES: Final = {TICKETS.name: MATURING.name}
"""Where the board finds what of a family is too young for a definition with maturity."""
LEVEL_DIMS: Final = {"age": tuple(tickets.AGES)}
"""Dimensions that are no part of a series but read from its ages."""
BY_REASON: Final = tuple(family.name for family in FAMILIES.values() if family.dims == ("reason",))
"""What stands aside: it belongs to a tenant alone."""
STEPS: Final = tuple(
    family.name for family in (STAYING, FLOW, STANDING, STAGE_STEPS, HEADCOUNT, STAFF_STEPS, ADOPTION)
)
"""Step families: the number of a day is the sum of all day buckets up to it (architecture.md §3)."""
LEVELS: Final = tuple(f.name for f in FAMILIES.values() if LEVEL in f.grains and f.name not in BY_REASON)


def dims_of(family: str) -> Dims:
    """What the board keeps apart within a family."""
    return DIMENSIONS if family in BY_REASON else ("tenant", *FAMILIES[family].dims)


def windows_of(family: str) -> tuple[str, ...]:
    """The windows the board keeps a tally in. Calls are many and asked about now: of them it has no days
    but today.
    """
    is_of_calls = FAMILIES[family].stream == LEAVE.stream
    days = (TODAY,) if is_of_calls else DAY_WINDOWS
    return days if family in BY_DAY else (*LIVE_WINDOWS, *days)


ALL_DIMENSIONS: Final[Dims] = tuple(
    dict.fromkeys(
        [*(name for family in (*TALLIES, *LEVELS, *STEPS) for name in dims_of(family)), *LEVEL_DIMS]
    )
)


def places_of(told: Iterable[tuple[str, Iterable[Place]]]) -> dict[Dims, tuple[Place, ...]]:
    """Every place of these families, in order; families of the same dimensions share theirs."""
    found: dict[Dims, set[Place]] = {}
    for family, places in told:
        found.setdefault(dims_of(family), set()).update(places)
    return {
        dims: tuple(sorted(places, key=lambda place: tuple(name or "" for name in place)))
        for dims, places in found.items()
    }


def is_kept(family: str, window: str, maturity_ms: int) -> bool:
    """Whether the board has what of a window is not ripe: in its hour of buckets, or in a family of its own.
    What takes longer to ripen than a window or a day lasts has no number there.
    """
    return maturity_ms <= LONGEST_MS or (family in MATURES and window in DAY_WINDOWS and window != TODAY)


@dataclass(frozen=True, slots=True)
class Question:
    """Which rows are asked for; None = all. `by`: dimensions kept, the others are rolled up.

    `windows` are names of WINDOWS, and NOW for what is there at the snapshot's instant.
    """

    by: Dims | None = None
    metrics: tuple[str, ...] | None = None
    windows: tuple[str, ...] | None = None
    tenant: str | None = None
    queue: str | None = None
    definition: Definition | None = None

    def wants(self, family: str, window: str, maturity_ms: int) -> bool:
        """What the board cannot know, because it has let go of what is not ripe, is told of on request."""
        if self.windows is not None and window not in self.windows:
            return False
        return is_kept(family, window, maturity_ms) or self.metrics is not None

    def definitions(self, metric: Metric) -> list[Definition]:
        """Those asked of a metric. Raises DefinitionError; a metric that must be told something is left out
        where all are asked for.
        """
        if self.definition is not None:
            return [definition_of(metric, self.definition)]
        if self.metrics is None and metric.fault and metric.fault({"name": metric.variants[0]}):
            return []
        return [definition_of(metric, variant) for variant in metric.variants]

    def projected(self, dims: Dims, place: Place, only: tuple[tuple[str, str], ...] = ()) -> Place | None:
        """Where a place's parts go; None: not asked for. `only`: values it must have."""
        for name, wanted in (("tenant", self.tenant), ("queue", self.queue), *only):
            if wanted is not None and (name not in dims or place[dims.index(name)] != wanted):
                return None
        by = self.by
        if by is None:
            return place
        return tuple(value if name in by else None for name, value in zip(dims, place, strict=True))
