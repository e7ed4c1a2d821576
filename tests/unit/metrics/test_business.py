"""Business hours by hand: ordinary weeks, holidays, and days on which the clock is put forward or back."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from pipeline.metrics.definitions import DefinitionsError, declare

BUCHAREST = "Europe/Bucharest"
OFFICE = {day: ["09:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")}


def open_s(start: str, end: str, hours=None, tz=BUCHAREST, holidays=()) -> float:
    """Open seconds between two local wall-clock readings (with an offset: that instant)."""
    tenant = {"tz": tz, "holidays": list(holidays), **({} if hours is None else {"business_hours": hours})}
    calendar = declare({"tenants": {"t": tenant}}).calendar("t")

    def instant(text: str) -> int:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(tz))
        return round(moment.timestamp() * 1000)

    return calendar.open_ms(instant(start), instant(end)) / 1000


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-03-02T10:00", "2026-03-02T11:30", 1.5),  # a Monday
        ("2026-03-02T08:00", "2026-03-02T09:30", 0.5),
        ("2026-03-02T16:00", "2026-03-03T10:00", 2),
        ("2026-03-06T16:00", "2026-03-09T10:00", 2),  # over a weekend
        ("2026-03-07T10:00", "2026-03-08T18:00", 0),
        ("2026-03-02T17:00", "2026-03-03T09:00", 0),
        ("2026-03-02T09:00", "2026-03-09T09:00", 40),
        ("2026-03-02T10:00", "2026-03-02T10:00", 0),
    ],
)
def test_a_span_holds_the_office_hours_in_it(start, end, hours):
    assert open_s(start, end, OFFICE) == hours * 3600


def test_a_tenant_without_hours_is_open_always_also_on_a_day_of_23_hours():
    assert open_s("2026-03-29T00:00", "2026-03-30T00:00") == 23 * 3600


def test_a_holiday_is_closed():
    assert open_s("2026-12-24T16:00", "2026-12-28T10:00", OFFICE, holidays=["2026-12-25"]) == 2 * 3600


def test_a_holiday_closes_a_tenant_that_is_open_all_hours():
    assert open_s("2026-12-24T12:00", "2026-12-26T12:00", holidays=["2026-12-25"]) == 24 * 3600


def test_a_tenant_with_an_empty_week_is_never_open():
    assert open_s("2026-03-02T00:00", "2026-04-02T00:00", {}) == 0


def test_the_days_hours_are_the_tenants_days():
    """09:00 in Auckland on Monday is Sunday 20:00 UTC."""
    assert open_s("2026-03-01T20:00+00:00", "2026-03-01T21:00+00:00", OFFICE, tz="Pacific/Auckland") == 3600


def test_the_hour_that_the_clock_skips_is_nobodys():
    """Bucharest 2026-03-29: 03:00 becomes 04:00."""
    assert open_s("2026-03-29T00:00", "2026-03-29T12:00", {"sun": ["02:00-05:00"]}) == 2 * 3600
    assert open_s("2026-03-29T00:00", "2026-03-29T12:00", {"sun": ["03:30-05:00"]}) == 3600
    assert open_s("2026-03-29T00:00", "2026-03-29T12:00", {"sun": ["03:00-04:00"]}) == 0


def test_the_hour_that_comes_twice_is_open_twice():
    """Bucharest 2026-10-25: 04:00 becomes 03:00."""
    assert open_s("2026-10-25T00:00", "2026-10-25T12:00", {"sun": ["02:00-05:00"]}) == 4 * 3600
    assert open_s("2026-10-25T00:00", "2026-10-25T12:00", {"sun": ["03:00-03:30"]}) == 3600


def test_a_night_runs_into_the_next_day():
    assert open_s("2026-03-02T20:00", "2026-03-03T12:00", {"mon": ["22:00-06:00"]}) == 8 * 3600


def test_hours_that_overlap_count_once():
    assert (
        open_s("2026-03-02T00:00", "2026-03-03T00:00", {"mon": ["09:00-13:00", "12:00-24:00"]}) == 15 * 3600
    )


@pytest.mark.parametrize(
    "tenant",
    [
        {"business_hours": []},
        {"business_hours": {"monday": ["09:00-17:00"]}},
        {"business_hours": {"mon": "09:00-17:00"}},
        {"business_hours": {"mon": ["9-17"]}},
        {"business_hours": {"mon": ["09:00-25:00"]}},
        {"business_hours": {"mon": ["09:00-09:00"]}},
        {"business_hours": {"mon": [9]}},
        {"holidays": ["Christmas"]},
        {"holidays": "2026-12-25"},
    ],
)
def test_what_is_no_calendar_is_refused_with_its_place(tenant):
    with pytest.raises(DefinitionsError, match=r"tenants\.t\.(business_hours|holidays)"):
        declare({"tenants": {"t": tenant}})


@pytest.mark.parametrize("target", [0, -1, "1h", True])
def test_a_target_must_be_seconds(target):
    with pytest.raises(DefinitionsError, match="frt_target"):
        declare({"frt_target": target})


def test_another_calendar_is_another_state():
    def fingerprint(**tenant):
        return declare({"tenants": {"t": tenant}}).stored("ticket")

    assert fingerprint() == fingerprint(holidays=[])
    assert len({fingerprint(), fingerprint(business_hours=OFFICE), fingerprint(holidays=["2026-12-25"])}) == 3


def test_the_same_declaration_is_the_same():
    table = {"tenants": {"t": {"business_hours": OFFICE}}}
    assert declare(table) == declare(table)
    assert hash(declare(table).calendar("t")) == hash(declare(table).calendar("t"))
