"""Synthesised netlists in simulation."""
