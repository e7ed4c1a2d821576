"""What `pulse reconcile` makes of several comparisons of a stream that goes on."""

import pytest

from pipeline.cli import reconciling
from pipeline.cli.reconciling import settle
from pipeline.sink.reconcile import Compared, Difference
from pipeline.sink.view_numbers import Key, Told

AGREED = 10


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(reconciling, "PAUSE_SECONDS", 0.0)


def difference(name: str, board: float, store: float) -> Difference:
    return Difference(Key(name, "default", "today", (("tenant", "t"),)), Told(board), Told(store))


def told(*comparisons: list[Difference]):
    """Answers one comparison after the other, the last for ever."""
    left = list(comparisons)

    def once() -> Compared:
        found = left.pop(0) if len(left) > 1 else left[0]
        return Compared(AGREED, tuple(found), {"exact elsewhere": 2})

    return once


def test_what_agrees_at_once_is_not_asked_again():
    asked = []

    def once() -> Compared:
        asked.append(1)
        return Compared(AGREED, (), {})

    assert settle(once, 60.0) == (AGREED, [], 0, {})
    assert len(asked) == 1


def test_a_row_that_comes_later_agrees_then():
    settled = settle(told([difference("offered", 5, 4)], []), 60.0)
    assert (settled.agreed, settled.differing) == (AGREED + 1, [])


def test_a_number_that_stays_different_is_a_difference():
    stays = difference("offered", 5, 4)
    settled = settle(told([stays]), 0.05)
    assert settled.differing == [stays]
    assert (settled.agreed, settled.moving, settled.left_out) == (AGREED, 0, {"exact elsewhere": 2})


def test_a_number_that_moves_all_the_while_is_counted_apart():
    numbers = iter(range(1_000_000))

    def once() -> Compared:
        number = next(numbers)
        return Compared(AGREED, (difference("answered", number + 1, number),), {})

    settled = settle(once, 0.05)
    assert (settled.differing, settled.moving) == ([], 1)


def test_what_agreed_once_is_not_asked_about_later():
    settled = settle(told([difference("a", 2, 1)], [difference("b", 2, 1)], [difference("a", 2, 1)]), 0.05)
    assert (settled.differing, settled.agreed) == ([], AGREED + 1)
