"""The command line: `pulse COMMAND`. Errors say what to do; exit codes stand in the epilog."""

from importlib.metadata import version
from typing import Annotated

import typer

from pipeline.cli import asking, demo, feeding, reconciling, running, tending, verifying
from pipeline.cli.terms import EXIT_CODES, out
from pipeline.core import CORE

app = typer.Typer(
    name="pulse",
    help="Rolling speed-of-answer numbers from Kafka, exact: in ClickHouse, Prometheus and on a page.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(rich_help_panel="Run")(demo.demo)
app.command(rich_help_panel="Run")(running.run)
app.command(rich_help_panel="Ask")(asking.replay)
app.command(rich_help_panel="Ask")(verifying.verify)
app.command(rich_help_panel="Ask")(reconciling.reconcile)
app.command(rich_help_panel="Ask")(tending.sql)
app.command(rich_help_panel="Feed")(feeding.simulate)
app.command(rich_help_panel="Tend")(tending.topics)
app.command(rich_help_panel="Tend")(tending.migrate)
app.command("check-config", rich_help_panel="Tend")(tending.check_config)
app.add_typer(tending.dlq, name="dlq", rich_help_panel="Tend")


def _show_version(asked: bool) -> None:
    if asked:
        out.print(f"{version('pulse-pipeline')}, {CORE}", highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """The console script."""
    app()
