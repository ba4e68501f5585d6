"""Model file, integer golden model, training, timing and command line of Trine."""

__all__ = ["__version__"]

__version__ = "0.2.0"
