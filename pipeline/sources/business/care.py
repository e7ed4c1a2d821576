"""Customers call: the line of each tenant, among others who call it, and what a call leaves behind."""

from typing import Final

from pipeline.sources.business.account import Account
from pipeline.sources.business.params import DAY_MS, HOUR_MS, OPEN_HOURS, WAITED, Business, Tenant
from pipeline.sources.business.staff import Staff
from pipeline.sources.business.surveys import About, Surveys
from pipeline.sources.business.world import World, after_mean, within_hours
from pipeline.sources.centre import CallCentre, Queue
from pipeline.sources.floor import Caller, Fact, Floor, Leg

AGAIN_AFTER_ABANDONING: Final = 0.5
AGAIN_AFTER_TALKING: Final = 0.08
LEAVES: Final = frozenset(("answered", "abandoned", "callback_requested", "flowed_out", "transferred"))


class Care:
    """The stream `call` of accounts. Holds the legs that are not over."""

    def __init__(self, world: World, params: Business, staff: Staff, surveys: Surveys) -> None:
        self._world = world
        self._params = params
        self._surveys = surveys
        self._accounts: dict[str, Account] = {}
        self._tenants = {tenant.name: tenant for tenant in params.tenants}
        self._queued: dict[Leg, float] = {}
        self._left: dict[Leg, str] = {}
        self._floors = {tenant.name: self._floor(tenant) for tenant in params.tenants}
        for tenant in params.tenants:
            staff.on_the_line(tenant, [f"{tenant.queue}-{number}" for number in range(params.care_agents)])

    def _floor(self, tenant: Tenant) -> Floor:
        params = self._params
        queue = Queue(
            tenant=tenant.name,
            queue_id=tenant.queue,
            contacts_per_hour=params.care_others_per_hour,
            agents=params.care_agents,
        )
        hours = range(tenant.opens_hour, tenant.opens_hour + OPEN_HOURS)
        centre = CallCentre(
            queues=(queue,),
            service_seconds=params.care_service_seconds,
            patience_seconds=params.care_patience_seconds,
            daily_shape=tuple(float(hour in hours) for hour in range(24)),
        )
        draw = self._world.chance("care", tenant.name)
        run = f"{self._world.run}-{tenant.name}"
        return Floor(centre, draw, self._world.agenda, self._hear, run)

    def begin(self, account: Account) -> None:
        self._accounts[account.accountid] = account
        self._await_next(account)

    def end(self, account: Account) -> None:
        """Who is on the line when the account leaves is still served."""

    def _await_next(self, account: Account) -> None:
        draw = account.draw("calls")
        when = after_mean(self._world.now, 30 * DAY_MS / self._params.calls, draw)
        account.during(within_hours(account.tenant, when, draw), self._call)

    def _call(self, account: Account) -> None:
        self._await_next(account)
        self.call(account)

    def call(self, account: Account) -> None:
        """A user of the account calls now."""
        user = account.draw("calls").choice(account.users)
        self._floors[account.tenant.name].call(account.tenant.queue, Caller(user, account.accountid))

    def _hear(self, fact: Fact) -> None:
        self._world.tell_call(fact)
        leg = fact.leg
        if fact.what == "queued":
            self._queued[leg] = fact.at_ms
        elif fact.what in LEAVES and leg in self._queued:
            self._left.setdefault(leg, fact.what)
            if self._left[leg] == "answered" == fact.what:
                self._answered(leg, fact)
        if fact.what == "ended":
            self._end(leg)

    def _answered(self, leg: Leg, fact: Fact) -> None:
        # Nobody holds the line for a callback, nor for a bot.
        waited = (fact.at_ms - self._queued[leg]) / 1000
        if fact.data.get("answered_by") == "bot":
            self._left[leg] = "bot"
        elif not leg.is_callback and waited > self._params.links.long_wait_seconds:
            self._left[leg] = WAITED
            self._suffer(leg)

    def _end(self, leg: Leg) -> None:
        if self._queued.pop(leg, None) is None:
            return
        how = self._left.pop(leg, "abandoned")
        account = self._account(leg)
        if how == "abandoned":
            self._suffer(leg)
            self._perhaps_again(account, AGAIN_AFTER_ABANDONING, 2 * HOUR_MS)
        elif how in {"answered", WAITED}:
            self._perhaps_again(account, AGAIN_AFTER_TALKING, DAY_MS)
            hardships = (WAITED,) if how == WAITED else ()
            self._surveys.after(self._about(leg, account, hardships))

    def _about(self, leg: Leg, account: Account | None, hardships: tuple[str, ...]) -> About:
        said: dict[str, object] = {
            "contact_id": leg.contact_id,
            "respondent_ref": leg.caller.customer_ref,
            "queue_id": leg.line.queue_id,
        }
        return About(self._tenants[leg.line.tenant], account, said, hardships)

    def _account(self, leg: Leg) -> Account | None:
        return self._accounts.get(leg.caller.accountid or "")

    def _suffer(self, leg: Leg) -> None:
        account = self._account(leg)
        if account is not None:
            account.suffer(WAITED)

    def _perhaps_again(self, account: Account | None, share: float, mean_ms: float) -> None:
        if account is not None and account.draw("calls").random() < share:
            draw = account.draw("calls")
            when = after_mean(self._world.now + 60_000, mean_ms, draw)
            account.during(within_hours(account.tenant, when, draw), self.call)
