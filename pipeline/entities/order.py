"""Facts as they are read: by (time, source, id), an absent value never over a present one.

Source: events.md §4. A fact set keeps facts by the hash of their name; where the last one of an
instant decides, the names themselves decide.
"""

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Named(Protocol):
    """A fact that carries what its name is made of; `at` in ms UTC."""

    @property
    def at(self) -> int: ...
    @property
    def source(self) -> str: ...
    @property
    def event_id(self) -> str: ...


N = TypeVar("N", bound=Named)
V = TypeVar("V")


def in_order(facts: Iterable[N]) -> list[N]:
    """Sorted by (time, source, id)."""
    return sorted(facts, key=lambda fact: (fact.at, fact.source, fact.event_id))


def last_stated(values: Iterable[V | None]) -> V | None:
    """The last value that is present; None where none is."""
    found = None
    for value in values:
        if value is not None:
            found = value
    return found
