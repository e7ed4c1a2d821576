"""What an event of the `call` stream says: kinds, codes, and the fact that an entity keeps.

Source: events.md §3 `call`. How it is read from bytes is `call_decode.py`'s business.
"""

from typing import Final

import msgspec
from msgspec import Struct

from pipeline.events.instants import instant_text

STREAM: Final = "call"


# What an event says. Leaves of the queue first, in the order in which equal instants are read.
# Plain integers: an IntEnum costs 0.4 µs per event in comparisons (CPython 3.11).
ANSWERED: Final = 1
CALLBACK_REQUESTED: Final = 2
TRANSFERRED: Final = 3
FLOWED_OUT: Final = 4
ABANDONED: Final = 5
QUEUED: Final = 6
INITIATED: Final = 7
ENDED: Final = 8
CALLBACK_ATTEMPTED: Final = 9
VOIDED: Final = 10
DELETED: Final = 11

CHANNELS: Final = ("", "voice", "video", "chat", "other")
DIRECTIONS: Final = ("", "inbound", "outbound", "other")
ANSWERERS: Final = ("", "human", "bot", "other")
OUTCOMES: Final = ("", "connected", "no_answer", "busy", "failed", "other")
ENDERS: Final = ("", "customer", "agent", "system", "other")
CALLBACK: Final = 1
_CALLBACKS: Final = ("false", "true")
WAYS: Final = len(DIRECTIONS)
_DETAILS: Final = {ANSWERED: ANSWERERS, ENDED: ENDERS, CALLBACK_ATTEMPTED: OUTCOMES}


class CallFact(Struct, array_like=True, gc=False):
    """What one event says about one leg. Instants in ms UTC; codes index the tuples above.

    `instant` is `enqueued_at` of QUEUED and `talk_started_at` of ANSWERED. `detail` is CALLBACK
    for a QUEUED callback, else the code of answered_by, outcome or end_reason. `way` is channel and
    direction in one, `channel * WAYS + direction`: ten fields are 16 bytes less than eleven. `queue` of
    TRANSFERRED is where to. Code 0 and None mean: not stated.
    """

    name: int
    kind: int
    at: int
    instant: int | None = None
    queue: str | None = None
    agent: str | None = None
    detail: int = 0
    way: int = 0
    customer: str | None = None
    account: str | None = None


class CallEvent(Struct, gc=False):
    """One accepted event. `key` is the entity: `tenant|initial_contact_id`; `tenant` is shared. `contact` is
    "" for the initial contact itself, `leg` is "" for the one named as its contact: nearly always.

    `voids` is the name of the event it corrects (0: none). `fact.kind` VOIDED or DELETED
    carries no fact about a leg.
    """

    tenant: str
    key: str
    contact: str
    leg: str
    fact: CallFact
    voids: int = 0
    is_arrival: bool = False


def fact_order(fact: CallFact) -> bytes:
    """The bytes by which two events of one name and one `time` are compared (events.md §1).

    They restate `data` in the contract's field order, so that the comparison does not need the
    original bytes: docs/decisions/0002-facts-keep-names-as-hashes.md.
    """
    return msgspec.json.encode(
        [
            fact.queue,
            fact.agent,
            fact.instant and instant_text(fact.instant),
            _DETAILS.get(fact.kind, _CALLBACKS)[fact.detail] or None,
            CHANNELS[fact.way // WAYS] or None,
            DIRECTIONS[fact.way % WAYS] or None,
            fact.customer,
            fact.account,
            fact.kind,
        ]
    )
