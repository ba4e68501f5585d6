"""Trine in gateware: column ROM, lanes, cells, sampler and core."""
