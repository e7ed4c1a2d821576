"""What is wrong with settings, told so that an operator mends all of it in one go. It never shows a value."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from pipeline.core import VARIABLE

EXIT_CODE = 2
# Read by other parts than the settings: the file's name, how the core runs, and what the tests are told.
NOT_SETTINGS = ("PULSE_CONFIG", VARIABLE, "PULSE_TEST_")


@dataclass(frozen=True, slots=True)
class Problem:
    """`place` is the setting as in the file (`kafka.bootstrap`), or a file or variable."""

    place: str
    what: str
    do: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}. {self.do[:1].upper()}{self.do[1:]}."


class SettingsError(Exception):
    """Settings cannot be used; `problems` holds all that was found."""

    exit_code = EXIT_CODE

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        super().__init__(f"{len(self.problems)} problem(s) in the settings:\n{lines}")


class ContradictionError(ValueError):
    """Settings right by themselves that contradict each other; raised inside a section's validation."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(map(str, problems)))


def refuse(*checks: tuple[bool, str, str, str]) -> None:
    """Raise everything that contradicts; a check = (holds, setting, what is wrong, what to do)."""
    found = tuple(Problem(place, what, do) for holds, place, what, do in checks if not holds)
    if found:
        raise ContradictionError(found)


def problems_of(error: ValueError, model: type[BaseModel]) -> list[Problem]:
    """Every problem in an error raised while settings were read."""
    if not isinstance(error, ValidationError):
        return [Problem("settings", str(error), "correct the file's or the variable's spelling")]
    return [problem for entry in error.errors() for problem in _problems_of_entry(dict(entry), model)]


def _problems_of_entry(entry: dict[str, Any], model: type[BaseModel]) -> list[Problem]:
    place = ".".join(str(part) for part in entry["loc"])
    cause = entry.get("ctx", {}).get("error")
    if isinstance(cause, ContradictionError):
        return [Problem(".".join(filter(None, (place, p.place))), p.what, p.do) for p in cause.problems]
    if entry["type"] == "extra_forbidden":
        return [Problem(place, "no such setting", _nearest(place, model))]
    what = entry["msg"].removeprefix("Value error, ")
    return [Problem(place, what, f"correct it in the file, or set {variable_of(place)}")]


def variable_of(place: str) -> str:
    """The environment variable of a setting: kafka.bootstrap = PULSE_KAFKA__BOOTSTRAP."""
    return f"PULSE_{place.upper().replace('.', '__')}"


def places_of(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Every setting as in the file: streams, kafka.bootstrap, …"""
    places: list[str] = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            places += places_of(inner, f"{prefix}{name}.")
        else:
            places.append(f"{prefix}{name}")
    return places


def _nearest(place: str, model: type[BaseModel]) -> str:
    near = get_close_matches(place, places_of(model), n=1)
    return f"did you mean {near[0]}? Else remove it" if near else "remove it; docs/settings.md lists all"


def unknown_variables(environ: Mapping[str, str], model: type[BaseModel]) -> list[Problem]:
    """Variables that begin like ours and set nothing, because the part before `__` is no section."""
    sections = tuple(f"PULSE_{name.upper()}" for name in model.model_fields)
    unknown = [
        name
        for name in sorted(environ)
        if name.upper().startswith("PULSE_")
        and not name.upper().startswith(NOT_SETTINGS)
        and name.upper().partition("__")[0] not in sections
    ]
    variables = [variable_of(place) for place in places_of(model)]
    return [
        Problem(name, "no such setting", f"did you mean {near[0]}? Else unset it" if near else "unset it")
        for name in unknown
        for near in [get_close_matches(name.upper(), variables, n=1)]
    ]
