"""Metrics that compare states of entities at instants: answered from facts, one function each.

Source: metrics.md §5-§7. Each takes entities by key, the question, its definition and what is
declared, and answers one number; rolling up over tenants uses each tenant's own day.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from pipeline.metrics.definitions import Definitions
from pipeline.metrics.metric import Definition
from pipeline.metrics.numbers import Number
from pipeline.replay import people, subscriptions, usage
from pipeline.replay.question import Question

Joint: TypeAlias = Callable[[Mapping[str, Any], Question, Definition, Definitions], Number]

JOINT: Final[dict[str, Joint]] = {**people.JOINT, **subscriptions.JOINT, **usage.JOINT}
