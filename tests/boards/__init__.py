"""Tests of ``trine_boards``."""
