"""What an account's subscriptions are at every instant: step functions of `effective_at`.

Source: events.md §3 `subscription` and §4 (last state by (effective_at, time, source, id)), metrics.md
§6 (recognition of a cancel). Knows no metric.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct

from pipeline.events.subscription import (
    CANCEL_SCHEDULED,
    CANCEL_UNSCHEDULED,
    CANCELLED,
    CHANGED,
    REACTIVATED,
    STARTED,
    SubscriptionFact,
)

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
Place: TypeAlias = tuple[int, int, str, str]
"""(from when it holds, its time, source, id): how facts of a subscription are read."""
NOWHERE: Final[Place] = (-(1 << 62), 0, "", "")


class Placed(NamedTuple):
    """A fact with where it is read."""

    place: Place
    fact: SubscriptionFact


Passes: TypeAlias = Callable[[State], bool]


class Line(Struct, gc=False):
    """One subscription, told fact by fact in the order of `placed`: its states by the instant they hold
    from, one per instant, ascending.

    `told`: the last state, which a cancel does not change, for what the next one leaves out; `held`: what
    holds; `ends_at`: when, by a notice, it ends; `place`: of the last fact.
    """

    steps: Timeline
    told: State
    held: State
    ends_at: int | None = None
    place: Place = NOWHERE

    def take(self, placed: Placed, *, is_scheduled: bool) -> None:
        """Go on with the next fact. A notice (`cancel_scheduled`) ends what holds at its `cancels_at`, unless
        something stated after it stands before then; withdrawn after its end, it holds again from there.
        """
        self.place, fact = placed
        holds_from = self.place[0]
        ends_at = self.ends_at
        has_ended = ends_at is not None and ends_at <= holds_from
        if ends_at is not None and has_ended:
            _hold(self.steps, ends_at, _ended(self.held))
        kind = fact.kind
        if kind == CANCEL_SCHEDULED:
            if is_scheduled and not has_ended:
                self.ends_at = max(fact.cancels_at or 0, holds_from)
            return
        self.ends_at = None
        if kind == CANCEL_UNSCHEDULED:
            if has_ended:
                _hold(self.steps, holds_from, self.held)
            return
        if kind == CANCELLED:
            self.held = _ended(self.told)
        else:
            self.held = self.told = _state(fact, self.told)
        _hold(self.steps, holds_from, self.held)

    def timeline(self) -> Timeline:
        """With the end that a notice makes, if none was said since. Not to be changed."""
        if self.ends_at is None:
            return self.steps
        found = self.steps.copy()
        _hold(found, self.ends_at, _ended(self.held))
        return found


def lines(facts: Iterable[SubscriptionFact], recognition: str) -> dict[str, Line]:
    """Every subscription that the facts speak of."""
    by_subscription: dict[str, list[Placed]] = {}
    for fact in facts:
        if fact.kind in STEERING:
            stated = by_subscription.get(fact.subscription)
            if stated is None:
                stated = by_subscription[fact.subscription] = []
            stated.append(placed(fact, recognition))
    is_scheduled = recognition == "scheduled"
    found: dict[str, Line] = {}
    for name, stated in by_subscription.items():
        stated.sort(key=itemgetter(0))
        line = found[name] = new_line()
        for each in stated:
            line.take(each, is_scheduled=is_scheduled)
    return found


def new_line() -> Line:
    """A subscription of which nothing is known."""
    return Line([], State(), State())


def placed(fact: SubscriptionFact, recognition: str) -> Placed:
    """The fact with what it is ordered by: from when it holds, its time, source and id."""
    holds_from = fact.at if fact.kind == CANCELLED and recognition == "event" else fact.effective
    return Placed((holds_from, fact.at, fact.source, fact.event_id), fact)


def timelines(facts: Iterable[SubscriptionFact], recognition: str) -> dict[str, Timeline]:
    """Per subscription its states by the instant they hold from, one per instant, ascending."""
    return {name: line.timeline() for name, line in lines(facts, recognition).items()}


def _hold(steps: Timeline, at: int, state: State) -> None:
    """From `at` on, which is the last instant of all or later."""
    if steps and steps[-1][0] == at:
        steps[-1] = (at, state)
    else:
        steps.append((at, state))


def _ended(state: State) -> State:
    return State(0, state.currency, 0, state.plan)


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
