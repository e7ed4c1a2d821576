"""The numbers of whole chains and their ranks, read from a list of events as plainly as metrics.md §2 says it.

Like tests/oracle.py it shares no code with the core; instants in ms.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from tests import oracle


class Chain(NamedTuple):
    """Every leg with a first fact and its facts; none of a partial or contradictory chain is made."""

    tenant: str
    legs: list[tuple[oracle.Leg, list[oracle.Fact]]]

    def inbound(self) -> list[tuple[oracle.Leg, list[oracle.Fact]]]:
        return [pair for pair in self.legs if pair[0].is_inbound]

    def answers(self) -> list[oracle.Leg]:
        """Legs answered by a human, the earliest first."""
        found = []
        for leg, facts in self.inbound():
            if leg.outcome == "answered":
                name = next(
                    f.name for f in sorted(facts, key=lambda f: (f.time, f.name)) if f.what == "answered"
                )
                found.append((leg.left, name, leg))
        return [leg for *_, leg in sorted(found, key=lambda each: each[:2])]


def chains(events: Iterable[dict[str, Any]], at: int | None = None) -> list[Chain]:
    by_key: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for event in events:
        initial = event["data"].get("initial_contact_id") or event["data"]["contact_id"]
        by_key.setdefault((event["tenantid"], initial), []).append(event)
    found = []
    for (tenant, initial), told in by_key.items():
        facts = [fact for fact in oracle.standing(told) if at is None or fact.time <= at]
        by_leg: dict[tuple[str, str], list[oracle.Fact]] = {}
        for fact in facts:
            contact = fact.data["contact_id"]
            by_leg.setdefault((contact, fact.data.get("leg") or contact), []).append(fact)
        legs = [(oracle.read_leg(tenant, initial, of_leg), of_leg) for of_leg in by_leg.values()]
        legs = [(leg, of_leg) for leg, of_leg in legs if leg is not None]
        is_partial = not any(fact.data["contact_id"] == initial for fact in facts)
        if not is_partial and not any(leg.fault for leg, _ in legs):
            found.append(Chain(tenant, legs))
    return found


class Counted(NamedTuple):
    """One chain in one metric: where, when, and its milliseconds; None: it did not get there."""

    tenant: str
    queue: str
    channel: str
    path: str
    at: int
    ms: int | None


def customers(chain: Chain) -> list[Counted]:
    answers = chain.answers()
    if not answers:
        return []
    leg = answers[0]
    enqueued = [other.enqueued for other, _ in chain.inbound() if other.was_in_queue]
    before = [at for at in enqueued if at <= leg.left]
    kinds = [fact.what for _, facts in chain.legs for fact in facts if fact.time <= leg.left]
    path = "direct"
    if "transferred" in kinds:
        path = "transfer"
    if "callback_requested" in kinds:
        path = "callback"
    wait = leg.talk - min(before) if before else 0
    return [Counted(leg.tenant, leg.queue, leg.channel, path, leg.left, wait)]


def callbacks(chain: Chain) -> list[Counted]:
    asked = [
        (fact.time, fact.name, leg)
        for leg, facts in chain.inbound()
        for fact in facts
        if fact.what == "callback_requested"
    ]
    if not asked:
        return []
    at, _, leg = min(asked, key=lambda each: each[:2])
    kept = [answer for answer in chain.answers() if answer.left >= at]
    wait = kept[0].talk - at if kept else None
    return [Counted(leg.tenant, leg.queue, leg.channel, "", at, wait)]


def _in(told: list[Counted], dims: dict[str, str], start: int, end: int) -> list[Counted]:
    told = [each for each in told if start <= each.at < end]
    return [each for each in told if all(getattr(each, name) == value for name, value in dims.items())]


def asa_customer(told: list[Chain], dims: dict[str, str], start: int, end: int) -> oracle.Answer:
    return oracle._mean([c.ms for c in _in([c for each in told for c in customers(each)], dims, start, end)])


def callback_kept(told: list[Chain], dims: dict[str, str], start: int, end: int) -> oracle.Answer:
    found = _in([c for each in told for c in callbacks(each)], dims, start, end)
    return oracle._share(len([c for c in found if c.ms is not None]), len(found))


def callback_wait(told: list[Chain], dims: dict[str, str], start: int, end: int) -> oracle.Answer:
    found = _in([c for each in told for c in callbacks(each)], dims, start, end)
    return oracle._mean([c.ms for c in found if c.ms is not None])


def percentile(percent: int) -> Callable[[oracle.Asked], oracle.Answer]:
    """Nearest rank of the waits of legs answered by a human."""

    def read(asked: oracle.Asked) -> oracle.Answer:
        waits = sorted(leg.wait for leg in asked.left("answered"))
        if not waits:
            return None, 0
        return waits[math.ceil(percent * len(waits) / 100) - 1] / 1000, len(waits)

    return read


CHAINS: dict[str, Callable[[list[Chain], dict[str, str], int, int], oracle.Answer]] = {
    "asa_customer": asa_customer,
    "callback_kept": callback_kept,
    "callback_wait": callback_wait,
}
RANKS = {f"asa_p{percent}": percentile(percent) for percent in (50, 90, 99)}
