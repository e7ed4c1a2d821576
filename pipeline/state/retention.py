"""How long a contact chain stays in memory, by event time alone.

Source: architecture.md §2 Horizons; docs/decisions/0003-when-a-contact-leaves-memory.md.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from pipeline.entities.contact import Chain, Leg
from pipeline.entities.stay import Stay, read_leg
from pipeline.events.call import ANSWERED, CALLBACK_REQUESTED
from pipeline.metrics.windows import BUCKET_MS

HOUR_MS: Final = 3_600_000
NEVER_MS: Final = 1 << 52


class Horizons(NamedTuple):
    """Milliseconds behind the watermark. `call` only; streams that never leave need none."""

    bucket_ms: int = 6 * HOUR_MS
    contact_ms: int = HOUR_MS
    callback_ms: int = 72 * HOUR_MS
    quarantine_ms: int = 7 * 24 * HOUR_MS
    stale_ms: int = 7 * 24 * HOUR_MS
    day_ms: int = 400 * 24 * HOUR_MS
    solved_ms: int = 30 * 24 * HOUR_MS
    survey_ms: int = 30 * 24 * HOUR_MS


NO_HORIZONS: Final = Horizons(*[NEVER_MS] * len(Horizons._fields))
"""For `replay` and `verify`: nothing leaves, nothing is late, nothing becomes stale."""


def stale_at(stay: Stay, horizons: Horizons) -> int | None:
    """When a leg still in its queue becomes the contradiction `stale`; None if it cannot."""
    if stay.outcome != 0 or stay.queued is None or stay.enqueued_at is None:
        return None
    return max(stay.queued.at, stay.enqueued_at) + horizons.stale_ms


def due_at(chain: Chain, horizons: Horizons) -> int:
    """When the chain must be looked at: to mark a leg stale, or to leave memory. 10 s steps."""
    return due_of(chain, [read_leg(leg) for leg in chain.legs], horizons)


def due_of(chain: Chain, stays: Sequence[Stay | None], horizons: Horizons) -> int:
    """The same for a chain whose legs have been read."""
    touched_at = chain.touched_at
    if chain.deleted_at or not stays:
        return _step(touched_at + horizons.quarantine_ms)
    looks, leave = [], 0
    for leg, stay in zip(chain.legs, stays, strict=True):
        at, is_look = leg_due_at(leg, stay, touched_at, horizons)
        if is_look:
            looks.append(at)
        elif at > leave:
            leave = at
    if looks:
        return min(looks)
    if _is_promised(chain, stays):
        leave = max(leave, _step(touched_at + horizons.callback_ms))
    return leave


def _is_promised(chain: Chain, stays: Sequence[Stay | None]) -> bool:
    """A callback was asked for, also in a talk, and no human has answered since."""
    requested = answered = -1
    for leg, stay in zip(chain.legs, stays, strict=True):
        for fact in leg.facts:
            if fact.kind == CALLBACK_REQUESTED and fact.at > requested:
                requested = fact.at
        if stay is not None and stay.outcome == ANSWERED:
            answered = max(answered, stay.left_at or 0)
    return requested > answered


def leg_due_at(leg: Leg, stay: Stay | None, touched_at: int, horizons: Horizons) -> tuple[int, bool]:
    """When one leg wants a look, and whether it is to mark it stale (else: it may leave).

    A promised callback is the chain's business, not the leg's.
    """
    if stay is None:
        return _step(touched_at + horizons.quarantine_ms), False
    stale = stale_at(stay, horizons)
    if stale is not None:
        if not leg.is_stale:
            return _step(stale), True
        return _step(stale + horizons.quarantine_ms), False
    if stay.contradiction:
        return _step(touched_at + horizons.quarantine_ms), False
    if stay.is_open:
        return _step(touched_at + horizons.stale_ms), False
    return _step(touched_at + horizons.contact_ms), False


def _step(at: int) -> int:
    return -(-at // BUCKET_MS) * BUCKET_MS
