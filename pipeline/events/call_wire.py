"""How `call` events look on the wire: the shape of `data` by type, and two ways to read it.

Source: events.md §3 `call`. Knows field names and types; what they mean is `call.py`'s business.
"""

from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Any, Final, Optional

import msgspec
from msgspec import Struct

from pipeline.events.envelope import Envelope, Text

PREFIX: Final = "pulse.call."


class _Leg(Struct, kw_only=True):
    contact_id: Text
    initial_contact_id: Text | None = None
    leg: Text | None = None
    channel: str | None = None
    direction: str | None = None
    customer_ref: Text | None = None


class _Queued(_Leg, kw_only=True):
    queue_id: Text
    enqueued_at: str | None = None
    callback: bool | None = None


class _Answered(_Leg, kw_only=True):
    queue_id: Text | None = None
    agent_id: Text | None = None
    answered_by: str | None = None
    talk_started_at: str | None = None


class _Attempted(_Leg, kw_only=True):
    outcome: str


class _Transferred(_Leg, kw_only=True):
    to_queue_id: Text | None = None


class _Ended(_Leg, kw_only=True):
    end_reason: str | None = None


class _Chain(Struct, kw_only=True):
    contact_id: Text | None = None
    initial_contact_id: Text | None = None
    leg: Text | None = None


SHAPES: Final[dict[str, type[Struct]]] = {
    "initiated": _Leg,
    "queued": _Queued,
    "answered": _Answered,
    "abandoned": _Leg,
    "callback_requested": _Leg,
    "callback_attempted": _Attempted,
    "transferred": _Transferred,
    "flowed_out": _Leg,
    "ended": _Ended,
    "voided": _Chain,
    "deleted": _Chain,
}

_ANY_DATA: Final = msgspec.defstruct(
    "AnyData",
    list(
        {
            field.name: (field.name, Optional[field.type], None)  # noqa: UP045 - a type at run time
            for shape in SHAPES.values()
            for field in msgspec.structs.fields(shape)
        }.values()
    ),
    gc=False,
)


def _messages(data_of: Callable[[str], type[Struct]]) -> list[Any]:
    """One class per type, in the order of SHAPES; `data` stands last."""
    return [
        msgspec.defstruct(
            what.title(),
            [("data", data_of(what))],
            bases=(Envelope,),
            tag_field="type",
            tag=PREFIX + what,
            gc=False,
            kw_only=True,
        )
        for what in SHAPES
    ]


_ANY: Final = _messages(lambda _: _ANY_DATA)
_EXACT: Final = _messages(SHAPES.__getitem__)
WHATS: Final[dict[type[Struct], str]] = dict(zip(_ANY, SHAPES, strict=True))
"""What `read` returns, by class."""

read: Final[Any] = msgspec.json.Decoder(reduce(or_, _ANY)).decode
"""A message whose `data` has every field of the stream, each optional: attributes of always the same
class are read fast (CPython specialises them). It asks for no field of `data` and refuses a wrong
one even of another type, so `read_exactly` has the last word on a refusal."""

_read_exactly: Final[Any] = msgspec.json.Decoder(reduce(or_, _EXACT)).decode


def read_exactly(raw: bytes) -> Any:
    """The same by the type's own shape: fields of other shapes are unknown, and unread."""
    return msgspec.convert(msgspec.to_builtins(_read_exactly(raw)), reduce(or_, _ANY))
