"""The `usage` stream: bytes → FactEvent of UsageFact | Ignored | Rejected.

Source: events.md §3 `usage`. The entity is the account with all its users: key `tenantid|accountid`.
"""

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from pipeline.events.decoding import (
    DELETED,
    PASSING,
    VOIDED,
    Decoder,
    Fact,
    Numeric,
    Shape,
    account_of,
    number,
)
from pipeline.events.envelope import Text
from pipeline.events.names import word

STREAM: Final = "usage"

SIGNED_UP: Final = 1
FEATURE_USED: Final = 2
MILESTONE_REACHED: Final = 3
INVITED: Final = 4
LEFT: Final = 5
LINKED: Final = 6

USER: Final = "user"
REFERRAL: Final = "referral"
OTHER: Final = "other"


class UsageFact(Fact, array_like=True, gc=False):
    """What one event says about an account, and about one of its users where `user` is not ''.

    `what` is the feature, the milestone, the kind of an invitation, or the other id of a person.
    `quantity` is that of a use. `source` and `event_id` are told of sign-ups and leavings only: the
    latest of these holds, and ties need an order.
    """

    user: str = ""
    what: str = ""
    quantity: float = 1.0
    source: str = ""
    event_id: str = ""


class _Account(Struct, gc=False, kw_only=True):
    pass


class _Whoever(Struct, gc=False, kw_only=True):
    user_ref: Text | None = None


class _User(Struct, gc=False, kw_only=True):
    user_ref: Text


class _Used(_User, gc=False, kw_only=True):
    feature: Text
    quantity: Numeric | None = None


class _Reached(_Whoever, gc=False, kw_only=True):
    milestone: Text


class _Invited(_Whoever, gc=False, kw_only=True):
    kind: str


class _Linked(_User, gc=False, kw_only=True):
    same_as: Text


def _turning(kind: int) -> Callable[[int, int, Any], UsageFact]:
    def make(name: int, at: int, message: Any) -> UsageFact:
        user = message.data.user_ref or ""
        return UsageFact(name, kind, at, word(user), source=word(message.source), event_id=message.id)

    return make


def _used(name: int, at: int, message: Any) -> UsageFact:
    data = message.data
    quantity = 1.0 if data.quantity is None else number(data.quantity, "quantity")
    return UsageFact(name, FEATURE_USED, at, word(data.user_ref), word(data.feature), quantity)


def _reached(name: int, at: int, message: Any) -> UsageFact:
    data = message.data
    return UsageFact(name, MILESTONE_REACHED, at, word(data.user_ref or ""), word(data.milestone))


def _invited(name: int, at: int, message: Any) -> UsageFact:
    data = message.data
    kind = data.kind if data.kind in {USER, REFERRAL} else OTHER
    return UsageFact(name, INVITED, at, word(data.user_ref or ""), word(kind))


def _linked(name: int, at: int, message: Any) -> UsageFact:
    data = message.data
    return UsageFact(name, LINKED, at, word(data.user_ref), word(data.same_as))


# A session feeds no number of metrics.md: it is judged, moves the watermark and lives on in raw_events,
# but an account's facts, which never leave memory, do not grow by it.
decode: Final = Decoder(
    STREAM,
    {
        "signed_up": Shape(SIGNED_UP, _Whoever, _turning(SIGNED_UP)),
        "feature_used": Shape(FEATURE_USED, _Used, _used),
        "milestone_reached": Shape(MILESTONE_REACHED, _Reached, _reached),
        "invited": Shape(INVITED, _Invited, _invited),
        "session_started": Shape(PASSING, _User),
        "left": Shape(LEFT, _Whoever, _turning(LEFT)),
        "linked": Shape(LINKED, _Linked, _linked),
        "voided": Shape(VOIDED, _Account),
        "deleted": Shape(DELETED, _Account),
    },
    account_of,
)
