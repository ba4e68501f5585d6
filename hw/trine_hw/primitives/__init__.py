"""Primitives of the gateware: ROMs, fan-out registers, skid buffer and byte FIFO."""
