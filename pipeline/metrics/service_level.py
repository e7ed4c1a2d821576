"""Service levels: every definition of metrics.md §2 over the cells of one enqueue cohort.

`X` and `S` are seconds and histogram bounds. `mature` leaves out the cohorts that still have time; which
buckets those are is said here, leaving them out is the reader's business.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from pipeline.metrics.buckets import Cells
from pipeline.metrics.calls import SHORT_ABANDON_S, at_most, cohort_fault, total
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import COHORT
from pipeline.metrics.numbers import Number, proportion

THRESHOLD_S: Final = 20
SWITCHES: Final = ("flowouts", "drop_short", "drop_abandoned")
PARAMETERS: Final = ("X", "S", "mature", *SWITCHES)


class Asked(NamedTuple):
    """The cohort's cells and the definition asked of them."""

    cells: Cells
    definition: Mapping[str, Any]
    definitions: Definitions

    def count(self, *names: str) -> int:
        return total(self.cells, COHORT, *names)

    def within(self, histogram: str) -> int:
        """Waits of at most X."""
        return at_most(self.cells, histogram, threshold_of(self.definition), self.definitions)

    def short_abandoned(self) -> int:
        """Abandoned within S."""
        short = self.definition.get("S", SHORT_ABANDON_S)
        return at_most(self.cells, "abandoned_wait", short, self.definitions)


def threshold_of(definition: Mapping[str, Any]) -> float:
    """X in seconds."""
    threshold: float = definition.get("X", THRESHOLD_S)
    return threshold


def maturity_ms(definition: Mapping[str, Any]) -> int:
    """In windows that end at now only buckets that end at or before now − this count."""
    return round(threshold_of(definition) * 1000) if definition.get("mature", True) else 0


def fault_of(definition: Mapping[str, Any]) -> str:
    """A switch on where it means nothing, or by leave; '' when all are in place."""
    strange = [name for name in SWITCHES if definition.get(name)] if definition["name"] != "genesys" else []
    if strange:
        return f"{strange[0]} is a switch of the definition genesys"
    return cohort_fault(definition)


def service_level(cells: Cells, definition: Mapping[str, Any], definitions: Definitions) -> Number:
    """Met / base with its interval; `n` is the base."""
    return proportion(*parts(cells, definition, definitions))


def parts(cells: Cells, definition: Mapping[str, Any], definitions: Definitions) -> tuple[int, int]:
    """Numerator and denominator."""
    asked = Asked(cells, definition, definitions)
    met = asked.within("answered_wait")
    if definition["name"] == "amazon":
        met += asked.within("abandoned_wait") + asked.within("callback_wait")
    return met, BASES[definition["name"]](asked)


def _genesys(asked: Asked) -> int:
    """Short abandoned ones are among the abandoned: both switches take each back once."""
    base = asked.count("answered", "abandoned")
    if asked.definition.get("flowouts"):
        base += asked.count("flowed_out")
    if asked.definition.get("drop_abandoned"):
        return base - asked.count("abandoned")
    return base - asked.short_abandoned() if asked.definition.get("drop_short") else base


BASES: Final[Mapping[str, Callable[[Asked], int]]] = {
    "strict": lambda asked: asked.count("offered") - asked.short_abandoned(),
    "all": lambda asked: asked.count("offered"),
    "answered": lambda asked: asked.count("answered"),
    "forgiving": lambda asked: asked.count("offered") - asked.within("abandoned_wait"),
    "amazon": lambda asked: asked.count("offered"),
    "genesys": _genesys,
}
"""Denominators by definition, the default first."""
