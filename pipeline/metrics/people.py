"""Customers' stages and agents: the formulas of metrics.md §7 over counts."""

from collections.abc import Mapping
from typing import Any

from pipeline.metrics.buckets import Cells
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import STAGE_MOVES, STAGE_STAYS
from pipeline.metrics.numbers import Number, count, mean_seconds, proportion


def stage_moves(cells: Cells, _definition: Mapping[str, Any], _: Definitions) -> Number:
    """How often accounts went from one stage to another."""
    return count(cells.get(STAGE_MOVES.cell("moves"), 0))


def time_in_stage(cells: Cells, _definition: Mapping[str, Any], _: Definitions) -> Number:
    """Mean length of the stays in a stage that ended by a move to another."""
    return mean_seconds(cells.get(STAGE_STAYS.cell("stay_ms"), 0), cells.get(STAGE_STAYS.cell("stays"), 0))


def internal_mobility(moved: int, left: int) -> Number:
    """Agents moved to another department / (moved + left)."""
    return proportion(moved, moved + left)


def attrition(left: int, headcount_at_start: int, headcount_at_end: int) -> Number:
    """Agents left / mean of the headcounts at start and end; n is that mean, rounded up.

    No proportion (who came and went within the window is in no headcount), so no interval.
    """
    twice = headcount_at_start + headcount_at_end
    return Number(2 * left / twice if twice else None, -(-twice // 2))
