"""What is declared rather than counted: tenants, thresholds, bounds; with a hash.

Source: metrics.md §1. Takes a parsed table (of definitions.toml or a case file); reads no file.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.metrics.adoption import Adoption, read_adoption
from pipeline.metrics.buckets import DEFAULT_BOUNDS_S
from pipeline.metrics.business import WEEKDAYS, Calendar, read_holidays, read_week
from pipeline.metrics.cost import SupportCost, read_support_cost
from pipeline.metrics.declared import in_force, stored_in
from pipeline.metrics.gaming import DEFAULT_THRESHOLD_MS, Gaming, read_gaming
from pipeline.metrics.groups import NONE_NAMED, QueuesOf, read_ticket_groups
from pipeline.metrics.health import Health, read_health

UTC_ZONE: Final = ZoneInfo("UTC")
_USUAL_MS: Final = frozenset(round(bound * 1000) for bound in DEFAULT_BOUNDS_S)
STUCK_AFTER_S: Final = 4 * 3600
N_MIN: Final = 20
FRT_TARGET_S: Final = 24 * 3600
_KNOWN: Final = {
    "tenants", "thresholds", "stuck_after", "n_min", "frt_target", "recognition", "margin", "adoption",
    "health", "gaming",
}  # fmt: skip
RECOGNITIONS: Final = ("effective", "event", "scheduled")
_TENANT_KNOWN: Final = {
    "tz", "week_start", "business_hours", "holidays", "ticket_groups", "support_cost",
}  # fmt: skip


ALWAYS_OPEN: Final = Calendar(UTC_ZONE, None, frozenset())


class DefinitionsError(ValueError):
    """The declared table is wrong; the message lists every fault with its place."""


class Tenant(NamedTuple):
    """One declared tenant. A tenant not named is UTC, open all hours, its weeks begin on Monday.

    `week_start`: 1 Monday … 7 Sunday. `queues_of`: of the ticket groups declared.
    """

    zone: ZoneInfo = UTC_ZONE
    week_start: int = 1
    business_hours: dict[str, list[str]] | None = None
    holidays: tuple[str, ...] = ()
    queues_of: QueuesOf = NONE_NAMED
    calendar: Calendar = ALWAYS_OPEN
    support_cost: SupportCost | None = None


class Definitions(NamedTuple):
    """Everything declared. `bounds_ms` are the histogram bounds every threshold must be among.

    `frt_target_ms`: how long a first response may take. `recognition`: when a cancel counts.
    `margin`: share of revenue kept after its cost, for `clv_predictive`. `adoption`: who has adopted.
    `health`: what the health of an account is made of.
    `gaming`: what the watch on gamed numbers goes by; `thresholds_ms`: where waits may be heaped.
    `baked`: fingerprints of what differs from the default and is part of stored buckets, by the names in
    declared.py. `declared`: what was declared, by those names.
    """

    tenants: dict[str, Tenant]
    bounds_ms: tuple[int, ...]
    stuck_after_ms: int
    n_min: int
    fingerprint: str
    baked: Mapping[str, str]
    frt_target_ms: int = FRT_TARGET_S * 1000
    recognition: str = RECOGNITIONS[0]
    margin: float = 1.0
    adoption: Adoption = Adoption()
    health: Health = Health()
    gaming: Gaming = Gaming()
    thresholds_ms: tuple[int, ...] = (DEFAULT_THRESHOLD_MS,)
    declared: Mapping[str, Any] = MappingProxyType({})

    def zone(self, tenant: str) -> ZoneInfo:
        """The tenant's time zone."""
        known = self.tenants.get(tenant)
        return known.zone if known else UTC_ZONE

    def stored(self, stream: str) -> str:
        """What is declared and part of the stream's stored buckets, as `name:fingerprint,…`."""
        return ",".join(f"{name}:{self.baked[name]}" for name in stored_in(stream) if name in self.baked)

    def calendar(self, tenant: str) -> Calendar:
        """The tenant's business hours; open all hours unless declared."""
        known = self.tenants.get(tenant)
        return known.calendar if known else ALWAYS_OPEN


def declare(table: dict[str, Any], thresholds_s: tuple[float, ...] = ()) -> Definitions:
    """Read a table; `thresholds_s` are further bounds a reader asks for. Raises DefinitionsError."""
    faults = [f"{key}: unknown; known are {sorted(_KNOWN)}" for key in table if key not in _KNOWN]
    tenants = _tenants(table.get("tenants", {}), faults)
    bounds_ms = _bounds(table.get("thresholds", []), thresholds_s, faults)
    stuck_after = _positive(table.get("stuck_after", STUCK_AFTER_S), "stuck_after", faults)
    n_min = _positive(table.get("n_min", N_MIN), "n_min", faults)
    frt_target = _positive(table.get("frt_target", FRT_TARGET_S), "frt_target", faults)
    margin = _positive(table.get("margin", 1), "margin", faults)
    adoption = read_adoption(table.get("adoption", {}), faults)
    health = read_health(table.get("health", {}), faults)
    gaming = read_gaming(table.get("gaming", {}), faults)
    recognition = table.get("recognition", RECOGNITIONS[0])
    if recognition not in RECOGNITIONS:
        faults.append(f"recognition: {recognition!r}; known are {', '.join(RECOGNITIONS)}")
    if faults:
        raise DefinitionsError("; ".join(faults))
    baked = {
        "thresholds": [bound for bound in bounds_ms if bound not in _USUAL_MS],
        "recognition": "" if recognition == RECOGNITIONS[0] else recognition,
        "adoption": {} if adoption == Adoption() else adoption._asdict(),
        "tenants.*.tz": {name: t.zone.key for name, t in tenants.items() if t.zone.key != UTC_ZONE.key},
        "tenants.*.business_hours": {
            name: t.business_hours for name, t in tenants.items() if t.business_hours is not None
        },
        "tenants.*.holidays": {name: t.holidays for name, t in tenants.items() if t.holidays},
    }
    return Definitions(
        tenants,
        bounds_ms,
        int(stuck_after * 1000),
        int(n_min),
        _hash(table),
        {name: _hash(told)[:8] for name, told in baked.items() if told},
        round(frt_target * 1000),
        recognition,
        margin,
        adoption,
        health,
        gaming,
        tuple(
            sorted({DEFAULT_THRESHOLD_MS, *(round(bound * 1000) for bound in table.get("thresholds", []))})
        ),
        in_force(table),
    )


def _tenants(table: Any, faults: list[str]) -> dict[str, Tenant]:
    if not isinstance(table, dict):
        faults.append("tenants: must be a table of tenants by id")
        return {}
    return {str(name): _tenant(str(name), entry, faults) for name, entry in table.items()}


def _tenant(name: str, entry: Any, faults: list[str]) -> Tenant:
    place = f"tenants.{name}"
    if not isinstance(entry, dict):
        faults.append(f"{place}: must be a table")
        return Tenant()
    faults.extend(
        f"{place}.{key}: unknown; known are {sorted(_TENANT_KNOWN)}"
        for key in entry
        if key not in _TENANT_KNOWN
    )
    zone = UTC_ZONE
    try:
        zone = ZoneInfo(str(entry.get("tz", "UTC")))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        faults.append(f"{place}.tz: {entry.get('tz')!r} is no IANA time zone, e.g. Europe/Bucharest")
    week = read_week(entry.get("business_hours"), f"{place}.business_hours", faults)
    holidays = read_holidays(entry.get("holidays", []), f"{place}.holidays", faults)
    week_start = entry.get("week_start", WEEKDAYS[0])
    if week_start not in WEEKDAYS:
        faults.append(f"{place}.week_start: {week_start!r} is none of {', '.join(WEEKDAYS)}")
        week_start = WEEKDAYS[0]
    return Tenant(
        zone,
        WEEKDAYS.index(week_start) + 1,
        entry.get("business_hours"),
        tuple(sorted(str(day) for day in holidays)),
        read_ticket_groups(entry.get("ticket_groups"), f"{place}.ticket_groups", faults),
        Calendar(zone, week, holidays),
        read_support_cost(entry.get("support_cost"), f"{place}.support_cost", faults),
    )


def _bounds(declared: Any, asked: tuple[float, ...], faults: list[str]) -> tuple[int, ...]:
    if not isinstance(declared, list):
        faults.append("thresholds: must be a list of seconds")
        declared = []
    seconds = [*DEFAULT_BOUNDS_S, *asked]
    for index, bound in enumerate(declared):
        seconds.append(_positive(bound, f"thresholds[{index}]", faults))
    return tuple(sorted({round(bound * 1000) for bound in seconds}))


def _positive(number: Any, place: str, faults: list[str]) -> float:
    if isinstance(number, bool) or not isinstance(number, int | float) or number <= 0:
        faults.append(f"{place}: {number!r} is not a number above 0")
        return 1
    return number


def _hash(table: Any) -> str:
    text = json.dumps(table, sort_keys=True, separators=(",", ":"), default=str)
    return sha256(text.encode()).hexdigest()[:12]
