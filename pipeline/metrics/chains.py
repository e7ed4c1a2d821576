"""Numbers of whole chains, and of talks: metrics.md §2 over the families customer, callback, handle."""

from collections.abc import Mapping
from typing import Any

from pipeline.metrics.buckets import Cells
from pipeline.metrics.calls import total
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import CALLBACK, CUSTOMER, HANDLE
from pipeline.metrics.numbers import Number, mean_seconds, proportion


def asa_customer(cells: Cells, _: Mapping[str, Any], _declared: Definitions) -> Number:
    """Σ (first enqueue → talk) / chains answered by a human."""
    return mean_seconds(total(cells, CUSTOMER, "wait_ms"), total(cells, CUSTOMER, "answered"))


def callback_kept(cells: Cells, _: Mapping[str, Any], _declared: Definitions) -> Number:
    """Chains that reached a human at or after their first callback request / chains that requested one."""
    return proportion(total(cells, CALLBACK, "kept"), total(cells, CALLBACK, "requested"))


def callback_wait(cells: Cells, _: Mapping[str, Any], _declared: Definitions) -> Number:
    """Σ (first callback request → talk) / callbacks kept."""
    return mean_seconds(total(cells, CALLBACK, "wait_ms"), total(cells, CALLBACK, "kept"))


def handle_time(cells: Cells, _: Mapping[str, Any], _declared: Definitions) -> Number:
    """Σ (talk → end) / legs answered by a human that ended."""
    return mean_seconds(total(cells, HANDLE, "handle_ms"), total(cells, HANDLE, "ended"))
