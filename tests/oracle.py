"""The numbers of support speed, read from a list of events as slowly and plainly as the pages say it.

Written from the contract (events.md §1-4) and the metric pages (metrics.md §1-2), not from the core:
it shares no code with it, keeps every fact in a list and asks each question anew. All instants in ms.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from xxhash import xxh3_64_intdigest

LEAVES = ("answered", "callback_requested", "transferred", "flowed_out", "abandoned")
STUCK_AFTER_MS = 4 * 3_600_000


class Fact(NamedTuple):
    """One event about one leg."""

    name: int
    what: str
    time: int
    data: dict[str, Any]


class Leg(NamedTuple):
    """How one leg is read. `outcome` '' = not left; `fault` '' = no contradiction."""

    tenant: str
    chain: str
    queue: str
    channel: str
    is_inbound: bool
    first_at: int
    created: int | None
    enqueued: int | None
    outcome: str
    left: int | None
    talk: int | None
    ended: int | None
    fault: str

    @property
    def was_in_queue(self) -> bool:
        return self.enqueued is not None and (self.left is None or self.left >= self.enqueued)

    @property
    def wait(self) -> int:
        return 0 if self.enqueued is None else self.left - self.enqueued


def instant(text: str) -> int:
    """Milliseconds; finer digits are cut off, as the contract says."""
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def legs(events: Iterable[dict[str, Any]], at: int | None = None) -> list[Leg]:
    """Every leg of every chain as the events tell it; `at`: of facts dated at or before it."""
    by_key: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for event in events:
        data = event["data"]
        initial = data.get("initial_contact_id") or data["contact_id"]
        by_key.setdefault((event["tenantid"], initial), []).append(event)
    found = []
    for (tenant, chain), told in by_key.items():
        by_leg: dict[tuple[str, str], list[Fact]] = {}
        for fact in standing(told):
            if at is None or fact.time <= at:
                contact = fact.data["contact_id"]
                by_leg.setdefault((contact, fact.data.get("leg") or contact), []).append(fact)
        read = (read_leg(tenant, chain, facts) for facts in by_leg.values())
        found += [leg for leg in read if leg is not None]
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
        held = by_name.get(name)
        if held is None or instant(event["time"]) > instant(held["time"]):
            by_name[name] = event
    return [
        Fact(
            xxh3_64_intdigest(f"{len(source)} {source}{id_}"),
            event["type"].rpartition(".")[2],
            instant(event["time"]),
            {name: value for name, value in event["data"].items() if value is not None},
        )
        for (source, id_), event in by_name.items()
    ]


def read_leg(tenant: str, chain: str, facts: list[Fact]) -> Leg | None:
    facts = sorted(facts, key=lambda fact: (fact.time, fact.name))

    def first(what: str) -> Fact | None:
        return next((fact for fact in facts if fact.what == what), None)

    def enqueue(fact: Fact) -> int:
        return instant(fact.data["enqueued_at"]) if "enqueued_at" in fact.data else fact.time

    def stated(field: str, default: str) -> str:
        return next((fact.data[field] for fact in facts if field in fact.data), default)

    queued = min((fact for fact in facts if fact.what == "queued"), key=enqueue, default=None)
    answered, initiated, ended = first("answered"), first("initiated"), first("ended")
    if not (queued or answered or initiated):
        return None
    leave = min(
        (fact for fact in facts if fact.what in LEAVES),
        key=lambda fact: (fact.time, LEAVES.index(fact.what)),
        default=None,
    )
    enqueued = enqueue(queued) if queued else None
    created = min(queued.time, enqueued) if queued else initiated.time if initiated else None
    outcome, left = (leave.what, leave.time) if leave else ("", None)
    if leave and outcome == "answered" and leave.data.get("answered_by", "human") != "human":
        outcome = "bot_answered"
    if not leave and queued and ended:
        outcome, left = "abandoned", ended.time
    talk = None
    if answered:
        talk = (
            instant(answered.data.get("talk_started_at", ""))
            if "talk_started_at" in answered.data
            else answered.time
        )
    faults = {
        "leave_before_begin": created is not None and left is not None and left < created,
        "ended_before_begin": created is not None and ended is not None and ended.time < created,
        "answered_before_enqueued": answered and enqueued is not None and answered.time < enqueued,
        "ended_before_answered": answered and ended and ended.time < answered.time,
        "talk_before_answered": answered and talk < answered.time,
    }
    return Leg(
        tenant,
        chain,
        (queued or answered or Fact(0, "", 0, {})).data.get("queue_id", ""),
        _known(stated("channel", "voice"), ("voice", "video", "chat")),
        stated("direction", "inbound") == "inbound"
        or (queued is not None and queued.data.get("callback") is True),
        facts[0].time,
        created,
        enqueued,
        outcome,
        left,
        talk,
        ended.time if ended else None,
        next((fault for fault, holds in faults.items() if holds), ""),
    )


def _known(value: str, values: Sequence[str]) -> str:
    return value if value in values else "other"


class Asked(NamedTuple):
    """A window [start, end), or an instant `now` for levels, over legs already chosen by dimension."""

    legs: list[Leg]
    start: int = 0
    end: int = 0
    by: str = "leave"
    parameters: Mapping[str, Any] = MappingProxyType({})

    def sound(self) -> list[Leg]:
        return [leg for leg in self.legs if not leg.fault and leg.is_inbound]

    def left(self, *outcomes: str) -> list[Leg]:
        """Legs that left so, by leave or of the cohort enqueued in the window."""
        found = [leg for leg in self.sound() if leg.outcome in outcomes]
        if self.by == "enqueue":
            return [leg for leg in found if leg in self.offered()]
        unqueued = ("answered", "bot_answered", "callback_requested")
        found = [
            leg for leg in found if leg.was_in_queue or (leg.enqueued is None and leg.outcome in unqueued)
        ]
        return [leg for leg in found if self.start <= leg.left < self.end]

    def offered(self) -> list[Leg]:
        return [leg for leg in self.sound() if leg.was_in_queue and self.start <= leg.enqueued < self.end]

    def cohort(self, outcome: str, longest: float | None = None) -> int:
        """How many of the cohort left so, after at most `longest` seconds."""
        waits = [leg.wait for leg in self.offered() if leg.outcome == outcome]
        return len([wait for wait in waits if longest is None or wait <= longest * 1000])


Answer = tuple[float | None, int | None]
ALL = (*LEAVES, "bot_answered")


def _mean(values: list[int]) -> Answer:
    return (sum(values) / len(values) / 1000 if values else None), len(values)


def _share(part: int, n: int) -> Answer:
    return (part / n if n else None), n


def _counted(outcome: str) -> Callable[[Asked], Answer]:
    return lambda asked: (len(asked.left(outcome)), None)


def asa_queue(asked: Asked) -> Answer:
    answered = asked.left("answered")
    if "created" in (asked.parameters.get("name"), asked.parameters.get("clock")):
        return _mean([0 if leg.enqueued is None else leg.left - leg.created for leg in answered])
    return _mean([leg.wait for leg in answered])


def wait_all(asked: Asked) -> Answer:
    return _mean([leg.wait for leg in asked.left(*ALL) if leg.enqueued is not None])


def abandon_rate(asked: Asked) -> Answer:
    short = asked.parameters.get("S", 5)
    return _share(asked.cohort("abandoned") - asked.cohort("abandoned", short), len(asked.offered()))


def service_level(asked: Asked) -> Answer:
    told = {"name": "strict", "X": 20, "S": 5, **asked.parameters}
    x, offered, good = told["X"], len(asked.offered()), asked.cohort("answered", told["X"])
    if told["name"] == "strict":
        return _share(good, offered - asked.cohort("abandoned", told["S"]))
    if told["name"] == "all":
        return _share(good, offered)
    if told["name"] == "answered":
        return _share(good, asked.cohort("answered"))
    if told["name"] == "forgiving":
        return _share(good, offered - asked.cohort("abandoned", x))
    if told["name"] == "amazon":
        return _share(good + asked.cohort("abandoned", x) + asked.cohort("callback_requested", x), offered)
    n = asked.cohort("answered") + asked.cohort("abandoned")
    n += asked.cohort("flowed_out") if told.get("flowouts") else 0
    if told.get("drop_abandoned"):
        n -= asked.cohort("abandoned")
    elif told.get("drop_short"):
        n -= asked.cohort("abandoned", told["S"])
    return _share(good, n)


def handle_time(asked: Asked) -> Answer:
    over = [leg for leg in asked.sound() if leg.outcome == "answered" and leg.ended is not None]
    over = [leg for leg in over if asked.start <= leg.ended < asked.end]
    return _mean([max(0, leg.ended - leg.talk) for leg in over])


def _waiting(asked: Asked, now: int) -> list[int]:
    there = [leg for leg in asked.sound() if leg.enqueued is not None and not leg.outcome]
    return [leg.enqueued for leg in there if leg.enqueued <= now]


def _stuck_after(asked: Asked) -> int:
    return asked.parameters.get("stuck_after_ms", STUCK_AFTER_MS)


def in_queue(asked: Asked, now: int) -> Answer:
    return len([at for at in _waiting(asked, now) if now - at <= _stuck_after(asked)]), None


def stuck(asked: Asked, now: int) -> Answer:
    return len([at for at in _waiting(asked, now) if now - at > _stuck_after(asked)]), None


def oldest_waiting(asked: Asked, now: int) -> Answer:
    ages = [(now - at) / 1000 for at in _waiting(asked, now) if now - at <= _stuck_after(asked)]
    return max(ages, default=None), None


def scheduled(asked: Asked, now: int) -> Answer:
    there = [leg for leg in asked.sound() if leg.enqueued is not None and not leg.outcome]
    return len([leg for leg in there if leg.enqueued > now]), None


def quarantined(asked: Asked, now: int) -> Answer:
    return len([leg for leg in asked.legs if leg.fault and leg.first_at <= now]), None


WINDOWS: dict[str, Callable[[Asked], Answer]] = {
    "asa_queue": asa_queue,
    "wait_all": wait_all,
    "wait_abandoned": lambda asked: _mean([leg.wait for leg in asked.left("abandoned")]),
    "offered": lambda asked: (len(asked.offered()), None),
    "answered": _counted("answered"),
    "abandoned": _counted("abandoned"),
    "callbacks_requested": _counted("callback_requested"),
    "transferred_out": _counted("transferred"),
    "flowed_out": _counted("flowed_out"),
    "bot_answered": _counted("bot_answered"),
    "abandon_rate": abandon_rate,
    "service_level": service_level,
    "handle_time": handle_time,
}
LEVELS: dict[str, Callable[[Asked, int], Answer]] = {
    "in_queue": in_queue,
    "oldest_waiting": oldest_waiting,
    "scheduled": scheduled,
    "stuck": stuck,
    "quarantined": quarantined,
}


def chosen(found: Iterable[Leg], dims: dict[str, str]) -> list[Leg]:
    return [leg for leg in found if all(getattr(leg, name) == value for name, value in dims.items())]


def outcomes(asked: Asked) -> Counter[str]:
    """What became of the cohort; '' = still waiting."""
    return Counter(leg.outcome for leg in asked.offered())
