"""Random stories of subscriptions: a few accounts, days on which clocks change, ends of months."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests import subscription_oracle as oracle

ZONES = {"t": "Europe/Bucharest", "u": "America/New_York"}
TENANTS = {tenant: {"tz": zone} for tenant, zone in ZONES.items()}
# Around the days of 23 and 25 hours of both zones, a leap day and ends of months.
EDGES = [
    date(2024, 2, 29), date(2026, 1, 31), date(2026, 3, 1), date(2026, 3, 8), date(2026, 3, 29), date(2026, 4, 1),
    date(2026, 4, 30), date(2026, 10, 25), date(2026, 11, 1),
]  # fmt: skip
OFFSETS = [0, 1, -1, 3_600_000, -3_600_000, 12 * 3_600_000]


def midnight(day, tenant):
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(ZONES[tenant])).astimezone(UTC)


def ms(moment):
    return round(moment.timestamp() * 1000)


def text(moment):
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Story(NamedTuple):
    """Events, and the local days they were drawn around."""

    events: list[dict[str, Any]]
    days: list[date]


tenants = st.sampled_from(["t", "t", "t", "t", "u"])
KINDS = [
    "started", "started", "changed", "changed", "changed", "reactivated", "cancelled", "cancelled", "cancelled",
    "paid", "cancel_scheduled", "cancel_unscheduled", "voided", "deleted",
]  # fmt: skip
states = st.fixed_dictionaries(
    {
        "mrr_minor": st.sampled_from([0, 100, 100, 250, 400]),
        "currency": st.sampled_from(["EUR", "EUR", "EUR", "USD"]),
    },
    optional={"seats": st.integers(0, 3), "plan": st.sampled_from("ab")},
)
amounts = st.fixed_dictionaries(
    {"amount_minor": st.integers(-5, 90), "currency": st.sampled_from(["EUR", "EUR", "EUR", "USD"])}
)


def moment(draw, days, tenant):
    start = midnight(draw(st.sampled_from(days)), tenant)
    return text(start + timedelta(milliseconds=draw(st.sampled_from(OFFSETS))))


@st.composite
def stories(draw):
    """A few accounts of two tenants with the same ids, up to two subscriptions each, on few days."""
    edge = draw(st.sampled_from(EDGES))
    shifts = draw(st.lists(st.sampled_from([-31, -30, -29, -1, 0, 0, 1, 29, 30, 31]), min_size=1, max_size=3))
    days = [edge, *(edge + timedelta(days=shift) for shift in shifts)]
    found = []
    for index in range(draw(st.integers(1, 12))):
        kind = draw(st.sampled_from(KINDS))
        if kind == "deleted" and draw(st.integers(0, 4)):
            kind = "changed"
        tenant = draw(tenants)
        data = {"subscription_id": draw(st.sampled_from(["s1", "s1", "s2"]))}
        if draw(st.integers(0, 2)) == 0:
            data["effective_at"] = moment(draw, days, tenant)
        if kind in oracle.STATES:
            data |= draw(states)
        elif kind == "paid":
            data |= draw(amounts)
        elif kind == "cancel_scheduled":
            data["cancels_at"] = moment(draw, days, tenant)
        event = {
            "type": f"pulse.subscription.{kind}", "id": f"e{index}", "source": draw(st.sampled_from(["/a", "/b"])),
            "tenantid": tenant, "accountid": draw(st.sampled_from("xxxy")), "time": moment(draw, days, tenant),
            "data": data,
        }  # fmt: skip
        if kind == "voided" or (found and draw(st.integers(0, 9)) == 0):
            earlier = draw(st.sampled_from(found)) if found else event | {"id": "nothing"}
            event |= {"corrects": earlier["id"], "source": earlier["source"]}
            event |= {"tenantid": earlier["tenantid"], "accountid": earlier["accountid"]}
        found.append(event)
    return Story(found, days)


def first_of(day, window):
    return day.replace(day=1) if window == "month" else day - timedelta(days=int(window[:-1]) - 1)
