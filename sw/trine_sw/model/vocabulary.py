"""Vocabulary of a model: the symbols that its tokens number, and text as tokens."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trine_sw.support.checks import shown, token_array
from trine_sw.support.errors import TrineError

__all__ = ["Vocabulary"]


class Vocabulary:
    """Symbols of a model, all of them characters, or else words.

    Text of words is split at white space (Unicode's), so that a word holds none.

    Parameters
    ----------
    symbols : V different strings that are not empty. Where each is of one character, text is a row of
        characters; otherwise it is words.

    Raises :class:`TrineError` that says which symbol is wrong.
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        if not isinstance(symbols, list | tuple) or not all(isinstance(s, str) and s for s in symbols):
            raise TrineError("vocabulary must hold strings that are not empty")
        self.symbols = tuple(symbols)
        self._index = {symbol: token for token, symbol in enumerate(self.symbols)}
        if len(self._index) != len(self.symbols):
            again = next(s for token, s in enumerate(self.symbols) if self._index[s] != token)
            raise TrineError(f"vocabulary must be different symbols, and {shown(again)} is there twice")
        if any("\ud800" <= character <= "\udfff" for symbol in self.symbols for character in symbol):
            raise TrineError("vocabulary must hold text, not halves of UTF-16 pairs")
        self.of_characters = all(len(symbol) == 1 for symbol in self.symbols)
        if not self.of_characters:
            for token, symbol in enumerate(self.symbols):
                if symbol.split() != [symbol]:
                    raise TrineError(
                        f"vocabulary of words: symbol {token}, {shown(symbol)}, holds white space, at which "
                        "text is split into words; put another character in its place"
                    )

    def encode(self, text: str) -> NDArray[np.int64]:
        """Tokens (T,) of a text. Raises :class:`TrineError` that says where an unknown symbol stands."""
        if not isinstance(text, str):
            raise TrineError(f"text must be a string, not {shown(text)}")
        symbols = list(text) if self.of_characters else text.split()
        try:
            return np.array([self._index[symbol] for symbol in symbols], dtype=np.int64)
        except KeyError as error:
            unknown: str = error.args[0]
        if self.of_characters:
            place = text.index(unknown)
            line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
            where = f"line {line}, column {column} of the text"
        else:
            where = f"word {symbols.index(unknown) + 1} of the text"
        size = len(self.symbols)
        raise TrineError(f"{unknown!r} ({where}) is not in the model's vocabulary of {size} symbols")

    def decode(self, tokens: ArrayLike | Any) -> str:
        """Text of tokens (T,); the inverse of :meth:`encode`."""
        numbers = token_array(tokens, len(self.symbols))
        return ("" if self.of_characters else " ").join(self.symbols[token] for token in numbers)
