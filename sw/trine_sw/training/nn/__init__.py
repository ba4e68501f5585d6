"""Building blocks of training in PyTorch: quantisers, ternary layers, recurrence and losses."""
