"""What every command promises without a Kafka: help, exit codes, messages, JSON."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli import app, tending
from pipeline.cli.verifying import Run, _print
from pipeline.metrics.catalogue import METRICS
from pipeline.replay.cases import ORDERS, Verdict, event_lines
from tests import oracle
from tests.builders import event, raw

CASES = Path(__file__).parents[2] / "cases"
SCHEMAS = Path(__file__).parents[3] / "schemas"
COMMANDS = [
    *([each.name or each.callback.__name__.replace("_", "-")] for each in app.registered_commands),
    *(["dlq", each.name] for each in tending.dlq.registered_commands),
    ["dlq"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example(pulse, command):
    told = " ".join(pulse(*command, "--help").stdout.split())
    assert "Example" in told
    assert f"pulse {command[0]}" in told.partition("Example")[2]


def test_help_names_every_exit_code(pulse):
    told = pulse("--help").stdout
    assert all(f" {code} " in told for code in (0, 1, 2, 3, 70))


def test_version_is_one_line(pulse):
    assert pulse("--version").stdout.count("\n") == 1


def test_settings_errors_are_told_all_at_once(pulse, monkeypatch):
    monkeypatch.setenv("PULSE_WORKER__MAX_BATCH", "many")
    monkeypatch.setenv("PULSE_BORD__PORT", "1")
    monkeypatch.setenv("PULSE_KAFKA__BOOT", "x")
    told = pulse("check-config", code=2).stderr
    assert "3 problem(s)" in told
    assert all(name in told for name in ("worker.max_batch", "PULSE_BORD__PORT", "kafka.boot"))


@pytest.mark.parametrize("json_wanted", [False, True])
def test_check_config_masks_secrets(pulse, monkeypatch, json_wanted):
    monkeypatch.setenv("PULSE_SINK__URL", "clickhouses://u:hidden1@h/pulse")
    monkeypatch.setenv("PULSE_KAFKA__SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("PULSE_KAFKA__SASL_MECHANISM", "PLAIN")
    monkeypatch.setenv("PULSE_KAFKA__SASL_USERNAME", "somebody")
    monkeypatch.setenv("PULSE_KAFKA__SASL_PASSWORD", "hidden2")
    told = pulse("check-config", *(["--json"] if json_wanted else [])).output
    assert "somebody" in told
    assert "hidden" not in told
    if json_wanted:
        assert json.loads(told)["settings"]["sink"]["url"] == "clickhouses://u:***@h/pulse"


def test_check_config_tells_what_is_declared_and_what_a_change_takes(pulse, tmp_path):
    (tmp_path / "definitions.toml").write_text(
        'stuck_after = 60\n[adoption]\nd = 1\n[tenants.acme]\ntz = "Asia/Tokyo"\nholidays = [2026-12-25]\n'
    )
    told = pulse("check-config").output
    rows = {row.split("│")[1].strip(): row for row in told.splitlines() if row.count("│") == 4}
    assert "60" in rows["stuck_after"]
    assert "when reading" in rows["stuck_after"]
    assert "default: 20" in rows["n_min"]
    assert "at the next opening, from memory (usage)" in rows["adoption"]
    assert "Asia/Tokyo" in rows["tenants.*.tz"]
    assert "after a rebuild (call, ticket, survey); at the next opening, from memory" in rows["tenants.*.tz"]
    assert "2026-12-25" in rows["tenants.*.holidays"]
    assert json.loads(pulse("check-config", "--json").output)["declared"]["stuck_after"] == {
        "declared": 60, "default": "14400", "applies": "when reading",
    }  # fmt: skip


def test_wrong_definitions_end_with_their_place(pulse, tmp_path):
    (tmp_path / "definitions.toml").write_text('[tenants.acme]\ntz = "Mars/Olympus"\n')
    assert "tenants.acme.tz" in pulse("check-config", code=2).stderr


@pytest.mark.parametrize(
    "command", [["topics"], ["dlq", "list"], ["dlq", "show", "0:0"], ["run"], ["simulate"]], ids=" ".join
)
def test_without_an_address_of_kafka_the_message_says_what_to_set(pulse, command):
    assert "PULSE_KAFKA__BOOTSTRAP" in pulse(*command, code=2).stderr


@pytest.mark.parametrize("command", [["topics"], ["dlq", "list"], ["simulate", "--fast"]], ids=" ".join)
def test_where_no_kafka_answers_one_message_says_so(tmp_path, command):
    """In a process of its own: kafka-python 3.0.12 leaves sockets of failed connections to their fate."""
    environment = os.environ | {"PULSE_KAFKA__BOOTSTRAP": "127.0.0.1:1"}
    pulse = Path(sys.executable).with_name("pulse")
    done = subprocess.run(
        [pulse, *command],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.startswith("No Kafka answers at 127.0.0.1:1")
    assert done.stderr.count("\n") == 1


def test_sql_where_nothing_is_says_what_to_do_and_makes_nothing(pulse, tmp_path):
    assert "run `pulse demo` first" in pulse("sql", "SELECT 1", code=3).stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["sql", "SELECT 1"], ["migrate"]], ids=" ".join)
def test_where_no_clickhouse_answers_the_exit_code_is_3(pulse, monkeypatch, command):
    monkeypatch.setenv("PULSE_SINK__URL", "clickhouse://u:hidden@127.0.0.1:1/pulse")
    told = pulse(*command, code=3).stderr
    assert "ClickHouse" in told
    assert "hidden" not in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "No such command"),
        (["simulate", "--for", "3x"], "no duration"),
        (["replay", "no-file"], "no-file: No such file"),
        (["replay", "-", "--from", "2026-03-02T09:00:00Z"], "belong together"),
        (["replay", "-", "--as-of", "yesterday"], "--as-of"),
        (
            ["replay", "-", "--from", "2026-03-02T09:00:01Z", "--to", "2026-03-02T09:01:00Z"],
            "10-second edges",
        ),
        (["verify", "no-folder"], "no such file or folder"),
        (["run", "--roles", "everything"], "known are aggregate, board, sink"),
    ],
)
def test_wrong_usage_is_explained(pulse, monkeypatch, arguments, message):
    monkeypatch.setenv("PULSE_KAFKA__BOOTSTRAP", "127.0.0.1:1")
    line = raw(event("queued")) + b"\n"
    assert message in pulse(*arguments, code=2, input=line).stderr


STORY = (
    "--streams",
    "call",
    "--for",
    "20m",
    "--rate",
    "6",
    "--seed",
    "3",
    "--start",
    "2026-03-02T09:00:00Z",
    "--chaos",
)
WINDOW = ("--from", "2026-03-02T09:00:00Z", "--to", "2026-03-02T10:00:00Z")


def test_replay_of_a_simulated_file_equals_the_oracle(pulse, tmp_path):
    pulse("simulate", *STORY, "--out", "calls.ndjson")
    lines = (tmp_path / "calls.ndjson").read_bytes().splitlines()
    told = json.loads(pulse("replay", "calls.ndjson", *WINDOW, "--json").stdout)
    assert told["counts"]["consumed"] == len(lines)
    assert told["rejected"] == []
    legs = oracle.legs(json.loads(line) for line in lines)
    span = [oracle.instant(WINDOW[place]) for place in (1, 3)]
    checked = 0
    for row in told["metrics"]:
        if row["metric"] in oracle.WINDOWS:
            dims = {name: row[name] for name in ("tenant", "queue") if name in row}
            value, n = oracle.WINDOWS[row["metric"]](oracle.Asked(oracle.chosen(legs, dims), *span))
            assert (row["value"], row["n"]) == (pytest.approx(value) if value is not None else None, n), row
            checked += 1
    assert checked > 50


def test_the_same_seed_tells_the_same_story(pulse, tmp_path):
    for name in ("a", "b"):
        pulse("simulate", *STORY, "--out", name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_replay_names_a_bad_line_and_goes_on(pulse, tmp_path):
    good = raw(event("queued", 1))
    (tmp_path / "one").write_bytes(good + b"\n")
    (tmp_path / "two").write_bytes(b"\n{broken\n\n" + raw(event("answered", 5)) + b"\n")
    told = pulse("replay", "one", "two")
    assert told.stderr.startswith("two:2: not_json: ")
    assert "3 consumed, 0 duplicate, 0 late, 0 ignored, 1 rejected" in told.stdout
    asked = json.loads(pulse("replay", "one", "two", "--json").stdout)
    assert [(each["line"], each["reason"]) for each in asked["rejected"]] == [("two:2", "not_json")]
    assert {"metric": "answered", "value": 1}.items() <= next(
        row for row in asked["metrics"] if row["metric"] == "answered"
    ).items()


def test_replay_reads_standard_input(pulse):
    assert "1 consumed" in pulse("replay", "-", input=raw(event("queued"))).stdout


def case_lines(name):
    return b"\n".join(event_lines(json.loads((CASES / f"{name}.json").read_text())["events"]))


def test_replay_tells_every_number_of_every_stream(pulse):
    """By tenant where one is named; U1 is usage of two tenants, R3 revenue in two currencies."""
    told = {}
    for case in ("A1", "T1", "S1", "S3", "S4", "U1", "R3"):
        rows = json.loads(pulse("replay", "-", "--json", input=case_lines(case)).stdout)["metrics"]
        told[case] = {(row["metric"], row.get("tenant"), row.get("currency")) for row in rows}
    asked = {name for numbers in told.values() for name, _, _ in numbers}
    assert set(METRICS) - asked == {"clv_given"}, "needs to be told how many months"
    assert {("adoption", "t", None), ("adoption", None, None), ("usage_quantity", "t", None)} <= told["U1"]
    assert {("mrr", "t", "EUR"), ("mrr", None, "EUR"), ("mrr", "t", "USD"), ("churn", "t", None)} <= told[
        "R3"
    ]


def test_replay_of_days_tells_numbers_by_local_days_too(pulse, tmp_path):
    """R3: March in Bucharest begins at 22:00 UTC of February 28th."""
    edges = ("--from", "2026-02-28T22:00:00Z", "--to", "2026-03-31T21:00:00Z")
    declared = tmp_path / "bucharest.toml"
    declared.write_text('[tenants.t]\ntz = "Europe/Bucharest"\n')
    asked = ("replay", "-", *edges, "--definitions", str(declared))
    case = json.loads((CASES / "R3.json").read_text())
    expected = {
        each["metric"]: each.get("value")
        for each in case["expect"]
        if each.get("dims") == {"currency": "EUR"}
    }
    told = json.loads(pulse(*asked, "--json", input=case_lines("R3")).stdout)["metrics"]
    of_currency = {
        row["metric"]: row["value"]
        for row in told
        if (row.get("tenant"), row.get("currency")) == ("t", "EUR")
    }
    for metric in ("mrr_new", "mrr_churn", "mrr_expansion"):
        assert of_currency[metric] == expected[metric], metric
    sheet = pulse("replay", "-", *edges, input=case_lines("R3"))
    assert "local midnights: churn, churn_cost" in sheet.stderr.replace("\n", " ")
    assert "mrr_new" not in sheet.stdout
    assert "mrr" in sheet.stdout


def test_a_sheet_leaves_out_streams_without_events(pulse):
    told = pulse("replay", "-", input=case_lines("T1")).stdout
    assert "\nticket" in told
    assert "asa_queue" not in told


def test_answers_of_sql_are_rounded_for_people_and_whole_for_machines(pulse):
    query = "SELECT 'a' AS queue, 28 / 3 AS asa, 1e-7 AS tiny, 1234567.5 AS wait, NULL AS none"
    pulse("migrate")
    cells = [cell.strip() for cell in pulse("sql", query).stdout.splitlines()[3].strip("│").split("│")]
    assert cells == ["a", "9.333333", "1e-07", "1234567.5", "NULL"]
    assert json.loads(pulse("sql", "--json", query).stdout)["rows"] == [["a", 28 / 3, 1e-7, 1234567.5, None]]


def test_a_table_in_a_pipe_is_not_cut(pulse):
    assert "callbacks_requested" in pulse("replay", "-", input=raw(event("queued"))).stdout


def test_the_given_cases_agree(pulse):
    asked = json.loads(pulse("verify", CASES, "--json").stdout)
    assert (asked["faults"], asked["broken"]) == ([], [])
    assert asked["agreed"] > 500


def test_a_case_of_a_later_version_is_named_and_left_out(pulse, tmp_path):
    case = {"id": "Z1", "events": [{"type": "pulse.weather.changed"}], "expect": [{"metric": "rain"}]}
    (tmp_path / "Z1.json").write_text(json.dumps(case))
    told = pulse("verify", tmp_path, "--known-only")
    assert "left out" in told.stderr
    assert "Z1" in told.stderr
    assert "unknown stream pulse.weather" in pulse("verify", tmp_path, code=1).stdout


def test_a_difference_of_one_order_is_told_with_it(capsys):
    """No fault of the core makes one: told of verdicts made by hand."""
    asked = {"metric": "offered", "dims": {"queue": "q"}, "at": "2026-03-02T09:00:00Z", "window": "1h"}
    verdicts = [
        Verdict("X", order, 0, asked, None, "n: expected 2, got 1" if order == "reverse" else "")
        for order in ORDERS
    ]
    _print([Run("X", "[two] calls", verdicts)], [])
    told = capsys.readouterr().out
    assert (
        'X expect[0] offered {"queue": "q"} at 2026-03-02T09:00:00Z window 1h: n: expected 2, got 1'
        " (in order reverse)" in " ".join(told.split())
    )
    assert "[two] calls" in told


def test_events_beside_the_case_are_read(pulse, tmp_path):
    case = json.loads((CASES / "A5.json").read_text())
    lines = [json.dumps(told) for told in case.pop("events")]
    (tmp_path / "apart.json").write_text(json.dumps({**case, "events_file": "apart.ndjson"}))
    told = pulse("verify", tmp_path, code=1).stdout
    assert "apart.ndjson" in told
    (tmp_path / "apart.ndjson").write_text("\n".join([*lines, "{"]))
    assert "apart.ndjson:" + str(len(lines) + 1) in pulse("verify", tmp_path, code=1).stdout
    (tmp_path / "apart.ndjson").write_text("\n".join(lines))
    pulse("verify", tmp_path)
    (tmp_path / "apart.json").write_text(json.dumps({**case, "events": [], "events_file": "apart.ndjson"}))
    assert "not both" in pulse("verify", tmp_path, code=1).stdout


def test_an_event_the_door_refuses_is_told_beside_the_numbers_of_the_others(pulse, tmp_path):
    case = json.loads((CASES / "A5.json").read_text())
    spam = {
        "type": "pulse.call.queued",
        "time": "2026-03-02T10:00:00",
        "data": {"contact_id": "z", "queue_id": "z"},
    }
    case["events"].append(spam)
    (tmp_path / "A5.json").write_text(json.dumps(case))
    told = pulse("verify", tmp_path).stdout
    assert "! A5: event 3 is rejected: bad_time" in told
    (line,) = json.loads(pulse("verify", tmp_path, "--json").stdout)["rejected"]
    assert line.startswith("A5: event 3 is rejected: bad_time")


def test_a_folder_without_cases_agrees_with_nothing(pulse, tmp_path):
    assert "no case file" in pulse("verify", tmp_path, code=2).stderr


def test_a_wrong_case_and_an_unreadable_one_are_told(pulse, tmp_path):
    case = json.loads((CASES / "A5.json").read_text())
    case["expect"] = [each for each in case["expect"] if each.get("value")][:1]
    case["expect"][0]["value"] += 1
    (tmp_path / "wrong.json").write_text(json.dumps(case))
    (tmp_path / "broken.json").write_text("{")
    told = pulse("verify", tmp_path, code=1).stdout
    assert "0 of 6 numbers agree" in told
    assert told.count("✗ A5 expect[0]") == 1
    assert "(in every order)" in told
    assert "broken.json" in told
    asked = json.loads(pulse("verify", tmp_path, "--json", code=1).stdout)
    assert len(asked["faults"]) == 6
    assert len(asked["broken"]) == 1
