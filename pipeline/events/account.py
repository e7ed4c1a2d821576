"""The `account` stream: bytes → an event about one B2B customer, with an AccountFact.

Source: events.md §3 `account`, key `tenantid|accountid`.
"""

from typing import Any, Final

from msgspec import Struct

from pipeline.events.decoding import DELETED, VOIDED, Decoder, Fact, Shape, account_of, codes
from pipeline.events.envelope import Text
from pipeline.events.names import word

STREAM: Final = "account"
CREATED: Final = 1
STAGE_CHANGED: Final = 2
OWNER_CHANGED: Final = 3
SEGMENT_CHANGED: Final = 4
MERGED: Final = 5
PROBLEM_NOTED: Final = 6
PREFERENCE_NOTED: Final = 7

STAGES: Final = (
    "", "onboarding", "adoption", "retention", "expansion", "advocacy", "churned", "other",
)  # fmt: skip
_stage: Final = codes(STAGES)


class AccountFact(Fact, array_like=True, gc=False):
    """What one event states of the account. `stage` indexes STAGES; 0 and None: not stated.

    `source` and `event_id` order facts of one instant (events.md §4). `ref` is the account merged
    into, or what a noted problem or preference refers to.
    """

    source: str
    event_id: str
    stage: int = 0
    owner: str | None = None
    segment: str | None = None
    plan: str | None = None
    region: str | None = None
    ref: str | None = None


class _Nothing(Struct, gc=False, kw_only=True):
    pass


class _Created(Struct, gc=False, kw_only=True):
    stage: str | None = None
    owner: Text | None = None
    segment: Text | None = None
    plan: Text | None = None
    region: Text | None = None


class _Stage(Struct, gc=False, kw_only=True):
    to: str


class _Name(Struct, gc=False, kw_only=True):
    to: Text


class _Merged(Struct, gc=False, kw_only=True):
    into: Text


class _Noted(Struct, gc=False, kw_only=True):
    ref: Text


def _fact(name: int, kind: int, at: int, message: Any) -> AccountFact:
    return AccountFact(name, kind, at, word(message.source), message.id)


def _created(name: int, at: int, message: Any) -> AccountFact:
    fact, data = _fact(name, CREATED, at, message), message.data
    fact.stage = _stage.get(data.stage, len(STAGES) - 1)
    fact.owner, fact.segment, fact.plan, fact.region = data.owner, data.segment, data.plan, data.region
    return fact


def _stage_changed(name: int, at: int, message: Any) -> AccountFact:
    fact = _fact(name, STAGE_CHANGED, at, message)
    fact.stage = _stage.get(message.data.to, len(STAGES) - 1)
    return fact


def _owner_changed(name: int, at: int, message: Any) -> AccountFact:
    fact = _fact(name, OWNER_CHANGED, at, message)
    fact.owner = message.data.to
    return fact


def _segment_changed(name: int, at: int, message: Any) -> AccountFact:
    fact = _fact(name, SEGMENT_CHANGED, at, message)
    fact.segment = message.data.to
    return fact


def _merged(name: int, at: int, message: Any) -> AccountFact:
    fact = _fact(name, MERGED, at, message)
    fact.ref = message.data.into
    return fact


def _problem(name: int, at: int, message: Any) -> AccountFact:
    fact = _fact(name, PROBLEM_NOTED, at, message)
    fact.ref = message.data.ref
    return fact


def _preference(name: int, at: int, message: Any) -> AccountFact:
    fact = _fact(name, PREFERENCE_NOTED, at, message)
    fact.ref = message.data.ref
    return fact


decode: Final = Decoder(
    STREAM,
    {
        "created": Shape(CREATED, _Created, _created),
        "stage_changed": Shape(STAGE_CHANGED, _Stage, _stage_changed),
        "owner_changed": Shape(OWNER_CHANGED, _Name, _owner_changed),
        "segment_changed": Shape(SEGMENT_CHANGED, _Name, _segment_changed),
        "merged": Shape(MERGED, _Merged, _merged),
        "problem_noted": Shape(PROBLEM_NOTED, _Noted, _problem),
        "preference_noted": Shape(PREFERENCE_NOTED, _Noted, _preference),
        "voided": Shape(VOIDED, _Nothing),
        "deleted": Shape(DELETED, _Nothing),
    },
    account_of,
)
