"""The parameters of a simulated business, and the declared links between support and staying.

docs/simulation.md tells the same to users, who are to find the links again in the numbers; a test holds
the page to these values.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, fields
from typing import Final

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS

WAITED: Final = "waited"
SLOW: Final = "slow"
REOPENED: Final = "reopened"
HARDSHIPS: Final = (WAITED, SLOW, REOPENED)
"""A long wait or an abandoned call; a slow first response; a reopened ticket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is sold: a price per seat and month, and how many seats are bought at first."""

    name: str
    segment: str
    seat_minor: int
    seats: tuple[int, int]
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One company. It is open ten hours from `opens_hour` UTC, Monday to Friday.

    `currencies` are paid in by turns of chance; `queue` and `groups` are where its customers ask for help.
    """

    name: str
    opens_hour: int
    currencies: tuple[str, ...]
    features: tuple[str, ...]
    groups: tuple[str, ...]
    queue: str = "care"


PLANS: Final = (
    Plan(name="starter", segment="small", seat_minor=1900, seats=(1, 6), share=0.5),
    Plan(name="team", segment="medium", seat_minor=2900, seats=(5, 25), share=0.35),
    Plan(name="enterprise", segment="large", seat_minor=4900, seats=(20, 80), share=0.15),
)
TENANTS: Final = (
    Tenant(
        name="acme",
        opens_hour=6,
        currencies=("EUR", "EUR", "EUR", "USD"),
        features=("boards", "reports", "automation", "export", "api"),
        groups=("technical", "billing"),
    ),
    Tenant(
        name="globex",
        opens_hour=13,
        currencies=("USD", "USD", "GBP"),
        features=("inbox", "routing", "insights", "api"),
        groups=("support",),
    ),
)
OPEN_HOURS: Final = 10
ACCOUNTS: Final = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """What support and adoption do to satisfaction and staying: the cause behind the numbers.

    A customer decides once a month, with the probability of `monthly_churn`.
    """

    long_wait_seconds: float = 120.0
    slow_response_hours: float = 8.0
    remembered_days: float = 30.0
    churn_per_month: float = 0.015
    churn_of_adopted: float = 0.5
    churn_after_waited: float = 3.0
    churn_after_slow: float = 2.5
    churn_after_reopened: float = 3.0
    churn_at_most: float = 0.5
    adopted_days: int = 3
    csat_at_best: float = 4.4
    csat_lost_waited: float = 1.2
    csat_lost_slow: float = 1.0
    csat_lost_reopened: float = 1.3
    csat_spread: float = 0.8
    nps_at_best: float = 8.0
    nps_of_adopted: float = 0.8
    nps_lost_each: float = 1.8
    nps_spread: float = 1.5

    def monthly_churn(self, hardships: Collection[str], *, has_adopted: bool) -> float:
        """Probability of leaving this month, given the kinds of hardship of the last `remembered_days`."""
        hazard = self.churn_per_month * (self.churn_of_adopted if has_adopted else 1.0)
        for kind in hardships:
            hazard *= float(getattr(self, f"churn_after_{kind}"))
        return min(hazard, self.churn_at_most)

    def csat(self, hardships: Collection[str]) -> float:
        """Mean score of 1 … 5 for a contact or ticket with these hardships, before chance and rounding."""
        return self.csat_at_best - sum(float(getattr(self, f"csat_lost_{kind}")) for kind in hardships)

    def nps(self, hardships: Collection[str], *, has_adopted: bool) -> float:
        """Mean score of 0 … 10, before chance and rounding."""
        gain = self.nps_of_adopted if has_adopted else 0.0
        return self.nps_at_best + gain - self.nps_lost_each * len(hardships)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaming:
    """Numbers made better while service gets worse, planted in a queue and a group of tickets of their own.

    Each kind has one day: `first_day` and the days after it, counted from the day the story starts
    (0) by UTC, in the order of gaming.KINDS; the weeks before are honest. Nothing else of the story is
    different.
    """

    tenant: str = "acme"
    queue: str = "priority"
    group: str = "key-accounts"
    first_day: int = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Business:
    """How large the business is, and what happens how often. Rates are per account and month of 30 days.

    It begins with `accounts` customers, who come within its first ten days; new ones keep coming.
    `care_*` describe the line customers call: Erlang-A with `care_agents`, open like its tenant, where
    others who are no accounts call too. `paid_work` is project work, invoiced in or out of scope.
    """

    accounts: int = ACCOUNTS
    tenants: tuple[Tenant, ...] = TENANTS
    plans: tuple[Plan, ...] = PLANS
    growth: float = 0.06
    calls: float = 1.0
    tickets: float = 1.0
    paid_work: float = 0.05
    care_agents: int = 1
    care_others_per_hour: float = 2.6
    care_service_seconds: float = 600.0
    care_patience_seconds: float = 240.0
    links: Links = field(default_factory=Links)
    gaming: Gaming | None = None

    def __post_init__(self) -> None:
        faults = [
            f"{each.name} is not above 0"
            for each in fields(self)
            if each.name not in {"tenants", "plans", "links", "gaming", "growth", "paid_work"}
            and getattr(self, each.name) <= 0
        ]
        if not self.tenants or not self.plans:
            faults.append("a business needs tenants and plans")
        if faults:
            raise ValueError("; ".join(faults))
