"""Every number ClickHouse's views give of an instant: by metric, definition, window and place, as on a board.

Source: architecture.md §6. Asks through `ask`; knows neither HTTP nor a client library.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any, Final, NamedTuple, TypeAlias

from pipeline.events.instants import instant_text
from pipeline.metrics.catalogue import METRICS
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import ADOPTION, FLOW, STANDING, STAYING
from pipeline.metrics.windows import (
    BUCKET_MS,
    DAY_WINDOWS,
    LIVE_WINDOWS,
    day_window,
    floor_bucket,
    live_window,
    local_date,
    midnight,
)
from pipeline.sink.ask import Answer

Ask: TypeAlias = Callable[[str], Answer]

DIMENSIONS: Final = ("tenant", "queue", "group", "channel", "currency", "stage", "from", "to", "path")
STEPS: Final = {each.name for each in (STAYING, FLOW, STANDING, ADOPTION)}
PEOPLE: Final = {"accounts_in_stage", "headcount", "internal_mobility", "attrition"}
_COHORT: Final = {"offered", "abandon_rate", "service_level"}
"""Of calls: counted by the time they entered the queue, the others by the time they left it."""


class Key(NamedTuple):
    """What a number is of. `window` '' = at the instant; `place` = dimensions with their values."""

    metric: str
    definition: str
    window: str
    place: tuple[tuple[str, str], ...]

    @property
    def where(self) -> str:
        """For people: `t/billing/voice`."""
        return "/".join(value or "-" for _, value in self.place)


class Told(NamedTuple):
    """A number as somebody told it; None = absent, or not told."""

    value: float | None
    n: float | None = None
    low: float | None = None
    high: float | None = None


Numbers: TypeAlias = dict[Key, Told]


def key_of(row: Mapping[str, Any], definition: str, window: str) -> Key:
    place = tuple((name, str(row[name])) for name in DIMENSIONS if row.get(name) is not None)
    return Key(row["metric"], definition, window, place)


def numbers_of_views(
    ask: Ask, now: int, days: Mapping[str, date], definitions: Definitions, kept: set[tuple[str, str]]
) -> Numbers:
    """`kept`: metrics with the windows that the board has them for."""
    metrics = {metric for metric, _ in kept}
    found: Numbers = {}
    for row, window in (
        *_live_rows(ask, now),
        *_summed_rows(ask, now, days, definitions, metrics),
        *_day_rows(ask, now, days, definitions),
        *_step_rows(ask, days, metrics),
        *_level_rows(ask, now, definitions),
    ):
        if (row["metric"], window) in kept and row.get("tenant") in days:
            found[key_of(row, _definition(row), window)] = Told(
                row["value"], row.get("n"), row.get("low"), row.get("high")
            )
    return found


def _definition(row: Mapping[str, Any]) -> str:
    """Views call the only definition `default`, whatever its name."""
    variants = METRICS[row["metric"]].variants
    return row["definition"] if row.get("definition") in variants else variants[0]


_Rows: TypeAlias = Iterator[tuple[dict[str, Any], str]]


def _rows(ask: Ask, query: str) -> Iterator[dict[str, Any]]:
    answer = ask(query)
    for row in answer["rows"]:
        yield dict(zip(answer["columns"], row, strict=True))


def _live_rows(ask: Ask, now: int) -> _Rows:
    for window in LIVE_WINDOWS:
        span = live_window(window, now)
        edges = f"from = '{_instant(span.start)}', to = '{_instant(span.end)}'"
        for view in ("support_window", "ticket_window", "voice_window"):
            for row in _rows(ask, f"SELECT * FROM {view}({edges})"):  # noqa: S608 - instants of our own
                if _is_counted_as_the_board_does(row):
                    yield row, window
        for row in _rows(ask, f"SELECT * FROM asa_customer_window({edges})"):  # noqa: S608
            yield row | {"metric": "asa_customer"}, window


def _day_rows(ask: Ask, now: int, days: Mapping[str, date], definitions: Definitions) -> _Rows:
    if not days:
        return
    wanted = ", ".join(sorted({f"'{day}'" for day in days.values()}))
    ahead = _ahead(ask, now, days, definitions)
    for view in ("support_days", "ticket_days", "voice_days"):
        for row in _rows(ask, f"SELECT * FROM {view} WHERE day IN ({wanted})"):  # noqa: S608
            is_today = str(row["day"]) == str(days.get(row["tenant"]))
            if is_today and _is_counted_as_the_board_does(row):
                later = ahead.get(key_of(row, _definition(row), ""))
                yield (row if later is None else _without(row, later)), "today"
    for row in _rows(ask, f"SELECT * FROM asa_customer WHERE day IN ({wanted})"):  # noqa: S608
        if str(row["day"]) == str(days.get(row["tenant"])):
            yield row | {"metric": "asa_customer"}, "today"


def _ahead(
    ask: Ask, now: int, days: Mapping[str, date], definitions: Definitions
) -> dict[Key, dict[str, Any]]:
    """Parts of the running day that start after now: callbacks by when they enter the queue. A day's row has
    them; what is `today` on the board has them not yet.
    """
    ends: dict[int, set[str]] = {}
    for tenant, day in days.items():
        ends.setdefault(midnight(day + timedelta(days=1), definitions.zone(tenant)), set()).add(tenant)
    first = floor_bucket(now) + BUCKET_MS
    return {
        key_of(row, _definition(row), ""): row
        for end, tenants in ends.items()
        if end > first
        for row in _rows(
            ask,
            f"SELECT * FROM support_window(from = '{_instant(first)}', to = '{_instant(end)}')",  # noqa: S608
        )
        if row["tenant"] in tenants and _is_counted_as_the_board_does(row)
    }


def _without(row: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    rest = {**row, **{part: (row.get(part) or 0) - (later.get(part) or 0) for part in _PARTS}}
    return rest | {"value": _value(rest), "low": None, "high": None}


_BY_DAY: Final = (
    "* FROM (SELECT * FROM ticket_days WHERE metric != 'reopen_rate')",
    "*, 'reopen_rate' AS metric, 'ratio' AS unit FROM reopen_rate_at(at = '{ripe}')",
    "* FROM voice_days",
    "*, 'time_in_stage' AS metric, 'seconds' AS unit, stay_ms AS part FROM time_in_stage",
    """*, 'stage_moves' AS metric, 'count' AS unit, from_stage AS `from`, to_stage AS `to`,
        value AS part, value AS n FROM stage_moves""",
    "*, 'invites' AS metric, 'count' AS unit, value AS part, value AS n FROM invites",
    "*, 'referrals' AS metric, 'count' AS unit, value AS part, value AS n FROM referrals",
)
"""Parts by local day: of seconds, ratios and points the numerator and `n`, of counts the count."""


def _summed_rows(
    ask: Ask, now: int, days: Mapping[str, date], definitions: Definitions, metrics: set[str]
) -> _Rows:
    """Windows of several of a tenant's days: the parts summed, and only then a number."""
    if not days:
        return
    opened = {
        (tenant, window): local_date(day_window(window, now, zone).start, zone)
        for tenant in days
        for zone in [definitions.zone(tenant)]
        for window in DAY_WINDOWS
    }
    first, last = min(opened.values()), max(days.values())
    if "churn" in metrics:
        yield from _daily_sums(ask, days, opened)
    totals: dict[Key, dict[str, Any]] = {}
    ripe = _instant(floor_bucket(now) + BUCKET_MS - 1)  # the board takes the running 10 seconds as a whole
    for parts in _BY_DAY:
        for row in _rows(ask, f"SELECT {parts.format(ripe=ripe)} WHERE day BETWEEN '{first}' AND '{last}'"):
            tenant, day = row["tenant"], str(row["day"])
            for window in DAY_WINDOWS if day <= str(days.get(tenant, "")) else ():
                if day >= str(opened[tenant, window]):
                    total = totals.setdefault(key_of(row, "", window), row | dict.fromkeys(_PARTS, 0))
                    for part in _PARTS:
                        total[part] += row.get(part, 0)
    for key, total in totals.items():
        yield total | {"value": _value(total), "low": None, "high": None}, key.window


def _daily_sums(ask: Ask, days: Mapping[str, date], opened: Mapping[tuple[str, str], date]) -> _Rows:
    """Churn day by day, asked once for all tenants whose window has the same days."""
    spans = {(first, days[tenant]) for (tenant, _), first in opened.items()}
    told = {
        span: {
            row["tenant"]: row
            for row in _rows(ask, f"SELECT * FROM churn_daily_sum(first = '{span[0]}', last = '{span[1]}')")  # noqa: S608
        }
        for span in sorted(spans)
    }
    for (tenant, window), first in opened.items():
        if row := told[first, days[tenant]].get(tenant):
            yield row | {"metric": "churn"}, window


_PARTS: Final = ("part", "less", "n")


def _value(total: Mapping[str, Any]) -> float | None:
    """As the views of single days make it."""
    part, less, n = (total[name] for name in _PARTS)
    if total["unit"] == "count":
        return float(part)
    if n == 0:
        return None
    return float({"seconds": part / n / 1000, "points": 100 * (part - less) / n}.get(total["unit"], part / n))


def _is_counted_as_the_board_does(row: Mapping[str, Any]) -> bool:
    if row["metric"] == "asa_customer":
        return False  # the board keeps its paths apart, as views of its own do
    return (row.get("counted_by") == "enqueue") == (row["metric"] in _COHORT) or "counted_by" not in row


def _step_rows(ask: Ask, days: Mapping[str, date], metrics: set[str]) -> _Rows:
    """Each series' last row up to the tenant's day. Days of two tenants lie at most one apart."""
    if not days:
        return
    for name in sorted(metrics):
        if name not in PEOPLE and not STEPS & set(METRICS[name].families):
            continue
        columns = set(ask(f"SELECT * FROM {name} LIMIT 0")["columns"])  # noqa: S608 - a view of ours
        series = sorted(columns & {"tenant", "window", "currency", "stage", "department", "definition"})
        query = (
            f"SELECT * FROM {name} WHERE day <= '{max(days.values())}'"  # noqa: S608
            f" ORDER BY day DESC LIMIT 2 BY {', '.join(f'`{column}`' for column in series)}"
        )
        last: dict[tuple[Any, ...], dict[str, Any]] = {}
        for row in _rows(ask, query):
            if row["tenant"] in days and str(row["day"]) <= str(days[row["tenant"]]):
                last.setdefault(tuple(row[column] for column in series), row)
        yield from _rolled_up(name, last.values())


def _rolled_up(name: str, rows: Any) -> _Rows:
    """Departments are no dimension of the board: their heads are counted together."""
    heads: dict[str, float] = {}
    for row in rows:
        if "department" in row:
            heads[row["tenant"]] = heads.get(row["tenant"], 0.0) + row["value"]
        else:
            yield row | {"metric": name}, {"1d": "today"}.get(row.get("window", ""), row.get("window", ""))
    for tenant, value in heads.items():
        yield {"metric": name, "tenant": tenant, "value": value}, ""


def _level_rows(ask: Ask, now: int, definitions: Definitions) -> _Rows:
    at = f"at = '{_instant(now)}'"
    for row in _rows(ask, f"SELECT * FROM waiting_at({at})"):  # noqa: S608
        for name in ("in_queue", "oldest_waiting", "scheduled", "stuck"):
            yield row | {"metric": name, "value": row[name]}, ""
    open_tickets: dict[tuple[str, ...], float] = {}
    for row in _rows(ask, f"SELECT * FROM backlog({at})"):  # noqa: S608
        place = (row["tenant"], row["group"], row["channel"])
        open_tickets[place] = open_tickets.get(place, 0.0) + row["value"]
    for (tenant, group, channel), value in open_tickets.items():
        yield (
            ({"metric": "backlog", "tenant": tenant, "group": group, "channel": channel, "value": value}),
            "",
        )
    target = definitions.frt_target_ms / 1000
    for row in _rows(ask, f"SELECT * FROM frt_overdue({at}, target = {target})"):  # noqa: S608
        yield row | {"metric": "frt_overdue"}, ""
        yield row | {"metric": "frt_overdue_oldest", "value": row["oldest"]}, ""


def _instant(ms: int) -> str:
    return instant_text(ms).replace("T", " ").removesuffix("Z")
