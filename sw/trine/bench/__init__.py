"""``trine bench``: this engine beside what a CPU does with the same layer, and beside published engines."""
