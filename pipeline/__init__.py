"""Pulse: events in, metrics out. The folder listing is the architecture; see docs."""
