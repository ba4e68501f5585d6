"""Tests of ``trine_sw`` and ``trine``."""
