"""Stretches of event time: 10-second edges, live windows, local days.

Source: metrics.md §1. Every function takes `now`; nothing here reads a clock.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

BUCKET_MS: Final = 10_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
LIVE_WINDOWS: Final = {"1m": 60_000, "5m": 300_000, "15m": 900_000, "30m": 1_800_000, "1h": 3_600_000}
DAY_WINDOWS: Final = ("today", "7d", "30d", "90d", "month")


class Window(NamedTuple):
    """Half-open [start, end) in ms UTC."""

    start: int
    end: int


def floor_bucket(at: int) -> int:
    """Start of the 10-second bucket that holds `at`."""
    return at - at % BUCKET_MS


def live_window(name: str, now: int) -> Window:
    """The running 10-second bucket and the complete ones before it, together `name` long."""
    end = floor_bucket(now) + BUCKET_MS
    return Window(end - LIVE_WINDOWS[name], end)


def local_date(at: int, zone: ZoneInfo) -> date:
    """The tenant's calendar day at an instant."""
    return datetime.fromtimestamp(at / 1000, zone).date()


def midnight(day: date, zone: ZoneInfo) -> int:
    """First instant of a local day, ms UTC; a day that skips 00:00 starts at the gap's end."""
    local = datetime(day.year, day.month, day.day, tzinfo=zone)
    return int(local.astimezone(UTC).timestamp()) * 1000


def day_number(day: date) -> int:
    """A local date as its midnight *in UTC*, ms: how day buckets are named."""
    return (day - date(1970, 1, 1)).days * DAY_MS


def day_span(number: int, zone: ZoneInfo) -> Window:
    """The instants of the local day that `day_number` names (23, 24 or 25 hours)."""
    day = date(1970, 1, 1) + timedelta(days=number // DAY_MS)
    return Window(midnight(day, zone), midnight(day + timedelta(days=1), zone))


def day_window(name: str, now: int, zone: ZoneInfo) -> Window:
    """`today`, `7d`, `30d`, `90d` or `month`: from a local midnight to the instant after `now`."""
    today = local_date(now, zone)
    first = {
        "today": today,
        "7d": today - timedelta(days=6),
        "30d": today - timedelta(days=29),
        "90d": today - timedelta(days=89),
        "month": today.replace(day=1),
    }[name]
    return Window(midnight(first, zone), now + 1)
