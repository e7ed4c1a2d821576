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
_NEW, _EXPANDED, _CONTRACTED = _F["new"], _F["expanded"], _F["contracted"]
_CHURNED, _REACTIVATED = _F["churned"], _F["reactivated"]


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
    told = list(earlier)
    for currency in sorted({*before.mrr, *after.mrr}):
        start = before.mrr.get(currency, 0)
        column = [each.mrr.get(currency, 0) for each in told]
        counter, minor = moved(start, after.mrr.get(currency, 0), column, len(column))
        cells = (_F["base"], 1, _F["start_minor"], start) if start else ()
        found.append((currency, (*cells, counter, 1, counter + 1, minor) if minor else cells))
    return found


def moved(start: int, end: int, earlier: list[int], count: int) -> tuple[int, int]:
    """What became of an MRR between a window's ends: the counter of FLOW, behind which its amount stands,
    and the amount, 0 where nothing did. The first `count` of `earlier`: all MRR before the window.
    """
    if start:
        if end > start:
            return _EXPANDED, end - start
        return (_CONTRACTED if end else _CHURNED), start - end
    return (_REACTIVATED if end and any(earlier[:count]) else _NEW), end


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
