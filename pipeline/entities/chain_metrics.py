"""What a chain counts beyond its legs: the customer's own wait, and whether callbacks were kept.

Source: metrics.md §2 (`asa_customer`, `callback_kept`, `callback_wait`). Nothing before there is a
human answer or a callback request in it, nothing of a partial chain, nothing of one with a
contradictory leg.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

from pipeline.entities.contact import Chain, Leg
from pipeline.entities.contact_merge import without
from pipeline.entities.stay import Stay, read_leg, states_more
from pipeline.events.call import ANSWERED, CALLBACK_REQUESTED, QUEUED, TRANSFERRED, CallFact
from pipeline.metrics.buckets import Contribution
from pipeline.metrics.families import CALLBACK, CUSTOMER, QUARANTINE

PATHS: Final = ("direct", "transfer", "callback")
Reading: TypeAlias = tuple[Leg, Stay | None]
_Read: TypeAlias = tuple[Leg, Stay]


def chain_contributions(readings: Iterable[Reading]) -> list[Contribution]:
    """What the chain adds as a whole, from all its legs as they are read."""
    readings = list(readings)
    if not any(leg.facts and not leg.contact for leg, _ in readings):
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
    chain: Chain, leg: Leg, stay: Stay | None, fact: CallFact, before: Iterable[Contribution]
) -> tuple[list[Contribution], list[Contribution]] | None:
    """What the chain added before `fact`, which `leg` has by now, and what it adds now; None: the same.

    `stay` is `leg` as it is read with it, `before` what `leg` counted without it. In the path of every
    event: most chains have one leg and speak once, and most facts come in order of time.
    """
    legs = chain.legs
    spoken, last_answer = 0, -1
    for each in legs:
        for known in each.facts:
            if known.kind <= CALLBACK_REQUESTED:
                spoken += 1
                if known.kind == ANSWERED and known.at > last_answer:
                    last_answer = known.at
    if not spoken:
        return None
    if fact.kind > CALLBACK_REQUESTED:
        if fact.at > last_answer and _says_nothing_new(leg, stay, fact, last_answer, before):
            return None
    elif spoken == 1:
        return [], _alone(leg, stay, fact) if len(legs) == 1 else chain_contributions(_read(chain, leg, stay))
    former = without(leg, fact)
    readings = _read(chain, leg, stay)
    return (
        chain_contributions(
            [(former, read_leg(former)) if reading[0] is leg else reading for reading in readings]
        ),
        chain_contributions(readings),
    )


def _read(chain: Chain, leg: Leg, stay: Stay | None) -> list[Reading]:
    return [(each, stay if each is leg else read_leg(each)) for each in chain.legs]


def _says_nothing_new(
    leg: Leg, stay: Stay | None, fact: CallFact, last_answer: int, before: Iterable[Contribution]
) -> bool:
    """Whether a fact later than every answer, itself no answer and no request, leaves the chain as it is.

    It could end that the chain is partial, begin or end a contradiction, or be the first to state what a
    leg is.
    """
    first = leg.facts[0]
    return (
        (len(leg.facts) > 1 or leg.contact != "")
        and (stay is None or not stay.contradiction)
        and not any(part[0] == QUARANTINE.name for part in before)
        and (fact.instant is None or fact.instant > last_answer)
        and (first is not fact or len(leg.facts) == 1)
        and not states_more(fact, first)
        and (fact.kind != QUEUED or not any(known.kind <= CALLBACK_REQUESTED for known in leg.facts))
    )


def _alone(leg: Leg, stay: Stay | None, fact: CallFact) -> list[Contribution]:
    """`chain_contributions` of a chain of one leg in which `fact` alone is an answer or a request."""
    if stay is None or stay.contradiction or not stay.is_counted or leg.contact:
        return []
    if fact.kind == CALLBACK_REQUESTED:
        return [(CALLBACK.name, (stay.queue, stay.channel), fact.at, (0, 1))]
    if stay.outcome != ANSWERED:
        return []
    path = "direct"
    for known in leg.facts:
        if known.kind == TRANSFERRED and known.at <= fact.at:
            path = "transfer"
    wait = 0 if stay.enqueued_at is None else _talk_at(stay) - stay.enqueued_at
    cells = (0, 1, 1, wait) if wait else (0, 1)
    return [(CUSTOMER.name, (stay.queue, stay.channel, path), fact.at, cells)]


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
