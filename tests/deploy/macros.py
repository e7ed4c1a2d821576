"""The macros of the ClickHouse plugin that our panels use, as it expands them."""

import re
from datetime import datetime


def expanded(query: str, since: datetime, until: datetime) -> str:
    """A panel's query over the time shown, both ends included; variables are left as they stand."""
    start, end = (int(each.timestamp()) for each in (since, until))
    query = re.sub(
        r"\$__timeFilter\((\w+)\)", rf"\1 >= toDateTime({start}) AND \1 <= toDateTime({end})", query
    )
    query = re.sub(
        r"\$__dateFilter\((\w+)\)", rf"\1 >= toDate('{since:%F}') AND \1 <= toDate('{until:%F}')", query
    )
    for name, seconds, instant in (("from", start, since), ("to", end, until)):
        ms = int(instant.timestamp() * 1000)
        query = query.replace(f"$__{name}Time_ms", f"fromUnixTimestamp64Milli({ms})")
        query = query.replace(f"$__{name}Time", f"toDateTime({seconds})")
    return query
