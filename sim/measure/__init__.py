"""Measurements: ``python -m sim.measure.NAME``, each documented in its module."""
