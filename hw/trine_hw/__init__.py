"""Gateware of Trine: column ROM, lanes, cells, sampler and core."""
