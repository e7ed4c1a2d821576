"""Random stories of usage: two tenants with the same accounts and users, days on which clocks change."""

from datetime import date, timedelta

from hypothesis import strategies as st

from tests.subscription_stories import ZONES, Story, midnight, text

# The third tenant is not declared: UTC.
ALL_ZONES = {**ZONES, "w": "UTC"}
EDGES = [date(2026, 3, 1), date(2026, 3, 29), date(2026, 3, 8), date(2026, 10, 25), date(2026, 11, 1)]
SHIFTS = [0, 0, -1, -1, -2, -3, -6, -7, -13, -14, -15, -27, -28, -88, -89, -90, -91]
OFFSETS = [0, 1, -1, 3_600_000, -3_600_000, 12 * 3_600_000, 12 * 3_600_000]
KINDS = [
    "signed_up", "signed_up", "signed_up", "feature_used", "feature_used", "feature_used", "feature_used",
    "feature_used", "milestone_reached", "milestone_reached", "invited", "left", "left", "session_started", "linked",
    "voided", "deleted",
]  # fmt: skip
users = st.sampled_from(["p", "p", "q"])


def said_of(draw, kind):
    data = {}
    must = kind in {"feature_used", "session_started", "linked"}
    if must or (kind in {"signed_up", "left", "milestone_reached", "invited"} and draw(st.booleans())):
        data["user_ref"] = draw(users)
    if kind == "feature_used":
        data["feature"] = draw(st.sampled_from(["board", "board", "chart", "export"]))
        if draw(st.integers(0, 3)) == 0:
            data["quantity"] = draw(st.sampled_from([0, 2, "100", "0.5", -1]))
    elif kind == "milestone_reached":
        data["milestone"] = "m"
    elif kind == "invited":
        data["kind"] = draw(st.sampled_from(["user", "referral", "pigeon"]))
    elif kind == "linked":
        data["same_as"] = draw(st.sampled_from("pqrs"))
    return data


@st.composite
def stories(draw, edges=tuple(EDGES)):
    """A few accounts around an edge, in the 90 days before it, mostly on few days."""
    edge = draw(st.sampled_from(edges))
    shifts = draw(st.lists(st.sampled_from(SHIFTS), min_size=2, max_size=5))
    found = []
    for index in range(draw(st.integers(2, 25))):
        kind = draw(st.sampled_from(KINDS))
        if kind == "deleted" and draw(st.integers(0, 4)):
            kind = "signed_up"
        tenant = draw(st.sampled_from("tttuw"))
        start = midnight(edge + timedelta(days=draw(st.sampled_from(shifts))), "u" if tenant == "u" else "t")
        event = {
            "type": f"pulse.usage.{kind}", "id": f"e{(index * 7) % 25:02}", "source": draw(st.sampled_from(["/a", "/a", "/b"])),
            "tenantid": tenant, "accountid": draw(st.sampled_from("xxy")), "data": said_of(draw, kind),
            "time": text(start + timedelta(milliseconds=draw(st.sampled_from(OFFSETS)))),
        }  # fmt: skip
        if kind == "voided" or (found and draw(st.integers(0, 9)) == 0):
            earlier = draw(st.sampled_from(found)) if found else event | {"id": "nothing"}
            event |= {"corrects": earlier["id"], "source": earlier["source"]}
            event |= {"tenantid": earlier["tenantid"], "accountid": earlier["accountid"]}
        found.append(event)
    return Story(found, [edge])
