"""What each named definition says, in one sentence for people. Source: metrics.md §2, §3 and §6."""

from typing import Final

from pipeline.metrics.metric import Metric

SENTENCES: Final = {
    ("asa_queue", "enqueued"): "The clock starts when the call enters the queue.",
    ("asa_queue", "created"): (
        "The clock starts when the call was created or entered the queue, whichever is earlier: the delay of"
        " a scheduled callback is inside."
    ),
    ("service_level", "strict"): (
        "Answered within 20 s, of all offered but those who gave up within 5 s: who waits longer or gives up"
        " later counts against it."
    ),
    ("service_level", "all"): "Answered within 20 s, of all offered.",
    ("service_level", "answered"): (
        "Answered within 20 s, of the answered only: blind to everybody who gave up."
    ),
    ("service_level", "forgiving"): (
        "Answered within 20 s, of all offered but those who gave up within the same 20 s."
    ),
    ("service_level", "amazon"): (
        "Answered, given up or called back on request, each within 20 s, of all offered: giving up soon"
        " counts as served."
    ),
    ("service_level", "genesys"): "Answered within 20 s, of the answered and the abandoned.",
    ("churn", "start"): "Accounts active at the start and not at the end, of those active at the start.",
    ("churn", "start_plus_new"): (
        "The same accounts lost, of those active at the start and those who became active inside."
    ),
    ("churn", "daily_sum"): "Each day's lost accounts over that day's active ones, added up over the days.",
    ("frt_overdue", "count"): "How many tickets wait for their first answer longer than the target.",
    ("frt_overdue", "oldest"): "How long the oldest of them has waited.",
}


def sentence_of(metric: Metric, variant: str) -> str:
    """The definition in words; of a metric with one definition its help."""
    return SENTENCES.get((metric.name, variant), metric.help)
