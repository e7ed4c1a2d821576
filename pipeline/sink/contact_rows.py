"""A contact chain as rows of `contacts` and `legs`: facts laid out, nothing judged.

Source: clickhouse.md §2-§3, events.md §3 (partial, first fact). What must go away becomes a row
with the key alone and `deleted` = 1.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from pipeline.entities.contact import Chain, Leg
from pipeline.entities.stay import BOT_ANSWERED, INBOUND, Stay, direction_of, read_leg
from pipeline.events.call import (
    ABANDONED,
    ANSWERED,
    ANSWERERS,
    CALLBACK,
    CALLBACK_ATTEMPTED,
    CALLBACK_REQUESTED,
    DIRECTIONS,
    ENDERS,
    FLOWED_OUT,
    INITIATED,
    OUTCOMES,
    TRANSFERRED,
    CallFact,
)
from pipeline.sink.tables import Row

_OUTCOME: Final = {
    0: "",
    ANSWERED: "answered",
    CALLBACK_REQUESTED: "callback_requested",
    TRANSFERRED: "transferred",
    FLOWED_OUT: "flowed_out",
    ABANDONED: "abandoned",
    BOT_ANSWERED: "bot_answered",
}
_HUMAN: Final = 1


class Origin(NamedTuple):
    """Where a row comes from: the state log's epoch, partition and offset."""

    epoch: int
    partition: int
    offset: int


class _Reading(NamedTuple):
    leg: Leg
    stay: Stay


def contact_rows(key: str, chain: Chain, origin: Origin) -> list[Row]:
    """At most one row of `contacts`; none while no fact of the initial contact was ever known."""
    tenant, _, initial = key.partition("|")
    if chain.deleted_at:
        return [_gone_contact(tenant, initial, origin)]
    first = [leg for leg in chain.legs if not leg.contact]
    if not first:
        return []
    readings = _readings(chain)
    if not readings or not any(leg.facts for leg in first):
        return [_gone_contact(tenant, initial, origin)]
    facts = [fact for leg in chain.legs for fact in leg.facts]
    answer = _first_human_answer(readings)
    answered_at = answer.stay.left_at if answer else None
    opening = next((reading for reading in readings if not reading.leg.contact), readings[0])
    return [
        (
            tenant,
            initial,
            origin.epoch,
            origin.partition,
            opening.stay.channel,
            _direction(opening.leg.facts),
            (answer or opening).stay.queue,
            _path(readings, answered_at),
            min((r.stay.enqueued_at for r in readings if r.stay.enqueued_at is not None), default=None),
            _first_at(facts, CALLBACK_REQUESTED),
            answered_at,
            _talk_at(answer.stay) if answer else None,
            next((fact.customer for fact in facts if fact.customer), ""),
            next((fact.account for fact in facts if fact.account), ""),
            len(readings),
            next((r.stay.contradiction for r in readings if r.stay.contradiction), ""),
            chain.touched_at,
            0,
            origin.offset,
        )
    ]


def leg_rows(key: str, chain: Chain, origin: Origin) -> list[Row]:
    """One row per leg the chain names; `deleted` where nothing of it is left or no first fact."""
    tenant, _, initial = key.partition("|")
    rows = []
    for leg in chain.legs:
        stay = None if chain.deleted_at else read_leg(leg)
        contact = leg.contact or initial
        name = (tenant, initial, contact, leg.leg or contact, origin.epoch, origin.partition)
        rows.append((*name, *_GONE_LEG, origin.offset) if stay is None else _leg_row(name, leg, stay, origin))
    return rows


def _leg_row(name: Row, leg: Leg, stay: Stay, origin: Origin) -> Row:
    facts, queued, answered = leg.facts, stay.queued, stay.answered
    return (
        *name,
        stay.queue,
        stay.channel,
        _direction(facts),
        int(queued is not None and queued.detail == CALLBACK),
        _first_at(facts, INITIATED),
        queued.at if queued else None,
        stay.enqueued_at,
        answered.at if answered else None,
        _talk_at(stay),
        _first_at(facts, CALLBACK_REQUESTED),
        _first_at(facts, TRANSFERRED),
        _first_at(facts, FLOWED_OUT),
        _first_at(facts, ABANDONED),
        stay.left_at,
        stay.ended.at if stay.ended else None,
        _OUTCOME[stay.outcome],
        stay.wait_ms if stay.was_in_queue and stay.left_at is not None and not stay.contradiction else None,
        ANSWERERS[answered.detail or _HUMAN] if answered else "",
        (answered.agent or "") if answered else "",
        next((fact.queue for fact in facts if fact.kind == TRANSFERRED and fact.queue), ""),
        OUTCOMES[_last_detail(facts, CALLBACK_ATTEMPTED)],
        ENDERS[stay.ended.detail] if stay.ended else "",
        stay.contradiction,
        0,
        origin.offset,
    )


_GONE_LEG: Final = ("", "", "", 0, *[None] * 11, "", None, "", "", "", "", "", "", 1)


def _gone_contact(tenant: str, initial: str, origin: Origin) -> Row:
    facts = ("", "", "", "", None, None, None, None, "", "", 0, "", 0, 1)
    return (tenant, initial, origin.epoch, origin.partition, *facts, origin.offset)


def _readings(chain: Chain) -> list[_Reading]:
    stays = ((leg, read_leg(leg)) for leg in chain.legs)
    return [_Reading(leg, stay) for leg, stay in stays if stay is not None]


def _first_human_answer(readings: Iterable[_Reading]) -> _Reading | None:
    answers = [r for r in readings if r.stay.outcome == ANSWERED and r.stay.answered is not None]
    return min(answers, key=_answered, default=None)


def _answered(reading: _Reading) -> tuple[int, int]:
    """Equal instants in the order in which metrics of chains take them."""
    answered = reading.stay.answered
    return (answered.at, answered.name) if answered is not None else (0, 0)


def _path(readings: Iterable[_Reading], until: int | None) -> str:
    """How the caller got to the first human answer: by a callback, else a transfer, else directly."""
    facts = [fact for r in readings for fact in r.leg.facts if until is None or fact.at <= until]
    if any(fact.kind == CALLBACK_REQUESTED for fact in facts):
        return "callback"
    return "transfer" if any(fact.kind == TRANSFERRED for fact in facts) else "direct"


def _talk_at(stay: Stay) -> int | None:
    answered = stay.answered
    if answered is None:
        return None
    return answered.at if answered.instant is None else answered.instant


def _direction(facts: Sequence[CallFact]) -> str:
    return DIRECTIONS[next(filter(None, map(direction_of, facts)), INBOUND)]


def _first_at(facts: Iterable[CallFact], kind: int) -> int | None:
    return min((fact.at for fact in facts if fact.kind == kind), default=None)


def _last_detail(facts: Iterable[CallFact], kind: int) -> int:
    last = 0
    for fact in facts:
        if fact.kind == kind:
            last = fact.detail
    return last
