"""One question about one number, and the stretch of event time it means."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pipeline.metrics.catalogue import DefinitionError
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.windows import (
    BUCKET_MS,
    DAY_WINDOWS,
    LIVE_WINDOWS,
    Window,
    day_window,
    live_window,
)


class Question(NamedTuple):
    """Either `window` (two instants), or `at`, or `at` with a named window. Instants in ms."""

    metric: str
    definition: str | Mapping[str, Any] | None = None
    dims: Mapping[str, str] = {}
    span: Window | None = None
    at: int | None = None
    window: str | None = None


def window_of(question: Question, tenant: str, definitions: Definitions) -> Window:
    """The instants a tally counts in, by the tenant's own day. Raises DefinitionError."""
    if question.span is not None:
        if question.span.start % BUCKET_MS or question.span.end % BUCKET_MS:
            raise DefinitionError("from and to must lie on 10-second edges")
        if question.span.end < question.span.start:
            raise DefinitionError("to lies before from")
        return question.span
    if question.at is None or question.window is None:
        raise DefinitionError(f"{question.metric} needs from and to, or at and window")
    if question.window in LIVE_WINDOWS:
        return live_window(question.window, question.at)._replace(end=question.at + 1)
    if question.window in DAY_WINDOWS:
        return day_window(question.window, question.at, definitions.zone(tenant))
    known = ", ".join((*LIVE_WINDOWS, *DAY_WINDOWS))
    raise DefinitionError(f"unknown window {question.window!r}; known are {known}")
