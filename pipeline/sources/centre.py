"""The parameters of a simulated contact centre. Knows nothing of events."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """One queue with agents of its own; `contacts_per_hour` are new contacts, without transfers."""

    tenant: str
    queue_id: str
    contacts_per_hour: float
    agents: int


# Loads per agent, with transfers, of about 1.2, 1.1, 0.95 and 1.05. Below 1 a queue vanishes as the
# centre grows, so the loads above 1 keep waits visible at every `rate`, beside one well-staffed queue.
QUEUES = (
    Queue(tenant="acme", queue_id="billing", contacts_per_hour=480, agents=19),
    Queue(tenant="acme", queue_id="technical", contacts_per_hour=360, agents=16),
    Queue(tenant="acme", queue_id="sales", contacts_per_hour=240, agents=13),
    Queue(tenant="globex", queue_id="support", contacts_per_hour=300, agents=14),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chaos:
    """How delivery spoils the story; shares are of its events. The default spoils nothing.

    A late event arrives up to `late_seconds` after its time. A corrected event is first told
    wrongly, a voided one is told beside the truth; both are mended within `mending_seconds`.
    What is not void afterwards is the story.
    """

    duplicate_share: float = 0.0
    late_share: float = 0.0
    late_seconds: float = 30.0
    correction_share: float = 0.0
    void_share: float = 0.0
    mending_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCentre:
    """An Erlang-A centre (M/M/n+M per queue) with the by-ways of real calls.

    `*_seconds` are means of exponential durations; `patience_seconds` None: nobody gives up.
    `rate` scales arrivals and agents together to about so many events per second of event time
    (at daily factor 1, without chaos); few events mean few agents, at least one per queue.
    `daily_shape` is 24 factors on the arrivals, by hour of the day in UTC.
    """

    queues: tuple[Queue, ...] = QUEUES
    rate: float | None = None
    service_seconds: float = 180.0
    patience_seconds: float | None = 120.0
    daily_shape: tuple[float, ...] | None = None
    menu_share: float = 0.8
    menu_seconds: float = 15.0
    menu_hangup_share: float = 0.04  # of those in the menu
    menu_callback_share: float = 0.02
    bot_share: float = 0.1  # of new contacts
    bot_seconds: float = 45.0
    bot_contained_share: float = 0.4  # of those the bot answered; the others go on to an agent
    transfer_share: float = 0.08  # of those an agent answered
    callback_share: float = 0.15  # of those who lose patience; the rest abandon
    flow_out_share: float = 0.05
    ended_only_share: float = 0.3  # of the abandoned: told by `ended` alone
    callback_seconds: float = 120.0
    scheduled_share: float = 0.5  # of callbacks: announced ahead, with enqueued_at
    unreached_share: float = 0.2  # of callbacks
    overflow_per_agent: float | None = 5.0  # waiting legs per agent at which the next flows out
    video_share: float = 0.04
    chat_share: float = 0.12
    chaos: Chaos = Chaos()

    def __post_init__(self) -> None:
        faults = [
            *_queue_faults(self.queues),
            *self._faults(),
            *_share_faults(self),
            *_share_faults(self.chaos),
        ]
        if faults:
            raise ValueError("; ".join(faults))

    def _faults(self) -> Iterator[str]:
        if self.daily_shape is not None and (len(self.daily_shape) != 24 or max(self.daily_shape) <= 0):
            yield "daily_shape needs 24 factors, one of them above 0"
        if self.rate is not None and self.rate <= 0:
            yield "rate is not above 0"
        for name in ("service", "patience", "menu", "bot", "callback"):
            seconds = getattr(self, f"{name}_seconds")
            if seconds is not None and seconds <= 0:
                yield f"{name}_seconds is not above 0"
        for one, other in (
            ("menu_hangup", "menu_callback"),
            ("callback", "flow_out"),
            ("video", "chat"),
        ):
            if getattr(self, f"{one}_share") + getattr(self, f"{other}_share") > 1:
                yield f"{one}_share and {other}_share are more than all"
        if self.patience_seconds is None and self.overflow_per_agent is None:
            yield "without patience_seconds or overflow_per_agent a queue may grow for ever"


def _queue_faults(queues: tuple[Queue, ...]) -> Iterator[str]:
    if not queues:
        yield "queues is empty"
    for queue in queues:
        if queue.agents < 1 or queue.contacts_per_hour <= 0:
            yield f"{queue.tenant}/{queue.queue_id} needs agents and contacts"
    if len({(queue.tenant, queue.queue_id) for queue in queues}) < len(queues):
        yield "two queues have the same name"


def _share_faults(params: CallCentre | Chaos) -> Iterator[str]:
    for field in fields(params):
        if field.name.endswith("_share") and not 0 <= getattr(params, field.name) <= 1:
            yield f"{field.name} is not within 0 and 1"
    if isinstance(params, Chaos):
        if params.correction_share + params.void_share > 1:
            yield "correction_share and void_share are more than all"
        if min(params.late_seconds, params.mending_seconds) < 0:
            yield "late_seconds and mending_seconds are not below 0"


def scaled(params: CallCentre) -> CallCentre:
    """The same centre, grown or shrunk to its `rate`."""
    if params.rate is None:
        return params
    factor = params.rate / events_per_second(params)
    queues = tuple(
        replace(
            queue,
            contacts_per_hour=queue.contacts_per_hour * factor,
            agents=max(1, round(queue.agents * factor)),
        )
        for queue in params.queues
    )
    return replace(params, queues=queues)


def events_per_second(params: CallCentre) -> float:
    """Expected number at daily factor 1, from the balance of flows; who gives up is estimated.

    Each leg is told by three events (queued, its leave, ended), whatever becomes of it; the rest
    are small additions.
    """
    contacts = sum(queue.contacts_per_hour for queue in params.queues) / 3600
    menu = contacts * params.menu_share
    menu_callbacks = menu * params.menu_callback_share
    joining = contacts - menu * params.menu_hangup_share - menu_callbacks
    bots = joining * params.bot_share
    handed_on = bots * (1 - params.bot_contained_share)
    human = joining - bots + handed_on + menu_callbacks
    lost = _share_losing_patience(params, human)
    again = params.transfer_share * (1 - lost) + params.callback_share * lost
    legs = human / (1 - min(again, 0.9))
    callbacks = menu_callbacks + legs * lost * params.callback_share
    abandoned = legs * lost * (1 - params.callback_share - params.flow_out_share)
    return (
        menu * (1 + params.menu_hangup_share + 2 * params.menu_callback_share)
        + 3 * (bots + legs)
        + handed_on
        + legs * params.transfer_share * (1 - lost)
        + callbacks
        - abandoned * params.ended_only_share
    )


def _share_losing_patience(params: CallCentre, legs_per_second: float) -> float:
    if params.patience_seconds is None:
        return 0.0
    capacity = sum(queue.agents for queue in params.queues) / params.service_seconds
    offered = legs_per_second / (1 - min(params.transfer_share, 0.9))
    return max(0.0, 1 - capacity / offered)
