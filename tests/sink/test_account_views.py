"""One row per account on the real engine, against a slow evaluation of random events and numbers worked by hand."""

from datetime import UTC, datetime

import pytest

from pipeline.metrics.definitions import declare
from pipeline.sink.rows import declaration
from pipeline.sink.tables import DEFINITIONS, TABLES
from pipeline.state.kinds import KINDS
from tests import customer_oracle as oracle
from tests.builders import DAY, HOUR, event, iso, ms
from tests.customer_stories import TENANTS, story
from tests.sink.told import log_of, rows_of

PLAIN = (
    "stage", "owner", "segment", "problems", "preferences", "mrr_minor", "seats", "out_of_scope_minor", "paid",
    "failed", "open_tickets", "felt", "last_csat", "last_nps", "features_used", "days_used", "last_milestone",
)  # fmt: skip
SCORES = ("adoption_score", "speed_score", "sentiment_score", "payment_score", "health", "confidence")


@pytest.fixture
def tell(engine, write, store):
    """Events of any streams into the tables, with what is declared."""

    def told(events, **declared):
        for table in TABLES:
            engine.command(f"TRUNCATE TABLE {table.name}")
        definitions = declare({"tenants": TENANTS, **declared})
        store.insert(DEFINITIONS, [declaration(definitions, 1)])
        for stream in KINDS:
            mine = [said for said in events if said["type"].split(".")[1] == stream]
            half = len(mine) // 2
            log = log_of([mine[:half], mine[half:]], stream=stream, definitions=definitions)
            write(rows_of(log, definitions=definitions))

    return told


def utc(at):
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]


def instant(at):
    """As the driver reads it: without its zone, which is UTC."""
    return datetime.fromtimestamp(at / 1000, UTC).replace(tzinfo=None)


def rows_at(engine, at):
    rows = engine.query("SELECT * FROM account_360_at(at = {a:String})", a=utc(at))
    return {(row["tenant"], row["account"]): row for row in rows}


def said(stream, what, at, account="a", **data):
    return event(
        what, at, type=f"pulse.{stream}.{what}", contact=None, accountid=account,
        id=f"{stream}-{what}-{account}-{at}-{data}", **data,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shift", [0, -30 * DAY, 26 * HOUR])
def test_every_account_is_what_a_slow_reading_of_the_events_says(engine, tell, seed, shift):
    told = story(seed)
    asked = type("Asked", (oracle.Asked,), {"core": ("board", "export"), "k": 2, "d": 2, "w": 21})
    tell(told, adoption={"core": ["board", "export"], "k": 2, "d": 2, "w": 21})
    at = ms(shift)
    expected, found = oracle.accounts_at(told, at, asked), rows_at(engine, at)
    assert set(found) == set(expected)
    assert len(expected) > 5
    for name, row in expected.items():
        mine = found[name]
        for column in PLAIN:
            assert mine[column] == row[column], (name, column)
        for column in SCORES:
            right = row[column]
            assert mine[column] == (None if right is None else pytest.approx(right)), (name, column)
        contact = row["last_contact_at"]
        assert mine["last_contact_at"] == (None if contact is None else instant(contact)), name


def test_the_stories_reach_every_score_and_its_absence():
    rows = [row for seed in range(4) for row in oracle.accounts_at(story(seed), ms(0)).values()]
    for score in SCORES[:4]:
        values = {row[score] for row in rows}
        assert None in values
        assert len(values) > 2


def test_an_account_with_only_a_ticket_has_a_row(engine, tell):
    tell([said("ticket", "created", 0, ticket_id="k")])
    row = rows_at(engine, ms(10))["t", "a"]
    assert (row["open_tickets"], row["health"], row["confidence"], row["mrr_minor"]) == (1, None, 0, {})


def test_amounts_of_two_currencies_are_never_added(engine, tell):
    tell(
        [
            said("subscription", "started", 0, subscription_id="s", mrr_minor=100, currency="EUR"),
            said("subscription", "started", 1, subscription_id="r", mrr_minor=40, currency="USD"),
        ]
    )
    assert rows_at(engine, ms(10))["t", "a"]["mrr_minor"] == {"EUR": 100, "USD": 40}


def test_a_merged_account_is_counted_under_the_one_it_went_on_as(engine, tell):
    """a into b into c: what a pays and asks is c's, and a has no row of its own from then on."""
    tell(
        [
            said("account", "created", 0, "a", owner="ann"),
            said("account", "created", 1, "c", owner="cid"),
            said("account", "merged", 100, "a", into="b"),
            said("account", "merged", 200, "b", into="c"),
            said("subscription", "started", 2, "a", subscription_id="s", mrr_minor=100, currency="EUR"),
            said("subscription", "started", 3, "c", subscription_id="s", mrr_minor=5, currency="EUR"),
            said("ticket", "created", 4, "a", ticket_id="k"),
        ]
    )
    assert {account for _, account in rows_at(engine, ms(50))} == {"a", "c"}
    rows = rows_at(engine, ms(300))
    assert {account for _, account in rows} == {"c"}
    row = rows["t", "c"]
    assert (row["owner"], row["mrr_minor"], row["open_tickets"]) == ("cid", {"EUR": 105}, 1)


def test_merges_in_a_ring_lose_nobody(engine, tell):
    tell(
        [
            said("account", "merged", 0, "a", into="b"),
            said("account", "merged", 1, "b", into="a"),
            said("ticket", "created", 4, "a", ticket_id="k"),
        ]
    )
    rows = rows_at(engine, ms(10))
    assert sum(row["open_tickets"] for row in rows.values()) == 1


def test_missing_scores_are_weighed_anew(engine, tell):
    """Sentiment 75 (a 4 of 1-5), payment 50 (one of two), by weights 0.3 and 0.1 of 1: 68.75, confidence 0.4."""
    tell(
        [
            said("survey", "answered", 0, survey_id="s", kind="csat", score=4, scale_min=1, scale_max=5, comment=False),
            said("subscription", "paid", 1, subscription_id="s", amount_minor=1, currency="EUR"),
            said("subscription", "payment_failed", 2, subscription_id="s"),
        ],
        health={"adoption": 0.3, "speed": 0.3, "sentiment": 0.3, "payment": 0.1},
    )  # fmt: skip
    row = rows_at(engine, ms(10))["t", "a"]
    assert (row["sentiment_score"], row["payment_score"]) == (75, 50)
    assert (row["adoption_score"], row["speed_score"]) == (None, None)
    assert (row["health"], row["confidence"]) == (pytest.approx(68.75), pytest.approx(0.4))


def test_what_is_older_than_the_declared_days_is_in_no_score(engine, tell):
    tell(
        [said("subscription", "paid", -8 * DAY, subscription_id="s", amount_minor=1, currency="EUR")],
        health={"days": 7},
    )
    assert rows_at(engine, ms(0))["t", "a"]["payment_score"] is None


def test_the_row_of_now_is_the_row_at_this_instant(engine, tell):
    tell([said("account", "created", 0, stage="adoption")])
    (row,) = engine.query("SELECT account, stage FROM account_360")
    assert row == {"account": "a", "stage": "adoption"}


def test_the_newest_declaration_holds(engine, tell, store):
    tell([])
    store.insert(DEFINITIONS, [declaration(declare({"n_min": 7, "thresholds": [17]}), 2)])
    assert engine.query("SELECT n_min FROM declared_now") == [{"n_min": 7}]


def test_nothing_declared_is_what_the_file_says_by_default(engine, tell, store):
    engine.command("TRUNCATE TABLE definitions")
    before = engine.query("SELECT * FROM declared_now")
    store.insert(DEFINITIONS, [declaration(declare({}), 2)])
    assert engine.query("SELECT * FROM declared_now") == before


def test_an_instant_is_written_as_events_write_it():
    assert utc(ms(1.5)) == iso(1.5).replace("T", " ").removesuffix("Z")
    assert instant(ms(1.5)).isoformat() == iso(1.5).removesuffix("Z") + "000"
