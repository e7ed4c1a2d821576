"""A survey as its facts tell it: when it was sent, which answer holds, what it is about.

Source: events.md §3 `survey` and §4. What a survey counts is in `survey_metrics.py`.
"""

from msgspec import Struct

from pipeline.entities.factset import FactSet
from pipeline.entities.order import in_order, last_stated
from pipeline.events.survey import ANSWERED, SENT, SurveyFact


class Survey(Struct, gc=False):
    """One reading. `sent` is the earliest sending, `answer` the last answer; None where there is none.

    What both may state (queue, agent, …) is the last stated; '' is not known. `commented`: the last
    that was said of a comment.
    """

    sent: SurveyFact | None
    answer: SurveyFact | None
    queue: str
    agent: str
    contact: str
    ticket: str
    respondent: str
    account: str
    commented: bool


def read_survey(survey: FactSet[SurveyFact]) -> Survey | None:
    """The reading, or None while nothing is known."""
    if not survey.facts:
        return None
    facts = in_order(survey.facts)
    answers = [fact for fact in facts if fact.kind == ANSWERED]
    return Survey(
        next((fact for fact in facts if fact.kind == SENT), None),
        answers[-1] if answers else None,
        last_stated(fact.queue for fact in facts) or "",
        last_stated(fact.agent for fact in facts) or "",
        last_stated(fact.contact for fact in facts) or "",
        last_stated(fact.ticket for fact in facts) or "",
        last_stated(fact.respondent for fact in facts) or "",
        last_stated(fact.account for fact in facts) or "",
        last_stated(fact.commented for fact in answers) or False,
    )
