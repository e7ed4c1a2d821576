"""Ticket events with sane defaults, and random streams of them. Instants in seconds after T0."""

from typing import Any

from hypothesis import strategies as st

from tests.builders import iso

HOUR = 3600
WHATS = (
    *["message_added"] * 12, *["status_changed"] * 3, *["solved"] * 3, *["assigned"] * 2, *["changed"] * 2,
    *["reopened"] * 2, *["bot_handed_off"] * 2, "created", "voided",
)  # fmt: skip


def event(what: str, at: float = 0, *, ticket: str = "k", **more: Any) -> dict[str, Any]:
    """A ticket event. Without `id` its name says what it says, so the same call twice is a duplicate."""
    envelope = {"specversion": "1.0", "source": "/desk", "tenantid": "t", "time": iso(at)}
    for name in ("source", "tenantid", "time", "corrects", "id"):
        if name in more:
            envelope[name] = more.pop(name)
    data = {"ticket_id": ticket, **{name: value for name, value in more.items() if value is not None}}
    envelope.setdefault("type", f"pulse.ticket.{what}")
    envelope.setdefault("id", f"{what}-{ticket}-{at}-{sorted(data.items())}"[:128])
    return {**envelope, "data": data}


def agent(at: float, **more: Any) -> dict[str, Any]:
    """A public message of a human agent."""
    return event("message_added", at, author_kind="agent", **more)


def customer(at: float, **more: Any) -> dict[str, Any]:
    """A public message of the customer."""
    return event("message_added", at, author_kind="customer", **more)


_maybe_group = st.sampled_from([None, None, "g", "h"])
_FIELDS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "created": st.fixed_dictionaries(
        {
            "author_kind": st.sampled_from([None, None, None, "customer", "agent", "bot", "oracle"]),
            "channel": st.sampled_from([None, "mail", "chat"]),
            "group_id": _maybe_group,
            "custom_work": st.sampled_from([None, True, False]),
        }
    ),
    "message_added": st.fixed_dictionaries(
        {
            "author_kind": st.sampled_from(
                [None, "customer", "customer", "agent", "agent", "agent", "bot", "oracle"]
            ),
            "visibility": st.sampled_from([None, None, None, "public", "internal", "whispered"]),
        }
    ),
    "assigned": st.fixed_dictionaries({"group_id": _maybe_group, "agent_id": st.sampled_from([None, "a"])}),
    "status_changed": st.fixed_dictionaries(
        {"to": st.sampled_from(["new", "open", "pending", "solved", "solved", "closed", "escalated"])}
    ),
    "changed": st.fixed_dictionaries(
        {"group_id": _maybe_group, "custom_work": st.sampled_from([None, True, False])}
    ),
}


@st.composite
def ticket_events(draw: st.DrawFn, *, erased: bool = True) -> dict[str, Any]:
    """One fact of one of a few tickets of two tenants; ids come from a pool, so names meet again."""
    is_erased = erased and draw(st.integers(0, 150)) == 77
    is_merged = draw(st.integers(0, 40)) == 23
    what = "deleted" if is_erased else "merged" if is_merged else draw(st.sampled_from(WHATS))
    # Few instants, so that they meet, 72 h among their distances; `created` mostly before the others.
    hours = [0, 0, 0, 1] if what == "created" else [0, 1, 1, 2, 3, 3, 5, 26, 73, 75, 100]
    at = draw(st.sampled_from(hours)) * HOUR + draw(st.sampled_from([0, 0, 0, 0, 5, 10]))
    more = draw(_FIELDS.get(what, st.just({})))
    if what == "voided" or draw(st.integers(0, 19)) == 11:
        more = {**more, "corrects": f"e{draw(st.integers(0, 200))}"}
    return event(
        what,
        at,
        ticket=draw(st.sampled_from(["k", "k", "k", "k", "k", "l"])),
        tenantid=draw(st.sampled_from(["t", "t", "t", "t", "t", "u"])),
        id=f"e{draw(st.integers(0, 200))}",
        **more,
    )


def histories(max_size: int = 30, *, erased: bool = True) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Events of a few tickets in any order, contradictions, voids and erasures among them."""
    told = st.lists(ticket_events(erased=erased), min_size=max_size // 2, max_size=max_size)
    return told.map(lambda events: unambiguous([event("created", 0, id="birth"), *events]))


def unambiguous(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without events of a name and time already told otherwise: which holds is the bytes' business."""
    seen: dict[tuple[Any, ...], dict[str, Any]] = {}
    return [
        said
        for said in told
        if seen.setdefault((said["tenantid"], said["data"]["ticket_id"], said["id"], said["time"]), said)
        == said
    ]
