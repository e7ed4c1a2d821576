"""What an agent counts: contributions to the families of the staff (metrics.md §7).

How many agents moved or left within a window is no sum over its days, because an agent counts once.
It is a step function of the day: up on the day an agent's answer to "in the window that ends today?"
turns true, down when it turns false again (architecture.md §3).
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.entities.agent import Post, read_career
from pipeline.entities.factset import FactSet
from pipeline.events.agent import AgentFact
from pipeline.metrics.buckets import Contribution
from pipeline.metrics.families import HEADCOUNT, STAFF_STEPS
from pipeline.metrics.windows import DAY_WINDOWS, local_date, midnight

_ONE_MORE: Final = (HEADCOUNT.cell("agents"), 1)
_ONE_LESS: Final = (HEADCOUNT.cell("agents"), -1)
_MOVED: Final = STAFF_STEPS.cell("moved")
_LEFT: Final = STAFF_STEPS.cell("left")
_AT_START: Final = STAFF_STEPS.cell("at_start")


def contributions(agent: FactSet[AgentFact], zone: ZoneInfo) -> list[Contribution]:
    """Headcount by department as steps at their instants; moved and left as steps of local days."""
    career = read_career(agent)
    parts: list[Contribution] = []
    for post in career.posts:
        parts.append((HEADCOUNT.name, (post.department,), post.since, _ONE_MORE))
        if post.left_at is not None:
            parts.append((HEADCOUNT.name, (post.department,), post.left_at, _ONE_LESS))
    departures = [at for at, _ in career.departures]
    for cell, instants in ((_MOVED, career.moves), (_LEFT, departures)):
        days = sorted({local_date(at, zone) for at in instants})
        for window in DAY_WINDOWS:
            for first, after in _stretches(days, window):
                dims = (window,)
                parts.append((STAFF_STEPS.name, dims, midnight(first, zone), (cell, 1)))
                parts.append((STAFF_STEPS.name, dims, midnight(after, zone), (cell, -1)))
    for post in career.posts:
        parts += _there_at_start(post, zone)
    return parts


def _there_at_start(post: Post, zone: ZoneInfo) -> list[Contribution]:
    """Steps of the days whose windows begin while the agent holds a post."""
    parts: list[Contribution] = []
    for window in DAY_WINDOWS:
        first = _first_begun_after(local_date(post.since, zone), window)
        after = None if post.left_at is None else _first_begun_after(local_date(post.left_at, zone), window)
        if first != after:
            parts.append((STAFF_STEPS.name, (window,), midnight(first, zone), (_AT_START, 1)))
            if after is not None:
                parts.append((STAFF_STEPS.name, (window,), midnight(after, zone), (_AT_START, -1)))
    return parts


def _first_begun_after(day: date, window: str) -> date:
    """The first day that ends a window begun after `day`."""
    tomorrow = day + timedelta(days=1)
    if window == "month":
        return tomorrow if tomorrow.day == 1 else _last_in(day, window) + timedelta(days=1)
    return _last_in(tomorrow, window)


def _stretches(days: Iterable[date], window: str) -> list[tuple[date, date]]:
    """The days on which one of `days` lies in the window that ends there: [first, after)."""
    found: list[tuple[date, date]] = []
    for day in days:
        after = _last_in(day, window) + timedelta(days=1)
        if found and day <= found[-1][1]:
            found[-1] = (found[-1][0], after)
        else:
            found.append((day, after))
    return found


def _last_in(day: date, window: str) -> date:
    """The last day whose window still holds `day`."""
    if window == "month":
        return (day.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    length = 1 if window == "today" else int(window.removesuffix("d"))
    return day + timedelta(days=length - 1)


def moved_between(agent: FactSet[AgentFact], start: int, end: int) -> bool:
    """Whether the agent moved to another department in [start, end)."""
    return any(start <= at < end for at in read_career(agent).moves)


def left_between(agent: FactSet[AgentFact], start: int, end: int) -> bool:
    """Whether the agent left the staff in [start, end)."""
    return any(start <= at < end for at, _ in read_career(agent).departures)


def departments_at(agent: FactSet[AgentFact], edge: int) -> list[str]:
    """The department of an agent on the staff before any change dated `edge`; none when it is not."""
    posts = read_career(agent).posts
    return [
        post.department
        for post in posts
        if post.since < edge and (post.left_at is None or post.left_at >= edge)
    ]
