"""Clocks of the boards: PLLs, clock domains and the choice of a frequency."""
