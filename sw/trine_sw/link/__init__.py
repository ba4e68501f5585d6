"""The link between host and board: frames, their contents, and the two sides of the protocol.

Everything here is free of input and output. The gateware takes its numbers from :mod:`.protocol` and
:mod:`.records`; :mod:`.session` is the host's side, :mod:`.board_model` the board's, in Python.
"""
