"""What each SQL panel must show of the story, worked by hand from its events; numbers of the watch from their formulas."""

from datetime import datetime, timedelta
from math import sqrt
from typing import Any, Final

Rows = list[tuple[Any, ...]]


def day(number: int, *clock: int, month: int = 3, year: int = 2026) -> datetime:
    return datetime(year, month, number, *clock)  # noqa: DTZ001 - as the driver reads UTC


def noon(number: int, month: int = 3, year: int = 2026) -> datetime:
    """Where a graph shows a day."""
    return day(number, 12, month=month, year=year)


def low(hits: int, n: int, z: float) -> float:
    """The low end of Wilson's interval."""
    p, z2 = hits / n, z * z
    return (p + z2 / (2 * n) - z * sqrt(p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)


COMPARED, ALONE = 2.5758, 3.2905
NEVER_BEFORE: Final = (COMPARED**2 / 100) / (1 + COMPARED**2 / 100)
"""The high end of none in the hundred calls of the ten days before."""

# vip on the 13th: (40 + 20 + 90 + 30) / 4 s; of who entered, 20 s alone was in time, of four that count.
SPEED: Final[Rows] = [
    (noon(12), "acme / desk", 60.0),
    (noon(12), "acme / vip", 10.0),
    (noon(13), "acme / desk", 60.0),
    (noon(13), "acme / vip", 45.0),
    (noon(13), "globex / sales", 4.0),
    (noon(14), "acme / desk", 19.14),
    (noon(16), "acme / vip", (50 + 12 + 16) / 3),
]
SERVICE_LEVEL: Final[Rows] = [
    (noon(12), "acme / desk", 0.0),
    (noon(12), "acme / vip", 1 / 2),
    (noon(13), "acme / desk", 0.0),
    (noon(13), "acme / vip", 1 / 4),
    (noon(13), "globex / sales", 1.0),
    (noon(14), "acme / desk", 1.0),
    (noon(14), "acme / sales", 0.0),
    (noon(16), "acme / vip", 2 / 3),
]
# Week of 23 February: a1, a2 and globex's 5 are new. 2 March: a4 and 1 new, a1 returns, a2 and 5 dormant. 9 March: a3
# new; a1, a4 and 1 return; a2 and 5 come back. That of the 16th is not over.
WEEKS: Final[Rows] = [
    *((noon(22, month=12, year=2025) + timedelta(weeks=number), 0, 0, 0, 0) for number in range(9)),
    (noon(23, month=2), 3, 0, 0, 0),
    (noon(2), 2, 1, 0, 2),
    (noon(9), 1, 3, 2, 0),
]
# Of a1, a2 and a4 two used it in their first week, two in the next, all in the third; of globex's 1 and 4 only 1 ever,
# and 6 never in the twelve weeks since.
RETAINED: Final[Rows] = [
    ("acme", "2026-02-23", 0, 3, 2 / 3),
    ("acme", "2026-02-23", 1, 3, 2 / 3),
    ("acme", "2026-02-23", 2, 3, 1.0),
    ("acme", "2026-03-09", 0, 1, 1.0),
    *(("globex", "2025-12-22", weeks, 1, 0.0) for weeks in range(12)),
    ("globex", "2026-03-02", 0, 2, 1 / 2),
    ("globex", "2026-03-02", 1, 2, 1 / 2),
]
# 100,000 to 400,000 s: nearest ranks 2, 3 and 4 of four.
TIME_TO_VALUE: Final[Rows] = [
    ("acme", 4, 4, 200_000.0, 300_000.0, 400_000.0, 250_000.0, 0.0),
    ("globex", 3, 1, 50_000.0, 50_000.0, 50_000.0, 50_000.0, 2 / 3),
]
# Adoption: days used of three, within 28. a1: 3 of 3 days; 1 of 2 waits in time; (3/4 + 9/10) / 2 of its scales; 3 of 4
# payments; 0.4 · 100 + 0.2 · (50 + 82.5 + 75).
NOTHING: Final = (None, None, None, 0, None, None, None, "")
ACCOUNTS: Final[Rows] = [
    *(("globex", name, "", "", "", 0.0, 0.4, 0.0, *NOTHING) for name in "467"),
    ("acme", "a3", "", "", "", 100 / 3, 0.4, 100 / 3, *NOTHING),
    ("acme", "a2", "", "", "", 200 / 3, 0.4, 200 / 3, *NOTHING),
    ("acme", "a4", "", "", "", 200 / 3, 0.4, 200 / 3, *NOTHING),
    ("globex", "1", "", "", "", 200 / 3, 0.4, 200 / 3, *NOTHING),
    (
        *("acme", "a1", "adoption", "csm-1", "mid", 81.5, 1.0, 100.0, 50.0, 82.5, 75.0),
        *(2, 4.0, 9.0, day(10, 11), "5000 EUR, 100 USD"),
    ),
    ("acme", "a5", "onboarding", "csm-2", "small", None, 0.0, None, *NOTHING),
    ("globex", "2", "", "", "", None, 0.0, None, *NOTHING),
    ("globex", "5", "", "", "", None, 0.0, None, *NOTHING),
]
SATISFIED: Final[Rows] = [
    (noon(12), "acme / desk", 1.0),
    (noon(12), "acme / vip", 2 / 3),
    (noon(13), "acme / desk", 1.0),
    (noon(14), "acme / desk", 5 / 20),
    (noon(16), "acme / vip", 0.0),
]
PROMOTED: Final[Rows] = [
    (noon(12), "acme / vip", -100.0),
    (noon(13), "acme / vip", 100 * (3 - 1) / 5),
    (noon(13), "globex / sales", 100.0),
    (noon(16), "acme / vip", -100.0),
]
KINDS: Final = (
    "faster_csat_worse", "faster_repeats_up", "faster_transfers_up", "short_answers", "waits_under_threshold",
)  # fmt: skip
FLAGS_BY_DAY: Final[Rows] = [
    (noon(12), "solved_reopened", 1),
    (noon(14), KINDS[0], 1),
    (noon(14), KINDS[1], 1),
    (noon(14), KINDS[2], 1),
    (noon(14), KINDS[3], 1),
    (noon(14), "solved_reopened", 3),
    (noon(14), KINDS[4], 1),
    (noon(17), "solved_reopened", 1),
]


def reopened(number: int, tenant: str, queue: str, days: int = 0) -> tuple[Any, ...]:
    """Ten of ten, against a fifth; of no day before, or of one without any; and no speed."""
    told = (None, 10, 10, 1.0, low(10, 10, ALONE), 0.2, days, 0.0 if days else None, None, None)
    return (f"2026-03-{number}", tenant, queue, "solved_reopened", *told)


def gamed(
    kind: str, hits: int, line: float, z: float, days: int = 10, threshold: float | None = None
) -> tuple[Any, ...]:
    """Hits of the desk's twenty on the 14th; never before; waits of 19.14 s, before of a minute."""
    before = 0.0 if days else None
    told = (threshold, hits, 20, hits / 20, low(hits, 20, z), line, days, before, 19.14, 60.0)
    return ("2026-03-14", "acme", "desk", kind, *told)


NEWEST_FLAGS: Final[Rows] = [
    reopened(17, "acme", "tickets"),
    gamed(KINDS[0], 15, NEVER_BEFORE, COMPARED),
    gamed(KINDS[1], 10, NEVER_BEFORE, COMPARED),
    gamed(KINDS[2], 12, NEVER_BEFORE, COMPARED),
    gamed(KINDS[3], 10, 0.05, ALONE),
    gamed(KINDS[4], 20, 0.4, ALONE, days=0, threshold=20),
    reopened(14, "acme", "refunds"),
    reopened(14, "acme", "tickets"),
    reopened(14, "globex", "refunds", days=1),
    reopened(12, "acme", "tickets"),
]


def ticket(number: int, tenant: str, group: str, on: int) -> tuple[Any, ...]:
    """4,000 s are 1.1 h."""
    name = f"{tenant}-{group}-{on}-{number}"
    about = ("solved_reopened", "ticket", name, "after 1.1 h", f"customer {name}", "")
    return (day(on, 12, 0, number), tenant, group, *about)


def survey(number: int) -> tuple[Any, ...]:
    name = f"desk-14-{number:02}"
    about = (KINDS[0], "survey", f"s-{name}", "score 2", f"customer p-{name}", "")
    return (day(14, 15, number), "acme", "desk", *about)


def call(number: int) -> Rows:
    """Waits of 19.14 s; talks of 2.34 s; who came back, did so 5,380.86 s later."""
    name = f"desk-14-{number:02}"
    when = day(14, 10, number, 19, 140_000)
    told = [
        *([(KINDS[1], "after 1.5 h", f"back-{number}")] if number < 10 else []),
        *([(KINDS[2], "after 19.1 s", "")] if number >= 8 else []),
        *([(KINDS[3], "2.3 s", f"back-{number}")] if number < 10 else []),
        (KINDS[4], "19.1 s", ""),
    ]
    return [
        (when, "acme", "desk", kind, "call", name, seen, f"customer p-{name}", back)
        for kind, seen, back in told
    ]


EVIDENCE: Final[Rows] = [
    *(ticket(number, "acme", "tickets", 17) for number in range(9, -1, -1)),
    *(survey(number) for number in range(14, -1, -1)),
    *(
        ticket(number, *place, 14)
        for number in range(9, -1, -1)
        for place in (("acme", "refunds"), ("acme", "tickets"), ("globex", "refunds"))
    ),
    *(each for number in range(19, -1, -1) for each in call(number)),
][:100]
DEAD_LETTERS: Final[Rows] = [
    ("pulse.ticket", "not_json", 3, day(16, 11), "not_json it is"),
    ("pulse.call", "not_json", 2, day(16, 9), "not_json it is"),
    ("pulse.call", "too_large", 1, day(16, 10), "too_large it is"),
]
REVISED: Final[Rows] = [
    ("ticket", "offered", "late", 4, 2, day(15, 10)),
    ("call", "answered", "late", 3, 2, day(16, 12)),
    ("call", "offered", "late", 2, 1, day(15, 10)),
    ("call", "answered", "voided", 1, 1, day(14, 10)),
]
SHOWN: Final[dict[str, Rows]] = {
    "queues-in-depth: Speed of answer by day": SPEED,
    "queues-in-depth: Service level by day": SERVICE_LEVEL,
    "success: Who is new, stays, comes back, falls silent": WEEKS,
    "success: Of whom signed up in a week: who used it later": RETAINED,
    "success: Time to value, exactly": TIME_TO_VALUE,
    "success: Accounts, the least healthy first": ACCOUNTS,
    "voice-and-gaming: Satisfied by day": SATISFIED,
    "voice-and-gaming: Net promoter score by day": PROMOTED,
    "voice-and-gaming: Flags by day and kind": FLAGS_BY_DAY,
    "voice-and-gaming: Newest flags, and by how much": NEWEST_FLAGS,
    "voice-and-gaming: What the newest flags rest on": EVIDENCE,
    "pipeline-health: Dead letters of the last day": DEAD_LETTERS,
    "pipeline-health: Numbers that changed after their time": REVISED,
}
