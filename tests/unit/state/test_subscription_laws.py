"""Subscriptions in memory: counting what changes = counting anew, a log of parts = the accounts, in any order."""

import random
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.entities.amounts import STRETCH_MS
from pipeline.entities.subscription_account import Told, as_of
from pipeline.events.instants import instant_ms
from pipeline.metrics.definitions import declare
from pipeline.sink.contact_rows import Origin
from pipeline.sink.subscription_rows import subscription_rows
from pipeline.sink.tables import SUBSCRIPTION_AMOUNTS, SUBSCRIPTIONS
from pipeline.state import subscriptions
from pipeline.state.codec import decode_entities, encode_entities
from pipeline.state.kinds import SUBSCRIPTION
from pipeline.state.snapshot import Snapshot
from tests import owners
from tests.owners import counted_anew, goes_on_through_restores, records, sums
from tests.subscription_stories import EDGES, TENANTS, amounts, midnight, ms, states, stories, text

LAW = settings(max_examples=150, deadline=None)
recognitions = st.sampled_from(["effective", "event", "scheduled"])


@st.composite
def lives(draw):
    """Half a year of one account with up to two subscriptions: prices change, it goes and comes back, and it
    pays; now and then something is told late, or taken back.
    """
    edge, found = draw(st.sampled_from(EDGES)), []
    day = edge - timedelta(days=150)
    for index in range(draw(st.integers(3, 25))):
        kind = draw(
            st.sampled_from(["changed"] * 6 + ["paid"] * 3 + ["cancelled", "reactivated"] * 2 + NOTICES)
        )
        day += timedelta(days=draw(st.sampled_from([0, 0, 1, 2, 13, 29, 30, 31])))
        at = midnight(day, "t") + timedelta(hours=draw(st.sampled_from([0, 1, 12, 23])))
        data = {"subscription_id": draw(st.sampled_from(["s1", "s1", "s1", "s2"]))}
        if kind in {"changed", "reactivated"}:
            data |= draw(states)
        elif kind == "paid":
            data |= draw(amounts)
        elif kind == "cancel_scheduled":
            data["cancels_at"] = text(at + timedelta(days=draw(st.integers(0, 40))))
        if draw(st.integers(0, 7)) == 0:
            data["effective_at"] = text(at + timedelta(days=draw(st.integers(-40, 40))))
        event = {
            "type": f"pulse.subscription.{kind}", "id": f"l{index}", "tenantid": "t", "accountid": "x",
            "time": text(at), "data": data,
        }  # fmt: skip
        if found and draw(st.integers(0, 9)) == 0:
            event["corrects"] = draw(st.sampled_from(found))["id"]
        found.append(event)
    return found


NOTICES = ["cancel_scheduled", "cancel_unscheduled"]
tales = st.one_of(lives(), stories().map(lambda story: story.events))


kept = partial(owners.kept, "subscription")


def declared(recognition="effective"):
    return declare({"tenants": TENANTS, "recognition": recognition})


@LAW
@given(tales, recognitions, st.sampled_from([1, 10_000]), st.integers(0, 10**6))
def test_buckets_are_what_the_accounts_add_up_to_after_every_event(said, recognition, courses, seed):
    definitions = declared(recognition)
    found, drawn = kept(definitions), random.Random(seed)
    told = [*said, *drawn.sample(said, len(said) // 4)]
    if drawn.random() < 0.5:
        drawn.shuffle(told)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subscriptions, "COURSES_KEPT", courses)
        for record in records(told):
            found.apply([record])
            assert sums(found.ledger.buckets) == counted_anew(found, definitions)


@LAW
@given(tales, recognitions, st.integers(1, 4), st.integers(0, 10**6))
def test_an_owner_who_restores_goes_on_as_if_it_had_never_stopped(said, recognition, size, seed):
    goes_on_through_restores("subscription", declared(recognition), said, size, seed)


@LAW
@given(tales, st.integers(0, 10**6))
def test_any_order_and_repetition_gives_an_equal_account(said, seed):
    drawn = random.Random(seed)
    told = [*said, *drawn.sample(said, len(said) // 2)]
    drawn.shuffle(told)
    one, other = kept(declared()), kept(declared())
    one.apply(records(said))
    other.apply(records(told))
    assert one.entities.by_key == other.entities.by_key
    touched = {key: account.touched_at for key, account in one.entities.by_key.items()}
    assert touched == {key: account.touched_at for key, account in other.entities.by_key.items()}


@LAW
@given(tales, st.integers(-41, 1))
def test_an_account_as_of_an_instant_is_what_takes_effect_by_then(said, shift):
    found = kept(declared())
    found.apply(records(said))
    at = ms(midnight(EDGES[1], "t") + timedelta(days=shift))
    for account in found.entities.by_key.values():
        known = [fact for fact in account.facts if min(fact.at, fact.effective) <= at]
        assert as_of(account, at).facts == known


def state(day, **more):
    return {
        "type": "pulse.subscription.changed",
        "id": f"state-{day}",
        "time": f"2026-03-{day:02}T12:00:00Z",
        "accountid": "x",
        "data": {"subscription_id": "s", "mrr_minor": 100 * day, "currency": "EUR"},
        **more,
    }


def paid(day, number=0, **more):
    data = {"subscription_id": "s", "amount_minor": day, "currency": "EUR"}
    return state(day) | {"type": "pulse.subscription.paid", "id": f"paid-{day}-{number}", "data": data} | more


def written(found):
    """Keys and parts of the next commit, without its slice."""
    drafts = Snapshot().draft(found).records
    values = [draft.value for draft in drafts if draft.kind == "entities" and not draft.is_slice]
    return [pair for value in values for pair in decode_entities(value, SUBSCRIPTION.entity)]


FEBRUARY = "2026-02-02T12:00:00Z"
STRETCHES = [instant_ms(at) // STRETCH_MS for at in (FEBRUARY, "2026-03-02T12:00:00Z")]


def test_a_payment_writes_its_stretch_and_nothing_else_of_the_account():
    found = kept(declared())
    found.apply(records([state(1), paid(2, time=FEBRUARY), paid(2, 1)]))
    written(found)
    found.apply(records([paid(3)], 3))
    ((key, part),) = written(found)
    assert (key, part.stretch, len(part.names)) == ("t|x", STRETCHES[1], 2)


def test_a_change_of_price_writes_no_amount():
    found = kept(declared())
    found.apply(records([state(1), paid(2)]))
    written(found)
    found.apply(records([state(3)], 2))
    ((_, part),) = written(found)
    assert isinstance(part, Told)
    assert [fact.minor for fact in part.facts] == [100, 300]


@pytest.fixture
def rows_after():
    def rows(*said):
        """The rows of the commit of the last event."""
        found = kept(declared())
        found.apply(records(said[:-1]))
        written(found)
        found.apply(records(said[-1:], len(said) - 1))
        return [row for key, part in written(found) for row in subscription_rows(key, part, Origin(1, 0, 7))]

    return rows


def test_a_stretch_whose_last_amount_is_void_leaves_the_table(rows_after):
    void = paid(2, type="pulse.subscription.voided", corrects="paid-2-0", id="v", data={})
    rows = [row for table, row in rows_after(paid(2), void) if table is SUBSCRIPTION_AMOUNTS]
    assert rows == [("t", "x", 1, 0, STRETCHES[1], *([] for _ in range(8)), 0, 1, 7)]


def test_an_erasure_empties_every_stretch_and_marks_the_account(rows_after):
    gone = state(4, type="pulse.subscription.deleted", id="d", data={})
    found = rows_after(state(1), paid(2, time=FEBRUARY), paid(3), gone)
    amounts_left = [row for table, row in found if table is SUBSCRIPTION_AMOUNTS]
    assert sorted((row[4], row[-2]) for row in amounts_left) == [(stretch, 1) for stretch in STRETCHES]
    assert [row[-2] for table, row in found if table is SUBSCRIPTIONS] == [1, 1, 1]


@pytest.mark.parametrize("is_packed", [True, False])
def test_a_slice_tells_an_account_by_its_stretches(is_packed):
    found = kept(declared())
    found.apply(records([paid(2, time=FEBRUARY), paid(3), paid(3, 1)]))
    if is_packed:
        written(found)
    told = [("t|x", value) for value in found.entities.values("t|x")]
    rows = [
        row
        for record in encode_entities(told)
        for key, part in decode_entities(record, SUBSCRIPTION.entity)
        for table, row in subscription_rows(key, part, Origin(1, 0, 7))
        if table is SUBSCRIPTION_AMOUNTS
    ]
    assert [(row[4], row[5:8]) for row in rows] == [
        (STRETCHES[0], ([instant_ms(FEBRUARY)], [2], ["EUR"])),
        (STRETCHES[1], ([instant_ms("2026-03-03T12:00:00Z")] * 2, [3, 3], ["EUR"] * 2)),
    ]
