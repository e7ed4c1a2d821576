"""The committed dashboards: what the code makes, whole, and by the rules of docs/operations.md."""

import ast
import json
import re
from itertools import combinations
from typing import Any, NamedTuple

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.catalogue import DASHBOARDS, FOLDER, text
from pipeline.metrics.catalogue import METRICS
from tests.conftest import ROOT
from tests.deploy.promql import COUNTER, SUFFIXES, series_of, unit_of

FILES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}
UNITS = {*SUFFIXES.values(), "short", "cps", "none"}
CLOSED = {"tenant", "queue", "group"}


class Shown(NamedTuple):
    board: str
    panel: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.board}: {self.panel['title']}"

    @property
    def fields(self) -> dict[str, Any]:
        return self.panel["fieldConfig"]["defaults"]

    @property
    def expressions(self) -> list[str]:
        return [target["expr"] for target in self.panel["targets"] if "expr" in target]

    @property
    def queries(self) -> list[str]:
        return [target["rawSql"] for target in self.panel["targets"] if "rawSql" in target]


PANELS = [
    Shown(name, panel) for name, board in FILES.items() for panel in board["panels"] if panel["type"] != "row"
]
each_panel = pytest.mark.parametrize("shown", PANELS, ids=lambda shown: shown.name)
each_board = pytest.mark.parametrize("name", FILES)


def test_what_is_committed_is_what_the_code_makes():
    made = {built.uid: text(built) for built in (each() for each in DASHBOARDS)}
    committed = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*")}
    assert committed == made, "run `make dashboards`"


@each_board
def test_a_dashboard_is_named_as_its_file_and_edited_in_code_alone(name):
    board = FILES[name]
    assert board["uid"] == name
    assert board["editable"] is False


@each_board
def test_the_schema_of_the_grafana_it_is_for_knows_every_key(name):
    again = Dashboard.from_json(json.loads(json.dumps(FILES[name])))
    assert json.loads(json.dumps(again, cls=JSONEncoder)) == FILES[name]


def test_the_schema_would_find_a_key_it_does_not_know():
    spoiled = json.loads(json.dumps(FILES["support-live"]))
    spoiled["panels"][0]["fieldConfig"]["defaults"]["noValues"] = "?"
    again = json.loads(json.dumps(Dashboard.from_json(spoiled), cls=JSONEncoder))
    assert "noValues" not in again["panels"][0]["fieldConfig"]["defaults"]


@each_board
def test_panels_lie_side_by_side_inside_the_grid(name):
    places = [panel["gridPos"] for panel in FILES[name]["panels"]]
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


@each_board
def test_panels_and_their_queries_have_names_of_their_own(name):
    panels = FILES[name]["panels"]
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    assert len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        letters = [target["refId"] for target in panel.get("targets", [])]
        assert len(set(letters)) == len(letters)
        assert all(letters)


@each_panel
def test_a_panel_says_what_it_shows_in_which_unit_and_what_nothing_means(shown):
    assert shown.fields["unit"] in UNITS
    assert len(shown.fields["noValue"]) > 5
    assert shown.fields["thresholds"]["steps"][0]["value"] is None
    assert len(shown.panel["description"]) > 40


@each_panel
def test_a_panel_names_its_definition(shown):
    told = re.search(
        r" (Defined as|Series|View) ([\w/]+): docs/(metrics|operations)\.md\.$", shown.panel["description"]
    )
    assert told, shown.panel["description"]
    if told[1] != "Defined as":
        pages = [ROOT / f"docs/{told[3]}.md", *ROOT.glob(f"docs/{told[3]}/*.md")]
        assert (
            any(re.search(rf"`{told[2]}\b", page.read_text(encoding="utf-8")) for page in pages)
            or told[2] == "up"
        )
        return
    metric, _, variant = told[2].partition("/")
    assert metric in METRICS
    assert not variant or variant in METRICS[metric].variants


def test_data_sources_are_those_that_are_provisioned():
    provisioned = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/pulse.yml").read_text())
    known = {(each["type"], each["uid"]) for each in provisioned["datasources"]}
    used = {
        (source["type"], source["uid"])
        for shown in PANELS
        for source in (
            shown.panel["datasource"],
            *(target["datasource"] for target in shown.panel["targets"]),
        )
    }
    assert used == known


def test_the_provider_finds_the_folder_that_is_mounted(services):
    provider = yaml.safe_load((ROOT / "deploy/grafana/provisioning/dashboards/pulse.yml").read_text())
    path = provider["providers"][0]["options"]["path"]
    assert f"./deploy/grafana/dashboards:{path}:ro" in services["grafana"]["volumes"]
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.removeprefix(f"{path}/").removesuffix(".json") in FILES


@each_board
def test_variables_choose_from_closed_sets_and_all_are_used(name):
    variables = {each["name"]: each for each in FILES[name]["templating"].get("list", [])}
    asked = json.dumps(FILES[name]["panels"])
    used = set(re.findall(r"\$\{?([a-z]\w*)", asked))
    assert used == set(variables)
    for each in variables.values():
        if each["type"] == "query":
            label = re.search(r", (\w+)\)$", each["query"]["query"])
            assert label[1] == each["name"]
            assert label[1] in CLOSED
        else:
            assert each["type"] == "custom"


@each_panel
def test_the_unit_is_that_of_the_series(shown):
    for expr in shown.expressions:
        assert unit_of(expr) == shown.fields["unit"], expr


@each_panel
def test_series_of_one_query_have_the_names_that_tell_them_apart(shown):
    """Else Grafana calls them all by their column: `asa acme / vip`."""
    for query in shown.queries:
        found = re.search(r"(?:concat\(.*?\)|f\.kind) AS (\w+)", query)
        name = f"${{__field.labels.{found[1]}}}" if found and shown.panel["type"] == "timeseries" else None
        assert shown.fields.get("displayName") == name


@each_panel
def test_an_empty_cell_is_not_told_as_an_empty_table(shown):
    """Grafana writes what an empty panel means into every empty cell too, unless told otherwise."""
    if shown.panel["type"] == "table":
        first = shown.panel["fieldConfig"]["overrides"][0]
        assert first["matcher"] == {"id": "byRegexp", "options": "/.*/"}
        assert first["properties"] == [{"id": "noValue", "value": "–"}]
        assert " A dash: " in shown.panel["description"]


@each_panel
def test_no_bar_stands_before_another(shown):
    custom = shown.fields.get("custom", {})
    if custom.get("drawStyle") == "bars":
        assert custom["stacking"]["mode"] == "normal"


@each_panel
def test_the_axis_of_a_share_shows_its_lines(shown):
    custom = shown.fields.get("custom", {})
    values = [step["value"] for step in shown.fields["thresholds"]["steps"][1:]]
    if shown.panel["type"] == "timeseries" and shown.fields["unit"] == "percentunit" and values:
        assert custom["axisSoftMin"] == 0
        assert max(values) <= custom["axisSoftMax"] <= max(1, *values)
        assert max(values) >= custom["axisSoftMax"] / 2


@pytest.mark.parametrize(
    ("expr", "unit"),
    [
        (
            "sum by (t) (max by (t) (support_frt_wait_seconds)) / (sum by (t) (support_frt_responses) > 0)",
            "s",
        ),
        ('sum(support_offered_abandoned{w="1h"}) / (sum(support_offered) > 0)', "percentunit"),
        ("max by (tenant) (success_nrr_ratio)", "percentunit"),
        ("time() - min(support_oldest_waiting_enqueued_timestamp_seconds)", "s"),
        ("sum(rate(pulse_events_consumed_total[1m]))", "cps"),
        ("sum(rate(pulse_x_seconds_sum[1m])) / (sum(rate(pulse_x_seconds_count[1m])) > 0)", "s"),
        ("histogram_quantile(0.9, sum by (le) (rate(pulse_x_seconds_bucket[1m])))", "s"),
        ("sum(success_mrr_minor)", "suffix:minor units"),
    ],
)
def test_units_are_read_off_names(expr, unit):
    assert unit_of(expr) == unit


@each_panel
def test_counters_are_only_asked_for_their_increase(shown):
    for expr in shown.expressions:
        for counter in COUNTER.findall(expr):
            assert re.search(rf"(rate|increase)\({counter}(\{{[^}}]*\}})?\[\$__rate_interval\]\)", expr), expr
        assert len(re.findall(r"(rate|increase)\(", expr)) == len(COUNTER.findall(expr))


@each_panel
def test_no_mean_of_means_and_no_number_twice_because_two_boards_tell_it(shown):
    for expr in shown.expressions:
        assert "avg" not in expr
        for name in series_of(expr):
            if name.startswith(("support_", "success_")):
                reduced = re.findall(rf"(max|min) by \([^)]*\) \({name}\b", expr)
                assert len(reduced) == series_of(expr).count(name), expr


def test_the_wall_has_few_tiles_and_each_can_turn_red():
    panels = FILES["support-live"]["panels"]
    assert 4 <= len(panels) <= 6
    for panel in panels:
        assert panel["type"] == "stat"
        assert panel["options"]["colorMode"] == "background"
        assert "red" in {step["color"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]}
        assert "Red: " in panel["description"]
    assert FILES["support-live"]["refresh"] == "5s"
    asked = json.dumps(panels)
    for never in ("handle", "csat", "nps", "churn"):
        assert never not in asked.lower()


def test_generating_needs_nothing_of_pulse():
    for path in (ROOT / "deploy/grafana").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("pipeline")
