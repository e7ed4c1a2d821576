"""Views of service levels, chains, talks and percentiles on the real engine, by hand and against the oracles."""

import pytest

from pipeline.metrics.families import CALLBACK, COHORT, CUSTOMER, HANDLE
from pipeline.metrics.service_level import BASES
from tests import chain_oracle, oracle
from tests.builders import DAY, event, iso, ms
from tests.sink.test_views import a_day, case_events, the, utc
from tests.sink.test_views import tell as tell  # noqa: PLC0414 - a fixture

SPAN = f"from='{utc(iso(0))}', to='{utc(iso(900))}'"


def chained(seed):
    """The calls of test_views, every third one the later continuation of another; some talks end."""
    events = a_day(seed)
    for said in events:
        data, number = said["data"], int(said["data"]["contact_id"][1:])
        is_leave = not said["type"].endswith("queued")
        if number % 3 == 1 and is_leave:
            what = ("transferred", "callback_requested", "answered")[number // 3 % 3]
            said["type"] = f"pulse.call.{what}"
        if number % 3 == 0 and number < 110:
            data["initial_contact_id"] = f"c{number + 1}"
            said["type"] = "pulse.call.answered" if is_leave else said["type"]
            for place, name in ((said, "time"), (data, "enqueued_at")):
                if name in place:
                    place[name] = iso((oracle.instant(place[name]) - ms(0)) / 1000 + 250)
        if said["type"].endswith("answered"):
            data["talk_started_at"] = iso((oracle.instant(said["time"]) - ms(0)) / 1000 + 3)
    ends = [
        event("ended", (oracle.instant(said["time"]) - ms(0)) / 1000 + 60, contact=said["data"]["contact_id"],
              initial_contact_id=said["data"].get("initial_contact_id"))
        for said in events if said["type"].endswith("answered")
    ]  # fmt: skip
    return events + ends[::2]


def test_case_a1_by_day(engine, tell):
    """Requested at 11:37:00, talk at 11:39:25: 145 s kept; 265 s from first enqueue to talk; 335 s of talk."""
    tell(case_events("A1"))
    row = the(engine, "SELECT value, n, path, queue FROM asa_customer")
    assert row == {"value": 265, "n": 1, "path": "callback", "queue": "callback"}
    assert the(engine, "SELECT value, n, queue FROM callback_kept") == {
        "value": 1,
        "n": 1,
        "queue": "inbound",
    }
    assert the(engine, "SELECT value, n FROM callback_wait") == {"value": 145, "n": 1}
    assert the(engine, "SELECT value, n FROM handle_time") == {"value": 335, "n": 1}


def test_service_levels_stand_side_by_side(engine, tell):
    """Ten offered: answered after 8, 15 and 60 s, abandoned after 3, 18 and 50, callback after 9, flowed out after
    5, two still wait. X = 20, S = 5."""
    leaves = [("answered", 8), ("answered", 15), ("answered", 60), ("abandoned", 3), ("abandoned", 18),
              ("abandoned", 50), ("callback_requested", 9), ("flowed_out", 5)]  # fmt: skip
    events = [event("queued", 0, contact=f"c{number}") for number in range(10)]
    events += [event(what, wait, contact=f"c{number}") for number, (what, wait) in enumerate(leaves)]
    tell(events)
    expected = {
        "strict": (2, 9), "all": (2, 10), "answered": (2, 3), "forgiving": (2, 8), "amazon": (5, 10), "genesys": (2, 6),
    }  # fmt: skip
    rows = {row["definition"]: row for row in engine.query("SELECT * FROM service_level")}
    assert {name: (row["value"], row["n"]) for name, row in rows.items()} == {
        name: (pytest.approx(part / n), n) for name, (part, n) in expected.items()
    }
    # Wilson 1927 for 2 of 10 at 95 %: 5.67 … 50.98 %.
    assert (rows["all"]["low"], rows["all"]["high"]) == (
        pytest.approx(0.0567, abs=5e-5),
        pytest.approx(0.5098, abs=5e-5),
    )
    window = engine.query(
        f"SELECT definition, part, n FROM support_window({SPAN}) WHERE metric = 'service_level'"
    )
    assert {row["definition"]: (row["part"], row["n"]) for row in window} == expected

    def genesys(**switches):
        asked = {"flowouts": 0, "drop_short": 0, "drop_abandoned": 0, **switches}
        text = ", ".join(f"{name}={value}" for name, value in asked.items())
        rows = engine.query(
            f"SELECT * FROM service_level_of({SPAN}, x=20, s=5, {text}) WHERE definition = 'genesys'"
        )
        return rows[0]["part"], rows[0]["n"]

    assert genesys() == (2, 6)
    assert genesys(flowouts=1) == (2, 7)
    assert genesys(drop_short=1) == (2, 5)
    assert genesys(drop_abandoned=1) == genesys(drop_short=1, drop_abandoned=1) == (2, 3)


def test_service_level_in_an_undeclared_format_is_absent(engine, tell, write, store):
    tell([event("queued", 0), event("answered", 9)])
    engine.command("TRUNCATE TABLE definitions")
    assert {(row["value"], row["n"]) for row in engine.query("SELECT * FROM service_level")} == {(None, 0)}


def series_of(told, at=None):
    return sorted({(leg.queue, leg.channel) for leg in oracle.legs(told, at)})


@pytest.mark.parametrize("seed", [4, 5])
def test_windows_agree_with_the_oracles(engine, tell, seed):
    events = chained(seed)
    tell(events)
    start, end = ms(200), ms(600)
    span = f"from='{utc(iso(200))}', to='{utc(iso(600))}'"
    legs, chains = oracle.legs(events), chain_oracle.chains(events)
    found = {
        (row["queue"], row["channel"], row["metric"], row["definition"]): (row["value"], row["n"])
        for row in engine.query(f"SELECT * FROM support_window({span})")
    }
    checked = 0
    for queue, channel in series_of(events):
        dims = {"queue": queue, "channel": channel}
        asked = oracle.Asked(oracle.chosen(legs, dims), start, end)
        expected = {
            ("service_level", name): oracle.service_level(asked._replace(parameters={"name": name}))
            for name in BASES
        }
        expected |= {
            (name, "default"): read(chains, dims, start, end) for name, read in chain_oracle.CHAINS.items()
        }
        expected["handle_time", "default"] = oracle.handle_time(asked)
        for (metric, definition), (value, n) in expected.items():
            got = found.get((queue, channel, metric, definition), (None, 0))
            assert got == (None if value is None else pytest.approx(value), n), (
                queue,
                channel,
                metric,
                definition,
            )
            checked += value is not None
    assert checked > 40
    paths = {
        (row["queue"], row["channel"], row["path"]): (row["value"], row["n"])
        for row in engine.query(f"SELECT * FROM asa_customer_window({span})")
    }
    assert len({path for *_, path in paths}) > 1
    for (queue, channel, path), number in paths.items():
        dims = {"queue": queue, "channel": channel, "path": path}
        assert number == pytest.approx(chain_oracle.asa_customer(chains, dims, start, end))


@pytest.mark.parametrize(("x", "s"), [(20, 5), (7.5, 0), (33, 61)])
def test_service_levels_of_facts_agree_with_the_oracle(engine, tell, x, s):
    events = chained(6)
    tell(events)
    legs = oracle.legs(events)
    for switches in ({}, {"flowouts": 1}, {"drop_short": 1}, {"flowouts": 1, "drop_abandoned": 1}):
        told = ", ".join(
            f"{name}={switches.get(name, 0)}" for name in ("flowouts", "drop_short", "drop_abandoned")
        )
        sql = f"SELECT * FROM service_level_of(from='{utc(iso(3))}', to='{utc(iso(700.5))}', x={x}, s={s}, {told})"
        rows = engine.query(sql)
        assert rows
        for row in rows:
            chosen = oracle.chosen(legs, {"queue": row["queue"], "channel": row["channel"]})
            asked = {"name": row["definition"], "X": x, "S": s, **switches}
            value, n = oracle.service_level(oracle.Asked(chosen, ms(3), ms(700.5), parameters=asked))
            assert (row["value"], row["n"]) == (None if value is None else pytest.approx(value), n), row


@pytest.mark.parametrize("by", ["leave", "enqueue"])
def test_percentiles_are_exact_by_nearest_rank(engine, tell, by):
    events = chained(7)
    tell(events)
    legs = oracle.legs(events)
    sql = f"SELECT * FROM asa_percentiles(from='{utc(iso(100))}', to='{utc(iso(800))}') WHERE counted_by = '{by}'"
    rows = engine.query(sql)
    assert len(rows) > 4
    for row in rows:
        chosen = oracle.chosen(legs, {"queue": row["queue"], "channel": row["channel"]})
        for name, read in chain_oracle.RANKS.items():
            assert (row[name], row["n"]) == read(oracle.Asked(chosen, ms(100), ms(800), by))


def test_days_agree_with_windows(engine, tell):
    tell(chained(8))
    sql = "SELECT queue, channel, metric, definition, counted_by, part, n FROM {} ORDER BY ALL"
    window = f"support_window(from='{utc(iso(-DAY))}', to='{utc(iso(DAY))}')"
    assert engine.query(sql.format("support_days")) == engine.query(sql.format(window))


def test_an_erased_customer_is_in_no_view(engine, tell):
    told = [event("queued", 0), event("answered", 9), event("ended", 90), event("deleted", 100)]
    tell(told)
    for view in ("service_level", "asa_customer", "handle_time", "answered_waits"):
        assert engine.query(f"SELECT * FROM {view}") == []


def test_cells_have_the_names_the_families_give_them(engine):
    for view, family in (
        ("cohort_now", COHORT),
        ("customer_now", CUSTOMER),
        ("callback_now", CALLBACK),
        ("handle_now", HANDLE),
    ):
        text = the(engine, f"SHOW CREATE VIEW {view}")["statement"]
        for counter in family.counters:
            assert f"v[{family.cell(counter) + 1}] AS {counter}" in text
    assert COHORT.histograms == ("answered_wait", "abandoned_wait", "callback_wait")
