"""What a survey counts: contributions to the families of metrics.md §4."""

from typing import Final

from pipeline.entities.factset import FactSet
from pipeline.entities.survey import Survey, read_survey
from pipeline.events.survey import QUESTIONS, SurveyFact
from pipeline.metrics.buckets import Contribution
from pipeline.metrics.families import SURVEY_ANSWERS, SURVEY_SENT

CSAT: Final = QUESTIONS.index("csat")
NPS: Final = QUESTIONS.index("nps")
PROMOTER: Final = 9
DETRACTOR: Final = 6
_A: Final = {name: SURVEY_ANSWERS.cell(name) for name in SURVEY_ANSWERS.counters}
_S: Final = {name: SURVEY_SENT.cell(name) for name in SURVEY_SENT.counters}


def contributions(survey: FactSet[SurveyFact]) -> list[Contribution]:
    """The last answer under its time, the sending under its own."""
    read = read_survey(survey)
    if read is None:
        return []
    dims = (read.queue,)
    parts: list[Contribution] = []
    cells = _answer_cells(read)
    if cells and read.answer is not None:
        parts.append((SURVEY_ANSWERS.name, dims, read.answer.at, cells))
    if read.sent is not None and read.sent.question == CSAT:
        answered = () if read.answer is None else (_S["csat_answered"], 1)
        parts.append((SURVEY_SENT.name, dims, read.sent.at, (_S["csat_sent"], 1, *answered)))
    return parts


def _answer_cells(read: Survey) -> tuple[int, ...]:
    answer = read.answer
    if answer is None:
        return ()
    if answer.question == CSAT:
        satisfied = (_A["csat_satisfied"], 1) if is_satisfied(answer) else ()
        commented = (_A["csat_commented"], 1) if read.commented else ()
        return (_A["csat_answers"], 1, *satisfied, *commented)
    if answer.question == NPS and (answer.scale_min, answer.scale_max) == (0, 10):
        return (_A[_camp(answer.score)], 1)
    return ()


def is_satisfied(answer: SurveyFact) -> bool:
    """In the top quarter of the scale: 4 and 5 of five points (metrics.md §4).

    score ≥ max − (max − min) / 4, multiplied by four: exact for whole scores.
    """
    return 4 * answer.score >= 3 * answer.scale_max + answer.scale_min


def _camp(score: float) -> str:
    if score >= PROMOTER:
        return "promoters"
    return "detractors" if score <= DETRACTOR else "passives"
