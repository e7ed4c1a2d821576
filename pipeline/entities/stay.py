"""What the facts of one leg say: where it waited, how it left, whether they contradict.

Source: events.md §2 (contradictions) and §3 `call` (a leg leaves the queue once).
"""

from typing import Final, final

from pipeline.entities.contact import Leg
from pipeline.events.call import (
    ABANDONED,
    ANSWERED,
    CALLBACK,
    CHANNELS,
    DIRECTIONS,
    ENDED,
    INITIATED,
    QUEUED,
    WAYS,
    CallFact,
)

BOT_ANSWERED: Final = 12
"""Outcome of a leg answered by anything but a human; the others are the kinds of leaves."""

INBOUND: Final = DIRECTIONS.index("inbound")
VOICE: Final = CHANNELS.index("voice")
NOT_HUMAN: Final = 2
_STILL_ON: Final = (0, ANSWERED, BOT_ANSWERED)


@final
class Stay:
    """One reading of one leg. Instants in ms UTC, None where there is none.

    `began_at` is the leg's beginning: the earlier of `queued`'s time and `enqueued_at`, else
    `initiated`. `outcome` 0 = not left; for a leg that was never queued it is 0 or an answer.
    `is_open`: in a menu, in a queue, or in a talk that has not ended.
    `was_in_queue` is False for unqueued legs and for a scheduled one given up before its turn.
    """

    __slots__ = (
        "answered",
        "began_at",
        "channel",
        "contradiction",
        "ended",
        "enqueued_at",
        "is_counted",
        "is_open",
        "left_at",
        "outcome",
        "queue",
        "queued",
        "was_in_queue",
    )

    def __init__(  # noqa: PLR0913 - made in one place, in this order
        self,
        queue: str,
        channel: str,
        is_counted: bool,  # noqa: FBT001
        began_at: int | None,
        enqueued_at: int | None,
        outcome: int,
        left_at: int | None,
        was_in_queue: bool,  # noqa: FBT001
        is_open: bool,  # noqa: FBT001
        queued: CallFact | None,
        answered: CallFact | None,
        ended: CallFact | None,
        contradiction: str = "",
    ) -> None:
        self.queue = queue
        self.channel = channel
        self.is_counted = is_counted
        self.began_at = began_at
        self.enqueued_at = enqueued_at
        self.outcome = outcome
        self.left_at = left_at
        self.was_in_queue = was_in_queue
        self.is_open = is_open
        self.queued = queued
        self.answered = answered
        self.ended = ended
        self.contradiction = contradiction

    @property
    def wait_ms(self) -> int:
        """Leave − enqueued_at; 0 for an unqueued call. Only for legs that left."""
        if self.enqueued_at is None or self.left_at is None:
            return 0
        return self.left_at - self.enqueued_at


def channel_of(fact: CallFact) -> int:
    """Index of CHANNELS, 0 = not stated."""
    return fact.way // WAYS


def direction_of(fact: CallFact) -> int:
    """Index of DIRECTIONS, 0 = not stated."""
    return fact.way % WAYS


def states_more(fact: CallFact, first: CallFact) -> bool:
    """Whether `fact` states a channel or a direction where `first` states none."""
    return bool(fact.way) and (
        (channel_of(fact) > 0 and not channel_of(first))
        or (direction_of(fact) > 0 and not direction_of(first))
    )


def read_leg(leg: Leg) -> Stay | None:  # noqa: C901, PLR0912 - one pass, the hottest of all
    """The stay, or None without a first fact (`initiated`, `queued` or `answered`)."""
    queued = answered = initiated = ended = leave = None
    enqueued_at = began_at = left_at = None
    channel = direction = outcome = 0
    for fact in leg.facts:
        kind = fact.kind
        if fact.way:
            channel = channel or channel_of(fact)
            direction = direction or direction_of(fact)
        if kind < QUEUED:
            if leave is None or (fact.at == leave.at and kind < leave.kind):
                leave = fact
            if kind == ANSWERED and answered is None:
                answered = fact
        elif kind == QUEUED:
            enqueue = fact.at if fact.instant is None else fact.instant
            if enqueued_at is None or enqueue < enqueued_at:
                queued, enqueued_at = fact, enqueue
        elif kind == ENDED:
            ended = ended or fact
        elif kind == INITIATED:
            initiated = initiated or fact
    queue = ""
    if queued is not None:
        began_at = queued.at if queued.instant is None else min(queued.at, queued.instant)
        queue = queued.queue or ""
    elif answered is not None:
        queue = answered.queue or ""
    elif initiated is None:
        return None
    if began_at is None and initiated is not None:
        began_at = initiated.at
    if leave is not None:
        outcome, left_at = leave.kind, leave.at
        if outcome == ANSWERED and leave.detail >= NOT_HUMAN:
            outcome = BOT_ANSWERED
    elif queued is not None and ended is not None:
        outcome, left_at = ABANDONED, ended.at
    stay = Stay(
        queue,
        CHANNELS[channel or VOICE],
        direction <= INBOUND or (queued is not None and queued.detail == CALLBACK),
        began_at,
        enqueued_at,
        outcome,
        left_at,
        enqueued_at is not None and (left_at is None or left_at >= enqueued_at),
        ended is None and outcome in _STILL_ON,
        queued,
        answered,
        ended,
    )
    if left_at is not None or ended is not None or leg.is_stale:
        stay.contradiction = _contradiction(stay, is_stale=leg.is_stale)
    return stay


def _contradiction(stay: Stay, *, is_stale: bool) -> str:
    began, left, ended, answered = stay.began_at, stay.left_at, stay.ended, stay.answered
    if began is not None:
        if left is not None and left < began:
            return "leave_before_begin"
        if ended is not None and ended.at < began:
            return "ended_before_begin"
    if answered is not None:
        if stay.enqueued_at is not None and answered.at < stay.enqueued_at:
            return "answered_before_enqueued"
        if ended is not None and ended.at < answered.at:
            return "ended_before_answered"
        if answered.instant is not None and answered.instant < answered.at:
            return "talk_before_answered"
    if is_stale and stay.outcome == 0 and stay.queued is not None:
        return "stale"
    return ""
