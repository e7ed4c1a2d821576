"""What becomes of a contact chain by one more event: a merge, commutative and idempotent.

Source: events.md §4. The merge knows no order, no clock and no metric; what the facts mean
is read by `stay.py`, what they count by `contact_metrics.py`.
"""

from typing import Any, Final

from pipeline.entities.contact import Chain, Leg
from pipeline.events.call import DELETED, VOIDED, CallEvent, CallFact, fact_order
from pipeline.events.names import word


def _leg_place(leg: Leg) -> tuple[str, str]:
    return leg.contact, leg.leg


def new_chain() -> Chain:
    """A chain of which nothing is known."""
    return Chain(())


def begin(event: CallEvent) -> Chain:
    """A chain of which one fact about a leg is known, as `merge` into a new one makes it."""
    fact = event.fact
    at, instant = fact.at, fact.instant
    latest = at if instant is None or instant < at else instant
    return Chain((Leg(event.contact, event.leg, (fact,)),), (), 0, latest)


def leg_of(chain: Chain, event: CallEvent) -> Leg | None:
    """The leg an event speaks about, if it is known."""
    for leg in chain.legs:
        if leg.leg == event.leg and leg.contact == event.contact:
            return leg
    return None


KNOWN: Final = Leg("", "", ())
"""Answer of `place_of` for an event that changes nothing."""


def place_of(chain: Chain, event: CallEvent) -> Leg | None:
    """Where the event's fact belongs, when nothing but one leg is at stake.

    KNOWN: the same event has been merged before. None: corrections, erasure, or a name known
    with other content; ask `is_known` and use `merge`. A leg not known yet is made.
    """
    said = event.fact
    if event.voids or chain.voids or chain.deleted_at or said.kind >= VOIDED:
        return None
    name, named, contact, place = said.name, event.leg, event.contact, None
    for leg in chain.legs:
        if leg.leg == named and leg.contact == contact:
            place = leg
        for fact in leg.facts:
            if fact.name == name:
                return KNOWN if fact == said and place is leg else None
    return place or _new_leg(chain, event)


def _new_leg(chain: Chain, event: CallEvent) -> Leg:
    leg = Leg(event.contact, event.leg, ())
    chain.legs = tuple(sorted((*chain.legs, leg), key=_leg_place))
    return leg


def is_known(chain: Chain, event: CallEvent) -> bool:
    """Whether the event can change nothing: its name and content, its voids, or more are known."""
    fact = event.fact
    if event.voids and event.voids not in chain.voids:
        return False
    if fact.kind >= VOIDED:
        known_at = chain.touched_at if fact.kind == VOIDED else chain.deleted_at
        return known_at >= fact.at
    name = fact.name
    for leg in chain.legs:
        for known in leg.facts:
            if known.name == name:
                return known == fact and leg.leg == event.leg and leg.contact == event.contact
    return False


def merge(chain: Chain, event: CallEvent) -> None:
    """Take in one event, in place.

    Law: any order, any repetition, any split of the same events gives an equal chain.
    """
    fact = event.fact
    touch(chain, fact)
    if event.voids and event.voids not in chain.voids:
        chain.voids = tuple(sorted((*chain.voids, event.voids)))
        for leg in chain.legs:
            leg.facts = tuple([known for known in leg.facts if known.name != event.voids])
    if fact.kind == DELETED:
        chain.deleted_at = max(chain.deleted_at, fact.at)
        for leg in chain.legs:
            leg.facts = ()
    elif fact.kind != VOIDED:
        _merge_fact(chain, event)


def touch(chain: Chain, fact: CallFact) -> None:
    """Remember the latest instant any event named."""
    latest, instant = fact.at, fact.instant
    if instant is not None and instant > latest:
        latest = instant
    chain.touched_at = max(chain.touched_at, latest)


def put(chain: Chain, leg: Leg, fact: CallFact) -> None:
    """`touch` and `insert`, for what comes in order in one go."""
    facts, at = leg.facts, fact.at
    if facts:
        _share_texts(fact, facts[0])
        if facts[-1].at < at and chain.touched_at < at and fact.instant is None:
            leg.facts = (*facts, fact)
            chain.touched_at = at
            return
    touch(chain, fact)
    insert(leg, fact)


def _share_texts(fact: CallFact, first: CallFact) -> None:
    """One text for both where they say the same of who calls."""
    if fact.customer == first.customer:
        fact.customer = first.customer
    if fact.account == first.account:
        fact.account = first.account


def share(chain: Chain) -> None:
    """Let a chain just read hold what is equal once, as one told by its events does."""
    for leg in chain.legs:
        # Any: compiled, what is known to be an int is made a new object when it is stored.
        facts: tuple[Any, ...] = leg.facts
        for fact in facts:
            at = fact.at
            _share_texts(fact, facts[0])
            if fact.queue is not None:
                fact.queue = word(fact.queue)
            if fact.agent is not None:
                fact.agent = word(fact.agent)
            if fact.instant == at:
                fact.instant = at
            if chain.touched_at == at:
                chain.touched_at = at


def _merge_fact(chain: Chain, event: CallEvent) -> None:
    fact = event.fact
    leg = leg_of(chain, event) or _new_leg(chain, event)
    if chain.deleted_at or fact.name in chain.voids:
        return
    for other in chain.legs:
        for known in other.facts:
            if known.name == fact.name:
                if not _outranks(event, other, known):
                    return
                other.facts = without(other, known).facts
                break
    insert(leg, fact)


def without(leg: Leg, fact: CallFact) -> Leg:
    """The leg as it is known without one of its facts, wherever that stands."""
    others = tuple([each for each in leg.facts if each is not fact])
    return Leg(leg.contact, leg.leg, others, leg.is_stale)


def insert(leg: Leg, fact: CallFact) -> None:
    """Put a fact whose name the leg does not have in its place; nearly always it is the last."""
    facts, at = leg.facts, fact.at
    place = len(facts)
    while place and at <= facts[place - 1].at:
        if at == facts[place - 1].at and fact.name > facts[place - 1].name:
            break
        place -= 1
    leg.facts = (*facts[:place], fact, *facts[place:])


def _outranks(event: CallEvent, leg: Leg, known: CallFact) -> bool:
    """Two events of one name: the greater by (time, bytes of data) holds (events.md §1)."""
    fact = event.fact
    mine = (fact.at, fact_order(fact), event.contact, event.leg)
    return mine > (known.at, fact_order(known), leg.contact, leg.leg)


def as_of(chain: Chain, at: int) -> Chain:
    """The chain as its facts dated at or before `at` tell it. Voids are knowledge, not dated."""
    legs = tuple(
        Leg(leg.contact, leg.leg, tuple(fact for fact in leg.facts if fact.at <= at), leg.is_stale)
        for leg in chain.legs
    )
    return Chain(legs, chain.voids, chain.deleted_at, chain.touched_at)
