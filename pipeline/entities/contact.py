"""A contact chain: the facts about its legs, as memory and the state log hold them.

Source: events.md §4. How they come together is `contact_merge.py`'s business.
"""

from msgspec import Struct

from pipeline.events.call import CallFact


class Leg(Struct, array_like=True, gc=False):
    """One stay in one queue. `facts` are sorted by (at, name) and hold no void ones.

    `contact` is "" for the initial contact, which the chain's key names and without which the chain is
    partial (events.md §3); `leg` is "" where it has its contact's name. `is_stale` is set by the
    partition's clock when the leg has been open for too long.
    """

    contact: str
    leg: str
    facts: tuple[CallFact, ...]
    is_stale: bool = False


class Chain(Struct, array_like=True, gc=False):
    """What is known of one `initial_contact_id`. Legs are sorted by (contact, leg). Tuples, because hundreds
    of thousands of them lie in memory: they are smaller than lists, and the collector lets go of them.

    `voids` names void events, sorted. `deleted_at` is the latest `deleted` event's time (0: none).
    `touched_at` is the latest instant any event of the chain named.
    """

    legs: tuple[Leg, ...]
    voids: tuple[int, ...] = ()
    deleted_at: int = 0
    touched_at: int = 0
