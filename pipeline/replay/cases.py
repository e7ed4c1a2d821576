"""Case files: events in, numbers out; read, run in every order, compared.

Source: the shared case format (tests/cases/README.md). Reads parsed tables, no files.
"""

import random  # noqa: TID251 - orders of events drawn from a seed
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from pipeline.events.instants import instant_ms
from pipeline.metrics.catalogue import METRICS
from pipeline.metrics.definitions import Definitions, declare
from pipeline.metrics.numbers import Number
from pipeline.metrics.windows import Window
from pipeline.replay.answer import Question, answer, thresholds_of
from pipeline.state.partition import Applied, Partition
from pipeline.state.retention import NO_HORIZONS

SHUFFLES: Final = 3
STREAMS: Final = {"pulse.call"}


class CaseError(ValueError):
    """The file is no case; the message names the place."""


class Line(NamedTuple):
    """One source record of a replay."""

    offset: int
    timestamp: int | None
    value: bytes
    key: bytes | None = None


class Verdict(NamedTuple):
    """One expectation in one order of events. `fault` '' = agreed; `is_known`: metric exists."""

    case: str
    order: str
    place: int
    expected: Mapping[str, Any]
    number: Number | None
    fault: str
    is_known: bool = True


def replay(lines: Sequence[bytes], definitions: Definitions) -> tuple[Partition, Applied]:
    """Run values through decode, entities and buckets; no horizons, no `future` check."""
    partition = Partition(definitions, NO_HORIZONS, check_future=False)
    records = [Line(offset, None, value) for offset, value in enumerate(lines)]
    return partition, partition.apply(records)


def event_lines(events: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """A case's events with what it leaves out filled in, as bytes."""
    defaults = {"specversion": "1.0", "source": "/case", "tenantid": "t"}
    return [
        msgspec.json.encode({**defaults, "id": f"e{index}", **event}) for index, event in enumerate(events)
    ]


def check(case: Mapping[str, Any]) -> Iterator[Verdict]:
    """Every expectation in every order. Raises CaseError, DefinitionsError."""
    name = str(case.get("id", "?"))
    expectations = case.get("expect")
    if not isinstance(case.get("events"), list) or not isinstance(expectations, list):
        raise CaseError(f"{name}: a case has `events` and `expect`, both lists")
    foreign = {str(event.get("type")).rpartition(".")[0] for event in case["events"]} - STREAMS
    if foreign:
        fault = f"unknown stream {min(foreign)}"
        yield Verdict(name, "given", 0, {}, None, fault, is_known=False)
        return
    table = {**case.get("definitions", {}), "tenants": case.get("tenants", {})}
    definitions = declare(table, thresholds_of(entry.get("definition") for entry in expectations))
    lines = event_lines(case["events"])
    for order, ordered in _orders(lines):
        partition, applied = replay(ordered, definitions)
        if applied.dead_letters:
            letter = applied.dead_letters[0]
            raise CaseError(
                f"{name}: event {letter.offset} ({order}) is rejected: "
                f"{letter.rejected.reason}: {letter.rejected.detail}"
            )
        for index, expected in enumerate(expectations):
            yield _judge(name, order, index, expected, partition, definitions)


def _orders(lines: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    yield "given", lines
    yield "reverse", lines[::-1]
    for seed in range(SHUFFLES):
        shuffled = list(lines)
        random.Random(seed).shuffle(shuffled)
        yield f"shuffle {seed}", shuffled
    yield "doubled", [line for line in lines for _ in range(2)]


def question_of(expected: Mapping[str, Any]) -> Question:
    """What an expectation asks. Raises CaseError, BadTimeError."""
    span = None
    if "from" in expected or "to" in expected:
        if "from" not in expected or "to" not in expected:
            raise CaseError("an expectation with `from` needs `to`, and the reverse")
        span = Window(instant_ms(expected["from"]), instant_ms(expected["to"]))
    return Question(
        expected["metric"],
        expected.get("definition"),
        expected.get("dims", {}),
        span,
        instant_ms(expected["at"]) if "at" in expected else None,
        expected.get("window"),
    )


def _judge(
    case: str,
    order: str,
    index: int,
    expected: Mapping[str, Any],
    partition: Partition,
    definitions: Definitions,
) -> Verdict:
    if expected.get("metric") not in METRICS:
        fault = f"unknown metric {expected.get('metric')!r}"
        return Verdict(case, order, index, expected, None, fault, is_known=False)
    try:
        number = answer(partition.contacts.chains, question_of(expected), definitions)
    except ValueError as error:
        return Verdict(case, order, index, expected, None, str(error))
    return Verdict(case, order, index, expected, number, difference(expected, number))


def difference(expected: Mapping[str, Any], number: Number) -> str:
    """What disagrees, '' when nothing does. Tolerances as the case format says."""
    if expected.get("absent"):
        if number.value is not None:
            return f"expected absent, got {number.value}"
    elif "value" in expected and number.value is None:
        return f"expected {expected['value']}, got absent"
    for field in ("value", "low", "high"):
        if field in expected and not expected.get("absent"):
            wanted, got = expected[field], getattr(number, field)
            allowed = expected.get("tol", max(0.0005 * abs(wanted), 1e-9))
            if got is None or abs(got - wanted) > allowed:
                return f"{field}: expected {wanted}, got {got}"
    if "n" in expected and number.n != expected["n"]:
        return f"n: expected {expected['n']}, got {number.n}"
    return ""
