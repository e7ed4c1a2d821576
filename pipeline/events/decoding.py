"""What the decoders of all streams share: the way from bytes to a fact, and the reasons against.

Source: events.md §1-§2. A stream says which shapes its `data` has, how a fact is made of one, and
which entity an event is about; everything else of the envelope is judged here.
"""

import re
from collections.abc import Callable, Mapping
from functools import reduce
from math import isfinite
from operator import or_
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
from msgspec import Struct

from pipeline.events.envelope import Envelope, envelope_fault, refusal
from pipeline.events.heartbeat import WHAT as HEARTBEAT
from pipeline.events.heartbeat import Heartbeat, heartbeat_of
from pipeline.events.instants import BadTimeError, instant_ms
from pipeline.events.names import event_name, known_tenant, tenant_word
from pipeline.events.rejects import FUTURE_MS, MAX_EVENT_BYTES, Ignored, Reason, Rejected

PASSING: Final = 97
"""A kind that no entity keeps: it states something of the hour that no number is made of."""
VOIDED: Final = 98
DELETED: Final = 99
"""Kinds that every stream has; a stream's own kinds lie below."""
MAX_INTEGER: Final = 1 << 53

Numeric: TypeAlias = int | float | str
"""The type of a field where a number is meant: read it by `integer` or `number`."""
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?", re.ASCII)


class Fact(Struct, array_like=True, gc=False):
    """What one event says. Streams add their fields. `at` in ms UTC, `name` never 0."""

    name: int
    kind: int
    at: int

    def restated(self) -> Any:
        """By whose JSON two events of one name and time are compared (events.md §1): words, not codes."""
        return self


class FactEvent(Struct, gc=False):
    """One accepted event. `key` is the entity: `tenant|…`; `fact` is of the stream's type.

    `voids` is the name of the event it corrects (0: none). A fact of kind PASSING, VOIDED or DELETED
    is a plain Fact and says nothing more.
    """

    tenant: str
    key: str
    fact: Any
    voids: int = 0
    is_arrival: bool = False


class RefusedError(ValueError):
    """A value that a shape cannot judge; becomes Rejected(reason, message)."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Shape(NamedTuple):
    """One `<what>`: the struct of its `data`, and how a fact is made of (name, at, message).

    `make` None: PASSING, VOIDED or DELETED. It may raise RefusedError and BadTimeError.
    """

    kind: int
    data: type[Struct]
    make: Callable[[int, int, Any], Fact] | None = None


class Decoder:
    """`decode(raw, appended_ms)` of one stream, total on any bytes. `types` are those it knows.

    `entity` tells of a message the part of the key behind the tenant; it may raise RefusedError.
    """

    def __init__(self, stream: str, shapes: Mapping[str, Shape], entity: Callable[[Any], str]) -> None:
        self.prefix = f"pulse.{stream}."
        self.types = frozenset(self.prefix + what for what in shapes)
        self._entity = entity
        self._shapes = {_message(self.prefix + what, shape.data): shape for what, shape in shapes.items()}
        self._parse: Any = msgspec.json.Decoder(reduce(or_, self._shapes)).decode

    def __call__(
        self, raw: bytes | None, appended_ms: int | None = None
    ) -> FactEvent | Heartbeat | Ignored | Rejected:
        """Judge one record value. `appended_ms` is Kafka's append time; None skips `future`."""
        if raw is None:
            return Rejected(Reason.NOT_JSON, "the record has no value")
        if len(raw) > MAX_EVENT_BYTES:
            return Rejected(Reason.TOO_LARGE, f"{len(raw)} bytes; an event has at most 65536")
        try:
            message = self._parse(raw)
            if raw.isascii() or raw.decode():
                event = self._event(message)
                if appended_ms is not None and event.fact.at > appended_ms + FUTURE_MS:
                    ahead = (event.fact.at - appended_ms) // 1000
                    return Rejected(Reason.FUTURE, f"time is {ahead} s ahead of the broker")
                return event
        except BadTimeError as error:
            return Rejected(Reason.BAD_TIME, str(error))
        except RefusedError as error:
            return Rejected(error.reason, str(error))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return explain(raw, error, self.prefix, self.types)
        return explain(raw, None, self.prefix, self.types)

    def _event(self, message: Any) -> FactEvent:
        kind, _, make = self._shapes[type(message)]
        tenantid, source = message.tenantid, message.source
        tenant = known_tenant(tenantid) or tenant_word(tenantid)
        if tenant is None:
            raise RefusedError(Reason.BAD_TYPE, "tenantid is not 1-64 of A-Za-z0-9_.-")
        at = instant_ms(message.time)
        name = event_name(source, message.id)
        voids = 0 if message.corrects is None else event_name(source, message.corrects)
        if kind == VOIDED and not voids:
            raise RefusedError(Reason.MISSING_FIELD, "voided names no event: corrects is missing")
        fact = Fact(name, kind, at) if make is None else make(name, at, message)
        key = f"{tenant}|{self._entity(message)}"
        return FactEvent(tenant, key, fact, voids, message.timebasis == "arrival")


def _message(name: str, data: type[Struct]) -> type[Struct]:
    fields = [("data", data)]
    return msgspec.defstruct(
        name.replace(".", "_"), fields, bases=(Envelope,), tag=name, gc=False, kw_only=True
    )


def explain(
    raw: bytes, error: Exception | None, prefix: str, types: frozenset[str] | Mapping[str, int]
) -> Heartbeat | Ignored | Rejected:
    """Why the fast decoder refused: the envelope first, then the type, then the data."""
    parsed = envelope_fault(raw)
    if isinstance(parsed, Rejected):
        return parsed
    name = parsed["type"]
    if not name.startswith(prefix):
        return Rejected(Reason.WRONG_STREAM, f"type {name[:60]!r} does not belong to {prefix}*")
    if name == prefix + HEARTBEAT:
        return heartbeat_of(parsed)
    if name not in types:
        return Ignored(name)
    return refusal(error) if error else Rejected(Reason.NOT_JSON, "not UTF-8")


def account_of(message: Any) -> str:
    """The entity of streams keyed `tenantid|accountid`. Raises RefusedError."""
    if message.accountid is None:
        raise RefusedError(Reason.MISSING_FIELD, "accountid is missing")
    account: str = message.accountid
    return account


def codes(names: tuple[str, ...]) -> dict[str | None, int]:
    """Code by name of an enumeration ("", "a", "b", …, "other"): None is 0.

    Read it with `.get(text, len(names) - 1)`: an unknown value is `other`.
    """
    return {None: 0, **{name: code for code, name in enumerate(names) if code}}


def number(value: Numeric, field: str) -> float:
    """A finite number, also one written as text. Raises RefusedError."""
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise RefusedError(Reason.BAD_TYPE, f"{field}: {value[:40]!r} is no number")
        value = float(value)
    try:
        found = float(value)
    except OverflowError:
        found = float("inf")
    if not isfinite(found):
        raise RefusedError(Reason.BAD_TYPE, f"{field} is not finite")
    return found


def integer(value: Numeric, field: str, least: int = -MAX_INTEGER, most: int = MAX_INTEGER) -> int:
    """An integer within `least` … `most`, also one written as text or as 3.0. Raises RefusedError."""
    if isinstance(value, str) and re.fullmatch(r"-?(?:0|[1-9]\d{0,18})", value, re.ASCII):
        value = int(value)
    if not isinstance(value, int):
        value = number(value, field)
        if not value.is_integer():
            raise RefusedError(Reason.BAD_TYPE, f"{field} is not an integer")
    if not least <= value <= most:
        raise RefusedError(Reason.BAD_TYPE, f"{field} lies outside {least} … {most}")
    return int(value)
