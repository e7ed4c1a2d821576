"""Panel queries with one thing wrong: a filter gone, a comparison turned, an aggregate, a unit, a bound or an order changed.

A mutant that the story lets live is a word of a query that no expected row is about.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

TOKEN: Final = re.compile(
    r"""(?P<string>'[^']*')
    |(?P<macro>\$__\w+)
    |(?P<arrow>->)
    |(?P<comparison>!=|<=|>=|<|>|(?<=\ )=(?=\ ))
    |(?P<word>\b(?:AND|DESC|ASC|LAST|IN|DAY|WEEK)\b)
    |(?P<function>\b(?:sum|max|min|count|uniqExact)(?=\())
    |(?P<number>(?<![\w.])\d+(?:\.\d+)?(?![\w.]))
    |(?P<arithmetic>(?<=\ )[-+*/](?=\ ))""",
    re.VERBOSE,
)
TURNED: Final = {
    "=": ("!=",), "!=": ("=",), "<": (">", "<="), ">": ("<", ">="), "<=": ("<", ">"), ">=": (">", "<"),
}  # fmt: skip
WORDS: Final = {
    "AND": "OR",
    "DESC": "ASC",
    "ASC": "DESC",
    "LAST": "FIRST",
    "IN": "NOT IN",
    "DAY": "HOUR",
    "WEEK": "DAY",
}
FUNCTIONS: Final = {"sum": "max", "max": "min", "min": "max", "count": "1 + count", "uniqExact": "count"}
SIGNS: Final = {"+": "-", "-": "+", "*": "/", "/": "*"}
INSTEAD: Final = {
    "rejected_now": "rejected", "revisions_now": "revisions", "gaming_flags": "gaming_judged",
    "support_days": "(SELECT * REPLACE (part + 1 AS part) FROM support_days)",
}  # fmt: skip
"""What is easily read instead of a view: its table without FINAL, days that were only judged."""
WORTH: Final = {
    "'strict'": "'amazon'", "'enqueued'": "'created'", "'leave'": "'enqueue'", "'enqueue'": "'leave'",
    "'account'": "'user'", "'week'": "'day'", "'signed_up'": "'first_use'", "'csat'": "'nps'", "'nps'": "'csat'",
    "'asa_queue'": "'wait_all'", "'service_level'": "'abandon_rate'",
}  # fmt: skip
"""Another word that the view would take."""


class Mutant(NamedTuple):
    what: str
    query: str


def mutants(query: str) -> Iterator[Mutant]:
    """Every change of one thing. `query`: on one line, macros and variables as they stand."""
    for match in TOKEN.finditer(query):
        for other in _others(match.lastgroup or "", match[0]):
            yield _changed(query, *match.span(), other)
    for name, other in INSTEAD.items():
        for match in re.finditer(rf"(?<=FROM ){name}\b", query):
            yield _changed(query, *match.span(), other)
    yield from _fewer(query, "WHERE", r" AND (?![^(]*\))")
    yield from _fewer(query, "GROUP BY", ", ")
    yield from _neighbours(query)
    yield from _turned_order(query)


def _changed(query: str, start: int, end: int, other: str) -> Mutant:
    around = f"{query[max(0, start - 30) : start]}[{query[start:end]} → {other}]{query[end : end + 20]}"
    return Mutant(around, query[:start] + other + query[end:])


def _others(kind: str, text: str) -> list[str]:
    if kind == "string":
        bare = text[1:-1]
        found = [f"'{bare}x'"] if not bare.startswith("^") else [f"'{bare[1:]}'", f"'{bare[:-1]}'"]
        return [*found, *([WORTH[text]] if text in WORTH else [])]
    if kind == "macro":
        swapped = {"$__fromTime": "$__toTime", "$__toTime": "$__fromTime", "$__toTime_ms": "$__fromTime_ms"}
        return [swapped[text]] if text in swapped else []
    if kind == "number":
        step = max(1, int(text) // 5)
        return [f"{int(text) + step}", *([f"{int(text) - step}"] if int(text) else [])]
    if kind == "comparison":
        return list(TURNED[text])
    table = {"word": WORDS, "function": FUNCTIONS, "arithmetic": SIGNS}.get(kind, {})
    return [table[text]] if text in table else []


def clause(query: str, name: str) -> tuple[int, int] | None:
    """Where what follows the last clause of that name stands."""
    found = [*re.finditer(rf" {name} ", query)]
    if not found:
        return None
    start = found[-1].end()
    end = re.compile(r" (?:WHERE|GROUP BY|ORDER BY|LIMIT)\b").search(query, start)
    return start, end.start() if end else len(query)


def _fewer(query: str, name: str, separator: str) -> Iterator[Mutant]:
    """One condition, or one key, less."""
    if (place := clause(query, name)) is None:
        return
    start, end = place
    parts = re.split(separator, query[start:end])
    glue = " AND " if "AND" in separator else ", "
    for number, part in enumerate(parts):
        left = glue.join(parts[:number] + parts[number + 1 :])
        if left or name == "WHERE":
            yield Mutant(f"{name}: [{part} → ]", query[:start] + (left or "1") + query[end:])


def _neighbours(query: str) -> Iterator[Mutant]:
    """Each column with what the next one holds, under its own name."""
    start, end = len("SELECT "), query.index(" FROM ")
    told = [_named(each) for each in _split(query[start:end])]
    for number, (one, other) in enumerate(pairwise(told)):
        swapped = [*told]
        swapped[number] = (other[0], one[1])
        columns = ", ".join(f"{each} AS {name}" if name != each else each for each, name in swapped)
        yield Mutant(f"{one[1]}: [{one[0]} → {other[0]}]", query[:start] + columns + query[end:])


def _split(columns: str) -> list[str]:
    """At commas outside of brackets and quotes."""
    found, depth, is_quoted = [""], 0, False
    for each in columns:
        is_quoted ^= each == "'"
        depth += 0 if is_quoted else (each == "(") - (each == ")")
        if each == "," and not depth and not is_quoted:
            found.append("")
        else:
            found[-1] += each
    return [each.strip() for each in found]


def _named(column: str) -> tuple[str, str]:
    expression, _, name = column.rpartition(" AS ")
    return (expression, name) if expression else (column, column)


def _turned_order(query: str) -> Iterator[Mutant]:
    """Each key from the other end, where it says no direction itself."""
    if (place := clause(query, "ORDER BY")) is None:
        return
    start, end = place
    keys = query[start:end].split(", ")
    for number, key in enumerate(keys):
        if " " not in key:
            turned = ", ".join([*keys[:number], f"{key} DESC", *keys[number + 1 :]])
            yield Mutant(f"ORDER BY: [{key} → {key} DESC]", query[:start] + turned + query[end:])
