"""The `agent` stream: bytes → an event about one agent, with an AgentFact.

Source: events.md §3 `agent`, key `tenantid|agent_id`.
"""

from typing import Any, Final

from msgspec import Struct

from pipeline.events.decoding import DELETED, PASSING, VOIDED, Decoder, Fact, Shape
from pipeline.events.envelope import Text
from pipeline.events.names import word

STREAM: Final = "agent"
JOINED: Final = 1
MOVED: Final = 2
LEFT: Final = 3


class AgentFact(Fact, array_like=True, gc=False):
    """What one event states of the agent; None: not stated.

    `source` and `event_id` order facts of one instant (events.md §4). `department` is the one
    joined or moved to, `left_department` the one moved from.
    """

    source: str
    event_id: str
    department: str | None = None
    left_department: str | None = None
    voluntary: bool | None = None


class _Agent(Struct, gc=False, kw_only=True):
    agent_id: Text


class _Joined(_Agent, gc=False, kw_only=True):
    department: Text


class _State(_Agent, gc=False, kw_only=True):
    to: str


class _Moved(_Agent, gc=False, kw_only=True):
    from_department: Text
    to_department: Text


class _Left(_Agent, gc=False, kw_only=True):
    voluntary: bool | None = None


def _joined(name: int, at: int, message: Any) -> AgentFact:
    return AgentFact(name, JOINED, at, word(message.source), message.id, word(message.data.department))


def _moved(name: int, at: int, message: Any) -> AgentFact:
    data = message.data
    to, came_from = word(data.to_department), word(data.from_department)
    return AgentFact(name, MOVED, at, word(message.source), message.id, to, came_from)


def _left(name: int, at: int, message: Any) -> AgentFact:
    voluntary = message.data.voluntary
    return AgentFact(name, LEFT, at, word(message.source), message.id, None, None, voluntary)


def _agent_of(message: Any) -> str:
    agent: str = message.data.agent_id
    return agent


# A change of state is of the hour and feeds no number of metrics.md: it is judged, moves the watermark
# and lives on in raw_events, but an agent's facts, which never leave memory, do not grow by it.
decode: Final = Decoder(
    STREAM,
    {
        "joined": Shape(JOINED, _Joined, _joined),
        "state_changed": Shape(PASSING, _State),
        "moved": Shape(MOVED, _Moved, _moved),
        "left": Shape(LEFT, _Left, _left),
        "voided": Shape(VOIDED, _Agent),
        "deleted": Shape(DELETED, _Agent),
    },
    _agent_of,
)
