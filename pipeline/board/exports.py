"""Every gauge family of sums and levels, in the order of /metrics."""

from typing import Final

from pipeline.board.call_gauges import CALL_LEVELS, CALLS
from pipeline.board.day_gauges import BY_DAYS
from pipeline.board.gauges import Export, LevelExport
from pipeline.board.survey_gauges import SURVEYS
from pipeline.board.ticket_gauges import TICKET_LEVELS, TICKET_SERIES

__all__ = ["LEVELS", "WINDOWED", "Export", "LevelExport"]

WINDOWED: Final = (*CALLS, *SURVEYS, *TICKET_SERIES, *BY_DAYS)
LEVELS: Final = (*CALL_LEVELS, *TICKET_LEVELS)
