"""Which series Prometheus gets of surveys. Source: metrics.md §4 and §9."""

from typing import Final

from pipeline.board.gauges import count, counted, export, with_interval
from pipeline.metrics.families import SURVEY_ANSWERS, SURVEY_SENT

SURVEYS: Final = (
    *with_interval("support_csat_ratio", "csat"),
    export(
        "support_csat_answers", "csat", "Answers to satisfaction surveys.",
        ((), count(SURVEY_ANSWERS, "csat_answers")),
    ),
    export(
        "support_csat_answers_satisfied", "csat",
        "Those in the top quarter of their scale; over support_csat_answers it is the ratio.",
        ((), count(SURVEY_ANSWERS, "csat_satisfied")),
    ),
    *with_interval("support_csat_commented_ratio", "csat_commented"),
    export(
        "support_csat_answers_commented", "csat_commented",
        "Those with a comment; over support_csat_answers it is the ratio.",
        ((), count(SURVEY_ANSWERS, "csat_commented")),
    ),
    *with_interval("support_csat_response_ratio", "csat_response_rate"),
    export(
        "support_csat_sent", "csat_response_rate", "Satisfaction surveys sent.",
        ((), count(SURVEY_SENT, "csat_sent")),
    ),
    export(
        "support_csat_sent_answered", "csat_response_rate",
        "Of the satisfaction surveys sent in the window: answered; over support_csat_sent it is the ratio.",
        ((), count(SURVEY_SENT, "csat_answered")),
    ),
    *with_interval("support_nps_points", "nps"),
    counted("promoters"),
    counted("passives"),
    counted("detractors"),
)  # fmt: skip
