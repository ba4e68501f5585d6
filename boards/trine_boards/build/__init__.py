"""Build of a bitstream from a board's top module, in cached steps."""
