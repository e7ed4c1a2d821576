"""Views of metrics on the real engine, against numbers worked by hand and against the oracle."""

import json
import random
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pipeline.metrics.definitions import declare
from pipeline.metrics.families import COHORT, LEAVE
from pipeline.sink.rows import declaration
from pipeline.sink.tables import DEFINITIONS
from tests import oracle
from tests.builders import DAY, UNDECLARED, event, iso, ms
from tests.sink.told import log_of, rows_of

CASES = Path(__file__).parent.parent / "cases"
DAY_VIEWS = (
    "asa_queue", "wait_all", "wait_abandoned", "offered", "answered", "abandoned", "abandon_rate",
    "callbacks_requested", "transferred_out", "flowed_out", "bot_answered",
)  # fmt: skip


def declare_to(store, definitions=UNDECLARED):
    store.insert(DEFINITIONS, [declaration(definitions, 1)])


@pytest.fixture
def tell(write, store):
    def told(events, definitions=UNDECLARED):
        declare_to(store, definitions)
        write(rows_of(log_of([events], definitions=definitions), definitions=definitions))

    return told


def case_events(name):
    case = json.loads((CASES / f"{name}.json").read_text())
    return [
        {"specversion": "1.0", "source": "/case", "id": f"e{place}", "tenantid": "t", **said}
        for place, said in enumerate(case["events"])
    ]


def the(engine, sql, **parameters):
    (row,) = engine.query(sql, **parameters)
    return row


def utc(text):
    return text.replace("T", " ").replace("Z", "")


def test_case_a1_by_day(engine, tell):
    """in1 waits 120 s and asks for a callback; cb1 is due 99 s later and waits 21 s."""
    tell(case_events("A1"))

    def asked(view, rest, chosen="*"):
        parts = ("SELECT", chosen, "FROM", view, "WHERE counted_by = 'leave' AND day = '2026-03-02'", rest)
        return the(engine, " ".join(parts))

    inbound = asked("asa_queue", "AND queue = 'inbound' AND definition = 'enqueued'")
    assert (inbound["value"], inbound["n"], inbound["day"]) == (None, 0, date(2026, 3, 2))
    enqueued = asked("asa_queue", "AND queue = 'callback' AND definition = 'enqueued'")
    assert (enqueued["value"], enqueued["n"]) == (21, 1)
    created = asked("asa_queue", "AND queue = 'callback' AND definition = 'created'")
    assert (created["value"], created["n"]) == (120, 1)
    waited = asked("wait_all", "AND queue = 'inbound'")
    assert (waited["value"], waited["n"]) == (120, 1)
    assert asked("callbacks_requested", "AND queue = 'inbound'")["value"] == 1
    assert asked("abandoned", "", "sum(value) AS value")["value"] == 0


@pytest.mark.parametrize(
    ("at", "in_queue", "scheduled", "oldest"),
    [("11:36:00", 1, 0, 60), ("11:38:00", 0, 1, None), ("11:38:50", 1, 0, 11)],
)
def test_case_a1_at_instants(engine, tell, at, in_queue, scheduled, oldest):
    tell(case_events("A1"))
    sql = "SELECT sum(in_queue) AS i, sum(scheduled) AS s, max(oldest_waiting) AS o FROM waiting_at(at={at:String})"
    found = the(engine, sql, at=f"2026-03-02 {at}")
    assert (found["i"], found["s"], found["o"]) == (in_queue, scheduled, oldest)


def test_case_a5_the_menu_is_not_the_queue(engine, tell):
    """Twenty minutes in the menu, five seconds in the queue; an empty window has no row."""
    tell(case_events("A5"))
    asa = the(engine, "SELECT value, n FROM asa_queue WHERE definition = 'enqueued' AND counted_by = 'leave'")
    assert (asa["value"], asa["n"]) == (5, 1)
    empty = engine.query("SELECT * FROM support_window(from='2026-03-02 03:00:00', to='2026-03-02 03:05:00')")
    assert empty == []


def test_a_rate_carries_its_wilson_interval(engine, tell):
    """Of ten offered, four abandoned, one of them within five seconds: 3/10 is in 10.78 … 60.32 %
    (Newcombe 1998, method 3)."""
    waits = [4, 6, 20, 5.001]
    events = [event("queued", i, contact=f"c{i}") for i in range(10)]
    events += [event("abandoned", i + wait, contact=f"c{i}") for i, wait in enumerate(waits)]
    tell(events)
    rate = the(engine, "SELECT * FROM abandon_rate")
    assert (rate["value"], rate["n"]) == (0.3, 10)
    assert rate["low"] == pytest.approx(0.1078, abs=5e-5)
    assert rate["high"] == pytest.approx(0.6032, abs=5e-5)


def test_a_rate_of_nothing_abandoned_begins_at_zero(engine, tell):
    tell([event("queued", 0)])
    rate = the(engine, "SELECT * FROM abandon_rate")
    assert (rate["value"], rate["low"], rate["n"]) == (0, 0, 1)


def test_further_thresholds_move_the_histogram_and_not_the_rate(engine, tell):
    definitions = declare({"thresholds": [4, 7]})
    tell([event("queued", 0), event("abandoned", 5)], definitions)
    assert the(engine, "SELECT value FROM abandon_rate")["value"] == 0


def test_a_rate_in_an_undeclared_format_is_absent_and_counts_are_not(engine, write):
    write(rows_of(log_of([[event("queued", 0), event("abandoned", 9)]])))
    assert the(engine, "SELECT value FROM abandon_rate")["value"] is None
    assert the(engine, "SELECT value FROM offered")["value"] == 1


def test_a_window_off_the_ten_second_edges_is_an_error(engine, tell):
    tell([event("queued", 0)])
    with pytest.raises(Exception, match="10-second edges"):
        engine.query("SELECT * FROM support_window(from='2026-03-02 09:00:01', to='2026-03-02 09:01:00')")


def test_a_window_takes_its_start_and_leaves_its_end(engine, tell):
    #       0        10        20
    #  a,b  |a        |b
    tell([event("queued", 0, contact="a"), event("queued", 10, contact="b")])
    sql = "SELECT value FROM support_window(from={f:String}, to={t:String}) WHERE metric = 'offered'"
    assert the(engine, sql, f=utc(iso(0)), t=utc(iso(10)))["value"] == 1
    assert the(engine, sql, f=utc(iso(0)), t=utc(iso(20)))["value"] == 2
    assert the(engine, sql, f=utc(iso(10)), t=utc(iso(20)))["value"] == 1


def test_longer_than_declared_is_stuck(engine, tell):
    tell([event("queued", 0)], declare({"stuck_after": 60}))
    sql = "SELECT in_queue, stuck, oldest_waiting FROM waiting_at(at={at:String})"
    assert the(engine, sql, at=utc(iso(60))) == {"in_queue": 1, "stuck": 0, "oldest_waiting": 60}
    assert the(engine, sql, at=utc(iso(61))) == {"in_queue": 0, "stuck": 1, "oldest_waiting": None}


def test_contradicting_legs_stand_in_quarantine_alone(engine, tell):
    tell([event("queued", 10), event("answered", 5)])
    leg = the(engine, "SELECT contact_id, contradiction, queued_at FROM quarantine")
    assert (leg["contact_id"], leg["contradiction"]) == ("c", "leave_before_begin")
    assert engine.query("SELECT * FROM answered") == []
    assert the(engine, "SELECT n, since FROM levels_now WHERE family = 'quarantine'")["n"] == 1


def test_cells_have_the_names_the_families_give_them(engine, write):
    """Each named column of the views is the cell its family gives that name."""
    for view, family in (("leave_now", LEAVE), ("cohort_now", COHORT)):
        text = the(engine, f"SHOW CREATE VIEW {view}")["statement"]
        for counter in family.counters:
            assert f"v[{family.cell(counter) + 1}] AS {counter}" in text
    assert COHORT.histograms.index("abandoned_wait") == 1
    assert f"arraySlice(v, {len(COHORT.counters) + 1} + (1 * (length(bounds_ms) + 1))" in text


@pytest.mark.parametrize("view", DAY_VIEWS)
def test_every_day_view_answers(engine, tell, view):
    tell(case_events("A1"))
    rows = engine.query("SELECT * FROM {view:Identifier}", view=view)
    assert rows
    assert {"tenant", "queue", "channel", "day", "definition", "counted_by", "value", "n"} <= set(rows[0])


def a_day(seed):
    """Some hundred calls of three queues, told as they come to mind."""
    rng = random.Random(seed)
    events = []
    for number in range(120):
        at = rng.randrange(0, 900)
        more = {"contact": f"c{number}", "channel": rng.choice(["voice", "chat"])}
        leave = rng.choice(
            ["answered", "abandoned", "callback_requested", "transferred", "flowed_out", "ended", None]
        )
        enqueued = at + rng.choice([0, 0, 0, 45, -5])
        if rng.random() < 0.9:
            events.append(event("queued", at, queue_id=rng.choice("abc"), enqueued_at=enqueued, **more))
        if leave:
            extra = {"answered_by": rng.choice(["human", "bot"])} if leave == "answered" else {}
            events.append(event(leave, at + rng.randrange(-2, 90), **extra, **more))
    rng.shuffle(events)
    return events


@pytest.mark.parametrize("seed", [1, 2])
def test_windows_and_instants_agree_with_the_oracle(engine, tell, seed):
    events = a_day(seed)
    tell(events)
    legs = oracle.legs(events)
    start, end = ms(200), ms(600)
    series = {(leg.queue, leg.channel) for leg in legs}
    window = engine.query(
        "SELECT * FROM support_window(from={f:String}, to={t:String})", f=utc(iso(200)), t=utc(iso(600))
    )
    read = {
        "asa_queue": oracle.asa_queue, "wait_all": oracle.wait_all, "abandon_rate": oracle.abandon_rate,
        "answered": oracle._counted("answered"), "abandoned": oracle._counted("abandoned"),
        "bot_answered": oracle._counted("bot_answered"),
    }  # fmt: skip
    checked = 0
    for row in window:
        if row["metric"] in read:
            chosen = [leg for leg in legs if (leg.queue, leg.channel) == (row["queue"], row["channel"])]
            asked = oracle.Asked(chosen, start, end, row["counted_by"], {"name": row["definition"]})
            value, n = read[row["metric"]](asked)
            assert row["value"] == pytest.approx(value), row
            assert n is None or row["n"] == n
            checked += value is not None
    assert checked > 50
    for at in range(0, 1000, 37):
        known = oracle.legs(events, ms(at))
        found = {
            (row["queue"], row["channel"]): row
            for row in engine.query("SELECT * FROM waiting_at(at={at:String})", at=utc(iso(at)))
        }
        for queue, channel in series:
            chosen = oracle.Asked([leg for leg in known if (leg.queue, leg.channel) == (queue, channel)])
            row = found.get((queue, channel), {"in_queue": 0, "scheduled": 0, "oldest_waiting": None})
            assert row["in_queue"] == oracle.in_queue(chosen, ms(at))[0]
            assert row["scheduled"] == oracle.scheduled(chosen, ms(at))[0]
            assert row["oldest_waiting"] == oracle.oldest_waiting(chosen, ms(at))[0]


def test_days_agree_with_windows(engine, tell):
    """A day without a horizon is the sum of its ten seconds."""
    tell(a_day(3))
    sql = "SELECT queue, channel, metric, definition, counted_by, part, n FROM {} ORDER BY ALL"
    window = f"support_window(from='{utc(iso(-DAY))}', to='{utc(iso(DAY))}')"
    assert engine.query(sql.format("support_days")) == engine.query(sql.format(window))


def test_levels_tell_since_when(engine, tell):
    tell([event("queued", 3, contact="a"), event("queued", 7, contact="b"), event("queued", 17, contact="c")])
    rows = engine.query("SELECT since, n FROM levels_now WHERE family = 'waiting' ORDER BY since")
    assert [row["n"] for row in rows] == [2, 1]
    assert rows[0]["since"].replace(tzinfo=UTC) == datetime.fromtimestamp(ms(0) / 1000, UTC)
