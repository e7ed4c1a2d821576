"""What an event must be counted anew for."""

from pipeline.entities.usage import merge, new_account
from pipeline.entities.usage_steps import EVER, NEVER, changes_since
from pipeline.events.usage import decode
from tests.builders import raw


def told(what, **more):
    event = {
        "specversion": "1.0", "id": what, "source": "/t", "type": f"pulse.usage.{what}", "tenantid": "t",
        "accountid": "a", "time": "2026-03-02T09:00:00Z", "data": {"user_ref": "u"},
    }  # fmt: skip
    return decode(raw(event | more), None)


def test_a_session_changes_nothing_that_is_counted():
    account = new_account()
    merge(account, told("signed_up"))
    assert changes_since(account, told("session_started")) == NEVER


def test_a_session_in_the_place_of_another_event_may_change_everything():
    account = new_account()
    merge(account, told("signed_up"))
    assert changes_since(account, told("session_started", corrects="signed_up")) == EVER
