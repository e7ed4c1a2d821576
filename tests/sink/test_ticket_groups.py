"""Queues and ticket groups in the watch on gamed numbers: which belong together is declared, by tenant.

Eleven days of a queue that answers after half a minute and of groups of which one ticket in twelve comes back. On
the last day the queue `sales` answers at once, and nearly every ticket of the groups comes back.
"""

from datetime import timedelta

import pytest

from pipeline.metrics.definitions import declare
from pipeline.sink.clickhouse import Store
from pipeline.sink.rows import declaration
from pipeline.sink.tables import DEFINITIONS
from tests.builders import DAY, HOUR, iso
from tests.sink.test_gaming_watch import FIRST, fill

LAST_DAY = 10
LAST = FIRST + timedelta(days=LAST_DAY)
SPAN = f"first = '{FIRST}', last = '{LAST}'"
PER_DAY = 12
QUEUES = ("sales", "support", "second")
GROUPS = ("first", "second")
TENANTS = {
    "apart": {},
    "shared": {"ticket_groups": {"sales": "first", "support": "first"}},
    "both": {"ticket_groups": {"sales": ["first", "second"]}},
    "elsewhere": {"ticket_groups": {"support": "first", "sales": "third"}},
}
"""By what they declare: all have the same queues and groups."""


def told(tenant, id_, what, at, data):
    envelope = {"specversion": "1.0", "id": id_, "source": "/s", "type": f"pulse.{what}"}
    return {**envelope, "time": iso(at), "tenantid": tenant, "data": data}


def days_of(tenant):
    said = []

    def tell(stream, what, at, data):
        said.append(told(tenant, f"e{len(said)}", f"{stream}.{what}", at, data))

    for day in range(LAST_DAY + 1):
        is_gamed = day == LAST_DAY
        for number in range(PER_DAY):
            at = day * DAY + number * 600
            for queue in QUEUES:
                about = {"contact_id": f"{queue}-{day}-{number}", "customer_ref": f"{queue}-{day}-{number}"}
                wait = 2 if is_gamed and queue == "sales" else 30 + day % 3
                tell("call", "queued", at, {**about, "queue_id": queue})
                tell("call", "answered", at + wait, about)
            for group in GROUPS:
                about = {"ticket_id": f"{group}-{day}-{number}"}
                customer = f"{group}-{day}-{number}"
                tell("ticket", "created", at, {**about, "group_id": group, "customer_ref": customer})
                tell("ticket", "message_added", at + HOUR, {**about, "author_kind": "agent"})
                tell("ticket", "solved", at + HOUR + 60, about)
                if number < (11 if is_gamed else 1):
                    tell("ticket", "reopened", at + HOUR + 120, about)
    return said


def asked_about(tenant):
    """Three answers on the last day: about a ticket of `first`, the same with a queue named, about a call."""
    answer = {"kind": "csat", "score": 1, "scale_min": 1, "scale_max": 5}
    for number, about in enumerate(
        (
            {"ticket_id": f"first-{LAST_DAY}-0"},
            {"ticket_id": f"first-{LAST_DAY}-1", "queue_id": "named"},
            {"contact_id": f"support-{LAST_DAY}-0"},
        )
    ):
        data = {"survey_id": f"v{number}", **answer, **about}
        yield told(tenant, f"v{number}", "survey.answered", LAST_DAY * DAY + 5 * HOUR, data)


@pytest.fixture(scope="module")
def watched(_migrated):
    said = [each for tenant in TENANTS for each in (*days_of(tenant), *asked_about(tenant))]
    fill(_migrated, said, n_min=10, tenants=TENANTS)
    return _migrated


def flags(engine, tenant):
    rows = engine.query(f"SELECT queue, kind, day FROM gaming_flags({SPAN}) WHERE tenant = '{tenant}'")
    assert {row["day"] for row in rows} <= {LAST}
    return {(row["queue"], row["kind"]) for row in rows}


REOPENED, FASTER = "solved_reopened", "faster_reopens_up"


@pytest.mark.parametrize(
    ("tenant", "expected"),
    [
        ("apart", {("first", REOPENED), ("second", REOPENED)}),
        ("shared", {("sales", FASTER), ("sales", REOPENED), ("support", REOPENED), ("second", REOPENED)}),
        ("both", {("sales", FASTER), ("sales", REOPENED)}),
        ("elsewhere", {("support", REOPENED), ("second", REOPENED)}),
    ],
)
def test_a_ticket_counts_in_the_queues_that_name_its_group_else_in_that_of_its_name(
    watched, tenant, expected
):
    assert flags(watched, tenant) == expected


@pytest.mark.parametrize(
    ("tenant", "expected"),
    [
        ("apart", {"first": 12, "second": 12}),
        ("shared", {"sales": 12, "support": 12, "second": 12}),
        ("both", {"sales": 24}),
        ("elsewhere", {"support": 12, "second": 12}),
    ],
)
def test_the_speed_of_tickets_stands_beside_that_of_their_queues(watched, tenant, expected):
    rows = watched.query(
        f"SELECT queue, n, seconds FROM gaming_speed({SPAN})"
        f" WHERE tenant = '{tenant}' AND stream = 'ticket' AND day = '{FIRST}'"
    )
    assert {row["queue"]: row["n"] for row in rows} == expected
    assert {row["seconds"] for row in rows} == {3600.0}


def test_each_queue_of_a_shared_group_has_the_whole_evidence(watched):
    rows = watched.query(
        f"SELECT queue, groupArray(entity) AS tickets FROM gaming_evidence({SPAN})"
        f" WHERE tenant = 'shared' AND kind = '{REOPENED}' AND queue != 'second' GROUP BY queue"
    )
    tickets = sorted(f"first-{LAST_DAY}-{number}" for number in range(11))
    assert {row["queue"]: sorted(row["tickets"]) for row in rows} == {"sales": tickets, "support": tickets}


@pytest.mark.parametrize(
    ("tenant", "of_ticket"),
    [("apart", {"first"}), ("shared", {"sales", "support"}), ("both", {"sales"}), ("elsewhere", {"support"})],
)
def test_an_answer_that_names_only_a_ticket_stands_in_the_queues_of_its_group(watched, tenant, of_ticket):
    rows = watched.query(
        f"SELECT entity, queue FROM gaming_observations({SPAN}) WHERE tenant = '{tenant}' AND sign = 'csat'"
    )
    found = {}
    for row in rows:
        found.setdefault(row["entity"], set()).add(row["queue"])
    assert found == {"v0": of_ticket, "v1": {"named"}, "v2": {"support"}}


def test_a_contact_is_followed_once_however_many_queues_its_group_has(watched):
    rows = watched.query(
        f"SELECT count() AS n, uniqExact(stream, entity) AS apart FROM customer_contacts({SPAN})"
        " WHERE tenant = 'shared'"
    )
    assert rows[0]["n"] == rows[0]["apart"] > 0


def test_another_declaration_holds_for_past_days_too(watched):
    store = Store(watched.settings)
    again = {"n_min": 10, "tenants": {"shared": {"ticket_groups": {"support": ["first", "second"]}}}}
    store.insert(DEFINITIONS, [declaration(declare(again), 2)])
    changed = flags(watched, "shared")
    store.insert(DEFINITIONS, [declaration(declare({"n_min": 10, "tenants": TENANTS}), 3)])
    store.close()
    assert changed == {("support", REOPENED)}
    assert ("sales", FASTER) in flags(watched, "shared")


def test_the_story_has_no_flag_on_its_honest_days(watched):
    before = LAST - timedelta(days=1)
    assert watched.query(f"SELECT * FROM gaming_flags(first = '{FIRST}', last = '{before}')") == []
