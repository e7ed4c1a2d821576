"""What the story knows about one customer. Knows no events."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from pipeline.sources.business.params import DAY_MS, HARDSHIPS, Links, Plan, Tenant
from pipeline.sources.business.world import World, day_of

ADOPTION_DAYS = 28
"""The window of `adoption` as metrics.md has it by default."""


@dataclass(slots=True, eq=False)
class Account:
    """One customer of a tenant.

    `users` have signed up and not left; `seats` are paid for. `zeal` is the chance that something is used
    on a workday while the account `is_engaged`. `life` counts its leavings: what was planned in an earlier
    life does not happen. `use_days` (days by UTC) and `hardships` (instant in ms, kind) are its memory.
    """

    world: World
    tenant: Tenant
    accountid: str
    plan: Plan
    currency: str
    seats: int
    zeal: float
    is_engaged: bool
    users: list[str] = field(default_factory=list)
    life: int = 0
    is_customer: bool = True
    stage: str = "onboarding"
    owner: str = ""
    segment: str = ""
    use_days: deque[int] = field(default_factory=lambda: deque(maxlen=ADOPTION_DAYS))
    hardships: list[tuple[float, str]] = field(default_factory=list)
    _draws: dict[str, Random] = field(default_factory=dict)

    def draw(self, concern: str) -> Random:
        """The account's own randomness for one concern."""
        found = self._draws.get(concern)
        if found is None:
            found = self._draws[concern] = self.world.chance(self.accountid.rpartition("-")[2], concern)
        return found

    def during(self, when: float, step: Callable[..., None], *more: object) -> None:
        """Take `step(account, *more)` at an instant, unless the account has left by then."""
        self.world.at(when, self._still, self.life, step, more)

    def _still(self, life: int, step: Callable[..., None], more: tuple[object, ...]) -> None:
        if life == self.life and self.is_customer:
            step(self, *more)

    def tell(self, what: str, **data: object) -> None:
        """An event of a stream that is keyed by the account."""
        self.world.tell(what, self.tenant, self.accountid, data, self.accountid)

    def used_today(self) -> None:
        day = day_of(self.world.now)
        if not self.use_days or self.use_days[-1] != day:
            self.use_days.append(day)

    def has_adopted(self, links: Links) -> bool:
        """Whether something was used on enough of the last 28 days, today included."""
        first = day_of(self.world.now) - ADOPTION_DAYS + 1
        return sum(day >= first for day in self.use_days) >= links.adopted_days

    def suffer(self, kind: str) -> None:
        self.hardships.append((self.world.now, kind))

    def suffered(self, days: float) -> list[str]:
        """The kinds of hardship of the last days."""
        since = self.world.now - days * DAY_MS
        kinds = {kind for at, kind in self.hardships if at >= since}
        return [kind for kind in HARDSHIPS if kind in kinds]
