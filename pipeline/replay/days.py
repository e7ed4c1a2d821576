"""The window of a question that is asked by day: between two local midnights, or ending now.

Source: metrics.md §1: usage, subscription, account and agent are asked so.
"""

from pipeline.metrics.catalogue import DefinitionError
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.windows import DAY_WINDOWS, Window, day_window, local_date, midnight
from pipeline.replay.question import Question


def days_of(question: Question, tenant: str, definitions: Definitions) -> Window:
    """The instants of the window by the tenant's own days. Raises DefinitionError."""
    zone = definitions.zone(tenant)
    if question.span is not None:
        for edge in question.span:
            if midnight(local_date(edge, zone), zone) != edge:
                raise DefinitionError(
                    f"from and to of {question.metric} must lie on local midnights ({zone.key})"
                )
        return question.span
    if question.at is None or question.window is None:
        raise DefinitionError(f"{question.metric} needs from and to, or at and window")
    if question.window not in DAY_WINDOWS:
        known = ", ".join(DAY_WINDOWS)
        raise DefinitionError(f"{question.metric} has no window {question.window!r}; known are {known}")
    return day_window(question.window, question.at, zone)
