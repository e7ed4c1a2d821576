"""Random histories of surveys, accounts and agents: few keys, ids met again, two tenants, a DST weekend."""

import json
from typing import Any

from hypothesis import strategies as st

from pipeline.events.instants import instant_text

FRIDAY = 1_774_562_400_000  # 2026-03-26T22:00:00Z, midnight in Bucharest; clocks go forward on Sunday
SLOT_MS = 1_800_000
TENANTS = {"t": {"tz": "Europe/Bucharest"}, "acme": {"tz": "Asia/Kolkata"}}
STAGE = st.sampled_from(["onboarding", "adoption", "retention", "churned", "limbo"])
DEPARTMENT = st.sampled_from(["support", "sales", "product"])
POINTS = {(1, 5): [1, 3, 4, 5], (0, 10): [0, 6, 6.5, 7, 8, 9, 10], (1, 7): [5, 6], (0, 1): [0, 0.5, 1]}


def _maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


@st.composite
def _survey(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    what = draw(st.sampled_from(["sent", "answered", "answered"]))
    data = {
        "kind": draw(st.sampled_from(["csat", "csat", "nps", "nps", "ces"])),
        "queue_id": draw(st.sampled_from([None, "q", "r"])),
    }
    if what == "answered":
        low, high = draw(st.sampled_from(sorted(POINTS)))
        data |= {"scale_min": low, "scale_max": high, "score": draw(st.sampled_from(POINTS[low, high]))}
        data |= {"comment": draw(_maybe(st.booleans()))}
        data |= {"comment_ref": draw(st.sampled_from([None, None, "c"]))}
    return what, data


@st.composite
def _account(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    what = draw(
        st.sampled_from(["created", *["stage_changed"] * 4, "owner_changed", "segment_changed", "merged"])
    )
    if what == "created":
        return what, {"stage": draw(_maybe(STAGE)), "owner": draw(_maybe(st.just("o")))}
    if what == "merged":
        return what, {"into": "other"}
    return what, {"to": draw(STAGE) if what == "stage_changed" else "x"}


@st.composite
def _agent(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    what = draw(st.sampled_from(["joined", "joined", "moved", "moved", "left", "state_changed"]))
    if what == "joined":
        return what, {"department": draw(DEPARTMENT)}
    if what == "moved":
        return what, {"from_department": draw(DEPARTMENT), "to_department": draw(DEPARTMENT)}
    return what, {"to": "away"} if what == "state_changed" else {"voluntary": draw(_maybe(st.booleans()))}


FACTS = {"survey": _survey(), "account": _account(), "agent": _agent()}
KEYS = {"survey": "survey_id", "account": "accountid", "agent": "agent_id"}


@st.composite
def events(draw: st.DrawFn, stream: str, days: int = 40) -> dict[str, Any]:
    """One event; most instants meet within a few days, some lie a month away."""
    what, data = draw(FACTS[stream])
    extra = draw(st.sampled_from(["", "", "", "", "", "", "", "voided", "deleted"]))
    what, data = (extra, {}) if extra else (what, data)
    slot = draw(st.integers(0, 6 * 48) | st.integers(0, days * 48))
    said = {
        "specversion": "1.0",
        "id": f"e{draw(st.integers(0, 30))}",
        "source": draw(st.sampled_from(["/a", "/a", "/b"])),
        "type": f"pulse.{stream}.{what}",
        "time": instant_text(FRIDAY + slot * SLOT_MS),
        "tenantid": draw(st.sampled_from(["t", "t", "acme"])),
        "data": {name: value for name, value in data.items() if value is not None},
    }
    if what == "voided" or draw(st.integers(0, 7)) == 0:
        said["corrects"] = f"e{draw(st.integers(0, 30))}"
    place = said if stream == "account" else said["data"]
    place[KEYS[stream]] = draw(st.sampled_from(["x", "x", "y", "z"]))
    return said


def name_of(said: dict[str, Any], stream: str) -> tuple[Any, ...]:
    """What names an event within its entity, and its time."""
    entity = said["accountid"] if stream == "account" else said["data"][KEYS[stream]]
    return said["tenantid"], entity, said["source"], said["id"]


def _unambiguous(stream: str, told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One content per name: which of two holds is the bytes' business."""
    seen: dict[tuple[Any, ...], dict[str, Any]] = {}
    return [said for said in told if seen.setdefault(name_of(said, stream), said) == said]


def histories(stream: str, max_size: int = 25) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Events in any order, voids and erasures among them; names say one thing each."""
    told = st.lists(events(stream), min_size=1, max_size=max_size)
    return told.map(lambda found: _unambiguous(stream, found))


def raw(said: dict[str, Any]) -> bytes:
    return json.dumps(said).encode()
