"""`verify`: case files run through the core, told as a table; what disagrees, once, with its orders."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from pipeline.cli.terms import AsJson, Exit, err, out, stop
from pipeline.metrics.catalogue import METRICS
from pipeline.replay.cases import ORDERS, Verdict, check
from pipeline.sources.files import read_case


class Run(NamedTuple):
    """One case file that could be run."""

    name: str
    title: str
    verdicts: list[Verdict]


def verify(
    paths: Annotated[list[Path], typer.Argument(help="Case files, or folders of them.")],
    *,
    known_only: Annotated[
        bool, typer.Option("--known-only", help="Leave out metrics this version does not have.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run case files through the core in six orders of events and compare every number.

    Example: [bold]pulse verify tests/cases --known-only[/bold]
    """
    files = [file for path in paths for file in _case_files(path)]
    runs: list[Run] = []
    broken: list[str] = []
    left_out: list[str] = []
    for file in track(files, "verify", console=err, disable=not err.is_terminal, transient=True):
        try:
            case = read_case(file)
            if known_only and not _asks_what_is_known(case):
                left_out.append(file.stem)
                continue
            verdicts = [verdict for verdict in check(case) if verdict.is_known or not known_only]
            runs.append(Run(str(case.get("id", file.stem)), str(case.get("title", "")), verdicts))
        except (OSError, ValueError) as error:
            broken.append(f"{file.name}: {error}")
    counted = [verdict for run in runs for verdict in run.verdicts]
    faults = [verdict for verdict in counted if verdict.fault]
    if as_json:
        document = {"agreed": len(counted) - len(faults), "faults": [_said(v) for v in faults]}
        rejected = list(_rejections(runs))
        out.print_json(json.dumps(document | {"broken": broken, "left_out": left_out, "rejected": rejected}))
    else:
        _print(runs, broken)
        if left_out:
            err.print(f"left out, nothing in them is known yet: {', '.join(left_out)}", highlight=False)
    if faults or broken:
        raise typer.Exit(int(Exit.DIFFERENT))


def _asks_what_is_known(case: Any) -> bool:
    """False where every metric asked for belongs to a later version; such events may be unknown too."""
    asked = case.get("expect") if isinstance(case, dict) else None
    if not isinstance(asked, list):
        return True
    return any(not isinstance(each, dict) or str(each.get("metric")) in METRICS for each in asked)


def _case_files(path: Path) -> list[Path]:
    if not path.exists():
        stop(Exit.USAGE, f"{path}: no such file or folder")
    found = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not found:
        stop(Exit.USAGE, f"{path}: no case file (*.json) in it")
    return found


def _said(verdict: Verdict) -> dict[str, Any]:
    return {
        "case": verdict.case,
        "order": verdict.order,
        "expectation": verdict.place,
        "metric": verdict.expected.get("metric"),
        "fault": verdict.fault,
    }


def _print(runs: list[Run], broken: list[str]) -> None:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("case", no_wrap=True)
    table.add_column("agree", justify="right", no_wrap=True)
    table.add_column("of", justify="right", no_wrap=True)
    table.add_column("what it shows", overflow="ellipsis", no_wrap=True)
    for run in runs:
        agreed = sum(not verdict.fault for verdict in run.verdicts)
        style = "" if agreed == len(run.verdicts) else "red"
        table.add_row(run.name, str(agreed), str(len(run.verdicts)), escape(run.title), style=style)
    if runs:
        out.print(table)
    for line in _rejections(runs):
        out.print(f"! {line}", markup=False, highlight=False, soft_wrap=True)
    for line in [*_differences(runs), *broken]:
        out.print(f"✗ {line}", markup=False, highlight=False, soft_wrap=True)
    counted = [verdict for run in runs for verdict in run.verdicts]
    agreed = sum(not verdict.fault for verdict in counted)
    orders = f"{len(ORDERS)} orders of events: {', '.join(ORDERS)}"
    out.print(f"{agreed} of {len(counted)} numbers agree ({orders})", highlight=False)


def _rejections(runs: Iterable[Run]) -> Iterable[str]:
    """What the door refused: no fault by itself, and the likely reason of one."""
    for run in runs:
        if run.verdicts and run.verdicts[0].rejected:
            yield f"{run.name}: {run.verdicts[0].rejected}"


def _differences(runs: Iterable[Run]) -> Iterable[str]:
    """Each difference once, with the orders of events that show it."""
    for run in runs:
        shown: dict[tuple[int, str], list[Verdict]] = {}
        for verdict in run.verdicts:
            if verdict.fault:
                shown.setdefault((verdict.place, verdict.fault), []).append(verdict)
        for (place, fault), verdicts in sorted(shown.items()):
            orders = [verdict.order for verdict in verdicts]
            where = "in every order" if len(orders) == len(ORDERS) else f"in order {', '.join(orders)}"
            yield f"{run.name} expect[{place}] {_question(verdicts[0].expected)}: {fault} ({where})"


def _question(expected: Mapping[str, Any]) -> str:
    """The number as a person would ask for it."""
    said = [str(expected.get("metric", "no metric"))]
    said += [json.dumps(expected[each]) for each in ("definition", "dims") if each in expected]
    said += [f"{each} {expected[each]}" for each in ("from", "to", "at", "window") if each in expected]
    return " ".join(said)
