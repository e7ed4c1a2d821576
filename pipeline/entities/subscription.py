"""What an account's subscriptions are at every instant: step functions of `effective_at`.

Source: events.md §3 `subscription` and §4 (last state by (effective_at, time, source, id)), metrics.md
§6 (recognition of a cancel). Knows no metric.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

from pipeline.entities.factset import FactSet
from pipeline.events.subscription import (
    CANCEL_SCHEDULED,
    CANCEL_UNSCHEDULED,
    CANCELLED,
    CHANGED,
    REACTIVATED,
    STARTED,
    SubscriptionFact,
)

Account: TypeAlias = FactSet[SubscriptionFact]
_STATES: Final = frozenset((STARTED, CHANGED, REACTIVATED, CANCELLED))
STEERING: Final = _STATES | {CANCEL_SCHEDULED, CANCEL_UNSCHEDULED}
"""Kinds of facts that decide what holds from when."""


class State(NamedTuple):
    """One subscription from an instant on. MRR in minor units; a cancelled one has none, nor seats."""

    mrr_minor: int = 0
    currency: str = ""
    seats: int = 0
    plan: str = ""


class Standing(NamedTuple):
    """All an account has from `at` (ms) on: MRR by currency, each above 0, and seats."""

    at: int
    mrr: Mapping[str, int]
    seats: int

    @property
    def is_active(self) -> bool:
        """Whether there is MRR in any currency."""
        return bool(self.mrr)


NOTHING: Final = Standing(0, {}, 0)
Timeline: TypeAlias = list[tuple[int, State]]
Passes: TypeAlias = Callable[[State], bool]


def timelines(account: Account, recognition: str) -> dict[str, Timeline]:
    """Per subscription its states by the instant they hold from, one per instant, ascending."""
    by_subscription: dict[str, list[tuple[int, SubscriptionFact]]] = {}
    for fact in account.facts:
        if fact.kind in STEERING:
            holds_from = fact.at if fact.kind == CANCELLED and recognition == "event" else fact.effective
            by_subscription.setdefault(fact.subscription, []).append((holds_from, fact))
    return {
        name: _timeline(sorted(facts, key=_place), is_scheduled=recognition == "scheduled")
        for name, facts in by_subscription.items()
    }


def _place(stated: tuple[int, SubscriptionFact]) -> tuple[int, int, str, str]:
    holds_from, fact = stated
    return holds_from, fact.at, fact.source, fact.event_id


def _timeline(stated: list[tuple[int, SubscriptionFact]], *, is_scheduled: bool) -> Timeline:
    """Read the facts in order. A notice (`cancel_scheduled`) ends what holds at its `cancels_at`, unless
    something stated after it stands before then; withdrawn after its end, it holds again from there.
    """
    steps: dict[int, State] = {}
    told = held = State()
    ends_at: int | None = None
    for holds_from, fact in stated:
        has_ended = ends_at is not None and ends_at <= holds_from
        if ends_at is not None and has_ended:
            steps[ends_at] = _ended(held)
        if fact.kind == CANCEL_SCHEDULED:
            if is_scheduled and not has_ended:
                ends_at = max(fact.cancels_at or 0, holds_from)
            continue
        if fact.kind == CANCEL_UNSCHEDULED:
            if has_ended:
                steps[holds_from] = held
            ends_at = None
            continue
        told = told if fact.kind == CANCELLED else _state(fact, told)
        held = _ended(told) if fact.kind == CANCELLED else told
        steps[holds_from] = held
        ends_at = None
    if ends_at is not None:
        steps[ends_at] = _ended(held)
    return sorted(steps.items())


def _ended(state: State) -> State:
    return state._replace(mrr_minor=0, seats=0)


def _state(fact: SubscriptionFact, last: State) -> State:
    """A state is absolute; absent seats or plan: as before, a cancel in between or not."""
    return State(
        fact.minor or 0,
        fact.currency or "",
        last.seats if fact.seats is None else fact.seats,
        last.plan if fact.plan is None else fact.plan,
    )


def standings(lines: Iterable[Timeline], passes: Passes) -> list[Standing]:
    """The account's sum over the states let through, one per instant at which any of them changes."""
    changes = [(at, index, state) for index, line in enumerate(lines) for at, state in line]
    changes.sort(key=lambda change: change[:2])
    holding: dict[int, State] = {}
    found: list[Standing] = []
    for at, index, state in changes:
        holding[index] = state
        if found and found[-1].at == at:
            found.pop()
        found.append(_sum(at, (each for each in holding.values() if passes(each))))
    return found


def _sum(at: int, states: Iterator[State]) -> Standing:
    mrr: dict[str, int] = {}
    seats = 0
    for state in states:
        mrr[state.currency] = mrr.get(state.currency, 0) + state.mrr_minor
        seats += state.seats
    return Standing(at, {currency: minor for currency, minor in mrr.items() if minor > 0}, seats)


def count_before(found: list[Standing], instant: int) -> int:
    """How many of the standings are dated before `instant`."""
    return bisect_left(found, instant, key=lambda standing: standing.at)


def standing_before(found: list[Standing], instant: int) -> Standing:
    """What holds before any change dated `instant`."""
    count = count_before(found, instant)
    return found[count - 1] if count else NOTHING


def as_of(account: Account, at: int) -> Account:
    """The account as what takes effect at or before `at` tells it (metrics.md §1)."""
    facts = [fact for fact in account.facts if min(fact.effective, fact.at) <= at]
    return FactSet(facts, account.voids, account.deleted_at, account.touched_at)
