"""What entities of several streams share: the cause of a change; of those that the state log holds whole, one
value each, what a commit writes and takes back.
"""

from typing import TypeVar

from pipeline.events.decoding import DELETED, FactEvent

E = TypeVar("E")


def cause_of(event: FactEvent) -> str:
    """What a bucket is told to have changed by: deleted, corrected, or '' for what is merely new."""
    return "deleted" if event.fact.kind == DELETED else "corrected" if event.voids else ""


def take_changed(
    by_key: dict[str, E], changed: set[str], parted: list[tuple[str, E]]
) -> list[tuple[str, E | None]]:
    """Keys with their values, None of what has left; clears `changed` and `parted`.

    The last values of what left memory come first, so that the absence behind them holds.
    """
    found: list[tuple[str, E | None]] = [*parted]
    found += [(key, by_key.get(key)) for key in changed]
    changed.clear()
    parted.clear()
    return found


def load_whole(by_key: dict[str, E], key: str, entity: E | None) -> None:
    """Take in a value of the state log; None has left memory."""
    if entity is None:
        by_key.pop(key, None)
    else:
        by_key[key] = entity
