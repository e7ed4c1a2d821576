"""Answers about revenue and staying, from the facts of accounts.

Source: metrics.md §1 (windows on local midnights; the state at an edge is what holds before any change
dated then; money is never added over currencies) and §6.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from itertools import pairwise
from typing import Any, Final, NamedTuple, TypeAlias

from pipeline.entities.subscription import (
    Standing,
    State,
    Timeline,
    count_before,
    standing_before,
    standings,
    timelines,
)
from pipeline.entities.subscription_account import Account
from pipeline.entities.subscription_metrics import compare, standing_cells
from pipeline.events.envelope import tenant_of
from pipeline.events.subscription import OUT_OF_SCOPE, PAID, SERVICES_INVOICED, SubscriptionFact
from pipeline.metrics import revenue
from pipeline.metrics.buckets import Cells, add
from pipeline.metrics.catalogue import METRICS, DefinitionError
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.metric import Definition
from pipeline.metrics.numbers import Number
from pipeline.metrics.subscription_metrics import DIMS
from pipeline.metrics.windows import Window, local_date, midnight
from pipeline.replay.days import days_of
from pipeline.replay.question import Question

Entities: TypeAlias = Mapping[str, Any]


class _Seen(NamedTuple):
    """One account as the dimensions asked for let it be seen."""

    tenant: str
    account: Account
    lines: Mapping[str, Timeline]
    found: list[Standing]


class _Asked:
    """A question with what it is asked of. `flows` are by currency. Raises DefinitionError."""

    def __init__(
        self, entities: Entities, question: Question, definition: Definition, declared: Definitions
    ) -> None:
        unknown = set(question.dims) - {"tenant", *DIMS}
        if unknown:
            known = ", ".join(("tenant", *DIMS))
            raise DefinitionError(f"{question.metric} has no dimension {min(unknown)!r}; it has {known}")
        self._question = question
        self._declared = declared
        recognition = definition.get("recognition", declared.recognition)
        self.seen = [
            _Seen(tenant_of(key), account, lines, standings(lines.values(), self._passes))
            for key, account in entities.items()
            if question.dims.get("tenant", tenant_of(key)) == tenant_of(key)
            for lines in [timelines(account.told.facts, recognition)]
        ]

    def _passes(self, state: State) -> bool:
        dims = self._question.dims
        return (
            dims.get("currency", state.currency) == state.currency
            and dims.get("plan", state.plan) == state.plan
        )

    def passes(self, fact: SubscriptionFact, lines: Mapping[str, Timeline]) -> bool:
        """Whether an amount is asked for: by its currency and its subscription's plan at the time."""
        dims = self._question.dims
        if dims.get("currency", fact.currency) != fact.currency:
            return False
        told = [state for at, state in lines.get(fact.subscription, ()) if at <= fact.effective]
        return "plan" not in dims or (bool(told) and told[-1].plan == dims["plan"])

    def window(self, tenant: str) -> Window:
        """The window by the tenant's own days."""
        window = days_of(self._question, tenant, self._declared)
        if window.start > window.end:
            raise DefinitionError(f"{self._question.metric}: from lies after to")
        return window

    def windows(self) -> Iterator[tuple[_Seen, Window]]:
        """Each account with its window; a question wrongly asked is refused also where nothing happened."""
        if not self.seen:
            self.window(self._question.dims.get("tenant", next(iter(self._declared.tenants), "")))
        for seen in self.seen:
            yield seen, self.window(seen.tenant)

    def instant(self, _tenant: str) -> int:
        """Where a level is read: before what is dated then. `at` counts what is dated at it."""
        if self._question.at is None:
            raise DefinitionError(f"{self._question.metric} is a level: ask for it `at` an instant")
        return self._question.at + 1

    def close(self, tenant: str) -> int:
        """As `instant`, or the end of the window where one is asked for."""
        question = self._question
        is_window = question.span is not None or question.window is not None
        return self.window(tenant).end if is_window else self.instant(tenant)

    def compared(self) -> tuple[Cells, dict[str, Cells]]:
        """STAYING of the window, and FLOW by currency."""
        stays: Cells = {}
        flows: dict[str, Cells] = {}
        for seen, window in self.windows():
            first, last = (count_before(seen.found, edge) for edge in window)
            cells, parts = compare(seen.found, first, last)
            add(stays, cells, 1)
            for currency, each in parts:
                add(flows.setdefault(currency, {}), each, 1)
        return stays, flows

    def level(self, instant: Callable[[str], int]) -> dict[str, Cells]:
        """STANDING by currency, "" = in any."""
        found: dict[str, Cells] = {}
        if not self.seen:
            instant(self._question.dims.get("tenant", ""))
        for seen in self.seen:
            for currency, cells in standing_cells(standing_before(seen.found, instant(seen.tenant))):
                add(found.setdefault(currency, {}), cells, 1)
        return found

    def one(self, found: Mapping[str, Cells]) -> Cells:
        """The cells of the one currency there is: amounts of several are never added."""
        present = sorted(currency for currency in found if currency)
        if len(present) > 1:
            raise DefinitionError(
                f"{self._question.metric}: amounts of {', '.join(present)} are never added; ask for one,"
                f' e.g. dims {{"currency": "{present[0]}"}}'
            )
        return found[present[0]] if present else {}


def _churn(entities: Entities, question: Question, how: Definition, declared: Definitions) -> Number:
    asked = _Asked(entities, question, how, declared)
    if how["name"] == "daily_sum":
        return _daily_sum(asked, declared)
    return revenue.churn(asked.compared()[0], how, declared)


def _daily_sum(asked: _Asked, declared: Definitions) -> Number:
    days: dict[str, list[int]] = {}
    for seen, window in asked.windows():
        for day, start, end in _days(window, seen.tenant, declared):
            told = days.setdefault(day, [0, 0])
            if standing_before(seen.found, start).is_active:
                told[0] += not standing_before(seen.found, end).is_active
                told[1] += 1
    return revenue.churn_daily_sum((lost, base) for _, (lost, base) in sorted(days.items()))


def _days(window: Window, tenant: str, declared: Definitions) -> Iterator[tuple[str, int, int]]:
    zone = declared.zone(tenant)
    day = local_date(window.start, zone)
    edges = [window.start]
    while edges[-1] < window.end:
        day += timedelta(days=1)
        edges.append(min(midnight(day, zone), window.end))
    for start, end in pairwise(edges):
        yield local_date(start, zone).isoformat(), start, end


def _of_staying(entities: Entities, question: Question, how: Definition, declared: Definitions) -> Number:
    stays, _ = _Asked(entities, question, how, declared).compared()
    return _formula(question)(stays, how, declared)


def _of_flow(entities: Entities, question: Question, how: Definition, declared: Definitions) -> Number:
    asked = _Asked(entities, question, how, declared)
    return _formula(question)(asked.one(asked.compared()[1]), how, declared)


def _money_level(entities: Entities, question: Question, how: Definition, declared: Definitions) -> Number:
    asked = _Asked(entities, question, how, declared)
    return _formula(question)(asked.one(asked.level(asked.instant)), how, declared)


def _count_level(entities: Entities, question: Question, how: Definition, declared: Definitions) -> Number:
    asked = _Asked(entities, question, how, declared)
    return _formula(question)(asked.level(asked.instant).get("", {}), how, declared)


def _formula(question: Question) -> revenue.Formula:
    formula = METRICS[question.metric].window
    if formula is None:
        raise DefinitionError(f"{question.metric} has no formula of one family")
    return formula


def _clv_predictive(entities: Entities, question: Question, how: Definition, declared: Definitions) -> Number:
    asked = _Asked(entities, question, how, declared)
    stays, flows = asked.compared()
    return revenue.clv_predictive(asked.one(flows), stays, how, declared)


def _churn_cost(entities: Entities, question: Question, how: Definition, declared: Definitions) -> Number:
    asked = _Asked(entities, question, how, declared)
    stays, flows = asked.compared()
    return revenue.churn_cost(asked.one(flows), stays, declared)


def _clv_given(entities: Entities, question: Question, how: Definition, declared: Definitions) -> Number:
    asked = _Asked(entities, question, how, declared)
    return revenue.clv_given(asked.one(asked.level(asked.close)), how, declared)


def _clv_realised(entities: Entities, question: Question, how: Definition, declared: Definitions) -> Number:
    """Cells here: 0 = accounts ever active in the currency, 1 = what they paid."""
    asked = _Asked(entities, question, how, declared)
    found: dict[str, Cells] = {}
    if not asked.seen:
        asked.close(question.dims.get("tenant", ""))
    for seen in asked.seen:
        close = asked.close(seen.tenant)
        ever = {currency for each in seen.found if each.at < close for currency in each.mrr}
        for currency in ever:
            add(found.setdefault(currency, {}), (0, 1), 1)
        for fact in seen.account.amounts.facts():
            is_counted = fact.kind == PAID and fact.effective < close and fact.currency in ever
            if is_counted and asked.passes(fact, seen.lines):
                add(found[fact.currency or ""], (1, fact.minor or 0), 1)
    told = asked.one(found)
    accounts = told.get(0, 0)
    return Number(told.get(1, 0) / accounts if accounts else None, accounts)


def _custom_revenue_share(
    entities: Entities, question: Question, how: Definition, declared: Definitions
) -> Number:
    """Cells here: 0 = MRR at the window's end, 1 = services, 2 = services out of scope, 3 = invoices."""
    asked = _Asked(entities, question, how, declared)
    found: dict[str, Cells] = {}
    for seen, window in asked.windows():
        for currency, minor in standing_before(seen.found, window.end).mrr.items():
            add(found.setdefault(currency, {}), (0, minor), 1)
        for fact in seen.account.amounts.facts():
            is_inside = fact.kind == SERVICES_INVOICED and window.start <= fact.effective < window.end
            if is_inside and asked.passes(fact, seen.lines):
                minor = fact.minor or 0
                out = minor if fact.detail == OUT_OF_SCOPE else 0
                add(found.setdefault(fact.currency or "", {}), (1, minor, 2, out, 3, 1), 1)
    told = asked.one(found)
    total = told.get(0, 0) + told.get(1, 0)
    return Number(told.get(2, 0) / total if total else None, told.get(3, 0))


JOINT: Final[dict[str, Callable[[Entities, Question, Definition, Definitions], Number]]] = {
    "churn": _churn,
    "mrr": _money_level,
    "arr": _money_level,
    "active_accounts": _count_level,
    "seats": _count_level,
    **dict.fromkeys(
        ("mrr_new", "mrr_reactivation", "mrr_expansion", "mrr_contraction", "mrr_churn"), _of_flow
    ),
    **dict.fromkeys(("nrr", "grr", "gross_churn_mrr", "net_churn_mrr"), _of_flow),
    "seat_expansion": _of_staying,
    "clv_realised": _clv_realised,
    "clv_predictive": _clv_predictive,
    "clv_given": _clv_given,
    "custom_revenue_share": _custom_revenue_share,
    "churn_cost": _churn_cost,
}
