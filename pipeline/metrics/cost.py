"""What support costs a tenant, where it is declared; formulas: docs/metrics/value.md.

No event carries a cost, and what an account cost needs several streams, so ClickHouse works it out: here is
what it is told.
"""

import re
from math import isfinite
from typing import Any, Final, NamedTuple

_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)


class SupportCost(NamedTuple):
    """In minor units of `currency` (ISO 4217): an hour of talk with a person, a ticket."""

    currency: str
    hour_minor: float = 0
    ticket_minor: float = 0


def read_support_cost(table: Any, place: str, faults: list[str]) -> SupportCost | None:
    """The declared table `support_cost`, None = not declared; what is wrong with it is added to `faults`."""
    if table is None:
        return None
    if not isinstance(table, dict):
        faults.append(f'{place}: must be a table like {{currency = "EUR", hour_minor = 4200}}')
        return None
    if told := _fault(table):
        faults.append(f"{place}.{told}")
        return None
    return SupportCost(**table)


def _fault(table: dict[str, Any]) -> str:
    for name, value in table.items():
        if name not in SupportCost._fields:
            return f"{name}: unknown; known are {', '.join(SupportCost._fields)}"
        if name != "currency" and not _is_amount(value):
            return f"{name}: {value!r} is no amount, a number of at least 0"
    currency = table.get("currency")
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        return f'currency: {currency!r} is no currency, e.g. "EUR"'
    if not any(table.get(name, 0) for name in SupportCost._fields[1:]):
        return "hour_minor: it or ticket_minor must be above 0"
    return ""


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value >= 0
