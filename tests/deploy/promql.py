"""What can be read off a PromQL expression: its series, and the unit of its value by the names of them."""

import re
from typing import Final

COUNTER: Final = re.compile(r"\b\w+_(?:total|bucket|sum|count)\b")
SUFFIXES: Final = {
    "_seconds": "s",
    "_ratio": "percentunit",
    "_ratio_low": "percentunit",
    "_ratio_high": "percentunit",
    "_points": "suffix:points",
    "_minor": "suffix:minor units",
    "_bytes": "bytes",
}


def series_of(expr: str) -> list[str]:
    """Names of series in order, labels and label values apart."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(by|without|on|ignoring) \([^)]*\)", "", expr)
    return re.findall(r"\b(?:pulse_|support_|success_|scrape_|up\b)\w*", bare)


def unit_of_series(name: str) -> str:
    """Of its value; a counter's without what makes it one."""
    name = re.sub(r"_(total|bucket|sum)$", "", name)
    return next((unit for suffix, unit in SUFFIXES.items() if name.endswith(suffix)), "short")


def unit_of(expr: str) -> str:
    """The unit of what an expression answers, as Grafana names units."""
    names = series_of(expr)
    unit = unit_of_series(names[0])
    if "time() - " in expr:
        assert all(name.endswith("_timestamp_seconds") for name in names), expr
        return "s"
    if "100 * " in expr:
        return "suffix:points"
    if " / " in expr:
        whole = unit_of_series(names[1]) if not names[1].endswith("_seconds_count") else "short"
        return "percentunit" if unit == whole else unit
    if "histogram_quantile" in expr:
        return unit
    return "cps" if "rate(" in expr and unit == "short" else unit
