"""Where panels turn orange and red: as the table of docs/operations.md says, and where their alerts have their lines."""

import re
from typing import Any, NamedTuple

import pytest

from tests.alerts.rules import OPERATIONS, RULES
from tests.builders import UNDECLARED
from tests.deploy.test_dashboards import PANELS, Shown, each_panel

PLAIN = [(None, "blue")]
UNITS = {"%": 0.01, "s": 1, "": 1}
FIRST_OF_ALL = {"SupportFirstResponseOverdue": 1, "PulsePartitionUnowned": 1, "PulseInstanceDown": 1}
"""They fire on a single one: one ticket, one partition; one process is less than all."""


class Line(NamedTuple):
    """`is_floor`: good is above it."""

    value: float
    is_floor: bool


class Colours(NamedTuple):
    orange: Line | None
    red: Line
    because: str

    @property
    def steps(self) -> list[tuple[float | None, str]]:
        """As Grafana is told: each colour from a value on."""
        if self.red.is_floor:
            assert self.orange is not None
            return [(None, "red"), (self.red.value, "orange"), (self.orange.value, "green")]
        orange = [(self.orange.value, "orange")] if self.orange else []
        return [(None, "green"), *orange, (self.red.value, "red")]


def line(told: str) -> Line | None:
    if not told:
        return None
    word, number, unit = re.fullmatch(r"(from|below) (\d+) ?(%|s|)", told).groups()
    return Line(float(number) * UNITS[unit], word == "below")


def table() -> dict[str, Colours]:
    """By panel."""
    section = OPERATIONS[OPERATIONS.index("\n#### Colours\n") : OPERATIONS.index("\n## Sizing\n")]
    found: dict[str, Colours] = {}
    for row in re.findall(r"^\| (?!number|-)(.+) \|$", section, re.MULTILINE):
        _, panels, orange, red, because = (cell.strip() for cell in row.split("|"))
        for panel in panels.split("; "):
            assert panel not in found, panel
            found[panel] = Colours(line(orange), line(red), because)
    return found


TABLE = table()


def steps_of(panel: dict[str, Any]) -> list[tuple[float | None, str]]:
    return [
        (step["value"], step["color"]) for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    ]


def test_the_table_is_of_panels_that_are_there():
    assert len(TABLE) > 30
    assert TABLE.keys() <= {shown.name for shown in PANELS}


@each_panel
def test_a_panel_has_the_colours_that_are_written_down(shown):
    expected = TABLE[shown.name].steps if shown.name in TABLE else PLAIN
    assert [colour for _, colour in steps_of(shown.panel)] == [colour for _, colour in expected]
    for (found, _), (value, _) in zip(steps_of(shown.panel), expected, strict=True):
        assert found == (None if value is None else pytest.approx(value))


@each_panel
def test_colours_are_drawn(shown: Shown):
    """Not by themselves: a graph draws its lines only when told to."""
    if shown.panel["type"] == "timeseries":
        style = shown.panel["fieldConfig"]["defaults"]["custom"].get("thresholdsStyle", {"mode": "off"})
        assert (style["mode"] == "dashed") == (shown.name in TABLE)
    elif shown.name in TABLE:
        assert shown.panel["options"]["colorMode"] == "background"


def line_of(alert: str) -> float:
    """Where it begins to fire, read off the rule or the record of its line."""
    told = {rule.name: rule.told["expr"] for rule in RULES}
    if alert in FIRST_OF_ALL:
        assert re.search(r"> 0$|== 0$|== 1$", told[alert].strip())
        return FIRST_OF_ALL[alert]
    if record := re.search(r"\btenant:\w+_line:ratio", told[alert]):
        return float(re.search(r"\* ([\d.]+)$", told[record[0]])[1])
    if share := re.search(r"> ([\d.]+) \* (\d+)$", told[alert]):
        return float(share[1]) * float(share[2])
    objective = re.search(r"\(1 - ([\d.]+)\)", told[alert])
    return float(objective[1] if objective else re.search(r"> (\d+)", told[alert])[1])


AGREED = [(name, colours) for name, colours in TABLE.items() if "](#" in colours.because]


@pytest.mark.parametrize(("name", "colours"), AGREED, ids=[name for name, _ in AGREED])
def test_a_panel_turns_where_its_alert_does(name, colours):
    colour, alert = re.search(r"^(red|orange): .*\[(\w+)\]\(#\w+\)", colours.because).groups()
    found = {"red": colours.red, "orange": colours.orange}[colour]
    assert found.value == pytest.approx(line_of(alert))


def test_the_wall_and_the_alerts_that_page_agree():
    """Every tile whose number an alert of this dashboard is about, and that of the stale numbers."""
    alerts = {
        re.search(r"\[(\w+)\]", colours.because)[1]
        for name, colours in AGREED
        if name.startswith("support-live")
    }
    pages = {
        rule.name for rule in RULES if rule.told.get("annotations", {}).get("dashboard") == "support-live"
    }
    # The fast burn has the objective of the slow one.
    assert pages - {"SupportServiceLevelFastBurn"} <= alerts
    assert "PulseStale" in alerts


def test_a_first_response_is_late_where_the_undeclared_target_says_so():
    assert TABLE["queues-in-depth: First response"].red.value == UNDECLARED.frt_target_ms / 1000
