"""Where windows begin and end, in UTC and in the tenant's zone."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.metrics.windows import (
    DAY_MS,
    LIVE_WINDOWS,
    Window,
    day_number,
    day_span,
    day_window,
    floor_bucket,
    live_window,
    local_date,
    midnight,
)

HOUR = 3_600_000
BUCHAREST = ZoneInfo("Europe/Bucharest")  # DST: 29 March 2026 03:00 → 04:00, 25 October 04:00 → 03:00
KOLKATA = ZoneInfo("Asia/Kolkata")  # UTC+5:30
KATHMANDU = ZoneInfo("Asia/Kathmandu")  # UTC+5:45
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # DST of half an hour
HAVANA = ZoneInfo("America/Havana")  # DST at midnight: 8 March 2026 00:00 → 01:00, 1 November 01:00 → 00:00
APIA = ZoneInfo("Pacific/Apia")  # had no 30 December 2011
ZONES = (ZoneInfo("UTC"), BUCHAREST, KOLKATA, KATHMANDU, LORD_HOWE, HAVANA, ZoneInfo("America/St_Johns"))


def at(text):
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def test_live_window_ends_with_the_running_bucket():
    #        17:25:10                      17:30:00  17:30:10
    #   ────────┼────────── 30 buckets ───────┼─────────┼──────
    #           [                             │   ^now  )
    found = live_window("5m", at("2026-03-02T17:30:07Z"))
    assert found == Window(at("2026-03-02T17:25:10Z"), at("2026-03-02T17:30:10Z"))


def test_live_window_at_an_edge_holds_the_bucket_that_begins_there():
    #        17:29:10                        17:30:00  17:30:10
    #   ────────┼─────────── 6 buckets ─────────┼─────────┼──────
    #           [                               ^now      )
    found = live_window("1m", at("2026-03-02T17:30:00Z"))
    assert found == Window(at("2026-03-02T17:29:10Z"), at("2026-03-02T17:30:10Z"))


def test_live_window_just_before_an_edge_ends_at_it():
    #        17:29:00                                  17:30:00
    #   ────────┼─────────── 6 buckets ───────────────────┼──────
    #           [                                     now^)
    found = live_window("1m", at("2026-03-02T17:29:59.999Z"))
    assert found == Window(at("2026-03-02T17:29:00Z"), at("2026-03-02T17:30:00Z"))


@given(st.sampled_from(sorted(LIVE_WINDOWS)), st.integers(946_684_800_000, 4_102_444_799_999))
def test_live_window_is_as_long_as_its_name_and_holds_now(name, now):
    window = live_window(name, now)
    assert window.end - window.start == LIVE_WINDOWS[name]
    assert window.start % 10_000 == 0
    assert window.end - 10_000 <= now < window.end


@pytest.mark.parametrize(("ms", "start"), [(0, 0), (9_999, 0), (10_000, 10_000), (10_001, 10_000)])
def test_bucket_starts_at_or_before_the_instant(ms, start):
    assert floor_bucket(ms) == start


@pytest.mark.parametrize(
    ("zone", "day", "start", "hours"),
    [
        (BUCHAREST, "2026-03-28", "2026-03-27T22:00:00Z", 24),
        (BUCHAREST, "2026-03-29", "2026-03-28T22:00:00Z", 23),
        (BUCHAREST, "2026-03-30", "2026-03-29T21:00:00Z", 24),
        (BUCHAREST, "2026-10-25", "2026-10-24T21:00:00Z", 25),
        (KOLKATA, "2026-03-02", "2026-03-01T18:30:00Z", 24),
        (KATHMANDU, "2026-03-02", "2026-03-01T18:15:00Z", 24),
        (LORD_HOWE, "2026-04-05", "2026-04-04T13:00:00Z", 24.5),
        (LORD_HOWE, "2026-10-04", "2026-10-03T13:30:00Z", 23.5),
        (HAVANA, "2026-03-08", "2026-03-08T05:00:00Z", 23),  # 00:00 is skipped: the day begins at 01:00
        (
            HAVANA,
            "2026-11-01",
            "2026-11-01T04:00:00Z",
            25,
        ),  # 00:00 comes twice: the day begins with the first
    ],
)
def test_local_day_has_the_hours_the_clocks_give_it(zone, day, start, hours):
    window = day_span(day_number(date.fromisoformat(day)), zone)
    assert (window.start, (window.end - window.start) / HOUR) == (at(start), hours)


def test_local_day_that_never_was_is_empty():
    window = day_span(day_number(date(2011, 12, 30)), APIA)
    assert window.start >= window.end


def test_local_day_of_an_instant_is_not_its_utc_day():
    #   UTC      2 March │ 3 March
    #   ─────────────────┼─────────
    #      18:29:59.999 ^│^ 18:30 = 00:00 in Kolkata on the 3rd … six hours before UTC's midnight
    assert local_date(at("2026-03-02T18:29:59.999Z"), KOLKATA) == date(2026, 3, 2)
    assert local_date(at("2026-03-02T18:30:00Z"), KOLKATA) == date(2026, 3, 3)


def test_day_number_names_a_date_by_its_midnight_in_utc():
    assert day_number(date(2026, 3, 2)) == at("2026-03-02T00:00:00Z")


@pytest.mark.parametrize(
    ("name", "now", "start"),
    [
        ("today", "2026-03-29T20:59:59Z", "2026-03-28T22:00:00Z"),
        ("today", "2026-03-29T21:00:00Z", "2026-03-29T21:00:00Z"),
        ("7d", "2026-03-31T12:00:00Z", "2026-03-24T22:00:00Z"),
        ("30d", "2026-03-31T12:00:00Z", "2026-03-01T22:00:00Z"),
        ("month", "2026-03-31T20:59:59Z", "2026-02-28T22:00:00Z"),
        ("month", "2026-03-31T21:00:00Z", "2026-03-31T21:00:00Z"),
        ("month", "2026-02-28T22:00:00Z", "2026-02-28T22:00:00Z"),
        ("30d", "2024-03-01T12:00:00Z", "2024-01-31T22:00:00Z"),  # 29 February lies between
    ],
)
def test_day_window_begins_at_a_local_midnight_and_ends_behind_now(name, now, start):
    assert day_window(name, at(now), BUCHAREST) == Window(at(start), at(now) + 1)


@given(st.sampled_from(ZONES), st.dates(date(2001, 1, 1), date(2098, 1, 1)))
def test_local_days_follow_each_other_without_gap(zone, day):
    number = day_number(day)
    assert (
        day_span(number, zone).end
        == day_span(number + DAY_MS, zone).start
        == midnight(date.fromordinal(day.toordinal() + 1), zone)
    )


@given(st.sampled_from(ZONES), st.integers(978_307_200_000, 4_000_000_000_000))
def test_instant_lies_inside_its_local_day(zone, ms):
    window = day_span(day_number(local_date(ms, zone)), zone)
    assert window.start <= ms < window.end
    assert local_date(ms, zone) == datetime.fromtimestamp(ms // 1000, UTC).astimezone(zone).date()
