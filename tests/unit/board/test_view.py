"""What the live page is told: the same numbers as /api/metrics, only what was chosen, and never without end."""

import json

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from pipeline.board.answers import QuestionError, api_answer, question_of
from pipeline.board.collector import SnapshotCollector
from pipeline.board.fold import Fold
from pipeline.board.showing import snapshot_of
from pipeline.board.view import MOST_LINES, SECTIONS, Choice, choice_of, names_answer, view_answer
from pipeline.metrics.catalogue import METRICS, DefinitionError
from pipeline.metrics.definitions import declare
from pipeline.metrics.sentences import SENTENCES, sentence_of
from tests.board.company import company
from tests.board.log import Worker, tell
from tests.builders import UNDECLARED, event, ms

DEFINITIONS = declare({"tenants": {"acme": {"tz": "Europe/Bucharest"}}})


def calls(queues, tenant="acme"):
    """An answered and an abandoned call of each queue in the last half minute."""
    for number, queue in enumerate(queues):
        for what, at in (("queued", 5), ("answered", 5 + number % 20)):
            yield event(what, at, contact=f"a{queue}", queue_id=queue, tenantid=tenant)
        for what, at in (("queued", 8), ("abandoned", 20)):
            yield event(what, at, contact=f"b{queue}", queue_id=queue, tenantid=tenant)


def board(events, others=None, definitions=DEFINITIONS):
    fold = Fold(definitions, ms(60))
    tell(fold, Worker(definitions=definitions), events, ms(60))
    for stream, told in (others or {}).items():
        tell(fold, Worker(stream=stream, definitions=definitions), told, ms(60))
    return snapshot_of(fold, definitions, ms(60))


@pytest.fixture(scope="module")
def snapshot():
    return board([*calls(["sales", "billing"]), *calls(["support"], "globex")], company(ms(60)))


def plain(answer):
    return json.loads(msgspec.json.encode(answer))


def test_the_view_holds_the_tenants_chosen_and_their_queues(snapshot):
    everything = plain(view_answer(snapshot, Choice(), []))
    assert [block["tenant"] for block in everything["blocks"]] == ["acme", "globex"]
    one = plain(view_answer(snapshot, Choice(tenant="acme", queue="sales"), []))
    (block,) = one["blocks"]
    assert [line["queue"] for line in block["calls"]["queues"]] == ["sales"]
    assert ["offered", "default", "5m", {}, 2, None, None, None] in block["calls"]["total"]


def test_parts_of_the_page_are_told_only_where_the_board_was_told_of_them(snapshot):
    acme, globex = plain(view_answer(snapshot, Choice(), []))["blocks"]
    assert acme.keys() == {"tenant", "zone", "calls", *SECTIONS}
    assert globex.keys() == {"tenant", "zone", "calls"}
    (quiet,) = plain(view_answer(board([], company(ms(60))), Choice(), []))["blocks"]
    assert quiet.keys() == {"tenant", "zone", *SECTIONS}


def test_every_number_of_the_view_is_one_of_the_api(snapshot):
    query = {"by": "tenant,currency,stage,age", "tenant": "acme"}
    told = {}
    for row in plain(api_answer(snapshot, question_of(query)))["metrics"]:
        dims = {n: row[n] for n in ("currency", "stage", "age") if row.get(n)}
        key = (row["metric"], row["definition"], row.get("window"), json.dumps(dims))
        told[key] = [row["value"], row["n"], row["low"], row["high"]]
    (block,) = plain(view_answer(snapshot, Choice(tenant="acme"), []))["blocks"]
    shown = [*block["calls"]["total"], *(row for name in SECTIONS for row in block[name])]
    assert {row[0] for row in shown} >= {
        "asa_queue",
        "frt",
        "backlog",
        "nps",
        "churn",
        "nrr",
        "mrr",
        "attrition",
    }
    for metric, definition, window, dims, *number in shown:
        assert told[metric, definition, window, json.dumps(dims)] == number, (
            metric,
            definition,
            window,
            dims,
        )


def test_no_family_of_prometheus_fails_on_a_company_of_every_stream(snapshot):
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(lambda: snapshot))
    assert registry.get_sample_value("pulse_collector_errors_total") == 0
    labels = {"tenant": "acme", "group": "desk", "channel": "mail"}
    assert registry.get_sample_value("support_solve_events_mature", labels | {"window": "today"}) is None
    assert registry.get_sample_value("support_solve_events_mature", labels | {"window": "30d"}) > 0
    assert registry.get_sample_value("support_solve_events", labels | {"window": "30d"}) > 0


def test_every_number_of_a_line_is_one_of_the_api(snapshot):
    query = {"by": "tenant,queue", "tenant": "acme", "window": "5m,now"}
    told = {
        (row["queue"], row["metric"], row["definition"]): [row["value"], row["n"], row["low"], row["high"]]
        for row in plain(api_answer(snapshot, question_of(query)))["metrics"]
    }
    choice = Choice(tenant="acme", definitions=(("asa_queue", "created"), ("service_level", "all")))
    (block,) = plain(view_answer(snapshot, choice, []))["blocks"]
    chosen = {"asa_queue": "created", "service_level": "all"}
    lines = block["calls"]["queues"]
    assert len(lines) == 2
    for line in lines:
        for metric, number in line.items():
            if metric != "queue":
                assert told[line["queue"], metric, chosen.get(metric, "default")] == number


def test_what_is_sent_has_a_bound_and_says_what_it_left_out():
    names = [f"queue {number:03}" for number in range(MOST_LINES + 20)]
    shown = plain(view_answer(board(calls(names, "acme")), Choice(), [f"fault {n}" for n in range(8)]))
    told = shown["blocks"][0]["calls"]
    assert (len(told["queues"]), told["queues_left_out"]) == (MOST_LINES, 20)
    assert (len(shown["faults"]), shown["faults_left_out"]) == (5, 3)


def test_twenty_queues_are_told_in_a_few_kilobytes():
    names = [f"queue {number:02}" for number in range(20)]
    snapshot = board(calls(names))
    sizes = {
        window: len(msgspec.json.encode(view_answer(snapshot, Choice(window=window), [])))
        for window in ("1m", "5m", "15m", "30m", "1h")
    }
    print(f"bytes of an event with 20 queues, by window: {sizes}, in all {sum(sizes.values())}")
    assert max(sizes.values()) < 16_000


def test_names_are_those_of_the_tenant_chosen(snapshot):
    assert plain(names_answer(snapshot, None)) == {"tenants": ["acme", "globex"], "queues": []}
    assert plain(names_answer(snapshot, "acme"))["queues"] == ["billing", "sales"]


def test_a_choice_is_read_from_its_parameters():
    assert choice_of({}) == Choice()
    told = {"tenant": "acme", "window": "1h", "period": "90d", "asa": "created", "churn": "start"}
    assert choice_of(told) == Choice(
        "acme", None, "1h", "90d", (("asa_queue", "created"), ("churn", "start"))
    )


@pytest.mark.parametrize(
    ("query", "error"),
    [({"window": "30d"}, QuestionError), ({"period": "5m"}, QuestionError), ({"color": "red"}, QuestionError),
     ({"churn": "best"}, DefinitionError)],
)  # fmt: skip
def test_what_cannot_be_chosen_is_refused(query, error):
    with pytest.raises(error):
        choice_of(query)


def test_a_board_that_knows_nothing_tells_no_block():
    shown = view_answer(snapshot_of(Fold(UNDECLARED, ms(0)), UNDECLARED, ms(0)), Choice(), ["why"])
    assert (shown["blocks"], shown["faults"], shown["committed_at"]) == ([], ["why"], None)


@pytest.mark.parametrize(("name", "variant"), [(m.name, v) for m in METRICS.values() for v in m.variants])
def test_every_definition_has_a_sentence(name, variant):
    assert sentence_of(METRICS[name], variant)
    assert variant == "default" or (name, variant) in SENTENCES


def test_no_sentence_is_of_a_definition_that_is_gone():
    assert {(name, variant) for name, variant in SENTENCES if variant not in METRICS[name].variants} == set()
