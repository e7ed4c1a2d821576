"""The contact centre at work: who arrives, waits, is answered and goes, as facts in order of time.

A discrete-event simulation, pure in (params, randomness, start). Knows nothing of envelopes or delivery.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from pipeline.sources.agenda import Agenda
from pipeline.sources.centre import CallCentre, Queue, scaled

HOUR_MS = 3_600_000
RING_MS = 4_000
DIAL_MS = 20_000  # an agent's time for a callback that reaches nobody


class Line:
    """A queue's waiting legs, oldest first, and its idle seats.

    A leg that gave up stays in `waiting` until it comes to the front; `length` counts the others.
    """

    __slots__ = ("agents", "contacts_per_ms", "idle", "length", "queue_id", "tenant", "waiting")

    def __init__(self, queue: Queue) -> None:
        self.tenant = queue.tenant
        self.queue_id = queue.queue_id
        self.agents = queue.agents
        self.contacts_per_ms = queue.contacts_per_hour / HOUR_MS
        self.idle = [Seat(self, f"{queue.queue_id}-{number}") for number in range(queue.agents)]
        self.waiting: deque[Leg] = deque()
        self.length = 0


class Seat(NamedTuple):
    """An agent of one line."""

    line: Line
    agent_id: str


class Caller(NamedTuple):
    """Who is on the line; `accountid` where the customer is known."""

    customer_ref: str
    accountid: str | None = None


@dataclass(slots=True, eq=False)
class Leg:
    """One stay in one queue; `identity` is what every event of it repeats."""

    line: Line
    contact_id: str
    initial_contact_id: str
    caller: Caller
    identity: dict[str, object]
    stay: int = 1
    is_callback: bool = False
    is_waiting: bool = False


class Fact(NamedTuple):
    """What happened to a leg; `data` comes on top of the leg's identity."""

    at_ms: int
    what: str
    leg: Leg
    data: dict[str, object]


class Floor:
    """The lines of one centre, at work on an agenda; what happens is told to `hear`, in order of time.

    Holds only the legs that are not over. `run` begins the names of contacts.
    """

    def __init__(
        self, params: CallCentre, draw: Random, agenda: Agenda, hear: Callable[[Fact], None], run: str
    ) -> None:
        self._params = scaled(params)
        self._draw = draw
        self._agenda = agenda
        self._at = agenda.at
        self._hear = hear
        self._run = run
        self._contacts = 0
        self._peak = max(params.daily_shape or (1.0,))
        self._lines = [Line(queue) for queue in self._params.queues]
        self._open()

    def call(self, queue_id: str, caller: Caller) -> None:
        """Somebody known calls now, beside the arrivals by chance. StopIteration: there is no such line."""
        self._enter(next(line for line in self._lines if line.queue_id == queue_id), caller)

    def _open(self) -> None:
        # The first minutes look like any others: those already talking are unseen, but busy.
        for line in self._lines:
            load = line.contacts_per_ms * self._factor() * self._params.service_seconds * 1000
            for _ in range(min(line.agents, round(load))):
                self._at(self._after(self._params.service_seconds), self._free, line.idle.pop())
            self._at(self._next_arrival(line), self._arrive, line)

    def _after(self, mean_seconds: float) -> float:
        return self._agenda.now - math.log(1.0 - self._draw.random()) * mean_seconds * 1000.0

    def _next_arrival(self, line: Line) -> float:
        return self._agenda.now - math.log(1.0 - self._draw.random()) / (line.contacts_per_ms * self._peak)

    def _factor(self) -> float:
        shape = self._params.daily_shape
        return 1.0 if shape is None else shape[int(self._agenda.now // HOUR_MS) % 24]

    def _tell(self, what: str, leg: Leg, **data: object) -> None:
        self._hear(Fact(int(self._agenda.now), what, leg, data))

    def _arrive(self, line: Line) -> None:
        self._at(self._next_arrival(line), self._arrive, line)
        # Thinning: arrivals are drawn at the day's peak and only a share of them is real.
        if self._params.daily_shape and self._draw.random() * self._peak >= self._factor():
            return
        self._enter(line, None)

    def _enter(self, line: Line, caller: Caller | None) -> None:
        leg = self._new_contact(line, caller)
        if self._draw.random() < self._params.menu_share:
            self._tell("initiated", leg, customer_ref=leg.caller.customer_ref)
            self._at(self._after(self._params.menu_seconds), self._leave_menu, leg)
        else:
            self._join(leg)

    def _new_contact(self, line: Line, caller: Caller | None, asked: Leg | None = None) -> Leg:
        """A contact of somebody, or of nobody known; `asked` is the leg that asked for this callback."""
        self._contacts += 1
        contact_id = f"{self._run}-{self._contacts}"
        initial = asked.initial_contact_id if asked else contact_id
        caller = caller or Caller(f"customer-{self._draw.getrandbits(20)}")
        identity: dict[str, object] = {
            "contact_id": contact_id,
            "initial_contact_id": initial,
            "leg": contact_id,
        }
        if asked:
            identity["direction"] = "outbound"
        else:
            identity |= self._channel()
        return Leg(line, contact_id, initial, caller, identity, is_callback=asked is not None)

    def _channel(self) -> dict[str, object]:
        drawn = self._draw.random() - self._params.video_share
        if drawn < 0:
            return {"channel": "video"}
        return {"channel": "chat"} if drawn < self._params.chat_share else {}

    def _leave_menu(self, leg: Leg) -> None:
        drawn = self._draw.random() - self._params.menu_hangup_share
        if drawn < 0:
            self._tell("ended", leg, end_reason="customer")
        elif drawn < self._params.menu_callback_share:
            self._promise_callback(leg)
        else:
            self._join(leg)

    def _join(self, leg: Leg) -> None:
        queued: dict[str, object] = {"queue_id": leg.line.queue_id, "customer_ref": leg.caller.customer_ref}
        if leg.is_callback:
            queued["callback"] = True
        self._tell("queued", leg, **queued)
        if leg.stay == 1 and not leg.is_callback and self._draw.random() < self._params.bot_share:
            self._at(self._agenda.now + 1000 * self._draw.random(), self._answer_by_bot, leg)
        else:
            self._wait(leg)

    def _answer_by_bot(self, leg: Leg) -> None:
        self._tell("answered", leg, queue_id=leg.line.queue_id, answered_by="bot")
        self._at(self._after(self._params.bot_seconds), self._leave_bot, leg)

    def _leave_bot(self, leg: Leg) -> None:
        if self._draw.random() < self._params.bot_contained_share:
            self._tell("ended", leg, end_reason="customer")
        else:
            self._transfer(leg, leg.line)

    def _wait(self, leg: Leg) -> None:
        line, params = leg.line, self._params
        if line.idle:
            self._answer(leg, line.idle.pop())
        elif params.overflow_per_agent is not None and line.length >= params.overflow_per_agent * line.agents:
            self._flow_out(leg, "overflow")
        else:
            line.waiting.append(leg)
            line.length += 1
            leg.is_waiting = True
            # Nobody holds the line during a callback, so nobody loses patience.
            if params.patience_seconds is not None and not leg.is_callback:
                self._at(self._after(params.patience_seconds), self._lose_patience, leg)

    def _answer(self, leg: Leg, seat: Seat) -> None:
        if leg.is_callback and not self._reaches(leg):
            self._flow_out(leg, "unreached")
            self._at(self._agenda.now + DIAL_MS, self._free, seat)
            return
        ends = self._after(self._params.service_seconds)
        answered: dict[str, object] = {"queue_id": leg.line.queue_id, "agent_id": seat.agent_id}
        if leg.is_callback or self._draw.random() < 0.25:
            ring = min(RING_MS * self._draw.random(), (ends - self._agenda.now) / 2)
            answered["talk_started_at"] = int(self._agenda.now + ring)
        self._tell("answered", leg, **answered)
        self._at(ends, self._finish, (leg, seat))

    def _reaches(self, leg: Leg) -> bool:
        is_reached = self._draw.random() >= self._params.unreached_share
        outcome = "connected" if is_reached else self._draw.choice(("no_answer", "busy", "failed"))
        self._tell("callback_attempted", leg, outcome=outcome)
        return is_reached

    def _finish(self, talk: tuple[Leg, Seat]) -> None:
        leg, seat = talk
        if self._draw.random() < self._params.transfer_share:
            others = [x for x in self._lines if x.tenant == leg.line.tenant and x is not leg.line]
            self._transfer(leg, self._draw.choice(others) if others else leg.line)
        else:
            self._tell("ended", leg, end_reason=self._draw.choice(("customer", "agent")))
        self._free(seat)

    def _transfer(self, leg: Leg, line: Line) -> None:
        self._tell("transferred", leg, to_queue_id=line.queue_id)
        self._tell("ended", leg, end_reason="system")
        stay = leg.stay + 1
        identity = {**leg.identity, "leg": f"{leg.contact_id}/{stay}"}
        # The customer is on the line by now: a new leg of a callback is none itself.
        identity.pop("direction", None)
        self._join(Leg(line, leg.contact_id, leg.initial_contact_id, leg.caller, identity, stay))

    def _free(self, seat: Seat) -> None:
        line = seat.line
        while line.waiting:
            leg = line.waiting.popleft()
            if leg.is_waiting:
                leg.is_waiting = False
                line.length -= 1
                self._answer(leg, seat)
                return
        line.idle.append(seat)

    def _lose_patience(self, leg: Leg) -> None:
        if not leg.is_waiting:
            return
        leg.is_waiting = False
        leg.line.length -= 1
        drawn = self._draw.random() - self._params.callback_share
        if drawn < 0:
            self._promise_callback(leg)
        elif drawn < self._params.flow_out_share:
            self._flow_out(leg, "voicemail")
        else:
            if self._draw.random() >= self._params.ended_only_share:
                self._tell("abandoned", leg)
            self._tell("ended", leg, end_reason="customer")

    def _flow_out(self, leg: Leg, reason: str) -> None:
        self._tell("flowed_out", leg, reason=reason)
        self._tell("ended", leg, end_reason="system")

    def _promise_callback(self, leg: Leg) -> None:
        self._tell("callback_requested", leg)
        self._tell("ended", leg, end_reason="customer")
        callback = self._new_contact(leg.line, leg.caller, leg)
        due = self._after(self._params.callback_seconds)
        if self._draw.random() < self._params.scheduled_share:
            self._tell("queued", callback, queue_id=leg.line.queue_id, callback=True, enqueued_at=int(due))
            self._at(due, self._wait, callback)
        else:
            self._at(due, self._join, callback)
