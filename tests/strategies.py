"""Every Hypothesis strategy: bytes that may be events, histories of chains, batches and orders.

Histories are drawn from small pools, so that ids, legs and instants meet; instants lie on a grid
of seconds around ten-second edges.
"""

import json
from itertools import islice
from typing import Any

from hypothesis import strategies as st

from pipeline.events.call_decode import TYPES
from pipeline.sources.simulate import CallCentre, Chaos, simulate
from tests.builders import T0, event

WHATS = sorted(name.rpartition(".")[2] for name in TYPES)
FACTS = [what for what in WHATS if what not in {"voided", "deleted"}]
# How often a kind is drawn: what moves a leg comes more often than what ends a chain.
WEIGHTED = [
    *FACTS,
    "queued",
    "queued",
    "queued",
    "answered",
    "answered",
    "abandoned",
    "ended",
    "ended",
    "voided",
]

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
odd_texts = st.sampled_from(
    [
        "",
        " ",
        "\x00",
        "a" * 64,
        "a" * 65,
        "a" * 128,
        "a" * 129,
        "a" * 256,
        "a" * 257,
        "é",
        "1.0",
        "inbound",
        "\n",
    ]
) | st.text(max_size=6)
odd_values = json_values | odd_texts
zones = st.sampled_from(
    ["Z", "z", "", "+00:00", "-00:00", "+05:30", "-09:30", "+14:00", "+23:59", "+24:00", "+0530"]
)
dates = st.sampled_from(
    [
        "2026-03-02",
        "2024-02-29",
        "2026-02-29",
        "2000-01-01",
        "1999-12-31",
        "2100-01-01",
        "2099-12-31",
        "2026-13-01",
    ]
)
clocks = st.sampled_from(
    ["09:15:04", "23:59:59", "00:00:00", "24:00:00", "23:59:60", "9:15:04", "09:15", "12:60:00", "05:30:00"]
)
fractions = st.sampled_from(["", ".", ".2", ".250", ".9999999", ".000000001", ",250", ".x"])
instants = st.builds("{}{}{}{}{}".format, dates, st.sampled_from("TTTTt "), clocks, fractions, zones)

_ENVELOPE = [
    "specversion",
    "id",
    "source",
    "type",
    "time",
    "tenantid",
    "accountid",
    "corrects",
    "origin",
    "timebasis",
]
_DATA = [
    "contact_id", "initial_contact_id", "leg", "channel", "direction", "customer_ref", "queue_id", "enqueued_at",
    "callback", "agent_id", "answered_by", "talk_started_at", "outcome", "to_queue_id", "end_reason",
]  # fmt: skip


@st.composite
def plain_events(draw: st.DrawFn) -> dict[str, Any]:
    """One event nothing is wrong with."""
    what = draw(st.sampled_from(WHATS))
    more: dict[str, Any] = {"outcome": "busy"} if what == "callback_attempted" else {}
    if what == "voided":
        more["corrects"] = "x"
    return event(what, draw(st.integers(0, 100)), **more)


@st.composite
def odd_events(draw: st.DrawFn) -> dict[str, Any]:
    """A sound event with up to two fields dropped or changed, in the envelope or in `data`."""
    said = draw(plain_events())
    for _ in range(draw(st.integers(1, 2))):
        in_data = draw(st.booleans())
        place = said.get("data") if in_data else said
        if not isinstance(place, dict):
            continue
        field = draw(st.sampled_from(_DATA if in_data else [*_ENVELOPE, "data"]))
        if field in {"time", "enqueued_at", "talk_started_at"} and draw(st.booleans()):
            place[field] = draw(instants)
        elif draw(st.integers(0, 3)):
            place[field] = draw(odd_values)
        else:
            place.pop(field, None)
    return said


@st.composite
def mutated_bytes(draw: st.DrawFn) -> bytes:
    """A sound event's bytes with a stretch of them replaced."""
    raw = json.dumps(draw(plain_events())).encode()
    first = draw(st.integers(0, len(raw)))
    return raw[:first] + draw(st.binary(max_size=6)) + raw[first + draw(st.integers(0, 6)) :]


any_bytes = (
    st.binary(max_size=200)
    | mutated_bytes()
    | st.builds(lambda value: json.dumps(value).encode(), json_values | odd_events())
)


@st.composite
def call_events(draw: st.DrawFn, *, keys: int = 2, span: int = 120, erased: bool = True) -> dict[str, Any]:
    """One fact of a chain `c0` …; ids come from a pool, so names are met again with other content."""
    what = draw(st.sampled_from([*WEIGHTED, "deleted"] if erased else WEIGHTED))
    initial = f"c{draw(st.integers(0, keys - 1))}"
    contact = initial + draw(st.sampled_from(["", "", "", "-cb"]))
    at = draw(st.integers(0, span))
    more: dict[str, Any] = {
        "contact": contact,
        "initial_contact_id": initial,
        "id": f"e{draw(st.integers(0, 15))}",
    }
    if draw(st.integers(0, 5)) == 0:
        more["leg"] = "second"
    if draw(st.integers(0, 5)) == 0:
        more["channel"] = draw(st.sampled_from(["voice", "video", "chat", "fax"]))
    if draw(st.integers(0, 7)) == 0:
        more["direction"] = draw(st.sampled_from(["inbound", "outbound", "sideways"]))
    if draw(st.integers(0, 7)) == 0 or what == "voided":
        more["corrects"] = f"e{draw(st.integers(0, 15))}"
    more |= draw(_FIELDS[what])(at) if what in _FIELDS else {}
    return event(what, at, **more)


def _later(values: list[int]) -> st.SearchStrategy[int | None]:
    return st.none() | st.sampled_from(values)


_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "queued": st.builds(
        lambda queue, later, callback: (
            lambda at: {
                "queue_id": queue,
                "enqueued_at": None if later is None else at + later,
                "callback": callback,
            }
        ),
        st.sampled_from(["q", "q", "r"]),
        _later([-5, 0, 3, 30]),
        st.sampled_from([None, None, True, False]),
    ),
    "answered": st.builds(
        lambda by, later, agent: (
            lambda at: {
                "answered_by": by,
                "talk_started_at": None if later is None else at + later,
                "agent_id": agent,
                "queue_id": "u",
            }
        ),
        st.sampled_from([None, None, "human", "bot", "oracle"]),
        _later([-1, 0, 4]),
        st.sampled_from([None, "a1"]),
    ),
    "callback_attempted": st.just(lambda _: {"outcome": "busy"}),
}


def histories(max_size: int = 12, **more: Any) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Events of a few chains in any order, contradictions, voids and erasures among them."""
    return st.lists(call_events(**more), min_size=1, max_size=max_size)


class CentreEvents(list[dict[str, Any]]):
    """A busy centre's events, late, doubled, mended and out of order; shown by its seed alone."""

    def __init__(self, seed: int, count: int = 300) -> None:
        params = CallCentre(rate=3, scheduled_share=0.8, callback_share=0.4, chaos=SPOILED)
        super().__init__(told.event for told in islice(simulate(params, seed, T0), count))
        self.seed = seed

    def __repr__(self) -> str:
        return f"CentreEvents({self.seed})"


SPOILED = Chaos(
    duplicate_share=0.1,
    late_share=0.3,
    late_seconds=120,
    correction_share=0.1,
    void_share=0.1,
    mending_seconds=90,
)


def streams() -> st.SearchStrategy[list[dict[str, Any]]]:
    """What a partition may have to take: small and nasty, or plausible and larger."""
    return histories(max_size=30) | st.builds(CentreEvents, st.integers(0, 10_000))


def unambiguous(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without events of a name and time already told otherwise: which holds is the bytes' business."""
    if isinstance(told, CentreEvents):
        return told
    seen: dict[tuple[Any, ...], dict[str, Any]] = {}
    return [
        said
        for said in told
        if seen.setdefault((said["id"], said["time"], said["data"]["initial_contact_id"]), said) == said
    ]


@st.composite
def splits(draw: st.DrawFn, count: int) -> list[int]:
    """Where a list of `count` is cut into batches; empty batches included."""
    return sorted(draw(st.lists(st.integers(0, count), max_size=4)))
