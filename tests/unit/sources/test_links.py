"""The declared links between support, adoption, satisfaction and staying are found again in the events.

What happened to an account is read from its events alone, by the definitions users have. A month's
decision is a coin of the declared probability, so that observed leavings lie within 3.3 standard deviations
√Σp(1−p) of Σp, but for one case in a thousand.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from math import sqrt
from statistics import fmean, stdev

import pytest

from pipeline.sources.business.params import DAY_MS, HARDSHIPS, REOPENED, SLOW, WAITED, Business, Links
from pipeline.sources.business.story import simulate_business

START_MS = 1_772_442_000_000
LINKS = Links()
SIGMAS = 3.3
DAYS = 330
MONTH_MS = 30 * DAY_MS


@dataclass
class Life:
    """What the events say of one account: instants in ms."""

    begun: list[int] = field(default_factory=list)
    notices: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    hardships: list[tuple[int, str]] = field(default_factory=list)
    uses: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Month:
    """One decision: the kinds of hardship of the thirty days before, and what came of it."""

    hardships: frozenset[str]
    has_adopted: bool
    left: bool

    @property
    def declared(self):
        return LINKS.monthly_churn(self.hardships, has_adopted=self.has_adopted)


class Reader:
    """Reads events in order of time."""

    def __init__(self):
        self.lives = defaultdict(Life)
        self.scores = defaultdict(list)
        self._queued, self._left, self._by_contact = {}, set(), defaultdict(set)
        self._asked, self._by_ticket = {}, defaultdict(set)

    def read(self, at, event):
        stream, _, what = event["type"].removeprefix("pulse.").partition(".")
        account = event.get("accountid")
        reader = getattr(self, f"_{stream}", None)
        if account is not None and reader is not None:
            reader(at, what, event["data"], account)

    def _subscription(self, at, what, data, account):
        life = self.lives[account]
        if what in {"started", "reactivated"}:
            life.begun.append(at)
        elif what == "cancel_scheduled" or (what == "cancelled" and data["reason"] == "voluntary"):
            life.notices.append(at)
        if what == "cancelled":
            life.gone.append(at)

    def _usage(self, at, what, data, account):
        if what == "feature_used":
            self.lives[account].uses.append(at)

    def _ticket(self, at, what, data, account):
        ticket = data["ticket_id"]
        if what in {"created", "bot_handed_off"}:
            self._asked[ticket] = at
        is_reply = data.get("author_kind") == "agent" and data.get("visibility") == "public"
        if is_reply and ticket in self._asked and at - self._asked.pop(ticket) > 8 * 3_600_000:
            self._suffer(account, at, SLOW)
            self._by_ticket[ticket].add(SLOW)
        if what == "reopened" or data.get("to") == "open":
            self._suffer(account, at, REOPENED)
            self._by_ticket[ticket].add(REOPENED)

    def _call(self, at, what, data, account):
        leg = data["leg"]
        if what == "queued" and not data.get("callback"):
            self._queued[leg] = at
        elif what == "answered" and leg in self._queued and leg not in self._left:
            is_long = at - self._queued[leg] > 120_000 and data.get("answered_by") != "bot"
            if is_long:
                self._suffer(account, at, WAITED)
                self._by_contact[data["contact_id"]].add(WAITED)
            self._left.add(leg)
        elif what in {"callback_requested", "flowed_out", "transferred"}:
            self._left.add(leg)
        elif what == "ended" and leg in self._queued and leg not in self._left:
            self._suffer(account, at, WAITED)

    def _survey(self, at, what, data, account):
        if what == "answered" and data["kind"] == "csat":
            told = self._by_contact[data.get("contact_id")] | self._by_ticket[data.get("ticket_id")]
            self.scores[frozenset(told)].append(data["score"])
        elif what == "answered":
            kinds = {kind for then, kind in self.lives[account].hardships if then > at - 90 * DAY_MS}
            self.scores["nps", bool(kinds)].append(data["score"])

    def _suffer(self, account, at, kind):
        self.lives[account].hardships.append((at, kind))


def months(life, end):
    """Every decision of an account, thirty days apart from its start until it leaves."""
    for begun in life.begun:
        gone = min((at for at in life.gone if at > begun), default=end)
        at = begun + MONTH_MS
        while at <= gone + 1:
            notice = any(abs(told - at) < 10 for told in life.notices)
            yield Month(
                frozenset(kind for then, kind in life.hardships if at - 30 * DAY_MS <= then <= at),
                used_days(life.uses, at) >= LINKS.adopted_days,
                notice,
            )
            at += MONTH_MS


def used_days(uses, at):
    first = (at // DAY_MS - 27) * DAY_MS
    return len({use // DAY_MS for use in uses[bisect_left(uses, first) : bisect_right(uses, at)]})


@pytest.fixture(scope="module")
def told():
    end = START_MS + DAYS * DAY_MS
    reader = Reader()
    story = simulate_business(Business(accounts=400), 11, START_MS)
    for record in takewhile(lambda record: record.deliver_at_ms < end, story):
        instant = round(datetime.fromisoformat(record.event["time"]).timestamp() * 1000)
        assert instant == record.deliver_at_ms
        reader.read(instant, record.event)
    return reader, [month for life in reader.lives.values() for month in months(life, end)]


GROUPS = {
    "nothing happened": lambda month: not month.hardships,
    "only waited": lambda month: month.hardships == {WAITED},
    "only a slow first response": lambda month: month.hardships == {SLOW},
    "only reopened": lambda month: month.hardships == {REOPENED},
    "more than one kind": lambda month: len(month.hardships) > 1,
    "adopted": lambda month: month.has_adopted,
    "not adopted": lambda month: not month.has_adopted,
}


@pytest.mark.parametrize("name", GROUPS)
def test_accounts_leave_as_often_as_declared(told, name):
    group = [month for month in told[1] if GROUPS[name](month)]
    expected = sum(month.declared for month in group)
    deviation = sqrt(sum(month.declared * (1 - month.declared) for month in group))
    assert expected > 4
    assert abs(sum(month.left for month in group) - expected) <= SIGMAS * deviation


def apart(these, those):
    """How many standard deviations two means lie apart."""
    spread = sqrt(stdev(these) ** 2 / len(these) + stdev(those) ** 2 / len(those))
    return (fmean(these) - fmean(those)) / spread


@pytest.mark.parametrize("kind", HARDSHIPS)
def test_who_suffered_leaves_more_often(told, kind):
    suffered = [float(month.left) for month in told[1] if kind in month.hardships]
    spared = [float(month.left) for month in told[1] if not month.hardships]
    assert apart(suffered, spared) > SIGMAS


def test_who_has_adopted_leaves_less_often(told):
    adopted = [float(month.left) for month in told[1] if month.has_adopted]
    others = [float(month.left) for month in told[1] if not month.has_adopted]
    assert apart(others, adopted) > 2


@pytest.mark.parametrize("kind", HARDSHIPS)
def test_who_suffered_is_less_satisfied_with_this_contact_or_ticket(told, kind):
    scores = told[0].scores
    assert apart(scores[frozenset()], scores[frozenset([kind])]) > SIGMAS


def test_who_suffered_recommends_less(told):
    scores = told[0].scores
    assert apart(scores["nps", False], scores["nps", True]) > SIGMAS
