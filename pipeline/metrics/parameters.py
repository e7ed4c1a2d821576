"""What a parameter of a definition may be. Source: metrics.md; a wrong one is told what it can be."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Final


def fault_of(definition: Mapping[str, Any]) -> str:
    """The first parameter that cannot be, and what it can be; '' when all are sound."""
    for name, value in definition.items():
        check = _CHECKS.get(name)
        if check is not None and (told := check(value)):
            return f"{name}: {value!r}; {told}"
    return ""


def is_seconds(value: object) -> bool:
    """A finite number of seconds, 0 included."""
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value >= 0


def _seconds(value: object) -> str:
    return "" if is_seconds(value) else "a threshold is a number of seconds, at least 0"


def _switch(value: object) -> str:
    return "" if isinstance(value, bool) else "a switch is true or false"


def _by(value: object) -> str:
    return "" if value in ("leave", "enqueue") else 'known are "leave" and "enqueue"'


_CHECKS: Final[Mapping[str, Callable[[object], str]]] = {
    "X": _seconds,
    "S": _seconds,
    "by": _by,
    **dict.fromkeys(("mature", "flowouts", "drop_short", "drop_abandoned"), _switch),
}
