"""The `survey` stream: bytes → an event about one survey, with a SurveyFact.

Source: events.md §3 `survey`, key `tenantid|survey_id`.
"""

from typing import Any, Final

from msgspec import Struct

from pipeline.events.decoding import (
    DELETED,
    VOIDED,
    Decoder,
    Fact,
    Numeric,
    RefusedError,
    Shape,
    codes,
    number,
)
from pipeline.events.envelope import Text
from pipeline.events.names import word
from pipeline.events.rejects import Reason

STREAM: Final = "survey"
SENT: Final = 1
ANSWERED: Final = 2

QUESTIONS: Final = ("", "csat", "nps", "ces", "other")
_question: Final = codes(QUESTIONS)


class SurveyFact(Fact, array_like=True, gc=False):
    """One `sent` or `answered`. `question` indexes QUESTIONS; None means: not stated.

    `source` and `event_id` order facts of one instant (events.md §4). Score and scale are those of
    an answer, the score inside its scale; `commented`: whether a comment came with it.
    """

    source: str
    event_id: str
    question: int
    queue: str | None = None
    agent: str | None = None
    contact: str | None = None
    ticket: str | None = None
    respondent: str | None = None
    account: str | None = None
    score: float = 0
    scale_min: float = 0
    scale_max: float = 0
    commented: bool | None = None

    def restated(self) -> Any:
        """In the contract's order of fields; what is not stated is null."""
        about = self.contact, self.ticket, self.respondent, self.queue, self.agent
        scale = self.score, self.scale_min, self.scale_max
        return QUESTIONS[self.question], *about, *scale, self.commented, self.account, self.kind


class _Key(Struct, gc=False, kw_only=True):
    survey_id: Text


class _Sent(_Key, gc=False, kw_only=True):
    kind: str
    contact_id: Text | None = None
    ticket_id: Text | None = None
    respondent_ref: Text | None = None
    queue_id: Text | None = None
    agent_id: Text | None = None


class _Answered(_Sent, gc=False, kw_only=True):
    score: Numeric
    scale_min: Numeric
    scale_max: Numeric
    comment: bool | None = None
    comment_ref: Text | None = None


def _sent(name: int, at: int, message: Any, kind: int = SENT) -> SurveyFact:
    data = message.data
    return SurveyFact(
        name,
        kind,
        at,
        word(message.source),
        message.id,
        _question.get(data.kind, len(QUESTIONS) - 1),
        None if data.queue_id is None else word(data.queue_id),
        None if data.agent_id is None else word(data.agent_id),
        data.contact_id,
        data.ticket_id,
        data.respondent_ref,
        message.accountid,
    )


def _answered(name: int, at: int, message: Any) -> SurveyFact:
    fact, data = _sent(name, at, message, ANSWERED), message.data
    fact.score = number(data.score, "score")
    fact.scale_min = number(data.scale_min, "scale_min")
    fact.scale_max = number(data.scale_max, "scale_max")
    if not fact.scale_min < fact.scale_max:
        raise RefusedError(Reason.BAD_TYPE, "scale_min is not below scale_max")
    if not fact.scale_min <= fact.score <= fact.scale_max:
        raise RefusedError(Reason.BAD_TYPE, "score lies outside its scale")
    fact.commented = True if data.comment_ref is not None else data.comment
    return fact


def _survey_of(message: Any) -> str:
    survey: str = message.data.survey_id
    return survey


decode: Final = Decoder(
    STREAM,
    {
        "sent": Shape(SENT, _Sent, _sent),
        "answered": Shape(ANSWERED, _Answered, _answered),
        "voided": Shape(VOIDED, _Key),
        "deleted": Shape(DELETED, _Key),
    },
    _survey_of,
)
