"""What all parts of the business share: one agenda, chance by name, opening hours, and the telling."""

from collections.abc import Callable
from random import Random
from typing import Final

from pipeline.sources.agenda import Agenda
from pipeline.sources.business.params import DAY_MS, HOUR_MS, OPEN_HOURS, Tenant
from pipeline.sources.delivery import Simulated
from pipeline.sources.floor import Fact
from pipeline.sources.telling import Teller

STREAMS: Final = ("account", "agent", "call", "subscription", "survey", "ticket", "usage")
_MONDAY: Final = 4  # 1970-01-05


class World:
    """One run of the story. `told` holds the records of the step just taken, for whoever takes steps."""

    def __init__(self, seed: int, start_ms: int) -> None:
        self.start_ms = start_ms
        self.run = f"{start_ms:x}-{seed:x}"
        self.agenda = Agenda(start_ms)
        self.told: list[Simulated] = []
        self._seed = seed
        self._tellers = {stream: Teller(f"/pulse/simulate/{stream}", f"{self.run}-") for stream in STREAMS}

    @property
    def now(self) -> float:
        """Ms of the step being taken."""
        return self.agenda.now

    def chance(self, *names: object) -> Random:
        """The randomness of that name: whoever else draws, and how often, does not touch it."""
        return Random(" ".join(map(str, (self._seed, *names))))

    def at(self, when: float, step: Callable[..., None], *subjects: object) -> None:
        """Take `step(*subjects)` at an instant (ms)."""
        self.agenda.at(when, _take, (step, subjects))

    def tell(
        self, what: str, tenant: Tenant, entity: str, data: dict[str, object], accountid: str | None = None
    ) -> None:
        """An event of now; `entity` is the part of its key behind the tenant."""
        teller = self._tellers[what.partition(".")[0]]
        key = f"{tenant.name}|{entity}"
        self.told.append(teller.record(what, int(self.agenda.now), key, data, accountid))

    def tell_call(self, fact: Fact) -> None:
        """What happened to a leg."""
        self.told.append(self._tellers["call"].call(fact))


def _take(told: tuple[Callable[..., None], tuple[object, ...]]) -> None:
    step, subjects = told
    step(*subjects)


def day_of(ms: float) -> int:
    """Days since 1970 by UTC; opening hours do not cross midnight there, nor at the tenant."""
    return int(ms // DAY_MS)


def is_workday(day: int) -> bool:
    """Monday to Friday."""
    return (day - _MONDAY) % 7 < 5


def within_hours(tenant: Tenant, when: float, draw: Random) -> float:
    """The instant itself where the tenant is open then, else one drawn from the next open day."""
    day = day_of(when)
    opens = day * DAY_MS + tenant.opens_hour * HOUR_MS
    if is_workday(day) and opens <= when < opens + OPEN_HOURS * HOUR_MS:
        return when
    if when >= opens or not is_workday(day):
        day += 1
        while not is_workday(day):
            day += 1
    return day * DAY_MS + (tenant.opens_hour + OPEN_HOURS * draw.random()) * HOUR_MS


def next_opening(tenant: Tenant, when: float) -> float:
    """The next opening hour, of any day, after an instant."""
    opens = day_of(when) * DAY_MS + tenant.opens_hour * HOUR_MS
    return opens if opens > when else opens + DAY_MS


def after_mean(now: float, mean_ms: float, draw: Random) -> float:
    """An instant as far from now as an exponential duration."""
    return now + draw.expovariate(1.0) * mean_ms
