"""The `call` stream: bytes → CallEvent | Heartbeat | Ignored | Rejected, total on any bytes.

Source: events.md §3 `call`. The fields of an event that Pulse keeps become one CallFact;
everything else of the event lives on in `raw_events` only.
"""

from typing import Any, Final

import msgspec
from msgspec.structs import astuple

from pipeline.events.call import (
    ABANDONED,
    ANSWERED,
    ANSWERERS,
    CALLBACK,
    CALLBACK_ATTEMPTED,
    CALLBACK_REQUESTED,
    CHANNELS,
    DELETED,
    DIRECTIONS,
    ENDED,
    ENDERS,
    FLOWED_OUT,
    INITIATED,
    OUTCOMES,
    QUEUED,
    TRANSFERRED,
    VOIDED,
    WAYS,
    CallEvent,
    CallFact,
)
from pipeline.events.call_wire import PREFIX, WHATS, read, read_exactly
from pipeline.events.decoding import RefusedError, explain
from pipeline.events.heartbeat import Heartbeat
from pipeline.events.instants import BadTimeError, instant_ms
from pipeline.events.names import (
    event_name,
    known_tenant,
    known_word,
    tenant_word,
    word,
)
from pipeline.events.rejects import FUTURE_MS, MAX_EVENT_BYTES, Ignored, Reason, Rejected

_KINDS: Final = {
    "initiated": INITIATED,
    "queued": QUEUED,
    "answered": ANSWERED,
    "abandoned": ABANDONED,
    "callback_requested": CALLBACK_REQUESTED,
    "callback_attempted": CALLBACK_ATTEMPTED,
    "transferred": TRANSFERRED,
    "flowed_out": FLOWED_OUT,
    "ended": ENDED,
    "voided": VOIDED,
    "deleted": DELETED,
}
TYPES: Final = {PREFIX + what: kind for what, kind in _KINDS.items()}
_RARE: Final = (TRANSFERRED, CALLBACK_ATTEMPTED)
_KIND_OF: Final = {message: _KINDS[what] for message, what in WHATS.items()}
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


def decode(raw: bytes | None, appended_ms: int | None = None) -> CallEvent | Heartbeat | Ignored | Rejected:
    """Judge one record value. `appended_ms` is Kafka's append time; None skips `future`."""
    if raw is None:
        return Rejected(Reason.NOT_JSON, "the record has no value")
    if len(raw) > MAX_EVENT_BYTES:
        return Rejected(Reason.TOO_LARGE, f"{len(raw)} bytes; an event has at most 65536")
    try:
        event = _event(read(raw))
        # The reader does not check the bytes of what it skips.
        if not raw.isascii():
            raw.decode()
    except _REFUSALS:
        judged = _judge_exactly(raw)
        if not isinstance(judged, CallEvent):
            return judged
        event = judged
    if appended_ms is not None and event.fact.at > appended_ms + FUTURE_MS:
        ahead = (event.fact.at - appended_ms) // 1000
        return Rejected(Reason.FUTURE, f"time is {ahead} s ahead of the broker")
    return event


_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_REFUSALS: Final = (BadTimeError, RefusedError, *_UNREADABLE)


def _judge_exactly(raw: bytes) -> CallEvent | Heartbeat | Ignored | Rejected:
    """What the fast reader refused may yet be an event, for instance with a strange unknown field."""
    try:
        message = read_exactly(raw)
        raw.decode()
        return _event(message)
    # Three names: mypyc gives one name one type in a whole function.
    except BadTimeError as untimely:
        return Rejected(Reason.BAD_TIME, str(untimely))
    except RefusedError as refused:
        return Rejected(refused.reason, str(refused))
    except _UNREADABLE as unreadable:
        return explain(raw, unreadable, PREFIX, TYPES)


def _event(message: Any) -> CallEvent:  # noqa: C901, PLR0912, PLR0915 - flat, for speed
    """What a message of `read` or `read_exactly` says. Raises BadTimeError, RefusedError.

    All in one place, because a call costs as much here as looking up a word.
    """
    kind = _KIND_OF[type(message)]
    # One call for all fields: the class differs from event to event, so attributes are read slowly.
    _, event_id, source, time, tenantid, account, corrects, _, timebasis, data = astuple(message)
    tenant = known_tenant(tenantid) or tenant_word(tenantid)
    if tenant is None:
        raise RefusedError(Reason.BAD_TYPE, "tenantid is not 1-64 of A-Za-z0-9_.-")
    at = instant_ms(time)
    name = event_name(source, event_id)
    voids = 0 if corrects is None else event_name(source, corrects)
    contact = data.contact_id
    if kind >= VOIDED:
        key = f"{tenant}|{_chain_named(data, kind, voids)}"
        fact = CallFact(name, kind, at)
        return CallEvent(tenant, key, "", "", fact, voids, timebasis == "arrival")
    if contact is None:
        raise _missing("contact_id")
    instant, queue, agent, detail = None, None, None, 0
    if kind == QUEUED:
        queue = data.queue_id
        if queue is None:
            raise _missing("queue_id")
        queue = known_word(queue) or word(queue)
        if data.enqueued_at is not None:
            instant = instant_ms(data.enqueued_at)
        if data.callback:
            detail = CALLBACK
    elif kind == ANSWERED:
        queue, agent = data.queue_id, data.agent_id
        if queue is not None:
            queue = known_word(queue) or word(queue)
        if agent is not None:
            agent = known_word(agent) or word(agent)
        if data.answered_by is not None:
            detail = _answerer.get(data.answered_by, 3)
        if data.talk_started_at is not None:
            instant = instant_ms(data.talk_started_at)
    elif kind == ENDED:
        detail = _ender.get(data.end_reason, 4)
    elif kind in _RARE:
        queue, detail = _rarely(kind, data)
    initial, leg, channel, direction = data.initial_contact_id, data.leg, data.channel, data.direction
    # One object for both, also compiled, where an int becomes an object whenever it is handed over.
    at_once: Any = at
    return CallEvent(
        tenant,
        f"{tenant}|{initial or contact}",
        "" if initial is None or initial == contact else contact,
        "" if leg is None or leg == contact else leg,
        CallFact(
            name,
            kind,
            at_once,
            at_once if instant == at else instant,
            queue,
            agent,
            detail,
            0 if channel is None and direction is None else _way(channel, direction),
            data.customer_ref,
            account,
        ),
        voids,
        timebasis == "arrival",
    )


def _way(channel: str | None, direction: str | None) -> int:
    """What is unknown is `other`."""
    code = 0 if channel is None else WAYS * _channel.get(channel, len(CHANNELS) - 1)
    return code if direction is None else code + _direction.get(direction, WAYS - 1)


def _rarely(kind: int, data: Any) -> tuple[str | None, int]:
    """`queue` and `detail` of TRANSFERRED and CALLBACK_ATTEMPTED."""
    if kind == TRANSFERRED:
        return None if data.to_queue_id is None else word(data.to_queue_id), 0
    if data.outcome is None:
        raise _missing("outcome")
    return None, _outcome.get(data.outcome, 5)


def _missing(field: str) -> RefusedError:
    return RefusedError(Reason.MISSING_FIELD, f"data.{field} is missing")


def _chain_named(data: Any, kind: int, voids: int) -> str:
    initial: str | None = data.initial_contact_id or data.contact_id
    if initial is None:
        raise RefusedError(Reason.MISSING_FIELD, "data names neither contact_id nor initial_contact_id")
    if kind == VOIDED and not voids:
        raise RefusedError(Reason.MISSING_FIELD, "voided names no event: corrects is missing")
    return initial
