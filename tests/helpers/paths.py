"""Where the tests find the tree that they are of."""

from pathlib import Path

#: The tree's top folder.
ROOT = Path(__file__).resolve().parents[2]
