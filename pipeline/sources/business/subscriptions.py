"""Customers pay, grow, shrink and leave: once a month each decides, by the declared links."""

from collections.abc import Callable
from random import Random
from typing import Final

from pipeline.events.instants import instant_text
from pipeline.sources.business.account import Account
from pipeline.sources.business.params import DAY_MS, Business
from pipeline.sources.business.world import World, after_mean

MONTH_MS: Final = 30 * DAY_MS
TRIAL_DAYS: Final = 14.0
TRIAL_LOST: Final = 0.08
DELINQUENT_PER_MONTH: Final = 0.002
LATE_PAYMENT_SHARE: Final = 0.02
SCHEDULED_SHARE: Final = 0.3
WITHDRAWN_SHARE: Final = 0.1
RETURN_SHARE: Final = 0.08
EXPANSION: Final = {True: 0.08, False: 0.015}
CONTRACTION: Final = {True: 0.01, False: 0.03}
"""Per month, by whether the account has adopted."""


class Subscriptions:
    """The stream `subscription`. `leave` and `come_back` are told of an account when it does."""

    def __init__(
        self,
        world: World,
        params: Business,
        leave: Callable[[Account], None],
        come_back: Callable[[Account], None],
    ) -> None:
        self._world = world
        self._params = params
        self._leave = leave
        self._come_back = come_back
        self._started: set[str] = set()

    def begin(self, account: Account) -> None:
        if account.life:
            self._tell_state(account, "reactivated")
            account.during(self._world.now + MONTH_MS, self._renew)
        elif account.draw("subscription").random() < TRIAL_LOST:
            account.during(self._world.now + TRIAL_DAYS * DAY_MS, self._leave)
        else:
            account.during(self._world.now + TRIAL_DAYS * DAY_MS, self._start)

    def end(self, account: Account) -> None:
        draw = account.draw("subscription")
        if draw.random() < RETURN_SHARE and account.accountid in self._started:
            self._world.at(self._world.now + (20 + 40 * draw.random()) * DAY_MS, self._come_back, account)

    def _start(self, account: Account) -> None:
        self._started.add(account.accountid)
        self._tell_state(account, "started")
        self._pay(account)
        account.during(self._world.now + MONTH_MS, self._renew)

    def _renew(self, account: Account) -> None:
        draw, links = account.draw("subscription"), self._params.links
        has_adopted = account.has_adopted(links)
        hazard = links.monthly_churn(account.suffered(links.remembered_days), has_adopted=has_adopted)
        if draw.random() < hazard:
            self._give_notice(account, draw)
        elif draw.random() < DELINQUENT_PER_MONTH:
            for number in range(3):
                account.during(self._world.now + number * 3 * DAY_MS, self._fail_payment)
            account.during(self._world.now + 10 * DAY_MS, self._cancel, "delinquent")
        else:
            account.during(self._world.now + MONTH_MS, self._renew)
            self._change_seats(account, draw, has_adopted=has_adopted)
            self._pay_somehow(account, draw)
            self._invoice_work(account, draw)

    def _give_notice(self, account: Account, draw: Random) -> None:
        if draw.random() >= SCHEDULED_SHARE:
            self._cancel(account, "voluntary")
            return
        cancels_at = self._world.now + 14 * DAY_MS
        self._tell(account, "cancel_scheduled", cancels_at=instant_text(int(cancels_at)))
        if draw.random() < WITHDRAWN_SHARE:
            account.during(self._world.now + 5 * DAY_MS, self._withdraw)
        else:
            account.during(cancels_at, self._cancel, "voluntary")

    def _withdraw(self, account: Account) -> None:
        self._tell(account, "cancel_unscheduled")
        account.during(self._world.now + 25 * DAY_MS, self._renew)

    def _cancel(self, account: Account, reason: str) -> None:
        self._tell(account, "cancelled", reason=reason)
        self._leave(account)

    def _fail_payment(self, account: Account) -> None:
        self._tell(account, "payment_failed")

    def _pay_somehow(self, account: Account, draw: Random) -> None:
        if draw.random() < LATE_PAYMENT_SHARE:
            self._fail_payment(account)
            account.during(self._world.now + 2 * DAY_MS, self._pay)
        else:
            self._pay(account)

    def _pay(self, account: Account) -> None:
        self._tell(account, "paid", amount_minor=mrr_minor(account), currency=account.currency)

    def _change_seats(self, account: Account, draw: Random, *, has_adopted: bool) -> None:
        drawn = draw.random() - EXPANSION[has_adopted]
        if drawn < 0:
            account.seats += max(1, round(account.seats * (0.1 + 0.3 * draw.random())))
            self._tell_state(account, "changed", reason="expansion")
        elif drawn < CONTRACTION[has_adopted] and account.seats > 1:
            account.seats = max(1, int(account.seats * (0.6 + 0.3 * draw.random())))
            self._tell_state(account, "changed", reason="contraction")

    def _invoice_work(self, account: Account, draw: Random) -> None:
        if draw.random() < self._params.paid_work:
            at = after_mean(self._world.now, 5 * DAY_MS, draw)
            account.during(at, self.invoice, "in" if draw.random() < 0.6 else "out", draw)

    def invoice(self, account: Account, scope: str, draw: Random) -> None:
        """Project work, `out` = custom work outside the product."""
        amount = 10_000 * (1 + int(draw.expovariate(0.2)))
        self._tell(account, "services_invoiced", amount_minor=amount, currency=account.currency, scope=scope)

    def _tell_state(self, account: Account, what: str, **more: object) -> None:
        self._tell(
            account,
            what,
            mrr_minor=mrr_minor(account),
            currency=account.currency,
            seats=account.seats,
            plan=account.plan.name,
            **more,
        )

    def _tell(self, account: Account, what: str, **data: object) -> None:
        subscription_id = f"{account.accountid}-s1"
        account.tell(f"subscription.{what}", subscription_id=subscription_id, **data)


def mrr_minor(account: Account) -> int:
    """What the account pays a month."""
    return account.seats * account.plan.seat_minor
