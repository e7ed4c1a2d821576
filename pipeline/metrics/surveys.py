"""Voice: the formulas of metrics.md §4 over cells. Pure arithmetic."""

from collections.abc import Callable, Mapping
from math import sqrt
from typing import Any

from pipeline.metrics.buckets import Cells, Family
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import SURVEY_ANSWERS, SURVEY_SENT
from pipeline.metrics.numbers import Number, count, proportion


def _get(cells: Cells, family: Family, name: str) -> int:
    return cells.get(family.cell(name), 0)


def csat(cells: Cells, _definition: Mapping[str, Any], _: Definitions) -> Number:
    """Answers in the top two of a five-point scale / answers."""
    satisfied = _get(cells, SURVEY_ANSWERS, "csat_satisfied")
    return proportion(satisfied, _get(cells, SURVEY_ANSWERS, "csat_answers"))


def csat_commented(cells: Cells, _definition: Mapping[str, Any], _: Definitions) -> Number:
    """Answers with a comment / answers."""
    commented = _get(cells, SURVEY_ANSWERS, "csat_commented")
    return proportion(commented, _get(cells, SURVEY_ANSWERS, "csat_answers"))


def csat_response_rate(cells: Cells, _definition: Mapping[str, Any], _: Definitions) -> Number:
    """Of the surveys sent: answered / sent."""
    return proportion(_get(cells, SURVEY_SENT, "csat_answered"), _get(cells, SURVEY_SENT, "csat_sent"))


def counter(name: str) -> Callable[[Cells, Mapping[str, Any], Definitions], Number]:
    """A count of answers."""

    def read(cells: Cells, _definition: Mapping[str, Any], _: Definitions) -> Number:
        return count(_get(cells, SURVEY_ANSWERS, name))

    return read


def nps(cells: Cells, _definition: Mapping[str, Any], _: Definitions) -> Number:
    """(promoters − detractors) / answers in points, ± 1.96·√((p + d − (p − d)²)/n)·100."""
    promoters, passives, detractors = (
        _get(cells, SURVEY_ANSWERS, name) for name in ("promoters", "passives", "detractors")
    )
    n = promoters + passives + detractors
    if n == 0:
        return Number(None, 0)
    p, d = promoters / n, detractors / n
    half = 1.96 * sqrt(max(0.0, p + d - (p - d) ** 2) / n) * 100
    points = 100 * (promoters - detractors) / n
    return Number(points, n, points - half, points + half)
