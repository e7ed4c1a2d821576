"""A whole aggregate worker on topics that are filled: what mixed.py and throughput.py measure."""

import asyncio
import gc
import json
import time

from rig import cpu, resident_mib

from pipeline.kafka.clients import Clients
from pipeline.local.stack import GC_THRESHOLDS
from pipeline.metrics.definitions import declare
from pipeline.runtime.worker import Worker
from pipeline.settings import Settings
from pipeline.telemetry import Telemetry


async def run_worker(settings: Settings, events: int) -> None:
    """Aggregate everything and print one JSON line; CPU counts from the call that joins the group."""
    gc.set_threshold(*GC_THRESHOLDS)
    telemetry = Telemetry()
    worker = Worker(settings, Clients(settings.kafka), declare({}), telemetry)
    before, began, first = cpu(), time.monotonic(), 0.0
    async with worker.running():
        owned = worker.ownership.owned
        while sum(each.committed_offset for each in owned.values()) < events:
            if not first and any(each.state.next_offset for each in owned.values()):
                first = time.monotonic()
            await asyncio.sleep(0.05)
        seconds, used = time.monotonic() - (first or began), cpu() - before
        told = {
            "cpu_us_per_event": used / events * 1e6,
            "events_per_second": events / seconds,
            "resident_mib": resident_mib(),
            "commits": telemetry.registry.get_sample_value(
                "pulse_transactions_total", {"outcome": "committed"}
            ),
        }
        print(json.dumps(told), flush=True)
