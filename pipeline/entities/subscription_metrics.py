"""What an account adds to the numbers of revenue and staying: two of its states compared.

Source: metrics.md §6. The live projection (subscription_steps.py) and `replay` both compare here.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

from pipeline.entities.subscription import NOTHING, Standing
from pipeline.metrics.families import FLOW, STANDING, STAYING

Parts: TypeAlias = list[tuple[str, tuple[int, ...]]]
"""Cells by currency."""

_S: Final = {name: STAYING.cell(name) for name in STAYING.counters}
_T: Final = {name: STANDING.cell(name) for name in STANDING.counters}
_F: Final = {name: FLOW.cell(name) for name in FLOW.counters}


def staying(before: Standing, inside: Iterable[Standing], after: Standing) -> tuple[int, ...]:
    """Cells of STAYING: the account at a window's start, the standings dated in it, and at its end."""
    if before.is_active:
        lost = () if after.is_active else (_S["lost"], 1)
        return (
            _S["base"], 1, *lost, _S["start_seats"], before.seats, _S["end_seats"], after.seats,
        )  # fmt: skip
    return (_S["joined"], 1) if any(each.is_active for each in inside) else ()


def flows(earlier: Iterable[Standing], before: Standing, after: Standing) -> Parts:
    """Cells of FLOW by currency. `earlier`: standings dated before the window's start.

    Law: end = start + new + reactivation + expansion − contraction − churn.
    """
    found: Parts = []
    for currency in sorted({*before.mrr, *after.mrr}):
        start, end = before.mrr.get(currency, 0), after.mrr.get(currency, 0)
        cells: tuple[int, ...]
        if start:
            cells = (_F["base"], 1, _F["start_minor"], start, *_changed(start, end))
        elif any(currency in each.mrr for each in earlier):
            cells = (_F["reactivated"], 1, _F["reactivation_minor"], end)
        else:
            cells = (_F["new"], 1, _F["new_minor"], end)
        found.append((currency, cells))
    return found


def _changed(start: int, end: int) -> tuple[int, ...]:
    if not end:
        return _F["churned"], 1, _F["churn_minor"], start
    if end > start:
        return _F["expanded"], 1, _F["expansion_minor"], end - start
    if end < start:
        return _F["contracted"], 1, _F["contraction_minor"], start - end
    return ()


def standing_cells(standing: Standing) -> Parts:
    """Cells of STANDING by currency; "": in any of them, with the seats of all."""
    found: Parts = [
        (currency, (_T["accounts"], 1, _T["mrr_minor"], minor)) for currency, minor in standing.mrr.items()
    ]
    if standing.is_active or standing.seats:
        found.append(("", (_T["accounts"], int(standing.is_active), _T["seats"], standing.seats)))
    return found


def compare(found: list[Standing], first: int, last: int) -> tuple[tuple[int, ...], Parts]:
    """Both of the above: the first `first` standings are before the window, the first `last` before its
    end.
    """
    before = found[first - 1] if first else NOTHING
    after = found[last - 1] if last else NOTHING
    return staying(before, found[first:last], after), flows(found[:first], before, after)
