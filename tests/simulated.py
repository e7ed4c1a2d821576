"""Stories of the simulator for tests of laws that hold for any business: some hours of calls, a year of customers."""

from functools import cache
from itertools import takewhile
from typing import Any

from pipeline.metrics.windows import BUCKET_MS
from pipeline.sources.business.params import DAY_MS, Business
from pipeline.sources.business.story import simulate_business
from pipeline.sources.simulate import CallCentre, Chaos, Queue, simulate
from tests import oracle
from tests.builders import T0

HOURS = 4
CENTRE = CallCentre(
    queues=(
        Queue(tenant="acme", queue_id="billing", contacts_per_hour=30, agents=2),
        Queue(tenant="acme", queue_id="sales", contacts_per_hour=20, agents=2),
        Queue(tenant="globex", queue_id="help", contacts_per_hour=14, agents=1),
    ),
    chaos=Chaos(duplicate_share=0.05, late_share=0.1, correction_share=0.05, void_share=0.02),
)
"""Small, so that queues run empty between busy periods; its events come late, twice, corrected and voided."""

QUEUES = tuple((queue.tenant, queue.queue_id) for queue in CENTRE.queues)
ZONES = {"acme": "Europe/Bucharest", "globex": "America/New_York"}
TENANTS = {tenant: {"tz": zone} for tenant, zone in ZONES.items()}
YEAR_BEGINS = T0
YEAR_DAYS = 366


@cache
def calls(seed: int) -> list[dict[str, Any]]:
    """What happened in the first hours, in the order of delivery; what is mended later is mended."""
    end = T0 + HOURS * 3_600_000
    told = takewhile(lambda each: each.deliver_at_ms < end + 600_000, simulate(CENTRE, seed, T0))
    return [each.event for each in told]


@cache
def year(seed: int, stream: str) -> list[dict[str, Any]]:
    """One stream of a year of about 65 customers who come, stay, grow, shrink, leave and come back."""
    end = YEAR_BEGINS + YEAR_DAYS * DAY_MS
    told = simulate_business(Business(accounts=40), seed, YEAR_BEGINS)
    return [
        each.event for each in takewhile(lambda each: each.deliver_at_ms < end, told) if each.stream == stream
    ]


@cache
def stays(seed: int, tenant: str, queue: str) -> list[oracle.Leg]:
    """Who stood in a queue from when until when, as the list of events tells it; `left` None = still there."""
    return [
        leg
        for leg in oracle.legs(event for event in calls(seed) if event["tenantid"] == tenant)
        if (leg.queue, leg.fault) == (queue, "") and leg.is_inbound and leg.was_in_queue
    ]


def edges_with_nobody_waiting(seed: int, tenant: str, queue: str, last: int) -> list[int]:
    """Ten-second edges up to `last`, ms."""
    told = stays(seed, tenant, queue)
    return [
        edge
        for edge in range(T0, last + 1, BUCKET_MS)
        if not any(stay.enqueued < edge and (stay.left is None or stay.left > edge) for stay in told)
    ]


def turns(seed: int, tenant: str, queue: str, first: int, last: int) -> list[int]:
    """The interval's ends, and between them every instant at which somebody comes or leaves."""
    told = {at for stay in stays(seed, tenant, queue) for at in (stay.enqueued, stay.left) if at is not None}
    return [first, *sorted(at for at in told if first < at < last), last]


def time_in_queue(seed: int, tenant: str, queue: str, first: int, last: int) -> int:
    """Σ of every stay's part of [first, last), ms."""
    return sum(
        max(0, min(last if stay.left is None else stay.left, last) - max(stay.enqueued, first))
        for stay in stays(seed, tenant, queue)
    )
