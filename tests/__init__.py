"""Tests, in the layout of the packages; helpers in ``tests/helpers``."""
