"""Revenue and staying: the formulas of metrics.md §6 over cells of the step families.

Pure arithmetic; which accounts, currency and window the cells belong to is the reader's business.
Money is in minor units of one currency.
"""

from collections.abc import Callable, Iterable
from math import isfinite
from typing import Final

from pipeline.metrics.buckets import Cells
from pipeline.metrics.definitions import RECOGNITIONS, Definitions
from pipeline.metrics.families import FLOW, STANDING, STAYING
from pipeline.metrics.metric import Definition
from pipeline.metrics.numbers import Number, proportion

MONTHS_A_YEAR: Final = 12
Formula = Callable[[Cells, Definition, Definitions], Number]


def flow(cells: Cells, name: str) -> int:
    """One counter of FLOW."""
    return cells.get(FLOW.cell(name), 0)


def stay(cells: Cells, name: str) -> int:
    """One counter of STAYING."""
    return cells.get(STAYING.cell(name), 0)


def standing(cells: Cells, name: str) -> int:
    """One counter of STANDING."""
    return cells.get(STANDING.cell(name), 0)


def churn(cells: Cells, definition: Definition, _: Definitions) -> Number:
    """`start`: active at start and not at end / active at start. `start_plus_new`: the same accounts /
    (active at start + accounts not active at start and active at some instant inside).
    """
    base = stay(cells, "base")
    if definition.get("name") == "start_plus_new":
        base += stay(cells, "joined")
    return proportion(stay(cells, "lost"), base)


def churn_daily_sum(days: Iterable[tuple[int, int]]) -> Number:
    """Σ over days of (lost that day / active at that day's start), of (lost, base) per day. n: account
    days at risk. A day without active accounts has no rate and adds nothing; absent without any other.
    """
    told = [(lost, base) for lost, base in days if base]
    n = sum(base for _, base in told)
    return Number(sum(lost / base for lost, base in told) if told else None, n)


def money(minor: str, accounts: str) -> Formula:
    """One flow of MRR, with the number of accounts behind it."""
    return lambda cells, _definition, _definitions: Number(flow(cells, minor), flow(cells, accounts))


def of_start(*signed: str) -> Formula:
    """(± the flows named, `-` before its name takes away) / MRR at start; n accounts of the start."""

    def formula(cells: Cells, _definition: Definition, _definitions: Definitions) -> Number:
        start = flow(cells, "start_minor")
        total = sum(-flow(cells, each[1:]) if each[0] == "-" else flow(cells, each) for each in signed)
        return Number(total / start if start else None, flow(cells, "base"))

    return formula


def seat_expansion(cells: Cells, _definition: Definition, _definitions: Definitions) -> Number:
    """Seats at end − seats at start of the accounts active at start."""
    return Number(stay(cells, "end_seats") - stay(cells, "start_seats"), stay(cells, "base"))


def level(counter: str, times: int = 1) -> Formula:
    """What there is at an instant, `times` over; n accounts active."""
    return lambda cells, _definition, _definitions: Number(
        times * standing(cells, counter), standing(cells, "accounts")
    )


def arpa(minor: int, accounts: int) -> float | None:
    """Average MRR per active account; absent without any."""
    return minor / accounts if accounts else None


def clv_predictive(flows: Cells, stays: Cells, definition: Definition, definitions: Definitions) -> Number:
    """ARPA × margin / churn of the window; ARPA = MRR / active accounts at start. Absent without churn."""
    average = arpa(flow(flows, "start_minor"), flow(flows, "base"))
    lost = churn(stays, {}, definitions).value
    margin = definition.get("margin", definitions.margin)
    return Number(average * margin / lost if average is not None and lost else None, flow(flows, "base"))


def _of_currency(flows: Cells) -> Cells:
    """STAYING of the accounts with MRR in the currency that the flows are in."""
    return {STAYING.cell("base"): flow(flows, "base"), STAYING.cell("lost"): flow(flows, "churned")}


def clv_predictive_of_currency(flows: Cells, definition: Definition, definitions: Definitions) -> Number:
    """`clv_predictive` of one currency, from its flows alone."""
    return clv_predictive(flows, _of_currency(flows), definition, definitions)


def clv_given(cells: Cells, definition: Definition, _: Definitions) -> Number:
    """ARPA now × the given months."""
    accounts = standing(cells, "accounts")
    average = arpa(standing(cells, "mrr_minor"), accounts)
    return Number(None if average is None else average * definition["months"], accounts)


def churn_cost(flows: Cells, stays: Cells, definitions: Definitions) -> Number:
    """`mrr_churn` × (1 / churn): what a lost account costs. Absent without churn."""
    lost = churn(stays, {}, definitions)
    return Number(flow(flows, "churn_minor") / lost.value if lost.value else None, lost.n)


def churn_cost_of_currency(flows: Cells, _: Definition, definitions: Definitions) -> Number:
    """`churn_cost` of one currency, from its flows alone."""
    return churn_cost(flows, _of_currency(flows), definitions)


def fault(definition: Definition) -> str:
    """What is wrong with a definition's parameters, '' = nothing."""
    if definition.get("recognition", RECOGNITIONS[0]) not in RECOGNITIONS:
        return f"recognition: {definition['recognition']!r}; known are {', '.join(RECOGNITIONS)}"
    for name in ("months", "margin"):
        number = definition.get(name, 1)
        is_number = isinstance(number, int | float) and not isinstance(number, bool)
        if not is_number or not isfinite(number) or number <= 0:
            return f"{name}: {number!r} is not a number above 0"
    return ""


def fault_of_given(definition: Definition) -> str:
    """As `fault`; the months must be given."""
    return fault(definition) if "months" in definition else 'say how many months, e.g. {"months": 36}'
