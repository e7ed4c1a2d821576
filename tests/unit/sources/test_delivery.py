from collections import Counter
from datetime import datetime
from itertools import islice

import pytest

from pipeline.sources.delivery import delivered
from pipeline.sources.simulate import CallCentre, Chaos, simulate

START_MS = 1_772_442_000_000


def story(count, seed=1):
    return list(islice(simulate(CallCentre(), seed, START_MS), count))


def spoiled(told, **chaos):
    return list(delivered(told, Chaos(**chaos), 1))


def lateness(record):
    return record.deliver_at_ms - round(datetime.fromisoformat(record.event["time"]).timestamp() * 1000)


def saying(event):
    """An event without its name."""
    return repr({k: v for k, v in event.items() if k not in {"id", "corrects"}})


def standing(found):
    """What is not void, each event once."""
    events = {record.event["id"]: record.event for record in found}
    void = {event["corrects"] for event in events.values() if event.get("corrects")}
    return Counter(
        saying(event)
        for name, event in events.items()
        if name not in void and event["type"] != "pulse.call.voided"
    )


def test_without_chaos_the_story_is_delivered_as_told():
    told = story(1000)
    assert list(delivered(told, Chaos(), 1)) == told


def test_share_of_duplicates_is_honoured():
    told = story(20_000)
    found = spoiled(told, duplicate_share=0.1)
    assert (len(found) - len(told)) / len(told) == pytest.approx(0.1, rel=0.1)


def test_a_duplicate_is_the_same_event_under_the_same_key():
    copies = {}
    for record in spoiled(story(5000), duplicate_share=0.5):
        assert copies.setdefault(record.event["id"], (record.key, record.event)) == (record.key, record.event)


def test_share_of_late_events_is_honoured():
    late = [record for record in spoiled(story(20_000), late_share=0.2) if lateness(record) > 0]
    assert len(late) / 20_000 == pytest.approx(0.2, rel=0.1)


def test_no_event_is_later_than_allowed():
    found = spoiled(story(20_000), late_share=1.0, late_seconds=40.0)
    assert min(map(lateness, found)) > 0
    assert 39_000 < max(map(lateness, found)) <= 40_000


def test_disorder_changes_the_order_and_nothing_else():
    told = story(5000)
    found = spoiled(told, late_share=0.3)
    assert [r.event for r in found] != [r.event for r in told]
    assert sorted(r.event["id"] for r in found) == sorted(r.event["id"] for r in told)


def test_share_of_corrections_is_honoured():
    found = spoiled(story(20_000), correction_share=0.1)
    corrections = [r for r in found if r.event.get("corrects")]
    assert len(corrections) / 20_000 == pytest.approx(0.1, rel=0.1)


def test_share_of_voids_is_honoured():
    found = spoiled(story(20_000), void_share=0.1)
    voids = [r for r in found if r.event["type"] == "pulse.call.voided"]
    assert len(voids) / 20_000 == pytest.approx(0.1, rel=0.1)


def test_what_is_void_was_said_under_the_same_key_by_the_same_source():
    found = spoiled(story(5000), correction_share=0.1, void_share=0.1)
    said = {r.event["id"]: (r.key, r.event["source"]) for r in found}
    for record in found:
        if record.event.get("corrects"):
            assert said[record.event["corrects"]] == (record.key, record.event["source"])


def test_what_is_not_void_is_the_story():
    told = story(10_000)
    found = spoiled(told, duplicate_share=0.1, late_share=0.2, correction_share=0.1, void_share=0.1)
    assert standing(found) == Counter(saying(record.event) for record in told)
