"""Usage in memory: counting by difference = counting anew, a log of parts = the accounts, in any order."""

import random
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.entities.usage import as_of
from pipeline.events.decoding import FactEvent
from pipeline.events.usage import FEATURE_USED, INVITED, UsageFact
from pipeline.metrics.definitions import declare
from pipeline.sink.contact_rows import Origin
from pipeline.sink.tables import USAGE_ACCOUNTS, USAGE_DAYS
from pipeline.sink.usage_rows import usage_rows
from pipeline.state import snapshot
from pipeline.state.codec import decode_entities
from pipeline.state.contacts import APPLIED, DUPLICATE
from pipeline.state.kinds import USAGE
from pipeline.state.snapshot import Snapshot
from tests import owners
from tests.owners import counted_anew, goes_on_through_restores, records, sums
from tests.subscription_stories import TENANTS, midnight, ms, text
from tests.usage_stories import EDGES, stories

LAW = settings(max_examples=150, deadline=None)
rules = st.fixed_dictionaries(
    {
        "unit": st.sampled_from(["account", "user"]),
        "core": st.sampled_from([None, None, ["board"], ["board", "chart"]]),
        "k": st.sampled_from([1, 1, 1, 2, 3]),
        "d": st.integers(1, 4),
        "w": st.sampled_from([1, 2, 7, 28]),
    }
)


@st.composite
def habits(draw):
    """Uses nearly every day, of few features, by one or two people of one account that comes and goes."""
    edge, found = draw(st.sampled_from(EDGES)), []
    for index in range(draw(st.integers(5, 40))):
        kind = draw(st.sampled_from(["feature_used"] * 8 + ["signed_up", "left"]))
        data = {"user_ref": draw(st.sampled_from("pq"))}
        if kind == "feature_used":
            data["feature"] = draw(st.sampled_from(["board", "board", "chart", "export"]))
        elif draw(st.booleans()):
            data = {}
        shift = timedelta(days=draw(st.integers(-40, 0)), hours=draw(st.sampled_from([0, 1, 12, 23])))
        found.append(
            {
                "type": f"pulse.usage.{kind}",
                "id": f"h{index}",
                "tenantid": "t",
                "accountid": "x",
                "data": data,
                "time": text(midnight(edge, "t") + shift),
            }
        )
    order = draw(st.sampled_from(["as said", "by time"]))
    return found if order == "as said" else sorted(found, key=lambda event: event["time"])


tales = st.one_of(habits(), stories().map(lambda story: story.events))


kept = partial(owners.kept, "usage")


@LAW
@given(tales, rules, st.integers(0, 10**6))
def test_buckets_are_what_the_accounts_add_up_to_after_every_event(said, rule, seed):
    definitions = declare({"tenants": TENANTS, "adoption": rule})
    found, drawn = kept(definitions), random.Random(seed)
    told = [*said, *drawn.sample(said, len(said) // 4)]
    if drawn.random() < 0.5:
        drawn.shuffle(told)
    for record in records(told):
        found.apply([record])
        assert sums(found.ledger.buckets) == counted_anew(found, definitions)


@LAW
@given(tales, rules, st.integers(1, 4), st.integers(0, 10**6))
def test_an_owner_who_restores_goes_on_as_if_it_had_never_stopped(said, rule, size, seed):
    goes_on_through_restores("usage", declare({"tenants": TENANTS, "adoption": rule}), said, size, seed)


@LAW
@given(tales, st.integers(-41, 1))
def test_an_account_as_of_an_instant_is_what_its_earlier_facts_alone_make(said, shift):
    found = kept(declare({}))
    found.apply(records(said))
    at = ms(midnight(EDGES[1], "t") + timedelta(days=shift))
    for account in found.entities.by_key.values():
        assert as_of(account, at).facts == [fact for fact in account.facts if fact.at <= at]


def use(day, number=0, **more):
    return {
        "type": "pulse.usage.feature_used",
        "id": f"use-{day}-{number}",
        "time": f"2026-03-{day:02}T12:00:00Z",
        "accountid": "x",
        "data": {"user_ref": "p", "feature": "board"},
        **more,
    }


def written(found):
    """Keys and parts of the next commit, without its slice."""
    drafts = Snapshot().draft(found).records
    values = [draft.value for draft in drafts if draft.kind == "entities" and not draft.is_slice]
    return [pair for value in values for pair in decode_entities(value, USAGE.entity)]


def test_one_more_use_writes_its_day_and_nothing_else_of_the_account():
    found = kept(declare({}))
    found.apply(records([use(day) for day in range(1, 20)]))
    written(found)
    found.apply(records([use(7, 1)], 19))
    ((key, part),) = written(found)
    assert (key, part.day, len(part.ats)) == ("t|x", 20_519, 2)


def named(name, day, kind=FEATURE_USED):
    fact = UsageFact(name, kind, 1_772_323_200_000 + day * 86_400_000, "p", "board")
    return FactEvent("t", "t|x", fact)


@pytest.mark.parametrize("kind", [FEATURE_USED, INVITED])
def test_names_that_are_half_alike_are_names_of_two_events(kind):
    found = kept(declare({}))
    told = [named(5, 1, kind), named(1 << 32 | 5, 2), named(5, 1, kind), named(1 << 32 | 5, 2)]
    outcomes = [found.entities.apply(event, 0) for event in told]
    assert outcomes == [APPLIED, APPLIED, DUPLICATE, DUPLICATE]
    assert found.entities.by_key["t|x"].facts == [told[0].fact, told[1].fact]
    assert sums(found.ledger.buckets) == counted_anew(found, declare({}))


@pytest.fixture
def rows_after():
    def rows(*said):
        """The rows of the commit of the last event."""
        found = kept(declare({}))
        found.apply(records(said[:-1]))
        written(found)
        found.apply(records(said[-1:], len(said) - 1))
        return [row for key, part in written(found) for row in usage_rows(key, part, Origin(1, 0, 7))]

    return rows


def test_a_day_whose_last_use_is_void_leaves_the_table(rows_after):
    void = use(2, "v", type="pulse.usage.voided", corrects="use-2-0", data={})
    days = [row for table, row in rows_after(use(2), use(3), void) if table is USAGE_DAYS]
    assert days == [("t", "x", 1, 0, 20_514, [], [], [], [], 1, 7)]


def test_an_erasure_empties_every_day_and_marks_the_account(rows_after):
    found = rows_after(use(2), use(3), use(4, "d", type="pulse.usage.deleted", data={}))
    days = [row for table, row in found if table is USAGE_DAYS]
    assert sorted(row[4:] for row in days) == [(day, [], [], [], [], 1, 7) for day in (20_514, 20_515)]
    (account,) = [row for table, row in found if table is USAGE_ACCOUNTS]
    assert account[-2] == 1


def test_a_slice_tells_an_account_by_its_days():
    found = kept(declare({}))
    found.apply(records([use(2), use(3), use(3, 1)]))
    rows = [
        row
        for part in found.entities.values("t|x")
        for table, row in usage_rows("t|x", part, Origin(1, 0, 7))
        if table is USAGE_DAYS
    ]
    assert [(row[4], len(row[5])) for row in rows] == [(20_514, 1), (20_515, 2)]
    assert snapshot._CHUNK_OF_PARTS < snapshot._CHUNK
