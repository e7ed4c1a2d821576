"""What the watch on gamed numbers goes by: what may be declared of `gaming`.

It needs single contacts of several streams, so ClickHouse judges (docs/metrics/customers.md): here is what it
is told.
"""

from typing import Any, Final, NamedTuple

_LEAST_DAYS: Final = 7
_MOST_DAYS: Final = 366
DEFAULT_THRESHOLD_MS: Final = 20_000
"""Of the service level: where waits may be heaped without anything being declared."""


class Gaming(NamedTuple):
    """`baseline`: preceding days a day is compared with. Flagged above their share without comparison:
    `short_share` of answers with hardly any talk and another contact, `reopened_share` of solvings.
    """

    baseline: int = 28
    short_share: float = 0.05
    reopened_share: float = 0.2


def read_gaming(table: Any, faults: list[str]) -> Gaming:
    """The declared table `gaming`; what is wrong with it is added to `faults`."""
    if not isinstance(table, dict):
        faults.append("gaming: must be a table")
        return Gaming()
    if told := next(filter(None, (_fault(name, value) for name, value in table.items())), ""):
        faults.append(f"gaming.{told}")
        return Gaming()
    return Gaming(**table)


def _fault(name: str, value: object) -> str:
    if name not in Gaming._fields:
        return f"{name}: unknown; known are {', '.join(Gaming._fields)}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{name}: {value!r} is not a number"
    if name == "baseline":
        is_sound = isinstance(value, int) and _LEAST_DAYS <= value <= _MOST_DAYS
        return (
            "" if is_sound else f"{name}: {value!r} is not a whole number from {_LEAST_DAYS} to {_MOST_DAYS}"
        )
    return "" if 0 < value < 1 else f"{name}: {value!r} is no share between 0 and 1"
