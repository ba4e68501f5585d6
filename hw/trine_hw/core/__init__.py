"""The engine's core: from tokens to states, logits and choices."""
