"""The alert rules: well formed, tested, and no number or word of them could be another without a test noticing."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.board.collector import FAMILIES
from tests.alerts.mutants import Mutant, mutants
from tests.alerts.rules import (
    ALERTS,
    OPERATIONS,
    PROMETHEUS,
    ROOT,
    RULE_FILES,
    RULES,
    TEST_FILES,
    Rule,
    read,
    run,
    verdicts,
)
from tests.contract.test_documented import plumbing_names

DASHBOARDS = {
    path.stem: path.read_text(encoding="utf-8")
    for path in (ROOT / "deploy/grafana/dashboards").glob("*.json")
}
BURN = re.compile(r"1 - (?P<factor>[\d.]+) \* \(1 - (?P<target>[\d.]+)\)")
EQUIVALENT = (
    # 0/0 is larger than nothing, so without its guard a share is no alarm either.
    r"PulsePoison: .*\[> → >=\] 0\) > 0.01",
    r"SupportBacklogOverdue: .*(\[> → >=\] 0\)|> \[0 → 1\]\)) > 0.25",
    # No share of whole numbers is exactly the line, which is none in binary.
    r"PulsePoison: .*\[> → >=\] 0.01",
    r"SupportServiceLevel\w*Burn: .*\[< → <=\]",
    # Whatever it is worth, it barks.
    r"Watchdog: ",
)


def named(rules: list[Rule]) -> Any:
    return pytest.mark.parametrize("rule", rules, ids=lambda rule: rule.name)


def test_the_linter_has_nothing_to_say():
    checked = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_linter_would_find_a_rule_twice(tmp_path):
    twice = {"groups": [{"name": "g", "rules": [{"record": "a:b:c", "expr": "vector(1)"}] * 2}]}
    (tmp_path / "twice.yml").write_text(yaml.safe_dump(twice))
    assert (
        run("promtool", "check", "rules", "--lint=all", "--lint-fatal", tmp_path / "twice.yml").returncode
        == 3
    )


def test_prometheus_takes_the_configuration():
    checked = run("promtool", "check", "config", PROMETHEUS / "prometheus.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_scenario_holds():
    assert set(verdicts(TEST_FILES).values()) == {True}


@named(ALERTS)
def test_an_alert_says_how_urgent_it_is_and_what_to_do(rule):
    told = rule.told
    assert told["labels"]["severity"] in {"page", "ticket", "none"}
    assert told["annotations"]["summary"]
    assert told["annotations"]["dashboard"] in DASHBOARDS
    page, _, anchor = told["annotations"]["runbook_url"].partition("#")
    assert (page, anchor) == ("docs/operations.md", rule.name.lower())
    assert f"\n### {rule.name}\n" in OPERATIONS


RECORDED = {rule.name: rule.told["expr"] for rule in RULES if not rule.is_alert}
SERIES = re.compile(r"(?<![:\w])(?:pulse|support|success|scrape)_\w+(?![:\w])|\bup\b")


def families(expr: str) -> set[str]:
    """What an alert is about: series of the pipeline, of business numbers the first two words; records seen through."""
    for _ in range(2):
        for name, told in RECORDED.items():
            expr = expr.replace(name, told)
    named = SERIES.findall(expr)
    return {
        "_".join(name.split("_")[:2]) if name.startswith(("support_", "success_")) else name for name in named
    }


@named([rule for rule in ALERTS if rule.name != "Watchdog"])
def test_the_dashboard_of_an_alert_shows_what_it_is_about(rule):
    shown = DASHBOARDS[rule.told["annotations"]["dashboard"]]
    assert any(re.search(rf"\b{family}", shown) for family in families(rule.told["expr"]))


def test_another_dashboard_would_be_noticed():
    assert not any(family in DASHBOARDS["queues-in-depth"] for family in ("support_csat", "success_churn"))


def test_no_runbook_is_of_an_alert_that_is_gone():
    section = OPERATIONS[OPERATIONS.index("\n## Alerts\n") : OPERATIONS.index("\n## Dead letters\n")]
    assert re.findall(r"^### (\w+)$", section, re.MULTILINE) == [rule.name for rule in _in_page_order()]


def _in_page_order() -> list[Rule]:
    files = ("support", "business", "pipeline")
    return sorted(ALERTS, key=lambda rule: files.index(rule.file.stem))


@named(ALERTS)
def test_an_alert_has_a_scenario_that_fires_and_one_that_stays_silent(rule):
    checks = [
        check
        for file in TEST_FILES
        for test in read(file)["tests"]
        for check in test.get("alert_rule_test", ())
        if check["alertname"] == rule.name
    ]
    assert any(check.get("exp_alerts") for check in checks)
    assert rule.name == "Watchdog" or any(not check.get("exp_alerts") for check in checks)


async def test_every_series_of_a_rule_exists():
    exposed = set(FAMILIES) | await plumbing_names() | {"pulse_collector_errors"}
    exposed |= {f"{name}_total" for name in exposed}
    # Names with colons are recordings.
    series = re.compile(r"(?<![:\w])(?:pulse|support|success)_\w+(?![:\w])")
    named = {name for rule in RULES for name in series.findall(rule.told["expr"])}
    assert len(named) > 15
    assert named - exposed == set()


def test_a_tenant_can_have_a_line_of_its_own(tmp_path):
    """The record of docs/operations.md in place of ours: 4 % is too much for one tenant, not for another."""
    (told,) = re.findall(r"^  ```yaml\n(  - record: .+?)  ```$", OPERATIONS, re.MULTILINE | re.DOTALL)
    (own,) = yaml.safe_load(told)
    (line,) = [rule for rule in RULES if rule.name == own["record"]]
    rules = [own if each == line.told else each for each in line.group["rules"]]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [line.group | {"rules": rules}]}))
    series = 'success_churn_ratio_low{{tenant="{}", window="30d", definition="start"}}'
    lost = [{"series": series.format(tenant), "values": "0.04x40"} for tenant in ("acme", "globex")]
    asked = {
        "expr": 'ALERTS{alertname="SuccessChurnHigh", alertstate="firing"}',
        "eval_time": "40m",
        "exp_samples": [
            {
                "labels": 'ALERTS{alertname="SuccessChurnHigh", alertstate="firing", severity="ticket", tenant="acme"}',
                "value": 1,
            }
        ],
    }
    tests = [{"interval": "1m", "input_series": lost, "promql_expr_test": [asked]}]
    written = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(written))
    done = run("promtool", "test", "rules", tmp_path / "test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def burns(rule: Rule) -> list[tuple[float, float]]:
    return [(float(found["factor"]), float(found["target"])) for found in BURN.finditer(rule.told["expr"])]


@named([rule for rule in ALERTS if "slo" in rule.told["labels"]])
def test_a_burn_rate_can_be_reached(rule):
    assert len(burns(rule)) == 2
    for factor, target in burns(rule):
        assert 0 < factor * (1 - target) < 1


def test_a_burn_rate_made_for_another_target_would_be_found():
    assert not 14.4 * (1 - 0.80) < 1


# ---- mutation: the mutants of a rule stand beside it under names of their own, and every check of it is made of
# each of them, so that few runs judge all. Who passes every check survives.


def mutants_of(rule: Rule) -> dict[str, Mutant]:
    """By the name each goes by."""
    return {
        f"{rule.name}_{number}": mutant
        for number, mutant in enumerate(mutants(rule.told))
        if not any(re.search(known, f"{rule.name}: {mutant.what}") for known in EQUIVALENT)
    }


def scenarios_of(rule: Rule, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Those about the rule, asked of `names` instead."""
    for test in read(PROMETHEUS / "tests" / rule.file.name)["tests"]:
        kind, key = ("alert_rule_test", "alertname") if rule.is_alert else ("promql_expr_test", "expr")
        about = re.compile(rf"\b{rule.name}\b")
        checks = [check for check in test.pop(kind, ()) if about.search(check[key])]
        others = {"alert_rule_test", "promql_expr_test"}
        if checks:
            asked = [_of(check, key, about, name) for check in checks for name in names]
            yield {field: told for field, told in test.items() if field not in others} | {kind: asked}


def _of(check: dict[str, Any], key: str, about: re.Pattern[str], name: str) -> dict[str, Any]:
    samples = [
        sample | {"labels": about.sub(name, sample["labels"])} for sample in check.get("exp_samples", ())
    ]
    return check | {key: about.sub(name, check[key])} | ({"exp_samples": samples} if samples else {})


def written(rule: Rule, found: dict[str, Mutant], folder: Path) -> Path:
    """The mutants beside the recordings they read, and the scenarios; answers the latter's file."""
    folder.mkdir(exist_ok=True)
    kind = "alert" if rule.is_alert else "record"
    recordings = [told for told in rule.group["rules"] if "record" in told]
    named = [mutant.rule | {kind: name} for name, mutant in found.items()]
    group = rule.group | {"rules": [*recordings, *named]}
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [group]}))
    tests = list(scenarios_of(rule, found))
    told = {"rule_files": ["rules.yml"], "evaluation_interval": "5s", "tests": tests}
    (folder / "test.yml").write_text(yaml.safe_dump(told))
    return folder / "test.yml"


def killed(told: str) -> set[str]:
    """Whom a check, or an error of evaluation, names."""
    return set(re.findall(r"(?:alertname: |rule: |expr: \"[^\"]*?)\b([\w:]+_\d+)\b", told))


def test_no_mutant_of_a_rule_survives(tmp_path):
    alive = {rule.name: mutants_of(rule) for rule in RULES}
    count = sum(map(len, alive.values()))
    doubtful = RULES
    while doubtful:
        files = [written(rule, alive[rule.name], tmp_path / rule.name.replace(":", "-")) for rule in doubtful]
        done = run("promtool", "test", "rules", *files)
        dead = killed(done.stdout + done.stderr)
        # An error of evaluation ends its scenario for all the others, which are asked again.
        errors = set(re.findall(r"rule: ([\w:]+)_\d+,", done.stdout + done.stderr))
        for name, found in alive.items():
            alive[name] = {each: mutant for each, mutant in found.items() if each not in dead}
        doubtful = [rule for rule in doubtful if rule.name in errors and dead]
    survivors = [f"{name}: {mutant.what}" for name, found in alive.items() for mutant in found.values()]
    print(f"{count} mutants")
    assert not survivors, "\n".join(survivors)
