"""How what happens in a simulation becomes a record: the envelope, the key, instants as text."""

from typing import Final

from pipeline.events.instants import instant_text
from pipeline.sources.delivery import Event, Simulated
from pipeline.sources.floor import Fact

_INSTANTS: Final = ("enqueued_at", "talk_started_at")


class Teller:
    """Makes records of one producing system. Its events are named `{prefix}{1, 2, 3, …}`."""

    __slots__ = ("_number", "_prefix", "_second", "_second_text", "_source")

    def __init__(self, source: str, prefix: str) -> None:
        self._source = source
        self._prefix = prefix
        self._number = 0
        self._second, self._second_text = -1, ""

    def record(
        self, what: str, at_ms: int, key: str, data: dict[str, object], accountid: str | None = None
    ) -> Simulated:
        """`what` is a type without `pulse.`, `key` the Kafka key, whose first part is the tenant."""
        second, ms = divmod(at_ms, 1000)
        if second != self._second:
            self._second, self._second_text = second, instant_text(second * 1000)[:20]
        self._number += 1
        event: Event = {
            "specversion": "1.0",
            "id": f"{self._prefix}{self._number}",
            "source": self._source,
            "type": f"pulse.{what}",
            "time": f"{self._second_text}{ms:03d}Z",
            "tenantid": key.partition("|")[0],
            "data": data,
        }
        if accountid is not None:
            event["accountid"] = accountid
        return Simulated(at_ms, key.encode(), event)

    def call(self, fact: Fact) -> Simulated:
        """What happened to a leg, as an event of `call`."""
        leg, data = fact.leg, fact.data
        for name in _INSTANTS:
            at_ms = data.get(name)
            if isinstance(at_ms, int):
                data[name] = instant_text(at_ms)
        key = f"{leg.line.tenant}|{leg.initial_contact_id}"
        return self.record(f"call.{fact.what}", fact.at_ms, key, leg.identity | data, leg.caller.accountid)
