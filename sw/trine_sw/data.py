"""Text to train on and to measure with: found on this machine, or fetched from its public source."""

import hashlib
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from trine_sw.errors import TrineError
from trine_sw.whole_file import make_folder, replacing

__all__ = ["DATA_SETS", "SPLITS", "DataSet", "load_text", "symbols"]

SPLITS = ("train", "valid")


@dataclass(frozen=True)
class DataSet:
    """A text file of characters: where it is within a data folder, where it comes from, what it hashes to."""

    file: str
    url: str
    sha256: str


DATA_SETS = {
    # 1,115,394 characters of plays, public domain. The last tenth of the characters is "valid".
    "shakespeare": DataSet(
        file="shakespeare/input.txt",
        url="https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    ),
}


def load_text(name: str, split: str) -> str:
    """The characters of a split, ``"train"`` or ``"valid"`` (the last tenth).

    Looked for in ``$TRINE_DATA``, then in ``./data``, then downloaded into ``./data``; always checked against
    the checksum. Raises :class:`TrineError` for an unknown name or split, and where the text cannot be had.
    """
    text = _whole_text(name)
    if split not in SPLITS:
        raise TrineError(f"{split!r} is no split of {name}; there are {', '.join(SPLITS)}")
    border = len(text) * 9 // 10
    return text[:border] if split == "train" else text[border:]


def symbols(name: str) -> list[str]:
    """The different characters of the whole text, in code order: the vocabulary of a model of it."""
    return sorted(set(_whole_text(name)))


def _whole_text(name: str) -> str:
    if name not in DATA_SETS:
        raise TrineError(f"{name!r} is no data set; there are {', '.join(DATA_SETS)}")
    file = DATA_SETS[name].file
    folders = [Path(folder) for folder in (os.environ.get("TRINE_DATA"), "data") if folder]
    for folder in folders:
        if (folder / file).is_file():
            return _read(folder / file, name)
    return _read(_download(name, folders[-1] / file, [folder / file for folder in folders]), name)


@cache
def _read(path: Path, name: str) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TrineError(f"cannot read {path}: {error.strerror}") from None
    digest = hashlib.sha256(data).hexdigest()
    if digest != DATA_SETS[name].sha256:
        raise TrineError(
            f"{path} is not the text of {name}: its SHA-256 is {digest}, and {DATA_SETS[name].sha256} "
            "is expected. Remove the file, and it will be downloaded."
        )
    return data.decode()


def _download(name: str, path: Path, tried: list[Path]) -> Path:
    data_set = DATA_SETS[name]
    try:
        with urllib.request.urlopen(data_set.url, timeout=30) as reply:
            data = reply.read()
    except (urllib.error.URLError, OSError) as error:
        raise TrineError(
            f"the text of {name} is not here (looked for {', '.join(map(str, tried))}), and could not be "
            f"downloaded from {data_set.url}: {error}. Put the file there, or set TRINE_DATA to a folder "
            f"that holds {data_set.file}."
        ) from None
    if hashlib.sha256(data).hexdigest() != data_set.sha256:
        raise TrineError(f"{data_set.url} gave a file that is not the text of {name}: its SHA-256 differs")
    make_folder(path.parent)
    with replacing(path) as file:
        file.write(data)
    return path
