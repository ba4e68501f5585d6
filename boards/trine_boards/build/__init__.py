"""From a board's top module to a bitstream, in steps that are cached."""
