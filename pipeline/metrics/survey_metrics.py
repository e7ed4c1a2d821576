"""The metrics of surveys by name. Source: metrics.md §4; the formulas are in `surveys.py`."""

from typing import Any, Final

from pipeline.metrics import surveys
from pipeline.metrics.families import SURVEY_ANSWERS, SURVEY_SENT
from pipeline.metrics.metric import Metric


def _by_answer(name: str, unit: str, text: str, window: Any) -> Metric:
    return Metric(name, unit, text, (SURVEY_ANSWERS.name,), window=window)


METRICS: Final = (
    _by_answer(
        "csat",
        "ratio",
        "Of the answers to satisfaction surveys: those in the top two of a five-point scale, of any other"
        " scale in its top quarter. The last answer of a survey holds, by its time.",
        surveys.csat,
    ),
    _by_answer(
        "csat_commented",
        "ratio",
        "Of the answers to satisfaction surveys: those that came with a comment.",
        surveys.csat_commented,
    ),
    Metric(
        "csat_response_rate",
        "ratio",
        "Of the satisfaction surveys sent in the window: those answered, whenever.",
        (SURVEY_SENT.name,),
        window=surveys.csat_response_rate,
    ),
    _by_answer(
        "nps",
        "points",
        "Share of promoters (9-10) less share of detractors (0-6) among answers on a scale of 0-10,"
        " in points.",
        surveys.nps,
    ),
    _by_answer("promoters", "count", "Answers of 9 or 10 on 0-10.", surveys.counter("promoters")),
    _by_answer("passives", "count", "Answers between 6 and 9 on 0-10.", surveys.counter("passives")),
    _by_answer("detractors", "count", "Answers of 6 or less on 0-10.", surveys.counter("detractors")),
)
