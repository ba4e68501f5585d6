"""Tests of ``trine``."""
