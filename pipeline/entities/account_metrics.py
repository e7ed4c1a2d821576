"""What an account counts: contributions to the families of stages (metrics.md §7)."""

from typing import Final

from pipeline.entities.account import stays
from pipeline.entities.factset import FactSet
from pipeline.events.account import AccountFact
from pipeline.metrics.buckets import Contribution
from pipeline.metrics.families import STAGE_MOVES, STAGE_STAYS, STAGE_STEPS

_ENTERED: Final = (STAGE_STEPS.cell("accounts"), 1)
_GONE: Final = (STAGE_STEPS.cell("accounts"), -1)
_MOVED: Final = (STAGE_MOVES.cell("moves"), 1)
_STAYS: Final = STAGE_STAYS.cell("stays")
_STAY_MS: Final = STAGE_STAYS.cell("stay_ms")


def contributions(account: FactSet[AccountFact]) -> list[Contribution]:
    """A step up where a stage is entered, a step down where it is left; moves with their stays."""
    parts: list[Contribution] = []
    for stay in stays(account):
        parts.append((STAGE_STEPS.name, (stay.stage,), stay.entered_at, _ENTERED))
        if stay.left_at is None:
            continue
        parts.append((STAGE_STEPS.name, (stay.stage,), stay.left_at, _GONE))
        if stay.to:
            length = stay.left_at - stay.entered_at
            parts.append((STAGE_MOVES.name, (stay.stage, stay.to), stay.left_at, _MOVED))
            parts.append((STAGE_STAYS.name, (stay.stage,), stay.left_at, (_STAYS, 1, _STAY_MS, length)))
    return parts
