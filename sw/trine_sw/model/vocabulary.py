"""Vocabulary of a model: the symbols that its tokens number, and text as tokens."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trine_sw.support.checks import is_writable_text, shown, token_array
from trine_sw.support.errors import TrineError

__all__ = ["Vocabulary", "byte_of", "byte_symbol"]

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


def byte_symbol(value: int) -> str:
    """The symbol of a byte in a vocabulary of bytes, as SentencePiece writes it.

    >>> byte_symbol(10)
    '<0x0A>'
    """
    return f"<0x{value:02X}>"


def byte_of(symbol: str) -> int:
    """The byte of a symbol; the inverse of :func:`byte_symbol`. -1 for any other symbol."""
    match = _BYTE.fullmatch(symbol)
    return int(match[1], 16) if match else -1


class Vocabulary:
    """Symbols of a model, all of them characters, all of them bytes, or else words.

    Text of words is split at white space (Unicode's), so that a word holds none. Text of bytes is UTF-8.

    Parameters
    ----------
    symbols : V different strings that are not empty. Where each is of one character, text is a row of
        characters; where each is as ``<0x0A>``, of bytes; otherwise it is words.

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
        if not all(map(is_writable_text, self.symbols)):
            raise TrineError("vocabulary must hold text, not halves of UTF-16 pairs")
        self.of_characters = all(len(symbol) == 1 for symbol in self.symbols)
        self.of_bytes = all(byte_of(symbol) >= 0 for symbol in self.symbols)
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
        if self.of_bytes:
            return self._of_bytes(text)
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

    def _of_bytes(self, text: str) -> NDArray[np.int64]:
        data = text.encode("utf-8", "surrogatepass")
        try:
            return np.array([self._index[byte_symbol(value)] for value in data], dtype=np.int64)
        except KeyError as error:
            known = f"the model's vocabulary of {len(self.symbols)} bytes"
            raise TrineError(f"the byte {error.args[0]} of the text is not in {known}") from None

    def decode(self, tokens: ArrayLike | Any) -> str:
        """Text of tokens (T,); the inverse of :meth:`encode`. Bytes that are no UTF-8 become U+FFFD."""
        numbers = token_array(tokens, len(self.symbols))
        if self.of_bytes:
            return bytes(byte_of(self.symbols[token]) for token in numbers).decode("utf-8", "replace")
        return ("" if self.of_characters else " ").join(self.symbols[token] for token in numbers)
