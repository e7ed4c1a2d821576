"""An account's usage as its facts tell it, unit by unit: the account, or each of its users.

Source: events.md §3 `usage` and metrics.md §5. Knows no metric.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, TypeAlias

from pipeline.entities.factset import FactSet
from pipeline.events.usage import FEATURE_USED, LEFT, MILESTONE_REACHED, SIGNED_UP, UsageFact
from pipeline.metrics.adoption import USER

Account: TypeAlias = FactSet[UsageFact]
TURNS: Final = frozenset((SIGNED_UP, LEFT))
"""Kinds of facts by which a unit becomes eligible, or is no longer."""


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
    if unit != USER:
        yield _unit(fact for fact in account.facts if fact.kind != LEFT or not fact.user)
        return
    by_user: dict[str, list[UsageFact]] = {}
    for fact in account.facts:
        if fact.user:
            by_user.setdefault(fact.user, []).append(fact)
    for facts in by_user.values():
        yield _unit(facts)


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
