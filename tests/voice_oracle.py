"""Numbers of surveys, accounts and agents, read from a list of events as plainly as the pages say it.

Written from events.md §3-§4 and metrics.md §1, §4 and §7, not from the core: it shares no code with it and
asks each question anew. Windows are [start, end) in ms; `at` means: of what is dated at or before it.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from math import ceil, sqrt
from typing import Any
from zoneinfo import ZoneInfo

Told = list[dict[str, Any]]
Answer = tuple[float | None, int | None]
STAGES = ("onboarding", "adoption", "retention", "expansion", "advocacy", "churned")


def instant(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def what(event: dict[str, Any]) -> str:
    return event["type"].split(".")[2]


def entities(told: Told, key: str, tenant: str | None = None, at: int | None = None) -> Iterator[Told]:
    """The standing facts of each entity, in order of (time, source, id)."""
    by_key: dict[Any, Told] = {}
    for event in told:
        name = event["accountid"] if key == "accountid" else event["data"][key]
        if tenant in {None, event["tenantid"]}:
            by_key.setdefault((event["tenantid"], name), []).append(event)
    for events in by_key.values():
        if any(what(event) == "deleted" for event in events):
            continue
        void = {(event["source"], event["corrects"]) for event in events if "corrects" in event}
        held: dict[Any, dict[str, Any]] = {}
        for event in events:
            name = (event["source"], event["id"])
            if name in void or what(event) in {"voided", "state_changed"}:
                continue
            if name not in held or instant(event["time"]) > instant(held[name]["time"]):
                held[name] = event
        facts = [event for event in held.values() if at is None or instant(event["time"]) <= at]
        yield sorted(facts, key=lambda event: (instant(event["time"]), event["source"], event["id"]))


def last(facts: Told, field: str, default: Any = None) -> Any:
    found = [event["data"][field] for event in facts if event["data"].get(field) is not None]
    return found[-1] if found else default


# ---- surveys


def surveys(told: Told, dims: dict[str, str], at: int | None = None) -> Iterator[tuple[Told, Told]]:
    """(sendings, answers) of each survey of the tenant and queue asked for."""
    for facts in entities(told, "survey_id", dims.get("tenant"), at):
        if dims.get("queue") in {None, last(facts, "queue_id", "")}:
            yield (
                [event for event in facts if what(event) == "sent"],
                [event for event in facts if what(event) == "answered"],
            )


def answers(told: Told, kind: str, start: int, end: int, dims: dict[str, str], at: int | None) -> list[Any]:
    """(last answer, whether commented) of surveys whose last answer lies in the window."""
    found = []
    for _, answered in surveys(told, dims, at):
        if answered and start <= instant(answered[-1]["time"]) < end and answered[-1]["data"]["kind"] == kind:
            words = [
                True if event["data"].get("comment_ref") else event["data"].get("comment")
                for event in answered
            ]
            stated = [word for word in words if word is not None]
            found.append((answered[-1]["data"], bool(stated and stated[-1])))
    return found


def share(part: int, n: int) -> Answer:
    return (part / n if n else None), n


def csat(told: Told, start: int, end: int, dims: dict[str, str], at: int | None) -> Answer:
    found = [data for data, _ in answers(told, "csat", start, end, dims, at)]
    top = [d for d in found if d["score"] >= d["scale_max"] - (d["scale_max"] - d["scale_min"]) / 4]
    return share(len(top), len(found))


def csat_commented(told: Told, start: int, end: int, dims: dict[str, str], at: int | None) -> Answer:
    found = answers(told, "csat", start, end, dims, at)
    return share(sum(commented for _, commented in found), len(found))


def csat_response_rate(told: Told, start: int, end: int, dims: dict[str, str], at: int | None) -> Answer:
    found = [
        bool(answered)
        for sent, answered in surveys(told, dims, at)
        if sent and sent[0]["data"]["kind"] == "csat" and start <= instant(sent[0]["time"]) < end
    ]
    return share(sum(found), len(found))


def on_ten(told: Told, start: int, end: int, dims: dict[str, str], at: int | None) -> list[float]:
    found = answers(told, "nps", start, end, dims, at)
    return [data["score"] for data, _ in found if data["scale_min"] == 0 and data["scale_max"] == 10]


def nps(told: Told, start: int, end: int, dims: dict[str, str], at: int | None) -> Answer:
    scores = on_ten(told, start, end, dims, at)
    if not scores:
        return None, 0
    return (sum(s >= 9 for s in scores) - sum(s <= 6 for s in scores)) / len(scores) * 100, len(scores)


def nps_half(told: Told, start: int, end: int, dims: dict[str, str], at: int | None) -> float:
    scores = on_ten(told, start, end, dims, at)
    p, d = sum(s >= 9 for s in scores) / len(scores), sum(s <= 6 for s in scores) / len(scores)
    return 1.96 * sqrt(max(p + d - (p - d) ** 2, 0) / len(scores)) * 100


SURVEYS = {
    "csat": csat,
    "csat_commented": csat_commented,
    "csat_response_rate": csat_response_rate,
    "nps": nps,
    "promoters": lambda *asked: (sum(score >= 9 for score in on_ten(*asked)), None),
    "passives": lambda *asked: (sum(6 < score < 9 for score in on_ten(*asked)), None),
    "detractors": lambda *asked: (sum(score <= 6 for score in on_ten(*asked)), None),
}

# ---- accounts


def stage_at(facts: Told, edge: int) -> str:
    """The stage before any change dated `edge`; '' none stated, or merged away by then."""
    known = [event for event in facts if instant(event["time"]) < edge]
    if any(what(event) == "merged" for event in known):
        return ""
    stated = [
        event["data"].get("to") if what(event) == "stage_changed" else event["data"].get("stage")
        for event in known
        if what(event) in {"created", "stage_changed"}
    ]
    stage = [each for each in stated if each is not None][-1:]
    return "" if not stage else stage[0] if stage[0] in STAGES else "other"


def changes(facts: Told) -> list[tuple[int, str, str]]:
    """(instant, stage before, stage after) wherever the two differ."""
    instants = sorted({instant(event["time"]) for event in facts})
    told = [(at, stage_at(facts, at), stage_at(facts, at + 1)) for at in instants]
    return [each for each in told if each[1] != each[2]]


def accounts_in_stage(told: Told, at: int, dims: dict[str, str]) -> Answer:
    stages = [stage_at(facts, at + 1) for facts in entities(told, "accountid", dims.get("tenant"))]
    return sum(bool(stage) and dims.get("stage") in {None, stage} for stage in stages), None


def stage_moves(told: Told, start: int, end: int, dims: dict[str, str], at: int | None) -> Answer:
    return (
        sum(
            start <= moved < end
            and bool(before)
            and bool(after)
            and dims.get("from") in {None, before}
            and dims.get("to") in {None, after}
            for facts in entities(told, "accountid", dims.get("tenant"), at)
            for moved, before, after in changes(facts)
        ),
        None,
    )


def time_in_stage(told: Told, start: int, end: int, dims: dict[str, str], at: int | None) -> Answer:
    lengths = []
    for facts in entities(told, "accountid", dims.get("tenant"), at):
        entered = 0
        for moved, before, after in changes(facts):
            if before and after and start <= moved < end and dims.get("stage") in {None, before}:
                lengths.append((moved - entered) / 1000)
            entered = moved
    return (sum(lengths) / len(lengths) if lengths else None), len(lengths)


# ---- agents


def state_at(facts: Told, edge: int) -> tuple[str, str]:
    """('', 'joined' or 'left'; department) before any change dated `edge`."""
    known = [event for event in facts if instant(event["time"]) < edge]
    came = [what(event) for event in known if what(event) in {"joined", "left"}]
    where = [event["data"].get("department") or event["data"].get("to_department") for event in known]
    return (came or [""])[-1], ([each for each in where if each] or [""])[-1]


def headcount(told: Told, at: int, dims: dict[str, str]) -> Answer:
    states = [state_at(facts, at + 1) for facts in entities(told, "agent_id", dims.get("tenant"))]
    asked = dims.get("department")
    return sum(state == "joined" and asked in {None, department} for state, department in states), None


def moved(facts: Told, start: int, end: int) -> bool:
    return any(
        what(event) == "moved"
        and event["data"]["from_department"] != event["data"]["to_department"]
        and start <= instant(event["time"]) < end
        and state_at(facts, instant(event["time"]))[0] != "left"
        for event in facts
    )


def left(facts: Told, start: int, end: int) -> bool:
    instants = {instant(event["time"]) for event in facts}
    return any(
        start <= at < end and state_at(facts, at)[0] != "left" and state_at(facts, at + 1)[0] == "left"
        for at in instants
    )


def internal_mobility(told: Told, start: int, end: int, dims: dict[str, str], at: int | None) -> Answer:
    agents = list(entities(told, "agent_id", dims.get("tenant"), at))
    movers = sum(moved(facts, start, end) for facts in agents)
    return share(movers, movers + sum(left(facts, start, end) for facts in agents))


def attrition(told: Told, start: int, end: int, dims: dict[str, str], at: int | None) -> Answer:
    agents = list(entities(told, "agent_id", dims.get("tenant"), at))
    there = [sum(state_at(facts, edge)[0] == "joined" for facts in agents) for edge in (start, end)]
    gone = sum(left(facts, start, end) for facts in agents)
    return (gone / (sum(there) / 2) if sum(there) else None), ceil(sum(there) / 2)


DAYS = {
    "stage_moves": stage_moves,
    "time_in_stage": time_in_stage,
    "internal_mobility": internal_mobility,
    "attrition": attrition,
}
LEVELS = {"accounts_in_stage": accounts_in_stage, "headcount": headcount}


def window(name: str, at: int, zone: ZoneInfo) -> tuple[int, int]:
    """The tenant's local days that `name` means, up to and including `at`."""
    today = datetime.fromtimestamp(at / 1000, zone).date()
    first = {
        "today": today,
        "7d": today - timedelta(days=6),
        "30d": today - timedelta(days=29),
        "90d": today - timedelta(days=89),
        "month": date(today.year, today.month, 1),
    }[name]
    return local_midnight(first, zone), at + 1


def local_midnight(day: date, zone: ZoneInfo) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)
