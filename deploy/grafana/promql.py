"""The few shapes of PromQL that panels are made of.

Written for a Prometheus that may scrape several boards: they report the same numbers, so a series is first reduced by
`max by` of its own labels, then summed.
"""

from typing import Final

CALL: Final = "tenant, queue, channel"
PATH: Final = "tenant, queue, channel, path"
TICKET: Final = "tenant, group, channel"
VOICE: Final = "tenant, queue"
TENANT: Final = "tenant"
MONEY: Final = "tenant, currency"
"""The labels of a family of series, its window and definition apart: what `max by` keeps."""


def total(series: str, dims: str, by: str) -> str:
    """A sum over places, each counted once however many boards report it."""
    return f"sum by ({by}) (max by ({dims}) ({series}))"


def share(part: str, whole: str, dims: str, by: str) -> str:
    """Sum over sum; absent, not 0, where there is nothing to divide by."""
    return f"{total(part, dims, by)} / ({total(whole, dims, by)} > 0)"


def wilson(part: str, whole: str, dims: str, by: str, end: str) -> str:
    """The low or the high end of the 95 % interval of a share, over the same sums."""
    p, n = share(part, whole, dims, by), f"({total(whole, dims, by)} > 0)"
    sign, z2 = {"low": "-", "high": "+"}[end], 3.841459
    half = f"1.959964 * sqrt(({p}) * (1 - ({p})) / {n} + {z2} / (4 * {n} ^ 2))"
    return f"(({p}) + {z2} / (2 * {n}) {sign} {half}) / (1 + {z2} / {n})"


def points(good: str, neutral: str, bad: str, dims: str, by: str) -> str:
    """Share of the good less share of the bad, times 100: sums over sums again."""
    up, middle, down = (total(series, dims, by) for series in (good, neutral, bad))
    return f"100 * ({up} - {down}) / (({up} + {middle} + {down}) > 0)"


def age(series: str, by: str) -> str:
    """Seconds since the oldest of the timestamps."""
    return f"time() - min by ({by}) ({series})" if by else f"time() - min({series})"
