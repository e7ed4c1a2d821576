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
from pipeline.replay.answer import Facts, Population, thresholds_of
from pipeline.replay.question import Question
from pipeline.state.kinds import CALL, KINDS
from pipeline.state.partition import Applied, DeadLetter, Partition
from pipeline.state.retention import NO_HORIZONS

SHUFFLES: Final = 3
ORDERS: Final = ("given", "reverse", *(f"shuffle {seed}" for seed in range(SHUFFLES)), "doubled")
STREAMS: Final = {f"pulse.{stream}" for stream in KINDS}


class CaseError(ValueError):
    """The file is no case; the message names the place."""


class Line(NamedTuple):
    """One source record of a replay."""

    offset: int
    timestamp: int | None
    value: bytes
    key: bytes | None = None


class Verdict(NamedTuple):
    """One expectation in one order of events. `fault` '' = agreed; `is_known`: metric exists.

    `rejected`: the first event the door refused, '' = none; the numbers are those of its neighbours.
    """

    case: str
    order: str
    place: int
    expected: Mapping[str, Any]
    number: Number | None
    fault: str
    is_known: bool = True
    rejected: str = ""


class Replay(NamedTuple):
    """One partition per stream that had events, and what became of its lines.

    A dead letter's offset is its line, from 0, among all lines.
    """

    partitions: Mapping[str, Partition]
    applied: Mapping[str, Applied]

    @property
    def population(self) -> Population:
        """Entities by key, by stream."""
        return {stream: each.entities.by_key for stream, each in self.partitions.items()}

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """Rejected lines of every stream, in order."""
        found = [letter for each in self.applied.values() for letter in each.dead_letters]
        return sorted(found, key=lambda letter: letter.offset)

    @property
    def watermark(self) -> int:
        """The latest event time, 0 without events."""
        return max((each.watermark for each in self.partitions.values()), default=0)


class _Typed(msgspec.Struct):
    type: str


_type_of = msgspec.json.Decoder(_Typed).decode


def stream_of(line: bytes) -> str:
    """The stream a line belongs to; `call` judges what belongs to none."""
    try:
        parts = _type_of(line).type.split(".")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return CALL.stream
    return parts[1] if len(parts) > 2 and parts[0] == "pulse" and parts[1] in KINDS else CALL.stream


def replay(lines: Sequence[bytes], definitions: Definitions) -> Replay:
    """Run values through decode, entities and buckets; no horizons, no `future` check."""
    by_stream: dict[str, list[Line]] = {}
    for offset, value in enumerate(lines):
        by_stream.setdefault(stream_of(value), []).append(Line(offset, None, value))
    partitions = {
        stream: Partition(definitions, NO_HORIZONS, stream=stream, check_future=False) for stream in by_stream
    }
    applied = {
        stream: partitions[stream].apply(records, hole_accepted=True) for stream, records in by_stream.items()
    }
    return Replay(partitions, applied)


def event_lines(events: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """A case's events with what it leaves out filled in, as bytes."""
    defaults = {"specversion": "1.0", "source": "/case", "tenantid": "t"}
    return [
        msgspec.json.encode({**defaults, "id": f"e{index}", **event}) for index, event in enumerate(events)
    ]


def check(case: Mapping[str, Any]) -> Iterator[Verdict]:
    """Every expectation in every order. Raises CaseError, DefinitionsError."""
    _check_shape(case)
    name, expectations = str(case.get("id", "?")), case["expect"]
    foreign = {str(event.get("type")).rpartition(".")[0] for event in case["events"]} - STREAMS
    if foreign:
        fault = f"unknown stream {min(foreign)}"
        yield Verdict(name, ORDERS[0], 0, {}, None, fault, is_known=False)
        return
    table = {**case.get("definitions", {}), "tenants": case.get("tenants", {})}
    definitions = declare(table, thresholds_of(entry.get("definition") for entry in expectations))
    lines = event_lines(case["events"])
    for order, ordered in _orders(lines):
        replayed = replay(ordered, definitions)
        rejected = _rejected(replayed.dead_letters, lines, ordered)
        facts = Facts(replayed.population, definitions)
        for index, expected in enumerate(expectations):
            yield _judge(name, order, index, expected, facts)._replace(rejected=rejected)


def _rejected(letters: list[DeadLetter], lines: list[bytes], ordered: list[bytes]) -> str:
    """An event is judged alone (events.md §1): the first refused one, by its place in the file."""
    found = [(lines.index(ordered[letter.offset]), letter.rejected) for letter in letters]
    if not found:
        return ""
    place, refused = min(found)
    return f"event {place} is rejected: {refused.reason}: {refused.detail}"


def _check_shape(case: Any) -> None:
    """Raises CaseError that names the place of what is no case file's form."""
    if not isinstance(case, Mapping):
        raise CaseError("a case is an object with `events` and `expect`")
    name = case.get("id", "?")
    for key in ("events", "expect"):
        if not isinstance(case.get(key), list):
            raise CaseError(f"{name}: a case has `events` (or `events_file`) and `expect`, lists")
        for place, each in enumerate(case[key]):
            if not isinstance(each, Mapping):
                raise CaseError(f"{name}: {key}[{place}] is no object: {each!r}")
    for key in ("tenants", "definitions"):
        if not isinstance(case.get(key, {}), Mapping):
            raise CaseError(f"{name}: `{key}` is an object")


def _orders(lines: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    shuffles = []
    for seed in range(SHUFFLES):
        shuffled = list(lines)
        random.Random(seed).shuffle(shuffled)
        shuffles.append(shuffled)
    doubled = [line for line in lines for _ in range(2)]
    yield from zip(ORDERS, (lines, lines[::-1], *shuffles, doubled), strict=True)


def question_of(expected: Mapping[str, Any]) -> Question:
    """What an expectation asks. Raises CaseError, BadTimeError."""
    dims = expected.get("dims", {})
    if not isinstance(dims, Mapping) or not all(isinstance(value, str) for value in dims.values()):
        raise CaseError(f"`dims` is {dims!r}, no object of texts")
    for field in ("from", "to", "at"):
        if not isinstance(expected.get(field, ""), str):
            raise CaseError(f"`{field}` is {expected[field]!r}, no instant as text")
    span = None
    if "from" in expected or "to" in expected:
        if "from" not in expected or "to" not in expected:
            raise CaseError("an expectation with `from` needs `to`, and the reverse")
        if "window" in expected:
            raise CaseError("an expectation asks `from` and `to`, or a `window`, not both")
        span = Window(instant_ms(expected["from"]), instant_ms(expected["to"]))
    return Question(
        expected["metric"],
        expected.get("definition"),
        dims,
        span,
        instant_ms(expected["at"]) if "at" in expected else None,
        expected.get("window"),
    )


def _judge(
    case: str,
    order: str,
    index: int,
    expected: Mapping[str, Any],
    facts: Facts,
) -> Verdict:
    if str(expected.get("metric")) not in METRICS:
        fault = f"unknown metric {expected.get('metric')!r}"
        return Verdict(case, order, index, expected, None, fault, is_known=False)
    try:
        _check_numbers(expected)
        number = facts.answer(question_of(expected))
    except ValueError as error:
        return Verdict(case, order, index, expected, None, str(error))
    return Verdict(case, order, index, expected, number, difference(expected, number))


def _check_numbers(expected: Mapping[str, Any]) -> None:
    """An expectation that holds whatever comes, or holds it to no number, is a mistake. Raises CaseError."""
    if not expected.get("absent") and not expected.keys() & {"value", "low", "high", "n"}:
        raise CaseError("nothing is expected: say `value`, `low`, `high`, `n` or `absent`")
    for field in ("value", "low", "high", "n", "tol"):
        number = expected.get(field, 0)
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise CaseError(f"`{field}` is {number!r}, no number")


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
