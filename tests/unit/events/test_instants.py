"""RFC 3339 text to ms UTC: exact, cut off, inside 2000 … 2100, or refused."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.events.instants import MS_2000, MS_2100, BadTimeError, instant_ms, instant_text

NINE = 1_772_442_000_000  # 2026-03-02T09:00:00Z


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-03-02T09:00:00Z", NINE),
        ("2026-03-02t09:00:00z", NINE),
        ("2026-03-02T09:00:00+00:00", NINE),
        ("2026-03-02T09:00:00-00:00", NINE),
        ("2026-03-02T11:00:00+02:00", NINE),
        ("2026-03-02T14:30:00+05:30", NINE),
        ("2026-03-01T23:30:00-09:30", NINE),
        ("2026-03-03T08:59:00+23:59", NINE),
        ("2026-03-02T09:00:00.2Z", NINE + 200),
        ("2026-03-02T09:00:00.25+00:00", NINE + 250),
        ("2026-03-02T09:00:00.250Z", NINE + 250),
        ("2026-03-02T09:00:00.0009Z", NINE),
        ("2026-03-02T09:00:00.999999999999Z", NINE + 999),
        # Rounding would make these tomorrow, next month, next year.
        ("2026-03-02T23:59:59.9999999Z", NINE + 15 * 3_600_000 - 1),
        ("2026-02-28T23:59:59.9996Z", NINE - 33 * 3_600_000 - 1),
        ("2000-01-01T00:00:00Z", MS_2000),
        ("2099-12-31T23:59:59.9999Z", MS_2100 - 1),
        ("1999-12-31T23:00:00-01:00", MS_2000),
        ("2100-01-01T00:59:59+01:00", MS_2100 - 1000),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
    ],
)
def test_instant_is_read_to_the_millisecond(text, ms):
    assert [instant_ms(text), instant_ms(text)] == [ms, ms]  # the second time from the cache


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-03-02",
        "2026-03-02T09:00:00",
        "2026-03-02 09:00:00Z",
        "2026-03-02T09:00Z",
        "2026-03-02T9:00:00Z",
        "2026-03-02T09:00:00,250Z",
        "2026-03-02T09:00:00.Z",
        "2026-03-02T09:00:00.2x0Z",
        "2026-03-02T09:00:00.0²0Z",
        "2026-03-02T09:00:00 Z",
        "2026-03-02T09:00:00Z\n",
        "2026-03-02T09:00:00+02",
        "2026-03-02T09:00:00+0200",
        "2026-03-02T09:00:00+05:60",
        "2026-03-02T09:00:00+05:99",
        "2026-03-02T09:00:00+24:00",
        "2026-03-02T09:00:00CET",
        "2026-03-02T24:00:00Z",
        "2026-03-02T23:59:60Z",
        "2026-03-02T25:00:00Z",
        "2026-02-29T09:00:00Z",
        "2026-13-01T09:00:00Z",
        "2026-03-02T0٩:00:00Z",
        "20260302T090000Z",
        "1772442000000",
        "1999-12-31T23:59:59.9999Z",
        "2000-01-01T00:30:00+01:00",
        "2100-01-01T00:00:00Z",
        "2099-12-31T23:30:00-01:00",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_anything_else_is_no_instant(text):
    instant_ms("2026-03-02T09:00:00Z")  # the cache must not answer for a text it does not know
    with pytest.raises(BadTimeError, match=r"RFC 3339|lies outside|out of range|must be in|offset"):
        instant_ms(text)


@given(st.integers(MS_2000, MS_2100 - 1))
def test_written_instant_is_read_back(ms):
    assert instant_ms(instant_text(ms)) == ms


@given(
    st.integers(MS_2000, MS_2100 - 1),
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
    st.text("0123456789", max_size=9),
)
def test_zone_and_finer_digits_change_nothing(ms, offset_minutes, digits):
    there = datetime.fromtimestamp(ms // 1000, UTC) + timedelta(minutes=offset_minutes)
    sign, (hours, minutes) = "-" if offset_minutes < 0 else "+", divmod(abs(offset_minutes), 60)
    text = f"{there:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}{digits}{sign}{hours:02d}:{minutes:02d}"
    assert instant_ms(text) == ms


@given(st.text(max_size=30))
def test_any_text_is_an_instant_or_refused(text):
    with suppress(BadTimeError):
        assert MS_2000 <= instant_ms(text) < MS_2100


def test_cache_of_seconds_keeps_zones_apart():
    assert instant_ms("2026-03-02T09:00:41.5+02:00") == NINE + 41_500 - 2 * 3_600_000
    assert instant_ms("2026-03-02T09:00:41Z") == NINE + 41_000
    assert instant_ms("2026-03-02T09:00:42.5+00:00") == NINE + 42_500
    assert instant_ms("2026-03-02T09:00:42.500Z") == NINE + 42_500
