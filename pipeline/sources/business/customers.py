"""Customers come, go through the stages of their life with the tenant, go, and sometimes come back."""

from random import Random
from typing import Final, Protocol

from pipeline.sources.business.account import Account
from pipeline.sources.business.params import DAY_MS, Business, Tenant
from pipeline.sources.business.staff import Staff
from pipeline.sources.business.world import World, after_mean, within_hours

ENGAGED_SHARE: Final = 0.7
FIRST_DAYS: Final = 10
DUPLICATE_SHARE: Final = 0.02
REGIONS: Final = ("eu-east", "eu-west", "us-east", "us-west")
NOTES: Final = ("integration", "invoice", "performance", "training", "language")


class Concern(Protocol):
    """A part of an account's life: begun when the account comes (also when it comes back), ended when it
    leaves.
    """

    def begin(self, account: Account) -> None: ...
    def end(self, account: Account) -> None: ...


class Customers:
    """The stream `account`, and the lives of the accounts. `concerns` are begun and ended in their order."""

    def __init__(self, world: World, params: Business, staff: Staff) -> None:
        self._world = world
        self._params = params
        self._staff = staff
        self._number = 0
        self.concerns: tuple[Concern, ...] = ()
        self.present: dict[str, list[Account]] = {tenant.name: [] for tenant in params.tenants}

    def open(self) -> None:
        """Plan the first customers and those who come later."""
        for tenant in self._params.tenants:
            draw = self._world.chance("customers", tenant.name)
            for _ in range(max(1, self._params.accounts // len(self._params.tenants))):
                when = self._world.start_ms + FIRST_DAYS * DAY_MS * draw.random()
                self._world.at(within_hours(tenant, when, draw), self._come, tenant, draw)
            self._await_next(tenant, draw)

    def _await_next(self, tenant: Tenant, draw: Random) -> None:
        a_month = self._params.growth * self._params.accounts / len(self._params.tenants)
        if a_month > 0:
            when = after_mean(self._world.now, 30 * DAY_MS / a_month, draw)
            self._world.at(within_hours(tenant, when, draw), self._arrive, tenant, draw)

    def _arrive(self, tenant: Tenant, draw: Random) -> None:
        self._await_next(tenant, draw)
        self._come(tenant, draw)

    def _come(self, tenant: Tenant, draw: Random) -> None:
        self._number += 1
        plan = draw.choices(self._params.plans, [each.share for each in self._params.plans])[0]
        account = Account(
            self._world,
            tenant,
            f"{self._world.run}-a{self._number}",
            plan,
            currency=draw.choice(tenant.currencies),
            seats=draw.randint(*plan.seats),
            zeal=0.35 + 0.5 * draw.random(),
            is_engaged=draw.random() < ENGAGED_SHARE,
            owner=self._staff.somebody(tenant, "success", draw),
            segment=plan.segment,
        )
        account.tell(
            "account.created",
            stage="onboarding",
            owner=account.owner,
            segment=account.segment,
            plan=plan.name,
            region=draw.choice(REGIONS),
        )
        if draw.random() < DUPLICATE_SHARE:
            self._double(account, draw)
        self._begin(account)

    def _double(self, account: Account, draw: Random) -> None:
        """Somebody enters the same customer twice, and it is found out."""
        twice = f"{account.accountid}-twice"
        data: dict[str, object] = {"stage": "onboarding", "owner": account.owner}
        self._world.tell("account.created", account.tenant, twice, data, twice)
        when = after_mean(self._world.now, 2 * DAY_MS, draw)
        into: dict[str, object] = {"into": account.accountid}
        self._world.at(when, self._world.tell, "account.merged", account.tenant, twice, into, twice)

    def _begin(self, account: Account) -> None:
        self.present[account.tenant.name].append(account)
        for concern in self.concerns:
            concern.begin(account)
        draw = account.draw("account")
        account.during(self._world.now + (20 + 20 * draw.random()) * DAY_MS, self._review)

    def leave(self, account: Account) -> None:
        """The account is no customer any more, from now on."""
        account.life += 1
        account.is_customer = False
        self.present[account.tenant.name].remove(account)
        self._to_stage(account, "churned")
        for concern in self.concerns:
            concern.end(account)

    def come_back(self, account: Account) -> None:
        """Won back: as before, with another life."""
        account.is_customer = True
        self._to_stage(account, "retention")
        self._begin(account)

    def _review(self, account: Account) -> None:
        """Once a month: the stage follows from adoption and trouble, the owner and the notes from chance."""
        draw, links = account.draw("account"), self._params.links
        account.during(self._world.now + 30 * DAY_MS, self._review)
        has_adopted, hardships = account.has_adopted(links), account.suffered(links.remembered_days)
        if has_adopted and not hardships:
            self._to_stage(account, "advocacy" if draw.random() < 0.1 else "expansion")
        else:
            self._to_stage(account, "adoption" if not has_adopted else "retention")
        if hardships or draw.random() < 0.03:
            account.tell("account.problem_noted", ref=draw.choice(NOTES))
        if draw.random() < 0.05:
            account.tell("account.preference_noted", ref=draw.choice(NOTES))
        if draw.random() < 0.04:
            account.owner = self._staff.somebody(account.tenant, "success", draw)
            account.tell("account.owner_changed", to=account.owner)
        segment = "large" if account.seats > 30 else "medium" if account.seats > 8 else "small"
        if segment != account.segment:
            account.segment = segment
            account.tell("account.segment_changed", to=segment)

    def _to_stage(self, account: Account, stage: str) -> None:
        if stage != account.stage:
            account.stage = stage
            account.tell("account.stage_changed", to=stage)
