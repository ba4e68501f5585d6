"""Data sets: texts to train on and to measure with."""

from trine_sw.data.text import (
    DATA_SETS,
    END,
    UNKNOWN,
    DataSet,
    Part,
    TextFile,
    describe_split,
    load_text,
    load_tokens,
    split_names,
    symbols,
)

__all__ = [
    "DATA_SETS",
    "DataSet",
    "END",
    "Part",
    "TextFile",
    "UNKNOWN",
    "describe_split",
    "load_text",
    "load_tokens",
    "split_names",
    "symbols",
]
