"""What may be declared, and that every fault is told at once."""

import re
from pathlib import Path

import pytest

from pipeline.metrics.buckets import DEFAULT_BOUNDS_S
from pipeline.metrics.cost import SupportCost
from pipeline.metrics.declared import PARAMETERS
from pipeline.metrics.definitions import _KNOWN, _TENANT_KNOWN, DefinitionsError, declare
from pipeline.metrics.families import FAMILIES
from pipeline.metrics.gaming import Gaming
from pipeline.metrics.health import Health


def test_undeclared_tenant_is_utc():
    assert str(declare({}).zone("nobody")) == "UTC"


def test_declared_zone_is_the_tenants_alone():
    found = declare({"tenants": {"a": {"tz": "Asia/Kolkata"}}})
    assert [str(found.zone(name)) for name in ("a", "b")] == ["Asia/Kolkata", "UTC"]


def test_threshold_becomes_a_bound_once():
    found = declare({"thresholds": [7, 20, 0.5]})
    assert found.bounds_ms == tuple(sorted({*(s * 1000 for s in DEFAULT_BOUNDS_S), 7_000, 500}))


def test_weeks_begin_on_monday_unless_declared():
    found = declare({"tenants": {"a": {"week_start": "sun"}, "b": {}}})
    assert [found.tenants[name].week_start for name in "ab"] == [7, 1]


def test_all_faults_are_told_at_once():
    table = {
        "tenant": {},
        "tenants": {"a": {"tz": "Mars/Olympus", "week_start": "first", "colour": "red"}, "b": 5},
        "thresholds": [0, "x"],
        "stuck_after": -1,
        "n_min": True,
    }
    with pytest.raises(DefinitionsError) as caught:
        declare(table)
    told = str(caught.value)
    for place in (
        "tenant:",
        "tenants.a.tz",
        "tenants.a.week_start",
        "tenants.a.colour",
        "tenants.b",
        "thresholds[0]",
        "thresholds[1]",
    ):
        assert place in told
    assert "stuck_after" in told
    assert "n_min" in told


def test_another_threshold_or_zone_is_another_state_format():
    prints = {
        declare(table).stored("call")
        for table in ({}, {"thresholds": [7]}, {"tenants": {"a": {"tz": "Asia/Kolkata"}}})
    }
    assert len(prints) == 3


def test_what_is_not_baked_into_buckets_keeps_the_state_format():
    one, other = declare({}), declare({"stuck_after": 60, "n_min": 5, "tenants": {"a": {"tz": "UTC"}}})
    assert one.baked == other.baked == {}
    assert one.fingerprint != other.fingerprint


def test_weights_of_health_not_declared_are_as_before():
    assert declare({"health": {"payment": 0}}).health == Health(0.4, 0.2, 0.2, 0, 90)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (7, "health: must be a table"),
        ({"mood": 1}, "health.mood: unknown"),
        ({"speed": -1}, "health.speed: -1 is no weight"),
        ({"speed": float("inf")}, "health.speed: inf is no weight"),
        ({"days": 0}, "health.days: 0 is not a whole number"),
        (dict.fromkeys(("adoption", "speed", "sentiment", "payment"), 0), "one weight at least"),
    ],
)
def test_health_that_cannot_be_is_told(table, told):
    with pytest.raises(DefinitionsError, match=told):
        declare({"health": table})


def test_health_is_applied_when_reading():
    assert declare({"health": {"days": 7}}).baked == {}


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (7, "gaming: must be a table"),
        ({"agent": 1}, "gaming.agent: unknown"),
        ({"baseline": 6}, "gaming.baseline: 6 is not a whole number from 7"),
        ({"baseline": 7.5}, "gaming.baseline: 7.5 is not a whole number"),
        ({"short_share": 1}, "gaming.short_share: 1 is no share"),
        ({"reopened_share": "0.1"}, "gaming.reopened_share: '0.1' is not a number"),
    ],
)
def test_a_watch_that_cannot_be_is_told(table, told):
    with pytest.raises(DefinitionsError, match=told):
        declare({"gaming": table})


def test_waits_are_watched_at_the_service_level_and_at_what_is_declared():
    assert declare({"thresholds": [17, 20]}).thresholds_ms == (17_000, 20_000)
    assert declare({"gaming": {"baseline": 14}}).gaming == Gaming(14, 0.05, 0.2)


def support_cost(table):
    return declare({"tenants": {"acme": {"support_cost": table}}})


def test_what_support_costs_is_applied_when_reading():
    told = support_cost({"currency": "EUR", "ticket_minor": 650})
    assert told.tenants["acme"].support_cost == SupportCost("EUR", 0, 650)
    assert told.baked == {}
    assert declare({"tenants": {"acme": {}}}).tenants["acme"].support_cost is None


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (7, "tenants.acme.support_cost: must be a table"),
        ({"currency": "EUR", "hour": 1}, "tenants.acme.support_cost.hour: unknown"),
        ({"currency": "euro", "hour_minor": 1}, "currency: 'euro' is no currency"),
        ({"hour_minor": 1}, "currency: None is no currency"),
        ({"currency": "EUR", "hour_minor": -1}, "hour_minor: -1 is no amount"),
        ({"currency": "EUR", "ticket_minor": True}, "ticket_minor: True is no amount"),
        ({"currency": "EUR"}, "hour_minor: it or ticket_minor must be above 0"),
    ],
)
def test_a_support_cost_that_cannot_be_is_told(table, told):
    with pytest.raises(DefinitionsError, match=told):
        support_cost(table)


def queues_of(table):
    return declare({"tenants": {"acme": {"ticket_groups": table}}}).tenants["acme"].queues_of


def test_ticket_groups_are_read_as_the_queues_of_each_group():
    assert queues_of({"sales": "first", "care": ["first", "billing"]}) == {
        "billing": ("care",),
        "first": ("care", "sales"),
    }
    assert queues_of({"sales": ["first", "first"]}) == {"first": ("sales",)}
    assert declare({"tenants": {"acme": {}}}).tenants["acme"].queues_of == {}


@pytest.mark.parametrize("table", ["first", {"sales": 7}, {"sales": []}, {"sales": ["first", 7]}])
def test_ticket_groups_that_cannot_be_are_told(table):
    with pytest.raises(DefinitionsError, match=r"tenants\.acme\.ticket_groups: must be a table"):
        queues_of(table)


SETTINGS = (Path(__file__).parents[3] / "docs/settings.md").read_text(encoding="utf-8")


def test_every_key_that_may_be_declared_is_a_parameter_that_says_how_a_change_applies():
    known = {each.name.removeprefix("tenants.*.") for each in PARAMETERS}
    assert {*_KNOWN, *_TENANT_KNOWN} - {"tenants"} == known


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda each: each.name)
def test_the_page_tells_of_a_parameter_how_a_change_applies(parameter):
    (row,) = re.findall(rf"^\| `{re.escape(parameter.name)}` \|.*$", SETTINGS, re.MULTILINE)
    assert row.split(" | ")[3].startswith(parameter.applies)


CHANGES = {
    "thresholds": {"thresholds": [17]},
    "stuck_after": {"stuck_after": 60},
    "n_min": {"n_min": 7},
    "frt_target": {"frt_target": 60},
    "recognition": {"recognition": "event"},
    "margin": {"margin": 0.5},
    "adoption": {"adoption": {"a": 7}},
    "health": {"health": {"days": 7}},
    "gaming": {"gaming": {"baseline": 14}},
    "tz": {"tz": "Asia/Tokyo"},
    "week_start": {"week_start": "sun"},
    "business_hours": {"business_hours": {"mon": ["09:00-17:00"]}},
    "holidays": {"holidays": ["2026-12-25"]},
    "ticket_groups": {"ticket_groups": {"sales": "first"}},
    "support_cost": {"support_cost": {"currency": "EUR", "hour_minor": 1}},
}


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda each: each.name)
@pytest.mark.parametrize("stream", sorted({family.stream for family in FAMILIES.values()}))
def test_a_change_is_in_the_state_of_just_the_streams_that_store_it(parameter, stream):
    change = CHANGES[parameter.name.removeprefix("tenants.*.")]
    table = {"tenants": {"t": change}} if parameter.name.startswith("tenants") else change
    assert (declare(table).stored(stream) != declare({}).stored(stream)) == (stream in parameter.stored)
    assert set(declare(table).declared) == {parameter.name}
