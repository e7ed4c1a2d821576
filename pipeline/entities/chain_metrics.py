"""What a chain counts beyond its legs: the customer's own wait, and whether callbacks were kept.

Source: metrics.md §2 (`asa_customer`, `callback_kept`, `callback_wait`). Nothing before there is a
human answer or a callback request in it, nothing of a partial chain, nothing of one with a
contradictory leg.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

from pipeline.entities.contact import Chain, Leg
from pipeline.entities.stay import Stay, read_leg
from pipeline.events.call import ANSWERED, CALLBACK_REQUESTED, TRANSFERRED, CallFact
from pipeline.metrics.buckets import Contribution
from pipeline.metrics.families import CALLBACK, CUSTOMER

PATHS: Final = ("direct", "transfer", "callback")
Reading: TypeAlias = tuple[Leg, Stay | None]
_Read: TypeAlias = tuple[Leg, Stay]


def chain_contributions(readings: Iterable[Reading]) -> list[Contribution]:
    """What the chain adds as a whole, from all its legs as they are read."""
    readings = list(readings)
    if not any(leg.is_first and leg.facts for leg, _ in readings):
        return []
    legs = [(leg, stay) for leg, stay in readings if stay is not None]
    if any(stay.contradiction for _, stay in legs):
        return []
    counted = [reading for reading in legs if reading[1].is_counted]
    answers = sorted(filter(_is_human_answer, counted), key=_answered)
    parts = [_customer(answers[0][1], counted, legs)] if answers else []
    requests = [
        (fact.at, fact.name, stay) for leg, stay in counted for fact in leg.facts if _is_request(fact)
    ]
    if requests:
        at, _, stay = min(requests, key=lambda request: request[:2])
        parts.append(_callback(at, stay, answers))
    return parts


def around(
    chain: Chain, leg: Leg, stay: Stay | None, fact: CallFact
) -> tuple[list[Contribution], list[Contribution]]:
    """What the chain added before `fact`, which `leg` has by now, and what it adds now.

    `stay` is `leg` as it is read with it.
    """
    spoken = sum(1 for each in chain.legs for known in each.facts if known.kind <= CALLBACK_REQUESTED)
    if not spoken:
        return [], []
    readings = [(each, stay if each is leg else read_leg(each)) for each in chain.legs]
    after = chain_contributions(readings)
    if spoken == 1 and fact.kind <= CALLBACK_REQUESTED:
        return [], after
    rest = [known for known in leg.facts if known is not fact]
    former = Leg(leg.contact, leg.leg, rest, leg.is_stale, leg.is_first)
    before = chain_contributions(
        (former, read_leg(former)) if reading[0] is leg else reading for reading in readings
    )
    return before, after


def _is_human_answer(reading: _Read) -> bool:
    return reading[1].outcome == ANSWERED


def _is_request(fact: CallFact) -> bool:
    return fact.kind == CALLBACK_REQUESTED


def _answered(reading: _Read) -> tuple[int, int]:
    answered = reading[1].answered
    return (answered.at, answered.name) if answered is not None else (0, 0)


def _talk_at(stay: Stay) -> int:
    answered = stay.answered
    if answered is None:
        return 0
    return answered.at if answered.instant is None else answered.instant


def _customer(answer: Stay, counted: list[_Read], legs: list[_Read]) -> Contribution:
    """First enqueue at or before the answer → talk; 0 where the customer never queued before it."""
    at = answer.left_at or 0
    enqueued = [
        stay.enqueued_at
        for _, stay in counted
        if stay.was_in_queue and stay.enqueued_at is not None and stay.enqueued_at <= at
    ]
    wait = _talk_at(answer) - min(enqueued) if enqueued else 0
    dims = (answer.queue, answer.channel, _path(legs, at))
    return (CUSTOMER.name, dims, at, (0, 1, 1, wait) if wait else (0, 1))


def _path(legs: list[_Read], until: int) -> str:
    """From the facts up to the answer: callback before transfer before direct."""
    kinds = {fact.kind for leg, _ in legs for fact in leg.facts if fact.at <= until}
    if CALLBACK_REQUESTED in kinds:
        return "callback"
    return "transfer" if TRANSFERRED in kinds else "direct"


def _callback(at: int, requested: Stay, answers: list[_Read]) -> Contribution:
    dims = (requested.queue, requested.channel)
    for _, answer in answers:
        if (answer.left_at or 0) >= at:
            wait = _talk_at(answer) - at
            return (CALLBACK.name, dims, at, (0, 1, 1, 1, 2, wait) if wait else (0, 1, 1, 1))
    return (CALLBACK.name, dims, at, (0, 1))
