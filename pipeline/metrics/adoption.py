"""Adoption: what may be declared or asked for, and the formulas of metrics.md §5 over counts."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from pipeline.metrics.numbers import Number, mean_seconds, proportion

ACCOUNT: Final = "account"
USER: Final = "user"
UNITS: Final = (ACCOUNT, USER)
COHORT_DAYS: Final = 90
"""Whose time to value counts: units that first signed up in so many local days."""
STICKY_DAYS: Final = 28
_MOST_DAYS: Final = 3650


class Adoption(NamedTuple):
    """Who adopted: ≥ `k` distinct features of `core` (None: of all) in the last `w` local days, used on
    ≥ `d` of them. `unit`: account or user. `a`: within so many days one is activated.
    """

    unit: str = ACCOUNT
    core: tuple[str, ...] | None = None
    k: int = 1
    d: int = 3
    w: int = 28
    a: int = 14

    def asked(self, definition: Mapping[str, Any]) -> "Adoption":
        """What is declared, with what a question says instead."""
        table = {name: definition[name] for name in self._fields if name in definition}
        if table.get("core") is not None:
            table["core"] = tuple(sorted(set(table["core"])))
        return self._replace(**table)


def fault(table: Mapping[str, Any]) -> str:
    """What is wrong with parameters asked for or declared, '' = nothing."""
    if table.get("unit", ACCOUNT) not in UNITS:
        return f"unit: {table['unit']!r}; known are {', '.join(UNITS)}"
    core = table.get("core")
    is_list = isinstance(core, list | tuple) and all(isinstance(each, str) and each for each in core)
    if core is not None and not (is_list and core):
        return f'core: {core!r} is no list of features, e.g. ["board", "export"]; leave it out for all'
    for name, most in (("k", _MOST_DAYS), ("d", _MOST_DAYS), ("w", _MOST_DAYS), ("a", COHORT_DAYS)):
        number = table.get(name, 1)
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= most:
            return f"{name}: {number!r} is not a whole number from 1 to {most}"
    return ""


def read_adoption(table: Any, faults: list[str]) -> Adoption:
    """The declared table `adoption`; what is wrong with it is added to `faults`."""
    if not isinstance(table, dict):
        faults.append("adoption: must be a table")
        return Adoption()
    unknown = [key for key in table if key not in Adoption._fields]
    known = ", ".join(Adoption._fields)
    told = f"{unknown[0]}: unknown; known are {known}" if unknown else fault(table)
    if told:
        faults.append(f"adoption.{told}")
        return Adoption()
    return Adoption().asked(table)


def adoption(adopted: int, eligible: int) -> Number:
    """Eligible units that adopted / eligible units."""
    return proportion(adopted, eligible)


def stickiness(unit_days: int, active_28d: int) -> Number:
    """Mean of active_1d over the last 28 days / active_28d; n is active_28d.

    No proportion of independent trials (the days of one unit are alike), so no interval.
    """
    return Number(unit_days / STICKY_DAYS / active_28d if active_28d else None, active_28d)


def time_to_value(percent: int, spans_ms: Sequence[int]) -> Number:
    """The ⌈percent·n/100⌉-th smallest span, in seconds."""
    n = len(spans_ms)
    return Number(sorted(spans_ms)[-(-percent * n // 100) - 1] / 1000 if n else None, n)


def time_to_value_mean(spans_ms: Sequence[int]) -> Number:
    """Mean span in seconds of the units that got there."""
    return mean_seconds(sum(spans_ms), len(spans_ms))


def time_to_value_censored(reached: int, cohort: int) -> Number:
    """Share of the cohort that is not there yet."""
    return proportion(cohort - reached, cohort)


def activation(reached: int, cohort: int) -> Number:
    """Share of the units that had their days and reached the milestone within them."""
    return proportion(reached, cohort)
