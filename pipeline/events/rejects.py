"""What is said about bytes that are not an event: a closed list of reasons.

Source: events.md §2. A rejected event keeps its bytes elsewhere (the dead-letter topic);
here is only the judgement.
"""

from enum import StrEnum
from typing import NamedTuple

MAX_EVENT_BYTES = 64 * 1024
FUTURE_MS = 5 * 60 * 1000


class Reason(StrEnum):
    """Spelled the same in labels, example files and dead-letter headers."""

    NOT_JSON = "not_json"
    NOT_CLOUDEVENT = "not_cloudevent"
    MISSING_FIELD = "missing_field"
    BAD_TYPE = "bad_type"
    BAD_TIME = "bad_time"
    FUTURE = "future"
    TOO_LARGE = "too_large"
    WRONG_STREAM = "wrong_stream"


class Rejected(NamedTuple):
    """One event that cannot be used, with the place of the fault in `detail`."""

    reason: Reason
    detail: str


class Ignored(NamedTuple):
    """An event of an unknown `<what>` of a known stream: counted, never rejected."""

    type: str
