"""Data sets: texts to train on and to measure with."""

from trine_sw.data.text import (
    DATA_SETS,
    END,
    UNKNOWN,
    DataSet,
    OwnText,
    Part,
    Text,
    TextFile,
    describe_split,
    load_text,
    load_tokens,
    split_names,
    symbol_name,
    symbols,
)

__all__ = [
    "DATA_SETS",
    "DataSet",
    "END",
    "OwnText",
    "Part",
    "Text",
    "TextFile",
    "UNKNOWN",
    "describe_split",
    "load_text",
    "load_tokens",
    "split_names",
    "symbol_name",
    "symbols",
]
