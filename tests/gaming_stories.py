"""Weeks of a queue's calls, tickets and answers from one seed: honest ones, and ones whose last days were gamed.

Honest days differ: in how many call, how long they wait, how content they are. Nothing here knows the tests of the watch.
"""

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from pipeline.events.instants import instant_text
from tests.builders import DAY, HOUR, ms

DAYS = 30
"""The stories end with this day; day 0 is the one the builders begin in."""


class Habits(NamedTuple):
    """How a queue works on one day. Shares of 1, waits and first responses relative to honest ones."""

    pace: float = 1
    content: float = 0.85
    again: float = 0.06
    transferred: float = 0.1
    reopened: float = 0.08
    heaped: float = 0
    short: float = 0.005


GAMED = {
    "faster_csat_worse": Habits(pace=0.25, content=0.25),
    "faster_repeats_up": Habits(pace=0.25, again=0.6),
    "faster_transfers_up": Habits(pace=0.25, transferred=0.6),
    "faster_reopens_up": Habits(pace=0.25, reopened=0.7),
    "waits_under_threshold": Habits(heaped=0.7),
    "short_answers": Habits(short=0.4),
    "solved_reopened": Habits(reopened=0.7),
}
"""By the kind of flag: how a queue works that reaches for the number instead of the customer."""


def story(
    queue: str, seed: int, gamed: Habits | None = None, *, days: int = DAYS, per_day: int = 40
) -> list[dict[str, Any]]:
    """The last `days`. `gamed`: how the last two of them were; without, every day is honest."""
    teller = Teller(queue, random.Random(seed))
    for day in range(DAYS - days, DAYS):
        habits = gamed if gamed is not None and day >= DAYS - 2 else Habits()
        weather = teller.rng.lognormvariate(0, 0.2)
        for _ in range(round(per_day * teller.rng.uniform(0.7, 1.3))):
            teller.call(day, weather, habits)
        for _ in range(round(per_day * teller.rng.uniform(0.5, 0.9))):
            teller.ticket(day, weather, habits)
    return teller.told


class Teller:
    def __init__(self, queue: str, rng: random.Random) -> None:
        self.queue, self.rng = queue, rng
        self.told: list[dict[str, Any]] = []
        self.names: Iterator[int] = iter(range(1 << 30))

    def say(self, stream: str, what: str, at: float, data: dict[str, Any]) -> None:
        self.told.append(
            {
                "specversion": "1.0",
                "id": f"{self.queue}-{len(self.told)}",
                "source": "/s",
                "type": f"pulse.{stream}.{what}",
                "time": instant_text(ms(at)),
                "tenantid": "t",
                "data": data,
            }
        )

    def call(
        self, day: int, weather: float, habits: Habits, customer: str = "", at: float | None = None
    ) -> None:
        rng = self.rng
        at = day * DAY + rng.uniform(0, 8 * HOUR) if at is None else at
        name = f"{self.queue}-c{next(self.names)}"
        customer = customer or f"{self.queue}-p{next(self.names)}"
        about = {"contact_id": name, "customer_ref": customer}
        self.say("call", "queued", at, {**about, "queue_id": self.queue})
        wait = rng.expovariate(1 / (30 * weather * habits.pace))
        if 20 < wait < 45 and rng.random() < habits.heaped:
            wait = rng.uniform(18.2, 19.9)
        at += wait
        if rng.random() < habits.transferred:
            self.say("call", "transferred", at, about)
            return
        self.say("call", "answered", at, about)
        is_short = rng.random() < habits.short
        at += rng.uniform(1, 4) if is_short else rng.uniform(60, 600)
        self.say("call", "ended", at, about)
        if rng.random() < 0.6:
            self.survey(at + HOUR, customer, habits, {"contact_id": name})
        if day < DAYS and (is_short or rng.random() < habits.again):
            soon = min(at + rng.uniform(120, 20 * HOUR), DAYS * DAY - HOUR)
            self.call(DAYS, weather, Habits(), customer, max(soon, at + 60))

    def ticket(self, day: int, weather: float, habits: Habits) -> None:
        rng, at = self.rng, day * DAY + self.rng.uniform(0, 3 * HOUR)
        about = {"ticket_id": f"{self.queue}-t{next(self.names)}"}
        customer = f"{self.queue}-p{next(self.names)}"
        self.say("ticket", "created", at, {**about, "group_id": self.queue, "customer_ref": customer})
        at += rng.expovariate(1 / (HOUR * weather * habits.pace))
        self.say("ticket", "message_added", at, {**about, "author_kind": "agent"})
        at += rng.uniform(60, HOUR)
        self.say("ticket", "solved", at, about)
        if rng.random() < habits.reopened:
            self.say("ticket", "reopened", at + rng.uniform(60, HOUR), about)

    def survey(self, at: float, customer: str, habits: Habits, about: dict[str, str]) -> None:
        score = 5 if self.rng.random() < habits.content else self.rng.choice((1, 2, 3))
        said = {"survey_id": f"{self.queue}-s{next(self.names)}", "kind": "csat", "queue_id": self.queue}
        scored = {"score": score, "scale_min": 1, "scale_max": 5, "comment": False}
        self.say("survey", "answered", at, {**said, **about, **scored, "respondent_ref": customer})
