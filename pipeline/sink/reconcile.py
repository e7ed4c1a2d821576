"""Every number of a board held to ClickHouse's views: the same metric, definition, window and place.

Source: architecture.md §6. Both are told of the same log, so at the same offset they must be the same
number. What the views say is `view_numbers.py`'s business.
"""

from collections.abc import Mapping
from math import isclose
from typing import Any, Final, NamedTuple

from pipeline.events.instants import instant_ms
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.windows import local_date
from pipeline.sink.view_numbers import Ask, Key, Numbers, Told, key_of, numbers_of_views

TOLERANCE: Final = 1e-9
ANSWERED_OTHERWISE: Final = {
    "asa_p50": "on the board inside a bin, in ClickHouse exact",
    "asa_p90": "on the board inside a bin, in ClickHouse exact",
    "asa_p99": "on the board inside a bin, in ClickHouse exact",
    "service_level": "on the board without what still has time",
    "time_to_value_p50": "in ClickHouse exact",
    "time_to_value_p75": "in ClickHouse exact",
    "time_to_value_p90": "in ClickHouse exact",
    "quarantined": "in ClickHouse the rows themselves",
}


class Difference(NamedTuple):
    """One number the two do not agree on."""

    key: Key
    board: Told
    store: Told


class Compared(NamedTuple):
    """How many agree, what differs, and how many were not held to anything, by reason."""

    agreed: int
    differences: tuple[Difference, ...]
    left_out: Mapping[str, int]


def compare(answer: Mapping[str, Any], ask: Ask, definitions: Definitions) -> Compared:
    """Hold /api/metrics, asked without parameters, to the views. Raises AskError."""
    now = instant_ms(answer["as_of"])
    board, left_out = _of_board(answer["metrics"])
    tenants = sorted({tenant for key in board for name, tenant in key.place if name == "tenant"})
    days = {tenant: local_date(now, definitions.zone(tenant)) for tenant in tenants}
    store = numbers_of_views(ask, now, days, definitions, {(key.metric, key.window) for key in board})
    differences = []
    for key in sorted(board.keys() | store.keys()):
        told, stored = board.get(key, _NOTHING), store.get(key, _NOTHING)
        if not _agree(told, stored):
            differences.append(Difference(key, told, stored))
    agreed = len(board.keys() | store.keys()) - len(differences)
    return Compared(agreed, tuple(differences), left_out)


_NOTHING: Final = Told(None)


def _agree(board: Told, store: Told) -> bool:
    if board.value is None or store.value is None:
        # Where there is no row there is nothing to count: absent and 0 are then the same.
        return not board.value and not store.value
    parts = [(board.value, store.value), (board.n, store.n), (board.low, store.low), (board.high, store.high)]
    return all(
        isclose(mine, theirs, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        for mine, theirs in parts
        if mine is not None and theirs is not None
    )


def _of_board(rows: list[dict[str, Any]]) -> tuple[Numbers, dict[str, int]]:
    found: Numbers = {}
    left_out: dict[str, int] = {}
    for row in rows:
        reason = ANSWERED_OTHERWISE.get(row["metric"])
        if reason is None and not isinstance(row["definition"], str):
            reason = "no view has these parameters"
        if reason is not None:
            left_out[reason] = left_out.get(reason, 0) + 1
            continue
        found[key_of(row, row["definition"], row.get("window") or "")] = Told(
            row["value"], row["n"], row["low"], row["high"]
        )
    return found, left_out
