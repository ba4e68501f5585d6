"""Verification of builds: simulation of their netlists at the board's pins against the board model."""
