"""Producers of events."""
