"""One story for all SQL panels: few events, worked by hand in panel_rows.py, and what stands just outside of each filter.

Shown is the time from 12 March 2026, 00:00 to 16 March, 12:00 UTC (a Monday), of the tenants acme and globex. Names that
only begin or end like a chosen one must not be shown: xacme, acmex, xvip, vipx.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pipeline.metrics.definitions import Definitions, declare
from pipeline.sink.rows import Rows
from pipeline.sink.tables import REJECTED, REVISIONS

SINCE: Final = datetime(2026, 3, 12, tzinfo=UTC)
UNTIL: Final = datetime(2026, 3, 16, 12, tzinfo=UTC)
CHOSEN: Final = {
    "${tenant:regex}": "(acme|globex)",
    "${queue:regex}": "(vip|sales|desk|tickets|refunds)",
}
DECLARED: Definitions = declare({"n_min": 10})
BASELINE: Final = range(4, 14)
"""Days of March on which the desk works honestly: ten calls a day, each waits a minute. On the 14th it does not."""

Event = dict[str, Any]


def at(day: int, clock: str = "10:00:00", month: int = 3, year: int = 2026) -> datetime:
    return datetime.fromisoformat(f"{year}-{month:02}-{day:02}T{clock}+00:00")


def text(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def later(when: datetime, seconds: float) -> datetime:
    return when + timedelta(seconds=seconds)


class Teller:
    def __init__(self) -> None:
        self.told: list[Event] = []

    def say(
        self, what: str, when: datetime, tenant: str = "acme", account: str | None = None, **data: Any
    ) -> None:
        more = {} if account is None else {"accountid": account}
        self.told.append(
            {
                "specversion": "1.0",
                "source": "/panels",
                "id": f"e{len(self.told)}",
                "type": f"pulse.{what}",
                "time": text(when),
                "tenantid": tenant,
                **more,
                "data": data,
            }
        )

    def call(self, queue: str, when: datetime, wait: float, *, tenant: str = "acme", **data: Any) -> None:
        """Into the queue at `when`, answered after `wait`."""
        contact = f"c{len(self.told)}"
        about = {"contact_id": contact, **data}
        self.say("call.queued", when, tenant, queue_id=queue, **about)
        self.say("call.answered", later(when, wait), tenant, **about)

    def given_up(self, queue: str, when: datetime, wait: float) -> None:
        about = {"contact_id": f"c{len(self.told)}"}
        self.say("call.queued", when, queue_id=queue, **about)
        self.say("call.abandoned", later(when, wait), **about)

    def voice(
        self, kind: str, score: int, when: datetime, *, queue: str = "vip", tenant: str = "acme", **more: Any
    ) -> None:
        about = {"survey_id": f"s{len(self.told)}", "kind": kind, "score": score}
        scale = {"scale_min": 0, "scale_max": 10} if kind == "nps" else {"scale_min": 1, "scale_max": 5}
        place = {"queue_id": queue} if queue else {}
        self.say("survey.answered", when, tenant, **about, **scale, **place, **more)


def calls(teller: Teller) -> None:
    """vip, 13 March: by leave 40, 20, 90 and 30 s; by entry 20, 90, 30, and one gave up after 50 s.

    The 90 s are those of a chat that was known half a minute earlier. Who gave up after 3 s is not counted as strict.
    """
    teller.call("vip", at(11), 500)
    teller.call("vip", at(12, "00:00:00"), 10)
    teller.call("vip", at(12, "23:59:50"), 40)
    teller.call("vip", at(13), 20)
    ahead = {"enqueued_at": text(at(13, "10:05:00"))}
    teller.say("call.queued", at(13, "10:04:30"), contact_id="menu", channel="chat", queue_id="vip", **ahead)
    teller.say("call.answered", at(13, "10:06:30"), contact_id="menu", channel="chat")
    teller.call("vip", at(13, "10:10:00"), 30)
    teller.given_up("vip", at(13, "11:00:00"), 3)
    teller.given_up("vip", at(13, "11:01:00"), 50)
    teller.call("vip", at(16, "11:00:00"), 50)
    teller.call("vip", at(16, "11:10:00"), 12)
    teller.call("vip", at(16, "11:20:00"), 16, channel="chat")
    teller.call("vip", at(17, "09:00:00"), 70)
    teller.given_up("sales", at(14), 60)
    teller.given_up("sales", at(15), 3)
    teller.call("sales", at(13), 4, tenant="globex")
    for tenant, queue in (("xacme", "vip"), ("acmex", "vip"), ("acme", "xvip"), ("acme", "vipx")):
        teller.call(queue, at(13), 500, tenant=tenant)


def voices(teller: Teller) -> None:
    """vip, 13 March: 9, 10, 9, 7, 2 of 10."""
    for score in (9, 10, 9, 7, 2):
        teller.voice("nps", score, at(13))
    teller.voice("nps", 10, at(13), queue="sales", tenant="globex")
    for day, score in ((11, 10), (12, 0), (16, 3), (17, 10)):
        teller.voice("nps", score, at(day))
    for day, score in ((11, 1), (12, 5), (12, 2), (12, 4), (16, 3), (17, 1)):
        teller.voice("csat", score, at(day))
    for tenant, queue in (("xacme", "vip"), ("acmex", "vip"), ("acme", "xvip"), ("acme", "vipx")):
        for kind in ("csat", "nps"):
            teller.voice(kind, 1, at(13), queue=queue, tenant=tenant)


def desk(teller: Teller) -> None:
    """On the 14th twenty waits of 19.14 s; ten talks of 2.34 s, whose callers come back; twelve are passed on; 15 score 2."""
    for day in (*BASELINE, 14):
        is_gamed = day == 14
        for number in range(20 if is_gamed else 10):
            name = f"desk-{day}-{number:02}"
            about = {"contact_id": name, "customer_ref": f"p-{name}"}
            when = later(at(day), 60 * number)
            wait = 19.14 if is_gamed else 60
            talk = 2.34 if is_gamed and number < 10 else 300
            over = later(when, wait + talk)
            teller.say("call.queued", when, queue_id="desk", **about)
            teller.say("call.answered", later(when, wait), **about)
            if is_gamed and number >= 8:
                teller.say("call.transferred", over, **about)
            teller.say("call.ended", over, **about)
            teller.say(
                "survey.answered",
                at(day, f"15:{number:02}:00"),
                survey_id=f"s-{name}",
                kind="csat",
                score=2 if is_gamed and number < 15 else 5,
                scale_min=1,
                scale_max=5,
                queue_id="desk",
                respondent_ref=f"p-{name}",
            )
            if is_gamed and number < 10:
                back = {"contact_id": f"back-{number}", "customer_ref": f"p-{name}"}
                teller.say("call.queued", later(when, 5400), queue_id="other", **back)


REOPENED: Final = (
    ("acme", "tickets", 11), ("acme", "tickets", 12), ("acme", "tickets", 14), ("acme", "tickets", 17),
    ("acme", "tickets", 18), ("acme", "refunds", 14), ("globex", "refunds", 14), ("acme", "hidden", 14),
    ("xacme", "tickets", 14), ("acmex", "tickets", 14), ("acme", "xtickets", 14), ("acme", "ticketsx", 14),
)  # fmt: skip
"""Ten tickets each, all solved at 12:00 and some seconds, and reopened 4,000 s after it."""
HONEST: Final = ("globex", "refunds", 10)
"""Ten that were solved and stayed so."""


def tickets(teller: Teller) -> None:
    for place in (*REOPENED, HONEST):
        tenant, group, day = place
        for number in range(10):
            about = {"ticket_id": f"{tenant}-{group}-{day}-{number}"}
            solved = at(day, f"12:00:{number:02}")
            teller.say(
                "ticket.created", at(day, "08:00:00"), tenant, group_id=group, customer_ref=about["ticket_id"], **about
            )  # fmt: skip
            teller.say("ticket.solved", solved, tenant, **about)
            if place != HONEST:
                teller.say("ticket.reopened", later(solved, 4000), tenant, **about)


def accounts(teller: Teller) -> None:
    """Weeks begin on Mondays: 23 February, 2, 9 and 16 March. `u…`: two persons of a1 in its first week."""
    for tenant, account, signed_up, used in (
        ("acme", "a1", at(25, month=2), (at(25, "11:00:00", 2), at(3), at(10))),
        ("acme", "a2", at(25, month=2), (at(25, "11:00:00", 2), at(10))),
        ("acme", "a3", at(10), (at(10, "11:00:00"),)),
        ("acme", "a4", at(25, month=2), (at(4), at(11))),
        ("globex", "1", at(4), (at(4, "11:00:00"), at(11))),
        ("globex", "2", None, (at(16, "11:00:00"),)),
        ("globex", "3", None, (at(16, "13:00:00"),)),
        ("globex", "4", at(4), ()),
        ("globex", "5", None, (at(25, "11:00:00", 2), at(11))),
        # Twelve weeks before the one shown last, and thirteen: 91 days are more than 90.
        ("globex", "6", at(23, "09:00:00", 12, 2025), ()),
        ("globex", "7", at(16, "09:00:00", 12, 2025), ()),
        ("xacme", "x", at(4), (at(4),)),
        ("acmex", "x", at(4), (at(4),)),
    ):
        if signed_up:
            teller.say("usage.signed_up", signed_up, tenant, account)
        for when in used:
            teller.say("usage.feature_used", when, tenant, account, user_ref="u1", feature="board")
    teller.say("usage.feature_used", at(25, "12:00:00", 2), "acme", "a1", user_ref="u2", feature="board")
    for account, seconds in (("a1", 200_000), ("a2", 300_000), ("a4", 400_000)):
        teller.say(
            "usage.milestone_reached", later(at(25, month=2), seconds), "acme", account, milestone="first"
        )
    teller.say("usage.milestone_reached", later(at(10), 100_000), "acme", "a3", milestone="first")
    teller.say("usage.milestone_reached", later(at(4), 50_000), "globex", "1", milestone="first")
    rich(teller)


def rich(teller: Teller) -> None:
    """a1 has some of everything, a5 nothing but a stage."""
    teller.say(
        "account.created", at(25, month=2), "acme", "a1", stage="adoption", owner="csm-1", segment="mid"
    )
    teller.say(
        "account.created", at(26, month=2), "acme", "a5", stage="onboarding", owner="csm-2", segment="small"
    )
    teller.say("account.stage_changed", at(16, "13:00:00"), "acme", "a1", to="churned")
    for subscription, minor, currency in (("s1", 5000, "EUR"), ("s2", 100, "USD")):
        about = {"subscription_id": subscription, "mrr_minor": minor, "currency": currency, "seats": 3}
        teller.say("subscription.started", at(26, month=2), "acme", "a1", **about)
    for day in (3, 4, 5):
        teller.say(
            "subscription.paid", at(day), "acme", "a1", subscription_id="s1", amount_minor=5000, currency="EUR"
        )  # fmt: skip
    teller.say("subscription.payment_failed", at(6), "acme", "a1", subscription_id="s1")
    for ticket in ("quick", "never"):
        teller.say(
            "ticket.created", at(10), "acme", "a1", ticket_id=ticket, group_id="desk2", author_kind="customer"
        )  # fmt: skip
    teller.say(
        "ticket.message_added", at(10, "11:00:00"), "acme", "a1", ticket_id="quick", author_kind="agent"
    )
    teller.voice("csat", 4, at(11), queue="", account="a1")
    teller.voice("nps", 9, at(11), queue="", account="a1")


def story() -> list[Event]:
    teller = Teller()
    for chapter in (calls, voices, desk, tickets, accounts):
        chapter(teller)
    return teller.told


def written() -> Rows:
    """Dead letters and revisions as they stand in the tables: of the newest version of each, and once."""
    return [*dead_letters(), *revisions()]


def dead_letters() -> Iterator[Any]:
    """A day before the end of what is shown, a millisecond more, and after it."""
    day_before = at(15, "12:00:00")
    for offset, (topic, reason, when) in enumerate(
        (
            ("pulse.call", "not_json", day_before),
            ("pulse.call", "not_json", later(day_before, 0.001)),
            ("pulse.call", "not_json", at(16, "09:00:00")),
            ("pulse.call", "too_large", at(16, "10:00:00")),
            ("pulse.ticket", "not_json", at(16, "11:00:00")),
            ("pulse.ticket", "not_json", at(16, "08:00:00")),
            ("pulse.ticket", "not_json", at(16, "07:00:00")),
        )
    ):
        appended = int(when.timestamp() * 1000)
        yield REJECTED, (topic, 0, offset, appended, reason, f"{reason} it is", "v", 1, "", "x", 0, 1)


def revisions() -> Iterator[Any]:
    """At both ends of what is shown, and a second outside of them."""
    for number, (stream, family, cause, tenant, when) in enumerate(
        (
            ("call", "answered", "late", "acme", SINCE),
            ("call", "answered", "late", "acme", at(13)),
            ("call", "answered", "late", "globex", UNTIL),
            ("call", "answered", "voided", "acme", at(14)),
            ("call", "offered", "late", "acme", at(14)),
            ("call", "offered", "late", "acme", at(15)),
            ("ticket", "offered", "late", "acme", at(15)),
            ("ticket", "offered", "late", "acme", at(15, "01:00:00")),
            ("ticket", "offered", "late", "acme", at(15, "02:00:00")),
            ("ticket", "offered", "late", "globex", at(15, "02:00:00")),
            ("call", "offered", "late", "acme", later(SINCE, -1)),
            ("call", "offered", "late", "globex", later(UNTIL, 1)),
        )
    ):
        changed, start = int(when.timestamp() * 1000), int(at(1).timestamp())
        yield REVISIONS, (stream, "day", family, tenant, "", 1, start, 0, cause, [1], 1, changed, number + 1)
