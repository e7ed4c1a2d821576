"""An account's usage as its facts tell it, unit by unit: the account, or each of its users.

Source: events.md §3 `usage` and §4 (the merge), metrics.md §5. Knows no metric.
"""

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct

from pipeline.entities.days import DaySet
from pipeline.entities.factset import place, rank
from pipeline.entities.uses import DayOfUses, Uses, no_uses
from pipeline.events.decoding import DELETED, PASSING, VOIDED, FactEvent
from pipeline.events.usage import FEATURE_USED, LEFT, MILESTONE_REACHED, SIGNED_UP, UsageFact
from pipeline.metrics.adoption import USER
from pipeline.metrics.windows import DAY_MS

_LOW: Final = 0xFFFF_FFFF
TURNS: Final = frozenset((SIGNED_UP, LEFT))
"""Kinds of facts by which a unit becomes eligible, or is no longer."""


class Told(Struct, array_like=True, tag="told", gc=False):
    """All but the uses, as the state log holds it: `facts` by (at, name), names that are void, instants of
    the erasure and of the latest event that is in no list (0 = none).
    """

    facts: list[UsageFact]
    voids: list[int]
    deleted_at: int = 0
    passed_at: int = 0


Part: TypeAlias = Told | DayOfUses
"""What one value of the state log says of an account; the parts of all keys together are the account."""


class Account(Struct, gc=False, eq=False):  # noqa: PLW1641 - changes in place, so it has no hash
    """`told` without uses, and `uses`. `days`: what is derived of the uses for the unit declared, by unit;
    None: not yet.

    `heard` holds the sorted lower halves of the names of all events told of, and perhaps others; None: not
    yet. Whether a name was heard of is asked of every event, and nearly always it was not.
    """

    told: Told
    uses: Uses
    days: dict[str, DaySet] | None = None
    heard: "array[int] | None" = None

    def __eq__(self, other: object) -> bool:
        """Whether both say the same."""
        return isinstance(other, Account) and (self.told, self.uses.facts()) == (
            other.told,
            other.uses.facts(),
        )

    @property
    def facts(self) -> list[UsageFact]:
        """Everything, by (at, name)."""
        return sorted([*self.told.facts, *self.uses.facts()], key=place)

    @property
    def deleted_at(self) -> int:
        """Latest `deleted` event's time, 0 = none."""
        return self.told.deleted_at

    @property
    def touched_at(self) -> int:
        """Latest instant of all."""
        return max(self.told.passed_at, self.uses.ats[-1] if self.uses.ats else 0)


def new_account() -> Account:
    """Nothing is known of it."""
    return Account(Told([], []), no_uses())


def is_known(account: Account, event: FactEvent) -> bool:
    """Whether the event can change nothing."""
    fact, told = event.fact, account.told
    if event.voids and event.voids not in told.voids:
        return False
    if fact.kind in {PASSING, VOIDED}:
        return account.touched_at >= int(fact.at)
    if fact.kind == DELETED:
        return told.deleted_at >= int(fact.at)
    known = known_as(account, fact.name)
    return known is not None and known == fact


def known_as(account: Account, name: int) -> UsageFact | None:
    """The fact of that name that holds."""
    if not _may_have_heard(account, name):
        return None
    place = account.uses.place(name)
    if place is not None:
        return account.uses.fact(place)
    return next((fact for fact in account.told.facts if fact.name == name), None)


def hear(account: Account, name: int) -> bool:
    """Remember the name of an event; answers whether it is certain not to have been heard of before."""
    heard, low = _heard(account), name & _LOW
    place = bisect_left(heard, low)
    if place < len(heard) and heard[place] == low:
        return False
    heard.insert(place, low)
    return True


def _may_have_heard(account: Account, name: int) -> bool:
    heard, low = _heard(account), name & _LOW
    place = bisect_left(heard, low)
    return place < len(heard) and heard[place] == low


def _heard(account: Account) -> "array[int]":
    heard = account.heard
    if heard is None:
        told = account.told
        names = (*account.uses.names, *(fact.name for fact in told.facts), *told.voids)
        heard = account.heard = array("I", sorted({name & _LOW for name in names}))
    return heard


def take_use(account: Account, event: FactEvent) -> bool:
    """Merge one more use of a feature, nearly always what is told; False: it may be more than that."""
    fact = event.fact
    if fact.kind != FEATURE_USED or event.voids or account.told.deleted_at or not hear(account, fact.name):
        return False
    account.uses.add(fact.name, fact.at, (fact.user, fact.what, fact.quantity))
    return True


def merge(account: Account, event: FactEvent) -> set[int]:
    """Take in one event, in place; answers the UTC days whose uses have changed.

    Law: any order, repetition and split gives an equal account.
    """
    fact, told = event.fact, account.told
    days: set[int] = set()
    if event.voids and event.voids not in told.voids:
        insort(told.voids, event.voids)
        days |= _forget(account, event.voids)
        hear(account, event.voids)
    if fact.kind == DELETED:
        told.deleted_at = max(told.deleted_at, fact.at)
        told.passed_at, told.facts = account.touched_at, []
        days |= set(account.uses.days())
        account.uses = no_uses()
    elif fact.kind < PASSING and not told.deleted_at and fact.name not in told.voids:
        known = known_as(account, fact.name)
        if known is None or rank(known) < rank(fact):
            if known is not None:
                days |= _forget(account, fact.name)
            hear(account, fact.name)
            if fact.kind == FEATURE_USED:
                account.uses.add(fact.name, fact.at, (fact.user, fact.what, fact.quantity))
                return days | {fact.at // DAY_MS}
            insort(told.facts, fact, key=place)
    told.passed_at = max(told.passed_at, fact.at)
    return days


def _forget(account: Account, name: int) -> set[int]:
    """Let go of the fact of that name, if there is one; answers the UTC day of a use."""
    if not _may_have_heard(account, name):
        return set()
    told, uses = account.told, account.uses
    where = uses.place(name)
    if where is None:
        told.facts = [fact for fact in told.facts if fact.name != name]
        return set()
    at = uses.ats[where]
    uses.remove(where)
    told.passed_at = max(told.passed_at, at)
    return {at // DAY_MS}


def as_of(account: Account, at: int) -> Account:
    """The account as what is dated at or before `at` tells it. Voids are knowledge, not dated."""
    told, uses = account.told, account.uses
    facts = [fact for fact in told.facts if fact.at <= at]
    end = bisect_right(uses.ats, at)
    return Account(
        Told(facts, told.voids, told.deleted_at, told.passed_at),
        Uses(uses.cells, uses.ats[:end], uses.names[:end], uses.of[:end]),
    )


def parts(account: Account) -> list[Part]:
    """The whole account as values of the state log."""
    return [account.told, account.uses.cut(None)]


def put(account: Account, part: Part) -> None:
    """What the state log says holds."""
    account.heard = None
    if isinstance(part, Told):
        account.told = part
    else:
        account.uses.put(part)


class Unit(NamedTuple):
    """One account or one user. `turns`: sign-ups and leavings by (time, id); `uses` and `milestones`
    by time. Instants in ms.
    """

    turns: list[UsageFact]
    uses: list[UsageFact]
    milestones: list[int]

    @property
    def is_eligible(self) -> bool:
        """Whether the latest of the sign-ups and leavings is a sign-up."""
        return bool(self.turns) and self.turns[-1].kind == SIGNED_UP

    @property
    def signed_up_at(self) -> int | None:
        """The first sign-up; None: none."""
        return min((fact.at for fact in self.turns if fact.kind == SIGNED_UP), default=None)

    @property
    def value_at(self) -> int | None:
        """The first milestone at or after the first sign-up; None: not there, or never signed up."""
        start = self.signed_up_at
        if start is None:
            return None
        return next((at for at in self.milestones if at >= start), None)


def units(account: Account, unit: str) -> Iterator[Unit]:
    """The account as one, with a sign-up of anybody and leaving as a whole; or each user by its own."""
    yield from units_of(account.facts, unit).values()


def units_of(facts: Iterable[UsageFact], unit: str) -> dict[str, Unit]:
    """The units some facts speak of: by user, or under "" the account, which is there in any case."""
    if unit != USER:
        return {"": _unit(fact for fact in facts if fact.kind != LEFT or not fact.user)}
    by_user: dict[str, list[UsageFact]] = {}
    for fact in facts:
        if fact.user:
            by_user.setdefault(fact.user, []).append(fact)
    return {user: _unit(told) for user, told in by_user.items()}


def _unit(facts: Iterable[UsageFact]) -> Unit:
    found = Unit([], [], [])
    for fact in facts:
        if fact.kind in TURNS:
            found.turns.append(fact)
        elif fact.kind == FEATURE_USED:
            found.uses.append(fact)
        elif fact.kind == MILESTONE_REACHED:
            found.milestones.append(fact.at)
    found.turns.sort(key=by_turn)
    return found


def by_turn(fact: UsageFact) -> tuple[int, str, str]:
    """How sign-ups and leavings follow each other: by (time, id)."""
    return fact.at, fact.event_id, fact.source
