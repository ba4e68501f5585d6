"""Cores in Verilator and Icarus, driven by cocotb: what ``sim/`` tests with and ``trine --backend`` runs.

:mod:`~trine_hw.simulation.run` is the way in, with a :mod:`~trine_hw.simulation.job` for each core;
:mod:`~trine_hw.simulation.build` compiles and keeps simulators, :mod:`~trine_hw.simulation.beats` translates
between layouts and arrays, and :mod:`~trine_hw.simulation.testbench` is what cocotb runs in the simulator.
"""
