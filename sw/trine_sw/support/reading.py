"""Reading of files, with one clear error for a missing, endless or binary file."""

import codecs
import os
import stat

from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

__all__ = ["decode_text", "read_text", "read_whole"]


def read_whole(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file. Raises :class:`TrineError` where there is none, or where it may have no end."""
    try:
        # A pipe without a writer would be waited for.
        number = os.open(os.fspath(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(number, "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise TrineError(f"cannot read {path}: it is no regular file")
            return opened.read()
    except OSError as error:
        raise TrineError(f"cannot read {path}: {error.strerror or error}") from None
    except (TypeError, ValueError) as error:  # no path, or one with a NUL in it
        raise TrineError(f"cannot read {shown(path)}: {error}") from None


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a UTF-8 file, without the mark of the byte order that some editors put first.

    Raises :class:`TrineError` as :func:`read_whole` does, and for another encoding.
    """
    return decode_text(read_whole(path), path)


def decode_text(data: bytes, path: str | os.PathLike[str]) -> str:
    """The text of what a UTF-8 file holds, as :func:`read_text` gives it."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        advice = (
            "it is UTF-16: iconv -f utf-16 -t utf-8"
            if utf_16
            else "say from Latin-1: iconv -f latin1 -t utf-8"
        )
        raise TrineError(
            f"{path} is no UTF-8 text: byte {data[error.start]:#04x} in line {line}. Convert it, {advice}"
        ) from None
