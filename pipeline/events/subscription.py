"""The `subscription` stream: bytes → FactEvent of SubscriptionFact | Ignored | Rejected.

Source: events.md §3 `subscription`. The entity is the account: key `tenantid|accountid`.
"""

import re
from typing import Any, Final

from msgspec import Struct

from pipeline.events.decoding import (
    DELETED,
    VOIDED,
    Decoder,
    Fact,
    Numeric,
    RefusedError,
    Shape,
    account_of,
    codes,
    integer,
)
from pipeline.events.envelope import Text
from pipeline.events.instants import instant_ms
from pipeline.events.names import word
from pipeline.events.rejects import Reason

STREAM: Final = "subscription"

STARTED: Final = 1
CHANGED: Final = 2
REACTIVATED: Final = 3
CANCELLED: Final = 4
CANCEL_SCHEDULED: Final = 5
CANCEL_UNSCHEDULED: Final = 6
PAYMENT_FAILED: Final = 7
SERVICES_INVOICED: Final = 8
PAID: Final = 9

REASONS: Final = ("", "voluntary", "delinquent", "other")
SCOPES: Final = ("", "in", "out", "other")
IN_SCOPE: Final = 1
OUT_OF_SCOPE: Final = 2

_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_reason: Final = codes(REASONS)
_scope: Final = codes(SCOPES)


class SubscriptionFact(Fact, array_like=True, gc=False):
    """What one event says about one subscription. Instants in ms UTC, money in minor units.

    `effective` is from when it holds. `source` and `event_id` break ties between states of one instant.
    `minor` is the MRR of a state, else the amount invoiced or paid. `detail` is the code of a
    cancel's reason or of an invoice's scope. None: not stated.
    """

    effective: int
    source: str
    event_id: str
    subscription: str
    minor: int | None = None
    currency: str | None = None
    seats: int | None = None
    plan: str | None = None
    detail: int = 0
    cancels_at: int | None = None


class _About(Struct, gc=False, kw_only=True):
    subscription_id: Text
    effective_at: str | None = None


class _State(_About, gc=False, kw_only=True):
    mrr_minor: Numeric
    currency: str
    seats: Numeric | None = None
    plan: Text | None = None


class _Cancelled(_About, gc=False, kw_only=True):
    reason: str | None = None


class _Scheduled(_About, gc=False, kw_only=True):
    cancels_at: str


class _Amount(_About, gc=False, kw_only=True):
    amount_minor: Numeric
    currency: str


class _Invoiced(_Amount, gc=False, kw_only=True):
    scope: str


class _Account(Struct, gc=False, kw_only=True):
    pass


def _currency(text: str) -> str:
    if not _CURRENCY.fullmatch(text):
        raise RefusedError(Reason.BAD_TYPE, f"currency: {text[:40]!r} is no ISO 4217 code, e.g. EUR")
    return word(text)


def _about(kind: int, name: int, at: int, message: Any) -> SubscriptionFact:
    data = message.data
    return SubscriptionFact(
        name,
        kind,
        at,
        at if data.effective_at is None else instant_ms(data.effective_at),
        word(message.source),
        message.id,
        word(data.subscription_id),
    )


def _plainly(kind: int) -> Any:
    return lambda name, at, message: _about(kind, name, at, message)


def _state(kind: int) -> Any:
    def make(name: int, at: int, message: Any) -> SubscriptionFact:
        fact, data = _about(kind, name, at, message), message.data
        fact.minor = integer(data.mrr_minor, "mrr_minor")
        fact.currency = _currency(data.currency)
        if data.seats is not None:
            fact.seats = integer(data.seats, "seats", least=0)
        if data.plan is not None:
            fact.plan = word(data.plan)
        return fact

    return make


def _cancelled(name: int, at: int, message: Any) -> SubscriptionFact:
    fact = _about(CANCELLED, name, at, message)
    fact.detail = _reason.get(message.data.reason, len(REASONS) - 1)
    return fact


def _scheduled(name: int, at: int, message: Any) -> SubscriptionFact:
    fact = _about(CANCEL_SCHEDULED, name, at, message)
    fact.cancels_at = instant_ms(message.data.cancels_at)
    return fact


def _amount(kind: int) -> Any:
    def make(name: int, at: int, message: Any) -> SubscriptionFact:
        fact, data = _about(kind, name, at, message), message.data
        fact.minor = integer(data.amount_minor, "amount_minor")
        fact.currency = _currency(data.currency)
        if kind == SERVICES_INVOICED:
            fact.detail = _scope.get(data.scope, len(SCOPES) - 1)
        return fact

    return make


decode: Final = Decoder(
    STREAM,
    {
        "started": Shape(STARTED, _State, _state(STARTED)),
        "changed": Shape(CHANGED, _State, _state(CHANGED)),
        "reactivated": Shape(REACTIVATED, _State, _state(REACTIVATED)),
        "cancelled": Shape(CANCELLED, _Cancelled, _cancelled),
        "cancel_scheduled": Shape(CANCEL_SCHEDULED, _Scheduled, _scheduled),
        "cancel_unscheduled": Shape(CANCEL_UNSCHEDULED, _About, _plainly(CANCEL_UNSCHEDULED)),
        "payment_failed": Shape(PAYMENT_FAILED, _About, _plainly(PAYMENT_FAILED)),
        "services_invoiced": Shape(SERVICES_INVOICED, _Invoiced, _amount(SERVICES_INVOICED)),
        "paid": Shape(PAID, _Amount, _amount(PAID)),
        "voided": Shape(VOIDED, _Account),
        "deleted": Shape(DELETED, _Account),
    },
    account_of,
)
