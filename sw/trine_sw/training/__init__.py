"""Training in PyTorch: quantisers, ternary layers, recipes, and the run that makes a model file of them."""
