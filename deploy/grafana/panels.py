"""The few kinds of panels that Pulse's dashboards are made of; each says what it means and what empty means.

Targets the Grafana line that the pinned SDK knows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from grafana_foundation_sdk.builders import common, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphDrawStyle,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)

PROMETHEUS: Final = model.DataSourceRef("prometheus", "prometheus")
CLICKHOUSE: Final = model.DataSourceRef("grafana-clickhouse-datasource", "clickhouse")

SECONDS: Final = "s"
RATIO: Final = "percentunit"
COUNT: Final = "short"
POINTS: Final = "suffix:points"
MINOR: Final = "suffix:minor units"
PER_SECOND: Final = "cps"

Steps: TypeAlias = Sequence[tuple[float | None, str]]
PLAIN: Final[Steps] = ((None, "blue"),)
Panel: TypeAlias = stat.Panel | table.Panel | timeseries.Panel


def above(orange: float, red: float) -> Steps:
    """Red from `red` on."""
    return (None, "green"), (orange, "orange"), (red, "red")


def below(orange: float, red: float) -> Steps:
    """Red under `red`, green from `orange` on."""
    return (None, "red"), (red, "orange"), (orange, "green")


@dataclass(frozen=True)
class Ask:
    """One PromQL query and how its series are named."""

    expr: str
    legend: str


class Sql(Dataquery):
    """One query of the ClickHouse plugin, for which the SDK has no builder. `time_series`: first column = time.

    Days stand at noon, UTC: nearly all the world's browsers then show them on that day.
    `named_by`: the column of names where one number has many series; else each number is a series by its name.
    """

    def __init__(self, text: str, *, time_series: bool = False, named_by: str = "") -> None:
        self.text = " ".join(text.split())
        self.time_series = time_series
        self.named_by = named_by

    def to_json(self) -> dict[str, Any]:
        kind = "timeseries" if self.time_series else "table"
        return {
            "refId": "A",
            "datasource": CLICKHOUSE.to_json(),
            "pluginVersion": "4.20.0",
            "editorType": "sql",
            "queryType": kind,
            "format": 0 if self.time_series else 1,
            "rawSql": self.text,
        }


class _Built:
    """An object as a builder of itself."""

    def __init__(self, built: Any) -> None:
        self._built = built

    def build(self) -> Any:
        return self._built


def _target(ask: Ask, number: int, *, instant: bool) -> prometheus.Dataquery:
    query = prometheus.Dataquery().expr(ask.expr).legend_format(ask.legend).ref_id(chr(ord("A") + number))
    query = query.datasource(PROMETHEUS)
    return query.instant() if instant else query.range()


def _thresholds(steps: Steps) -> build.ThresholdsConfig:
    listed = [model.Threshold(value, colour) for value, colour in steps]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(listed)


def _where(metric: str) -> str:
    """Where it is written what a number means."""
    if metric.startswith(("pulse_", "scrape_")) or metric == "up":
        return f"Series {metric}: docs/operations.md."
    if metric.startswith("view:"):
        return f"View {metric.removeprefix('view:')}: docs/metrics.md."
    return f"Defined as {metric}: docs/metrics.md."


def _told(
    panel: Any, title: str, what: str, metric: str, unit: str, empty: str, steps: Steps, size: tuple[int, int]
) -> Any:
    """What every panel carries. `metric`: of docs/metrics.md, with its definition; or a series of the pipeline."""
    width, height = size
    return (
        panel.title(title)
        .description(f"{what} {_where(metric)}")
        .unit(unit)
        .no_value(empty)
        .thresholds(_thresholds(steps))
        .span(width)
        .height(height)
    )


def tile(
    title: str,
    ask: Ask,
    unit: str,
    *,
    what: str,
    metric: str,
    empty: str,
    steps: Steps,
    size: tuple[int, int] = (8, 8),
    decimals: int | None = None,
) -> stat.Panel:
    """One number that fills its place with the colour of its state."""
    panel = _told(stat.Panel(), title, what, metric, unit, empty, steps, size)
    if decimals is not None:
        panel = panel.decimals(decimals)
    return (
        panel.datasource(PROMETHEUS)
        .with_target(_target(ask, 0, instant=True))
        .color_mode(BigValueColorMode.BACKGROUND)
        .graph_mode(BigValueGraphMode.NONE)
        .text_mode(BigValueTextMode.VALUE_AND_NAME if "{{" in ask.legend else BigValueTextMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def lines(
    title: str,
    asks: Sequence[Ask] | Sql,
    unit: str,
    *,
    what: str,
    metric: str,
    empty: str,
    steps: Steps = PLAIN,
    size: tuple[int, int] = (12, 8),
    stacked: bool = False,
    bars: bool = False,
) -> timeseries.Panel:
    """Numbers over time. A gap is a gap: what is absent is not drawn as 0."""
    panel = _told(timeseries.Panel(), title, what, metric, unit, empty, steps, size)
    if isinstance(asks, Sql):
        panel = panel.datasource(CLICKHOUSE).with_target(_Built(asks))
        if asks.named_by:
            panel = panel.display_name(f"${{__field.labels.{asks.named_by}}}")
    else:
        panel = panel.datasource(PROMETHEUS)
        for number, ask in enumerate(asks):
            panel = panel.with_target(_target(ask, number, instant=False))
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL)).fill_opacity(30)
    if bars:
        panel = panel.draw_style(GraphDrawStyle.BARS).fill_opacity(60)
    else:
        panel = panel.line_width(2).span_nulls(False)
    if len(steps) > 1:
        # Without a style of their own Grafana draws no thresholds into a graph.
        panel = panel.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
        )
    if unit == RATIO:
        panel = panel.axis_soft_min(0)
        # As high as its lines are of interest: 5 % are nothing to see under 100 %.
        if highest := max((value for value, _ in steps if value is not None), default=0):
            panel = panel.axis_soft_max(min(1, 2 * highest))
    # A day between two without any is a point, and no line.
    points = VisibilityMode.ALWAYS if isinstance(asks, Sql) else VisibilityMode.AUTO
    return (
        panel.show_points(points)
        .point_size(5)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.TABLE)
            .placement(LegendPlacement.BOTTOM)
            .calcs(["lastNotNull"])
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )


def rows(
    title: str,
    query: Sql,
    units: dict[str, str],
    *,
    what: str,
    metric: str,
    empty: str,
    steps: Steps = PLAIN,
    size: tuple[int, int] = (24, 8),
) -> table.Panel:
    """A table of ClickHouse. `units`: of each column that holds a number. `empty`: of a table without rows.

    Grafana would write that into every empty cell as well, so those have a sign of their own.
    """
    what = f"{what} A dash: nothing is known, or nothing to tell."
    panel = _told(table.Panel(), title, what, metric, "none", empty, steps, size)
    panel = panel.datasource(CLICKHOUSE).with_target(_Built(query))
    # Half of Grafana's own: all columns of most tables are then seen at once.
    panel = panel.min_width(75)
    panel = panel.override_by_regexp("/.*/", [model.DynamicConfigValue("noValue", "–")])
    for column, unit in units.items():
        panel = panel.override_by_name(column, [model.DynamicConfigValue("unit", unit)])
    return panel


# Variables: every label they choose from is a closed set.


def _query_variable(name: str, query: str) -> build.QueryVariable:
    return (
        build.QueryVariable(name)
        .label(name)
        .datasource(PROMETHEUS)
        .query({"query": query, "refId": name, "qryType": 1})
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(model.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def tenant(series: str) -> build.QueryVariable:
    return _query_variable("tenant", f"label_values({series}, tenant)")


def of_tenant(label: str, *series: str) -> build.QueryVariable:
    """`queue` or `group`, of the tenants chosen, wherever one of the series knows it."""
    names = f'__name__=~"{"|".join(series)}", tenant=~"$tenant"'
    return _query_variable(label, f"label_values({{{names}}}, {label})")


def window(choices: Sequence[str], chosen: str) -> build.CustomVariable:
    options = [model.VariableOption(selected=each == chosen, text=each, value=each) for each in choices]
    return (
        build.CustomVariable("window")
        .label("window")
        .values(",".join(choices))
        .options(options)
        .current(model.VariableOption(selected=True, text=chosen, value=chosen))
    )


def dashboard(
    uid: str,
    title: str,
    what: str,
    *,
    variables: Sequence[Any],
    groups: Sequence[tuple[str, Sequence[Panel]]],
    refresh: str = "30s",
    since: str = "now-6h",
) -> model.Dashboard:
    """Panels in rows; a row without a name has no heading. Ids follow the order."""
    found = (
        build.Dashboard(title)
        .uid(uid)
        .description(what)
        .tags(["pulse"])
        .readonly()
        .timezone("browser")
        .time(since, "now")
        .refresh(refresh)
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
    )
    for variable in variables:
        found = found.with_variable(variable)
    for name, panels in groups:
        if name:
            found = found.with_row(build.Row(name))
        for panel in panels:
            found = found.with_panel(panel)
    built = found.build()
    for number, panel in enumerate(built.panels or [], 1):
        panel.id_val = number
    return built


Dashboard: TypeAlias = Callable[[], model.Dashboard]
