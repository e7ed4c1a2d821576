"""What a contact chain counts: contributions to the families of metrics §2.

Source: metrics.md §2. A contradictory leg contributes to no metric but `quarantine`.
"""

from typing import Final

from pipeline.entities.chain_metrics import chain_contributions
from pipeline.entities.contact import Chain, Leg
from pipeline.entities.stay import BOT_ANSWERED, Stay, read_leg
from pipeline.events.call import ABANDONED, ANSWERED, CALLBACK_REQUESTED, FLOWED_OUT, TRANSFERRED
from pipeline.metrics.buckets import Contribution, bin_of
from pipeline.metrics.families import COHORT, HANDLE, LEAVE

_L: Final = {name: LEAVE.cell(name) for name in LEAVE.counters}
_C: Final = {name: COHORT.cell(name) for name in COHORT.counters}
_OTHER_LEAVE: Final = {
    CALLBACK_REQUESTED: _L["callbacks_requested"],
    TRANSFERRED: _L["transferred_out"],
    FLOWED_OUT: _L["flowed_out"],
    BOT_ANSWERED: _L["bot_answered"],
}
_OTHER_COHORT: Final = {
    CALLBACK_REQUESTED: _C["callbacks_requested"],
    TRANSFERRED: _C["transferred_out"],
    FLOWED_OUT: _C["flowed_out"],
    BOT_ANSWERED: _C["bot_answered"],
}
_L_ANSWERED, _L_WAIT, _L_AHEAD = _L["answered"], _L["answered_wait_ms"], _L["answered_ahead_ms"]
_C_ANSWERED, _C_WAIT, _C_AHEAD = _C["answered"], _C["answered_wait_ms"], _C["answered_ahead_ms"]


def contributions(chain: Chain, bounds_ms: tuple[int, ...]) -> list[Contribution]:
    """Everything the chain adds, leg by leg, then what it adds as a whole."""
    readings = [(leg, read_leg(leg)) for leg in chain.legs]
    parts = [part for leg, stay in readings for part in stay_contributions(leg, stay, bounds_ms)]
    return parts + chain_contributions(readings)


def leg_contributions(leg: Leg, bounds_ms: tuple[int, ...]) -> list[Contribution]:
    """What one leg adds, in a fixed order of families."""
    return stay_contributions(leg, read_leg(leg), bounds_ms)


def stay_contributions(leg: Leg, stay: Stay | None, bounds_ms: tuple[int, ...]) -> list[Contribution]:
    """The same for a leg already read."""
    if stay is None:
        return []
    if stay.contradiction:
        return [("quarantine", (stay.contradiction,), leg.facts[0].at, (0, 1))]
    if not stay.is_counted:
        return []
    dims = (stay.queue, stay.channel)
    if stay.outcome == 0:
        return _waiting(stay, dims) if stay.was_in_queue else []
    parts = [_left(stay, dims, bounds_ms)] if _counts_as_left(stay) else []
    if stay.was_in_queue:
        parts.append(_offered(stay, dims))
        parts.append(_cohort_outcome(stay, dims, bounds_ms))
    return parts + handled(stay) if stay.ended else parts


def handled(stay: Stay) -> list[Contribution]:
    """Talk to end of a leg answered by a human; a leg that ended before it talked has handled 0."""
    ended, answered = stay.ended, stay.answered
    if ended is None or answered is None or stay.outcome != ANSWERED or not stay.is_counted:
        return []
    talk_at = answered.at if answered.instant is None else answered.instant
    cells = (0, 1, 1, ended.at - talk_at) if ended.at > talk_at else (0, 1)
    return [(HANDLE.name, (stay.queue, stay.channel), ended.at, cells)]


def _counts_as_left(stay: Stay) -> bool:
    """Queued legs that were in the queue; of unqueued ones answers and callbacks from a menu."""
    if stay.was_in_queue:
        return True
    return stay.enqueued_at is None and stay.outcome in (
        ANSWERED,
        BOT_ANSWERED,
        CALLBACK_REQUESTED,
    )


def _waiting(stay: Stay, dims: tuple[str, str]) -> list[Contribution]:
    enqueued_at, queued = stay.enqueued_at, stay.queued
    if enqueued_at is None or queued is None:
        return []
    level = (0, 1, 1, 1) if enqueued_at > queued.at else (0, 1)
    return [("waiting", dims, enqueued_at, level), _offered(stay, dims)]


def _offered(stay: Stay, dims: tuple[str, str]) -> Contribution:
    return ("cohort", dims, stay.enqueued_at or 0, (0, 1))


def _ahead_ms(stay: Stay) -> int:
    if stay.enqueued_at is None or stay.began_at is None:
        return 0
    return stay.enqueued_at - stay.began_at


def _left(stay: Stay, dims: tuple[str, str], bounds_ms: tuple[int, ...]) -> Contribution:
    wait, outcome = stay.wait_ms, stay.outcome
    cells: tuple[int, ...]
    if outcome == ANSWERED:
        first_bin = len(LEAVE.counters)
        cells = (_L_ANSWERED, 1, first_bin + bin_of(bounds_ms, wait), 1)
        if stay.enqueued_at is None:
            cells += (_L["unqueued"], 1)
        elif wait:
            cells += (_L_WAIT, wait)
        ahead = _ahead_ms(stay)
        if ahead:
            cells += (_L_AHEAD, ahead)
    elif outcome == ABANDONED:
        cells = (_L["abandoned"], 1, _L["abandoned_wait_ms"], wait)
    else:
        cells = (_OTHER_LEAVE[outcome], 1)
        if stay.enqueued_at is None:
            cells += (_L["unqueued"], 1)
        else:
            cells += (_L["other_wait_ms"], wait)
    return ("leave", dims, stay.left_at or 0, cells)


def _cohort_outcome(stay: Stay, dims: tuple[str, str], bounds_ms: tuple[int, ...]) -> Contribution:
    wait, outcome = stay.wait_ms, stay.outcome
    first_bin, size = len(COHORT.counters), len(bounds_ms) + 1
    wait_bin = bin_of(bounds_ms, wait)
    if outcome == ANSWERED:
        cells: tuple[int, ...] = (_C_ANSWERED, 1, first_bin + wait_bin, 1, _C_WAIT, wait)
        ahead = _ahead_ms(stay)
        if ahead:
            cells += (_C_AHEAD, ahead)
    elif outcome == ABANDONED:
        place = first_bin + size + wait_bin
        cells = (_C["abandoned"], 1, _C["abandoned_wait_ms"], wait, place, 1)
    else:
        cells = (_OTHER_COHORT[outcome], 1, _C["other_wait_ms"], wait)
        if outcome == CALLBACK_REQUESTED:
            cells += (first_bin + 2 * size + wait_bin, 1)
    return ("cohort", dims, stay.enqueued_at or 0, cells)
