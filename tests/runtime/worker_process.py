"""`python -m tests.runtime.worker_process [FAULT]`: an aggregate worker as a process of its own.

Settings come from PULSE_ variables, as for the real command. A fault makes it die, dawdle or fail at a named
point; each is a patch of this process alone, so the product has no switches for tests.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaProducer

from pipeline.kafka.clients import Clients
from pipeline.metrics.definitions import declare
from pipeline.runtime import transactions
from pipeline.runtime.transactions import OwnedPartition
from pipeline.runtime.worker import Worker
from pipeline.settings import load
from pipeline.telemetry import Telemetry, configure_logging

NTH_COMMIT = 3
SLOW_SECONDS = 8.0


def kill_this() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_before_commit() -> None:
    """The records and offsets of the transaction are with the broker, its end is not."""
    commit, done = AIOKafkaProducer.commit_transaction, []

    async def commit_or_die(self: Any) -> None:
        done.append(1)
        if len(done) == NTH_COMMIT:
            kill_this()
        await commit(self)

    AIOKafkaProducer.commit_transaction = commit_or_die


def die_after_commit() -> None:
    """The broker has committed, the worker does not know yet."""
    commit, done = AIOKafkaProducer.commit_transaction, []

    async def commit_and_die(self: Any) -> None:
        await commit(self)
        done.append(1)
        if len(done) == NTH_COMMIT:
            kill_this()

    AIOKafkaProducer.commit_transaction = commit_and_die


def dawdle_while_opening() -> None:
    read_log = transactions.read_log

    async def read_slowly(*args: Any) -> Any:
        say("opening")
        await asyncio.sleep(SLOW_SECONDS)
        return await read_log(*args)

    transactions.read_log = read_slowly


def raise_in_agent() -> None:
    def apply(self: Any, message: Any) -> Any:
        raise ZeroDivisionError("a bug of ours")

    OwnedPartition.apply = apply


def lose_a_batch() -> None:
    """As Faust does after an exception that leaves the agent's body."""
    apply, lost = OwnedPartition.apply, []

    def apply_but_one(self: Any, message: Any) -> Any:
        if not lost and message.first_offset > 0:
            lost.append(message)
            message = type("Nothing", (), {"records": [], "hole_accepted": False})()
        return apply(self, message)

    OwnedPartition.apply = apply_but_one


FAULTS: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (die_before_commit, die_after_commit, dawdle_while_opening, raise_in_agent, lose_a_batch)
}


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def run() -> None:
    settings = load()
    configure_logging(settings.log)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    say("listening")
    worker = Worker(settings, Clients(settings.kafka), declare({}), Telemetry())
    async with worker.running():
        say("ready")
        await stop.wait()
    say("stopped")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        FAULTS[name]()
    asyncio.run(run())
