"""When a partition counts as poisoned: more than 1 % of the last 10,000 events, or 100 in a row."""

import pytest

from pipeline.events.rejects import Reason, Rejected
from pipeline.runtime.poison import Poison
from pipeline.state.partition import Applied, DeadLetter


class Fed:
    """A partition whose batches are given as strings: `.` is a good event, `x` a bad one."""

    def __init__(self) -> None:
        self.poison = Poison()

    def batch(self, events: str) -> str:
        letters = [
            DeadLetter(0, None, b"", Rejected(Reason.NOT_JSON, ""), number=place)
            for place, kind in enumerate(events, 1)
            if kind == "x"
        ]
        self.poison.saw(Applied(len(events), 0, 0, 0, 0, letters, 0))
        return self.poison.reason


@pytest.fixture
def fed():
    return Fed()


def test_partition_without_bad_events_is_sound(fed):
    assert fed.batch("." * 20_000) == ""


def test_99_in_a_row_are_not_yet_poison_the_hundredth_is(fed):
    assert fed.batch("." * 10_000 + "x" * 99) == ""
    assert fed.batch("x") == "the last 100 events were rejected"


def test_run_goes_on_over_batches(fed):
    fed.batch("." + "x" * 60)
    assert fed.batch("x" * 39) == ""
    assert fed.batch("x") == "the last 100 events were rejected"


def test_one_good_event_ends_the_run(fed):
    fed.batch("." * 10_000)
    fed.batch("x" * 60 + "." + "x" * 39)
    assert fed.batch("x" * 20) != ""  # 119 of 10,000, though not in a row
    assert fed.poison.reason.startswith("119 of the last ")


def test_good_batch_ends_the_run_at_the_end_of_the_former_one(fed):
    fed.batch("x" * 99)
    fed.batch(".")
    assert fed.batch("x") == ""


@pytest.mark.parametrize(("bad", "is_poison"), [(100, False), (101, True)])
def test_more_than_one_percent_of_the_last_10_000_is_poison(fed, bad, is_poison):
    for _ in range(bad):
        fed.batch("x" + "." * 9)
    fed.batch("." * (10_000 - bad * 10))
    assert (fed.poison.reason == f"{bad} of the last 10000 events were rejected") == is_poison


def test_bad_events_are_forgotten_after_10_000_more(fed):
    for _ in range(101):
        fed.batch("x.")
    assert fed.poison.reason != ""
    for _ in range(10):
        fed.batch("." * 1000)
    assert fed.poison.reason == ""


def test_few_events_are_judged_by_number_not_by_share(fed):
    """Ten bad ones of a new partition's first ten are no poison yet."""
    assert fed.batch("x" * 10) == ""
