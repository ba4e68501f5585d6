"""Formal proofs of gateware: for all inputs, not only those that a test thinks of.

:mod:`~formal.prove` runs Yosys and a solver; :mod:`~formal.streams`, :mod:`~formal.events` and
:mod:`~formal.frames` say what is proved;
:mod:`~formal.breaking` makes components with a fault, of which the same proofs must fail.
"""
