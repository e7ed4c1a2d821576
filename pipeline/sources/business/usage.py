"""Customers use what they pay for: sign-ups, milestones, features by day, invitations, leavings."""

from random import Random
from typing import Final

from pipeline.sources.business.account import Account
from pipeline.sources.business.params import DAY_MS, HOUR_MS, OPEN_HOURS
from pipeline.sources.business.world import World, after_mean, day_of, is_workday, next_opening

DABBLING: Final = 0.04
"""Chance that an account which is not engaged uses something on a day."""
WEEKEND: Final = 0.1
TURN_PER_DAY: Final = 0.001
"""Chance that an engaged account becomes one that dabbles, and half of it the other way."""
MILESTONE_DAYS: Final = 5.0
MILESTONE_DAYS_DABBLING: Final = 60.0
MOST_USERS: Final = 6


class Usage:
    """The stream `usage`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def begin(self, account: Account) -> None:
        draw = account.draw("usage")
        account.users.clear()
        for _ in range(min(account.seats, MOST_USERS)):
            self._sign_up(account) if not account.users else account.during(
                after_mean(self._world.now, 3 * DAY_MS, draw), self._sign_up
            )
        days = MILESTONE_DAYS if account.is_engaged else MILESTONE_DAYS_DABBLING
        account.during(after_mean(self._world.now, days * DAY_MS, draw), self._reach)
        account.during(next_opening(account.tenant, self._world.now), self._day)

    def end(self, account: Account) -> None:
        account.tell("usage.left")

    def _sign_up(self, account: Account) -> None:
        draw = account.draw("usage")
        user = f"{account.accountid}-u{draw.getrandbits(32):08x}"
        account.users.append(user)
        account.tell("usage.signed_up", user_ref=user)

    def _reach(self, account: Account) -> None:
        account.tell("usage.milestone_reached", milestone="first_value", user_ref=account.users[0])

    def _day(self, account: Account) -> None:
        """At opening: who will use what today."""
        draw, now = account.draw("usage"), self._world.now
        account.during(now + DAY_MS, self._day)
        if draw.random() < TURN_PER_DAY * (1.0 if account.is_engaged else 0.5):
            account.is_engaged = not account.is_engaged
        chance = account.zeal if account.is_engaged else DABBLING
        if not is_workday(day_of(now)):
            chance *= WEEKEND
        if draw.random() < chance:
            for _ in range(1 + (draw.random() < 0.5) + (draw.random() < 0.25)):
                at = now + (OPEN_HOURS - 1) * HOUR_MS * draw.random()
                user = draw.choice(account.users)
                account.during(at, self._start_session, user)
                account.during(at + 1 + 600_000 * draw.random(), self._use, user, draw)
            self._by_the_way(account, draw)

    def _start_session(self, account: Account, user: str) -> None:
        account.tell("usage.session_started", user_ref=user)

    def _use(self, account: Account, user: str, draw: Random) -> None:
        account.used_today()
        data: dict[str, object] = {"user_ref": user, "feature": draw.choice(account.tenant.features)}
        if draw.random() < 0.3:
            data["quantity"] = 1 + int(draw.expovariate(0.2))
        account.tell("usage.feature_used", **data)

    def _by_the_way(self, account: Account, draw: Random) -> None:
        drawn = draw.random()
        later = self._world.now + OPEN_HOURS * HOUR_MS * draw.random()
        if drawn < 0.01:
            account.during(later, self._invite, "user")
        elif drawn < 0.013:
            account.during(later, self._invite, "referral")
        elif drawn < 0.018:
            account.during(later, self._replace_user, "left")
        elif drawn < 0.019:
            account.during(later, self._replace_user, "linked")

    def _invite(self, account: Account, kind: str) -> None:
        account.tell("usage.invited", user_ref=account.users[0], kind=kind)

    def _replace_user(self, account: Account, how: str) -> None:
        """A user leaves and a colleague takes the seat, or somebody goes on under another name."""
        user = account.users.pop(0)
        self._sign_up(account)
        if how == "left":
            account.tell("usage.left", user_ref=user)
        else:
            account.tell("usage.linked", user_ref=account.users[-1], same_as=user)
