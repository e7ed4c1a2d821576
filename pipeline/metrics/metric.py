"""What a metric is: a name, its definitions, and a function from cells or levels to a number.

Source: metrics.md §1. Knows no metric in particular.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from pipeline.metrics.buckets import Cells, LevelValue
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import FAMILIES
from pipeline.metrics.numbers import Number

Definition = Mapping[str, Any]
Level: TypeAlias = Callable[[Iterable[LevelValue], int, Definitions], Number]


class DefinitionError(ValueError):
    """The definition asked for is unknown or cannot be answered; the message says what to do."""


class Metric(NamedTuple):
    """One number Pulse ships. `unit`: seconds, ratio or count. `help` is for people.

    A window metric reads one of `families` (`leave` unless the definition says by enqueue);
    a level metric reads level values at an instant. `variants` lists the named definitions,
    the default first. A joint metric compares states of the entities of `joint_stream`; its formula
    stands in pipeline/replay/joint.py, its live projection in the stream's step families; `at_instant`
    says that it is asked at an instant, not over a window. `exact`
    answers from the cells of single entities where facts are at hand. `maturity`: in windows that end
    at now only 10-second buckets that end at or before now − so many ms count (`ripens_to_the_ms`: what
    is dated at or before then). `level_of` gives the level function of a definition where it has any;
    `level_dims` are dimensions that are no part of a series but read from its ages. `only` are dimensions
    of the family, by name, in which it counts one value. `fault` says what is
    wrong with parameters that are sound one by one, '' = nothing. `label`: in a definition another word for
    `name`, that of the Prometheus label which carries it.
    """

    name: str
    unit: str
    help: str
    families: tuple[str, ...]
    variants: tuple[str, ...] = ("default",)
    parameters: tuple[str, ...] = ()
    window: Callable[[Cells, Definition, Definitions], Number] | None = None
    joint_stream: str = ""
    joint_dims: tuple[str, ...] = ()
    at_instant: bool = False
    level: Level | None = None
    exact: Callable[[Iterable[tuple[int, ...]], Definition], Number] | None = None
    maturity: Callable[[Definition], int] | None = None
    ripens_to_the_ms: bool = False
    fault: Callable[[Definition], str] | None = None
    level_of: Callable[[Definition], Level] | None = None
    level_dims: tuple[str, ...] = ()
    only: tuple[tuple[str, str], ...] = ()
    label: str = "name"

    @property
    def stream(self) -> str:
        """The stream whose entities it counts."""
        return self.joint_stream or FAMILIES[self.families[0]].stream

    @property
    def is_joint(self) -> bool:
        """Whether it compares states of entities and is no sum of buckets: answered from facts."""
        return bool(self.joint_stream)

    @property
    def is_level(self) -> bool:
        """Whether it answers at an instant rather than over a window."""
        return self.level is not None
