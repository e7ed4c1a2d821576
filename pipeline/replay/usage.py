"""Answers about adoption, from the facts of accounts and their users.

Source: metrics.md §1 (an instant counts what is dated at or before it; windows on local midnights; a
roll-up over tenants uses each tenant's own day) and §5.
"""

from collections.abc import Callable, Iterator, Mapping
from math import fsum
from typing import Any, Final, TypeAlias

from pipeline.entities import usage_metrics
from pipeline.entities.usage import Unit, as_of, units
from pipeline.entities.usage_metrics import Moment
from pipeline.events.envelope import tenant_of
from pipeline.events.usage import FEATURE_USED, INVITED, REFERRAL, USER, UsageFact
from pipeline.metrics import adoption
from pipeline.metrics.adoption import STICKY_DAYS
from pipeline.metrics.catalogue import METRICS, DefinitionError
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.metric import Definition
from pipeline.metrics.numbers import Number, count
from pipeline.replay.days import days_of
from pipeline.replay.question import Question

Entities: TypeAlias = Mapping[str, Any]
Reading: TypeAlias = Callable[[Entities, Question, Definition, Definitions], Number]


def _adoption(entities: Entities, question: Question, how: Definition, declared: Definitions) -> Number:
    rule = declared.adoption.asked(how)
    eligible = [told for told in _units(entities, question, how, declared) if told[0].is_eligible]
    adopted = sum(usage_metrics.has_adopted(unit, rule, now) for unit, now in eligible)
    return adoption.adoption(adopted, len(eligible))


def _active(days: int) -> Reading:
    def read(entities: Entities, question: Question, how: Definition, declared: Definitions) -> Number:
        told = _units(entities, question, how, declared)
        return count(sum(bool(usage_metrics.active_days(unit, days, now)) for unit, now in told))

    return read


def _stickiness(entities: Entities, question: Question, how: Definition, declared: Definitions) -> Number:
    told = _units(entities, question, how, declared)
    days = [len(usage_metrics.active_days(unit, STICKY_DAYS, now)) for unit, now in told]
    return adoption.stickiness(sum(days), sum(number > 0 for number in days))


def _spans(
    entities: Entities, question: Question, how: Definition, declared: Definitions
) -> tuple[list[int], int]:
    """Times to value of those of the cohort who got there, and how many the cohort has."""
    told = _units(entities, question, how, declared)
    cohort = [usage_metrics.time_to_value(unit) for unit, now in told if usage_metrics.in_cohort(unit, now)]
    return [span for span in cohort if span is not None], len(cohort)


def _percentile(percent: int) -> Reading:
    def read(entities: Entities, question: Question, how: Definition, declared: Definitions) -> Number:
        return adoption.time_to_value(percent, _spans(entities, question, how, declared)[0])

    return read


def _mean(entities: Entities, question: Question, how: Definition, declared: Definitions) -> Number:
    return adoption.time_to_value_mean(_spans(entities, question, how, declared)[0])


def _censored(entities: Entities, question: Question, how: Definition, declared: Definitions) -> Number:
    spans, cohort = _spans(entities, question, how, declared)
    return adoption.time_to_value_censored(len(spans), cohort)


def _activation(entities: Entities, question: Question, how: Definition, declared: Definitions) -> Number:
    days = declared.adoption.asked(how).a
    told = _units(entities, question, how, declared)
    cohort = [unit for unit, now in told if usage_metrics.had_its_days(unit, days, now)]
    return adoption.activation(sum(usage_metrics.was_activated(unit, days) for unit in cohort), len(cohort))


def _units(
    entities: Entities, question: Question, how: Definition, declared: Definitions
) -> Iterator[tuple[Unit, Moment]]:
    """Every unit of the tenants asked for as of the instant, with that instant by its tenant's calendar."""
    _check_dims(question)
    if question.at is None or question.window is not None:
        raise DefinitionError(f"{question.metric} is asked `at` an instant, without a window")
    unit = declared.adoption.asked(how).unit
    for tenant, account in _asked(entities, question):
        now = Moment(question.at, declared.zone(tenant))
        for each in units(as_of(account, question.at), unit):
            yield each, now


def _invitations(kind: str) -> Reading:
    def read(entities: Entities, question: Question, _: Definition, declared: Definitions) -> Number:
        told = _facts(entities, question, declared)
        return count(sum(fact.kind == INVITED and fact.what == kind for fact in told))

    return read


def _quantity(entities: Entities, question: Question, _: Definition, declared: Definitions) -> Number:
    feature = question.dims.get("feature")
    used = [fact for fact in _facts(entities, question, declared) if fact.kind == FEATURE_USED]
    asked = [fact.quantity for fact in used if feature is None or fact.what == feature]
    return Number(fsum(asked), len(asked))


def _facts(entities: Entities, question: Question, declared: Definitions) -> Iterator[UsageFact]:
    """Facts dated in the window, by each tenant's own days."""
    _check_dims(question)
    known = {tenant for tenant, _ in _asked(entities, question)}
    # A question wrongly asked is refused also where nothing happened.
    windows = {
        tenant: days_of(question, tenant, declared) for tenant in known or {question.dims.get("tenant", "")}
    }
    for tenant, account in _asked(entities, question):
        for fact in account.facts:
            is_known = question.at is None or fact.at <= question.at
            if is_known and windows[tenant].start <= fact.at < windows[tenant].end:
                yield fact


def _check_dims(question: Question) -> None:
    known = ("tenant", *METRICS[question.metric].joint_dims)
    unknown = sorted(set(question.dims) - set(known))
    if unknown:
        raise DefinitionError(f"{question.metric} has no dimension {unknown[0]!r}; it has {', '.join(known)}")


def _asked(entities: Entities, question: Question) -> Iterator[tuple[str, Any]]:
    for key, entity in entities.items():
        tenant = tenant_of(key)
        if question.dims.get("tenant", tenant) == tenant:
            yield tenant, entity


JOINT: Final[dict[str, Reading]] = {
    "adoption": _adoption,
    "active_1d": _active(1),
    "active_7d": _active(7),
    "active_28d": _active(28),
    "stickiness": _stickiness,
    "time_to_value_p50": _percentile(50),
    "time_to_value_p75": _percentile(75),
    "time_to_value_p90": _percentile(90),
    "time_to_value_mean": _mean,
    "time_to_value_censored": _censored,
    "activation": _activation,
    "invites": _invitations(USER),
    "referrals": _invitations(REFERRAL),
    "usage_quantity": _quantity,
}
