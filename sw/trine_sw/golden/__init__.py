"""The integer golden model: what every other implementation must equal, bit for bit."""

from trine_sw.golden.golden import MAX_COUNT, Golden, State, Trace, check_head_inputs, generation_scale

__all__ = ["Golden", "MAX_COUNT", "State", "Trace", "check_head_inputs", "generation_scale"]
