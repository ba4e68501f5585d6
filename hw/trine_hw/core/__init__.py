"""Core of the engine: tokens in; states, logits and choices out."""
