"""Recurrent cells: what they share, each kind of cell, and the blocks that hold them."""
