"""The simulators that Trine uses, and the names of what they write."""

__all__ = ["SIMULATORS", "WAVE_FILES"]

#: Names of the simulators, as in URLs and on the command line.
SIMULATORS = ("verilator", "icarus")
#: The file of waveforms that each simulator writes.
WAVE_FILES = {"verilator": "dump.vcd", "icarus": "waves.fst"}
