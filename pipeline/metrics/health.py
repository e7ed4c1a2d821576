"""How well an account does: what may be declared of `health`; formulas: docs/metrics/customers.md.

The scores come from several streams, so ClickHouse works them out; here is only what it is told.
"""

from math import isfinite
from typing import Any, Final, NamedTuple

_MOST_DAYS: Final = 3650


class Health(NamedTuple):
    """Weights of the four scores, none below 0, not all 0. `days`: how far back waits, answers and payments
    count.
    """

    adoption: float = 0.4
    speed: float = 0.2
    sentiment: float = 0.2
    payment: float = 0.2
    days: int = 90

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each score by its name."""
        return {name: float(weight) for name, weight in self._asdict().items() if name != "days"}


def read_health(table: Any, faults: list[str]) -> Health:
    """The declared table `health`; what is wrong with it is added to `faults`."""
    if not isinstance(table, dict):
        faults.append("health: must be a table")
        return Health()
    if told := _fault(table):
        faults.append(f"health.{told}")
        return Health()
    return Health(**table)


def _fault(table: dict[str, Any]) -> str:
    for name, value in table.items():
        if name not in Health._fields:
            return f"{name}: unknown; known are {', '.join(Health._fields)}"
        if name == "days":
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MOST_DAYS:
                return f"days: {value!r} is not a whole number from 1 to {_MOST_DAYS}"
        elif not _is_weight(value):
            return f"{name}: {value!r} is no weight, a number of at least 0"
    if not any(Health(**table).weights.values()):
        return "adoption: one weight at least must be above 0"
    return ""


def _is_weight(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value >= 0
