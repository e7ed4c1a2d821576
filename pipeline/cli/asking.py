"""`replay`: numbers from files, without Kafka."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import track

from pipeline.cli.sheet import sheets
from pipeline.cli.terms import AsJson, Exit, definitions_of, err, instant_option, out, stop
from pipeline.cli.wall import WIDE
from pipeline.events.instants import instant_text
from pipeline.metrics.buckets import Family
from pipeline.metrics.catalogue import METRICS, DefinitionError
from pipeline.metrics.families import FAMILIES, FLOW, STANDING
from pipeline.metrics.metric import Metric
from pipeline.metrics.windows import Window
from pipeline.replay.answer import Facts
from pipeline.replay.cases import Replay
from pipeline.replay.cases import replay as run_events
from pipeline.replay.question import Question
from pipeline.sources.files import lines_of

Files = Annotated[list[Path], typer.Argument(help="NDJSON files; - is standard input.")]


def replay(
    files: Files,
    as_of: Annotated[str | None, typer.Option(help="Instant of the levels and windows.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="Start of a free window.")] = None,
    to: Annotated[str | None, typer.Option(help="End of it, not included.")] = None,
    definitions: Annotated[Path, typer.Option(help="Declared tenants and thresholds.")] = Path(
        "definitions.toml"
    ),
    *,
    as_json: AsJson = False,
) -> None:
    """Run events from files through the core and print every metric.

    Example: [bold]pulse simulate --for 1h --out calls.ndjson && pulse replay calls.ndjson[/bold]
    """
    declared = definitions_of(definitions)
    try:
        lines = list(lines_of(files))
    except OSError as error:
        stop(Exit.USAGE, f"{error.filename}: {error.strerror}")
    replayed = run_events([line for _, line in lines], declared)
    at = instant_option(as_of, "--as-of") or replayed.watermark
    start, end = instant_option(from_, "--from"), instant_option(to, "--to")
    if (start is None) != (end is None):
        stop(Exit.USAGE, "--from and --to belong together")
    span = Window(start, end) if start is not None and end is not None else None
    try:
        questions = list(_questions(replayed, at, span))
        asked = track(questions, "replay", console=err, disable=not err.is_terminal, transient=True)
        facts = Facts(replayed.population, declared)
        answered = [(question, _row(facts, question, span)) for question in asked]
    except DefinitionError as error:
        stop(Exit.USAGE, str(error))
    rows = [row for _, row in answered if row is not None]
    by_day = sorted({question.metric for question, row in answered if row is None})
    rejects = [
        {"line": lines[letter.offset][0], "reason": letter.rejected.reason, "detail": letter.rejected.detail}
        for letter in replayed.dead_letters
    ]
    if as_json:
        document = {"as_of": instant_text(at), "metrics": rows, "rejected": rejects}
        out.print_json(json.dumps(document | {"counts": _counts(replayed)}))
    else:
        _print_replay(rows, rejects, replayed, at)
    if by_day:
        err.print(
            f"not over this window, which does not lie on local midnights: {', '.join(by_day)}",
            highlight=False,
        )


def _questions(replayed: Replay, at: int, span: Window | None) -> Iterator[Question]:
    """Every metric per tenant and queue (or group …), then over all; windows 1h and today, or
    the free one.
    """
    for family in FAMILIES.values():
        metrics = [
            metric for metric in METRICS.values() if not metric.is_joint and metric.families[0] == family.name
        ]
        places = _places(replayed, family) if metrics else []
        for dims in [*places, {}]:
            for metric in metrics:
                if metric.is_level:
                    yield Question(metric.name, None, dims, None, at)
                elif span is not None:
                    yield Question(metric.name, None, dims, span)
                else:
                    for window in ("1h", "today"):
                        yield Question(metric.name, None, dims, None, at, window)
    yield from _joint_questions(replayed, at, span)


def _joint_questions(replayed: Replay, at: int, span: Window | None) -> Iterator[Question]:
    """Every joint metric that needs no parameter, by tenant and over all; amounts by currency.

    Over 30 days or the free window; what is asked at an instant, at `at`.
    """
    joint = [metric for metric in METRICS.values() if metric.is_joint and _needs_nothing(metric)]
    for stream, partition in replayed.partitions.items():
        told = {key[2] for key in partition.ledger.buckets}
        tenants: list[dict[str, str]] = [{"tenant": tenant} for tenant in sorted(told)]
        for place in [*tenants, {}]:
            for metric in joint:
                if metric.stream == stream:
                    for dims in _currencies(replayed, place) if _is_money(metric) else [{}]:
                        yield _joint_question(metric, place | dims, at, span)


def _joint_question(metric: Metric, dims: dict[str, str], at: int, span: Window | None) -> Question:
    if metric.at_instant:
        return Question(metric.name, None, dims, None, at)
    if span is not None:
        return Question(metric.name, None, dims, span)
    return Question(metric.name, None, dims, None, at, "30d")


def _needs_nothing(metric: Metric) -> bool:
    return not (metric.fault and metric.fault({"name": metric.variants[0]}))


def _is_money(metric: Metric) -> bool:
    told = "currency" in metric.joint_dims and metric.families[0] in (FLOW.name, STANDING.name)
    return told and metric.unit != "count"


def _currencies(replayed: Replay, place: Mapping[str, str]) -> list[dict[str, str]]:
    """The currencies that any account of the place ever had MRR in."""
    buckets = replayed.partitions[STANDING.stream].ledger.buckets
    tenant = place.get("tenant")
    found = {
        key[3][0] for key in buckets if key[1] == STANDING.name and key[3][0] and tenant in (None, key[2])
    }
    return [{"currency": currency} for currency in sorted(found)]


def _places(replayed: Replay, family: Family) -> list[dict[str, str]]:
    """Tenants and values of the family's first dimension that something was counted under."""
    partition = replayed.partitions.get(family.stream)
    if partition is None or not family.dims:
        return []
    ledger = partition.ledger
    told = {(key[2], key[3][0]) for key in ledger.buckets if key[1] == family.name}
    told |= {(tenant, dims[0]) for name, tenant, dims in ledger.levels if name == family.name}
    return [{"tenant": tenant, family.dims[0]: value} for tenant, value in sorted(told)]


def _row(facts: Facts, question: Question, span: Window | None) -> dict[str, Any] | None:
    """None: a number by local days, over a free window that has no midnights at its edges."""
    metric = METRICS[question.metric]
    try:
        number = facts.answer(question)
    except DefinitionError:
        if metric.is_joint and span is not None:
            return None
        raise
    said = {"metric": question.metric, "unit": metric.unit, "window": question.window}
    return said | dict(question.dims) | number._asdict()


def _counts(replayed: Replay) -> dict[str, int]:
    applied = replayed.applied.values()
    return {
        "consumed": sum(each.consumed for each in applied),
        "duplicate": sum(each.duplicate for each in applied),
        "late": sum(each.late for each in applied),
        "ignored": sum(each.ignored for each in applied),
        "rejected": len(replayed.dead_letters),
    }


def _print_replay(
    rows: list[dict[str, Any]], rejects: list[dict[str, Any]], replayed: Replay, at: int
) -> None:
    out.print(f"as of {instant_text(at)}", highlight=False)
    for sheet in sheets(rows, replayed.partitions, is_wide=out.width >= WIDE):
        out.print(sheet)
    counts = ", ".join(f"{count} {name}" for name, count in _counts(replayed).items())
    out.print(f"{counts}", highlight=False)
    for reject in rejects[:20]:
        err.print(
            f"{reject['line']}: {reject['reason']}: {reject['detail']}",
            markup=False,
            highlight=False,
        )
    if len(rejects) > 20:
        err.print(f"… and {len(rejects) - 20} more; --json has all")
