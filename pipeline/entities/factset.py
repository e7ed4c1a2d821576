"""An entity as the set of its facts: the merge that every stream but `call` and `usage` shares.

Source: events.md §4. Commutative and idempotent; what the facts mean is read elsewhere.
"""

from bisect import insort
from typing import Generic, Protocol, TypeVar

import msgspec
from msgspec import Struct

from pipeline.events.decoding import DELETED, PASSING, VOIDED, Fact

F = TypeVar("F", bound=Fact)
F_co = TypeVar("F_co", bound=Fact, covariant=True)


class Event(Protocol[F_co]):
    """What `merge` needs of a decoded event. `voids`: name of the event it corrects, or 0."""

    @property
    def fact(self) -> F_co: ...
    @property
    def voids(self) -> int: ...


class FactSet(Struct, Generic[F], array_like=True, gc=False):
    """`facts` sorted by (at, name), none of them void; `voids` sorted names.

    `deleted_at`: latest `deleted` event's time, 0 = none. `touched_at`: latest instant of all.
    """

    facts: list[F]
    voids: list[int]
    deleted_at: int = 0
    touched_at: int = 0


def place(fact: Fact) -> tuple[int, int]:
    """How facts are sorted; ties of instants are read in this order too."""
    return fact.at, fact.name


def is_known(entity: FactSet[F], event: Event[F]) -> bool:
    """Whether the event can change nothing."""
    fact = event.fact
    if event.voids and event.voids not in entity.voids:
        return False
    if fact.kind in {PASSING, VOIDED}:
        return entity.touched_at >= fact.at
    if fact.kind == DELETED:
        return entity.deleted_at >= fact.at
    return any(known == fact for known in entity.facts)


def merge(entity: FactSet[F], event: Event[F]) -> None:
    """Take in one event, in place. Law: any order, repetition and split gives an equal entity."""
    fact = event.fact
    entity.touched_at = max(entity.touched_at, fact.at)
    if event.voids and event.voids not in entity.voids:
        insort(entity.voids, event.voids)
        entity.facts = [known for known in entity.facts if known.name != event.voids]
    if fact.kind == DELETED:
        entity.deleted_at = max(entity.deleted_at, fact.at)
        entity.facts = []
    elif fact.kind < PASSING and not entity.deleted_at and fact.name not in entity.voids:
        _insert(entity, fact)


def _insert(entity: FactSet[F], fact: F) -> None:
    for index, known in enumerate(entity.facts):
        if known.name == fact.name:
            if rank(fact) <= rank(known):
                return
            del entity.facts[index]
            break
    insort(entity.facts, fact, key=place)


def rank(fact: Fact) -> tuple[int, bytes]:
    """Two events of one name: the greater by (time, bytes of data) holds (events.md §1)."""
    return fact.at, msgspec.json.encode(fact.restated())


def as_of(entity: FactSet[F], at: int) -> FactSet[F]:
    """The entity as its facts dated at or before `at` tell it. Voids are knowledge, not dated."""
    facts = [fact for fact in entity.facts if fact.at <= at]
    return FactSet(facts, entity.voids, entity.deleted_at, entity.touched_at)
