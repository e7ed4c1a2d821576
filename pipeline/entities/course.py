"""What a fact changes when its leg takes the ordinary course: [menu] → queue → left → over.

Nine events in ten are such a step, and what it changes is known without reading the leg as it was
and as it is. It says what `contact_metrics.leg_contributions` would say before and after; where
that is not certain it says None, and whoever asked reads both.
"""

from typing import Final, TypeAlias

from pipeline.entities.chain_metrics import around
from pipeline.entities.contact import Chain, Leg
from pipeline.entities.contact_metrics import handled, offered, outcome, waiting
from pipeline.entities.stay import (
    BOT_ANSWERED,
    INBOUND,
    NOT_HUMAN,
    VOICE,
    channel_of,
    direction_of,
    read_leg,
    states_more,
)
from pipeline.events.call import (
    ANSWERED,
    CALLBACK,
    CALLBACK_REQUESTED,
    CHANNELS,
    ENDED,
    INITIATED,
    QUEUED,
    CallFact,
)
from pipeline.metrics.buckets import Contribution, difference
from pipeline.metrics.families import CALLBACK as CALLBACKS
from pipeline.metrics.families import CUSTOMER

Change: TypeAlias = tuple[tuple[Contribution, ...], tuple[Contribution, ...]]
"""Contributions to take out, and to put in."""

NOTHING: Final[Change] = ((), ())


def step(leg: Leg, fact: CallFact, bounds_ms: tuple[int, ...]) -> Change | None:
    """What `fact`, which is in the leg already, has changed; None: not an ordinary step."""
    kind = fact.kind
    if leg.is_stale:
        return None
    if kind < QUEUED:
        return _left(leg.facts, fact, bounds_ms)
    if kind == QUEUED:
        return _queued(leg.facts, fact)
    if kind == ENDED:
        change = _after_all(leg.facts, fact)
        talked = change and _talked(leg, fact)
        return ((), tuple(talked)) if talked else change
    # A menu alone counts nothing.
    return NOTHING if kind == INITIATED and len(leg.facts) == 1 else None


def is_spoken(chain: Chain, fact: CallFact) -> bool:
    """Whether a step that changes nothing of its leg may change what the chain counts as a whole."""
    return fact.kind < QUEUED or (fact.kind != ENDED and len(chain.legs) > 1)


def with_chain(chain: Chain, leg: Leg, fact: CallFact, change: Change) -> Change:
    """An ordinary step, and what it changes of the chain as a whole; an end after all changes nothing."""
    removed, added = change
    kind = fact.kind
    if len(chain.legs) == 1:
        if kind >= QUEUED:
            return change
        if removed:
            return removed, (*added, *_alone(leg, fact, removed[0]))
    elif kind == ENDED:
        return change
    whole = around(chain, leg, read_leg(leg), fact, removed)
    if whole is None:
        return change
    former, latter = difference(*whole)
    return (*removed, *former), (*added, *latter)


def _alone(leg: Leg, fact: CallFact, waited: Contribution) -> tuple[Contribution, ...]:
    """The only leg of a chain leaves its queue, in which it `waited`, and nobody has spoken before."""
    _, dims, enqueued_at, _ = waited
    if leg.contact:
        return ()
    if fact.kind == CALLBACK_REQUESTED:
        return ((CALLBACKS.name, dims, fact.at, (0, 1)),)
    if fact.kind != ANSWERED or fact.detail >= NOT_HUMAN:
        return ()
    wait = (fact.at if fact.instant is None else fact.instant) - enqueued_at
    return ((CUSTOMER.name, (*dims, "direct"), fact.at, (0, 1, 1, wait) if wait else (0, 1)),)


def _talked(leg: Leg, fact: CallFact) -> list[Contribution]:
    """The talk that an end after everything else ends; an end known already has ended it."""
    facts = leg.facts
    if any(known.kind == ENDED and known is not fact for known in facts):
        return []
    if not any(known.kind == ANSWERED for known in facts):
        return []
    stay = read_leg(leg)
    return [] if stay is None or stay.contradiction else handled(stay)


def _queued(facts: tuple[CallFact, ...], fact: CallFact) -> Change | None:
    """The leg enters the queue: nothing was known before, or a menu."""
    first, last = facts[0], facts[-1]
    if len(facts) > 2 or (first is not last and INITIATED not in (first.kind, last.kind)):
        return None
    if (direction_of(first) or direction_of(last)) > INBOUND and fact.detail != CALLBACK:
        return NOTHING
    dims = (fact.queue or "", CHANNELS[channel_of(first) or channel_of(last) or VOICE])
    enqueued_at = fact.at if fact.instant is None else fact.instant
    return (), (waiting(dims, fact.at, enqueued_at), offered(dims, enqueued_at))


def _left(facts: tuple[CallFact, ...], fact: CallFact, bounds_ms: tuple[int, ...]) -> Change | None:
    """The leg, of which its queue was known and perhaps its menu, leaves the queue."""
    count = len(facts)
    # At one instant the leave may stand before what it follows.
    queued = facts[-2] if facts[-1] is fact and count > 1 else facts[-1]
    if queued.kind != QUEUED or count > 3 or (count == 3 and facts[0].kind != INITIATED):
        return _after_all(facts, fact) if fact.kind != ANSWERED else None
    channel, direction = channel_of(queued), direction_of(queued)
    if count == 3:
        channel, direction = channel_of(facts[0]) or channel, direction_of(facts[0]) or direction
    if channel_of(fact) not in (0, channel) or direction_of(fact) not in (0, direction):
        return None
    enqueued_at = queued.at if queued.instant is None else queued.instant
    if fact.at < enqueued_at:
        return None
    kind = fact.kind
    if kind == ANSWERED:
        if fact.instant is not None and fact.instant < fact.at:
            return None
        if fact.detail >= NOT_HUMAN:
            kind = BOT_ANSWERED
    if direction > INBOUND and queued.detail != CALLBACK:
        return NOTHING
    dims = (queued.queue or "", CHANNELS[channel or VOICE])
    return (
        (waiting(dims, queued.at, enqueued_at),),
        outcome(dims, kind, queued, fact.at, bounds_ms),
    )


def _after_all(facts: tuple[CallFact, ...], fact: CallFact) -> Change | None:
    """The leg had left already: what came later, a second leave or the end, changes nothing."""
    first, at = facts[0], fact.at
    if facts[-1].at > at or first is fact:
        return None
    # Else it is the first to state what the leg is.
    if states_more(fact, first):
        return None
    had_left = [known for known in facts if known.kind < QUEUED and known is not fact]
    if had_left and (fact.kind == ENDED or had_left[0].at < at):
        return NOTHING
    return None
