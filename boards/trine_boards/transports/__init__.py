"""Transports of a board: what carries its bytes between the link and the host, one file each."""
