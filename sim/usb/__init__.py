"""Simulated board on USB of high speed: its ULPI pins, a PHY and a host."""
