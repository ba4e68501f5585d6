"""Tests of ``trine_hw``."""
