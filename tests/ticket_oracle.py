"""The numbers of tickets, read from a list of events as slowly and plainly as the pages say it.

Written from events.md §1-4 and metrics.md §1 and §3, not from the core, and it shares no code with it: each
question is asked anew of the facts that stand. All instants in ms.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from xxhash import xxh3_64_intdigest

HOURS_72 = 72 * 3_600_000
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Answer = tuple[float | None, int | None]


class Fact(NamedTuple):
    time: int
    place: int
    name: int
    what: str
    data: dict[str, Any]


class Span(NamedTuple):
    """From a start to the response to it, in the group of that moment."""

    start: int
    end: int
    group: str


class Ticket(NamedTuple):
    tenant: str
    channel: str
    facts: list[Fact]
    created: int
    is_contradictory: bool


def instant(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def is_solving(fact: Fact) -> bool:
    return fact.what == "solved" or (
        fact.what == "status_changed" and fact.data["to"] in ("solved", "closed")
    )


def tickets(events: Iterable[dict[str, Any]], at: int | None = None) -> list[Ticket]:
    """Every ticket of which `created` is known; `at`: of facts dated at or before it."""
    by_key: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for event in events:
        by_key.setdefault((event["tenantid"], event["data"]["ticket_id"]), []).append(event)
    found = []
    for (tenant, _), told in by_key.items():
        facts = sorted(fact for fact in standing(told) if at is None or fact.time <= at)
        births = [fact for fact in facts if fact.what == "created"]
        if births:
            channels = [fact.data["channel"] for fact in births if "channel" in fact.data]
            created = births[0].time
            found.append(Ticket(tenant, [*channels, ""][0], facts, created, facts[0].time < created))
    return found


def standing(told: list[dict[str, Any]]) -> list[Fact]:
    """The facts of one key: each name once, without the void ones; none once it was deleted."""
    if any(event["type"].endswith(".deleted") for event in told):
        return []
    void = {(event["source"], event["corrects"]) for event in told if event.get("corrects")}
    by_name: dict[tuple[str, str], dict[str, Any]] = {}
    for event in told:
        name = (event["source"], event["id"])
        if name in void or event["type"].endswith(".voided"):
            continue
        if name not in by_name or instant(event["time"]) > instant(by_name[name]["time"]):
            by_name[name] = event
    return [placed(name, event) for name, event in by_name.items()]


def placed(name: tuple[str, str], event: dict[str, Any]) -> Fact:
    """At one instant: what is stated, starts, messages, solved."""
    what = event["type"].rpartition(".")[2]
    fact = Fact(
        instant(event["time"]),
        0,
        xxh3_64_intdigest(f"{len(name[0])} {name[0]}{name[1]}"),
        what,
        event["data"],
    )
    order = {"created": 0, "assigned": 1, "changed": 1, "message_added": 3}
    return fact._replace(place=4 if is_solving(fact) else order.get(what, 2))


def group_at(ticket: Ticket, at: int | None = None) -> str:
    stated = [
        fact.data["group_id"]
        for fact in ticket.facts
        if "group_id" in fact.data and (at is None or fact.time <= at)
    ]
    return stated[-1] if stated else ""


def state_changes(ticket: Ticket) -> tuple[list[int], list[int], list[int]]:
    """Places (in the list of facts) of entries into solved, of reopenings, of hand-offs."""
    solved, entries, reopenings, handed = False, [], [], []
    for index, fact in enumerate(ticket.facts):
        if is_solving(fact):
            entries += [] if solved else [index]
            solved = True
        elif fact.what == "reopened" or (fact.what == "status_changed" and solved):
            reopenings.append(index)
            solved = False
        elif fact.what == "bot_handed_off":
            handed.append(index)
    return entries, reopenings, handed


def is_public(fact: Fact, kind: str) -> bool:
    author = fact.data.get("author_kind", "customer")
    return (
        fact.what == "message_added" and author == kind and fact.data.get("visibility", "public") == "public"
    )


def starts(ticket: Ticket) -> list[tuple[int, int | None]]:
    """Each start with its response before the next one: the first public agent message, the second for
    the creation by an agent.
    """
    facts = ticket.facts
    _, reopenings, handed = state_changes(ticket)
    birth = next(index for index, fact in enumerate(facts) if fact.what == "created")
    authors = [f.data["author_kind"] for f in facts if f.what == "created" and "author_kind" in f.data]
    places = sorted([birth, *reopenings, *handed])
    found: list[tuple[int, int | None]] = []
    for start, end in zip(places, [*places[1:], len(facts)], strict=True):
        replies = [fact.time for fact in facts[start:end] if is_public(fact, "agent")]
        if start == birth and authors[:1] == ["agent"]:
            replies = replies[1:]
        found.append((facts[start].time, replies[0] if replies else None))
    return found


def first_responses(ticket: Ticket) -> list[Span]:
    return [Span(start, at, group_at(ticket, at)) for start, at in starts(ticket) if at is not None]


def next_responses(ticket: Ticket) -> list[Span]:
    """Between two public agent messages in a row: from the first customer message to the latter."""
    replies = [index for index, fact in enumerate(ticket.facts) if is_public(fact, "agent")]
    found = []
    for first, second in pairwise(replies):
        asked = [fact.time for fact in ticket.facts[first:second] if is_public(fact, "customer")]
        if asked:
            end = ticket.facts[second].time
            found.append(Span(asked[0], end, group_at(ticket, end)))
    return found


def solvings(ticket: Ticket) -> list[tuple[int, int | None, str]]:
    """(entry into solved, when it was reopened, group)."""
    entries, reopenings, _ = state_changes(ticket)
    found = []
    for entry in entries:
        undone = [ticket.facts[index].time for index in reopenings if index > entry]
        at = ticket.facts[entry].time
        found.append((at, undone[0] if undone else None, group_at(ticket, at)))
    return found


def is_merged(ticket: Ticket) -> bool:
    return any(fact.what == "merged" for fact in ticket.facts)


def resolution(ticket: Ticket) -> Span | None:
    solves = solvings(ticket)
    if not solves or solves[-1][1] is not None or is_merged(ticket):
        return None
    return Span(ticket.created, solves[-1][0], solves[-1][2])


def is_open(ticket: Ticket) -> bool:
    solves = solvings(ticket)
    return not is_merged(ticket) and not (solves and solves[-1][1] is None)


def waits_since(ticket: Ticket) -> int | None:
    """The last start, if nobody has answered it and the ticket is open."""
    start, answered_at = starts(ticket)[-1]
    return start if is_open(ticket) and answered_at is None else None


def open_ms(start: int, end: int, tenant: dict[str, Any]) -> int:
    """Minute by minute: whole minutes of the span whose wall clock lies in the day's hours."""
    zone = ZoneInfo(tenant.get("tz", "UTC"))
    hours, total = tenant.get("business_hours"), 0
    at = start
    while at < end:
        upto = min(end, at - at % 60_000 + 60_000)
        wall = datetime.fromtimestamp(at // 60_000 * 60, ZoneInfo("UTC")).astimezone(zone)
        clock = f"{wall:%H:%M}"
        todays = ["00:00-24:00"] if hours is None else hours.get(DAYS[wall.weekday()], [])
        is_open_now = any(each[:5] <= clock < each[6:] for each in todays)
        if is_open_now and wall.date().isoformat() not in tenant.get("holidays", []):
            total += upto - at
        at = upto
    return total


class Asked(NamedTuple):
    """Tickets chosen, a window [start, end), a group or None for all, and what is declared."""

    tickets: list[Ticket]
    start: int = 0
    end: int = 0
    group: str | None = None
    tenants: Mapping[str, Any] = MappingProxyType({})
    ripe: int | None = None

    def sound(self) -> list[Ticket]:
        return [ticket for ticket in self.tickets if not ticket.is_contradictory]

    def holds(self, at: int, group: str) -> bool:
        return self.start <= at < self.end and self.group in (None, group)

    def spans(self, read: Callable[[Ticket], list[Span]]) -> list[tuple[Ticket, Span]]:
        told = [(ticket, span) for ticket in self.sound() for span in read(ticket)]
        return [(ticket, span) for ticket, span in told if self.holds(span.end, span.group)]


def _mean(values: list[int]) -> Answer:
    return (sum(values) / len(values) / 1000 if values else None), len(values)


def _share(part: int, n: int) -> Answer:
    return (part / n if n else None), n


def frt(asked: Asked) -> Answer:
    return _mean([span.end - span.start for _, span in asked.spans(first_responses)])


def frt_business(asked: Asked) -> Answer:
    return _mean(
        [
            open_ms(span.start, span.end, asked.tenants.get(ticket.tenant, {}))
            for ticket, span in asked.spans(first_responses)
        ]
    )


def nrt(asked: Asked) -> Answer:
    return _mean([span.end - span.start for _, span in asked.spans(next_responses)])


def _resolved(asked: Asked) -> list[tuple[Ticket, Span]]:
    return asked.spans(lambda ticket: [span] if (span := resolution(ticket)) else [])


def _solves(asked: Asked) -> list[tuple[int, int | None, str]]:
    return [each for t in asked.sound() for each in solvings(t) if asked.holds(each[0], each[2])]


def reopen_rate(asked: Asked) -> Answer:
    told = [each for each in _solves(asked) if asked.ripe is None or each[0] <= asked.ripe]
    return _share(len([at for at, undone, _ in told if undone and undone - at <= HOURS_72]), len(told))


def one_touch(asked: Asked) -> Answer:
    told = [ticket for ticket, _ in _resolved(asked)]
    once = [t for t in told if len([fact for fact in t.facts if is_public(fact, "agent")]) == 1]
    return _share(len(once), len(told))


def custom_work_share(asked: Asked) -> Answer:
    told = [t for t in asked.sound() if asked.holds(t.created, group_at(t, t.created))]
    stated = [[f.data["custom_work"] for f in t.facts if "custom_work" in f.data] for t in told]
    return _share(len([each for each in stated if each and each[-1]]), len(told))


def _now(asked: Asked, read: Callable[[Ticket], int | None]) -> list[int]:
    """Instants of tickets as they stand now, in the group they are in now."""
    told = [(read(ticket), group_at(ticket)) for ticket in asked.sound()]
    return [at for at, group in told if at is not None and asked.group in (None, group)]


def backlog(asked: Asked, now: int, least: int = 0, most: float = float("inf")) -> Answer:
    """Open tickets of at least `least` hours and less than `most`."""
    ages = [now - at for at in _now(asked, lambda t: t.created if is_open(t) else None)]
    return len([age for age in ages if least * 3_600_000 <= age < most * 3_600_000]), None


def frt_overdue(asked: Asked, now: int, target: int) -> Answer:
    return len([at for at in _now(asked, waits_since) if now - at > target]), None


def oldest_overdue(asked: Asked, now: int, target: int) -> Answer:
    late = [now - at for at in _now(asked, waits_since) if now - at > target]
    return (max(late) / 1000 if late else None), None


def quarantined(asked: Asked) -> Answer:
    return len([ticket for ticket in asked.tickets if ticket.is_contradictory]), None


WINDOWS: dict[str, Callable[[Asked], Answer]] = {
    "frt": frt,
    "frt_business": frt_business,
    "nrt": nrt,
    "resolution": lambda asked: _mean([span.end - span.start for _, span in _resolved(asked)]),
    "resolutions": lambda asked: (len(_resolved(asked)), None),
    "solve_events": lambda asked: (len(_solves(asked)), None),
    "reopen_rate": reopen_rate,
    "one_touch": one_touch,
    "custom_work_share": custom_work_share,
}


def chosen(found: Iterable[Ticket], tenant: str | None = None, channel: str | None = None) -> list[Ticket]:
    return [t for t in found if tenant in (None, t.tenant) and channel in (None, t.channel)]
