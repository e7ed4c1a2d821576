"""Every declared parameter: what is in force, and how a change of it comes to apply.

Source: metrics.md §1. Most apply when reading. What is part of stored buckets is named in the format of a
stream's state: where all facts stay in memory a change is projected anew at the next opening, elsewhere the
state must be made anew. A test holds docs/settings.md to this list.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

READING: Final = "when reading"
OPENING: Final = "at the next opening, from memory"
REBUILD: Final = "after a rebuild"
_ALL_IN_MEMORY: Final = ("subscription", "usage", "account", "agent")
_LEAVING: Final = ("call", "ticket", "survey")
_TALLIED: Final = {**dict.fromkeys(_LEAVING, REBUILD), **dict.fromkeys(_ALL_IN_MEMORY, OPENING)}


class Parameter(NamedTuple):
    """One key of the definitions file. `default` as text; `stored`: by stream, how a change comes to apply
    there, of those in whose buckets it is; everywhere else it applies when reading.
    """

    name: str
    default: str
    stored: Mapping[str, str] = {}

    @property
    def applies(self) -> str:
        """How a change comes to apply, in words."""
        ways: dict[str, list[str]] = {}
        for stream, way in self.stored.items():
            ways.setdefault(way, []).append(stream)
        return "; ".join(f"{way} ({', '.join(streams)})" for way, streams in ways.items()) or READING


PARAMETERS: Final = (
    Parameter("thresholds", "none beside the usual bounds", {"call": REBUILD}),
    Parameter("stuck_after", "14400"),
    Parameter("n_min", "20"),
    Parameter("frt_target", "86400"),
    Parameter("recognition", "effective", {"subscription": OPENING}),
    Parameter("margin", "1"),
    Parameter("adoption", "account, all features, k 1, d 3, w 28, a 14", {"usage": OPENING}),
    Parameter("health", "0.4, 0.2, 0.2, 0.2; 90 days"),
    Parameter("gaming", "28 days, 0.05, 0.2"),
    Parameter("tenants.*.tz", "UTC", _TALLIED),
    Parameter("tenants.*.week_start", "mon"),
    Parameter("tenants.*.business_hours", "open all hours", {"ticket": REBUILD}),
    Parameter("tenants.*.holidays", "none", {"ticket": REBUILD}),
    Parameter("tenants.*.ticket_groups", "a group's queue has its name"),
    Parameter("tenants.*.support_cost", "not known"),
)


def stored_in(stream: str) -> tuple[str, ...]:
    """Names of the parameters that are part of the stream's stored buckets."""
    return tuple(each.name for each in PARAMETERS if stream in each.stored)


def is_projected(stream: str, name: str) -> bool:
    """Whether a change of the parameter is worked out anew from what the stream holds in memory."""
    return any(each.name == name and each.stored.get(stream) == OPENING for each in PARAMETERS)


def in_force(table: Mapping[str, Any]) -> dict[str, Any]:
    """What is declared, by the parameter's name (of tenants a table by tenant); what is not is absent."""
    found: dict[str, Any] = {}
    tenants = table.get("tenants", {})
    for each in PARAMETERS:
        _, is_of_tenants, key = each.name.partition("tenants.*.")
        if is_of_tenants:
            told = {tenant: entry[key] for tenant, entry in tenants.items() if key in entry}
            if told:
                found[each.name] = told
        elif each.name in table:
            found[each.name] = table[each.name]
    return found
