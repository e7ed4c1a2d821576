"""Which ticket groups belong to which queues, where it is declared; what it means: decision 0021.

Calls know queues, tickets know groups. Only the watch on gamed numbers puts the two beside each other
(docs/metrics/customers.md): here is what it is told.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

QueuesOf = Mapping[str, tuple[str, ...]]
"""The queues of each group that is named, in order; any other group belongs to the queue of its name."""
NONE_NAMED: Final[QueuesOf] = MappingProxyType({})


def read_ticket_groups(table: Any, place: str, faults: list[str]) -> QueuesOf:
    """The declared table `ticket_groups`, by queue a group or a list of groups, turned round; what is wrong
    with it is added to `faults`.
    """
    if table is None:
        return NONE_NAMED
    if not isinstance(table, dict) or not all(_are_groups(groups) for groups in table.values()):
        faults.append(
            f"{place}: must be a table of a group or a list of groups by queue,"
            ' e.g. {sales = "first", care = ["technical", "billing"]}'
        )
        return NONE_NAMED
    found: dict[str, set[str]] = {}
    for queue, groups in table.items():
        for group in [groups] if isinstance(groups, str) else groups:
            found.setdefault(group, set()).add(str(queue))
    return {group: tuple(sorted(queues)) for group, queues in sorted(found.items())}


def _are_groups(groups: object) -> bool:
    if isinstance(groups, list):
        return bool(groups) and all(isinstance(group, str) for group in groups)
    return isinstance(groups, str)
