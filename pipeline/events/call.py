"""The `call` stream: bytes → CallEvent | Ignored | Rejected, total on any bytes.

Source: events.md §3 `call`. The fields of an event that Pulse keeps become one CallFact;
everything else of the event lives on in `raw_events` only.
"""

from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Any, Final

import msgspec
from msgspec import Struct

from pipeline.events.decoding import RefusedError, explain
from pipeline.events.envelope import Envelope, Text, event_name, tenant_word, word
from pipeline.events.instants import BadTimeError, instant_ms, instant_text
from pipeline.events.rejects import FUTURE_MS, MAX_EVENT_BYTES, Ignored, Reason, Rejected

STREAM: Final = "call"
PREFIX: Final = "pulse.call."


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


class CallFact(Struct, array_like=True, gc=False):
    """What one event says about one leg. Instants in ms UTC; codes index the tuples above.

    `instant` is `enqueued_at` of QUEUED and `talk_started_at` of ANSWERED. `detail` is CALLBACK
    for a QUEUED callback, else the code of answered_by, outcome or end_reason. `queue` of
    TRANSFERRED is where to. Code 0 and None mean: not stated.
    """

    name: int
    kind: int
    at: int
    instant: int | None = None
    queue: str | None = None
    agent: str | None = None
    detail: int = 0
    channel: int = 0
    direction: int = 0
    customer: str | None = None
    account: str | None = None


class CallEvent(Struct, gc=False):
    """One accepted event. `key` is the entity: `tenant|initial_contact_id`.

    `voids` is the name of the event it corrects (0: none). `fact.kind` VOIDED or DELETED
    carries no fact about a leg.
    """

    key: str
    contact: str
    leg: str
    fact: CallFact
    voids: int = 0
    is_arrival: bool = False


class _Leg(Struct, gc=False, kw_only=True):
    contact_id: Text
    initial_contact_id: Text | None = None
    leg: Text | None = None
    channel: str | None = None
    direction: str | None = None
    customer_ref: Text | None = None


class _Queued(_Leg, gc=False, kw_only=True):
    queue_id: Text
    enqueued_at: str | None = None
    callback: bool | None = None


class _Answered(_Leg, gc=False, kw_only=True):
    queue_id: Text | None = None
    agent_id: Text | None = None
    answered_by: str | None = None
    talk_started_at: str | None = None


class _Attempted(_Leg, gc=False, kw_only=True):
    outcome: str


class _Transferred(_Leg, gc=False, kw_only=True):
    to_queue_id: Text | None = None


class _Ended(_Leg, gc=False, kw_only=True):
    end_reason: str | None = None


class _Chain(Struct, gc=False, kw_only=True):
    contact_id: Text | None = None
    initial_contact_id: Text | None = None
    leg: Text | None = None


_SHAPES: Final[dict[str, tuple[int, type[Struct]]]] = {
    "initiated": (INITIATED, _Leg),
    "queued": (QUEUED, _Queued),
    "answered": (ANSWERED, _Answered),
    "abandoned": (ABANDONED, _Leg),
    "callback_requested": (CALLBACK_REQUESTED, _Leg),
    "callback_attempted": (CALLBACK_ATTEMPTED, _Attempted),
    "transferred": (TRANSFERRED, _Transferred),
    "flowed_out": (FLOWED_OUT, _Leg),
    "ended": (ENDED, _Ended),
    "voided": (VOIDED, _Chain),
    "deleted": (DELETED, _Chain),
}
TYPES: Final = {f"{PREFIX}{what}": kind for what, (kind, _) in _SHAPES.items()}
_channel: Final[dict[str | None, int]] = {
    None: 0,
    **{name: code for code, name in enumerate(CHANNELS) if code},
}
_direction: Final[dict[str | None, int]] = {
    None: 0,
    **{name: code for code, name in enumerate(DIRECTIONS) if code},
}
_answerer: Final[dict[str | None, int]] = {
    None: 0,
    **{name: code for code, name in enumerate(ANSWERERS) if code},
}
_outcome: Final = {name: code for code, name in enumerate(OUTCOMES) if code}
_ender: Final[dict[str | None, int]] = {None: 0, **{name: code for code, name in enumerate(ENDERS) if code}}


def decode(raw: bytes | None, appended_ms: int | None = None) -> CallEvent | Ignored | Rejected:
    """Judge one record value. `appended_ms` is Kafka's append time; None skips `future`."""
    if raw is None:
        return Rejected(Reason.NOT_JSON, "the record has no value")
    if len(raw) > MAX_EVENT_BYTES:
        return Rejected(Reason.TOO_LARGE, f"{len(raw)} bytes; an event has at most 65536")
    try:
        message = _decode(raw)
        if raw.isascii() or raw.decode():
            event = _event(message)
            if appended_ms is not None and event.fact.at > appended_ms + FUTURE_MS:
                return Rejected(
                    Reason.FUTURE,
                    f"time is {(event.fact.at - appended_ms) // 1000} s ahead of the broker",
                )
            return event
    except BadTimeError as error:
        return Rejected(Reason.BAD_TIME, str(error))
    except RefusedError as error:
        return Rejected(error.reason, str(error))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return explain(raw, error, PREFIX, TYPES)
    return explain(raw, None, PREFIX, TYPES)


def _event(message: Any) -> CallEvent:
    kind, fill = _MESSAGES[type(message)]
    tenant = tenant_word(message.tenantid)
    if tenant is None:
        raise RefusedError(Reason.BAD_TYPE, "tenantid is not 1-64 of A-Za-z0-9_.-")
    at = instant_ms(message.time)
    source, data = message.source, message.data
    voids = 0 if message.corrects is None else event_name(source, message.corrects)
    if fill is None:
        return _about_chain(message, kind, tenant, at, voids)
    contact = data.contact_id
    leg = data.leg
    fact = CallFact(
        event_name(source, message.id),
        kind,
        at,
        None,
        None,
        None,
        0,
        _channel.get(data.channel, 4),
        _direction.get(data.direction, 3),
        data.customer_ref,
        message.accountid,
    )
    fill(fact, data)
    return CallEvent(
        f"{tenant}|{data.initial_contact_id or contact}",
        contact,
        contact if leg is None or leg == contact else leg,
        fact,
        voids,
        message.timebasis == "arrival",
    )


def _nothing(_fact: CallFact, _data: Any) -> None:
    pass


def _queued(fact: CallFact, data: Any) -> None:
    fact.queue = word(data.queue_id)
    if data.enqueued_at is not None:
        fact.instant = instant_ms(data.enqueued_at)
    if data.callback:
        fact.detail = CALLBACK


def _attempted(fact: CallFact, data: Any) -> None:
    fact.detail = _outcome.get(data.outcome, 5)


def _transferred(fact: CallFact, data: Any) -> None:
    if data.to_queue_id is not None:
        fact.queue = word(data.to_queue_id)


def _ended(fact: CallFact, data: Any) -> None:
    fact.detail = _ender.get(data.end_reason, 4)


def _answered(fact: CallFact, data: Any) -> None:
    if data.queue_id is not None:
        fact.queue = word(data.queue_id)
    if data.agent_id is not None:
        fact.agent = word(data.agent_id)
    if data.answered_by is not None:
        fact.detail = _answerer.get(data.answered_by, 3)
    if data.talk_started_at is not None:
        fact.instant = instant_ms(data.talk_started_at)


_FILL: Final[dict[int, Callable[[CallFact, Any], None]]] = {
    **dict.fromkeys((INITIATED, ABANDONED, CALLBACK_REQUESTED, FLOWED_OUT), _nothing),
    QUEUED: _queued,
    ANSWERED: _answered,
    CALLBACK_ATTEMPTED: _attempted,
    TRANSFERRED: _transferred,
    ENDED: _ended,
}
_MESSAGES: Final[dict[type, tuple[int, Callable[[CallFact, Any], None] | None]]] = {
    msgspec.defstruct(
        what.title(), [("data", data)], bases=(Envelope,), tag=PREFIX + what, gc=False, kw_only=True
    ): (kind, _FILL.get(kind))
    for what, (kind, data) in _SHAPES.items()
}
_decode: Any = msgspec.json.Decoder(reduce(or_, _MESSAGES)).decode


def _about_chain(message: Any, kind: int, tenant: str, at: int, voids: int) -> CallEvent:
    data = message.data
    initial = data.initial_contact_id or data.contact_id
    if initial is None:
        raise RefusedError(Reason.MISSING_FIELD, "data names neither contact_id nor initial_contact_id")
    if kind == VOIDED and not voids:
        raise RefusedError(Reason.MISSING_FIELD, "voided names no event: corrects is missing")
    fact = CallFact(event_name(message.source, message.id), kind, at)
    arrival = message.timebasis == "arrival"
    return CallEvent(f"{tenant}|{initial}", "", "", fact, voids, arrival)


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
            fact.detail,
            CHANNELS[fact.channel],
            DIRECTIONS[fact.direction],
            fact.customer,
            fact.account,
            fact.kind,
        ]
    )
