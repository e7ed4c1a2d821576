"""An account as its facts tell it: the stages it went through, what it is, what was noted.

Source: events.md §3 `account` and §4. What an account counts is in `account_metrics.py`.
"""

from collections.abc import Iterable
from typing import NamedTuple

from pipeline.entities.factset import FactSet
from pipeline.entities.order import in_order, last_stated
from pipeline.events.account import CREATED, MERGED, STAGES, AccountFact


class Stay(NamedTuple):
    """A stretch in one stage. `left_at` None: still there; `to` '' = merged away, or still there."""

    stage: str
    entered_at: int
    left_at: int | None = None
    to: str = ""


class Profile(NamedTuple):
    """What an account is now; '' where nothing is stated."""

    created_at: int | None
    merged_at: int | None
    merged_into: str
    owner: str
    segment: str
    plan: str
    region: str


def stays(account: FactSet[AccountFact]) -> list[Stay]:
    """The stages in order of time, none empty, neighbours different; they end where it is merged.

    Of an instant the last stage holds: one entered and left at the same instant was none.
    """
    merged = merged_at(account.facts)
    found: list[Stay] = []
    for at, stage in _changes(account.facts):
        if merged is not None and at >= merged:
            break
        if found and found[-1].stage == stage:
            continue
        if found:
            found[-1] = found[-1]._replace(left_at=at, to=stage)
        found.append(Stay(stage, at))
    if found and merged is not None:
        found[-1] = found[-1]._replace(left_at=merged)
    return found


def _changes(facts: Iterable[AccountFact]) -> list[tuple[int, str]]:
    """The stage from each instant on at which one was stated."""
    by_instant = {fact.at: STAGES[fact.stage] for fact in in_order(facts) if fact.stage}
    return sorted(by_instant.items())


def merged_at(facts: Iterable[AccountFact]) -> int | None:
    """When it went on as another account; None: it did not."""
    return min((fact.at for fact in facts if fact.kind == MERGED), default=None)


def read_profile(account: FactSet[AccountFact]) -> Profile:
    """What was stated last of everything but the stage."""
    facts = in_order(account.facts)
    return Profile(
        min((fact.at for fact in facts if fact.kind == CREATED), default=None),
        merged_at(facts),
        last_stated(fact.ref for fact in facts if fact.kind == MERGED) or "",
        last_stated(fact.owner for fact in facts) or "",
        last_stated(fact.segment for fact in facts) or "",
        last_stated(fact.plan for fact in facts) or "",
        last_stated(fact.region for fact in facts) or "",
    )
