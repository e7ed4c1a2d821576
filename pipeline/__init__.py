"""Pulse: events in, metrics out. The folder listing is the architecture; see docs."""

# Before any module of the core is imported: it decides which of two forms is.
from pipeline.core import CORE as CORE
