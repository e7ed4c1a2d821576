"""The whole story: a business of seven streams, and beside it the crowd of a large contact centre."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from heapq import merge
from operator import itemgetter

from pipeline.sources.business.params import Business
from pipeline.sources.business.story import simulate_business
from pipeline.sources.centre import CallCentre, Chaos
from pipeline.sources.delivery import Simulated, delivered
from pipeline.sources.simulate import simulate


def simulate_all(
    business: Business,
    crowd: CallCentre,
    seed: int,
    start_ms: int,
    crowd_from_ms: int,
    streams: Collection[str],
) -> Iterator[Simulated]:
    """Records of these streams in order of delivery, for ever; the same arguments give the same records.

    The business begins at `start_ms`, the crowd at `crowd_from_ms`. Neither touches the other: the crowd's
    rate changes nothing of what customers do and suffer. Without chaos, leaving streams out changes nothing
    of those that remain; `crowd.chaos` spoils the delivery of both.
    """
    told: Iterator[Simulated] = simulate_business(business, seed, start_ms)
    if "call" in streams:
        told = merge(told, simulate(replace(crowd, chaos=Chaos()), seed, crowd_from_ms), key=itemgetter(0))
    return (record for record in delivered(told, crowd.chaos, seed) if record.stream in streams)
