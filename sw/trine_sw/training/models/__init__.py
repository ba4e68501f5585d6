"""Language models in training: the float baseline, the ternary model, and its export to integers."""
