"""The heartbeat: a record on a stream's own topic that says when it was sent, and nothing else.

It belongs to no tenant of anybody's, moves no watermark and is no entity, so that no number knows of
it: docs/decisions/0015-heartbeats-are-no-contacts.md.
"""

from typing import Any, Final, NamedTuple

import msgspec

from pipeline.events.instants import BadTimeError, instant_ms, instant_text
from pipeline.events.rejects import Reason, Rejected

TENANT: Final = "pulse.heartbeat"
"""Reserved: what is kept of heartbeats is kept under it."""
SOURCE: Final = "/pulse/board"
WHAT: Final = "heartbeat"

_encode: Final = msgspec.json.Encoder().encode


class Heartbeat(NamedTuple):
    """When it was sent, ms UTC, by the clock of who sent it."""

    at: int


def encode_heartbeat(stream: str, place: str, at: int) -> bytes:
    """A record value: a CloudEvent of `stream` sent at `at` (ms) into `place`."""
    return _encode(
        {
            "specversion": "1.0",
            "id": f"{place}@{at}",
            "source": SOURCE,
            "type": f"pulse.{stream}.{WHAT}",
            "time": instant_text(at),
            "tenantid": TENANT,
            "data": {},
        }
    )


def heartbeat_of(parsed: dict[str, Any]) -> Heartbeat | Rejected:
    """Of an envelope that is sound otherwise."""
    try:
        return Heartbeat(instant_ms(parsed["time"]))
    except BadTimeError as error:
        return Rejected(Reason.BAD_TIME, str(error))
