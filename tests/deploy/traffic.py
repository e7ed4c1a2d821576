"""Events of all seven streams that end now: the published cases, moved in time, and a simulated contact centre."""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Any, NamedTuple

from pipeline.events.instants import instant_ms, instant_text
from pipeline.sources.simulate import CallCentre, encode, simulate
from tests.builders import DAY, HOUR, ms
from tests.conftest import ROOT
from tests.gaming_stories import DAYS, Habits, story

CASES = ("T1", "T4", "T6", "T8", "S1", "S2", "S3", "S4", "U1", "U2", "R2", "R3")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
KEYS = {
    "call": lambda event: event["data"]["contact_id"],
    "ticket": lambda event: event["data"]["ticket_id"],
    "survey": lambda event: event["data"]["survey_id"],
    "agent": lambda event: event["data"]["agent_id"],
    "usage": lambda event: event["accountid"],
    "subscription": lambda event: event["accountid"],
    "account": lambda event: event["accountid"],
}
STORY_MS = 40 * 60_000
AHEAD_MS = 4 * 60_000
"""So far ahead a clock may be. Calls go on for so long without anybody feeding them."""


class Told(NamedTuple):
    stream: str
    key: bytes
    value: bytes


def traffic(now_ms: int) -> list[Told]:
    """In order of time. Each case has a tenant of its own and ends a minute before `now_ms`; calls go on."""
    told = [
        (instant_ms(event["time"]), event["type"].split(".")[1], event)
        for name in CASES
        for event in moved(name, now_ms - 60_000)
    ]
    told += [*gamed(now_ms), *moments(now_ms)]
    told.sort(key=lambda each: each[0])
    found = [
        Told(stream, f"{event['tenantid']}|{KEYS[stream](event)}".encode(), json.dumps(event).encode())
        for _, stream, event in told
    ]
    return found + list(calls(now_ms))


def moved(name: str, end_ms: int) -> list[dict[str, Any]]:
    case = json.loads((ROOT / f"tests/cases/{name}.json").read_text(encoding="utf-8"))
    last = max(instant_ms(event["time"]) for event in case["events"])
    for event in case["events"]:
        if event["type"] == "pulse.ticket.created":
            event["data"].setdefault("group_id", "desk")
    return [
        later(
            {
                "specversion": "1.0",
                "source": f"/case/{name}",
                "id": f"e{number}",
                **event,
                "tenantid": name.lower() + event.get("tenantid", ""),
            },
            end_ms - last,
        )
        for number, event in enumerate(case["events"])
    ]


def later(event: Mapping[str, Any], by_ms: int) -> dict[str, Any]:
    """Every instant of an event, moved."""
    text = INSTANT.sub(lambda at: instant_text(instant_ms(at[0]) + by_ms), json.dumps(event))
    found: dict[str, Any] = json.loads(text)
    return found


def gamed(now_ms: int) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """A queue's last two days: callers cut short and tickets that come back, moved by whole days into the last three."""
    days = (now_ms - HOUR * 1000 - ms(DAYS * DAY)) // (DAY * 1000)
    for told in story("watched", 1, Habits(short=0.4, reopened=0.7), days=2):
        event = later(told, days * DAY * 1000)
        yield instant_ms(event["time"]), event["type"].split(".")[1], event


def calls(now_ms: int) -> Iterator[Told]:
    story = simulate(CallCentre(rate=6.0), 11, now_ms - STORY_MS)
    for record in takewhile(lambda record: record.deliver_at_ms < now_ms + AHEAD_MS, story):
        yield Told("call", record.key, encode(record.event))
    # Something to be rejected and listed.
    yield Told("call", b"nobody", b"not an event")


def moments(now_ms: int) -> list[tuple[int, str, dict[str, Any]]]:
    """One who waits, and a ticket solved a moment ago: whatever the stories are at, and however slow a start is."""
    ticket = {"ticket_id": "quick", "group_id": "desk"}
    told = [
        ("call.queued", 1, {"contact_id": "waits", "queue_id": "patience"}),
        ("ticket.created", 300, {**ticket, "channel": "email", "author_kind": "customer"}),
        ("ticket.message_added", 200, {"ticket_id": "quick", "author_kind": "agent", "agent_id": "a"}),
        ("ticket.solved", 100, {"ticket_id": "quick"}),
    ]
    return [
        (
            now_ms - ago * 1000,
            what.partition(".")[0],
            {
                "specversion": "1.0",
                "source": "/moments",
                "id": what,
                "tenantid": "one",
                "type": f"pulse.{what}",
                "time": instant_text(now_ms - ago * 1000),
                "data": data,
            },
        )
        for what, ago, data in told
    ]
