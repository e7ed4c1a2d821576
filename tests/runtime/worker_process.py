"""`python -m tests.runtime.worker_process [FAULT]`: `pulse run --roles aggregate`, with a fault or without.

Settings come from PULSE_ variables, as for the real command. A fault makes it die, dawdle or fail at a named
point; each is a patch of this process alone, so the product has no switches for tests.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer

from pipeline.cli import main, running
from pipeline.runtime import transactions
from pipeline.runtime.transactions import OwnedPartition

NTH_COMMIT = 3


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
    """The first opening takes for ever; those after it do not."""
    read_log, given_up = transactions.read_log, asyncio.Event()

    async def read_slowly(*args: Any) -> Any:
        if not given_up.is_set():
            say("opening")
            try:
                await given_up.wait()
            except asyncio.CancelledError:
                given_up.set()
                say("given up")
                raise
        return await read_log(*args)

    transactions.read_log = read_slowly


def raise_in_agent() -> None:
    def apply(self: Any, records: Any, *, hole_accepted: bool) -> Any:
        raise ZeroDivisionError("a bug of ours")

    OwnedPartition.apply = apply


def lose_a_batch() -> None:
    """As Faust does after an exception that leaves the agent's body."""
    apply, lost = OwnedPartition.apply, []

    def apply_but_one(self: Any, records: Any, *, hole_accepted: bool) -> Any:
        if not lost and records[0].offset > 0:
            lost.append(records)
            records = []
        return apply(self, records, hole_accepted=hole_accepted)

    OwnedPartition.apply = apply_but_one


FAULTS: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (die_before_commit, die_after_commit, dawdle_while_opening, raise_in_agent, lose_a_batch)
}


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def announce_signals() -> None:
    """Say when a SIGTERM is a request and no longer the end."""
    until_signal = running.until_signal

    @asynccontextmanager
    async def listening(seconds: float | None) -> AsyncIterator[asyncio.Event]:
        async with until_signal(seconds) as ended:
            say("listening")
            yield ended

    running.until_signal = listening


if __name__ == "__main__":
    for name in sys.argv[1:]:
        FAULTS[name]()
    announce_signals()
    sys.argv[1:] = ["run", "--roles", "aggregate"]
    main()
