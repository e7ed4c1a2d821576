"""An agent as its facts tell it: on the staff or not, where, when moved and when left.

Source: events.md §3 `agent` and §4. What an agent counts is in `agent_metrics.py`.
"""

from itertools import groupby
from typing import NamedTuple

from pipeline.entities.factset import FactSet
from pipeline.entities.order import in_order, last_stated
from pipeline.events.agent import JOINED, LEFT, MOVED, AgentFact


class Post(NamedTuple):
    """A stretch on the staff of one department. `left_at` None: still there."""

    department: str
    since: int
    left_at: int | None = None


class Career(NamedTuple):
    """`posts` in order of time, none empty. `moves`: instants of moves to another department.

    `departures`: instants at which the agent left the staff, with whether by its own will.
    """

    posts: list[Post]
    moves: list[int]
    departures: list[tuple[int, bool | None]]


def read_career(agent: FactSet[AgentFact]) -> Career:
    """Of an instant the last of `joined` and `left` holds, and the last department.

    On the staff: that last one is `joined`. A move counts unless the agent had left before; a departure
    unless it had left already, so that an agent whose joining is not known can move and leave.
    """
    career = Career([], [], [])
    state: int = 0
    department: str | None = None
    for at, told in groupby(in_order(agent.facts), key=lambda fact: fact.at):
        facts = list(told)
        if state != LEFT and any(_is_move(fact) for fact in facts):
            career.moves.append(at)
        before = state
        last = last_stated(fact if fact.kind in {JOINED, LEFT} else None for fact in facts)
        state = last.kind if last is not None else state
        department = last_stated([department, *(fact.department for fact in facts)])
        if last is not None and state == LEFT and before != LEFT:
            career.departures.append((at, last.voluntary))
        _stand(career.posts, at, department or "", on_staff=state == JOINED)
    return career


def _is_move(fact: AgentFact) -> bool:
    return fact.kind == MOVED and fact.department != fact.left_department


def _stand(posts: list[Post], at: int, department: str, *, on_staff: bool) -> None:
    """End the post that no longer holds at `at`, begin the one that does."""
    standing = posts[-1] if posts and posts[-1].left_at is None else None
    if standing is not None and on_staff and standing.department == department:
        return
    if standing is not None:
        posts[-1] = standing._replace(left_at=at)
    if on_staff:
        posts.append(Post(department, at))
