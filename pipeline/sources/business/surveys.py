"""Customers say what they think: CSAT after contacts and tickets, NPS once a quarter."""

from collections.abc import Mapping
from random import Random
from typing import Final, NamedTuple

from pipeline.sources.business.account import Account
from pipeline.sources.business.params import DAY_MS, HOUR_MS, Links, Tenant
from pipeline.sources.business.world import World, after_mean, within_hours

ASKED_SHARE: Final = 0.6
ANSWERED_SHARE: Final = 0.4
QUARTER_DAYS: Final = 90
REMEMBERED_DAYS: Final = 90


class About(NamedTuple):
    """What a CSAT survey asks about; `hardships` are those of this contact or ticket.

    `said` are the fields of events.md §3 that name it, `account` is None for callers who are none.
    """

    tenant: Tenant
    account: Account | None
    said: dict[str, object]
    hardships: tuple[str, ...]


class Surveys:
    """The stream `survey`."""

    def __init__(self, world: World, links: Links) -> None:
        self._world = world
        self._links = links
        self._draw = world.chance("surveys")
        self._number = 0

    def begin(self, account: Account) -> None:
        days = QUARTER_DAYS * (0.3 + 0.7 * account.draw("nps").random())
        account.during(self._world.now + days * DAY_MS, self._ask_nps)

    def end(self, account: Account) -> None:
        """Nobody asks who has left."""

    def after(self, about: About) -> None:
        """A contact or ticket is over: it may be asked about, within half an hour, on a scale of five."""
        draw = about.account.draw("csat") if about.account else self._draw
        if draw.random() >= ASKED_SHARE:
            return
        score = round(draw.gauss(self._links.csat(about.hardships), self._links.csat_spread))
        said = {"survey_id": self._next(), "kind": "csat", **about.said}
        scale = {"score": min(5, max(1, score)), "scale_min": 1, "scale_max": 5}
        sent = self._world.now + (0.05 + 0.45 * draw.random()) * HOUR_MS
        self._send(sent, about.tenant, about.account, said, scale, draw)

    def _ask_nps(self, account: Account) -> None:
        draw, links = account.draw("nps"), self._links
        account.during(self._world.now + QUARTER_DAYS * DAY_MS, self._ask_nps)
        hardships = account.suffered(REMEMBERED_DAYS)
        mean = links.nps(hardships, has_adopted=account.has_adopted(links))
        score = min(10, max(0, round(draw.gauss(mean, links.nps_spread))))
        said = {"survey_id": self._next(), "kind": "nps", "respondent_ref": draw.choice(account.users)}
        scale = {"score": score, "scale_min": 0, "scale_max": 10}
        sent = within_hours(account.tenant, self._world.now, draw)
        self._send(sent, account.tenant, account, said, scale, draw)

    def _next(self) -> str:
        self._number += 1
        return f"{self._world.run}-v{self._number}"

    def _send(
        self,
        when: float,
        tenant: Tenant,
        account: Account | None,
        said: Mapping[str, object],
        scale: Mapping[str, object],
        draw: Random,
    ) -> None:
        self._world.at(when, self._tell, "sent", tenant, account, dict(said))
        if draw.random() < ANSWERED_SHARE:
            if draw.random() < 0.25:
                scale = {**scale, "comment": True}
            answered = after_mean(when, 8 * HOUR_MS, draw)
            self._world.at(answered, self._tell, "answered", tenant, account, {**said, **scale})

    def _tell(self, what: str, tenant: Tenant, account: Account | None, data: dict[str, object]) -> None:
        accountid = account.accountid if account else None
        self._world.tell(f"survey.{what}", tenant, str(data["survey_id"]), data, accountid)
