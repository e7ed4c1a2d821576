"""What a contact chain counts: contributions to the families of metrics §2.

Source: metrics.md §2. A contradictory leg contributes to no metric but `quarantine`.
"""

from bisect import bisect_left
from typing import Final

from pipeline.entities.chain_metrics import chain_contributions
from pipeline.entities.contact import Chain, Leg
from pipeline.entities.stay import BOT_ANSWERED, Stay, read_leg
from pipeline.events.call import (
    ABANDONED,
    ANSWERED,
    CALLBACK_REQUESTED,
    FLOWED_OUT,
    TRANSFERRED,
    CallFact,
)
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


_UNQUEUED: Final = (ANSWERED, BOT_ANSWERED, CALLBACK_REQUESTED)
_FIRST_LEAVE_BIN, _FIRST_COHORT_BIN = len(LEAVE.counters), len(COHORT.counters)


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
    if stay.was_in_queue and stay.queued is not None and stay.enqueued_at is not None:
        here = offered(dims, stay.enqueued_at)
        if stay.left_at is None:
            return [waiting(dims, stay.queued.at, stay.enqueued_at), here]
        left, cohort = outcome(dims, stay.outcome, stay.queued, stay.left_at, bounds_ms)
        return [left, here, cohort, *handled(stay)]
    if stay.enqueued_at is None and stay.left_at is not None and stay.outcome in _UNQUEUED:
        return [_unqueued(stay, dims, stay.left_at, bounds_ms), *handled(stay)]
    return []


def handled(stay: Stay) -> list[Contribution]:
    """Talk to end of a leg answered by a human; a leg that ended before it talked has handled 0."""
    ended, answered = stay.ended, stay.answered
    if ended is None or answered is None or stay.outcome != ANSWERED or not stay.is_counted:
        return []
    talk_at = answered.at if answered.instant is None else answered.instant
    cells = (0, 1, 1, ended.at - talk_at) if ended.at > talk_at else (0, 1)
    return [(HANDLE.name, (stay.queue, stay.channel), ended.at, cells)]


def waiting(dims: tuple[str, str], queued_at: int, enqueued_at: int) -> Contribution:
    """A leg that has not left yet; scheduled if it was announced ahead."""
    return ("waiting", dims, enqueued_at, (0, 1, 1, 1) if enqueued_at > queued_at else (0, 1))


def offered(dims: tuple[str, str], enqueued_at: int) -> Contribution:
    """A leg that entered a queue, whatever becomes of it."""
    return ("cohort", dims, enqueued_at, (0, 1))


def _unqueued(stay: Stay, dims: tuple[str, str], left_at: int, bounds_ms: tuple[int, ...]) -> Contribution:
    """Of legs never queued, answers and callbacks from a menu count."""
    if stay.outcome == ANSWERED:
        cells: tuple[int, ...] = (_L_ANSWERED, 1, _FIRST_LEAVE_BIN + bin_of(bounds_ms, 0), 1)
    else:
        cells = (_OTHER_LEAVE[stay.outcome], 1)
    return ("leave", dims, left_at, (*cells, _L["unqueued"], 1))


def outcome(
    dims: tuple[str, str],
    kind: int,
    queued: CallFact,
    left_at: int,
    bounds_ms: tuple[int, ...],
) -> tuple[Contribution, Contribution]:
    """How a leg left its queue: by when it left, and by when it had entered."""
    enqueued_at = queued.at if queued.instant is None else queued.instant
    wait = left_at - enqueued_at
    wait_bin = bisect_left(bounds_ms, wait)  # bin_of, without the call
    left: tuple[int, ...]
    cohort: tuple[int, ...]
    if kind == ANSWERED:
        left = (_L_ANSWERED, 1, _FIRST_LEAVE_BIN + wait_bin, 1, _L_WAIT, wait)
        cohort = (_C_ANSWERED, 1, _FIRST_COHORT_BIN + wait_bin, 1, _C_WAIT, wait)
        if enqueued_at > queued.at:
            ahead = enqueued_at - queued.at
            left += (_L_AHEAD, ahead)
            cohort += (_C_AHEAD, ahead)
    elif kind == ABANDONED:
        left = (_L["abandoned"], 1, _L["abandoned_wait_ms"], wait)
        place = _FIRST_COHORT_BIN + len(bounds_ms) + 1 + wait_bin
        cohort = (_C["abandoned"], 1, _C["abandoned_wait_ms"], wait, place, 1)
    else:
        left = (_OTHER_LEAVE[kind], 1, _L["other_wait_ms"], wait)
        cohort = (_OTHER_COHORT[kind], 1, _C["other_wait_ms"], wait)
        if kind == CALLBACK_REQUESTED:
            cohort += (_FIRST_COHORT_BIN + 2 * (len(bounds_ms) + 1) + wait_bin, 1)
    return ("leave", dims, left_at, left), ("cohort", dims, enqueued_at, cohort)
