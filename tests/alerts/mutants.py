"""Alert rules with one thing wrong: a threshold moved, a comparison turned, a label changed, a word swapped.

A mutant that the promtool tests let live is a number or a word of a rule that no test is about.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

TOKEN: Final = re.compile(
    r"""(?P<matcher>\w+\s*(?:=~|!~|!=|=)\s*"[^"]*")
    |(?P<range>\[\d+[smhd]\])
    |(?P<labels>\b(?:by|on)\s*\([^)]*\w[^)]*\))
    |(?P<comparison>==|!=|<=|>=|<|>)
    |(?P<word>\b(?:and|or|unless|sum|min|max)\b)
    |(?P<number>(?<![\w.:])\d+(?:\.\d+)?(?![\w.]))
    |(?P<arithmetic>[-+*/])
    |(?P<name>[A-Za-z_:][\w:]*)""",
    re.VERBOSE,
)
WORDS: Final = {"and": "or", "or": "and", "unless": "and", "sum": "max", "min": "max", "max": "min"}
TURNED: Final = {"==": ("!=",), "!=": ("==",), "<": (">", "<="), ">": ("<", ">="), "<=": ("<",), ">=": (">",)}
SIGNS: Final = {"+": "-", "-": "+", "*": "/", "/": "*"}
SMALL: Final = 10


class Mutant(NamedTuple):
    """A rule with one change; `what` says which."""

    rule: dict[str, Any]
    what: str


def mutants(rule: dict[str, Any]) -> Iterator[Mutant]:
    """Every change of the expression, and of how long it must hold and is kept."""
    expr = rule["expr"]
    for match in TOKEN.finditer(expr):
        start, end = match.span()
        for other in _others(match.lastgroup or "", match[0]):
            around = f"{expr[max(0, start - 24) : start]}[{match[0]} → {other}]{expr[end : end + 16]}"
            what = " ".join(around.split())
            yield Mutant(rule | {"expr": expr[:start] + other + expr[end:]}, what)
    for clause in ("for", "keep_firing_for"):
        if clause in rule:
            for other in _others("range", f"[{rule[clause]}]"):
                text = other.strip("[]")
                yield Mutant(rule | {clause: text}, f"{clause}: [{rule[clause]} → {text}]")


def _others(kind: str, text: str) -> list[str]:
    if kind == "number":
        return _numbers(text)
    if kind == "comparison":
        return list(TURNED[text])
    if kind == "word":
        return [WORDS[text]]
    if kind == "arithmetic":
        return [SIGNS[text]]
    if kind == "matcher":
        return _matchers(text)
    if kind == "labels":
        return _labels(text)
    if kind == "range":
        count, unit = int(text[1:-2]), text[-2]
        seconds = count * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
        return [f"[{seconds * 2}s]", f"[{seconds // 2}s]"]
    return []


def _numbers(text: str) -> list[str]:
    """A count is moved by one, anything else by a fifth."""
    if "." not in text and int(text) <= SMALL:
        return [str(int(text) + 1), *([str(int(text) - 1)] if int(text) else [])]
    return [f"{float(text) * 1.2:g}", f"{float(text) * 0.8:g}"]


def _matchers(text: str) -> list[str]:
    name, operator, value = re.fullmatch(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"', text).groups()  # type: ignore[union-attr]
    opposite = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}[operator]
    return [f'{name}{opposite}"{value}"', f'{name}{operator}"{value}x"']


def _labels(text: str) -> list[str]:
    """One label less, each in turn."""
    word, inside = re.fullmatch(r"(by|on)\s*\(([^)]*)\)", text).groups()  # type: ignore[union-attr]
    names = [name.strip() for name in inside.split(",")]
    return [f"{word} ({', '.join(names[:place] + names[place + 1 :])})" for place in range(len(names))]
