"""Simulations of the gateware, and measurements of it."""
