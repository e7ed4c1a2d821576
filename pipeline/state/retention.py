"""How long a contact chain stays in memory, by event time alone.

Source: architecture.md §2 Horizons; docs/decisions/0003-when-a-contact-leaves-memory.md.
"""

from typing import Final, NamedTuple

from pipeline.entities.contact import Chain
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


NO_HORIZONS: Final = Horizons(*[NEVER_MS] * len(Horizons._fields))
"""For `replay` and `verify`: nothing leaves, nothing is late, nothing becomes stale."""


def stale_at(stay: Stay, horizons: Horizons) -> int | None:
    """When a leg still in its queue becomes the contradiction `stale`; None if it cannot."""
    if stay.outcome != 0 or stay.queued is None or stay.enqueued_at is None:
        return None
    return max(stay.queued.at, stay.enqueued_at) + horizons.stale_ms


def due_at(chain: Chain, horizons: Horizons) -> int:
    """When the chain must be looked at: to mark a leg stale, or to leave memory. 10 s steps."""
    if chain.deleted_at or not chain.legs:
        return _step(chain.touched_at + horizons.quarantine_ms)
    touched = chain.touched_at
    leave = touched + horizons.contact_ms
    look: int | None = None
    requested_at = -1
    human_at = -1
    for leg in chain.legs:
        stay = read_leg(leg)
        if stay is None:
            leave = max(leave, touched + horizons.quarantine_ms)
            continue
        stale = stale_at(stay, horizons)
        if stale is not None and not leg.is_stale:
            look = stale if look is None else min(look, stale)
        elif stale is not None:
            leave = max(leave, stale + horizons.quarantine_ms)
        elif stay.contradiction:
            leave = max(leave, touched + horizons.quarantine_ms)
        elif stay.is_open:
            leave = max(leave, touched + horizons.stale_ms)
        if stay.outcome == CALLBACK_REQUESTED:
            requested_at = max(requested_at, stay.left_at or 0)
        elif stay.outcome == ANSWERED:
            human_at = max(human_at, stay.left_at or 0)
    if requested_at > human_at:
        leave = max(leave, touched + horizons.callback_ms)
    return _step(leave if look is None else look)


def _step(at: int) -> int:
    return -(-at // BUCKET_MS) * BUCKET_MS
